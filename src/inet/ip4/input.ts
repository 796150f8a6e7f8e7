/**
 * IP input: check a received packet, then deliver it here, forward it, or drop it under a counter.
 *
 * Thread: the one that runs the CPU; called for each packet of a batch (net/link-input.ts). The fields of the header are
 * read once each into locals, because the sender could still write to the slot, and only the locals are believed.
 * Read first: RFC 791 3.2, RFC 1122 3.2.1, RFC 1812 5.3.7 (martians). Missing: multicast routing.
 */

import { sumView } from '../../base/checksum.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Interface } from '../../net/interface.ts';
import type { PacketInput, RunInput } from '../../net/link-input.ts';
import type { LinkPacket } from '../../net/link-layer.ts';
import type { RouteTable } from '../../net/route-table.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { isLoopback, isMulticast } from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import { FILTER_DROP, FILTER_PASS, type IngressFilter } from '../ip/ingress-filter.ts';
import { IpPacket } from '../ip/packet.ts';
import type { Protocols } from '../ip/protocols.ts';
import type { RawSockets } from '../ip/raw-sockets.ts';
import { Reassembly, type ReassemblyFamily } from '../ip/reassembly.ts';
import type { RejectPolicy } from '../ip/reject.ts';
import type { Transport } from '../ip/transport.ts';
import type { Addresses4 } from './addresses.ts';
import type { Forwarder } from './forward.ts';
import { isMember } from './groups.ts';
import type { Icmp } from './icmp.ts';
import { IpOptions, OPTIONS_FORWARD } from './options.ts';
import { readPacket } from './packet.ts';

const { HEADER_BYTES } = ipv4;
const FRAGMENT_MASK: number = ipv4.FLAG_MORE_FRAGMENTS | ipv4.FRAGMENT_OFFSET_MASK;
/** The end of the type of service. */
const ECN_MASK = 3;
/** 169.254/16 (RFC 3927). */
const LINK_LOCAL_HIGH = 0xa9fe;
/** The longest header is 60 bytes; the payload behind it stays aligned. */
const REASSEMBLY_OFFSET = 64;
const REASSEMBLY_TIMEOUT_MS = 30000;

/** The parts of IPv4 that a received packet may go to. */
export interface IpInputParts {
  readonly addresses: Addresses4;
  readonly routes: RouteTable;
  readonly filter: IngressFilter;
  readonly forwarder: Forwarder;
  readonly icmp: Icmp;
  readonly raw: RawSockets;
  readonly reject: RejectPolicy;
  readonly protocols: Protocols;
  /** Stands for the interface of packets that came by none. */
  readonly noInterface: Interface;
}

export class IpInput implements PacketInput {
  readonly reassembly: Reassembly;
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #parts: IpInputParts;
  readonly #filter: IngressFilter;
  readonly #raw: RawSockets;
  readonly #options: IpOptions;
  readonly #packet: IpPacket;
  readonly #transports: readonly (Transport | undefined)[];
  readonly #short: number;
  readonly #badVersion: number;
  readonly #badLength: number;
  readonly #badChecksum: number;
  readonly #badSource: number;
  readonly #badDestination: number;
  readonly #badOptions: number;
  readonly #linkBroadcast: number;
  readonly #notOurs: number;
  readonly #notMember: number;
  readonly #noProtocol: number;
  readonly #filtered: number;
  readonly #fragments: number;

