/**
 * ping: ICMP echo from a kernel, in NetBSD's numbering (sequence from 0), reported as events.
 *
 * Thread: the one that runs the kernel. Read first: RFC 792 (echo), RFC 1122 section 3.2.2.6. Time comes from the kernel;
 * the tool that prints lives in cli/.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import { errnoName } from '../base/errors.ts';
import { Callout, type CalloutTable } from '../kern/callout.ts';
import { type DatagramInfo, EVENT_READABLE, type RawSocket } from '../socket/socket.ts';
import * as icmpv4 from '../wire/icmpv4.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { PingEvent, PingOptions } from './control.ts';

const MESSAGE_BYTES_MAX = 65_507;
const ERROR_TEXT: Readonly<Record<string, string>> = {
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
};

export interface PingContext {
  callouts: CalloutTable;
  nowUs(): number;
  socket: RawSocket;
}

export class Ping {
  readonly #context: PingContext;
  readonly #options: PingOptions;
  readonly #address: number;
  readonly #identifier: number;
  readonly #emit: (event: PingEvent) => void;
  readonly #message: DataView;
  readonly #packet: DataView = new DataView(new ArrayBuffer(65_536));
  readonly #info: DatagramInfo = { address: 0, port: 0, fullBytes: 0 };
  readonly #sentUs: number[] = [];
  readonly #answered: boolean[] = [];
  readonly #timesMs: number[] = [];
  readonly #sender: Callout;
  #duplicates = 0;
  #ended = false;

  /** `address` is the resolved `options.host`, int32; `identifier` tells this ping's answers from others'. */
  constructor(
    context: PingContext,
    options: PingOptions,
    address: number,
    identifier: number,
    emit: (event: PingEvent) => void,
  ) {
    this.#context = context;
    this.#options = options;
    this.#address = address;
    this.#identifier = identifier & 0xffff;
    this.#emit = emit;
    const bytes = icmpv4.HEADER_BYTES + Math.min(options.payloadBytes, MESSAGE_BYTES_MAX - icmpv4.HEADER_BYTES);
    this.#message = new DataView(new ArrayBuffer(bytes));
    for (let i = icmpv4.HEADER_BYTES; i < bytes; i++) this.#message.setUint8(i, i & 0xff);
    this.#sender = new Callout((nowUs) => this.#tick(nowUs));
  }

  start(): void {
    const { socket, callouts } = this.#context;
    if (this.#options.ttl > 0) socket.setOption('ttl', this.#options.ttl);
    socket.onEvents = (events) => {
      if (events & EVENT_READABLE) this.#receive();
    };
    const host = this.#options.host;
    this.#emit({
      type: 'start',
      host,
      address: ipv4.formatAddress(this.#address),
      payloadBytes: this.#message.byteLength - icmpv4.HEADER_BYTES,
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
    this.#context.callouts.schedule(this.#sender, nowUs + waitMs * 1000);
  }

  #send(nowUs: number): void {
    const message = this.#message;
    const sequence = this.#sentUs.length & 0xffff;
    message.setUint8(0, icmpv4.TYPE_ECHO_REQUEST);
    message.setUint8(1, 0);
    message.setUint16(2, 0);
    message.setUint16(4, this.#identifier);
    message.setUint16(6, sequence);
    message.setUint16(2, checksumOf(sumView(message, 0, message.byteLength)));
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
    const at = ipv4.headerBytes(packet, 0);
    if (length < at + icmpv4.HEADER_BYTES) return;
    const type = packet.getUint8(at);
    if (type === icmpv4.TYPE_ECHO_REPLY) {
      if (packet.getUint16(at + 4) === this.#identifier) this.#reply(packet, at, length, nowUs);
      return;
    }
    const text = ERROR_TEXT[`${type}.${packet.getUint8(at + 1)}`];
    const inner = at + icmpv4.HEADER_BYTES;
    if (text === undefined || length < inner + 28 || packet.getUint8(inner + 9) !== ipv4.PROTOCOL_ICMP) return;
    const quoted = inner + (packet.getUint8(inner) & 15) * 4;
    if (length < quoted + 8 || packet.getUint16(quoted + 4) !== this.#identifier) return;
    this.#emit({
      type: 'error',
      from: ipv4.formatAddress(this.#info.address),
      sequence: packet.getUint16(quoted + 6),
      text,
    });
  }

  #reply(packet: DataView, at: number, length: number, nowUs: number): void {
    const sequence = packet.getUint16(at + 6);
    const sentUs = this.#sentUs[sequence];
    if (sentUs === undefined) return;
    const duplicate = this.#answered[sequence] === true;
    const timeMs = (nowUs - sentUs) / 1000;
    if (duplicate) this.#duplicates++;
    else this.#timesMs.push(timeMs);
    this.#answered[sequence] = true;
    this.#emit({
      type: 'reply',
      from: ipv4.formatAddress(this.#info.address),
      bytes: length - at,
      sequence,
      ttl: ipv4.ttl(packet, 0),
      timeMs,
      duplicate,
    });
    if (this.#timesMs.length >= this.#options.count) this.stop();
  }
}
