/**
 * ping: ICMP echo from a kernel, of either family, in NetBSD's numbering (sequence from 0), reported as events.
 *
 * Thread: the one that runs the kernel. Read first: RFC 792 (echo), RFC 1122 section 3.2.2.6, RFC 4443 section 4. Time comes from
 * the kernel; the tool that prints lives in cli/. The destination is kept as text: numbers of IPv6 addresses do not last.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import { errnoName } from '../base/errors.ts';
import { US_PER_MS } from '../base/units.ts';
import { Callout, type CalloutTable } from '../kern/callout.ts';
import { DatagramInfo, EVENT_READABLE, type RawSocket, type SocketAddress, type ZoneNames } from '../socket/socket.ts';
import * as icmpv4 from '../wire/icmpv4.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { PingEvent, PingOptions } from './control.ts';

const MESSAGE_BYTES_MAX = 65_507;
/** Of echo messages and errors, in both families. */
const HEADER_BYTES = 8;

/** Differences between the families. Packets come from raw sockets, IP header first, at 0 of the view. */
export interface PingFamily {
  readonly requestType: number;
  readonly replyType: number;
  /** Of errors, by "type.code". */
  readonly errorText: Readonly<Record<string, string>>;
  /** Where the ICMP message in an IP packet of `lengthBytes` at `at` begins, -1 when there is none. */
  messageAt(packet: DataView, at: number, lengthBytes: number): number;
  /** TTL or hop limit. */
  hops(packet: DataView): number;
}

export const PING4: PingFamily = {
  requestType: icmpv4.TYPE_ECHO_REQUEST,
  replyType: icmpv4.TYPE_ECHO_REPLY,
  errorText: {
    '3.0': 'Destination Net Unreachable',
    '3.1': 'Destination Host Unreachable',
    '3.2': 'Destination Protocol Unreachable',
    '3.3': 'Destination Port Unreachable',
    '3.4': 'frag needed and DF set',
    '3.9': 'Net prohibited access',
    '3.10': 'Host prohibited access',
    '3.13': 'Communication prohibited by filter',
    '11.0': 'Time To Live exceeded',
    '11.1': 'Frag reassembly time exceeded',
  },
  messageAt: (packet, at, lengthBytes) => {
    if (lengthBytes < ipv4.HEADER_BYTES || ipv4.protocol(packet, at) !== ipv4.PROTOCOL_ICMP) return -1;
    return at + ipv4.headerBytes(packet, at);
  },
  hops: (packet) => ipv4.ttl(packet, 0),
};

export const PING6: PingFamily = {
  requestType: icmpv6.TYPE_ECHO_REQUEST,
  replyType: icmpv6.TYPE_ECHO_REPLY,
  errorText: {
    '1.0': 'No Route to Destination',
    '1.1': 'Destination Administratively Unreachable',
    '1.2': 'Destination Unreachable Beyond Scope',
    '1.3': 'Destination Host Unreachable',
    '1.4': 'Destination Port Unreachable',
    '2.0': 'Packet too big',
    '3.0': 'Time to live exceeded',
    '3.1': 'Frag reassembly time exceeded',
    '4.0': 'Parameter Problem: Erroneous Header',
    '4.1': 'Parameter Problem: Unknown Nextheader',
    '4.2': 'Parameter Problem: Unrecognized Option',
  },
  messageAt: (packet, at, lengthBytes) => {
    if (lengthBytes < ipv6.HEADER_BYTES) return -1;
    const walk = new ipv6.HeaderWalk();
    const start = at + ipv6.HEADER_BYTES;
    if (walk.walk(packet, start, at + lengthBytes, ipv6.nextHeader(packet, at)) !== 0) return -1;
    return walk.protocol === icmpv6.PROTOCOL_ICMPV6 ? walk.payloadAt : -1;
  },
  hops: (packet) => ipv6.hopLimit(packet, 0),
};

export interface PingContext {
  callouts: CalloutTable;
  nowUs(): number;
  socket: RawSocket;
  zones: ZoneNames;
  /** Source address of the requests, as text. */
  source?: string;
}

export class Ping {
  readonly #context: PingContext;
  readonly #options: PingOptions;
  readonly #family: PingFamily;
  readonly #address: SocketAddress;
  readonly #identifier: number;
  readonly #emit: (event: PingEvent) => void;
  readonly #message: DataView;
  readonly #packet: DataView = new DataView(new ArrayBuffer(65_536));
  readonly #info: DatagramInfo = new DatagramInfo();
  readonly #sentUs: number[] = [];
  readonly #answered: boolean[] = [];
  readonly #timesMs: number[] = [];
  readonly #sender: Callout;
  #duplicates = 0;
  #ended = false;

