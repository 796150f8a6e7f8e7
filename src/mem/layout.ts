/**
 * The seal of all shared layouts: a magic number and a version at the beginning, written last by the maker of the
 * structure and checked by each thread that attaches. Drawings: docs/layouts/.
 */

/** Two words that must not be in one cache line (or in the pair of lines that processors prefetch together) lie this far apart. */
export const LINE_BYTES = 128;

/** The number for a four-character tag. */
export function magicOf(tag: string): number {
  return (
    (tag.charCodeAt(0) << 24) | (tag.charCodeAt(1) << 16) | (tag.charCodeAt(2) << 8) | (tag.charCodeAt(3) & 0xff) | 0
  );
}

/** Finish a structure at `at`: version first, then the magic number, so that nobody attaches to half of it. */
export function seal(words: Int32Array, at: number, magic: number, version: number): void {
  words[(at >> 2) + 1] = version;
  Atomics.store(words, at >> 2, magic);
}

/** '' when the structure at `at` is of that kind and version, otherwise why not. */
// cold: once when a layout is opened
export function checkSeal(words: Int32Array, at: number, magic: number, version: number): string {
  if (Atomics.load(words, at >> 2) !== magic) return 'wrong magic number';
  const found = words[(at >> 2) + 1] as number;
  return found === version ? '' : `version ${found}, expected ${version}`;
}
