/**
 * Carriers over a channel in shared memory (mem/channel.ts): between threads, or processes that map one region.
 *
 * Thread: the end's. Frames are written into the ring where the peer reads them, cut into records where they are long; what
 * arrives is copied once, then checked as any frame. A carrier is one conversation: it ends when the peer closes its end of
 * the channel, dies, or another incarnation takes its place.
 * {@link ChannelCarrier} works in turns of an event loop, {@link BlockingChannelCarrier} stops its thread.
 */

import type { Agent, Carrier, EventCarrier } from '../host/contract.ts';
import type { Channel } from '../mem/channel.ts';
import type { Doorbell } from '../mem/doorbell.ts';
import type { Region } from '../mem/region.ts';

/** Longest record. */
const RECORD_BYTES = 16_384;
/** Records read at a time. */
const BATCH = 32;

/** Common part of both kinds: the use of a channel. */
class ChannelStream {
  readonly channel: Channel;
  readonly #bytes: Uint8Array;
  readonly #at = new Int32Array(BATCH);
  readonly #length = new Int32Array(BATCH);
  readonly #meta = new Int32Array(BATCH);
  readonly #recordBytes: number;
  /** Incarnation of the peer that this conversation is with; -1 before it is there. */
  #epoch = -1;

  constructor(region: Region, channel: Channel, capacityBytes: number) {
    this.channel = channel;
    this.#bytes = region.bytes;
    this.#recordBytes = Math.min(RECORD_BYTES, capacityBytes >> 2);
  }

  /** Write `bytes` from `from` on, as far as there is room: where it stopped. */
  put(bytes: Uint8Array, from: number): number {
    const { channel } = this;
    for (let at = from; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, this.#recordBytes);
      const place = channel.reserve(count);
      if (place < 0) return at;
      this.#bytes.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), place);
      channel.commit(count, 0);
      at += count;
    }
    return bytes.length;
  }

