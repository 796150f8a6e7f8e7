/**
 * ICMPv6: echo, errors from others handed to the transports they are about, the errors we send, and the dispatch of neighbor
 * discovery and multicast listener discovery.
 *
 * Thread: the one that runs the CPU. Messages of discovery go to neighbor-discovery.ts, redirect.ts, mld.ts and
 * autoconfiguration.ts with checksum, hop limit and format checked.
 * Read first: RFC 4443, RFC 8201 (path MTU), RFC 4861 6.1 and 7.1 (valid messages of discovery). Missing: node
 * information queries (RFC 4620), RFC 8335 probes.
 */

import { FOLDED_ONES, foldSum } from '../../base/checksum.ts';
import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { type AddressInterner, isZoned } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import { IcmpErrorSender } from '../ip/icmp-error.ts';
import { writeIcmpChecksum } from '../ip/message-checksum.ts';
import type { PathMtu } from '../ip/path-mtu.ts';
import type { Protocols } from '../ip/protocols.ts';
import type { RawSockets } from '../ip/raw-sockets.ts';
import { type IcmpError, type InPacket, IP_NO_LOOP, type IpService, type Transport } from '../ip/transport.ts';
import type { Addresses6 } from './addresses.ts';
import type { AutoconfigurationPoint } from './autoconfiguration.ts';
import { icmpErrorFamily6 } from './icmp-error.ts';
import type { Mld } from './mld.ts';
import type { NeighborInput6 } from './neighbor-discovery.ts';
import type { Redirects6 } from './redirect.ts';
import type { SourceSelector } from './source-selector.ts';

const QUOTED_PAYLOAD_BYTES_MIN = 8;

export interface Icmp6Parts {
  readonly addresses: Addresses6;
  readonly ip: IpService;
  readonly sources: SourceSelector;
  readonly pathMtu: PathMtu;
  readonly raw: RawSockets;
  readonly neighbors: NeighborInput6;
  readonly redirects: Redirects6;
  readonly mld: Mld;
  readonly autoconfiguration: AutoconfigurationPoint;
  readonly protocols: Protocols;
}

export class Icmp6 implements Transport {
  readonly protocol: number = icmpv6.PROTOCOL_ICMPV6;
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #interner: AddressInterner;
  readonly #parts: Icmp6Parts;
  readonly #errors: IcmpErrorSender;
  readonly #echoGroups: SysctlVariable;
  readonly #hopLimit: SysctlVariable;
  readonly #replyLimit: RateLimit;
  /** Protocol of the quoted packet's payload, after {@link #quotedPayloadAt}. */
  #quotedProtocol = 0;
  readonly #badChecksum: number;
  readonly #reasons: readonly number[];
  readonly #badHopLimit: number;
  readonly #badQuote: number;
  readonly #echoes: number;
  readonly #replies: number;
  readonly #errorsIn: number;
  readonly #ignored: number;

