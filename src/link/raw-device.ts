/**
 * A device whose other end is a program: frames of the kernel go to `onFrame`, frames for the kernel come by `inject`.
 * For protocols of one's own, tests, and links that are made elsewhere.
 *
 * Thread: the kernel's; `onFrame` is called from `flush`, inside the kernel's turn. Each frame is copied into an array of its
 * own: a device for reach, not for speed. Read first: device.ts. Missing: super-frames, partial checksums, runs.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import { ringDoorbell } from '../mem/bell.ts';
import { Counters } from '../mem/counters.ts';
import { RingConsumer } from '../mem/ring-consumer.ts';
import { RingProducer } from '../mem/ring-producer.ts';
import { formatRing, RING_CONTROL_BYTES, ringBytes, ringCapacity } from '../mem/spsc-ring.ts';
import { HEADER_BYTES } from '../wire/ethernet.ts';
import { MTU_BYTES_MIN } from '../wire/ipv4.ts';
import { type Device, type DeviceQueue, FrameBatch, type MacAddress } from './device.ts';
import { ReceiveFilter } from './filter.ts';
import { FRAME_PAD_BYTES } from './network.ts';

const DEFAULT_RING_BYTES: number = 256 * 1024;

/** Options of a {@link RawDevice}. */
export interface RawDeviceOptions {
  /** Ethernet address of the interface. */
  mac: MacAddress;
  /** Default `raw0`; also the name of the counters when none are given. */
  name?: string;
  /** Default 1500. */
  mtuBytes?: number;
  /** Memory of each direction's ring; default 256 KiB. */
  ringBytes?: number;
  /** Default: counters of its own. */
  counters?: Counters;
  /** Called after `inject`, beside the bell: for a host that has none (host/contract.ts, `doorbellAt`) and may be asleep. */
  requestWork?: () => void;
}

/**
 * A frame that the kernel sent, Ethernet header first, without FCS; `meta` is its `META_*` word. The array is the
 * receiver's to keep. Return `false` to leave the frame, and those behind it, in the ring until `resume`.
 */
export type FrameHandler = (frame: Uint8Array, meta: number) => unknown;

// cold: once per device
function openRing(arena: Arena, roomBytes: number): [RingProducer, RingConsumer] {
  const capacity = ringCapacity(roomBytes - RING_CONTROL_BYTES);
  const at = arena.allocate(ringBytes(capacity), 128);
  formatRing(arena, at, capacity, FRAME_PAD_BYTES);
  return [
    new RingProducer(arena, at, capacity, FRAME_PAD_BYTES),
    new RingConsumer(arena, at, capacity, FRAME_PAD_BYTES),
  ];
}

/** A device whose other end is a program: frames of the kernel go to `onFrame`, frames for the kernel come by `inject`. */
export class RawDevice implements Device, DeviceQueue {
  readonly queues: readonly DeviceQueue[] = [this];
  /** Rung when a frame was injected, and when there is room again. */
  doorbellAt = 0;
  readonly name: string;
  readonly kind = 'raw';
  readonly linkType = 'ethernet';
  readonly mac: MacAddress;
  readonly counters: Counters;
  readonly capabilities = 0;
  linkUp = true;
  downReason = '';
  mtuBytes = 0;
  maxFrameBytes = 0;
  /** Without a handler frames are dropped, counted as `txDiscarded`. */
  onFrame: FrameHandler | null = null;

  readonly #arena: Arena;
  readonly #filter: ReceiveFilter;
  readonly #requestWork: (() => void) | null;
  readonly #txProducer: RingProducer;
  readonly #txConsumer: RingConsumer;
  readonly #rxProducer: RingProducer;
  readonly #rxConsumer: RingConsumer;
  /** The oldest frame that `onFrame` has not taken. */
  readonly #leaving: FrameBatch = new FrameBatch(1);
  #held = false;
  #delivering = false;
  readonly #rxFrames: number;
  readonly #rxBytes: number;
  readonly #rxFull: number;
  readonly #rxFiltered: number;
  readonly #txFrames: number;
  readonly #txBytes: number;
  readonly #txFull: number;
  readonly #txDiscarded: number;

