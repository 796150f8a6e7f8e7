/**
 * Headers of frames that lie in shared memory, as words.
 *
 * Thread: any; nothing here keeps a thread's state but {@link FrameWords}. The other party may change the memory at any time:
 * each word is read once. Read first: protocol.ts (the header), docs/layouts/ring-pair.md.
 */

import { ADDRESS_BYTES, ADDRESSES_MAX, type Frame, HEADER_BYTES, NO_ADDRESSES, NO_PAYLOAD } from './protocol.ts';

/** Write a header at a place. */
export function writeFrameWords(
  words: Int32Array,
  at: number,
  payloadBytes: number,
  frameClass: number,
  operation: number,
  request: number,
  object: number,
  a: number,
  b: number,
  c: number,
  addresses: number,
): void {
  const word = at >> 2;
  words[word] = payloadBytes;
  words[word + 1] = frameClass | (operation << 16);
  words[word + 2] = request;
  words[word + 3] = object;
  words[word + 4] = a;
  words[word + 5] = b;
  words[word + 6] = c;
  words[word + 7] = addresses;
}

/** A frame that is a header and nothing else; null when it says otherwise. */
export function bareFrame(words: Int32Array, at: number): Frame | null {
  const word = at >> 2;
  if (words[word] !== 0 || words[word + 7] !== 0) return null;
  const kind = words[word + 1] as number;
  return {
    class: kind & 0xffff,
    operation: kind >>> 16,
    request: words[word + 2] as number,
    object: words[word + 3] as number,
    a: words[word + 4] as number,
    b: words[word + 5] as number,
    c: words[word + 6] as number,
    payload: NO_PAYLOAD,
    addresses: NO_ADDRESSES,
  };
}

/** Words of the header of a frame that lies in shared memory, copied from there. */
export class FrameWords {
  class = 0;
  operation = 0;
  request = 0;
  object = 0;
  a = 0;
  /** Length of the payload without its addresses. */
  byteLength = 0;
  addresses = 0;

  /** The header at a place, of a frame of that length; false when the two do not agree. */
  read(words: Int32Array, at: number, frameBytes: number): boolean {
    const word = at >> 2;
    const kind = words[word + 1] as number;
    this.class = kind & 0xffff;
    this.operation = kind >>> 16;
    this.request = words[word + 2] as number;
    this.object = words[word + 3] as number;
    this.a = words[word + 4] as number;
    this.addresses = words[word + 7] as number;
    this.byteLength = frameBytes - HEADER_BYTES - this.addresses * ADDRESS_BYTES;
    const sound = this.addresses >= 0 && this.addresses <= ADDRESSES_MAX && this.byteLength >= 0;
    return sound && words[word] === frameBytes - HEADER_BYTES;
  }
}