  constructor(context: InetContext, parts: IpInputParts) {
    const { noInterface } = parts;
    this.#view = context.shared.arena.view;
    this.#counters = context.counters;
    this.#parts = parts;
    this.#filter = parts.filter;
    this.#raw = parts.raw;
    this.#options = new IpOptions(context.shared, parts.addresses, parts.routes);
    this.#transports = parts.protocols.table;
    this.#packet = new IpPacket(noInterface);
    this.reassembly = new Reassembly(context, reassemblyFamily(context), (headerAt, quotedBytes, _src, _dst, nowUs) => {
      readPacket(this.#packet, this.#view, headerAt, noInterface);
      this.#packet.lengthBytes = quotedBytes - (this.#packet.at - headerAt);
      parts.icmp.sendTimeExceeded(this.#packet, icmpv4.CODE_REASSEMBLY_TIMEOUT, nowUs);
    });
    const { counters } = context;
    this.#short = counters.index('ip-in-short');
    this.#badVersion = counters.index('ip-in-bad-version');
    this.#badLength = counters.index('ip-in-bad-length');
    this.#badChecksum = counters.index('ip-in-bad-checksum');
    this.#badSource = counters.index('ip-in-bad-source');
    this.#badDestination = counters.index('ip-in-bad-destination');
    this.#badOptions = counters.index('ip-in-bad-options');
    this.#linkBroadcast = counters.index('ip-in-link-broadcast');
    this.#notOurs = counters.index('ip-in-not-ours');
    this.#notMember = counters.index('ip-in-not-member');
    this.#noProtocol = counters.index('ip-in-no-protocol');
    this.#filtered = counters.index('ip-in-filtered');
    this.#fragments = counters.index('ip-in-fragments');
  }

  /** The transport that takes segments by the run, for the layer below. */
  get runs(): RunInput | null {
    return this.#parts.protocols.runs;
  }

  /**
   * Process the IP packet in a received frame. The slot may be changed.
   */
  input(received: LinkPacket, nowUs: number): void {
    const { iface, at, lengthBytes, group } = received;
    if (lengthBytes < HEADER_BYTES) {
      this.#drop(this.#short, iface);
      return;
    }
    const view = this.#view;
    const word0 = view.getInt32(at);
    const word1 = view.getInt32(at + 4);
    const word2 = view.getInt32(at + 8);
    const src = view.getInt32(at + 12);
    let dst = view.getInt32(at + 16);
    const headerBytes = (word0 >>> 22) & 0x3c;
    const totalBytes = word0 & 0xffff;
    if (word0 >>> 28 !== 4) {
      this.#drop(this.#badVersion, iface);
      return;
    }
    if (headerBytes < HEADER_BYTES || totalBytes < headerBytes || totalBytes > lengthBytes) {
      this.#drop(this.#badLength, iface);
      return;
    }
    const addressSum = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff);
    let sum = (word0 >>> 16) + (word0 & 0xffff) + (word1 >>> 16) + (word1 & 0xffff) + (word2 >>> 16) + (word2 & 0xffff);
    sum += addressSum;
    if (headerBytes > HEADER_BYTES) {
      sum += sumView(view, at + HEADER_BYTES, headerBytes - HEADER_BYTES);
    }
    sum = (sum >>> 16) + (sum & 0xffff);
    if ((sum >>> 16) + (sum & 0xffff) !== 0xffff) {
      this.#drop(this.#badChecksum, iface);
      return;
    }
    if (!iface.loopback && !this.#plausible(iface, src, dst)) return;

    const packet = this.#packet;
    packet.headerAt = at;
    packet.at = at + headerBytes;
    packet.lengthBytes = totalBytes - headerBytes;
    packet.src = src;
    packet.dst = dst;
    packet.addressSum = addressSum;
    packet.protocol = (word2 >>> 16) & 0xff;
    packet.ttl = word2 >>> 24;
    packet.tos = (word0 >>> 16) & 0xff;
    packet.meta = received.meta;
    packet.broadcast = group;
    packet.plain = headerBytes === HEADER_BYTES && !this.#filter.active && !this.#raw.active;
    if (packet.iface !== iface) packet.iface = iface;
    if (this.#filter.active && !this.#filterPasses(packet, received, word1, nowUs)) return;
    let sourceRouted = false;
    if (headerBytes > HEADER_BYTES) {
      const done = this.#options.process(at, headerBytes, iface, nowUs);
      if (done < 0) {
        this.#refuseOptions(packet, -done, nowUs);
        return;
      }
      sourceRouted = done === OPTIONS_FORWARD;
      if (sourceRouted) {
        dst = packet.dst = view.getInt32(at + 16);
        packet.addressSum = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff);
      }
    }
    if ((dst !== iface.primary || group) && !this.#isForUs(packet, received, sourceRouted, nowUs)) return;
    if ((word1 & FRAGMENT_MASK) === 0) this.#deliver(packet, nowUs);
    else this.#reassemble(packet, headerBytes, word1, nowUs);
  }

  /** RFC 1122 3.2.1.3, RFC 1812 5.3.7: addresses that no packet from a wire can have. */
  #plausible(iface: Interface, src: number, dst: number): boolean {
    if (isLoopback(dst) || dst >>> 24 === 0 || (dst >>> 28 === 0xf && dst !== -1)) {
      this.#drop(this.#badDestination, iface);
      return false;
    }
    const unusable = src >>> 24 === 127 || src >>> 28 >= 0xe || (src === iface.primary && src !== 0);
    // A host that does not know its address yet may broadcast (RFC 1122 3.2.1.3 (a)).
    const unknown = src >>> 24 === 0 && (src !== 0 || (dst !== -1 && !isMulticast(dst)));
    if (unusable || unknown) {
      this.#drop(this.#badSource, iface);
      return false;
    }
    return true;
  }

  #filterPasses(packet: IpPacket, received: LinkPacket, fragmentWord: number, nowUs: number): boolean {
    const onLink = packet.src === 0 || packet.src >>> 16 === LINK_LOCAL_HIGH;
    received.iface.link.readSource(received);
    const verdict = this.#filter.frameVerdict(packet.src, received.srcHi, received.srcLo, onLink);
    if (verdict === FILTER_PASS) return true;
    if (verdict !== FILTER_DROP) {
      const first = (fragmentWord & ipv4.FRAGMENT_OFFSET_MASK) === 0;
      if (first && this.#parts.reject.mustPass(packet)) return true;
      if (first) this.#parts.reject.answer(packet, nowUs);
    }
    this.#drop(this.#filtered, packet.iface);
    return false;
  }

  #refuseOptions(packet: IpPacket, typeAndCode: number, nowUs: number): void {
    this.#drop(this.#badOptions, packet.iface);
    this.#parts.icmp.sendOptionError(packet, typeAndCode, this.#options.problemPointer, nowUs);
  }

  /** Everything but the plain case of a packet for the interface's own address. True when it is to be delivered here. */
  #isForUs(packet: IpPacket, received: LinkPacket, sourceRouted: boolean, nowUs: number): boolean {
    const linkGroup = received.group;
    const { addresses, forwarder } = this.#parts;
    const { dst } = packet;
    if (addresses.isLocal(dst)) {
      if (linkGroup && !packet.iface.loopback) {
        this.#drop(this.#linkBroadcast, packet.iface);
        return false;
      }
      packet.broadcast = false;
      return true;
    }
    // A copy of our own packet to a group comes back through lo0; it counts as received where it was sent.
    const iface = received.arrival ?? packet.iface;
    packet.iface = iface;
    if (isMulticast(dst)) {
      packet.broadcast = true;
      if (isMember(iface, dst)) return true;
      this.#drop(this.#notMember, iface);
      return false;
    }
    const target = dst === -1 ? iface : addresses.broadcastInterface(dst);
    if (target === iface) {
      packet.broadcast = true;
      return true;
    }
    if (linkGroup) this.#drop(this.#linkBroadcast, iface);
    else if (!forwarder.enabled && !sourceRouted) this.#drop(this.#notOurs, iface);
    else forwarder.forward(packet, sourceRouted, nowUs);
    return false;
  }