  constructor(context: InetContext, parts: Icmp6Parts) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#counters = context.counters;
    this.#interner = context.shared.interner;
    this.#parts = parts;
    this.#errors = new IcmpErrorSender(context, parts.ip, icmpErrorFamily6(context, parts.addresses, parts.sources));
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#echoGroups = sysctl.toggle('net.inet6.icmp6.mcastecho', true, 'answer echo requests to groups');
    this.#hopLimit = sysctl.integer('net.inet6.ip6.hlim', 64, 1, 255, 'hop limit of packets whose sender does not say');
    this.#replyLimit = new RateLimit(sysctl, counters, {
      name: 'net.inet6.icmp6.replyppslimit',
      perSecond: 10_000,
      description: 'ICMPv6 replies a second; -1: any',
      what: 'ICMPv6 replies: echo',
      counter: 'icmp6-out-replies-limited',
    });
    this.#badChecksum = counters.index('icmp6-in-bad-checksum');
    this.#reasons = icmpv6.CHECK_REASONS.map((reason) => (reason === '' ? -1 : counters.index(reason)));
    this.#badHopLimit = counters.index('icmp6-in-bad-hop-limit');
    this.#badQuote = counters.index('icmp6-in-bad-quote');
    this.#echoes = counters.index('icmp6-in-echo');
    this.#replies = counters.index('icmp6-out-replies');
    this.#errorsIn = counters.index('icmp6-in-errors');
    this.#ignored = counters.index('icmp6-in-ignored');
  }

  input(packet: InPacket, nowUs: number): void {
    const { at, lengthBytes } = packet;
    const reason = icmpv6.check(this.#view, at, lengthBytes);
    if (reason !== 0) {
      this.#counters.add(this.#reasons[reason] as number, 1);
      return;
    }
    const sum = packet.addressSum + this.protocol + lengthBytes + this.#context.bulk.sum(at, lengthBytes);
    if (foldSum(sum) !== FOLDED_ONES) {
      this.#counters.add(this.#badChecksum, 1);
      return;
    }
    const type = this.#view.getUint8(at);
    // The sender could still write to the slot: the fixed part of this type must fit the length read before.
    if (lengthBytes < icmpv6.optionsOffset(type)) return;
    switch (type) {
      case icmpv6.TYPE_ECHO_REQUEST:
        this.#echo(packet, nowUs);
        return;
      case icmpv6.TYPE_DESTINATION_UNREACHABLE:
      case icmpv6.TYPE_PACKET_TOO_BIG:
      case icmpv6.TYPE_TIME_EXCEEDED:
      case icmpv6.TYPE_PARAMETER_PROBLEM:
        this.#errorInput(packet, type, nowUs);
        break;
      case icmpv6.TYPE_ECHO_REPLY:
        break;
      case icmpv6.TYPE_LISTENER_QUERY:
      case icmpv6.TYPE_LISTENER_REPORT:
      case icmpv6.TYPE_LISTENER_DONE:
      case icmpv6.TYPE_LISTENER_REPORT_V2:
        this.#listenerInput(packet, nowUs);
        break;
      default:
        if (icmpv6.optionsOffset(type) !== 0) this.#discoveryInput(packet, type, nowUs);
        else this.#counters.add(this.#ignored, 1);
    }
    if (this.#parts.raw.active) this.#parts.raw.input(packet);
  }

  /** ICMPv6 has no use for errors about its own packets; raw sockets receive the message itself. */
  icmpError(): void {}

  /** `code` is one of ICMPv6. */
  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    this.#errors.send(icmpv6.TYPE_DESTINATION_UNREACHABLE, code, 0, packet, nowUs);
  }

  sendPacketTooBig(packet: InPacket, mtuBytes: number, nowUs: number): void {
    this.#errors.send(icmpv6.TYPE_PACKET_TOO_BIG, 0, mtuBytes, packet, nowUs);
  }

  sendTimeExceeded(packet: InPacket, code: number, nowUs: number): void {
    this.#errors.send(icmpv6.TYPE_TIME_EXCEEDED, code, 0, packet, nowUs);
  }

  /** `pointer` counts from the start of the IPv6 header. */
  sendParameterProblem(packet: InPacket, code: number, pointer: number, nowUs: number): void {
    this.#errors.send(icmpv6.TYPE_PARAMETER_PROBLEM, code, pointer, packet, nowUs);
  }

  /**
   * Tell the transport of a packet of ours that it is lost, without any message: `at` is its IPv6 header. Used when a
   * neighbor does not answer.
   */
  reportLocally(src: number, dst: number, at: number, totalBytes: number, code: number, nowUs: number): void {
    const { error } = this.#parts.protocols;
    error.nextHopMtuBytes = 0;
    error.src = src;
    error.dst = dst;
    error.from = src;
    this.#dispatch(icmpv6.TYPE_DESTINATION_UNREACHABLE, code, at, totalBytes, nowUs);
  }

  /** RFC 4443 4.2: the same data back; from the address that was asked, or one of ours when that was a group or an anycast address. */
  #echo(packet: InPacket, nowUs: number): void {
    this.#counters.add(this.#echoes, 1);
    const { at, lengthBytes } = packet;
    if (packet.broadcast && this.#echoGroups.value === 0) {
      this.#counters.add(this.#ignored, 1);
      return;
    }
    if (!this.#replyLimit.allow(nowUs)) return;
    const { addresses, ip } = this.#parts;
    const shared = packet.broadcast || addresses.find(packet.dst)?.anycast === true;
    const path = ip.transientPath(packet.src, shared ? 0 : packet.dst, IP_NO_LOOP, null);
    if (typeof path === 'number') return;
    const to = ip.begin(path, this.protocol, lengthBytes, this.#hopLimit.value, packet.tos, 0);
    if (to < 0) return;
    this.#context.bulk.copy(to, at, lengthBytes);
    this.#view.setUint16(to, icmpv6.TYPE_ECHO_REPLY << 8);
    writeIcmpChecksum(this.#context, path, to, lengthBytes);
    ip.end(0);
    this.#counters.add(this.#replies, 1);
  }

  /** RFC 4861 6.1, 7.1, 8.1: a message with another hop limit has crossed a router. */
  #discoveryInput(packet: InPacket, type: number, nowUs: number): void {
    if (packet.ttl !== icmpv6.DISCOVERY_HOP_LIMIT) {
      this.#counters.add(this.#badHopLimit, 1);
      return;
    }
    if (packet.iface.loopback) return;
    switch (type) {
      case icmpv6.TYPE_NEIGHBOR_SOLICITATION:
        this.#parts.neighbors.solicitation(packet, nowUs);
        break;
      case icmpv6.TYPE_NEIGHBOR_ADVERTISEMENT:
        this.#parts.neighbors.advertisement(packet, nowUs);
        break;
      case icmpv6.TYPE_ROUTER_SOLICITATION:
        this.#parts.autoconfiguration.registered.routerSolicitation(packet, nowUs);
        break;
      case icmpv6.TYPE_ROUTER_ADVERTISEMENT:
        this.#parts.autoconfiguration.registered.routerAdvertisement(packet, nowUs);
        break;
      default:
        this.#parts.redirects.input(packet, nowUs);
    }
  }

  /** RFC 2710 section 3, RFC 3810 section 5.1.14: from the link, and no further. */
  #listenerInput(packet: InPacket, nowUs: number): void {
    if (packet.ttl !== icmpv6.LISTENER_HOP_LIMIT || packet.iface.loopback) {
      this.#counters.add(this.#badHopLimit, 1);
      return;
    }
    this.#parts.mld.input(packet, nowUs);
  }

  #errorInput(packet: InPacket, type: number, nowUs: number): void {
    const view = this.#view;
    const { at, lengthBytes, iface } = packet;
    this.#counters.add(this.#errorsIn, 1);
    const quoteAt = at + icmpv6.HEADER_BYTES;
    const quoteBytes = lengthBytes - icmpv6.HEADER_BYTES;
    const readable = quoteBytes >= ipv6.HEADER_BYTES;
    const src = readable ? this.#quotedAddress(quoteAt + ipv6.SRC_OFFSET, iface.index) : 0;
    const dst = readable ? this.#quotedAddress(quoteAt + ipv6.DST_OFFSET, iface.index) : 0;
    if (
      src === 0 ||
      dst === 0 ||
      !this.#parts.addresses.isLocal(src) ||
      (packet.broadcast && type !== icmpv6.TYPE_PACKET_TOO_BIG)
    ) {
      this.#counters.add(this.#badQuote, 1);
      return;
    }
    let mtuBytes = 0;
    if (type === icmpv6.TYPE_PACKET_TOO_BIG) {
      mtuBytes = icmpv6.mtuBytes(view, at);
      // RFC 8201 section 4: an MTU below the minimum is an error or an attack.
      if (mtuBytes < ipv6.MTU_BYTES_MIN) {
        this.#counters.add(this.#badQuote, 1);
        return;
      }
      this.#parts.pathMtu.tooBig(dst, ipv6.HEADER_BYTES + ipv6.payloadBytes(view, quoteAt), mtuBytes, nowUs);
    }
    const { error } = this.#parts.protocols;
    error.nextHopMtuBytes = mtuBytes;
    error.src = src;
    error.dst = dst;
    error.from = packet.src;
    this.#dispatch(type, icmpv6.code(view, at), quoteAt, quoteBytes, nowUs);
  }

  /** The handle of an address in a quoted header; 0 when the interner has none: then no packet of ours had it. */
  #quotedAddress(at: number, zone: number): number {
    const view = this.#view;
    const w0 = view.getInt32(at);
    const scoped = isZoned(w0) ? zone : 0;
    return this.#interner.find(w0, view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12), scoped);
  }

  /**
   * Place of the transport header in a quoted packet, -1 when it is not there. The packet is ours and may be cut
   * anywhere, so its extension headers are only stepped over.
   */
  #quotedPayloadAt(quoteAt: number, end: number): number {
    const view = this.#view;
    let at = quoteAt + ipv6.HEADER_BYTES;
    let protocol = ipv6.nextHeader(view, quoteAt);
    for (let headers = 0; ipv6.isExtension(protocol); headers++) {
      if (headers === ipv6.HEADERS_MAX || at + ipv6.FRAGMENT_HEADER_BYTES > end) return -1;
      const fragment = protocol === ipv6.NEXT_FRAGMENT;
      if (fragment && ipv6.fragmentOffsetBytes(view, at) !== 0) return -1;
      protocol = view.getUint8(at);
      at += fragment ? ipv6.FRAGMENT_HEADER_BYTES : ipv6.extensionBytes(view, at);
    }
    this.#quotedProtocol = protocol;
    return at + QUOTED_PAYLOAD_BYTES_MIN > end ? -1 : at;
  }

  /** Hand an error, with addresses and MTU set, to the transport of the packet at `quoteAt`, in the words of ICMPv4. */
  #dispatch(type: number, code: number, quoteAt: number, quoteBytes: number, nowUs: number): void {
    const { protocols } = this.#parts;
    const end = quoteAt + quoteBytes;
    const payloadAt = this.#quotedPayloadAt(quoteAt, end);
    if (payloadAt < 0 || !translate(protocols.error, type, code)) return;
    protocols.deliverError(this.#quotedProtocol, payloadAt, end, nowUs);
  }
}

