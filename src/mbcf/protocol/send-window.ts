/**
 * Packets that wait to be sent or to be acknowledged, in their order: go-back-N, because the receiver keeps none that came too early.
 *
 * Thread: that of the node. `reserve` → write the data in place → `commit`; operations share a packet as long as they fit. A packet lies in its
 * slot until it is acknowledged. Requests leave some slots to replies: a node that waits for room of its own still answers, so two nodes that
 * flood each other go on. Read first: context.ts, wire/mbcf.ts.
 */

import { seqDiff, seqGt, seqLt } from '../../base/sequence.ts';
import * as mbcf from '../../wire/mbcf.ts';
import type { InFlightLimit, MbcfContext } from './context.ts';

/** Slots for replies alone. */
const REPLY_SLOTS = 4;
const SLOTS_MIN = 16;

export class SendWindow {
  /** Number of the oldest packet that is not acknowledged. */
  unacked = 1;
  /** Number of the packet that is sent next: again, after a step back. */
  toSend = 1;
  /** Number of the next packet that is begun. */
  next = 1;
  /** Packets that may be on their way now. */
  limit: number;
  readonly maxBytes: number;
  readonly #context: MbcfContext;
  readonly #inFlight: InFlightLimit;
  readonly #wide: boolean;
  /** Has other windows give memory back. */
  readonly #makeRoom: () => void;
  readonly #slots: number;
  readonly #slotBytes: number;
  /** -1 until it is needed: many nodes are only heard of. */
  #slotsAt = -1;
  readonly #lengths: Int32Array;
  /** When each was sent for the first time; 0 when it was sent again, which measures no round trip (Karn). */
  readonly #sentUs: Float64Array;
  /** Bytes of the packet that is open; 0: none is. */
  #openBytes = 0;
  #openCount = 0;
  /** Bytes that the replies to the operations of the open packet can take: they fit one packet too. */
  #openReplyBytes = 0;
  #reserved = 0;
  /** The limit grows by one per packet up to here, then by one per round. */
  #threshold: number;
  #growth = 0;
  /** Losses up to this number are one event. */
  #recover = 0;

  // cold: once per pair
  constructor(context: MbcfContext, maxBytes: number, inFlight: InFlightLimit, wide: boolean, makeRoom: () => void) {
    this.#makeRoom = makeRoom;
    this.#context = context;
    this.#inFlight = inFlight;
    this.#wide = wide;
    this.maxBytes = maxBytes;
    this.limit = inFlight.first;
    this.#threshold = inFlight.max;
    this.#slots = Math.max(SLOTS_MIN, 2 ** Math.ceil(Math.log2(inFlight.max)));
    this.#slotBytes = Math.ceil(maxBytes / 64) * 64;
    this.#lengths = new Int32Array(this.#slots);
    this.#sentUs = new Float64Array(this.#slots);
  }