  /**
   * A device with two rings in the arena. Throws EINVAL on an MTU below 68 or beyond what a ring carries, ENOMEM when the arena
   * has no room for the rings.
   */
  constructor(arena: Arena, options: RawDeviceOptions) {
    const { name = 'raw0', mac, mtuBytes = 1500, ringBytes: roomBytes = DEFAULT_RING_BYTES } = options;
    this.#arena = arena;
    this.name = name;
    this.#filter = new ReceiveFilter(mac);
    this.mac = this.#filter.mac;
    this.#requestWork = options.requestWork ?? null;
    [this.#txProducer, this.#txConsumer] = openRing(arena, roomBytes);
    [this.#rxProducer, this.#rxConsumer] = openRing(arena, roomBytes);
    if (this.setMtu(mtuBytes) < 0) throw new MultikernelError('EINVAL', `${name}: mtu ${mtuBytes}`);
    this.counters = options.counters ?? Counters.open(arena, name);
    this.#rxFrames = this.counters.index('rxFrames');
    this.#rxBytes = this.counters.index('rxBytes');
    this.#rxFull = this.counters.index('rxFull');
    this.#rxFiltered = this.counters.index('rxFiltered');
    this.#txFrames = this.counters.index('txFrames');
    this.#txBytes = this.counters.index('txBytes');
    this.#txFull = this.counters.index('txFull');
    this.#txDiscarded = this.counters.index('txDiscarded');
  }

  // cold: a defect of the caller
  #refuseLength(length: number): never {
    const range = `${HEADER_BYTES} to ${this.maxFrameBytes}`;
    throw new MultikernelError('EINVAL', `${this.name}: a frame of ${length} bytes: ${range}`);
  }

  /**
   * A frame for the kernel, copied; Ethernet header first, without FCS. False when the ring is full (counted as `rxFull`) or
   * the link is down. A frame that the filter keeps out counts as taken (`rxFiltered`). Throws EINVAL on lengths that no
   * frame of this link has.
   */
  inject(frame: Uint8Array, meta: number = 0): boolean {
    const { length } = frame;
    if (!(length >= HEADER_BYTES && length <= this.maxFrameBytes)) this.#refuseLength(length);
    if (!this.linkUp) return false;
    const at = this.#rxProducer.reserve(length);
    if (at < 0) {
      this.counters.add(this.#rxFull, 1);
      return false;
    }
    this.#arena.bytes.set(frame, at);
    const { view } = this.#arena;
    if (!this.#filter.passes(view.getUint16(at), view.getInt32(at + 2))) {
      this.counters.add(this.#rxFiltered, 1);
      return true;
    }
    this.#rxProducer.commit(length, meta);
    this.#rxProducer.publish();
    this.#wake();
    return true;
  }

  /** Hand on the frames that `onFrame` left in the ring. Senders that wait for room go on in the kernel's next turn. */
  resume(): void {
    this.#deliver();
    this.#wake();
  }

  #wake(): void {
    if (this.doorbellAt !== 0) ringDoorbell(this.#arena.words, this.doorbellAt);
    this.#requestWork?.();
  }

  // cold: a copy per frame is the purpose of this device
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while ((this.#held || this.#next()) && this.#handOver());
    } finally {
      this.#delivering = false;
      // A frame whose handler threw is not offered again.
      if (!this.#held) this.#txConsumer.release();
    }
  }

  #next(): boolean {
    const { at, length, meta } = this.#leaving;
    return this.#txConsumer.receive(at, length, meta, 0, 1) > 0;
  }

  /** Returns whether the frame was taken. */
  // cold: a copy per frame is the purpose of this device
  #handOver(): boolean {
    const at = this.#leaving.at[0] as number;
    const frame = this.#arena.bytes.slice(at, at + (this.#leaving.length[0] as number));
    this.#held = false;
    if (this.onFrame === null) this.counters.add(this.#txDiscarded, 1);
    else this.#held = this.onFrame(frame, this.#leaving.meta[0] as number) === false;
    if (!this.#held) this.#txConsumer.release();
    return !this.#held;
  }

  reserve(_dstHi: number, _dstLo: number, lengthBytes: number): number {
    if (!this.linkUp) return -Errno.ENETDOWN;
    if (lengthBytes > this.maxFrameBytes) return -Errno.EMSGSIZE;
    const at = this.#txProducer.reserve(lengthBytes);
    if (at >= 0) return at;
    this.counters.add(this.#txFull, 1);
    return -Errno.ENOBUFS;
  }

  commit(lengthBytes: number, meta: number): void {
    this.#txProducer.commit(lengthBytes, meta);
    this.counters.add(this.#txFrames, 1);
    this.counters.add(this.#txBytes, lengthBytes);
  }

  cancel(): void {}

  flush(): void {
    if (this.#txProducer.publish()) this.#deliver();
  }

  awaitRoom(_dstHi: number, _dstLo: number): boolean {
    return this.#txProducer.awaitRoom(this.maxFrameBytes);
  }

  receive(batch: FrameBatch): number {
    if (!this.linkUp) return 0;
    const count = this.#rxConsumer.receive(batch.at, batch.length, batch.meta, 0, batch.capacity);
    if (count === 0) return 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += batch.length[i] as number;
    this.counters.add(this.#rxFrames, count);
    this.counters.add(this.#rxBytes, bytes);
    return count;
  }

  release(): void {
    this.#rxConsumer.release();
  }

  get pending(): boolean {
    return this.linkUp && this.#rxConsumer.pending;
  }

  setFilter(flags: number): void {
    this.#filter.flags = flags;
  }

  joinMulticast(hi: number, lo: number): void {
    this.#filter.join(hi, lo);
  }

  leaveMulticast(hi: number, lo: number): void {
    this.#filter.leave(hi, lo);
  }

  setMtu(mtuBytes: number): number {
    const longest = Math.min(this.#txProducer.maxLengthBytes, this.#rxProducer.maxLengthBytes) - HEADER_BYTES;
    if (!(mtuBytes >= MTU_BYTES_MIN && mtuBytes <= longest)) return -Errno.EINVAL;
    this.mtuBytes = mtuBytes;
    this.maxFrameBytes = mtuBytes + HEADER_BYTES;
    return 0;
  }

  close(): void {
    this.linkUp = false;
    this.downReason = 'closed';
  }
}
