/**
 * Sending ICMPv6 errors: about what, to whom, and how often.
 *
 * Thread: the one that runs the kernel. Every error passes the rules of RFC 4443 2.4 (e) and a limit per second
 * (`net.inet6.icmp6.errppslimit`). It quotes as much of the packet as a message of 1280 bytes holds.
 * Read first: RFC 4443 sections 2.2, 2.4 and 3. Missing: RFC 4884 extensions.
 */

import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import { writeIcmpChecksum } from '../ip/message-checksum.ts';
import type { InPacket, IpService } from '../ip/transport.ts';
import type { Addresses6 } from './addresses.ts';
import type { SourceSelector } from './source-selector.ts';

const ERROR_HOP_LIMIT = 255;

export class IcmpErrors6 {
  readonly #context: InetContext;
  readonly #addresses: Addresses6;
  readonly #sources: SourceSelector;
  readonly #ip: IpService;
  readonly #limit: RateLimit = new RateLimit();
  readonly #perSecond: SysctlVariable;
  readonly #sent: number;
  readonly #limited: number;
  readonly #suppressed: number;
  readonly #unsent: number;

  constructor(context: InetContext, addresses: Addresses6, sources: SourceSelector, ip: IpService) {
    this.#context = context;
    this.#addresses = addresses;
    this.#sources = sources;
    this.#ip = ip;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#perSecond = sysctl.integer(
      'net.inet6.icmp6.errppslimit',
      100,
      -1,
      1 << 20,
      'ICMPv6 errors a second; -1: any',
    );
    sysctl.limits.addRate({ what: 'ICMPv6 errors', variable: this.#perSecond, counter: 'icmp6-out-rate-limited' });
    this.#sent = counters.index('icmp6-out-errors');
    this.#limited = counters.index('icmp6-out-rate-limited');
    this.#suppressed = counters.index('icmp6-out-suppressed');
    this.#unsent = counters.index('icmp6-out-unsent');
  }

  /** Send an error about a packet, which may lie anywhere. `rest` is the second word of the message. */
  send(type: number, code: number, rest: number, packet: InPacket, nowUs: number): void {
    const { counters, bulk } = this.#context;
    const { arena } = this.#context.shared;
    if (!this.#mayAnswer(packet, type, code)) {
      counters.add(this.#suppressed, 1);
      return;
    }
    if (!this.#limit.allow(this.#perSecond.value, nowUs)) {
      counters.add(this.#limited, 1);
      return;
    }
    const src = this.#addresses.isLocal(packet.dst) ? packet.dst : this.#sources.select(packet.src, packet.iface);
    const path = this.#ip.transientPath(packet.src, src, 0, null);
    if (typeof path === 'number') {
      counters.add(this.#unsent, 1);
      return;
    }
    const packetBytes = packet.at - packet.headerAt + packet.lengthBytes;
    const room = ipv6.MTU_BYTES_MIN - ipv6.HEADER_BYTES - icmpv6.HEADER_BYTES;
    const bytes = icmpv6.HEADER_BYTES + Math.min(packetBytes, room);
    const at = this.#ip.begin(path, icmpv6.PROTOCOL_ICMPV6, bytes, ERROR_HOP_LIMIT, 0, 0);
    if (at < 0) {
      counters.add(this.#unsent, 1);
      return;
    }
    const { view } = arena;
    icmpv6.setTypeAndCode(view, at, type, code);
    icmpv6.setRest(view, at, rest);
    bulk.copy(at + icmpv6.HEADER_BYTES, packet.headerAt, bytes - icmpv6.HEADER_BYTES);
    writeIcmpChecksum(this.#context, path, at, bytes);
    this.#ip.end(0);
    counters.add(this.#sent, 1);
  }

  /**
   * RFC 4443 2.4 (e): never about errors or redirects, nor to what is no single host; about packets to groups only that
   * they are too big, or have an option that asks for it.
   */
  #mayAnswer(packet: InPacket, type: number, code: number): boolean {
    const { view } = this.#context.shared.arena;
    const { src } = packet;
    const despiteGroup =
      type === icmpv6.TYPE_PACKET_TOO_BIG ||
      (type === icmpv6.TYPE_PARAMETER_PROBLEM && code === icmpv6.CODE_UNKNOWN_OPTION);
    if (packet.broadcast && !despiteGroup) return false;
    if (src === IP6_ANY || this.#addresses.isMulticast(src)) return false;
    if (packet.protocol !== icmpv6.PROTOCOL_ICMPV6) return true;
    if (packet.lengthBytes <= 0) return false;
    const about = view.getUint8(packet.at);
    return !icmpv6.isError(about) && about !== icmpv6.TYPE_REDIRECT;
  }
}