  /** Take the memory of the window. False when the heap has no room for it. */
  open(): boolean {
    if (this.#slotsAt >= 0) return true;
    const bytes = this.#slots * this.#slotBytes;
    this.#slotsAt = this.#context.heap.allocate(bytes);
    if (this.#slotsAt >= 0) return true;
    this.#makeRoom();
    this.#slotsAt = this.#context.heap.allocate(bytes);
    return this.#slotsAt >= 0;
  }

  /** Give the memory back; it is taken again when it is needed. The window holds nothing. */
  // cold: when memory is short
  close(): void {
    if (this.#slotsAt >= 0) this.#context.heap.free(this.#slotsAt);
    this.#slotsAt = -1;
  }

  /** Packets that are on their way, or wait. */
  get held(): number {
    return seqDiff(this.next, this.unacked) + (this.#openBytes > 0 ? 1 : 0);
  }

  /** Whether two packets of replies find room, as many as the operations of one packet can need. */
  get answers(): boolean {
    return this.open() && this.held + 2 <= this.#slots;
  }

  /** Longest data of one operation. */
  get maxDataBytes(): number {
    return this.maxBytes - mbcf.HEADER_BYTES - mbcf.operationHeaderBytes(this.#wide);
  }

  /** Place for the data of an operation in the packet that is open, or in a new one; -1 when there is no room now. Its reply has at most `replyBytes` of data. */
  reserve(
    code: number,
    flags: number,
    handle: number,
    tag: number,
    address: number,
    dataBytes: number,
    replyBytes: number,
  ): number {
    if (!this.open()) return -1;
    const bytes = mbcf.paddedBytes(this.#wide, dataBytes);
    const back = code === mbcf.CODE_REPLY ? 0 : mbcf.paddedBytes(this.#wide, replyBytes);
    const full = this.#openBytes + bytes > this.maxBytes || this.#openReplyBytes + back > this.maxBytes;
    if (this.#openBytes > 0 && full) this.seal();
    if (this.#openBytes === 0) {
      const slots = code === mbcf.CODE_REPLY ? this.#slots : this.#slots - REPLY_SLOTS;
      if (this.held >= slots) return -1;
      this.#openBytes = mbcf.HEADER_BYTES;
      this.#openCount = 0;
      this.#openReplyBytes = mbcf.HEADER_BYTES;
    }
    this.#openReplyBytes += back;
    const { view } = this.#context.arena;
    const at = this.#slotAt(this.next) + this.#openBytes;
    this.#reserved = bytes;
    // Padding says nothing of the packet that was here before.
    view.setInt32(at + bytes - 4, 0);
    return mbcf.writeOperation(view, at, this.#wide, code, flags, dataBytes, handle, tag, address);
  }

  commit(): void {
    this.#openBytes += this.#reserved;
    this.#openCount++;
    this.#reserved = 0;
  }

  /** No further operation joins the packet that is open. */
  seal(): void {
    if (this.#openBytes === 0) return;
    const slot = this.next & (this.#slots - 1);
    this.#lengths[slot] = this.#openBytes;
    this.#sentUs[slot] = -1;
    const bytes = this.#openBytes - mbcf.HEADER_BYTES;
    mbcf.setOperations(this.#context.arena.view, this.#slotAt(this.next), bytes, this.#openCount);
    this.next = (this.next + 1) | 0;
    this.#openBytes = 0;
  }

  /** Whether a packet may be sent now. */
  get ready(): boolean {
    return seqLt(this.toSend, this.next) && seqDiff(this.toSend, this.unacked) < this.limit;
  }

  /** Whether the packet that is sent next should be acknowledged at once: half of the limit is on its way, or it goes again. */
  get wantsAck(): boolean {
    const slot = this.toSend & (this.#slots - 1);
    return (seqDiff(this.toSend, this.unacked) + 1) * 2 >= this.limit || this.#sentUs[slot] !== -1;
  }

  /** Place and length of the packet that is sent next. */
  get packetAt(): number {
    return this.#slotAt(this.toSend);
  }

  get packetBytes(): number {
    return this.#lengths[this.toSend & (this.#slots - 1)] as number;
  }

  /** It was sent. */
  sent(nowUs: number): void {
    const slot = this.toSend & (this.#slots - 1);
    this.#sentUs[slot] = this.#sentUs[slot] === -1 ? nowUs : 0;
    this.toSend = (this.toSend + 1) | 0;
  }

  /**
   * The other side has all packets before `number`. Returns when the last of them was sent, if it was sent once: it measures a round trip; 0 when
   * none does, -1 when nothing new is acknowledged.
   */
  acknowledge(number: number): number {
    // A packet that was never begun cannot be acknowledged.
    if (!seqGt(number, this.unacked) || seqGt(number, this.next)) return -1;
    const count = seqDiff(number, this.unacked);
    const sentUs = this.#sentUs[(number - 1) & (this.#slots - 1)] as number;
    this.unacked = number;
    if (seqLt(this.toSend, number)) this.toSend = number;
    this.#grow(count);
    return Math.max(0, sentUs);
  }

  #grow(count: number): void {
    const { adaptive, max } = this.#inFlight;
    if (!adaptive || this.limit >= max) return;
    if (this.limit < this.#threshold) {
      this.limit = Math.min(max, this.limit + count);
      return;
    }
    this.#growth += count;
    if (this.#growth < this.limit) return;
    this.#growth = 0;
    this.limit++;
  }

  /** The other side misses the oldest packet: begin there again. */
  stepBack(): void {
    this.toSend = this.unacked;
    if (!this.#inFlight.adaptive || seqLt(this.unacked, this.#recover)) return;
    this.#recover = this.next;
    this.#threshold = Math.max(this.#inFlight.min, this.limit >> 1);
    this.limit = this.#threshold;
  }

  /** Nothing was heard for long: begin there again, one packet at a time. */
  restart(): void {
    this.toSend = this.unacked;
    if (!this.#inFlight.adaptive) return;
    this.#threshold = Math.max(this.#inFlight.min, this.limit >> 1);
    this.limit = this.#inFlight.min;
    this.#recover = this.next;
  }

  /** Throw away every packet; numbers begin anew. Returns how many there were. */
  // cold: once per association
  reset(): number {
    const { held } = this;
    this.unacked = 1;
    this.toSend = 1;
    this.next = 1;
    this.limit = this.#inFlight.first;
    this.#threshold = this.#inFlight.max;
    this.#openBytes = 0;
    this.#growth = 0;
    this.#recover = 0;
    return held;
  }

  #slotAt(number: number): number {
    return this.#slotsAt + (number & (this.#slots - 1)) * this.#slotBytes;
  }
}
