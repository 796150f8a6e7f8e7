/**
 * Role: rows as text for people.
 * Thread: any.
 */

import type { Row } from './row.ts';

const HEADINGS = ['METRIC', 'VALUE', 'UNIT', 'LOW–HIGH', 'N', 'PLACEMENT', 'RTT', 'VERSUS', 'NOTE'];
const RIGHT_ALIGNED = new Set([1, 3, 4, 6]);

/** A number as people read it: three significant digits, thousands in full. */
export function shown(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toString();
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.1 || size === 0) return value.toFixed(2);
  return value.toPrecision(2);
}

/** One line per row, columns aligned, a heading above; ends with a newline. */
export function table(rows: readonly Row[]): string {
  const lines = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => pad(cell, widths[column] as number, column))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function pad(cell: string, width: number, column: number): string {
  if (column === HEADINGS.length - 1) return cell;
  return RIGHT_ALIGNED.has(column) ? cell.padStart(width) : cell.padEnd(width);
}

function cells(row: Row): string[] {
  const range = row.low === undefined || row.high === undefined ? '' : `${shown(row.low)}–${shown(row.high)}`;
  const versus: string[] = [];
  if (row.baseline !== undefined)
    versus.push(row.ratio === undefined ? row.baseline : `${shown(row.ratio)}× ${row.baseline}`);
  if (row.paper !== undefined) versus.push(`paper ${shown(row.paper)}`);
  return [
    row.metric,
    row.value === null ? '-' : shown(row.value),
    row.unit,
    range,
    row.samples.length === 0 ? '' : String(row.samples.length),
    row.value === null || row.samples.length === 0 ? '' : row.placement,
    roundTrips(row),
    versus.join(', '),
    row.note ?? '',
  ];
}

/** Lowest and highest spin round trip seen around the repetitions. */
function roundTrips(row: Row): string {
  const seen = (row.runs ?? []).flatMap((run) => [run.rttBeforeNs, run.rttAfterNs]).filter((rtt) => rtt !== null);
  if (seen.length === 0) return '';
  return `${Math.round(Math.min(...seen))}–${Math.round(Math.max(...seen))} ns`;
}
