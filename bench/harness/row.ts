/**
 * Role: the row, the one shape in which every benchmark reports: what `--json` prints and what figures are drawn from.
 * Thread: any. Read first: placement.ts, for the marks.
 */

import * as v from 'valibot';
import type { CoreDistance } from './placement.ts';
import { rounded } from './statistics.ts';

export const UNITS = [
  'Gbit/s',
  'GB/s',
  'Mpps',
  'ns',
  'us',
  'ms',
  'requests/s',
  'connections/s',
  'MiB',
  '%',
  'x',
] as const;
export type Unit = (typeof UNITS)[number];

/** Systems that figures are of. */
export const SYSTEMS = ['multikernel', 'C', 'Node', 'Linux'] as const;
export type System = (typeof SYSTEMS)[number];

/** The circumstances of one repetition; `runs` of a row is parallel to its `samples`. */
export interface Circumstances {
  /** Spin round trip just before and just after; null when it could not be measured. */
  rttBeforeNs: number | null;
  rttAfterNs: number | null;
  placement: CoreDistance;
  /** CPU that strangers used meanwhile, in cores; null where the machine does not tell. */
  foreignCores: number | null;
}

/** A figure that a row must reach; of times, memory and shares it is the most that they may be. */
export interface Want {
  of: 'value' | 'ratio';
  must: number;
  /** The figure that is aimed at. */
  aim?: number | undefined;
  /** Whether it was reached; null when it was not measured. */
  met: boolean | null;
}

export interface Row {
  bench: string;
  metric: string;
  system: System;
  unit: Unit;
  /** Median of the samples; null when it could not be measured, and then `note` says why. */
  value: number | null;
  samples: number[];
  placement: CoreDistance;
  /** Whether the samples were taken on a quiet machine: near where that matters, and without strangers. */
  quiet: boolean;
  /** Lowest and highest sample. */
  low?: number | undefined;
  high?: number | undefined;
  runs?: Circumstances[] | undefined;
  /** Metric of the row that `ratio` divides by. */
  baseline?: string | undefined;
  /** value / value of the baseline. */
  ratio?: number | undefined;
  /** The figure that the paper reports for this, in the same unit. */
  paper?: number | undefined;
  want?: Want | undefined;
  note?: string | undefined;
}

const finite = v.pipe(v.number(), v.finite());
const placement = v.picklist(['near', 'far', 'mixed', 'unknown']);
const CIRCUMSTANCES = v.strictObject({
  rttBeforeNs: v.nullable(finite),
  rttAfterNs: v.nullable(finite),
  placement,
  foreignCores: v.nullable(finite),
});
const WANT = v.strictObject({
  of: v.picklist(['value', 'ratio']),
  must: finite,
  aim: v.optional(finite),
  met: v.nullable(v.boolean()),
});
const ROW: v.GenericSchema<unknown, Row> = v.pipe(
  v.strictObject({
    bench: v.pipe(v.string(), v.nonEmpty()),
    metric: v.pipe(v.string(), v.nonEmpty()),
    system: v.picklist(SYSTEMS),
    unit: v.picklist(UNITS),
    value: v.nullable(finite),
    samples: v.array(finite),
    placement,
    quiet: v.boolean(),
    low: v.optional(finite),
    high: v.optional(finite),
    runs: v.optional(v.array(CIRCUMSTANCES)),
    baseline: v.optional(v.string()),
    ratio: v.optional(finite),
    paper: v.optional(finite),
    want: v.optional(WANT),
    note: v.optional(v.string()),
  }),
  v.check((row) => row.value !== null || (row.note ?? '') !== '', 'a row without a value has to say why'),
  v.check((row) => row.runs === undefined || row.runs.length === row.samples.length, 'one run per sample'),
);

/** Subject of a result row; its values come from the measurement. */
export interface Metric {
  /** Name in the values that a measurement returns. */
  key: string;
  metric: string;
  unit: Unit;
  paper?: number;
}

/** A row for something that could not be measured. */
export function missingRow(bench: string, system: System, metric: Metric, why: string): Row {
  const row: Row = {
    bench,
    metric: metric.metric,
    system,
    unit: metric.unit,
    value: null,
    samples: [],
    placement: 'unknown',
    quiet: false,
    note: why,
  };
  if (metric.paper !== undefined) row.paper = metric.paper;
  return row;
}

/** The row of that metric, or undefined. */
export function rowOf(rows: readonly Row[], metric: string): Row | undefined {
  return rows.find((row) => row.metric === metric);
}

/** A ratio of two values, or why there is none. A quiet figure is not held against a disturbed one. */
function ratioOf(row: Row | undefined, other: Row | undefined, names: readonly [string, string]): number | string {
  if (row === undefined || row.value === null) return `${names[0]}: not measured`;
  if (other === undefined || other.value === null || other.value === 0) return `${names[1]}: not measured`;
  if (row.quiet !== other.quiet) return `no ratio: ${row.quiet ? names[1] : names[0]} was disturbed`;
  return rounded(row.value / other.value);
}

/** Sets `baseline` and `ratio` of a row; `note` says why there is no ratio although both were measured. */
export function compare(rows: readonly Row[], metric: string, baseline: string): void {
  const row = rowOf(rows, metric);
  const other = rowOf(rows, baseline);
  if (row === undefined || other === undefined) return;
  row.baseline = baseline;
  const ratio = ratioOf(row, other, [metric, baseline]);
  if (typeof ratio === 'number') row.ratio = ratio;
  else if (row.value !== null && other.value !== null)
    row.note = row.note === undefined ? ratio : `${row.note}; ${ratio}`;
}

/** The same against the figure that the paper reports; null when the row has none. */
export function paperRow(rows: readonly Row[], metric: string): Row | null {
  const row = rowOf(rows, metric);
  if (row?.paper === undefined) return null;
  return {
    bench: row.bench,
    metric: `${metric} / paper`,
    system: row.system,
    unit: 'x',
    value: row.value === null ? null : rounded(row.value / row.paper),
    samples: [],
    placement: row.placement,
    quiet: row.quiet,
    ...(row.value === null ? { note: `${metric}: not measured` } : {}),
  };
}

/**
 * A further comparison as a row of its own, for metrics that are held against several peers.
 * `note` says why where one of the two is missing.
 */
export function ratioRow(rows: readonly Row[], metric: string, baseline: string): Row {
  const row = rowOf(rows, metric);
  const other = rowOf(rows, baseline);
  const ratio = ratioOf(row, other, [metric, baseline]);
  const measured = typeof ratio === 'number';
  return {
    bench: row?.bench ?? other?.bench ?? 'unknown',
    metric: `${metric} / ${baseline}`,
    system: row?.system ?? 'multikernel',
    unit: 'x',
    value: measured ? ratio : null,
    samples: [],
    placement: row?.placement ?? 'unknown',
    quiet: row?.quiet === true && other?.quiet === true,
    baseline,
    ...(measured ? { ratio } : { note: ratio }),
  };
}

/** Throws, naming the field, when a row is not one. */
export function checkRow(row: unknown): Row {
  const result = v.safeParse(ROW, row);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new TypeError(`row: ${v.getDotPath(issue) ?? 'whole'}: ${issue.message}`);
}