  /** `address` is the resolved `options.host`; `identifier` tells this ping's answers from others'. */
  constructor(
    context: PingContext,
    options: PingOptions,
    family: PingFamily,
    address: SocketAddress,
    identifier: number,
    emit: (event: PingEvent) => void,
  ) {
    this.#context = context;
    this.#options = options;
    this.#family = family;
    this.#address = address;
    this.#identifier = identifier & 0xffff;
    this.#emit = emit;
    const bytes = HEADER_BYTES + Math.min(options.payloadBytes, MESSAGE_BYTES_MAX - HEADER_BYTES);
    this.#message = new DataView(new ArrayBuffer(bytes));
    for (let i = HEADER_BYTES; i < bytes; i++) this.#message.setUint8(i, i & 0xff);
    this.#sender = new Callout((nowUs) => this.#tick(nowUs));
  }

  start(): void {
    const { socket, callouts } = this.#context;
    if (this.#options.ttl > 0) socket.setOption('ttl', this.#options.ttl);
    socket.onEvents = (events) => {
      if (events & EVENT_READABLE) this.#receive();
    };
    const { host } = this.#options;
    const { source } = this.#context;
    this.#emit({
      type: 'start',
      host,
      address: this.#address.format(this.#context.zones),
      payloadBytes: this.#message.byteLength - HEADER_BYTES,
      ...(source === undefined ? {} : { source }),
    });
    callouts.schedule(this.#sender, this.#context.nowUs());
  }

  /** End now, with the statistics so far. */
  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#context.callouts.stop(this.#sender);
    this.#context.socket.close();
    this.#emit({
      type: 'end',
      transmitted: this.#sentUs.length,
      received: this.#timesMs.length,
      duplicates: this.#duplicates,
      timesMs: this.#timesMs,
    });
  }

  #tick(nowUs: number): void {
    if (this.#sentUs.length >= this.#options.count) {
      this.stop();
      return;
    }
    this.#send(nowUs);
    const last = this.#sentUs.length >= this.#options.count;
    const waitMs = last ? this.#options.waitMs : this.#options.intervalMs;
    this.#context.callouts.schedule(this.#sender, nowUs + waitMs * US_PER_MS);
  }

  #send(nowUs: number): void {
    const message = this.#message;
    const sequence = this.#sentUs.length & 0xffff;
    message.setUint8(0, this.#family.requestType);
    message.setUint8(1, 0);
    message.setUint16(2, 0);
    message.setUint16(4, this.#identifier);
    message.setUint16(6, sequence);
    // The checksum of ICMPv6 covers the source address: the raw socket computes it.
    if (this.#family === PING4) message.setUint16(2, checksumOf(sumView(message, 0, message.byteLength)));
    this.#sentUs.push(nowUs);
    this.#answered.push(false);
    const bytes = new Uint8Array(message.buffer);
    const result = this.#context.socket.send(bytes, 0, bytes.length, this.#address);
    if (result < 0) this.#emit({ type: 'sendError', sequence, code: errnoName(result) });
  }

  #receive(): void {
    const bytes = new Uint8Array(this.#packet.buffer);
    for (;;) {
      const length = this.#context.socket.receive(bytes, 0, bytes.length, this.#info);
      if (length < 0) return;
      this.#packetArrived(length, this.#context.nowUs());
      if (this.#ended) return;
    }
  }

  /** One IP packet from the raw socket: an answer of ours, an error about a request of ours, or somebody else's. */
  #packetArrived(length: number, nowUs: number): void {
    const packet = this.#packet;
    const { replyType, errorText } = this.#family;
    const at = this.#family.messageAt(packet, 0, length);
    if (at < 0 || length < at + HEADER_BYTES) return;
    const type = packet.getUint8(at);
    if (type === replyType) {
      if (packet.getUint16(at + 4) === this.#identifier) this.#reply(packet, at, length, nowUs);
      return;
    }
    const code = packet.getUint8(at + 1);
    const text = errorText[`${type}.${code}`];
    if (text === undefined) return;
    const inner = at + HEADER_BYTES;
    const quoted = this.#family.messageAt(packet, inner, length - inner);
    if (quoted < 0 || length < quoted + HEADER_BYTES || packet.getUint16(quoted + 4) !== this.#identifier) return;
    const sequence = packet.getUint16(quoted + 6);
    const sentUs = this.#sentUs[sequence];
    const timeMs = sentUs === undefined ? -1 : (nowUs - sentUs) / US_PER_MS;
    this.#emit({ type: 'error', from: this.#from(), sequence, text, icmpType: type, icmpCode: code, timeMs });
  }

  #from(): string {
    return this.#info.from.format(this.#context.zones);
  }

  #reply(packet: DataView, at: number, length: number, nowUs: number): void {
    const sequence = packet.getUint16(at + 6);
    const sentUs = this.#sentUs[sequence];
    if (sentUs === undefined) return;
    const duplicate = this.#answered[sequence] === true;
    const timeMs = (nowUs - sentUs) / US_PER_MS;
    if (duplicate) this.#duplicates++;
    else this.#timesMs.push(timeMs);
    this.#answered[sequence] = true;
    this.#emit({
      type: 'reply',
      from: this.#from(),
      bytes: length - at,
      sequence,
      ttl: this.#family.hops(packet),
      timeMs,
      duplicate,
    });
    if (this.#timesMs.length >= this.#options.count) this.stop();
  }
}
