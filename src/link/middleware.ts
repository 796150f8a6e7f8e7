/**
 * A device around another device of one queue: passes every call on. A subclass overrides the calls it cares for. It has no `runs`, so
 * that each frame passes through it.
 *
 * Thread: the kernel's.
 */

import { Errno } from '../base/errors.ts';
import type { Counters } from '../mem/counters.ts';
import {
  type Device,
  type DeviceQueue,
  type FrameBatch,
  type LinkType,
  type MacAddress,
  onlyQueue,
  type TimedDevice,
} from './device.ts';

/** A device around another: passes every call on, for subclasses to override. */
export class Middleware implements TimedDevice, DeviceQueue {
  /** Device around which this one is. */
  readonly inner: Device;
  readonly queues: readonly DeviceQueue[] = [this];
  /** The queue of the inner device. */
  readonly innerQueue: DeviceQueue;
  readonly counters: Counters;
  readonly #timed: TimedDevice | null;

  constructor(inner: Device) {
    this.inner = inner;
    this.innerQueue = onlyQueue(inner);
    this.counters = inner.counters;
    this.#timed = 'tick' in inner ? (inner as TimedDevice) : null;
  }

  get name(): string {
    return this.inner.name;
  }
  get kind(): string {
    return this.inner.kind;
  }
  get linkType(): LinkType {
    return this.inner.linkType;
  }
  get mac(): MacAddress {
    return this.inner.mac;
  }
  get mtuBytes(): number {
    return this.inner.mtuBytes;
  }
  get maxFrameBytes(): number {
    return this.inner.maxFrameBytes;
  }
  get capabilities(): number {
    return this.inner.capabilities;
  }
  get linkUp(): boolean {
    return this.inner.linkUp;
  }
  get downReason(): string {
    return this.inner.downReason;
  }
  get doorbellAt(): number {
    return this.innerQueue.doorbellAt;
  }
  set doorbellAt(at: number) {
    this.innerQueue.doorbellAt = at;
  }
  get pending(): boolean {
    return this.innerQueue.pending;
  }

  reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    return this.innerQueue.reserve(dstHi, dstLo, lengthBytes);
  }
  commit(lengthBytes: number, meta: number): void {
    this.innerQueue.commit(lengthBytes, meta);
  }
  cancel(): void {
    this.innerQueue.cancel();
  }
  flush(): void {
    this.innerQueue.flush();
  }
  awaitRoom(dstHi: number, dstLo: number): boolean {
    return this.innerQueue.awaitRoom(dstHi, dstLo);
  }
  receive(batch: FrameBatch): number {
    return this.innerQueue.receive(batch);
  }
  release(): void {
    this.innerQueue.release();
  }
  tick(nowUs: number): number {
    return this.#timed === null ? 0 : this.#timed.tick(nowUs);
  }
  nextDeadlineUs(): number {
    return this.#timed === null ? Infinity : this.#timed.nextDeadlineUs();
  }
  setFilter(flags: number): void {
    this.inner.setFilter(flags);
  }
  joinMulticast(hi: number, lo: number): void {
    this.inner.joinMulticast(hi, lo);
  }
  leaveMulticast(hi: number, lo: number): void {
    this.inner.leaveMulticast(hi, lo);
  }
  setMtu(mtuBytes: number): number {
    return this.inner.setMtu(mtuBytes);
  }
  setMac(hi: number, lo: number): number {
    return this.inner.setMac?.(hi, lo) ?? -Errno.EOPNOTSUPP;
  }
  close(): void {
    this.inner.close();
  }
}