  /** Write both in one record; false when there is no room or they are too long for one. */
  putBoth(head: Uint8Array, body: Uint8Array): boolean {
    const count = head.length + body.length;
    if (count > this.#recordBytes) return false;
    const place = this.channel.reserve(count);
    if (place < 0) return false;
    this.#bytes.set(head, place);
    this.#bytes.set(body, place + head.length);
    this.channel.commit(count, 0);
    return true;
  }

  /** Room is wanted; true when there is some already. */
  awaitRoom(): boolean {
    return this.channel.awaitRoom(this.#recordBytes);
  }

  /** Bytes that have arrived, in arrays of their own; null when there are none. */
  take(): Uint8Array | null {
    const count = this.channel.receive(this.#at, this.#length, this.#meta, BATCH);
    if (count === 0) return null;
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += this.#length[i] as number;
    const taken = new Uint8Array(bytes);
    let to = 0;
    for (let i = 0; i < count; i++) {
      const at = this.#at[i] as number;
      const length = this.#length[i] as number;
      taken.set(this.#bytes.subarray(at, at + length), to);
      to += length;
    }
    this.channel.release();
    return taken;
  }

  /** The peer has left, died, broken the channel or been replaced. Nothing more is to be read. */
  get over(): boolean {
    const { channel } = this;
    if (channel.broken !== '') return true;
    if (this.#epoch < 0) {
      if (channel.up) this.#epoch = channel.epoch;
      return false;
    }
    return !channel.up || channel.epoch !== this.#epoch;
  }
}

export interface ChannelCarrierOptions {
  readonly region: Region;
  readonly channel: Channel;
  /** Capacity of each ring (`ChannelDescriptor.capacityBytes`). */
  readonly capacityBytes: number;
}

export class ChannelCarrier implements Carrier, Agent {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onDrain: (() => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #stream: ChannelStream;
  /** Frames, or ends of frames, that found no room. */
  readonly #out: Uint8Array[] = [];
  #outAt = 0;
  #queued = 0;
  #working = false;
  #closing = false;
  #left = false;
  #told = false;

  constructor({ region, channel, capacityBytes }: ChannelCarrierOptions) {
    this.#stream = new ChannelStream(region, channel, capacityBytes);
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closing) return false;
    if (this.#out.length > 0 || body === null || !this.#stream.putBoth(head, body)) {
      this.#put(head);
      if (body !== null) this.#put(body);
    }
    if (!this.#working) this.flush();
    return true;
  }

  #put(bytes: Uint8Array): void {
    const put = this.#out.length > 0 ? 0 : this.#stream.put(bytes, 0);
    if (put === bytes.length) return;
    this.#out.push(bytes.subarray(put));
    this.#queued += bytes.length - put;
  }

  close(): void {
    this.#closing = true;
    if (this.#queued > 0) return;
    this.flush();
    this.#leave();
  }

  /** Publishes what was written; part of `write` and `doWork`. */
  flush(): void {
    this.#stream.channel.publish();
  }

  doWork(): number {
    if (this.#told) return 0;
    this.#working = true;
    let work = 0;
    try {
      for (let bytes = this.#stream.take(); bytes !== null; bytes = this.#stream.take()) {
        work++;
        if (!this.#closing) this.onBytes?.(bytes);
      }
      work += this.#drain();
    } finally {
      this.#working = false;
      this.flush();
    }
    if (this.#closing && this.#queued === 0) this.#leave();
    if (this.#stream.over) this.#leave();
    if (this.#left && !this.#told) {
      this.#told = true;
      this.onClosed?.();
    }
    return work;
  }

  #drain(): number {
    if (this.#queued === 0) return 0;
    let put = 0;
    for (let first = this.#out[0]; first !== undefined; first = this.#out[0]) {
      const at = this.#stream.put(first, this.#outAt);
      put += at - this.#outAt;
      this.#outAt = at;
      if (at < first.length) break;
      this.#out.shift();
      this.#outAt = 0;
    }
    this.#queued -= put;
    if (this.#queued > 0) this.#stream.awaitRoom();
    else this.onDrain?.();
    return put;
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#closing = true;
    this.#stream.channel.close();
  }

  nextDeadlineUs(): number {
    return Number.POSITIVE_INFINITY;
  }

  workPending(): boolean {
    if (this.#told) return false;
    if (this.#left || this.#stream.over || this.#stream.channel.pending) return true;
    return this.#queued > 0 && this.#stream.awaitRoom();
  }
}

export class BlockingChannelCarrier implements EventCarrier, Agent {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #stream: ChannelStream;
  readonly #bell: Doorbell;
  #started = false;
  #closed = false;
  #told = false;

  /**
   * `bell`: the one that the channel was opened with, rung for this thread. Once `start` was called it is that of the event loop
   * to which the carrier is added.
   */
  constructor({ region, channel, capacityBytes }: ChannelCarrierOptions, bell: Doorbell) {
    this.#stream = new ChannelStream(region, channel, capacityBytes);
    this.#bell = bell;
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    const sent = body === null ? this.#writeAll(head) : this.#writeBoth(head, body);
    this.#stream.channel.publish();
    return sent;
  }

  #writeBoth(head: Uint8Array, body: Uint8Array): boolean {
    if (this.#closed) return false;
    return this.#stream.putBoth(head, body) || (this.#writeAll(head) && this.#writeAll(body));
  }

  #writeAll(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.#closed || this.#stream.over) return false;
      const to = this.#stream.put(bytes, at);
      if (to < bytes.length) {
        this.#stream.channel.publish();
        if (to === at) this.#sleep(() => this.#stream.awaitRoom());
      }
      at = to;
    }
    return true;
  }

  read(): Uint8Array | null {
    for (;;) {
      if (this.#closed) return null;
      const bytes = this.#stream.take();
      if (bytes !== null) return bytes;
      if (this.#stream.over) return null;
      this.#sleep(() => false);
    }
  }

  /** Until the peer rings, unless there is something to do. */
  #sleep(ready: () => boolean): void {
    this.#bell.arm();
    if (ready() || this.#stream.channel.pending || this.#stream.over) this.#bell.disarm();
    else this.#bell.wait(Number.POSITIVE_INFINITY);
  }

  start(): void {
    this.#started = true;
  }

  doWork(): number {
    let work = 0;
    if (!this.#started || this.#told) return work;
    for (let bytes = this.#stream.take(); bytes !== null; bytes = this.#stream.take()) {
      work++;
      this.onBytes?.(bytes);
    }
    if (this.#closed || this.#stream.over) {
      this.#told = true;
      this.onClosed?.();
    }
    return work;
  }

  /** Writes publish at once. */
  flush(): void {}

  nextDeadlineUs(): number {
    return Number.POSITIVE_INFINITY;
  }

  workPending(): boolean {
    return this.#started && !this.#told && (this.#closed || this.#stream.over || this.#stream.channel.pending);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.channel.close();
  }
}
