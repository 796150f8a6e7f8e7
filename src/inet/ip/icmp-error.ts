/**
 * ICMP errors on their way out: the part that is the same in both families. A limit per second, the quotation, counters.
 *
 * Thread: the one that runs the CPU. Read first: RFC 792, RFC 4443; inet/ip4/icmp-error.ts and inet/ip6/icmp-error.ts (the
 * rules of each family).
 */

import { RateLimit } from '../../kern/rate-limit.ts';
import { HEADER_BYTES } from '../../wire/icmpv4.ts';
import type { InetContext } from './context.ts';
import { writeIcmpChecksum } from './message-checksum.ts';
import type { InPacket, IpService } from './transport.ts';

const ERROR_TTL = 255;

/** The differences between ICMP and ICMPv6. */
export interface IcmpErrorFamily {
  /** "ICMP". */
  readonly name: string;
  readonly protocol: number;
  /** `net.inet.icmp.errppslimit`. */
  readonly limitName: string;
  /** Begins the names of the counters. */
  readonly counterPrefix: string;
  /** Whether an error of that type and code may be about a packet. */
  mayAnswer(packet: InPacket, type: number, code: number): boolean;
  /** Our address that the error comes from. */
  source(packet: InPacket): number;
  /** Bytes of the packet that are quoted, its header included. */
  quotedBytes(packet: InPacket): number;
}

export class IcmpErrorSender {
  readonly #context: InetContext;
  readonly #family: IcmpErrorFamily;
  readonly #ip: IpService;
  readonly #limit: RateLimit;
  readonly #sent: number;
  readonly #suppressed: number;
  readonly #unsent: number;

  constructor(context: InetContext, ip: IpService, family: IcmpErrorFamily) {
    this.#context = context;
    this.#ip = ip;
    this.#family = family;
    const { counters } = context;
    const { sysctl } = context.shared;
    const { counterPrefix, limitName, name } = family;
    this.#limit = new RateLimit(sysctl, counters, {
      name: limitName,
      perSecond: 100,
      description: `${name} errors a second; -1: any`,
      what: `${name} errors`,
      counter: `${counterPrefix}-out-rate-limited`,
    });
    this.#sent = counters.index(`${counterPrefix}-out-errors`);
    this.#suppressed = counters.index(`${counterPrefix}-out-suppressed`);
    this.#unsent = counters.index(`${counterPrefix}-out-unsent`);
  }

  /** Send an error about a packet, which may lie anywhere. `rest` is the second word of the message. */
  send(type: number, code: number, rest: number, packet: InPacket, nowUs: number): void {
    const { counters } = this.#context;
    if (!this.#family.mayAnswer(packet, type, code)) {
      counters.add(this.#suppressed, 1);
    } else if (this.#limit.allow(nowUs)) {
      counters.add(this.#write(type, code, rest, packet) ? this.#sent : this.#unsent, 1);
    }
  }

  #write(type: number, code: number, rest: number, packet: InPacket): boolean {
    const family = this.#family;
    const ip = this.#ip;
    const path = ip.transientPath(packet.src, family.source(packet), 0, null);
    if (typeof path === 'number') return false;
    const quotedBytes = family.quotedBytes(packet);
    const bytes = HEADER_BYTES + quotedBytes;
    const at = ip.begin(path, family.protocol, bytes, ERROR_TTL, 0, 0);
    if (at < 0) return false;
    const { view } = this.#context.shared.arena;
    view.setInt32(at, (type << 24) | (code << 16));
    view.setInt32(at + 4, rest);
    this.#context.bulk.copy(at + HEADER_BYTES, packet.headerAt, quotedBytes);
    writeIcmpChecksum(this.#context, path, at, bytes);
    ip.end(0);
    return true;
  }
}
