/**
 * A region: a piece of shared memory with a layout of its own. Threads and processes may see it at different places.
 *
 * Thread: any; each attaches once and keeps the views. Two kinds of numbers name a byte. A *place* (`at`) indexes the views
 * of the calling thread; code and data path work with places only. An *offset* counts from the base of a region; layouts
 * store offsets only, because another process may map the region elsewhere. {@link Region.place} and
 * {@link Region.offset} convert. Views cover the whole buffer, so the regions of one buffer share them and data-path code
 * sees one set of views. Read next: arena.ts, the region that hands out regions.
 */

import { assert } from '../base/assert.ts';

/** A base is a multiple of this, so that alignment within the region is alignment in memory. */
const REGION_ALIGN = 128;

/** The views of one buffer, made once per thread. */
export interface Views {
  /** Buffer that all views cover, from its first byte on. */
  readonly buffer: SharedArrayBuffer;
  /** Bytes, indexed by place. */
  readonly bytes: Uint8Array;
  /** View for fields of any byte order, indexed by place. */
  readonly view: DataView;
  /** 32-bit words, for Atomics; the index is a place divided by 4. */
  readonly words: Int32Array;
  /** 64-bit floats, as counters have them; the index is a place divided by 8. */
  readonly floats: Float64Array;
}

/** All views of a buffer, for the calling thread; the regions of the buffer share them. */
// cold: once per region and thread
export function viewsOf(buffer: SharedArrayBuffer): Views {
  const words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
  const floats = new Float64Array(buffer, 0, buffer.byteLength >> 3);
  return { buffer, bytes: new Uint8Array(buffer), view: new DataView(buffer), words, floats };
}

/** A piece of shared memory: a base and a length within a buffer, and the views of the whole buffer. */
export class Region {
  /** Buffer in which the region lies. */
  readonly buffer: SharedArrayBuffer;
  /** Place of the first byte. */
  readonly base: number;
  /** Length of the region in bytes. */
  readonly byteLength: number;
  /** Bytes of the whole buffer, indexed by place. */
  readonly bytes: Uint8Array;
  /** View of the whole buffer, indexed by place. */
  readonly view: DataView;
  /** 32-bit words of the whole buffer; the index is a place divided by 4. */
  readonly words: Int32Array;
  /** 64-bit floats of the whole buffer; the index is a place divided by 8. */
  readonly floats: Float64Array;

  /** `[base, base + byteLength)` of a buffer. Throws (a defect of the caller) when it does not lie in it, or is not aligned. */
  constructor(views: Views, base: number, byteLength: number) {
    assert(base >= 0 && base % REGION_ALIGN === 0, `region: base ${base}`);
    assert(byteLength >= 0 && base + byteLength <= views.buffer.byteLength, `region: ${byteLength} bytes at ${base}`);
    this.buffer = views.buffer;
    this.base = base;
    this.byteLength = byteLength;
    this.bytes = views.bytes;
    this.view = views.view;
    this.words = views.words;
    this.floats = views.floats;
  }

  /** The place of an offset, which the caller checked (`holds`). */
  place(offset: number): number {
    return this.base + offset;
  }

  /** The offset of a place in this region. */
  offset(at: number): number {
    return at - this.base;
  }

  /** Whether `[offset, offset + byteLength)`, read from shared memory, lies in the region. */
  holds(offset: number, byteLength: number): boolean {
    return offset >= 0 && byteLength >= 0 && offset + byteLength <= this.byteLength;
  }

  /** A region within this one, at an offset. */
  // cold: once per region and thread
  part(offset: number, byteLength: number): Region {
    assert(this.holds(offset, byteLength), `region: no part of ${byteLength} bytes at ${offset}`);
    return new Region(this, this.base + offset, byteLength);
  }
}
