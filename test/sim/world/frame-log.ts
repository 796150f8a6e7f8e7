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
import { interfaceBlock, packetBlock, sectionBlock } from '../../../src/wire/pcapng.ts';

const ONES = 0xffff;
const FRAGMENT_MASK = 0x3fff;
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
  frames = 0;
  bytes = 0;
  /** What was wrong with frames that were sent; the first few. */
  readonly faults: string[] = [];

  constructor(clock: Clock, epochNs: bigint, capture: boolean) {
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

/** Between a kernel and its link. */
export class LoggedDevice extends Middleware {
  readonly #log: FrameLog;
  readonly #index: number;
  readonly #name: string;
  readonly #arena: Arena;
  /** Addresses whose packets are made here, so that their sums must be right. */
  readonly #own: readonly number[];
  #openAt = 0;

  constructor(inner: Device, arena: Arena, log: FrameLog, index: number, own: readonly number[], name: string) {
    super(inner);
    this.#log = log;
    this.#arena = arena;
    this.#index = index;
    this.#own = own;
    this.#name = name;
  }

  override reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    this.#openAt = this.inner.reserve(dstHi, dstLo, lengthBytes);
    return this.#openAt;
  }

  override commit(lengthBytes: number, meta: number): void {
    this.#log.sent(this.#index, this.#arena, this.#openAt, lengthBytes);
    const fault = faultOf(this.#arena.view, this.#openAt, lengthBytes, meta, this.#own);
    if (fault !== '') this.#log.fault(`${this.#name}: ${fault}`);
    this.inner.commit(lengthBytes, meta);
  }

  override receive(batch: FrameBatch): number {
    const count = this.inner.receive(batch);
    for (let i = 0; i < count; i++) {
      this.#log.received(this.#index, this.#arena, batch.at[i] as number, batch.length[i] as number);
    }
    return count;
  }
}

/** What is wrong with a frame that is about to be sent, '' when nothing is. */
function faultOf(view: DataView, at: number, lengthBytes: number, meta: number, own: readonly number[]): string {
  if (ethernet.type(view, at) !== ethernet.ETHERTYPE_IPV4) return '';
  const ip = at + ethernet.HEADER_BYTES;
  const headerBytes = ipv4.headerBytes(view, ip);
  const totalBytes = ipv4.totalLength(view, ip);
  if (totalBytes > lengthBytes - ethernet.HEADER_BYTES) return `IP length ${totalBytes} in a frame of ${lengthBytes}`;
  if (foldSum(sumView(view, ip, headerBytes)) !== ONES) return 'wrong IP header checksum';
  const whole = (view.getUint16(ip + 6) & FRAGMENT_MASK) === 0;
  if (!whole || !own.includes(ipv4.src(view, ip)) || (meta & META_CHECKSUM_PARTIAL) !== 0) return '';
  const protocol = ipv4.protocol(view, ip);
  const body = ip + headerBytes;
  const bodyBytes = totalBytes - headerBytes;
  let sum = sumView(view, body, bodyBytes);
  if (protocol === ipv4.PROTOCOL_UDP && view.getUint16(body + 6) === 0) return '';
  if (protocol === ipv4.PROTOCOL_TCP || protocol === ipv4.PROTOCOL_UDP) {
    sum += pseudoSum4(ipv4.src(view, ip), ipv4.dst(view, ip), protocol, bodyBytes);
  } else if (protocol !== ipv4.PROTOCOL_ICMP) {
    return '';
  }
  return foldSum(sum) === ONES ? '' : `wrong checksum of protocol ${protocol}`;
}
