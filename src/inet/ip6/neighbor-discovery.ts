/**
 * Neighbor discovery: solicitations and advertisements in and out.
 *
 * Thread: the one that runs the kernel. What the messages mean for the neighbor cache is here, when they are sent is the
 * cache's (net/neighbor-cache.ts), what they mean for addresses that are being probed is in address-detection.ts. Messages
 * come from icmp.ts, checksum verified, hop limit 255 and format checked.
 * Read first: RFC 4861 sections 4.3, 4.4 and 7.2. Missing: proxy advertisements, the
 * random delay of advertisements of anycast addresses (7.2.7).
 */

import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import type { Neighbor, NeighborCache } from '../../net/neighbor-cache.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { InPacket } from '../ip/transport.ts';
import type { AddressDetection } from './address-detection.ts';
import { type Addresses6, isUsable } from './addresses.ts';
import type { LinkOutput6 } from './link-output.ts';
import type { SourceSelector } from './source-selector.ts';

const HOP_LIMIT = 255;
const LINK_OPTION_BYTES = 8;
const GROUP_BIT = 0x0100;

export interface NeighborOutputParts6 {
  readonly addresses: Addresses6;
  readonly sources: SourceSelector;
  readonly output: LinkOutput6;
  /** Whether this kernel is a router. */
  forwarding(): boolean;
}

/** Writes solicitations and advertisements. */
export class NeighborOutput6 {
  readonly #view: DataView;
  readonly #context: InetContext;
  readonly #addresses: Addresses6;
  readonly #sources: SourceSelector;
  readonly #output: LinkOutput6;
  readonly #forwarding: () => boolean;
  readonly #solicitations: number;
  readonly #advertisements: number;

  constructor(context: InetContext, parts: NeighborOutputParts6) {
    const { addresses, sources, output, forwarding } = parts;
    this.#view = context.shared.arena.view;
    this.#context = context;
    this.#addresses = addresses;
    this.#sources = sources;
    this.#output = output;
    this.#forwarding = forwarding;
    this.#solicitations = context.counters.index('nd6-out-solicitations');
    this.#advertisements = context.counters.index('nd6-out-advertisements');
  }

  /** Ask for a neighbor: its solicited-node group, or the address that is known (RFC 4861 7.2.2). */
  solicit(neighbor: Neighbor, unicast: boolean): void {
    const { iface, address } = neighbor;
    const target = this.#context.interner.words(address);
    const src = this.#sources.select(address, iface);
    if (src === 0) return;
    const bytes = icmpv6.SOLICITATION_BYTES + LINK_OPTION_BYTES;
    const { PROTOCOL_ICMPV6 } = icmpv6;
    const { macHi, macLo } = neighbor;
    const at = unicast
      ? this.#output.beginTo(iface, macHi, macLo, src, target, PROTOCOL_ICMPV6, bytes, HOP_LIMIT)
      : this.#output.begin(iface, src, ipv6.solicitedNode(target), PROTOCOL_ICMPV6, bytes, HOP_LIMIT);
    if (at < 0) return;
    this.#write(at, icmpv6.TYPE_NEIGHBOR_SOLICITATION, 0, target);
    this.#writeLinkOption(at, icmpv6.OPTION_SOURCE_LINK_ADDRESS, iface);
    this.#end(at, this.#solicitations);
  }

  /** RFC 4862 5.4.2: ask for an address that we would like to have, as nobody. */
  probe(iface: Interface, address: number): void {
    const target = this.#context.interner.words(address);
    const group = ipv6.solicitedNode(target);
    const bytes = icmpv6.SOLICITATION_BYTES;
    const at = this.#output.begin(iface, IP6_ANY, group, icmpv6.PROTOCOL_ICMPV6, bytes, HOP_LIMIT);
    if (at < 0) return;
    this.#write(at, icmpv6.TYPE_NEIGHBOR_SOLICITATION, 0, target);
    this.#end(at, this.#solicitations);
  }

