/**
 * The receive queue of a datagram or raw socket: whole datagrams in a byte ring of private memory.
 *
 * Thread: the one that runs the CPU. Nothing is allocated per datagram: the ring is one block of the heap, taken when
 * the first datagram comes and doubled until the socket's limit is reached. A datagram lies in one piece. Datagrams of equal
 * size that came together (a super-frame) are one record, and are given out one by one or together.
 *
 *   record (8-aligned):  int32 length, -1: go on at the start; int32 address; int32 port, bit 16: a broadcast; int32 segment size;
 *   payload
 */

import type { Sysctl, SysctlVariable } from '../../kern/sysctl.ts';
import type { InetContext } from './context.ts';

const HEADER_BYTES = 16;
const FIRST_BYTES = 2048;
const WRAP = -1;
const PORT_MASK = 0xffff;
const BROADCAST = 0x10000;

function recordBytes(payloadBytes: number): number {
  return (HEADER_BYTES + payloadBytes + 7) & ~7;
}

/** The sysctl that bounds the buffers of datagram and raw sockets. */
export function socketBufferLimit(sysctl: Sysctl): SysctlVariable {
  return sysctl.integer('kern.sbmax', 1 << 24, 2048, 1 << 26, 'largest buffer a socket may ask for, bytes');
}

export class DatagramQueue {
  readonly #context: InetContext;
  readonly #view: DataView;
  #blockAt = 0;
  #capacity = 0;
  #head = 0;
  #tail = 0;
  /** Bytes between head and tail, records and skipped room. */
  #used = 0;
  #count = 0;
  #payloadBytes = 0;
  #reserved = 0;
  /** Bytes of the first record that were given out already. */
  #taken = 0;
  /** Records may take this many bytes, headers included. */
  limitBytes: number;

