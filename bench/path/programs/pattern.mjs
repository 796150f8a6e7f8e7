// Bytes that a receiver can check wherever it comes in: a repeated block of prime length, so that lost, repeated or moved
// data shows. Some bytes of every packet are looked at, as the C peers do (16 of 1500): a receiver that looks at every cache line
// spends two fifths of its time on that.

export const PERIOD = 65521; // prime; twice this still lies in a second-level cache
export const STRIDE = 509; // prime too: no place is passed over for ever

/** One period and `extra` bytes more, so that a slice of `extra` bytes can start anywhere in the period. */
export function pattern(extra) {
  const bytes = Buffer.alloc(PERIOD + extra);
  let state = 0x9e3779b9;
  for (let i = 0; i < PERIOD; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  for (let i = 0; i < extra; i++) bytes[PERIOD + i] = bytes[i % PERIOD];
  return bytes;
}

/** Number of bytes, of those looked at, that differ from the pattern starting at `position` of the stream. */
export function damage(expected, chunk, position) {
  let damaged = 0;
  let at = position % PERIOD;
  for (let i = 0; i < chunk.length; i += STRIDE) {
    if (chunk[i] !== expected[at]) damaged++;
    at += STRIDE;
    if (at >= PERIOD) at -= PERIOD;
  }
  return damaged;
}