  #reassemble(packet: IpPacket, headerBytes: number, word1: number, nowUs: number): void {
    this.#counters.add(this.#fragments, 1);
    const { broadcast, iface } = packet;
    const { fragment } = this.reassembly;
    fragment.src = packet.src;
    fragment.dst = packet.dst;
    fragment.key = ((word1 >>> 16) << 8) | packet.protocol;
    fragment.headerAt = packet.headerAt;
    fragment.headerBytes = headerBytes;
    fragment.dataAt = packet.headerAt + headerBytes;
    fragment.payloadBytes = packet.lengthBytes;
    fragment.offset = (word1 & ipv4.FRAGMENT_OFFSET_MASK) << 3;
    fragment.more = (word1 & ipv4.FLAG_MORE_FRAGMENTS) !== 0;
    const whole = this.reassembly.add(nowUs);
    if (whole <= 0) return;
    readPacket(packet, this.#view, whole, iface);
    packet.broadcast = broadcast;
    this.#deliver(packet, nowUs);
    this.reassembly.release();
  }

  #deliver(packet: IpPacket, nowUs: number): void {
    const raw = this.#raw;
    const transport = this.#transports[packet.protocol];
    // ICMP hands messages that it does not answer itself to raw sockets.
    const taken = raw.active && packet.protocol !== ipv4.PROTOCOL_ICMP && raw.input(packet);
    if (transport !== undefined) {
      transport.input(packet, nowUs);
    } else if (!taken) {
      this.#drop(this.#noProtocol, packet.iface);
      this.#parts.icmp.sendUnreachable(packet, icmpv4.CODE_PROTOCOL_UNREACHABLE, nowUs);
    }
  }

  #drop(counter: number, iface: Interface): void {
    this.#counters.add(counter, 1);
    iface.inDrops++;
  }
}

// cold: assembly
function reassemblyFamily(context: InetContext): ReassemblyFamily {
  const { bulk } = context;
  const { view } = context.shared.arena;
  return {
    name: 'IPv4',
    sysctlPrefix: 'net.inet.ip.',
    counterPrefix: 'ip',
    timeoutMs: REASSEMBLY_TIMEOUT_MS,
    payloadOffset: REASSEMBLY_OFFSET,
    countedBytes: (headerBytes) => headerBytes,
    ecn: (at) => ipv4.tos(view, at) & ECN_MASK,
    mark: (at) => ipv4.setTos(view, at, ipv4.tos(view, at) | ECN_MASK),
    finish: (at, headerBytes, payloadBytes) => {
      view.setUint16(at + 2, headerBytes + payloadBytes);
      view.setUint16(at + 6, 0);
      view.setUint16(at + 10, 0);
      view.setUint16(at + 10, ~bulk.sum(at, headerBytes) & 0xffff);
    },
  };
}
