/**
 * The kernel's side of a session whose frames are records in shared memory (mem/ring-pair.ts).
 *
 * Thread: the one that runs the kernel; works in turns of its loop. A frame of the client is served where it lies; events with
 * data are written where the client reads them. Frames that find no room, or are longer than a record, wait in a queue and
 * go in pieces. The connection beside it wakes, and its end is this carrier's.
 * Read first: docs/layouts/ring-pair.md, session.ts. The client's side: region-client.ts.
 */

import type { Agent, Carrier } from '../host/contract.ts';
import type { Region } from '../mem/region.ts';
import type { RingPair } from '../mem/ring-pair.ts';
import { writeFrameWords } from './frame-words.ts';
import { DATA, EVENT, HEADER_BYTES, REPLY } from './protocol.ts';

/** Metadata of records. */
export const WHOLE = 0;
export const PIECE = 1;
/** Records read at a time. */
const BATCH = 64;
/** Batches per turn: then the kernel works on what they brought. */
const BATCHES_PER_TURN = 4;

/** Longest payload of a frame that is one record. */
export function payloadBytesMax(pair: RingPair): number {
  return Math.min(65_536, pair.out.maxLengthBytes - HEADER_BYTES);
}

/** The connection beside the memory. */
export interface WakeCarrier extends Carrier {
  /** Send a byte that says "look"; nothing is queued. */
  wake(): void;
}

/** Looks for another request after a reply: about a microsecond. */
const LOOKS = 150;

/** Waits for room in the ring. */
export interface RoomWaiter {
  hasRoom(): void;
}

/** Frames written where the client reads them: those with data, and those that are a header. */
export interface EventRing {
  readonly region: Region;
  /** Longest payload of one event. */
  readonly payloadBytesMax: number;
  /** Place for a payload of up to that many bytes; -1: there is no room. A second call before `commit` replaces the first. */
  reserve(payloadBytes: number): number;
  commit(operation: number, object: number, a: number, payloadBytes: number, addresses: number): void;
  /** A frame without a payload; false: there is no room. */
  put(frameClass: number, operation: number, request: number, object: number, a: number, b: number, c: number): boolean;
  /** `waiter.hasRoom` is called once when there is room again. */
  awaitRoom(waiter: RoomWaiter): void;
  /** Whether a client that is gone has left data of a stream where they were written. */
  leftUnread(object: number): boolean;
}

export class RegionCarrier implements Carrier, Agent, EventRing {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onDrain: (() => void) | null = null;
  onClosed: (() => void) | null = null;
  /** A whole frame at a place of the region, valid during the call; null: all comes as bytes. */
  onFrame: ((at: number, byteLength: number) => void) | null = null;
  readonly region: Region;
  readonly payloadBytesMax: number;
  readonly #pair: RingPair;
  readonly #line: WakeCarrier;
  readonly #requestWork: () => void;
  readonly #at = new Int32Array(BATCH);
  readonly #length = new Int32Array(BATCH);
  readonly #meta = new Int32Array(BATCH);
  readonly #pieceBytes: number;
  #out: Uint8Array[] = [];
  #outAt = 0;
  #queued = 0;
  readonly #waiters = new Set<RoomWaiter>();
  /** Streams whose data the client left here. */
  readonly #unread = new Set<number>();
  #reservedAt = 0;
  #working = false;
  /** A reply was written in this turn. */
  #replied = false;
  /** There is something for the client, which may sleep. */
  #owesWake = false;
  #closed = false;
  #told = false;

  /** `requestWork`: something was written outside a turn. */
  constructor(pair: RingPair, line: WakeCarrier, requestWork: () => void) {
    this.#pair = pair;
    this.region = pair.region;
    this.#line = line;
    this.#requestWork = requestWork;
    this.payloadBytesMax = payloadBytesMax(pair);
    this.#pieceBytes = this.payloadBytesMax;
    line.onBytes = () => requestWork();
    line.onDrain = null;
    line.onClosed = () => this.#lost();
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  // ---- out

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closed) return false;
    if (this.#queued > 0 || !this.#put(head, body)) {
      this.#enqueue(head);
      if (body !== null) this.#enqueue(body);
    }
    if (!this.#working) this.#requestWork();
    return true;
  }

  /** Both in one record; false when they are too long for one, or there is no room. */
  #put(head: Uint8Array, body: Uint8Array | null): boolean {
    const count = head.length + (body?.length ?? 0);
    if (count > this.#pieceBytes) return false;
    const { out } = this.#pair;
    const at = out.reserve(count);
    if (at < 0) return false;
    this.region.bytes.set(head, at);
    if (body !== null) this.region.bytes.set(body, at + head.length);
    out.commit(count, WHOLE);
    return true;
  }

