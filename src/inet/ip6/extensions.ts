/**
 * Extension headers of received packets: headers to step over, headers that end the packet, and the errors to its sender.
 *
 * Thread: the one that runs the CPU. The walk itself is wire/ipv6-extensions.ts; options that are not known are treated
 * as the two upper bits of their type ask.
 * Read first: RFC 8200 section 4, RFC 5095 (routing type 0), RFC 7112 (first fragments). Missing: options with a meaning
 * besides padding and the router alert, routing headers with segments left, AH, ESP.
 */

import type { Counters } from '../../mem/counters.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { InetContext } from '../ip/context.ts';
import type { InPacket } from '../ip/transport.ts';
import type { Icmp6 } from './icmp.ts';

const { HEADER_BYTES } = ipv6;
const PAYLOAD_LENGTH_OFFSET = 4;
/** Names of what the walk finds, by its result. */
const REASON_MISPLACED = 4;
const REASON_BAD_OPTION = 5;
const REASON_BAD_FRAGMENT = 6;
const REASON_BAD_ROUTING = 7;

export class Extensions6 {
  readonly walk: ipv6.HeaderWalk = new ipv6.HeaderWalk();
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #icmp: Icmp6;
  readonly #reasons: readonly number[];
  readonly #unknownOption: number;
  readonly #routing: number;

  constructor(context: InetContext, icmp: Icmp6) {
    const { counters } = context;
    this.#view = context.shared.arena.view;
    this.#counters = counters;
    this.#icmp = icmp;
    this.#reasons = ipv6.WALK_REASONS.map((reason) => (reason === '' ? -1 : counters.index(reason)));
    this.#unknownOption = counters.index('ip6-extension-unknown-option');
    this.#routing = counters.index('ip6-extension-routing-refused');
  }

  /**
   * Step along the headers of a packet whose first header is an extension header. True when the payload behind them may be
   * used: `walk` has its protocol and place. `hopByHopOnly`: the packet is to be forwarded, so only hop-by-hop options count.
   */
  process(packet: InPacket, hopByHopOnly: boolean, nowUs: number): boolean {
    const { walk } = this;
    const view = this.#view;
    const start = packet.headerAt + HEADER_BYTES;
    const reason = walk.walk(view, start, packet.at + packet.lengthBytes, packet.protocol);
    if (reason !== 0 && (!hopByHopOnly || walk.hopByHopAt === 0 || walk.problemAt < start + this.#hopByHopBytes())) {
      this.#refuse(packet, reason, nowUs);
      return false;
    }
    if (walk.hopByHopAt !== 0 && !this.#options(packet, walk.hopByHopAt, nowUs)) return false;
    if (hopByHopOnly) return true;
    if (walk.routingAt !== 0 && ipv6.segmentsLeft(view, walk.routingAt) !== 0) {
      this.#counters.add(this.#routing, 1);
      this.#problem(packet, icmpv6.CODE_ERRONEOUS_FIELD, walk.routingAt + 2, nowUs);
      return false;
    }
    // Options behind a fragment header belong to the whole packet; an atomic fragment is whole (RFC 6946).
    const early = walk.fragmentAt === 0 || walk.destinationAt < walk.fragmentAt || this.isAtomic();
    return walk.destinationAt === 0 || !early || this.#options(packet, walk.destinationAt, nowUs);
  }

  /** Whether the fragment header is that of an atomic fragment: the whole datagram. */
  isAtomic(): boolean {
    const { fragmentAt } = this.walk;
    return ipv6.fragmentOffsetBytes(this.#view, fragmentAt) === 0 && !ipv6.moreFragments(this.#view, fragmentAt);
  }

  #hopByHopBytes(): number {
    return this.walk.hopByHopAt === 0 ? 0 : ipv6.extensionBytes(this.#view, this.walk.hopByHopAt);
  }

  #refuse(packet: InPacket, reason: number, nowUs: number): void {
    const { walk } = this;
    this.#counters.add(this.#reasons[reason] as number, 1);
    packet.iface.inDrops++;
    switch (reason) {
      case REASON_MISPLACED:
        this.#problem(packet, icmpv6.CODE_UNKNOWN_NEXT_HEADER, walk.nextHeaderAt, nowUs);
        break;
      case REASON_BAD_OPTION:
      case REASON_BAD_ROUTING:
        this.#problem(packet, icmpv6.CODE_ERRONEOUS_FIELD, walk.problemAt, nowUs);
        break;
      case REASON_BAD_FRAGMENT: {
        // RFC 8200 4.5: about the length that is no multiple of 8, or about the offset that reaches too far.
        const length = walk.problemAt === walk.fragmentAt;
        const at = length ? packet.headerAt + PAYLOAD_LENGTH_OFFSET : walk.problemAt;
        this.#problem(packet, icmpv6.CODE_ERRONEOUS_FIELD, at, nowUs);
      }
    }
  }

  /** RFC 8200 4.2: the action for unknown options. False: the packet is dropped. */
  #options(packet: InPacket, headerAt: number, nowUs: number): boolean {
    const view = this.#view;
    const end = Math.min(headerAt + ipv6.extensionBytes(view, headerAt), packet.at + packet.lengthBytes);
    for (let at = headerAt + 2; at < end; ) {
      const type = view.getUint8(at);
      const known = type === ipv6.OPTION_PAD1 || type === ipv6.OPTION_PADN || type === ipv6.OPTION_ROUTER_ALERT;
      if (!known && (type & ipv6.OPTION_ACTION_MASK) !== ipv6.OPTION_ACTION_SKIP) {
        this.#counters.add(this.#unknownOption, 1);
        packet.iface.inDrops++;
        const action = type & ipv6.OPTION_ACTION_MASK;
        const report =
          action === ipv6.OPTION_ACTION_REPORT || (action === ipv6.OPTION_ACTION_REPORT_UNICAST && !packet.broadcast);
        if (report) this.#problem(packet, icmpv6.CODE_UNKNOWN_OPTION, at, nowUs);
        return false;
      }
      const bytes = ipv6.extensionOptionBytes(view, at, end);
      if (bytes <= 0) return false;
      at += bytes;
    }
    return true;
  }

  #problem(packet: InPacket, code: number, at: number, nowUs: number): void {
    this.#icmp.sendParameterProblem(packet, code, at - packet.headerAt, nowUs);
  }
}
