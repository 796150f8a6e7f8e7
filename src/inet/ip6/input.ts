/**
 * IPv6 input: check a received packet, then deliver it here, forward it, or drop it under a counter.
 *
 * Thread: the one that runs the CPU; called for each packet of a batch (net/link-input.ts). The words of the header are
 * read once each into locals, because the sender could still write to the slot, and only the locals are believed. Addresses
 * become handles here (address-interner.ts); a packet that is dropped leaves none behind for its source.
 * Read first: RFC 8200, RFC 4291 2.5 and 2.7 (addresses that no packet has), RFC 4007 (zones). Missing: multicast routing,
 * jumbograms.
 */

import type { Counters } from '../../mem/counters.ts';
import type { Interface } from '../../net/interface.ts';
import type { PacketInput, RunInput } from '../../net/link-input.ts';
import type { LinkPacket } from '../../net/link-layer.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { type AddressInterner, IP6_ANY, IP6_LOOPBACK, isZoned } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import { FILTER_DROP, FILTER_PASS, type IngressFilter } from '../ip/ingress-filter.ts';
import { IpPacket } from '../ip/packet.ts';
import type { Protocols } from '../ip/protocols.ts';
import type { RawSockets } from '../ip/raw-sockets.ts';
import { Reassembly } from '../ip/reassembly.ts';
import type { RejectPolicy } from '../ip/reject.ts';
import type { Transport } from '../ip/transport.ts';
import type { Addresses6 } from './addresses.ts';
import { Extensions6 } from './extensions.ts';
import type { Forwarder6 } from './forward.ts';
import type { Icmp6 } from './icmp.ts';
import type { Links6 } from './link.ts';
import { reassemblyFamily6, reassemblyNote } from './reassembly.ts';

const { HEADER_BYTES } = ipv6;

/** The parts of IPv6 that a received packet may go to. */
export interface Ip6InputParts {
  readonly addresses: Addresses6;
  readonly links: Links6;
  readonly filter: IngressFilter;
  readonly forwarder: Forwarder6;
  readonly icmp: Icmp6;
  readonly raw: RawSockets;
  readonly reject: RejectPolicy;
  readonly protocols: Protocols;
  /** Stands for the interface of packets that came by none. */
  readonly noInterface: Interface;
}

/** The words of an address, read once from the header. */
class Words6 {
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
}

export class Ip6Input implements PacketInput {
  readonly reassembly: Reassembly;
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #parts: Ip6InputParts;
  readonly #interner: AddressInterner;
  readonly #filter: IngressFilter;
  readonly #raw: RawSockets;
  readonly #extensions: Extensions6;
  readonly #packet: IpPacket;
  /** The frame of that packet, as the link read it. */
  #received: LinkPacket | null = null;
  /** Destination of the packet being looked at. */
  readonly #destination: Words6 = new Words6();
  readonly #transports: readonly (Transport | undefined)[];
  readonly #disabled: number;
  readonly #short: number;
  readonly #badVersion: number;
  readonly #badLength: number;
  readonly #badSource: number;
  readonly #badDestination: number;
  readonly #linkGroup: number;
  readonly #notOurs: number;
  readonly #notMember: number;
  readonly #noProtocol: number;
  readonly #noAddress: number;
  readonly #filtered: number;
  readonly #fragments: number;

  constructor(context: InetContext, parts: Ip6InputParts) {
    const { noInterface } = parts;
    const { counters } = context;
    this.#view = context.shared.arena.view;
    this.#counters = counters;
    this.#parts = parts;
    this.#interner = context.shared.interner;
    this.#filter = parts.filter;
    this.#raw = parts.raw;
    this.#extensions = new Extensions6(context, parts.icmp);
    this.#transports = parts.protocols.table;
    this.#packet = new IpPacket(noInterface);
    this.reassembly = new Reassembly(
      context,
      reassemblyFamily6(context.shared),
      (headerAt, quotedBytes, src, dst, nowUs) => {
        const zone = this.#interner.zone(src) | this.#interner.zone(dst);
        const iface = parts.links.interfaceOf(zone) ?? parts.addresses.owner(dst) ?? noInterface;
        const packet = this.#describe(headerAt, iface, src, dst);
        packet.lengthBytes = quotedBytes - HEADER_BYTES;
        parts.icmp.sendTimeExceeded(packet, icmpv6.CODE_REASSEMBLY_TIMEOUT, nowUs);
      },
    );
    this.#disabled = counters.index('ip6-in-disabled');
    this.#short = counters.index('ip6-in-short');
    this.#badVersion = counters.index('ip6-in-bad-version');
    this.#badLength = counters.index('ip6-in-bad-length');
    this.#badSource = counters.index('ip6-in-bad-source');
    this.#badDestination = counters.index('ip6-in-bad-destination');
    this.#linkGroup = counters.index('ip6-in-link-group');
    this.#notOurs = counters.index('ip6-in-not-ours');
    this.#notMember = counters.index('ip6-in-not-member');
    this.#noProtocol = counters.index('ip6-in-no-protocol');
    this.#noAddress = counters.index('ip6-in-no-address-room');
    this.#filtered = counters.index('ip6-in-filtered');
    this.#fragments = counters.index('ip6-in-fragments');
  }

