/**
 * Sending ICMP errors: about what, to whom, and how often.
 *
 * Thread: the one that runs the kernel. Every error passes the rules of RFC 1122 3.2.2 (never about errors, groups, later
 * fragments, or senders that are no single host) and a limit per second (`net.inet.icmp.errppslimit`).
 * Read first: RFC 792, RFC 1122 3.2.2, RFC 1812 4.3.2. Missing: RFC 4884 extensions.
 */

import { checksumOf } from '../../base/checksum.ts';
import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { isLoopback, isUnicast } from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import type { InPacket, IpService } from '../ip/transport.ts';
import type { Addresses4 } from './addresses.ts';

const ICMP_HEADER_BYTES = 8;
const ERROR_TTL = 255;

export class IcmpErrors {
  readonly #context: InetContext;
  readonly #addresses: Addresses4;
  readonly #ip: IpService;
  readonly #limit: RateLimit = new RateLimit();
  readonly #perSecond: SysctlVariable;
  readonly #returnBytes: SysctlVariable;
  readonly #sent: number;
  readonly #limited: number;
  readonly #suppressed: number;
  readonly #unsent: number;

  constructor(context: InetContext, addresses: Addresses4, ip: IpService) {
    this.#context = context;
    this.#addresses = addresses;
    this.#ip = ip;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#perSecond = sysctl.integer('net.inet.icmp.errppslimit', 100, -1, 1 << 20, 'ICMP errors a second; -1: any');
    this.#returnBytes = sysctl.integer('net.inet.icmp.returndatabytes', 8, 8, 512, 'payload bytes quoted in errors');
    sysctl.limits.addRate({ what: 'ICMP errors', variable: this.#perSecond, counter: 'icmp-out-rate-limited' });
    this.#sent = counters.index('icmp-out-errors');
    this.#limited = counters.index('icmp-out-rate-limited');
    this.#suppressed = counters.index('icmp-out-suppressed');
    this.#unsent = counters.index('icmp-out-unsent');
  }

  /**
   * Send an error about a packet. `rest` is the second word of the ICMP header. The packet may lie anywhere; what is quoted
   * is copied.
   */
  send(type: number, code: number, rest: number, packet: InPacket, nowUs: number): void {
    const { counters, bulk } = this.#context;
    const { arena } = this.#context.shared;
    if (!this.#mayAnswer(packet)) {
      counters.add(this.#suppressed, 1);
      return;
    }
    if (!this.#limit.allow(this.#perSecond.value, nowUs)) {
      counters.add(this.#limited, 1);
      return;
    }
    const src = this.#addresses.isLocal(packet.dst) ? packet.dst : this.#addresses.sourceFor(packet.iface, packet.src);
    const path = this.#ip.transientPath(packet.src, src, 0, null);
    if (typeof path === 'number') {
      counters.add(this.#unsent, 1);
      return;
    }
    const headerBytes = packet.at - packet.headerAt;
    const quotedBytes = headerBytes + Math.min(packet.lengthBytes, this.#returnBytes.value);
    const bytes = ICMP_HEADER_BYTES + quotedBytes;
    const at = this.#ip.begin(path, ipv4.PROTOCOL_ICMP, bytes, ERROR_TTL, 0, 0);
    if (at < 0) {
      counters.add(this.#unsent, 1);
      return;
    }
    arena.view.setInt32(at, (type << 24) | (code << 16));
    arena.view.setInt32(at + 4, rest);
    bulk.copy(at + ICMP_HEADER_BYTES, packet.headerAt, quotedBytes);
    arena.view.setUint16(at + 2, checksumOf(bulk.sum(at, bytes)));
    this.#ip.end(0);
    counters.add(this.#sent, 1);
  }

  /** RFC 1122 3.2.2: what no ICMP error may be about. */
  #mayAnswer(packet: InPacket): boolean {
    const { view } = this.#context.shared.arena;
    const { src, dst } = packet;
    if (packet.broadcast || !isUnicast(dst) || this.#addresses.isBroadcast(dst)) return false;
    if (!isUnicast(src) || this.#addresses.isBroadcast(src)) return false;
    if (isLoopback(src) && !packet.iface.loopback) return false;
    if ((view.getUint16(packet.headerAt + 6) & ipv4.FRAGMENT_OFFSET_MASK) !== 0) return false;
    if (packet.protocol !== ipv4.PROTOCOL_ICMP) return true;
    return packet.lengthBytes > 0 && !icmpv4.isError(view.getUint8(packet.at));
  }
}
