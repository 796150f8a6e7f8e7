/**
 * Single shared words, sequentially consistent. The layers above reach shared state through these names; `Atomics` itself
 * stays in mem/ and kern/. Each costs about 8 ns: once or twice per batch, never per packet.
 *
 * Thread: any. `index` counts words of the arena (`at >> 2`).
 */

export function loadCell(words: Int32Array, index: number): number {
  return Atomics.load(words, index);
}

export function storeCell(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
}

/** Returns the value before. */
export function addCell(words: Int32Array, index: number, n: number): number {
  return Atomics.add(words, index, n);
}

export function orCell(words: Int32Array, index: number, bits: number): number {
  return Atomics.or(words, index, bits);
}

export function exchangeCell(words: Int32Array, index: number, value: number): number {
  return Atomics.exchange(words, index, value);
}

/** Returns whether the cell held `expected` and holds `value` now. */
export function replaceCell(words: Int32Array, index: number, expected: number, value: number): boolean {
  return Atomics.compareExchange(words, index, expected, value) === expected;
}