  /** The transport that takes segments by the run, for the layer below. */
  get runs(): RunInput | null {
    return this.#parts.protocols.runs;
  }

  /** As `IpInput.input`. */
  input(received: LinkPacket, nowUs: number): void {
    const { iface, arrival, at, lengthBytes, group } = received;
    if (lengthBytes < HEADER_BYTES) {
      this.#drop(this.#short, iface);
      return;
    }
    const view = this.#view;
    const first = view.getInt32(at);
    const second = view.getInt32(at + 4);
    const payloadBytes = second >>> 16;
    if (first >>> 28 !== 6) {
      this.#drop(this.#badVersion, iface);
      return;
    }
    if (payloadBytes + HEADER_BYTES > lengthBytes) {
      this.#drop(this.#badLength, iface);
      return;
    }
    const on = arrival ?? iface;
    const zone = arrival === null ? 0 : arrival.index;
    if (!this.#parts.links.isActive(on)) {
      this.#drop(this.#disabled, iface);
      return;
    }
    const packet = this.#packet;
    if (this.#received !== received) this.#received = received;
    if (packet.iface !== on) packet.iface = on;
    packet.headerAt = at;
    packet.at = at + HEADER_BYTES;
    packet.lengthBytes = payloadBytes;
    packet.protocol = (second >>> 8) & 0xff;
    packet.ttl = second & 0xff;
    packet.tos = (first >>> 20) & 0xff;
    packet.meta = received.meta;
    packet.broadcast = group;
    packet.plain = !this.#filter.active && !this.#raw.active;
    if (!this.#readAddresses(packet, at, zone, iface.loopback, group, nowUs)) return;
    const { protocol } = packet;
    if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) this.#deliver(packet, at + 6, nowUs);
    else this.#walk(packet, false, nowUs);
  }

  /**
   * Check the addresses and intern them. True when the packet is for us; `packet.src`, `dst` and their sum are
   * filled in then. A packet for another host is forwarded here.
   */
  #readAddresses(
    packet: IpPacket,
    at: number,
    zone: number,
    loopback: boolean,
    linkGroup: boolean,
    nowUs: number,
  ): boolean {
    const view = this.#view;
    const interner = this.#interner;
    const { iface } = packet;
    const d0 = view.getInt32(at + 24);
    const d1 = view.getInt32(at + 28);
    const d2 = view.getInt32(at + 32);
    const d3 = view.getInt32(at + 36);
    const destination = this.#destination;
    destination.w0 = d0;
    destination.w1 = d1;
    destination.w2 = d2;
    destination.w3 = d3;
    const dst = interner.find(d0, d1, d2, d3, isZoned(d0) ? zone : 0);
    const group = d0 >>> 24 === 0xff;
    if (group) {
      if (!this.#groupPlausible(d0, loopback)) {
        this.#drop(this.#badDestination, iface);
        return false;
      }
      // The all-nodes group of the link needs no membership.
      const allNodes = d3 === 1 && d2 === 0 && d1 === 0 && d0 === ipv6.ALL_NODES[0];
      if (!allNodes && (dst === 0 || !iface.groups.has(dst))) {
        this.#drop(this.#notMember, iface);
        return false;
      }
      packet.broadcast = true;
    } else if (dst === 0 || !interner.isLocal(dst)) {
      this.#notForUs(packet, zone, loopback, linkGroup, nowUs);
      return false;
    } else if (linkGroup && !loopback) {
      // RFC 1122 3.3.6, applied to IPv6: a unicast packet in a link-layer multicast frame is dropped.
      this.#drop(this.#linkGroup, iface);
      return false;
    } else if (dst === IP6_LOOPBACK && !loopback) {
      this.#drop(this.#badDestination, iface);
      return false;
    } else {
      packet.broadcast = false;
    }
    packet.dst = dst !== 0 ? dst : interner.intern(d0, d1, d2, d3, zone);
    if (!this.#readSource(packet, at, zone, loopback)) return false;
    if (packet.dst === 0 || packet.src === 0) {
      this.#drop(this.#noAddress, iface);
      return false;
    }
    packet.addressSum = interner.sum(packet.src) + interner.sum(packet.dst);
    return !this.#filter.active || this.#filterPasses(packet, nowUs);
  }

  #readSource(packet: IpPacket, at: number, zone: number, loopback: boolean): boolean {
    const view = this.#view;
    const s0 = view.getInt32(at + 8);
    const s1 = view.getInt32(at + 12);
    const s2 = view.getInt32(at + 16);
    const s3 = view.getInt32(at + 20);
    if (!sourcePlausible(s0, s1, s2, s3, loopback)) {
      this.#drop(this.#badSource, packet.iface);
      return false;
    }
    packet.src = this.#interner.intern(s0, s1, s2, s3, isZoned(s0) ? zone : 0);
    return true;
  }

