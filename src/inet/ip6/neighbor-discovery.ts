/**
 * Neighbor discovery: received solicitations and advertisements.
 *
 * Thread: the one that runs the kernel. The neighbor cache (net/neighbor-cache.ts) learns from them; those about addresses that
 * are being probed go to address-detection.ts. Messages come from icmp.ts, checksum verified, hop limit 255 and format checked.
 * Read first: RFC 4861 sections 4.3, 4.4 and 7.2. Missing: the random delay of advertisements of anycast addresses (7.2.7) and of
 * those for other nodes (7.2.8).
 */

import { RateLimit } from '../../kern/rate-limit.ts';
import type { Interface } from '../../net/interface.ts';
import type { Neighbor, NeighborCache } from '../../net/neighbor-cache.ts';
import { GROUP_BIT } from '../../wire/ethernet.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { InPacket } from '../ip/transport.ts';
import type { AddressDetection } from './address-detection.ts';
import { type Addresses6, isUsable } from './addresses.ts';
import type { NeighborOutput6 } from './neighbor-output.ts';

export interface NeighborInputParts6 {
  readonly addresses: Addresses6;
  readonly neighbors: NeighborCache;
  readonly output: NeighborOutput6;
  readonly detection: AddressDetection;
  /** A neighbor advertised that it is no router any more (RFC 4861 7.2.5). */
  routerGone(neighbor: Neighbor): void;
}

export class NeighborInput6 {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #addresses: Addresses6;
  readonly #neighbors: NeighborCache;
  readonly #output: NeighborOutput6;
  readonly #detection: AddressDetection;
  readonly #replyLimit: RateLimit;
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
    this.#replyLimit = new RateLimit(sysctl, context.counters, {
      name: 'net.inet6.icmp6.nd6_replyppslimit',
      perSecond: 10_000,
      description: 'neighbor solicitations answered a second; -1: any',
      what: 'answers to neighbor solicitations',
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
    const proxied = entry === null && target !== 0 ? this.#neighbors.published(iface, target) : null;
    if (proxied === null && (entry === null || entry.iface !== iface)) return;
    if (entry !== null && !isUsable(entry)) {
      this.#detection.solicited(entry, src === IP6_ANY);
      return;
    }
    if (!this.#replyLimit.allow(nowUs)) return;
    if (src === IP6_ANY) {
      if (proxied !== null) this.#output.advertiseFor(proxied, iface, null, 0, 0, 0);
      else this.#output.advertise(iface, target, null, 0, 0);
      return;
    }
    if (optionAt >= 0) this.#learn(iface, src, optionAt, nowUs);
    const asker = this.#neighbors.findOrCreate(iface, src);
    if (asker === null) return;
    // Without the option: it asked us by our address, so it is known here or can be asked for.
    if (asker.state === 'incomplete') this.#output.solicit(asker, false);
    else if (proxied !== null)
      this.#output.advertiseFor(proxied, iface, ipv6.src(view, headerAt), src, asker.macHi, asker.macLo);
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
      if (own.iface === iface) this.#detection.advertised(own);
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
   * Enter or renew a neighbor whose link-layer address came with a message of discovery (solicitation, router advertisement,
   * redirect). Returns it, null when the cache is full.
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

  /** The handle of the target; 0 when the interner has none: then it is neither ours nor a neighbor. */
  #target(at: number, iface: Interface): number {
    const view = this.#view;
    const w0 = icmpv6.targetWord(view, at, 0);
    return this.#context.shared.interner.find(
      w0,
      icmpv6.targetWord(view, at, 1),
      icmpv6.targetWord(view, at, 2),
      icmpv6.targetWord(view, at, 3),
      ipv6.isLinkLocal(w0) ? iface.index : 0,
    );
  }

  /** Place of a usable link-layer address option, -1 when there is none. */
  #linkOption(at: number, lengthBytes: number, type: number): number {
    const view = this.#view;
    const found = icmpv6.findNeighborOption(view, at + icmpv6.SOLICITATION_BYTES, at + lengthBytes, type);
    if (found < 0 || icmpv6.neighborOptionBytes(view, found, at + lengthBytes) !== icmpv6.LINK_ADDRESS_BYTES) return -1;
    return (icmpv6.linkAddressHi(view, found) & GROUP_BIT) !== 0 ? -1 : found;
  }

  #toSolicitedNode(packet: InPacket): boolean {
    const view = this.#view;
    const { headerAt } = packet;
    const prefix = ipv6.dstWord(view, headerAt, 0) === ipv6.ALL_NODES[0] && ipv6.dstWord(view, headerAt, 1) === 0;
    return prefix && ipv6.dstWord(view, headerAt, 2) === 1 && ipv6.dstWord(view, headerAt, 3) >>> 24 === 0xff;
  }
}
