/**
 * ICMP for IPv4: echo, errors from others handed to the transports they are about, redirects, and the errors we send.
 *
 * Thread: the one that runs the CPU. Read first: RFC 792, RFC 1122 3.2.2, RFC 1191 (path MTU), RFC 6633 (source quench is
 * ignored). Missing: address mask, router discovery, RFC 8335 probes.
 */

import { checksumOf, FOLDED_ONES, updateChecksum } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { isLoopback, isUnicast } from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import { IcmpErrorSender } from '../ip/icmp-error.ts';
import type { PathMtu } from '../ip/path-mtu.ts';
import type { Protocols } from '../ip/protocols.ts';
import type { RawSockets } from '../ip/raw-sockets.ts';
import { type InPacket, IP_NO_LOOP, type IpService, type Transport } from '../ip/transport.ts';
import type { Addresses4 } from './addresses.ts';
import { icmpErrorFamily } from './icmp-error.ts';
import { answerDestination, answerOptionBytes, writeAnswerOptions } from './options.ts';
import type { Redirects } from './redirect.ts';

export interface IcmpParts {
  readonly addresses: Addresses4;
  readonly ip: IpService;
  readonly pathMtu: PathMtu;
  readonly redirects: Redirects;
  readonly raw: RawSockets;
  readonly protocols: Protocols;
}

export class Icmp implements Transport {
  readonly protocol: number = ipv4.PROTOCOL_ICMP;
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #parts: IcmpParts;
  readonly #errors: IcmpErrorSender;
  readonly #echoBroadcast: SysctlVariable;
  readonly #ttl: SysctlVariable;
  readonly #replyLimit: RateLimit;
  readonly #short: number;
  readonly #badChecksum: number;
  readonly #badQuote: number;
  readonly #echoes: number;
  readonly #replies: number;
  readonly #errorsIn: number;
  readonly #ignored: number;

