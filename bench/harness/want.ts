/**
 * Role: the figures that rows must reach: the mark in the row, its text for people, and the list of those that were missed.
 * Thread: any. Read first: row.ts.
 */

import type { Row, Unit, Want } from './row.ts';
import { shown } from './table.ts';

/** The figure that a row must reach, and the one that is aimed at: for its value, or for its ratio to the baseline. */
export type Wanted = Pick<Want, 'of' | 'must' | 'aim'>;

/** Units of which less is better. */
const COSTS: ReadonlySet<Unit> = new Set(['ns', 'us', 'ms', 'MiB', '%']);

/** Marks a row with what is wanted of it, and says so in front of its note, unless it could not be measured. */
export function want(row: Row | undefined, wanted: Wanted | undefined): void {
  if (row === undefined || wanted === undefined) return;
  const reached = row[wanted.of] ?? null;
  const met = reached === null ? null : COSTS.has(row.unit) ? reached <= wanted.must : reached >= wanted.must;
  row.want = { ...wanted, met };
  if (row.value === null) return;
  const text = `${wantedText(row, wanted)}${met === false ? ': missed' : ''}`;
  row.note = row.note === undefined ? text : `${text}; ${row.note}`;
}

/** `must 0.5×, aim 0.85×`, `must 8 Mpps`. */
function wantedText({ unit }: Row, { of, must, aim }: Wanted): string {
  const figure = (value: number): string => `${value}${of === 'ratio' || unit === 'x' ? '×' : ` ${unit}`}`;
  return `must ${figure(must)}${aim === undefined ? '' : `, aim ${figure(aim)}`}`;
}

/** One line for each row that misses what it must reach. */
export function missed(rows: readonly Row[]): string[] {
  return rows
    .filter((row) => row.want?.met === false)
    .map((row) => {
      const { of } = row.want as Want;
      const reached =
        of === 'ratio' || row.unit === 'x' ? `${shown(row[of] as number)}×` : `${shown(row[of] as number)} ${row.unit}`;
      const whose = of === 'ratio' ? ` of ${row.baseline}` : '';
      const marks = row.quiet ? '' : ' (disturbed)';
      return `${row.bench}: ${row.metric}: ${reached}${whose}${marks}, ${wantedText(row, row.want as Want)}`;
    });
}
