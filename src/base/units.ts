/**
 * Units of time as factors: names say which unit there are how many of in which other (`US_PER_MS`). Pure numbers, used on
 * every thread.
 */

export const NS_PER_US = 1000;
export const US_PER_MS = 1000;
export const US_PER_S = 1_000_000;
export const MS_PER_S = 1000;
/** For nanoseconds since 1970, which no number holds exactly. */
export const NS_PER_S = 1_000_000_000n;
