/**
 * Cuts a byte stream that another party writes into frames. A frame is a header of fixed size, whose first int32
 * (little-endian) is the length of the payload behind it.
 *
 * Thread: any. The length is checked as soon as the header is there, before one byte of payload is kept: memory held for a
 * connection is one header and one frame of at most `limitBytes`, and every byte is copied at most once. After a bad length
 * the stream has no frames any more: `next` returns null for ever, and `fault` says why. Read first: protocol.ts.
 */

import { assert } from '../base/assert.ts';

/** Why a stream is given up. */
export type FrameFault = 'negative length' | 'frame too long';

const NO_BYTES: Uint8Array = new Uint8Array(0);

export class FrameReader {
  /** Longest payload that is taken from now on, bytes. */
  limitBytes: number;
  fault: FrameFault | null = null;
  readonly #headerBytes: number;
  readonly #header: Uint8Array;
  readonly #headerView: DataView;
  #headerHave = 0;
  /** Bytes of the last `push` that were not looked at: from `#at` on. */
  #chunk: Uint8Array = NO_BYTES;
  #at = 0;
  /** A frame whose beginning came with an earlier chunk; null when none is under way. */
  #partial: Uint8Array | null = null;
  #partialHave = 0;

  constructor(headerBytes: number, limitBytes: number) {
    this.#headerBytes = headerBytes;
    this.limitBytes = limitBytes;
    this.#header = new Uint8Array(headerBytes);
    this.#headerView = new DataView(this.#header.buffer);
  }

  /** Bytes that are kept until the rest of their frame arrives. */
  get bufferedBytes(): number {
    return this.#headerHave + this.#partialHave;
  }

  /** More of the stream; call `next` until it returns null before the next `push`. */
  push(bytes: Uint8Array): void {
    if (this.fault !== null) return;
    assert(this.#at === this.#chunk.length, 'the chunk before was not read to its end');
    this.#chunk = bytes;
    this.#at = 0;
  }

  /** The next whole frame, header included, or null. It may share memory with what was pushed. */
  next(): Uint8Array | null {
    if (this.fault !== null) return null;
    if (this.#partial !== null) return this.#continue(this.#partial);
    const left = this.#chunk.length - this.#at;
    if (this.#headerHave === 0 && left >= this.#headerBytes) {
      const chunk = this.#chunk;
      const length = new DataView(chunk.buffer, chunk.byteOffset + this.#at, 4).getInt32(0, true);
      if (!this.#accepts(length)) return null;
      const bytes = this.#headerBytes + length;
      if (left < bytes) return this.#continue(this.#begin(bytes));
      const frame = chunk.subarray(this.#at, this.#at + bytes);
      this.#took(bytes);
      return frame;
    }
    this.#takeHeader(left);
    if (this.#headerHave < this.#headerBytes) return null;
    const length = this.#headerView.getInt32(0, true);
    if (!this.#accepts(length)) return null;
    const frame = this.#begin(this.#headerBytes + length);
    frame.set(this.#header);
    this.#partialHave = this.#headerHave;
    this.#headerHave = 0;
    return this.#continue(frame);
  }

  /** The bytes behind the last frame, which are taken away. */
  rest(): Uint8Array {
    const rest = this.#chunk.subarray(this.#at);
    this.#chunk = NO_BYTES;
    this.#at = 0;
    return rest;
  }

  #accepts(length: number): boolean {
    if (length >= 0 && length <= this.limitBytes) return true;
    this.fault = length < 0 ? 'negative length' : 'frame too long';
    this.#chunk = NO_BYTES;
    this.#at = 0;
    this.#headerHave = 0;
    return false;
  }

  #takeHeader(left: number): void {
    const count = Math.min(this.#headerBytes - this.#headerHave, left);
    this.#header.set(this.#chunk.subarray(this.#at, this.#at + count), this.#headerHave);
    this.#headerHave += count;
    this.#took(count);
  }

  #begin(bytes: number): Uint8Array {
    this.#partialHave = 0;
    this.#partial = new Uint8Array(bytes);
    return this.#partial;
  }

  #continue(frame: Uint8Array): Uint8Array | null {
    const count = Math.min(frame.length - this.#partialHave, this.#chunk.length - this.#at);
    frame.set(this.#chunk.subarray(this.#at, this.#at + count), this.#partialHave);
    this.#partialHave += count;
    this.#took(count);
    if (this.#partialHave < frame.length) return null;
    this.#partial = null;
    this.#partialHave = 0;
    return frame;
  }

  #took(count: number): void {
    this.#at += count;
    if (this.#at < this.#chunk.length) return;
    this.#chunk = NO_BYTES;
    this.#at = 0;
  }
}
