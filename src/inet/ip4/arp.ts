/**
 * ARP: frames in and out.
 *
 * Thread: the one that runs the kernel. What the frames mean for the neighbor cache is in net/neighbor-cache.ts, what they
 * mean for our own addresses in inet/ip4/address-conflict.ts.
 * Read first: RFC 826, RFC 1122 2.3.2, RFC 5227 1.2 (kinds of ARP packets). Missing: other hardware types.
 */

import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import { IFF_NOARP, type Interface } from '../../net/interface.ts';
import type { PacketInput } from '../../net/link-input.ts';
import type { LinkPacket } from '../../net/link-layer.ts';
import type { Neighbor, NeighborCache } from '../../net/neighbor-cache.ts';
import * as arp from '../../wire/arp.ts';
import * as ethernet from '../../wire/ethernet.ts';
import { isUnicast } from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import { FILTER_DROP, type IngressFilter } from '../ip/ingress-filter.ts';
import type { AddressConflicts } from './address-conflict.ts';
import type { Addresses4 } from './addresses.ts';

const BROADCAST_HI = 0xffff;
const BROADCAST_LO = -1;
const GROUP_BIT = 0x0100;
/** Hardware type and protocol type; address lengths. */
const FIRST_WORD: number = (arp.HARDWARE_ETHERNET << 16) | ethernet.ETHERTYPE_IPV4;
const LENGTHS = 0x0604;

export class ArpOutput {
  readonly #view: DataView;
  readonly #addresses: Addresses4;
  readonly #counters: Counters;
  readonly #requests: number;
  readonly #replies: number;
  readonly #noRoom: number;
  readonly #replyLimit: RateLimit = new RateLimit();
  readonly #repliesPerSecond: SysctlVariable;
  readonly #repliesLimited: number;

  constructor(context: InetContext, addresses: Addresses4) {
    const { sysctl } = context.shared;
    this.#repliesPerSecond = sysctl.integer(
      'net.inet.arp.replyppslimit',
      10_000,
      -1,
      1 << 20,
      'ARP replies a second; -1: any',
    );
    this.#repliesLimited = context.counters.index('arp-out-replies-limited');
    sysctl.limits.addRate({
      what: 'ARP replies',
      variable: this.#repliesPerSecond,
      counter: 'arp-out-replies-limited',
    });
    this.#view = context.shared.arena.view;
    this.#addresses = addresses;
    this.#counters = context.counters;
    this.#requests = context.counters.index('arp-out-requests');
    this.#replies = context.counters.index('arp-out-replies');
    this.#noRoom = context.counters.index('arp-out-no-room');
  }

  /** Ask for a neighbor: everybody, or the address that is known. */
  request(neighbor: Neighbor, unicast: boolean): void {
    const { iface, address } = neighbor;
    if ((iface.flags & IFF_NOARP) !== 0) return;
    const src = this.#addresses.sourceFor(iface, address);
    const hi = unicast ? neighbor.macHi : BROADCAST_HI;
    const lo = unicast ? neighbor.macLo : BROADCAST_LO;
    this.#send(iface, hi, lo, arp.OPERATION_REQUEST, iface.macHi, iface.macLo, src, 0, 0, address);
  }

  /** RFC 5227 1.1: an ARP probe asks for an address without claiming it. */
  probe(iface: Interface, address: number): void {
    const { macHi, macLo } = iface;
    this.#send(iface, BROADCAST_HI, BROADCAST_LO, arp.OPERATION_REQUEST, macHi, macLo, 0, 0, 0, address);
  }

  /** RFC 5227 1.1: an announcement (gratuitous ARP) claims an address, and refreshes what others know. */
  announce(iface: Interface, address: number): void {
    const { macHi, macLo } = iface;
    this.#send(iface, BROADCAST_HI, BROADCAST_LO, arp.OPERATION_REQUEST, macHi, macLo, address, 0, 0, address);
  }

  /** Whether one more request may be answered this second. */
  mayReply(nowUs: number): boolean {
    if (this.#replyLimit.allow(this.#repliesPerSecond.value, nowUs)) return true;
    this.#counters.add(this.#repliesLimited, 1);
    return false;
  }

  /** Answer the sender of a request: `address` is at the given link-layer address. */
  reply(iface: Interface, toHi: number, toLo: number, to: number, hi: number, lo: number, address: number): void {
    this.#send(iface, toHi, toLo, arp.OPERATION_REPLY, hi, lo, address, toHi, toLo, to);
  }

  #send(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    operation: number,
    senderHi: number,
    senderLo: number,
    sender: number,
    targetHi: number,
    targetLo: number,
    target: number,
  ): void {
    const { link } = iface;
    const packet = iface.up ? link.reserveTo(dstHi, dstLo, ethernet.ETHERTYPE_ARP, arp.PACKET_BYTES) : -1;
    if (packet < 0) {
      this.#counters.add(this.#noRoom, 1);
      return;
    }
    const view = this.#view;
    view.setInt32(packet, FIRST_WORD);
    view.setUint16(packet + 4, LENGTHS);
    view.setUint16(packet + 6, operation);
    view.setUint16(packet + 8, senderHi);
    view.setInt32(packet + 10, senderLo);
    view.setInt32(packet + 14, sender);
    view.setUint16(packet + 18, targetHi);
    view.setInt32(packet + 20, targetLo);
    view.setInt32(packet + 24, target);
    link.commit(arp.PACKET_BYTES, 0);
    this.#counters.add(operation === arp.OPERATION_REPLY ? this.#replies : this.#requests, 1);
  }
}

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
    if (this.#conflicts.heard(iface, sender, target, operation === arp.OPERATION_REQUEST, nowUs)) return;
    const forUs = this.#addresses.owner(target) === iface;
    if (sender !== 0) this.#merge(iface, sender, hi, lo, forUs, operation === arp.OPERATION_REPLY, nowUs);
    if (operation === arp.OPERATION_REQUEST && sender !== target) {
      this.#answer(iface, hi, lo, sender, target, forUs, nowUs);
    }
  }

  /** RFC 826: what is known is renewed; what is not known is entered only when the packet is for us. */
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
    const published = this.#neighbors.find(iface, target);
    if (published?.published && published.state !== 'incomplete' && this.#output.mayReply(nowUs)) {
      this.#output.reply(iface, hi, lo, sender, published.macHi, published.macLo, target);
    }
  }

  #drop(iface: Interface, counter: number): void {
    this.#counters.add(counter, 1);
    iface.inDrops++;
  }
}