/** RFC 7915 5.2, but that "no route" stays an unreachable network. False: the transport is not called. */
function translate(error: IcmpError, type: number, code: number): boolean {
  error.type = icmpv4.TYPE_DESTINATION_UNREACHABLE;
  error.code = icmpv4.CODE_HOST_UNREACHABLE;
  switch (type) {
    case icmpv6.TYPE_DESTINATION_UNREACHABLE:
      if (code === icmpv6.CODE_NO_ROUTE) error.code = icmpv4.CODE_NET_UNREACHABLE;
      else if (code === icmpv6.CODE_PORT_UNREACHABLE) error.code = icmpv4.CODE_PORT_UNREACHABLE;
      else if (code !== icmpv6.CODE_BEYOND_SCOPE && code !== icmpv6.CODE_ADDRESS_UNREACHABLE) {
        error.code = icmpv4.CODE_ADMIN_PROHIBITED;
      }
      return true;
    case icmpv6.TYPE_PACKET_TOO_BIG:
      error.code = icmpv4.CODE_FRAGMENTATION_NEEDED;
      return true;
    case icmpv6.TYPE_TIME_EXCEEDED:
      error.type = icmpv4.TYPE_TIME_EXCEEDED;
      error.code = code;
      return true;
    case icmpv6.TYPE_PARAMETER_PROBLEM:
      if (code === icmpv6.CODE_UNKNOWN_NEXT_HEADER) {
        error.code = icmpv4.CODE_PROTOCOL_UNREACHABLE;
      } else {
        error.type = icmpv4.TYPE_PARAMETER_PROBLEM;
        error.code = 0;
      }
      return true;
    default:
      return false;
  }
}