  /**
   * Say where one of our addresses is (RFC 4861 7.2.4 to 7.2.6): to everybody, or to the one at `toHi`, `toLo` who asked
   * from the address `to`.
   */
  advertise(iface: Interface, address: number, to: ipv6.Address6 | null, toHi: number, toLo: number): void {
    const target = this.#context.interner.words(address);
    const bytes = icmpv6.ADVERTISEMENT_BYTES + LINK_OPTION_BYTES;
    const { PROTOCOL_ICMPV6 } = icmpv6;
    const at =
      to === null
        ? this.#output.begin(iface, address, ipv6.ALL_NODES, PROTOCOL_ICMPV6, bytes, HOP_LIMIT)
        : this.#output.beginTo(iface, toHi, toLo, address, to, PROTOCOL_ICMPV6, bytes, HOP_LIMIT);
    if (at < 0) return;
    // Of an anycast address another may say the same (RFC 4861 7.2.4).
    let flags = this.#addresses.find(address)?.anycast === true ? 0 : icmpv6.FLAG_OVERRIDE;
    if (to !== null) flags |= icmpv6.FLAG_SOLICITED;
    if (this.#forwarding()) flags |= icmpv6.FLAG_ROUTER;
    this.#write(at, icmpv6.TYPE_NEIGHBOR_ADVERTISEMENT, flags, target);
    this.#writeLinkOption(at, icmpv6.OPTION_TARGET_LINK_ADDRESS, iface);
    this.#end(at, this.#advertisements);
  }

  #write(at: number, type: number, rest: number, target: ipv6.Address6): void {
    const view = this.#view;
    icmpv6.setTypeAndCode(view, at, type, 0);
    icmpv6.setRest(view, at, rest);
    icmpv6.setTarget(view, at, target[0], target[1], target[2], target[3]);
  }

  #writeLinkOption(at: number, type: number, iface: Interface): void {
    const view = this.#view;
    const optionAt = at + icmpv6.SOLICITATION_BYTES;
    view.setUint16(optionAt, (type << 8) | 1);
    view.setUint16(optionAt + 2, iface.macHi);
    view.setInt32(optionAt + 4, iface.macLo);
  }

  #end(at: number, counter: number): void {
    this.#output.endIcmp(at);
    this.#context.counters.add(counter, 1);
  }
}

export interface NeighborInputParts6 {
  readonly addresses: Addresses6;
  readonly neighbors: NeighborCache;
  readonly output: NeighborOutput6;
  readonly detection: AddressDetection;
  /** A neighbor that was a router says that it is none (RFC 4861 7.2.5). */
  routerGone(neighbor: Neighbor): void;
}

export class NeighborInput6 {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #addresses: Addresses6;
  readonly #neighbors: NeighborCache;
  readonly #output: NeighborOutput6;
  readonly #detection: AddressDetection;
  readonly #replyLimit: RateLimit = new RateLimit();
  readonly #repliesPerSecond: SysctlVariable;
  readonly #repliesLimited: number;
  readonly #solicitations: number;
  readonly #advertisements: number;
  readonly #bad: number;
  readonly #routerGone: (neighbor: Neighbor) => void;

