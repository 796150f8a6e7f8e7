/**
 * Neighbor discovery: solicitations and advertisements on their way out. The neighbor cache (net/neighbor-cache.ts) and
 * address-detection.ts say when.
 *
 * Thread: the one that runs the kernel. Read first: RFC 4861 sections 4.3, 4.4 and 7.2.2 to 7.2.6.
 */

import type { Interface } from '../../net/interface.ts';
import type { Neighbor } from '../../net/neighbor-cache.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { Addresses6 } from './addresses.ts';
import type { LinkOutput6 } from './link-output.ts';
import type { SourceSelector } from './source-selector.ts';

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
    const target = this.#context.shared.interner.words(address);
    const src = this.#sources.select(address, iface);
    if (src === 0) return;
    const bytes = icmpv6.SOLICITATION_BYTES + icmpv6.LINK_ADDRESS_BYTES;
    const { PROTOCOL_ICMPV6 } = icmpv6;
    const { macHi, macLo } = neighbor;
    const at = unicast
      ? this.#output.beginTo(iface, macHi, macLo, src, target, PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT)
      : this.#output.begin(iface, src, ipv6.solicitedNode(target), PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT);
    if (at < 0) return;
    this.#write(at, icmpv6.TYPE_NEIGHBOR_SOLICITATION, 0, target);
    this.#writeLinkOption(at, icmpv6.OPTION_SOURCE_LINK_ADDRESS, iface);
    this.#end(at, this.#solicitations);
  }

  /** RFC 4862 5.4.2: solicit an address that we want to use, from `::`. */
  probe(iface: Interface, address: number): void {
    const target = this.#context.shared.interner.words(address);
    const group = ipv6.solicitedNode(target);
    const bytes = icmpv6.SOLICITATION_BYTES;
    const at = this.#output.begin(iface, IP6_ANY, group, icmpv6.PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT);
    if (at < 0) return;
    this.#write(at, icmpv6.TYPE_NEIGHBOR_SOLICITATION, 0, target);
    this.#end(at, this.#solicitations);
  }

  /**
   * Advertise one of our addresses (RFC 4861 7.2.4 to 7.2.6): to all nodes, or to the neighbor at `toHi`, `toLo` that solicited
   * from the address `to`.
   */
  advertise(iface: Interface, address: number, to: ipv6.Address6 | null, toHi: number, toLo: number): void {
    const target = this.#context.shared.interner.words(address);
    const bytes = icmpv6.ADVERTISEMENT_BYTES + icmpv6.LINK_ADDRESS_BYTES;
    const { PROTOCOL_ICMPV6 } = icmpv6;
    const at =
      to === null
        ? this.#output.begin(iface, address, ipv6.ALL_NODES, PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT)
        : this.#output.beginTo(iface, toHi, toLo, address, to, PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT);
    if (at < 0) return;
    // An anycast address may be advertised by others too (RFC 4861 7.2.4).
    let flags = this.#addresses.find(address)?.anycast === true ? 0 : icmpv6.FLAG_OVERRIDE;
    if (to !== null) flags |= icmpv6.FLAG_SOLICITED;
    if (this.#forwarding()) flags |= icmpv6.FLAG_ROUTER;
    this.#write(at, icmpv6.TYPE_NEIGHBOR_ADVERTISEMENT, flags, target);
    this.#writeLinkOption(at, icmpv6.OPTION_TARGET_LINK_ADDRESS, iface);
    this.#end(at, this.#advertisements);
  }

  /**
   * Advertise the address of another node that is answered for (RFC 4861 7.2.8), as {@link advertise}; `asker`: the number of `to`. The
   * node itself is believed before us: nothing is overridden.
   */
  advertiseFor(
    neighbor: Neighbor,
    iface: Interface,
    to: ipv6.Address6 | null,
    asker: number,
    toHi: number,
    toLo: number,
  ): void {
    const src = to === null ? this.#addresses.linkLocalOf(iface) : this.#sources.select(asker, iface);
    if (src === 0) return;
    const target = this.#context.shared.interner.words(neighbor.address);
    const bytes = icmpv6.ADVERTISEMENT_BYTES + icmpv6.LINK_ADDRESS_BYTES;
    const { PROTOCOL_ICMPV6 } = icmpv6;
    const at =
      to === null
        ? this.#output.begin(iface, src, ipv6.ALL_NODES, PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT)
        : this.#output.beginTo(iface, toHi, toLo, src, to, PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT);
    if (at < 0) return;
    const flags = (to === null ? 0 : icmpv6.FLAG_SOLICITED) | (this.#forwarding() ? icmpv6.FLAG_ROUTER : 0);
    this.#write(at, icmpv6.TYPE_NEIGHBOR_ADVERTISEMENT, flags, target);
    this.#writeLinkOption(at, icmpv6.OPTION_TARGET_LINK_ADDRESS, neighbor);
    this.#end(at, this.#advertisements);
  }

  #write(at: number, type: number, rest: number, target: ipv6.Address6): void {
    const view = this.#view;
    icmpv6.setTypeAndCode(view, at, type, 0);
    icmpv6.setRest(view, at, rest);
    icmpv6.setTarget(view, at, target[0], target[1], target[2], target[3]);
  }

  #writeLinkOption(at: number, type: number, { macHi, macLo }: Interface | Neighbor): void {
    const view = this.#view;
    const optionAt = at + icmpv6.SOLICITATION_BYTES;
    view.setUint16(optionAt, (type << 8) | 1);
    view.setUint16(optionAt + 2, macHi);
    view.setInt32(optionAt + 4, macLo);
  }

  #end(at: number, counter: number): void {
    this.#output.endIcmp(at);
    this.#context.counters.add(counter, 1);
  }
}