  constructor(context: InetContext, limitBytes: number) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.limitBytes = limitBytes;
  }

  /** Records; 0 when nothing waits. */
  get count(): number {
    return this.#count;
  }

  /** Payload bytes that wait. */
  get queuedBytes(): number {
    return this.#payloadBytes;
  }

  /** Room for one datagram: the offset for its payload, 8-aligned, or -1 when the queue is full. */
  reserve(payloadBytes: number): number {
    const bytes = recordBytes(payloadBytes);
    if (this.#used + bytes > this.limitBytes) return -1;
    let at = this.#place(bytes);
    while (at < 0) {
      if (!this.#grow(bytes)) return -1;
      at = this.#place(bytes);
    }
    this.#reserved = payloadBytes;
    return at + HEADER_BYTES;
  }

  /**
   * The datagram reserved last is complete; without this call it is not there. With `segmentBytes` it is several datagrams
   * of that size, of which the last may be shorter. `broadcast`: it came to more than this host.
   */
  commit(address: number, port: number, segmentBytes: number = 0, broadcast: boolean = false): void {
    const view = this.#view;
    const at = this.#blockAt + this.#tail;
    view.setInt32(at, this.#reserved);
    view.setInt32(at + 4, address);
    view.setInt32(at + 8, broadcast ? port | BROADCAST : port);
    view.setInt32(at + 12, segmentBytes < this.#reserved ? segmentBytes : 0);
    const bytes = recordBytes(this.#reserved);
    this.#tail += bytes;
    if (this.#tail === this.#capacity) this.#tail = 0;
    this.#used += bytes;
    this.#count++;
    this.#payloadBytes += this.#reserved;
  }

  /** Length of the first datagram, -1 when there is none. */
  get nextBytes(): number {
    if (this.#count === 0) return -1;
    const at = this.#first();
    const segmentBytes = this.#view.getInt32(at + 12);
    const left = this.#view.getInt32(at) - this.#taken;
    return segmentBytes !== 0 && segmentBytes < left ? segmentBytes : left;
  }

  /** Payload, sender and port of the first datagram; only while there is one. */
  get nextAt(): number {
    return this.#first() + HEADER_BYTES + this.#taken;
  }

  get nextAddress(): number {
    return this.#view.getInt32(this.#first() + 4);
  }

  get nextPort(): number {
    return this.#view.getInt32(this.#first() + 8) & PORT_MASK;
  }

  /** Whether the first datagram was a broadcast or went to a group. */
  get nextBroadcast(): boolean {
    return (this.#view.getInt32(this.#first() + 8) & BROADCAST) !== 0;
  }

  /** Remove the first datagram. */
  shift(): void {
    const at = this.#first();
    const payloadBytes = this.#view.getInt32(at);
    const segmentBytes = this.#view.getInt32(at + 12);
    if (segmentBytes !== 0 && this.#taken + segmentBytes < payloadBytes) {
      this.#taken += segmentBytes;
      this.#payloadBytes -= segmentBytes;
      return;
    }
    this.#count--;
    this.#payloadBytes -= payloadBytes - this.#taken;
    this.#taken = 0;
    if (this.#count === 0) {
      this.#head = 0;
      this.#tail = 0;
      this.#used = 0;
      this.#yieldMemory();
      return;
    }
    const bytes = recordBytes(payloadBytes);
    this.#used -= bytes;
    this.#goTo(this.#head + bytes);
  }

  /** There is a record, which begins at `head`, or at the start when the mark of the end is there. */
  #goTo(head: number): void {
    this.#head = head === this.#capacity ? 0 : head;
    if (this.#view.getInt32(this.#blockAt + this.#head) !== WRAP) return;
    this.#used -= this.#capacity - this.#head;
    this.#head = 0;
  }

  /** Call `mark` with the sender of every datagram that waits. */
  markAddresses(mark: (address: number) => void): void {
    let at = this.#head;
    for (let left = this.#count; left > 0; left--) {
      if (this.#view.getInt32(this.#blockAt + at) === WRAP) at = 0;
      mark(this.#view.getInt32(this.#blockAt + at + 4));
      at += recordBytes(this.#view.getInt32(this.#blockAt + at));
      if (at === this.#capacity) at = 0;
    }
  }

  /** Give the memory back; datagrams that waited are lost. */
  close(): void {
    if (this.#capacity > 0) this.#context.heap.free(this.#blockAt);
    this.#capacity = 0;
    this.#count = 0;
    this.#used = 0;
    this.#head = 0;
    this.#tail = 0;
    this.#payloadBytes = 0;
    this.#taken = 0;
  }

  /** Nothing waits: more than a share of the heap goes back. */
  #yieldMemory(): void {
    const { heap } = this.#context;
    if (heap.shareBytes(this.#capacity) >= this.#capacity) return;
    heap.free(this.#blockAt);
    this.#capacity = 0;
  }

  /** Place of the first record. */
  #first(): number {
    return this.#blockAt + this.#head;
  }

  /** Place for a record of that size, -1 when there is none; moves the tail to the start when the end is too short. */
  #place(bytes: number): number {
    if (this.#tail < this.#head || this.#used === 0) {
      const room = this.#used === 0 ? this.#capacity : this.#head - this.#tail;
      return bytes <= room ? this.#blockAt + this.#tail : -1;
    }
    if (this.#used === this.#capacity || this.#tail === this.#head) return -1;
    const toEnd = this.#capacity - this.#tail;
    if (bytes <= toEnd) return this.#blockAt + this.#tail;
    if (bytes > this.#head) return -1;
    this.#view.setInt32(this.#blockAt + this.#tail, WRAP);
    this.#used += toEnd;
    this.#tail = 0;
    return this.#blockAt;
  }

  /** Move to a block twice as large, or as large as needed; false when the limit or the heap forbids it. */
  #grow(bytes: number): boolean {
    const { heap, bulk } = this.#context;
    let capacity = this.#capacity === 0 ? FIRST_BYTES : this.#capacity * 2;
    while (capacity < bytes) capacity *= 2;
    if (this.#capacity > 0 && this.#capacity >= this.limitBytes) return false;
    const blockAt = heap.allocateShare(capacity, this.#capacity);
    if (blockAt < 0) return false;
    if (heap.allocatedBytes < capacity) {
      heap.free(blockAt);
      return false;
    }
    let tail = 0;
    for (let left = this.#count; left > 0; left--) {
      const from = this.#first();
      const length = recordBytes(this.#view.getInt32(from));
      bulk.copy(blockAt + tail, from, length);
      tail += length;
      if (left > 1) this.#goTo(this.#head + length);
    }
    if (this.#capacity > 0) heap.free(this.#blockAt);
    this.#blockAt = blockAt;
    this.#capacity = capacity;
    this.#head = 0;
    this.#tail = tail;
    this.#used = tail;
    return true;
  }
}