  constructor(context: InetContext, parts: NeighborInputParts6) {
    const { addresses, neighbors, output, detection } = parts;
    this.#routerGone = (neighbor) => parts.routerGone(neighbor);
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#addresses = addresses;
    this.#neighbors = neighbors;
    this.#output = output;
    this.#detection = detection;
    const { sysctl } = context.shared;
    this.#repliesPerSecond = sysctl.integer(
      'net.inet6.icmp6.nd6_replyppslimit',
      10_000,
      -1,
      1 << 20,
      'neighbor solicitations answered a second; -1: any',
    );
    this.#repliesLimited = context.counters.index('nd6-out-replies-limited');
    sysctl.limits.addRate({
      what: 'answers to neighbor solicitations',
      variable: this.#repliesPerSecond,
      counter: 'nd6-out-replies-limited',
    });
    this.#solicitations = context.counters.index('nd6-in-solicitations');
    this.#advertisements = context.counters.index('nd6-in-advertisements');
    this.#bad = context.counters.index('nd6-in-bad');
  }

  /** RFC 4861 7.1.1 and 7.2.3. */
  solicitation(packet: InPacket, nowUs: number): void {
    const view = this.#view;
    const { at, lengthBytes, iface, src, headerAt } = packet;
    this.#context.counters.add(this.#solicitations, 1);
    const target = this.#target(at, iface);
    const optionAt = this.#linkOption(at, lengthBytes, icmpv6.OPTION_SOURCE_LINK_ADDRESS);
    if (src === IP6_ANY && (optionAt >= 0 || !this.#toSolicitedNode(packet))) {
      this.#context.counters.add(this.#bad, 1);
      return;
    }
    const entry = target === 0 ? null : this.#addresses.find(target);
    if (entry === null || entry.iface !== iface) return;
    if (!isUsable(entry)) {
      this.#detection.heardSolicitation(entry, src === IP6_ANY, nowUs);
      return;
    }
    if (!this.#replyLimit.allow(this.#repliesPerSecond.value, nowUs)) {
      this.#context.counters.add(this.#repliesLimited, 1);
      return;
    }
    if (src === IP6_ANY) {
      this.#output.advertise(iface, target, null, 0, 0);
      return;
    }
    if (optionAt >= 0) this.#learn(iface, src, optionAt, nowUs);
    const asker = this.#neighbors.findOrCreate(iface, src);
    if (asker === null) return;
    // Without the option: it asked us by our address, so it is known here or can be asked for.
    if (asker.state === 'incomplete') this.#output.solicit(asker, false);
    else this.#output.advertise(iface, target, ipv6.src(view, headerAt), asker.macHi, asker.macLo);
  }

  /** RFC 4861 7.1.2 and 7.2.5. */
  advertisement(packet: InPacket, nowUs: number): void {
    const view = this.#view;
    const { at, lengthBytes, iface, broadcast } = packet;
    this.#context.counters.add(this.#advertisements, 1);
    const flags = icmpv6.neighborFlags(view, at);
    const solicited = (flags & icmpv6.FLAG_SOLICITED) !== 0;
    if (broadcast && solicited) {
      this.#context.counters.add(this.#bad, 1);
      return;
    }
    const target = this.#target(at, iface);
    if (target === 0) return;
    const own = this.#addresses.find(target);
    if (own !== null) {
      if (own.iface === iface) this.#detection.heardAdvertisement(own, nowUs);
      return;
    }
    const neighbor = this.#neighbors.find(iface, target);
    if (neighbor !== null) this.#update(neighbor, at, lengthBytes, flags, solicited, nowUs);
  }

  #update(neighbor: Neighbor, at: number, lengthBytes: number, flags: number, solicited: boolean, nowUs: number): void {
    const view = this.#view;
    const optionAt = this.#linkOption(at, lengthBytes, icmpv6.OPTION_TARGET_LINK_ADDRESS);
    const known = neighbor.state !== 'incomplete';
    if (optionAt < 0 && !known) return;
    const hi = optionAt < 0 ? neighbor.macHi : icmpv6.linkAddressHi(view, optionAt);
    const lo = optionAt < 0 ? neighbor.macLo : icmpv6.linkAddressLo(view, optionAt);
    const differs = hi !== neighbor.macHi || lo !== neighbor.macLo;
    if (known && differs && (flags & icmpv6.FLAG_OVERRIDE) === 0) {
      this.#neighbors.doubt(neighbor, nowUs);
      return;
    }
    this.#neighbors.learn(neighbor, hi, lo, solicited, nowUs);
    const router = (flags & icmpv6.FLAG_ROUTER) !== 0;
    if (neighbor.router && !router) this.#routerGone(neighbor);
    neighbor.router = router;
  }

  /**
   * A message of discovery told its sender's link-layer address (solicitations, advertisements of routers, redirects):
   * the entry is made, or renewed. Returns it, null when the cache is full.
   */
  learn(iface: Interface, address: number, hi: number, lo: number, nowUs: number): Neighbor | null {
    const neighbor = this.#neighbors.findOrCreate(iface, address);
    if (neighbor !== null) this.#neighbors.learn(neighbor, hi, lo, false, nowUs);
    return neighbor;
  }

  #learn(iface: Interface, src: number, optionAt: number, nowUs: number): void {
    const view = this.#view;
    this.learn(iface, src, icmpv6.linkAddressHi(view, optionAt), icmpv6.linkAddressLo(view, optionAt), nowUs);
  }

  /** The target as a number, 0 when nobody here knows it (then it is neither ours nor a neighbor). */
  #target(at: number, iface: Interface): number {
    const view = this.#view;
    const w0 = icmpv6.targetWord(view, at, 0);
    return this.#context.interner.find(
      w0,
      icmpv6.targetWord(view, at, 1),
      icmpv6.targetWord(view, at, 2),
      icmpv6.targetWord(view, at, 3),
      ipv6.isLinkLocal(w0) ? iface.index : 0,
    );
  }

  /** Where a usable link-layer address option is, -1 when there is none. */
  #linkOption(at: number, lengthBytes: number, type: number): number {
    const view = this.#view;
    const found = icmpv6.findNeighborOption(view, at + icmpv6.SOLICITATION_BYTES, at + lengthBytes, type);
    if (found < 0 || icmpv6.neighborOptionBytes(view, found, at + lengthBytes) !== LINK_OPTION_BYTES) return -1;
    return (icmpv6.linkAddressHi(view, found) & GROUP_BIT) !== 0 ? -1 : found;
  }

  #toSolicitedNode(packet: InPacket): boolean {
    const view = this.#view;
    const { headerAt } = packet;
    const prefix = ipv6.dstWord(view, headerAt, 0) === ipv6.ALL_NODES[0] && ipv6.dstWord(view, headerAt, 1) === 0;
    return prefix && ipv6.dstWord(view, headerAt, 2) === 1 && ipv6.dstWord(view, headerAt, 3) >>> 24 === 0xff;
  }
}
