/**
 * Role: the few statistics that the benchmarks report: median, quantiles, spread.
 * Thread: any. Medians, not means: on a shared machine the disturbed repetitions lie far out, always on the slow side.
 */

/** Quantile of an ascending list by linear interpolation (type 7 of Hyndman and Fan 1996); `q` from 0 to 1. Throws on an empty list. */
export function quantile(ascending: ArrayLike<number>, q: number): number {
  const count = ascending.length;
  if (count === 0) throw new RangeError('quantile of nothing');
  const at = (count - 1) * q;
  const below = Math.floor(at);
  const low = ascending[below] as number;
  const high = ascending[Math.min(below + 1, count - 1)] as number;
  return low + (high - low) * (at - below);
}

/** Median of a list in any order. Throws on an empty list. */
export function median(values: Iterable<number>): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

export interface Spread {
  low: number;
  high: number;
  /** (high - low) / median, 0 when the median is 0. */
  relative: number;
}

/** Lowest and highest value, and their distance relative to the median. Throws on an empty list. */
export function spread(values: readonly number[]): Spread {
  const middle = median(values);
  const low = Math.min(...values);
  const high = Math.max(...values);
  return { low, high, relative: middle === 0 ? 0 : (high - low) / middle };
}

/** Rounds to five significant digits: more would claim a precision that no benchmark here has. */
export function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : value;
}
