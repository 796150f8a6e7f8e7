/**
 * ARP: received packets.
 *
 * Thread: the one that runs the CPU. The neighbor cache (net/neighbor-cache.ts) learns from them; those that concern our own
 * addresses go to address-conflict.ts.
 * Read first: RFC 826, RFC 1122 2.3.2. Missing: other hardware types.
 */

import type { Counters } from '../../mem/counters.ts';
import { IFF_NOARP, type Interface } from '../../net/interface.ts';
import type { PacketInput } from '../../net/link-input.ts';
import type { LinkPacket } from '../../net/link-layer.ts';
import type { NeighborCache } from '../../net/neighbor-cache.ts';
import * as arp from '../../wire/arp.ts';
import { GROUP_BIT } from '../../wire/ethernet.ts';
import { isUnicast } from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import { FILTER_DROP, type IngressFilter } from '../ip/ingress-filter.ts';
import type { AddressConflicts } from './address-conflict.ts';
import type { Addresses4 } from './addresses.ts';
import type { ArpOutput } from './arp-output.ts';

export class ArpInput implements PacketInput {
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #addresses: Addresses4;
  readonly #neighbors: NeighborCache;
  readonly #conflicts: AddressConflicts;
  readonly #filter: IngressFilter;
  readonly #output: ArpOutput;
  readonly #reasons: readonly number[];
  readonly #received: number;
  readonly #badSender: number;
  readonly #filtered: number;

  constructor(
    context: InetContext,
    addresses: Addresses4,
    neighbors: NeighborCache,
    conflicts: AddressConflicts,
    filter: IngressFilter,
    output: ArpOutput,
  ) {
    this.#view = context.shared.arena.view;
    this.#counters = context.counters;
    this.#addresses = addresses;
    this.#neighbors = neighbors;
    this.#conflicts = conflicts;
    this.#filter = filter;
    this.#output = output;
    const { counters } = context;
    this.#reasons = arp.CHECK_REASONS.map((reason) => (reason === '' ? -1 : counters.index(reason)));
    this.#received = counters.index('arp-in');
    this.#badSender = counters.index('arp-in-bad-sender');
    this.#filtered = counters.index('arp-in-filtered');
  }

  /** Process the ARP packet in a received frame; every field is read once. */
  input(received: LinkPacket, nowUs: number): void {
    const { iface, at, lengthBytes } = received;
    const view = this.#view;
    const reason = arp.check(view, at, lengthBytes);
    if (reason !== 0) {
      this.#drop(iface, this.#reasons[reason] as number);
      return;
    }
    if (iface.loopback || (iface.flags & IFF_NOARP) !== 0) return;
    this.#counters.add(this.#received, 1);
    const operation = arp.operation(view, at);
    const hi = arp.senderHi(view, at);
    const lo = arp.senderLo(view, at);
    const sender = arp.senderAddress(view, at);
    const target = arp.targetAddress(view, at);
    if ((hi & GROUP_BIT) !== 0 || (hi === 0 && lo === 0) || (sender !== 0 && !isUnicast(sender))) {
      this.#drop(iface, this.#badSender);
      return;
    }
    // Our own frame, come back from a bridge or a broadcast medium.
    if (hi === iface.macHi && lo === iface.macLo) return;
    if (this.#filter.active && this.#filter.frameVerdict(sender, hi, lo, true) === FILTER_DROP) {
      this.#drop(iface, this.#filtered);
      return;
    }
    if (this.#conflicts.received(iface, sender, target, operation === arp.OPERATION_REQUEST, nowUs)) return;
    const forUs = this.#addresses.owner(target) === iface;
    if (sender !== 0) this.#merge(iface, sender, hi, lo, forUs, operation === arp.OPERATION_REPLY, nowUs);
    if (operation === arp.OPERATION_REQUEST && sender !== target) {
      this.#answer(iface, hi, lo, sender, target, forUs, nowUs);
    }
  }

  /** RFC 826: a known neighbor is renewed; an unknown one is entered only when the packet is for us. */
  #merge(
    iface: Interface,
    sender: number,
    hi: number,
    lo: number,
    forUs: boolean,
    reply: boolean,
    nowUs: number,
  ): void {
    let neighbor = this.#neighbors.find(iface, sender);
    if (neighbor === null) {
      if (!forUs || reply || iface.addressFor(sender) === null) return;
      neighbor = this.#neighbors.findOrCreate(iface, sender);
      if (neighbor === null) return;
    }
    this.#neighbors.learn(neighbor, hi, lo, reply && forUs, nowUs);
  }

  #answer(
    iface: Interface,
    hi: number,
    lo: number,
    sender: number,
    target: number,
    forUs: boolean,
    nowUs: number,
  ): void {
    if (forUs) {
      if (this.#output.mayReply(nowUs)) this.#output.reply(iface, hi, lo, sender, iface.macHi, iface.macLo, target);
      return;
    }
    const published = this.#neighbors.published(iface, target);
    if (published !== null && this.#output.mayReply(nowUs)) {
      this.#output.reply(iface, hi, lo, sender, published.macHi, published.macLo, target);
    }
  }

  #drop(iface: Interface, counter: number): void {
    this.#counters.add(counter, 1);
    iface.inDrops++;
  }
}
