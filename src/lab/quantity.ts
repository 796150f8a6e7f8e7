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
