/**
 * ICMP echo as a program over a raw socket of the kernel, in NetBSD's numbering (sequence from 0), reported as events: the core of
 * ping, ping6 and traceroute.
 *
 * Thread: the client's. Round trips are differences of the kernel's own stamps; timers and the identifier are arguments, so that
 * the same program runs on a virtual clock. Read first: RFC 792 (echo), RFC 1122 section 3.2.2.6, RFC 4443 section 4.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import { errnoName, MultikernelError } from '../base/errors.ts';
import { US_PER_MS } from '../base/units.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import type { IpAddress, RawEvent, RawInput, StreamHandle } from '../sys/control.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { type AddressFamily, formatAddress, type InterfaceNames } from './address-text.ts';
import { ECHO4, ECHO6, type EchoFormat, HEADER_BYTES, recordedRoute, requestOptions } from './echo-format.ts';

const MESSAGE_BYTES_MAX = 65_507;
const HOPS_MAX = 255;
const TOS_MAX = 255;
/** Timers take no longer time. */
const DELAY_MS_MAX = 0x7fffffff;

/** Options of a ping. */
export interface PingOptions {
  /** Name or address. */
  host: string;
  /** The address of a name to take; absent: the first. An address is of its own family. */
  family?: AddressFamily;
  /** Requests to send. */
  count: number;
  /** Milliseconds from request to request. */
  intervalMs: number;
  /** Bytes behind the ICMP header. */
  payloadBytes: number;
  /** Time to live, or hop limit, of the requests: 1 to 255. */
  ttl: number;
  /** Wait for the last answers. */
  waitMs: number;
  /** End after this time, whatever came; absent: never. */
  deadlineMs?: number;
  /** Requests sent at once in the beginning, among `count`; default 1. */
  preload?: number;
  /** Own address of the requests; absent: the one towards the host. */
  source?: string;
  /** Type of service, or traffic class: 0 to 255. */
  tos?: number;
  /** IPv4: the requests are not fragmented. */
  dontFragment?: boolean;
  /** IPv4: routers enter their addresses (RFC 791), up to nine. */
  recordRoute?: boolean;
  /** IPv4: the requests go there first, by a loose source route. */
  gateway?: string;
  /** Bytes that fill the payload again and again; absent: 0, 1, 2 and so on. */
  pattern?: readonly number[];
  /** Errors come with the packet that they quote. */
  verbose?: boolean;
}

/** One event of a running ping. */
export type PingEvent =
  /** `source`: our address, IPv6 only; absent when nothing leads there. */
  | { type: 'start'; host: string; address: string; payloadBytes: number; source?: string }
  | {
      type: 'reply';
      from: string;
      bytes: number;
      sequence: number;
      ttl: number;
      timeMs: number;
      duplicate: boolean;
      /** Our address that was answered, with `verbose` and IPv6. */
      to?: string;
      /** Addresses that routers have entered. */
      route?: string[];
    }
  /** An ICMP error about a request. `timeMs`: since that was sent, -1 when it is not known any more. */
  | {
      type: 'error';
      from: string;
      sequence: number;
      text: string;
      icmpType: number;
      icmpCode: number;
      timeMs: number;
      /** Length of the ICMP message. */
      bytes?: number;
      /** With `verbose`: as much of the packet as it quotes, IP header first. */
      quoted?: number[];
    }
  | { type: 'sendError'; sequence: number; code: string }
  | { type: 'end'; transmitted: number; received: number; duplicates: number; timesMs: number[] };

/** Runs a function once after a delay; the returned function cancels it. */
export type StartTimer = (delayMs: number, run: () => void) => () => void;

export interface EchoContext {
  client: Pick<KernelClient, 'open'>;
  startTimer: StartTimer;
  names: InterfaceNames;
  /** Tells the answers of this echo from others'; 16 bits. */
  identifier: number;
}

