/**
 * Quantities as people write them in the lab file and on the command line: `20ms`, `64KiB`, `1%`.
 *
 * Thread: any. Each function returns the number in the unit of its name, or NaN when the text is none.
 */

const DURATION_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  K: 1024,
  KiB: 1024,
  MB: 1_000_000,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1_000_000_000,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
};

function parse(text: string, units: Readonly<Record<string, number>>): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim());
  const factor = match === null ? undefined : units[match[2] as string];
  return factor === undefined ? Number.NaN : Number((match as RegExpExecArray)[1]) * factor;
}

/** `5s`, `20ms`, `1.5m`, `2h`. A bare number is refused: of what? */
export function durationMs(text: string): number {
  return parse(text, DURATION_MS);
}

/** `4096`, `64KiB`, `64K` (1024), `64kB` (1000). */
export function sizeBytes(text: string): number {
  return /^\d+$/.test(text.trim()) ? Number(text) : parse(text, SIZE_BYTES);
}

/** `250 ms`, `5 s`, `2 min`, `1 h`: for messages. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`;
  if (ms < 3_600_000) return `${Number((ms / 60_000).toFixed(1))} min`;
  return `${Number((ms / 3_600_000).toFixed(1))} h`;
}

/** As tc(8) has them: bits per second, or with `bps` bytes. */
const RATE_BPS: Readonly<Record<string, number>> = {
  bit: 1,
  kbit: 1e3,
  mbit: 1e6,
  gbit: 1e9,
  tbit: 1e12,
  kibit: 1024,
  mibit: 1024 ** 2,
  gibit: 1024 ** 3,
  bps: 8,
  kbps: 8e3,
  mbps: 8e6,
  gbps: 8e9,
};

/** `1mbit`, `500kbit`, `2.5gbit`; `1mbps` are bytes, as in tc(8). */
export function rateBps(text: string): number {
  return parse(text.toLowerCase(), RATE_BPS);
}

/** `2%`, `0.1%`, or a number below 1. 1 itself is refused: one per cent, or all? */
export function share(value: string | number): number {
  if (typeof value === 'number') return value >= 0 && value < 1 ? value : Number.NaN;
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(value.trim());
  const percent = match === null ? Number.NaN : Number(match[1]);
  return percent <= 100 ? percent / 100 : Number.NaN;
}

function brief(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** `40ms`, `1.5s`, `200us`. */
export function formatDelay(us: number): string {
  if (us < 1000) return `${brief(us)}us`;
  return us < 1e6 ? `${brief(us / 1000)}ms` : `${brief(us / 1e6)}s`;
}

/** `2%`. */
export function formatShare(p: number): string {
  return `${brief(p * 100)}%`;
}

/** `1mbit`. */
export function formatRate(bps: number): string {
  for (const unit of ['tbit', 'gbit', 'mbit', 'kbit']) {
    const factor = RATE_BPS[unit] as number;
    if (bps >= factor) return `${brief(bps / factor)}${unit}`;
  }
  return `${brief(bps)}bit`;
}