  /** The queue is a stream of bytes, whose frames go in pieces. */
  #enqueue(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#out.push(bytes);
    this.#queued += bytes.length;
  }

  #drain(): number {
    if (this.#queued === 0) return 0;
    const { out } = this.#pair;
    let put = 0;
    for (let first = this.#out[0]; first !== undefined; first = this.#out[0]) {
      const count = Math.min(first.length - this.#outAt, this.#pieceBytes);
      const at = out.reserve(count);
      if (at < 0) break;
      this.region.bytes.set(first.subarray(this.#outAt, this.#outAt + count), at);
      out.commit(count, PIECE);
      put += count;
      this.#outAt += count;
      if (this.#outAt < first.length) continue;
      this.#out.shift();
      this.#outAt = 0;
    }
    this.#queued -= put;
    if (this.#queued === 0) this.onDrain?.();
    return put;
  }

  reserve(payloadBytes: number): number {
    if (this.#closed || this.#queued > 0) return -1;
    const at = this.#pair.out.reserve(HEADER_BYTES + payloadBytes);
    if (at < 0) return -1;
    this.#reservedAt = at;
    return at + HEADER_BYTES;
  }

  commit(operation: number, object: number, a: number, payloadBytes: number, addresses: number): void {
    writeFrameWords(this.region.words, this.#reservedAt, payloadBytes, EVENT, operation, 0, object, a, 0, 0, addresses);
    this.#commit(payloadBytes);
  }

  put(
    frameClass: number,
    operation: number,
    request: number,
    object: number,
    a: number,
    b: number,
    c: number,
  ): boolean {
    if (this.reserve(0) < 0) return false;
    if (frameClass === REPLY) this.#replied = true;
    const { words } = this.region;
    writeFrameWords(words, this.#reservedAt, 0, frameClass, operation, request, object, a, b, c, 0);
    this.#commit(0);
    return true;
  }

  #commit(payloadBytes: number): void {
    this.#pair.out.commit(HEADER_BYTES + payloadBytes, WHOLE);
    if (!this.#working) this.#requestWork();
  }

  awaitRoom(waiter: RoomWaiter): void {
    this.#waiters.add(waiter);
    if (!this.#working) this.#requestWork();
  }

  /** The waiters go on when a longest record fits. */
  #serveWaiters(): number {
    if (this.#waiters.size === 0 || this.#queued > 0 || this.#pair.out.reserve(this.#pieceBytes) < 0) return 0;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.hasRoom();
    return waiters.length;
  }

  // ---- in

  doWork(): number {
    if (this.#told) return 0;
    this.#pair.disarm();
    this.#working = true;
    let work = 0;
    try {
      for (let i = 0; i < BATCHES_PER_TURN; i++) {
        const count = this.#receive();
        work += count;
        if (count < BATCH && !this.#followed()) break;
      }
      work += this.#drain() + this.#serveWaiters();
    } finally {
      this.#working = false;
      this.flush();
    }
    if (this.#pair.broken !== '') this.close();
    return work;
  }

  /** Whether another request follows a reply at once, as one call follows another. */
  #followed(): boolean {
    if (!this.#replied) return false;
    this.#replied = false;
    this.flush();
    const { in: requests } = this.#pair;
    for (let i = 0; i < LOOKS; i++) if (requests.pending) return true;
    return false;
  }

  #receive(): number {
    const pair = this.#pair;
    const count = pair.in.receive(this.#at, this.#length, this.#meta, 0, BATCH);
    for (let i = 0; i < count && !this.#told; i++) {
      const at = this.#at[i] as number;
      const length = this.#length[i] as number;
      if (this.#meta[i] === WHOLE && this.onFrame !== null) this.onFrame(at, length);
      else this.onBytes?.(this.region.bytes.slice(at, at + length));
    }
    if (pair.in.release()) this.#owesWake = true;
    return count;
  }

  /** One wake-up at most: it costs as much as a turn. */
  flush(): void {
    if (this.#told) return;
    if (this.#pair.out.publish()) this.#owesWake = true;
    if (!this.#owesWake) return;
    this.#owesWake = false;
    if (this.#pair.claimSleeper()) this.#line.wake();
  }

  nextDeadlineUs(): number {
    return Number.POSITIVE_INFINITY;
  }

  workPending(): boolean {
    if (this.#told) return false;
    this.#pair.arm();
    const { out } = this.#pair;
    if (this.#pair.in.pending) return true;
    return (this.#queued > 0 || this.#waiters.size > 0) && out.awaitRoom(this.#pieceBytes);
  }

  /** The connection has ended: what the client had published is still served. */
  #lost(): void {
    if (this.#told) return;
    while (this.#receive() > 0);
    this.#findUnread();
    this.#told = true;
    this.#closed = true;
    this.#out = [];
    this.#queued = 0;
    this.#waiters.clear();
    this.onClosed?.();
  }

  #findUnread(): void {
    const { words } = this.region;
    this.#pair.out.eachUnreleased((at) => {
      const word = at >> 2;
      if (words[word + 1] === (EVENT | (DATA << 16))) this.#unread.add(words[word + 3] as number);
    });
  }

  leftUnread(object: number): boolean {
    return this.#unread.has(object);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.flush();
    this.#line.close();
  }
}