function checkOptions(options: PingOptions): void {
  const { count, intervalMs, payloadBytes, ttl, waitMs, deadlineMs = 0, preload = 1, tos = 0 } = options;
  const refuse = (name: string, what: string): never => {
    throw new MultikernelError('EINVAL', `${name}: not ${what}`);
  };
  const bytesMax = MESSAGE_BYTES_MAX - HEADER_BYTES;
  const isDelay = (ms: number): boolean => ms >= 0 && ms <= DELAY_MS_MAX;
  if (!Number.isSafeInteger(count) || count < 1) refuse('count', 'a positive integer');
  if (!isDelay(intervalMs)) refuse('intervalMs', `a time from 0 to ${DELAY_MS_MAX}`);
  if (!isDelay(waitMs)) refuse('waitMs', `a time from 0 to ${DELAY_MS_MAX}`);
  if (!isDelay(deadlineMs)) refuse('deadlineMs', `a time from 0 to ${DELAY_MS_MAX}`);
  if (!Number.isSafeInteger(preload) || preload < 1) refuse('preload', 'a positive integer');
  if (!Number.isInteger(tos) || tos < 0 || tos > TOS_MAX) refuse('tos', `an integer from 0 to ${TOS_MAX}`);
  if (!Number.isInteger(payloadBytes) || payloadBytes < 0 || payloadBytes > bytesMax) {
    refuse('payloadBytes', `an integer from 0 to ${bytesMax}`);
  }
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > HOPS_MAX) refuse('ttl', `an integer from 1 to ${HOPS_MAX}`);
}

/** Addresses of an echo: of the host, our own (null: as the routes say), and of the gateway in front of the host (null: none). */
export interface EchoEnds {
  to: IpAddress;
  from: IpAddress | null;
  gateway: IpAddress | null;
}

export class Echo {
  readonly #context: EchoContext;
  readonly #options: PingOptions;
  readonly #format: EchoFormat;
  readonly #to: IpAddress;
  readonly #from: IpAddress | null;
  /** {@link #to}, or the gateway in front of it. */
  readonly #sendTo: IpAddress;
  readonly #ipOptions: Uint8Array;
  readonly #emit: (event: PingEvent) => void;
  readonly #message: DataView;
  readonly #identifier: number;
  readonly #hops: number;
  /** By sequence: the kernel's time of sending. */
  readonly #sentUs: number[] = [];
  readonly #answered: boolean[] = [];
  readonly #timesMs: number[] = [];
  #raw: StreamHandle<RawInput> | null = null;
  #transmitted = 0;
  #duplicates = 0;
  #cancelTimer: () => void = () => {};
  #cancelDeadline: () => void = () => {};
  #begun = false;
  #ended = false;

  /** `ends` are the addresses of `options`. Throws EINVAL. */
  constructor(context: EchoContext, options: PingOptions, ends: EchoEnds, emit: (event: PingEvent) => void) {
    const { to, from, gateway } = ends;
    this.#context = context;
    this.#options = options;
    this.#format = to.family === 6 ? ECHO6 : ECHO4;
    this.#to = to;
    this.#from = from;
    this.#sendTo = gateway ?? to;
    this.#ipOptions = requestOptions(gateway === null ? null : to, options.recordRoute === true);
    this.#identifier = context.identifier & 0xffff;
    this.#emit = emit;
    checkOptions(options);
    this.#hops = options.ttl;
    const bytes = HEADER_BYTES + options.payloadBytes;
    this.#message = new DataView(new ArrayBuffer(bytes));
    const { pattern } = options;
    for (let i = HEADER_BYTES; i < bytes; i++) {
      const byte = pattern === undefined ? i & 0xff : pattern[(i - HEADER_BYTES) % pattern.length];
      this.#message.setUint8(i, byte as number);
    }
  }

