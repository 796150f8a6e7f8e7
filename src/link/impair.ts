/**
 * impair: a device behind a bad link. Wraps any device; each direction has delay, jitter, loss, bursts of loss,
 * duplicates, reordering, corruption, rate and queue of its own, switched while frames flow; frames of single senders to this device
 * can be impaired besides.
 *
 * Thread: the kernel's. Frames that wait lie in a store in the arena that belongs to this device alone. The owner calls
 * `tick(nowUs)` at `nextDeadlineUs()` or before: frames that are due go out there, or are ready for `receive`. A direction
 * without impairment passes straight through. The probabilities: impairment.ts; the way of a frame: impaired-line.ts.
 */

import { Errno } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { srcHi, srcLo } from '../wire/ethernet.ts';
import { DelayLine } from './delay-line.ts';
import {
  type Device,
  FrameBatch,
  META_ARRIVAL_MASK,
  META_ARRIVAL_SHIFT,
  META_SEGMENT_SHIFT,
  type PortedDevice,
} from './device.ts';
import { FrameStore } from './frame-store.ts';
import { ImpairedLine, LineCounters } from './impaired-line.ts';
import { checkImpairment, type Dice, type Impairment } from './impairment.ts';
import { Middleware } from './middleware.ts';

const DEFAULT_STORE_BYTES: number = 4 * 1024 * 1024;

/** Options of an {@link ImpairedDevice}. */
export interface ImpairOptions {
  /** Monotonic time in microseconds: `host`. */
  clock: { nowUs(): number };
  /** Source of losses, jitter and the like. */
  rng: Rng;
  /** Room for frames that wait, both directions together; default 4 MiB, taken from the arena at the first impairment. */
  storeBytes?: number;
  /** Place of the store: `storeBytes` of memory that belongs to this kernel alone, 64-aligned. */
  storeAt?: number;
  /** Called from `tick` once nothing is impaired any more and no frame waits. */
  healed?: (device: ImpairedDevice) => void;
}

/** Frames that came out of the line and found a full ring, all receivers together; those beyond it are dropped, counted. */
const HELD_FRAMES = 1024;
/** Receivers with full rings that are known at a time. */
const BLOCKED_RECEIVERS = 8;

/** The line of what one sender sends to this device. */
/** No Ethernet address begins so. */
const BY_PORT = -1;

/** `hi` {@link BY_PORT}: of the port `lo`. */
class SenderLine {
  readonly hi: number;
  readonly lo: number;
  readonly line: ImpairedLine;

  constructor(hi: number, lo: number, line: ImpairedLine) {
    this.hi = hi;
    this.lo = lo;
    this.line = line;
  }
}

/** A device around another whose frames are delayed, lost, doubled, reordered or corrupted, both ways. */
export class ImpairedDevice extends Middleware {
  readonly #arena: Arena;
  readonly #bulk: Bulk;
  readonly #clock: { nowUs(): number };
  readonly #rng: Rng;
  readonly #storeBytes: number;
  readonly #storeAt: number | undefined;
  readonly #healed: ((device: ImpairedDevice) => void) | undefined;
  #store: FrameStore | null = null;
  #out!: ImpairedLine;
  #in!: ImpairedLine;
  /** In front of `#in`; a line without impairment goes when it is empty. */
  #senders: SenderLine[] = [];
  readonly #outCount: LineCounters;
  readonly #inCount: LineCounters;
  #nowUs = 0;
  /** Frames whose ring was full, in order: a receiver that does not read holds up nobody else's. */
  #held: DelayLine = new DelayLine(1);
  /** The receivers of these frames, which were asked to wake this kernel; the first `#blockedCount` count. */
  readonly #blockedHi: Int32Array = new Int32Array(BLOCKED_RECEIVERS);
  readonly #blockedLo: Int32Array = new Int32Array(BLOCKED_RECEIVERS);
  #blockedCount = 0;
  /** Whether the open reservation lies in the store, because its fate is not known, and where it lies. */
  #staged = false;
  #openAt = 0;
  readonly #innerBatch: FrameBatch = new FrameBatch();
  /** Blocks of the frames that the last `receive` gave out. */
  readonly #given: Int32Array;
  #givenCount = 0;
  #passedThrough = true;

  /**
   * A device around `inner`, whose only queue it takes over; nothing is impaired at first. Throws RangeError when `inner` has
   * several queues.
   */
  constructor(inner: Device, arena: Arena, bulk: Bulk, options: ImpairOptions) {
    super(inner);
    this.#arena = arena;
    this.#bulk = bulk;
    this.#clock = options.clock;
    this.#rng = options.rng;
    this.#storeBytes = options.storeBytes ?? DEFAULT_STORE_BYTES;
    this.#storeAt = options.storeAt;
    this.#healed = options.healed;
    this.#outCount = new LineCounters(this.counters, 'out');
    this.#inCount = new LineCounters(this.counters, 'in');
    this.#given = new Int32Array(1024);
  }

