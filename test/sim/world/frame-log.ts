/**
 * Every frame that the devices of a world send, with its virtual time: as a digest, as a capture, and checked for sums
 * that are wrong before the link could spoil anything.
 */

import { writeFileSync } from 'node:fs';
import { foldSum, pseudoSum4, sumView } from '../../../src/base/checksum.ts';
import { type Device, type FrameBatch, META_CHECKSUM_PARTIAL } from '../../../src/link/device.ts';
import { Middleware } from '../../../src/link/middleware.ts';
import type { Arena } from '../../../src/mem/arena.ts';
import * as ethernet from '../../../src/wire/ethernet.ts';
import * as ipv4 from '../../../src/wire/ipv4.ts';
import * as ipv6 from '../../../src/wire/ipv6.ts';
import { isLinkLocal, parseAddress as parseAddress6 } from '../../../src/wire/ipv6-address.ts';
import { interfaceBlock, packetBlock, sectionBlock } from '../../../src/wire/pcapng.ts';
import type { WindowWatch } from './window-watch.ts';

const ONES = 0xffff;
const FRAGMENT_MASK = 0x3fff;
/** TCP, UDP, ICMPv6. */
const SUMMED6: readonly number[] = [6, 17, 58];
/** Hop limits of what was made here: MLD, the default, neighbor discovery. */
const FIRST_HOP_LIMITS: readonly number[] = [1, 64, 255];
/** Captures end here, so that a simulation that runs wild does not eat the machine. */
const CAPTURE_BYTES_MAX = 1_000_000_000;

export interface Clock {
  nowUs(): number;
}

export class FrameLog {
  readonly #clock: Clock;
  readonly #epochNs: bigint;
  readonly #blocks: Uint8Array[] | null;
  #blockBytes = 0;
  #interfaces = 0;
  #digest = 0;
  #second = 0x9e3779b9 | 0;
  readonly #framesMost: number;
  frames = 0;
  bytes = 0;
  /** What was wrong with frames that were sent; the first few. */
  readonly faults: string[] = [];

  /** `framesMost`: the next frame is an error that ends the world. */
  constructor(clock: Clock, epochNs: bigint, capture: boolean, framesMost: number) {
    this.#framesMost = framesMost;
    this.#clock = clock;
    this.#epochNs = epochNs;
    this.#blocks = capture ? [] : null;
    this.#keep(sectionBlock({ application: 'multikernel sim' }));
  }