  /** `failed` is called when the kernel ends the socket. */
  start(failed: (error: Error) => void): void {
    const { family, protocol } = this.#format;
    const sink = {
      event: (event: RawEvent): void => this.#event(event),
      end: (error: Error | null): void => {
        if (this.#ended) return;
        if (error === null) this.stop();
        else this.#fail(error, failed);
      },
    };
    const { tos = 0, dontFragment = false, deadlineMs, preload = 1 } = this.#options;
    const header = { from: this.#from, tos, dontFragment, options: this.#ipOptions };
    this.#raw = this.#context.client.open('raw', { family, protocol, ...header }, sink);
    this.#cancelTimer = this.#context.startTimer(0, () => {
      for (let i = 1; i < preload && !this.#ended; i++) this.#send();
      if (!this.#ended) this.#tick();
    });
    if (deadlineMs !== undefined) this.#cancelDeadline = this.#context.startTimer(deadlineMs, () => this.stop());
  }

  /** End now, with the statistics so far. */
  stop(): void {
    if (this.#ended) return;
    if (!this.#begun) this.#begin(null);
    this.#ended = true;
    this.#cancelTimer();
    this.#cancelDeadline();
    this.#raw?.close();
    this.#emit({
      type: 'end',
      transmitted: this.#transmitted,
      received: this.#timesMs.length,
      duplicates: this.#duplicates,
      timesMs: this.#timesMs,
    });
  }

  #fail(error: Error, failed: (error: Error) => void): void {
    this.#ended = true;
    this.#cancelTimer();
    this.#cancelDeadline();
    failed(error);
  }

  #tick(): void {
    const { count, intervalMs, waitMs } = this.#options;
    if (this.#transmitted >= count) {
      this.stop();
      return;
    }
    this.#send();
    if (this.#ended) return;
    const delayMs = this.#transmitted >= count ? waitMs : intervalMs;
    this.#cancelTimer = this.#context.startTimer(delayMs, () => this.#tick());
  }

  #send(): void {
    const message = this.#message;
    const id = this.#transmitted++;
    message.setUint8(0, this.#format.requestType);
    message.setUint8(1, 0);
    message.setUint16(2, 0);
    message.setUint16(4, this.#identifier);
    message.setUint16(6, id & 0xffff);
    if (this.#format.ownChecksum) message.setUint16(2, checksumOf(sumView(message, 0, message.byteLength)));
    const bytes = new Uint8Array(message.buffer.slice(0));
    this.#raw?.send({ id, to: this.#sendTo, hops: this.#hops, bytes });
  }

  #begin(source: IpAddress | null): void {
    this.#begun = true;
    const { names } = this.#context;
    const { host, payloadBytes } = this.#options;
    const own = source === null || source.family === 4 ? {} : { source: formatAddress(source, names) };
    this.#emit({ type: 'start', host, address: formatAddress(this.#to, names), payloadBytes, ...own });
  }

  #event(event: RawEvent): void {
    if (this.#ended) return;
    if (event.type === 'packet') {
      this.#packetArrived(event);
      return;
    }
    if (!this.#begun) this.#begin(event.source);
    this.#sentUs[event.id] = event.timeUs;
    this.#answered[event.id] = false;
    if (event.errno < 0) {
      this.#emit({ type: 'sendError', sequence: event.id & 0xffff, code: errnoName(event.errno) });
    }
  }

  /** One IP packet: an answer to this echo, an error about a request of it, or a packet for another program. */
  #packetArrived(event: Extract<RawEvent, { type: 'packet' }>): void {
    const { bytes, timeUs } = event;
    const length = bytes.length;
    const packet = new DataView(bytes.buffer, bytes.byteOffset, length);
    const { replyType, errorText } = this.#format;
    const at = this.#format.messageAt(packet, 0, length);
    if (at < 0 || length < at + HEADER_BYTES) return;
    const type = packet.getUint8(at);
    const from = formatAddress(event.from, this.#context.names);
    if (type === replyType) {
      if (packet.getUint16(at + 4) === this.#identifier) this.#reply(packet, at, length, timeUs, from);
      return;
    }
    const code = packet.getUint8(at + 1);
    const words = errorText[`${type}.${code}`];
    if (words === undefined) return;
    const text = words + this.#format.errorDetail(packet, at);
    const inner = at + HEADER_BYTES;
    const quoted = this.#format.messageAt(packet, inner, length - inner);
    if (quoted < 0 || length < quoted + HEADER_BYTES || packet.getUint16(quoted + 4) !== this.#identifier) return;
    const sequence = packet.getUint16(quoted + 6);
    const sentUs = this.#sentUs[sequence];
    const timeMs = sentUs === undefined ? -1 : (timeUs - sentUs) / US_PER_MS;
    const quote = this.#options.verbose === true ? { quoted: [...bytes.subarray(inner)] } : {};
    const error = { from, sequence, text, icmpType: type, icmpCode: code, timeMs, bytes: length - at, ...quote };
    this.#emit({ type: 'error', ...error });
  }

  #reply(packet: DataView, at: number, length: number, timeUs: number, from: string): void {
    const sequence = packet.getUint16(at + 6);
    const sentUs = this.#sentUs[sequence];
    if (sentUs === undefined) return;
    const duplicate = this.#answered[sequence] === true;
    const timeMs = (timeUs - sentUs) / US_PER_MS;
    if (duplicate) this.#duplicates++;
    else this.#timesMs.push(timeMs);
    this.#answered[sequence] = true;
    const ttl = this.#format.hops(packet);
    const route = this.#options.recordRoute === true ? { route: recordedRoute(packet, at) } : {};
    const { verbose } = this.#options;
    const to = verbose === true && this.#format.family === 6 ? { to: ipv6.formatAddress(ipv6.dst(packet, 0)) } : {};
    this.#emit({ type: 'reply', from, bytes: length - at, sequence, ttl, timeMs, duplicate, ...to, ...route });
    if (this.#timesMs.length >= this.#options.count) this.stop();
  }
}
