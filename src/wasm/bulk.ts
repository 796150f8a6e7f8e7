// Bulk kernels over the arena, AssemblyScript with SIMD. Built by scripts/build-wasm.js into src/mem/generated/bulk-wasm.ts;
// called through mem/bulk-wasm.ts. No static data, no allocation: the imported memory belongs to the arena.
//
// Sums: 16-bit words are added as the little-endian machine reads them and the folded result is byte-swapped at the end
// (RFC 1071 section 2(B)). i16x8.extadd_pairwise gives four 32-bit lanes, each growing by at most 2 * 65535 per vector, so
// the lanes are emptied into a 64-bit sum at least every 32768 vectors.

const VECTORS_PER_FLUSH: u32 = 16384;

// @ts-ignore: decorator
@inline
function flushLanes(lanes: v128): u64 {
  return (
    <u64>(<u32>i32x4.extract_lane(lanes, 0)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 1)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 2)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 3))
  );
}

// @ts-ignore: decorator
@inline
function finish(sum: u64): u32 {
  sum = (sum >> 32) + (sum & 0xffffffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  const folded = <u32>sum;
  return ((folded & 0xff) << 8) | (folded >> 8);
}

export function copy(dst: u32, src: u32, n: u32): void {
  memory.copy(dst, src, n);
}

export function fill(at: u32, n: u32, byte: u32): void {
  memory.fill(at, <u8>byte, n);
}

export function sum(at: u32, n: u32): u32 {
  let total: u64 = 0;
  while (n >= 64) {
    let vectors = min<u32>(n >> 6, VECTORS_PER_FLUSH >> 2);
    n -= vectors << 6;
    let lanes0 = i32x4.splat(0);
    let lanes1 = i32x4.splat(0);
    do {
      lanes0 = i32x4.add(lanes0, i32x4.extadd_pairwise_i16x8_u(v128.load(at)));
      lanes1 = i32x4.add(lanes1, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 16)));
      lanes0 = i32x4.add(lanes0, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 32)));
      lanes1 = i32x4.add(lanes1, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 48)));
      at += 64;
    } while (--vectors);
    total += flushLanes(lanes0) + flushLanes(lanes1);
  }
  while (n >= 8) {
    const word = load<u64>(at);
    total += (word & 0xffffffff) + (word >> 32);
    at += 8;
    n -= 8;
  }
  if (n & 4) {
    total += <u64>load<u32>(at);
    at += 4;
  }
  if (n & 2) {
    total += <u64>load<u16>(at);
    at += 2;
  }
  if (n & 1) total += <u64>load<u8>(at);
  return finish(total);
}

export function copySum(dst: u32, src: u32, n: u32): u32 {
  let total: u64 = 0;
  while (n >= 64) {
    let vectors = min<u32>(n >> 6, VECTORS_PER_FLUSH >> 2);
    n -= vectors << 6;
    let lanes0 = i32x4.splat(0);
    let lanes1 = i32x4.splat(0);
    do {
      const a = v128.load(src);
      const b = v128.load(src, 16);
      const c = v128.load(src, 32);
      const d = v128.load(src, 48);
      v128.store(dst, a);
      v128.store(dst, b, 16);
      v128.store(dst, c, 32);
      v128.store(dst, d, 48);
      lanes0 = i32x4.add(lanes0, i32x4.extadd_pairwise_i16x8_u(a));
      lanes1 = i32x4.add(lanes1, i32x4.extadd_pairwise_i16x8_u(b));
      lanes0 = i32x4.add(lanes0, i32x4.extadd_pairwise_i16x8_u(c));
      lanes1 = i32x4.add(lanes1, i32x4.extadd_pairwise_i16x8_u(d));
      src += 64;
      dst += 64;
    } while (--vectors);
    total += flushLanes(lanes0) + flushLanes(lanes1);
  }
  while (n >= 8) {
    const word = load<u64>(src);
    store<u64>(dst, word);
    total += (word & 0xffffffff) + (word >> 32);
    src += 8;
    dst += 8;
    n -= 8;
  }
  if (n & 4) {
    const word = load<u32>(src);
    store<u32>(dst, word);
    total += <u64>word;
    src += 4;
    dst += 4;
  }
  if (n & 2) {
    const half = load<u16>(src);
    store<u16>(dst, half);
    total += <u64>half;
    src += 2;
    dst += 2;
  }
  if (n & 1) {
    const byte = load<u8>(src);
    store<u8>(dst, byte);
    total += <u64>byte;
  }
  return finish(total);
}

// @ts-ignore: decorator
@inline
function copyHeader(dst: u32, header: u32, headerBytes: u32): void {
  let at: u32 = 0;
  for (; at + 16 < headerBytes; at += 16) v128.store(dst + at, v128.load(header + at));
  at = headerBytes - 16;
  v128.store(dst + at, v128.load(header + at));
}

// @ts-ignore: decorator
@inline
function fold(sum: u32): u32 {
  sum = (sum >> 16) + (sum & 0xffff);
  return ((sum >> 16) + sum) & 0xffff;
}

export function writeRun(
  dst: u32,
  stride: u32,
  header: u32,
  headerBytes: u32,
  numberAt: u32,
  src: u32,
  n: u32,
  count: u32,
  sum: i32,
): void {
  let number = bswap<u32>(load<u32>(header + numberAt));
  while (count-- > 0) {
    copyHeader(dst, header, headerBytes);
    store<u32>(dst + numberAt, bswap<u32>(number));
    if (sum < 0) {
      memory.copy(dst + headerBytes, src, n);
    } else {
      const total = <u32>sum + (number >> 16) + (number & 0xffff) + copySum(dst + headerBytes, src, n);
      store<u16>(dst + numberAt + 12, bswap<u16>(<u16>~fold(total)));
    }
    number += n;
    src += n;
    dst += stride;
  }
}

// @ts-ignore: decorator
@inline
function differs(a: u32, b: u32, n: u32): u64 {
  let difference: u64 = 0;
  let at: u32 = 0;
  for (; at + 8 < n; at += 8) difference |= load<u64>(a + at) ^ load<u64>(b + at);
  at = n - 8;
  return difference | (load<u64>(a + at) ^ load<u64>(b + at));
}

export function readRun(
  dst: u32,
  src: u32,
  stride: u32,
  header: u32,
  headerBytes: u32,
  numberAt: u32,
  n: u32,
  count: u32,
  sum: i32,
): u32 {
  let number = bswap<u32>(load<u32>(header + numberAt));
  // Compared: what lies before the number, between it and the checksum, and behind the checksum (2 bytes, or 8 and more).
  const after = numberAt + 4;
  const tail = numberAt + 14;
  for (let taken: u32 = 0; taken < count; taken++) {
    number += n;
    let difference = differs(src, header, numberAt) | (load<u64>(src + after) ^ load<u64>(header + after));
    if (headerBytes - tail >= 8) difference |= differs(src + tail, header + tail, headerBytes - tail);
    else difference |= <u64>(load<u16>(src + tail) ^ load<u16>(header + tail));
    if (difference !== 0 || bswap<u32>(load<u32>(src + numberAt)) !== number) return taken;
    if (sum < 0) {
      memory.copy(dst, src + headerBytes, n);
    } else {
      const checksum = <u32>bswap<u16>(load<u16>(src + numberAt + 12));
      const total = <u32>sum + (number >> 16) + (number & 0xffff) + checksum + copySum(dst, src + headerBytes, n);
      if (fold(total) !== 0xffff) return taken;
    }
    dst += n;
    src += stride;
  }
  return count;
}