  /** RFC 4291 2.7: scope 0 is reserved, scope 1 never leaves the machine. */
  #groupPlausible(d0: number, loopback: boolean): boolean {
    const scope = ipv6.multicastScope(d0);
    return scope >= ipv6.SCOPE_LINK || (scope === ipv6.SCOPE_INTERFACE && loopback);
  }

  /** The destination is a unicast address that is not ours: another host's, or an invalid one. */
  #notForUs(packet: IpPacket, zone: number, loopback: boolean, linkGroup: boolean, nowUs: number): void {
    const { forwarder } = this.#parts;
    const { w0: d0, w1: d1, w2: d2, w3: d3 } = this.#destination;
    const { iface } = packet;
    const local = d0 === 0 && d1 === 0 && (d2 === 0 || d2 === ipv6.MAPPED_WORD);
    if (local || loopback) this.#drop(this.#badDestination, iface);
    else if (linkGroup) this.#drop(this.#linkGroup, iface);
    else if (!forwarder.enabled || ipv6.isLinkLocal(d0)) this.#drop(this.#notOurs, iface);
    else if (this.#readSource(packet, packet.headerAt, zone, loopback)) {
      packet.dst = this.#interner.intern(d0, d1, d2, d3, 0);
      if (packet.dst === 0 || packet.src === 0) this.#drop(this.#noAddress, iface);
      else if (this.#filter.active && !this.#filterPasses(packet, nowUs)) return;
      else if (this.#hopByHopPasses(packet, nowUs)) forwarder.forward(packet, this.#received as LinkPacket, nowUs);
    }
  }

  /** RFC 8200 4.3: every node on the way looks at the hop-by-hop options, and at nothing behind them. */
  #hopByHopPasses(packet: IpPacket, nowUs: number): boolean {
    if (packet.protocol !== ipv6.NEXT_HOP_BY_HOP) return true;
    return this.#extensions.process(packet, true, nowUs);
  }

  #filterPasses(packet: IpPacket, nowUs: number): boolean {
    const { src } = packet;
    const onLink = src === IP6_ANY || this.#interner.zone(src) !== 0;
    const received = this.#received as LinkPacket;
    received.iface.link.readSource(received);
    const verdict = this.#filter.frameVerdict(src, received.srcHi, received.srcLo, onLink);
    if (verdict === FILTER_PASS) return true;
    // Fragments, packets with extension headers and packets from `::` are dropped without an answer.
    const plain = src !== IP6_ANY && !ipv6.isExtension(packet.protocol);
    if (verdict !== FILTER_DROP && plain) {
      if (this.#parts.reject.mustPass(packet)) return true;
      this.#parts.reject.answer(packet, nowUs);
    }
    this.#drop(this.#filtered, packet.iface);
    return false;
  }

  /** Everything but plain TCP and UDP: extension headers, ICMPv6, fragments. `whole`: it was put together from fragments. */
  #walk(packet: IpPacket, whole: boolean, nowUs: number): void {
    packet.plain = false;
    let nameAt = packet.headerAt + 6;
    if (ipv6.isExtension(packet.protocol)) {
      const extensions = this.#extensions;
      if (!extensions.process(packet, false, nowUs)) return;
      nameAt = extensions.walk.nextHeaderAt;
      packet.lengthBytes -= extensions.walk.payloadAt - packet.at;
      packet.at = extensions.walk.payloadAt;
      packet.protocol = extensions.walk.protocol;
      if (extensions.walk.fragmentAt !== 0 && !extensions.isAtomic()) {
        if (whole) this.#drop(this.#badLength, packet.iface);
        else this.#reassemble(packet, extensions.walk.fragmentAt, nowUs);
        return;
      }
    }
    if (whole && this.#isDiscovery(packet)) this.#drop(this.#badLength, packet.iface);
    else this.#deliver(packet, nameAt, nowUs);
  }

  /** RFC 6980: no message of neighbor discovery comes in fragments. */
  #isDiscovery(packet: IpPacket): boolean {
    if (packet.protocol !== icmpv6.PROTOCOL_ICMPV6 || packet.lengthBytes <= 0) return false;
    return icmpv6.optionsOffset(this.#view.getUint8(packet.at)) !== 0;
  }

  #reassemble(packet: IpPacket, fragmentAt: number, nowUs: number): void {
    const view = this.#view;
    const { headerAt, broadcast, iface, src, dst } = packet;
    this.#counters.add(this.#fragments, 1);
    const { fragment } = this.reassembly;
    fragment.src = src;
    fragment.dst = dst;
    fragment.key = ipv6.fragmentIdentification(view, fragmentAt);
    fragment.headerAt = headerAt;
    fragment.headerBytes = fragmentAt - headerAt;
    fragment.note = reassemblyNote(this.#extensions.walk.fragmentNameAt - headerAt, view.getUint8(fragmentAt));
    fragment.dataAt = fragmentAt + ipv6.FRAGMENT_HEADER_BYTES;
    fragment.payloadBytes = packet.at + packet.lengthBytes - fragment.dataAt;
    fragment.offset = ipv6.fragmentOffsetBytes(view, fragmentAt);
    fragment.more = ipv6.moreFragments(view, fragmentAt);
    const whole = this.reassembly.add(nowUs);
    if (whole <= 0) return;
    this.#describe(whole, iface, src, dst).broadcast = broadcast;
    this.#walk(packet, true, nowUs);
    this.reassembly.release();
  }

  /** Fill in the packet from a header that lies in our own memory. */
  #describe(headerAt: number, iface: Interface, src: number, dst: number): IpPacket {
    const view = this.#view;
    const packet = this.#packet;
    packet.headerAt = headerAt;
    packet.at = headerAt + HEADER_BYTES;
    packet.lengthBytes = ipv6.payloadBytes(view, headerAt);
    packet.protocol = ipv6.nextHeader(view, headerAt);
    packet.ttl = ipv6.hopLimit(view, headerAt);
    packet.tos = ipv6.trafficClass(view, headerAt);
    packet.meta = 0;
    packet.broadcast = false;
    packet.plain = false;
    packet.iface = iface;
    packet.src = src;
    packet.dst = dst;
    packet.addressSum = this.#interner.sum(src) + this.#interner.sum(dst);
    return packet;
  }

  /** `nameAt`: the byte that names the payload's protocol. */
  #deliver(packet: IpPacket, nameAt: number, nowUs: number): void {
    const raw = this.#raw;
    const transport = this.#transports[packet.protocol];
    // ICMPv6 hands messages that it does not answer itself to raw sockets.
    const taken = raw.active && packet.protocol !== icmpv6.PROTOCOL_ICMPV6 && raw.input(packet);
    if (transport !== undefined) {
      transport.input(packet, nowUs);
    } else if (!taken && packet.protocol !== ipv6.NEXT_NONE) {
      this.#drop(this.#noProtocol, packet.iface);
      this.#parts.icmp.sendParameterProblem(packet, icmpv6.CODE_UNKNOWN_NEXT_HEADER, nameAt - packet.headerAt, nowUs);
    }
  }

  #drop(counter: number, iface: Interface): void {
    this.#counters.add(counter, 1);
    iface.inDrops++;
  }
}

/** Whether a packet from a wire can have that source: no group, not `::1`, no IPv4 address in disguise (RFC 4291 2.5). */
function sourcePlausible(s0: number, s1: number, s2: number, s3: number, loopback: boolean): boolean {
  if (s0 >>> 24 === 0xff) return false;
  if (s0 !== 0 || s1 !== 0) return true;
  if (s2 === ipv6.MAPPED_WORD) return false;
  return loopback || s2 !== 0 || s3 !== 1;
}