  constructor(context: InetContext, parts: IcmpParts) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#counters = context.counters;
    this.#parts = parts;
    this.#errors = new IcmpErrorSender(context, parts.ip, icmpErrorFamily(context, parts.addresses));
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#echoBroadcast = sysctl.toggle('net.inet.icmp.bmcastecho', false, 'answer echo requests to groups');
    this.#replyLimit = new RateLimit(sysctl, counters, {
      name: 'net.inet.icmp.replyppslimit',
      perSecond: 10_000,
      description: 'ICMP replies a second; -1: any',
      what: 'ICMP replies: echo, timestamp',
      counter: 'icmp-out-replies-limited',
    });
    this.#ttl = sysctl.integer('net.inet.ip.ttl', 64, 1, 255, 'TTL of packets whose sender does not say');
    this.#short = counters.index('icmp-in-short');
    this.#badChecksum = counters.index('icmp-in-bad-checksum');
    this.#badQuote = counters.index('icmp-in-bad-quote');
    this.#echoes = counters.index('icmp-in-echo');
    this.#replies = counters.index('icmp-out-replies');
    this.#errorsIn = counters.index('icmp-in-errors');
    this.#ignored = counters.index('icmp-in-ignored');
  }

  input(packet: InPacket, nowUs: number): void {
    const { at, lengthBytes } = packet;
    if (lengthBytes < icmpv4.HEADER_BYTES) {
      this.#counters.add(this.#short, 1);
      return;
    }
    if (this.#context.bulk.sum(at, lengthBytes) !== FOLDED_ONES) {
      this.#counters.add(this.#badChecksum, 1);
      return;
    }
    const type = this.#view.getUint8(at);
    switch (type) {
      case icmpv4.TYPE_ECHO_REQUEST:
        this.#echo(packet, nowUs);
        return;
      case icmpv4.TYPE_TIMESTAMP_REQUEST:
        this.#timestamp(packet, nowUs);
        return;
      case icmpv4.TYPE_DESTINATION_UNREACHABLE:
      case icmpv4.TYPE_TIME_EXCEEDED:
      case icmpv4.TYPE_PARAMETER_PROBLEM:
        this.#errorInput(packet, type, nowUs);
        break;
      case icmpv4.TYPE_REDIRECT:
        this.#redirectInput(packet, nowUs);
        break;
      case icmpv4.TYPE_ECHO_REPLY:
        break;
      default:
        this.#counters.add(this.#ignored, 1);
    }
    if (this.#parts.raw.active) this.#parts.raw.input(packet);
  }

  /** ICMP has no use for errors about its own packets; raw sockets receive the message itself. */
  icmpError(): void {}

  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    this.#errors.send(icmpv4.TYPE_DESTINATION_UNREACHABLE, code, 0, packet, nowUs);
  }

  /** RFC 1191 section 4: the MTU of the link that was too small goes with it. */
  sendFragmentationNeeded(packet: InPacket, code: number, mtuBytes: number, nowUs: number): void {
    this.#errors.send(icmpv4.TYPE_DESTINATION_UNREACHABLE, code, mtuBytes & 0xffff, packet, nowUs);
  }

  sendTimeExceeded(packet: InPacket, code: number, nowUs: number): void {
    this.#errors.send(icmpv4.TYPE_TIME_EXCEEDED, code, 0, packet, nowUs);
  }

  /** RFC 1812 5.2.7.2: always a host redirect. */
  sendRedirect(packet: InPacket, gateway: number, nowUs: number): void {
    this.#errors.send(icmpv4.TYPE_REDIRECT, icmpv4.CODE_REDIRECT_HOST, gateway, packet, nowUs);
  }

  /** An error in the options: `typeAndCode` is `type << 8 | code`; `pointer` is for parameter problems. */
  sendOptionError(packet: InPacket, typeAndCode: number, pointer: number, nowUs: number): void {
    const type = typeAndCode >> 8;
    const rest = type === icmpv4.TYPE_PARAMETER_PROBLEM ? pointer << 24 : 0;
    this.#errors.send(type, typeAndCode & 0xff, rest, packet, nowUs);
  }

  /**
   * Tell the transport of a packet of ours that it is lost, without any message: `at` is its IP header. Used when a
   * neighbor does not answer.
   */
  reportLocally(at: number, totalBytes: number, code: number, nowUs: number): void {
    const { error } = this.#parts.protocols;
    error.nextHopMtuBytes = 0;
    error.from = ipv4.src(this.#view, at);
    this.#dispatch(icmpv4.TYPE_DESTINATION_UNREACHABLE, code, at, totalBytes, nowUs);
  }

  /** RFC 1122 3.2.2.6: an echo goes back to its sender with the same data, and with its record-route and timestamp. */
  #echo(packet: InPacket, nowUs: number): void {
    this.#counters.add(this.#echoes, 1);
    if (packet.broadcast && this.#echoBroadcast.value === 0) {
      this.#counters.add(this.#ignored, 1);
      return;
    }
    if (!this.#replyLimit.allow(nowUs)) return;
    const at = this.#beginReply(packet, packet.lengthBytes);
    if (at < 0) return;
    this.#context.bulk.copy(at, packet.at, packet.lengthBytes);
    const word = this.#view.getUint16(at);
    this.#view.setUint16(at, word & 0xff);
    let checksum = updateChecksum(this.#view.getUint16(at + 2), word, word & 0xff);
    // A message of nothing but zeros has the other zero for its checksum (RFC 1624 section 3 leaves it open).
    if (checksum === 0) {
      this.#view.setUint16(at + 2, 0);
      checksum = checksumOf(this.#context.bulk.sum(at, packet.lengthBytes));
    }
    this.#view.setUint16(at + 2, checksum);
    this.#parts.ip.end(0);
    this.#counters.add(this.#replies, 1);
  }

  /** RFC 792 timestamp: the high bit says that our clock does not count from midnight UT. */
  #timestamp(packet: InPacket, nowUs: number): void {
    if (packet.lengthBytes < icmpv4.TIMESTAMP_BYTES || packet.broadcast) {
      this.#counters.add(this.#ignored, 1);
      return;
    }
    if (!this.#replyLimit.allow(nowUs)) return;
    const at = this.#beginReply(packet, icmpv4.TIMESTAMP_BYTES);
    if (at < 0) return;
    const view = this.#view;
    this.#context.bulk.copy(at, packet.at, icmpv4.TIMESTAMP_BYTES);
    const ms = ((nowUs / 1000) | 0x80000000) >>> 0;
    view.setUint16(at, icmpv4.TYPE_TIMESTAMP_REPLY << 8);
    view.setUint32(at + 12, ms);
    view.setUint32(at + 16, ms);
    view.setUint16(at + 2, 0);
    view.setUint16(at + 2, ~this.#context.bulk.sum(at, icmpv4.TIMESTAMP_BYTES) & 0xffff);
    this.#parts.ip.end(0);
    this.#counters.add(this.#replies, 1);
  }

  /** Begin an answer of `bytes` to the sender of `packet`, with the options that an answer keeps. */
  #beginReply(packet: InPacket, bytes: number): number {
    const { ip } = this.#parts;
    const src = packet.broadcast ? packet.iface.primary : packet.dst;
    const headerBytes = packet.at - packet.headerAt;
    if (headerBytes > ipv4.HEADER_BYTES) return this.#beginReplyWithOptions(packet, src, headerBytes, bytes);
    const path = ip.transientPath(packet.src, src, IP_NO_LOOP, null);
    if (typeof path === 'number') return path;
    return ip.begin(path, this.protocol, bytes, this.#ttl.value, packet.tos, 0);
  }

  #beginReplyWithOptions(packet: InPacket, src: number, headerBytes: number, bytes: number): number {
    const { ip } = this.#parts;
    const view = this.#view;
    const { headerAt } = packet;
    const first = answerDestination(view, headerAt, headerBytes);
    if (!isUnicast(first) || (isLoopback(first) && !packet.iface.loopback)) return -Errno.ENETUNREACH;
    const path = ip.transientPath(first, src, IP_NO_LOOP, null);
    if (typeof path === 'number') return path;
    const optionBytes = answerOptionBytes(view, headerAt, headerBytes);
    const at = ip.beginWithOptions(path, this.protocol, optionBytes, bytes, this.#ttl.value, packet.tos);
    if (at < 0) return at;
    writeAnswerOptions(view, headerAt, headerBytes, at);
    return at + optionBytes;
  }

  #errorInput(packet: InPacket, type: number, nowUs: number): void {
    const view = this.#view;
    const { at, lengthBytes } = packet;
    this.#counters.add(this.#errorsIn, 1);
    const quoteAt = at + icmpv4.HEADER_BYTES;
    const quoteBytes = lengthBytes - icmpv4.HEADER_BYTES;
    const headerBytes = quoteBytes >= ipv4.HEADER_BYTES ? ipv4.headerBytes(view, quoteAt) : 0;
    const sound =
      headerBytes >= ipv4.HEADER_BYTES && quoteBytes >= headerBytes + 8 && ipv4.version(view, quoteAt) === 4;
    if (!sound || packet.broadcast || !this.#parts.addresses.isLocal(ipv4.src(view, quoteAt))) {
      this.#counters.add(this.#badQuote, 1);
      return;
    }
    const code = view.getUint8(at + 1);
    let mtuBytes = 0;
    if (type === icmpv4.TYPE_DESTINATION_UNREACHABLE && code === icmpv4.CODE_FRAGMENTATION_NEEDED) {
      mtuBytes = view.getUint16(at + 6);
      this.#parts.pathMtu.tooBig(ipv4.dst(view, quoteAt), ipv4.totalLength(view, quoteAt), mtuBytes, nowUs);
    }
    const { error } = this.#parts.protocols;
    error.nextHopMtuBytes = mtuBytes;
    error.from = packet.src;
    this.#dispatch(type, code, quoteAt, quoteBytes, nowUs);
  }

  /** Hand an error, with sender and MTU set, to the transport of the packet at `quoteAt`. */
  #dispatch(type: number, code: number, quoteAt: number, quoteBytes: number, nowUs: number): void {
    const view = this.#view;
    const { protocols } = this.#parts;
    const { error } = protocols;
    error.type = type;
    error.code = code;
    error.src = ipv4.src(view, quoteAt);
    error.dst = ipv4.dst(view, quoteAt);
    const payloadAt = quoteAt + ipv4.headerBytes(view, quoteAt);
    protocols.deliverError(ipv4.protocol(view, quoteAt), payloadAt, quoteAt + quoteBytes, nowUs);
  }

  #redirectInput(packet: InPacket, nowUs: number): void {
    const { at, lengthBytes } = packet;
    if (lengthBytes < icmpv4.HEADER_BYTES + ipv4.HEADER_BYTES) {
      this.#counters.add(this.#short, 1);
      return;
    }
    const dst = ipv4.dst(this.#view, at + icmpv4.HEADER_BYTES);
    this.#parts.redirects.input(packet, dst, this.#view.getInt32(at + 4), nowUs);
  }
}
