/**
 * lo: packets come back to the kernel that sent them, through a ring to oneself. Link type IP: no header, no addresses.
 *
 * Thread: the kernel's. MTU 16384 as on BSD; super-frames and partial checksums work by nature.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { RingConsumer } from '../mem/ring-consumer.ts';
import { RingProducer } from '../mem/ring-producer.ts';
import { formatRing, RING_CONTROL_BYTES, ringBytes, ringCapacity } from '../mem/spsc-ring.ts';
import { MTU_BYTES_MIN } from '../wire/ipv4.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  type Device,
  type DeviceQueue,
  type FrameBatch,
  type MacAddress,
} from './device.ts';

/** MTU of a {@link LoopbackDevice} unless its options give another: longest IP packet, in bytes. */
export const LOOPBACK_MTU_BYTES = 16384;
const DEFAULT_RING_BYTES: number = 1024 * 1024;
const SUPER_FRAME_BYTES = 65535;
/** Nothing stands before the IP header in a record, so it is 8-aligned. */
const PAD_BYTES = 0;

/** Options of a {@link LoopbackDevice}. */
export interface LoopbackOptions {
  /** Default `lo0`. */
  name?: string;
  /** Largest IP packet; default {@link LOOPBACK_MTU_BYTES}. */
  mtuBytes?: number;
  /** Memory of the ring. */
  ringBytes?: number;
  /**
   * Place of the ring: `ringBytes` of memory that belongs to this kernel alone, 128-aligned, control words included.
   * Taken from the arena when absent.
   */
  ringAt?: number;
  /** `CAP_*` bits; default all. */
  capabilities?: number;
  /** Default: counters of its own. */
  counters?: Counters;
  /** Name of the counters when none are given; default the device's name. */
  countersName?: string;
}

/**
 * The interface lo0: packets come back to the kernel that sent them. Frames are IP packets; a full ring refuses them with
 * `-ENOBUFS`.
 */
export class LoopbackDevice implements Device, DeviceQueue {
  readonly queues: readonly DeviceQueue[] = [this];
  /** Nobody rings: the kernel that sends is awake. */
  doorbellAt = 0;
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

  /**
   * A device with a ring of its own. Throws EINVAL on an MTU below 68 or beyond what the ring carries, ENOMEM when the arena has
   * no room for the ring.
   */
  constructor(arena: Arena, options: LoopbackOptions = {}) {
    this.name = options.name ?? 'lo0';
    this.capabilities = options.capabilities ?? CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;
    const room = options.ringBytes ?? DEFAULT_RING_BYTES;
    const capacity = ringCapacity(room - RING_CONTROL_BYTES);
    const at = options.ringAt ?? arena.allocate(ringBytes(capacity), 128);
    // A kernel that died may have left its ring here.
    arena.bytes.fill(0, at, at + RING_CONTROL_BYTES);
    formatRing(arena, at, capacity, PAD_BYTES);
    this.#producer = new RingProducer(arena, at, capacity, PAD_BYTES);
    this.#consumer = new RingConsumer(arena, at, capacity, PAD_BYTES);
    this.mtuBytes = options.mtuBytes ?? LOOPBACK_MTU_BYTES;
    this.maxFrameBytes = 0;
    if (this.setMtu(this.mtuBytes) < 0) throw new MultikernelError('EINVAL', `${this.name}: mtu ${this.mtuBytes}`);
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
    const at = this.#producer.reserve(lengthBytes);
    if (at >= 0) return at;
    this.counters.add(this.#txFull, 1);
    return -Errno.ENOBUFS;
  }

  commit(lengthBytes: number, meta: number): void {
    this.#producer.commit(lengthBytes, meta);
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
    return this.#producer.awaitRoom(this.mtuBytes);
  }

  receive(batch: FrameBatch): number {
    const count = this.#consumer.receive(batch.at, batch.length, batch.meta, 0, batch.capacity);
    if (count === 0) return 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += batch.length[i] as number;
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

  setMtu(mtuBytes: number): number {
    const longest = this.#producer.maxLengthBytes;
    if (!(mtuBytes >= MTU_BYTES_MIN && mtuBytes <= longest)) return -Errno.EINVAL;
    this.mtuBytes = mtuBytes;
    const isSuper = (this.capabilities & CAP_SUPER_FRAMES) !== 0;
    this.maxFrameBytes = isSuper ? Math.min(SUPER_FRAME_BYTES, longest) : mtuBytes;
    return 0;
  }

  close(): void {
    this.linkUp = false;
    this.downReason = 'closed';
  }
}