  /**
   * Impair one direction, or with null heal it. Frames that wait keep their time. Throws EINVAL on values out of range,
   * ENOMEM when the arena has no room for the store.
   */
  // cold: once per change of the impairment
  impair(direction: 'in' | 'out', impairment: Impairment | null, rng: Rng = this.#rng): void {
    if (impairment === null && this.#store === null) return;
    if (impairment !== null) checkImpairment(impairment);
    this.#openStore();
    (direction === 'in' ? this.#in : this.#out).impair(impairment, rng);
  }

  /** The same for what comes from one sender, before it comes to the impairments of direction `in`. */
  // cold: once per change of the impairment
  impairFrom(hi: number, lo: number, impairment: Impairment | null, rng: Rng): void {
    const known = this.#senders.find((sender) => sender.hi === hi && sender.lo === lo);
    if (impairment === null) {
      known?.line.impair(null, rng);
      this.#dropSenders();
      return;
    }
    checkImpairment(impairment);
    const store = this.#openStore();
    const sender = known ?? new SenderLine(hi, lo, new ImpairedLine(store, this.#inCount));
    sender.line.impair(impairment, rng);
    if (known === undefined) this.#senders.push(sender);
  }

  /** The same for what comes from one port of the network, whoever sent it first. Returns 0, or `-EOPNOTSUPP`: the device has no ports. */
  // cold: once per change of the impairment
  impairFromPort(port: number, impairment: Impairment | null, rng: Rng): number {
    if (!('marksPorts' in this.inner)) return -Errno.EOPNOTSUPP;
    this.impairFrom(BY_PORT, port, impairment, rng);
    (this.inner as PortedDevice).marksPorts = this.#senders.some(({ hi }) => hi === BY_PORT);
    return 0;
  }

  // cold: once, when the link is first impaired
  #openStore(): FrameStore {
    if (this.#store !== null) return this.#store;
    const at = this.#storeAt ?? this.#arena.allocate(this.#storeBytes, 4096);
    const store = new FrameStore(this.#arena, this.#bulk, this.linkType, at, this.#storeBytes);
    this.#out = new ImpairedLine(store, this.#outCount);
    this.#in = new ImpairedLine(store, this.#inCount);
    this.#held = new DelayLine(HELD_FRAMES);
    this.#store = store;
    return store;
  }

  /** Nothing is impaired, and no frame waits. */
  get idle(): boolean {
    if (this.#store === null) return true;
    if (this.#out.dice !== null || this.#in.dice !== null || this.#senders.length > 0) return false;
    return this.#waitingOut === 0 && this.#in.waiting.count === 0 && this.#givenCount === 0;
  }

  get #waitingOut(): number {
    return this.#store === null ? 0 : this.#out.waiting.count + this.#held.count;
  }

  /**
   * Room for a frame of `lengthBytes`: in the inner device while it passes straight through, else in the store of frames that
   * wait. Returns the place or a negative errno, as {@link DeviceQueue.reserve} says.
   */
  override reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    const dice = this.#store === null ? null : this.#out.dice;
    // A packet that is not delayed goes straight into the ring; several in one frame are cut first.
    const isOnePacket = lengthBytes <= this.inner.mtuBytes + (this.#store?.headerBytes ?? 0);
    if (dice === null || (dice.immediate && isOnePacket && this.#waitingOut === 0)) {
      this.#staged = false;
      this.#openAt = this.innerQueue.reserve(dstHi, dstLo, lengthBytes);
      return this.#openAt;
    }
    if (!this.inner.linkUp) return -Errno.ENETDOWN;
    if (lengthBytes > this.inner.maxFrameBytes) return -Errno.EMSGSIZE;
    this.#staged = true;
    this.#openAt = (this.#store as FrameStore).stagingAt;
    return this.#openAt;
  }

  /** Complete the reserved frame and decide its fate: sent, delayed, lost, doubled or corrupted. */
  override commit(lengthBytes: number, meta: number): void {
    const dice = this.#store === null ? null : this.#out.dice;
    const at = this.#openAt;
    if (this.#staged) this.#out.enter(at, lengthBytes, meta, this.#clock.nowUs());
    else if (dice === null) this.innerQueue.commit(lengthBytes, meta);
    else if (meta >>> META_SEGMENT_SHIFT === 0) this.#commitAtOnce(dice, at, lengthBytes, meta);
    else {
      // Datagrams that are one packet together, in the ring: they are cut like others.
      this.#out.enter(at, lengthBytes, meta, this.#clock.nowUs());
      this.innerQueue.cancel();
    }
  }

  /** A packet that lies in the ring already. */
  #commitAtOnce(dice: Dice, at: number, lengthBytes: number, meta: number): void {
    const { counters, lost, duplicated } = this.#outCount;
    const copies = dice.copies();
    if (copies === 0) {
      counters.add(lost, 1);
      this.innerQueue.cancel();
      return;
    }
    if (copies === 2) {
      counters.add(duplicated, 1);
      this.#hold(this.#out, at, lengthBytes, meta);
    }
    const kept = dice.corrupts() ? this.#out.damage(dice, at, lengthBytes, meta) : meta;
    this.innerQueue.commit(lengthBytes, kept);
  }

  /** A frame that nothing happens to any more waits for the next turn. */
  #hold(line: ImpairedLine, at: number, lengthBytes: number, meta: number): void {
    const store = this.#store as FrameStore;
    const block = store.hold(at, lengthBytes);
    if (block >= 0 && line.waiting.push(this.#clock.nowUs(), block, lengthBytes, meta)) return;
    if (block >= 0) store.free(block);
    this.counters.add(this.#outCount.queueFull, 1);
  }

  /** Give the reservation back; no frame is sent. */
  override cancel(): void {
    if (!this.#staged) this.innerQueue.cancel();
  }

  /** Send frames whose time has come, and flush the inner device. */
  override flush(): void {
    if (this.#waitingOut > 0) this.#sendDue(this.#clock.nowUs());
    this.innerQueue.flush();
  }

  /** Bring time forward: what is due goes out, or is ready for `receive`. Returns how many frames went out. */
  override tick(nowUs: number): number {
    this.#nowUs = nowUs;
    const worked = super.tick(nowUs);
    if (this.#waitingOut === 0) {
      if (this.#healed !== undefined && this.idle) this.#healed(this);
      return worked;
    }
    const sent = this.#sendDue(nowUs);
    if (sent > 0) this.innerQueue.flush();
    return worked + sent;
  }

  #sendDue(nowUs: number): number {
    let sent = this.#blockedCount > 0 && this.#roomAgain() ? this.#sendHeld() : 0;
    const line = this.#out.waiting;
    while (line.nextUs <= nowUs) {
      line.pop();
      sent += this.#sendOne(line.at, line.lengthBytes, line.meta);
    }
    return sent;
  }

  #roomAgain(): boolean {
    let room = false;
    for (let i = 0; i < this.#blockedCount; i++) {
      if (this.innerQueue.awaitRoom(this.#blockedHi[i] as number, this.#blockedLo[i] as number)) room = true;
    }
    return room;
  }

  /** Try all held frames again, once each; those that find no room are held in the same order. */
  #sendHeld(): number {
    const held = this.#held;
    let sent = 0;
    this.#blockedCount = 0;
    for (let left = held.count; left > 0; left--) {
      held.pop();
      sent += this.#sendOne(held.at, held.lengthBytes, held.meta);
    }
    return sent;
  }

  /** A frame came out of the line: send it, or hold it, or drop it. Returns how many were sent. */
  #sendOne(block: number, lengthBytes: number, meta: number): number {
    const store = this.#store as FrameStore;
    const at = block + store.frameOffset;
    const hi = this.#arena.view.getUint16(at);
    const lo = this.#arena.view.getInt32(at + 2);
    let to = -Errno.ENOBUFS;
    if (!this.#isBlocked(hi, lo)) {
      to = this.innerQueue.reserve(hi, lo, lengthBytes);
      if (to === -Errno.ENOBUFS && this.innerQueue.awaitRoom(hi, lo)) to = this.innerQueue.reserve(hi, lo, lengthBytes);
    }
    if (to === -Errno.ENOBUFS) {
      if (this.#block(hi, lo) && this.#held.push(0, block, lengthBytes, meta)) return 0;
      this.counters.add(this.#outCount.queueFull, 1);
    }
    if (to >= 0) {
      this.#bulk.copy(to, at, lengthBytes);
      this.innerQueue.commit(lengthBytes, meta);
    }
    store.free(block);
    return to >= 0 ? 1 : 0;
  }

  #isBlocked(hi: number, lo: number): boolean {
    for (let i = 0; i < this.#blockedCount; i++) {
      if (this.#blockedLo[i] === lo && this.#blockedHi[i] === hi) return true;
    }
    return false;
  }

  /** Remember that this receiver has no room. False when too many have none. */
  #block(hi: number, lo: number): boolean {
    if (this.#isBlocked(hi, lo)) return true;
    if (this.#blockedCount === BLOCKED_RECEIVERS) return false;
    this.#blockedHi[this.#blockedCount] = hi;
    this.#blockedLo[this.#blockedCount++] = lo;
    return true;
  }

  /** When the first frame comes in: out of the line of its sender, or for `receive`. */
  get #nextInUs(): number {
    let nextUs = this.#in.waiting.nextUs;
    for (let i = 0; i < this.#senders.length; i++)
      nextUs = Math.min(nextUs, (this.#senders[i] as SenderLine).line.waiting.nextUs);
    return nextUs;
  }

  /** When `tick` must be called; `Infinity` when nothing waits. */
  override nextDeadlineUs(): number {
    const own = this.#store === null ? Infinity : Math.min(this.#out.waiting.nextUs, this.#nextInUs);
    return Math.min(own, super.nextDeadlineUs());
  }

  /** Fill the batch with frames whose time has come. Returns how many it holds. */
  override receive(batch: FrameBatch): number {
    const store = this.#store;
    if (store === null || (this.#in.dice === null && this.#senders.length === 0 && this.#in.waiting.count === 0)) {
      this.#passedThrough = true;
      return this.innerQueue.receive(batch);
    }
    this.#passedThrough = false;
    const nowUs = this.#clock.nowUs();
    this.#nowUs = nowUs;
    this.#takeIn(nowUs);
    if (this.#senders.length > 0) this.#passOn(nowUs);
    const line = this.#in.waiting;
    const limit = Math.min(batch.capacity, this.#given.length);
    let count = 0;
    while (count < limit && line.nextUs <= nowUs) {
      line.pop();
      batch.at[count] = line.at + store.frameOffset;
      batch.length[count] = line.lengthBytes;
      batch.meta[count] = line.meta;
      this.#given[count++] = line.at;
    }
    this.#givenCount = count;
    return count;
  }

  /** One batch from the inner device into the lines. */
  #takeIn(nowUs: number): void {
    const batch = this.#innerBatch;
    const count = this.innerQueue.receive(batch);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const meta = batch.meta[i] as number;
      this.#lineFor(at, meta).enter(at, batch.length[i] as number, meta & ~META_ARRIVAL_MASK, nowUs);
    }
    if (count > 0) this.innerQueue.release();
  }

  #lineFor(at: number, meta: number): ImpairedLine {
    if (this.#senders.length === 0) return this.#in;
    const hi = srcHi(this.#arena.view, at);
    const lo = srcLo(this.#arena.view, at);
    const port = ((meta & META_ARRIVAL_MASK) >>> META_ARRIVAL_SHIFT) - 1;
    for (let i = 0; i < this.#senders.length; i++) {
      const sender = this.#senders[i] as SenderLine;
      if (sender.hi === BY_PORT ? sender.lo === port : sender.lo === lo && sender.hi === hi) return sender.line;
    }
    return this.#in;
  }

  /** Frames whose time in the lines of their senders is over go into the line of all, in the order of their times. */
  #passOn(nowUs: number): void {
    for (;;) {
      let first = (this.#senders[0] as SenderLine).line.waiting;
      for (let i = 1; i < this.#senders.length; i++) {
        const { waiting } = (this.#senders[i] as SenderLine).line;
        if (waiting.nextUs < first.nextUs) first = waiting;
      }
      const dueUs = first.nextUs;
      if (dueUs > nowUs) break;
      first.pop();
      this.#in.pass(first.at, first.lengthBytes, first.meta, dueUs);
    }
    this.#dropSenders();
  }

  /** Lines that are neither impaired nor have frames. */
  #dropSenders(): void {
    for (let i = this.#senders.length - 1; i >= 0; i--) {
      const { line } = this.#senders[i] as SenderLine;
      if (line.dice === null && line.waiting.count === 0) this.#senders.splice(i, 1);
    }
  }

  /** Give the frames of the last `receive` back. */
  override release(): void {
    if (this.#passedThrough) {
      this.innerQueue.release();
      return;
    }
    for (let i = 0; i < this.#givenCount; i++) (this.#store as FrameStore).free(this.#given[i] as number);
    this.#givenCount = 0;
  }

  /** Whether frames wait in the inner device, or have come out of the line since the last `tick`. */
  override get pending(): boolean {
    return (this.#store !== null && this.#nextInUs <= this.#nowUs) || this.innerQueue.pending;
  }
}
