/**
 * lo: packets come back to the kernel that sent them, through a ring to oneself. Link type IP: no header, no addresses.
 *
 * Thread: the kernel's. MTU 16384 as on BSD; super-frames and partial checksums work by nature.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import {
  formatRing,
  RING_CONTROL_BYTES,
  RingConsumer,
  RingProducer,
  ringBytes,
  ringCapacity,
} from '../mem/spsc-ring.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES, type Device, type FrameBatch, type MacAddress } from './device.ts';
import { FRAME_PAD_BYTES } from './network.ts';

export const LOOPBACK_MTU_BYTES = 16384;
const DEFAULT_RING_BYTES: number = 1024 * 1024;
const SUPER_FRAME_BYTES = 65535;
/** A ring keeps two bytes free in front of an Ethernet header; two more make the IP header 4-aligned. */
const PAD_BYTES = 2;

export interface LoopbackOptions {
  /** Default `lo0`. */
  name?: string;
  mtuBytes?: number;
  ringBytes?: number;
  /**
   * Where the ring lies: `ringBytes` of memory that belongs to this kernel alone, 128-aligned, control words included.
   * Taken from the arena when absent.
   */
  ringAt?: number;
  /** `CAP_*` bits; default all. */
  capabilities?: number;
  counters?: Counters;
  /** Name of the counters when none are given; default the device's name. */
  countersName?: string;
}

export class LoopbackDevice implements Device {
  readonly name: string;
  readonly kind = 'loopback';
  readonly linkType = 'ip';
  readonly mac: MacAddress = { hi: 0, lo: 0 };
  readonly counters: Counters;
  readonly capabilities: number;
  linkUp = true;
  downReason = '';
  mtuBytes: number;
  maxFrameBytes: number;

  readonly #producer: RingProducer;
  readonly #consumer: RingConsumer;
  readonly #rxFrames: number;
  readonly #rxBytes: number;
  readonly #txFrames: number;
  readonly #txBytes: number;
  readonly #txFull: number;
  #sentFrames = 0;
  #sentBytes = 0;

  constructor(arena: Arena, options: LoopbackOptions = {}) {
    this.name = options.name ?? 'lo0';
    this.capabilities = options.capabilities ?? CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;
    const room = options.ringBytes ?? DEFAULT_RING_BYTES;
    const capacity = ringCapacity(room - RING_CONTROL_BYTES);
    const at = options.ringAt ?? arena.allocate(ringBytes(capacity), 128);
    // A kernel that died may have left its ring here.
    arena.bytes.fill(0, at, at + RING_CONTROL_BYTES);
    formatRing(arena, at, capacity, FRAME_PAD_BYTES);
    this.#producer = new RingProducer(arena, at, capacity, FRAME_PAD_BYTES);
    this.#consumer = new RingConsumer(arena, at, capacity, FRAME_PAD_BYTES);
    this.mtuBytes = options.mtuBytes ?? LOOPBACK_MTU_BYTES;
    this.maxFrameBytes = 0;
    this.setMtu(this.mtuBytes);
    const counters = options.counters ?? Counters.open(arena, options.countersName ?? this.name);
    this.counters = counters;
    this.#rxFrames = counters.index('rxFrames');
    this.#rxBytes = counters.index('rxBytes');
    this.#txFrames = counters.index('txFrames');
    this.#txBytes = counters.index('txBytes');
    this.#txFull = counters.index('txFull');
  }

  reserve(_dstHi: number, _dstLo: number, lengthBytes: number): number {
    if (!this.linkUp) return -Errno.ENETDOWN;
    if (lengthBytes > this.maxFrameBytes) return -Errno.EMSGSIZE;
    const at = this.#producer.reserve(lengthBytes + PAD_BYTES);
    if (at >= 0) return at + PAD_BYTES;
    this.counters.add(this.#txFull, 1);
    return -Errno.ENOBUFS;
  }

  commit(lengthBytes: number, meta: number): void {
    this.#producer.commit(lengthBytes + PAD_BYTES, meta);
    this.#sentFrames++;
    this.#sentBytes += lengthBytes;
  }

  cancel(): void {}

  flush(): void {
    if (!this.#producer.publish()) return;
    this.counters.add(this.#txFrames, this.#sentFrames);
    this.counters.add(this.#txBytes, this.#sentBytes);
    this.#sentFrames = 0;
    this.#sentBytes = 0;
  }

  /** The kernel itself empties the ring in its next turn, so it is awake then anyway. */
  awaitRoom(_dstHi: number, _dstLo: number): boolean {
    return this.#producer.awaitRoom(this.mtuBytes + PAD_BYTES);
  }

  receive(batch: FrameBatch): number {
    const count = this.#consumer.receive(batch.at, batch.length, batch.meta, 0, batch.capacity);
    if (count === 0) return 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      (batch.at[i] as number) += PAD_BYTES;
      (batch.length[i] as number) -= PAD_BYTES;
      bytes += batch.length[i] as number;
    }
    this.counters.add(this.#rxFrames, count);
    this.counters.add(this.#rxBytes, bytes);
    return count;
  }

  release(): void {
    this.#consumer.release();
  }

  get pending(): boolean {
    return this.#consumer.pending;
  }

  setFilter(_flags: number): void {}
  joinMulticast(_hi: number, _lo: number): void {}
  leaveMulticast(_hi: number, _lo: number): void {}

  /** Throws EINVAL below 68 (RFC 791) or above what the ring holds. */
  setMtu(mtuBytes: number): void {
    const longest = this.#producer.maxLengthBytes - PAD_BYTES;
    if (!(mtuBytes >= 68 && mtuBytes <= longest)) {
      throw new MultikernelError('EINVAL', `${this.name}: mtu ${mtuBytes}: 68 to ${longest}`);
    }
    this.mtuBytes = mtuBytes;
    const isSuper = (this.capabilities & CAP_SUPER_FRAMES) !== 0;
    this.maxFrameBytes = isSuper ? Math.min(SUPER_FRAME_BYTES, longest) : mtuBytes;
  }

  close(): void {
    this.linkUp = false;
    this.downReason = 'closed';
  }
}