  /** 64 bits of hash over all frames and their times, as text. */
  get digest(): string {
    return (this.#digest >>> 0).toString(16).padStart(8, '0') + (this.#second >>> 0).toString(16).padStart(8, '0');
  }

  openInterface(name: string): number {
    this.#keep(interfaceBlock({ linkType: 1, snapBytes: 0, name }));
    return this.#interfaces++;
  }

  sent(index: number, arena: Arena, at: number, lengthBytes: number): void {
    this.frames++;
    this.bytes += lengthBytes;
    const nowUs = this.#clock.nowUs();
    let a = Math.imul(this.#digest ^ index, 0x01000193) ^ Math.floor(nowUs);
    let b = Math.imul(this.#second ^ lengthBytes, 0x85ebca6b) ^ ((nowUs * 1024) | 0);
    const { bytes } = arena;
    for (let i = 0; i < lengthBytes; i++) a = Math.imul(a ^ (bytes[at + i] as number), 0x01000193);
    b = Math.imul(b ^ a, 0xc2b2ae35) ^ (a >>> 15);
    this.#digest = a;
    this.#second = b;
    this.#record(index, arena, at, lengthBytes, 'out');
    if (this.frames > this.#framesMost) throw new Error(`a storm: more than ${this.#framesMost} frames at ${nowUs} us`);
  }

  received(index: number, arena: Arena, at: number, lengthBytes: number): void {
    this.#record(index, arena, at, lengthBytes, 'in');
  }

  fault(text: string): void {
    if (this.faults.length < 5) this.faults.push(`${Math.floor(this.#clock.nowUs())} us: ${text}`);
  }

  /** Write the capture. Throws when none was taken. */
  save(file: string): void {
    if (this.#blocks === null) throw new Error('no capture was taken');
    writeFileSync(file, Buffer.concat(this.#blocks));
  }

  #record(interfaceIndex: number, arena: Arena, at: number, lengthBytes: number, direction: 'in' | 'out'): void {
    if (this.#blocks === null || this.#blockBytes > CAPTURE_BYTES_MAX) return;
    const timeNs = this.#epochNs + BigInt(Math.floor(this.#clock.nowUs() * 1000));
    const bytes = arena.bytes.slice(at, at + lengthBytes);
    this.#keep(packetBlock({ interfaceIndex, timeNs, lengthBytes, bytes, direction }));
  }

  #keep(block: Uint8Array): void {
    if (this.#blocks === null) return;
    this.#blocks.push(block);
    this.#blockBytes += block.length;
  }
}

/** Addresses of one machine: packets from them are made there, so that their sums must be right. */
export class OwnAddresses {
  readonly #four: readonly number[];
  readonly #six: readonly string[];
  readonly #auto: boolean;

  /** `auto`: it makes addresses of its own, and forwards nothing. */
  constructor(texts: readonly string[], auto: boolean) {
    this.#auto = auto;
    this.#four = texts.flatMap((text) => ipv4.parseAddress(text) ?? []);
    this.#six = texts.flatMap((text) => (text.includes(':') ? `${parseAddress6(text)}` : []));
  }

  /** Whether the packet at `at` comes from here. */
  sent4(view: DataView, at: number): boolean {
    return this.#four.includes(ipv4.src(view, at));
  }

  /** Link-local ones are never forwarded. */
  sent6(view: DataView, at: number): boolean {
    return this.#auto || isLinkLocal(ipv6.srcWord(view, at, 0)) || this.#six.includes(`${ipv6.src(view, at)}`);
  }
}

/** Between a kernel and its link. */
export class LoggedDevice extends Middleware {
  readonly #log: FrameLog;
  readonly #index: number;
  readonly #name: string;
  readonly #arena: Arena;
  readonly #own: OwnAddresses;
  readonly #windows: WindowWatch;
  #openAt = 0;

  /** `windows`: of the machine, whatever interface its connections use. */
  constructor(
    inner: Device,
    arena: Arena,
    log: FrameLog,
    index: number,
    own: OwnAddresses,
    windows: WindowWatch,
    name: string,
  ) {
    super(inner);
    this.#windows = windows;
    this.#log = log;
    this.#arena = arena;
    this.#index = index;
    this.#own = own;
    this.#name = name;
  }

  override reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    this.#openAt = this.innerQueue.reserve(dstHi, dstLo, lengthBytes);
    return this.#openAt;
  }

  override commit(lengthBytes: number, meta: number): void {
    this.#log.sent(this.#index, this.#arena, this.#openAt, lengthBytes);
    const fault = faultOf(this.#arena.view, this.#openAt, lengthBytes, meta, this.#own, this.#windows);
    if (fault !== '') this.#log.fault(`${this.#name}: ${fault}`);
    this.innerQueue.commit(lengthBytes, meta);
  }

  override receive(batch: FrameBatch): number {
    const count = this.innerQueue.receive(batch);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      this.#log.received(this.#index, this.#arena, at, batch.length[i] as number);
      const { view } = this.#arena;
      const type = ethernet.type(view, at);
      if (type !== ethernet.ETHERTYPE_IPV4 && type !== ethernet.ETHERTYPE_IPV6) continue;
      this.#windows.received(view, at + ethernet.HEADER_BYTES, batch.meta[i] as number);
    }
    return count;
  }
}

/** What is wrong with a frame that is about to be sent, '' when nothing is. */
function faultOf(
  view: DataView,
  at: number,
  lengthBytes: number,
  meta: number,
  own: OwnAddresses,
  windows: WindowWatch,
): string {
  const type = ethernet.type(view, at);
  const ip = at + ethernet.HEADER_BYTES;
  const bytes = lengthBytes - ethernet.HEADER_BYTES;
  const partial = (meta & META_CHECKSUM_PARTIAL) !== 0;
  if (type === ethernet.ETHERTYPE_IPV4) {
    const sent = own.sent4(view, ip) ? windows.sent(view, ip, ipv4.totalLength(view, ip)) : '';
    return fault4(view, ip, bytes, partial, own) || sent;
  }
  if (type !== ethernet.ETHERTYPE_IPV6) return '';
  const sent = own.sent6(view, ip) ? windows.sent(view, ip, ipv6.HEADER_BYTES + ipv6.payloadBytes(view, ip)) : '';
  return fault6(view, ip, bytes, partial, own) || sent;
}

function fault4(view: DataView, at: number, lengthBytes: number, partial: boolean, own: OwnAddresses): string {
  const headerBytes = ipv4.headerBytes(view, at);
  const totalBytes = ipv4.totalLength(view, at);
  if (totalBytes > lengthBytes) return `IP length ${totalBytes} in a frame of ${lengthBytes}`;
  if (foldSum(sumView(view, at, headerBytes)) !== ONES) return 'wrong IP header checksum';
  const whole = (view.getUint16(at + 6) & FRAGMENT_MASK) === 0;
  if (!whole || partial || !own.sent4(view, at)) return '';
  const protocol = ipv4.protocol(view, at);
  const body = at + headerBytes;
  const bodyBytes = totalBytes - headerBytes;
  let sum = sumView(view, body, bodyBytes);
  if (protocol === ipv4.PROTOCOL_UDP && view.getUint16(body + 6) === 0) return '';
  if (protocol === ipv4.PROTOCOL_TCP || protocol === ipv4.PROTOCOL_UDP) {
    sum += pseudoSum4(ipv4.src(view, at), ipv4.dst(view, at), protocol, bodyBytes);
  } else if (protocol !== ipv4.PROTOCOL_ICMP) {
    return '';
  }
  return foldSum(sum) === ONES ? '' : `wrong checksum of protocol ${protocol}`;
}

function fault6(view: DataView, at: number, lengthBytes: number, partial: boolean, own: OwnAddresses): string {
  const bodyBytes = ipv6.payloadBytes(view, at);
  if (bodyBytes + ipv6.HEADER_BYTES > lengthBytes) return `IPv6 length ${bodyBytes} in a frame of ${lengthBytes}`;
  const protocol = ipv6.nextHeader(view, at);
  // A header without a checksum: damage can make a packet that is forwarded seem to be a router's own.
  if (!FIRST_HOP_LIMITS.includes(ipv6.hopLimit(view, at))) return '';
  if (partial || !SUMMED6.includes(protocol) || !own.sent6(view, at)) return '';
  const sum = ipv6.pseudoSum(view, at, protocol, bodyBytes) + sumView(view, at + ipv6.HEADER_BYTES, bodyBytes);
  return foldSum(sum) === ONES ? '' : `wrong checksum of next header ${protocol}`;
}
