/**
 * Internet checksum arithmetic on numbers (RFC 1071). Sums over memory are made by `Bulk` (mem/bulk.ts) or, over a
 * DataView, by {@link sumView}; here are the folds that combine them.
 *
 * A "sum" is a ones' complement sum of 16-bit big-endian words, not complemented, folded or not. A "checksum" is the
 * complemented, folded value that goes into a header.
 */

/** The folded sum over data whose checksum is right. */
export const FOLDED_ONES = 0xffff;

/** Fold a sum (any value up to 2^32 - 1) to 16 bits. */
export function foldSum(sum: number): number {
  sum = (sum >>> 16) + (sum & 0xffff);
  return ((sum >>> 16) + sum) & 0xffff;
}

/** The checksum field for a sum. */
export function checksumOf(sum: number): number {
  return ~foldSum(sum) & 0xffff;
}

/**
 * Sum of `lengthBytes`, at most 65535, at `at`; an odd last byte is padded with zero on the right. For headers; bulk data
 * uses `Bulk`.
 */
export function sumView(view: DataView, at: number, lengthBytes: number): number {
  let sum = 0;
  // Two 16-bit words with each load: half the time of one by one.
  const end = at + (lengthBytes & ~3);
  for (; at < end; at += 4) {
    const word = view.getInt32(at);
    sum += (word >>> 16) + (word & 0xffff);
  }
  if (lengthBytes & 2) {
    sum += view.getUint16(at);
    at += 2;
  }
  if (lengthBytes & 1) sum += view.getUint8(at) << 8;
  return foldSum(sum);
}

/** Pseudo-header sum of IPv4 (RFC 9293 section 3.1, RFC 768): addresses int32, `lengthBytes` of the transport segment. */
export function pseudoSum4(src: number, dst: number, protocol: number, lengthBytes: number): number {
  return (
    (src >>> 16) +
    (src & 0xffff) +
    (dst >>> 16) +
    (dst & 0xffff) +
    protocol +
    (lengthBytes >>> 16) +
    (lengthBytes & 0xffff)
  );
}

/** RFC 1624 equation 3: the checksum after one 16-bit word of the data changed from `before` to `after`. */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}
