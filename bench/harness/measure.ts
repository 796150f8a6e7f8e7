/**
 * Role: repeats several subjects in turn (A B C, B C A, ...), each repetition between two spin round trips and two readings
 * of the CPU load, and makes rows of what it saw.
 * Thread: the harness's main thread; subjects do their work in workers and children.
 * Policy: a repetition on far cores or beside strangers is repeated while the allowance lasts. Quiet repetitions alone
 * count when there is one; otherwise all count, and the row says that it was not quiet.
 */

import { FOREIGN_CORES_MAX, foreignCores, type LoadReading, readLoad, waitForQuiet } from './foreign-load.ts';
import { PingPong } from './pingpong.ts';
import { combined, placementOf } from './placement.ts';
import { type Circumstances, type Metric, missingRow, type Row, type System } from './row.ts';
import { median, rounded, spread } from './statistics.ts';

/** Result of one repetition of a subject. */
export interface Measured {
  /** By the metrics' keys. */
  values: Readonly<Record<string, number>>;
  /** Spin round trips that the subject took itself, on its own threads; they go before the harness's own. */
  rttBeforeNs?: number | null;
  rttAfterNs?: number | null;
}

/** One thing that is measured; it may fill several rows. */
export interface Subject {
  name: string;
  system: System;
  metrics: readonly Metric[];
  /** Why it cannot be measured here; it is then not run. */
  missing?: string;
  /** Whether far cores spoil it (shared-memory rings) or hardly matter (system calls). Default true. */
  placementMatters?: boolean;
  /** Fewer repetitions than the others get, for long ones. */
  repetitionsMax?: number;
  note?: string;
  run(signal: AbortSignal): Promise<Measured>;
}

/** The instruments; a test puts others in their place. */
export interface Instruments {
  roundTripNs(): Promise<number | null>;
  load(): LoadReading | null;
  /** Waits until strangers are quiet, at most that long. */
  quiet(maxMs: number): Promise<void>;
  nowMs(): number;
}

export interface MeasureOptions {
  bench: string;
  repetitions: number;
  /** Further attempts per subject, to replace repetitions that were not quiet. */
  retries: number;
  /** After this long no further repetition starts, nor one that would by what it took before last longer than that. */
  budgetMs: number;
  /** Wait, after a repetition that strangers disturbed, for them to be quiet. Default: not at all. */
  patienceMs?: number;
  signal: AbortSignal;
  instruments: Instruments;
  onProgress?: (text: string) => void;
}

interface Repetition {
  values: Readonly<Record<string, number>>;
  run: Circumstances;
  quiet: boolean;
}

interface Track {
  subject: Subject;
  repetitions: Repetition[];
  failures: string[];
  wanted: number;
  /** Duration of the longest attempt. */
  longestMs: number;
}

/** After this many failures a subject is not tried again. */
const FAILURES_MAX = 2;

/** Measures the subjects and returns their rows, in the order of the subjects and their metrics. Throws only when aborted. */
export async function measure(subjects: readonly Subject[], options: MeasureOptions): Promise<Row[]> {
  const endMs = options.instruments.nowMs() + options.budgetMs;
  const tracks = subjects.map((subject) => track(subject, options));
  const attempts = options.repetitions + options.retries;
  let disturbed = false;
  for (let turn = 0; turn < attempts; turn++) {
    for (let i = 0; i < tracks.length; i++) {
      const one = tracks[(turn + i) % tracks.length] as Track;
      if (!unfinished(one)) continue;
      options.signal.throwIfAborted();
      const startMs = options.instruments.nowMs();
      if (startMs >= endMs) return tracks.flatMap((each) => rowsOf(each, options));
      if (startMs + one.longestMs >= endMs) continue;
      options.onProgress?.(`${options.bench}: ${one.subject.name}, repetition ${turn + 1}`);
      if (disturbed) await options.instruments.quiet(options.patienceMs ?? 0);
      await repeatOnce(one, options);
      one.longestMs = Math.max(one.longestMs, options.instruments.nowMs() - startMs);
      disturbed = (one.repetitions.at(-1)?.run.foreignCores ?? 0) > FOREIGN_CORES_MAX;
    }
  }
  return tracks.flatMap((each) => rowsOf(each, options));
}

/** The instruments of this machine: two ping-pong workers and /proc. Close them after use. */
export function openInstruments(): Instruments & { close(): Promise<void> } {
  const pingPong = new PingPong();
  return {
    roundTripNs: () => pingPong.measure(),
    load: () => readLoad(),
    quiet: waitForQuiet,
    nowMs: () => performance.now(),
    close: () => pingPong.close(),
  };
}

function track(subject: Subject, options: MeasureOptions): Track {
  const wanted = Math.min(options.repetitions, subject.repetitionsMax ?? options.repetitions);
  return { subject, repetitions: [], failures: [], wanted, longestMs: 0 };
}

function unfinished({ subject, repetitions, failures, wanted }: Track): boolean {
  if (subject.missing !== undefined || failures.length >= FAILURES_MAX) return false;
  return repetitions.filter((repetition) => repetition.quiet).length < wanted;
}

async function repeatOnce(one: Track, { instruments, signal }: MeasureOptions): Promise<void> {
  const rttBeforeNs = await instruments.roundTripNs();
  const loadBefore = instruments.load();
  try {
    const measured = await one.subject.run(signal);
    const foreign = foreignCores(loadBefore, instruments.load());
    const rttAfterNs = await instruments.roundTripNs();
    one.repetitions.push(repetitionOf(one.subject, measured, rttBeforeNs, rttAfterNs, foreign));
  } catch (error) {
    signal.throwIfAborted();
    one.failures.push(error instanceof Error ? (error.message.split('\n')[0] as string) : String(error));
  }
}

function repetitionOf(
  subject: Subject,
  measured: Measured,
  rttBeforeNs: number | null,
  rttAfterNs: number | null,
  foreign: number | null,
): Repetition {
  const before = measured.rttBeforeNs === undefined ? rttBeforeNs : measured.rttBeforeNs;
  const after = measured.rttAfterNs === undefined ? rttAfterNs : measured.rttAfterNs;
  const placement = placementOf(before, after);
  const run: Circumstances = {
    rttBeforeNs: before === null ? null : rounded(before),
    rttAfterNs: after === null ? null : rounded(after),
    placement,
    foreignCores: foreign === null ? null : rounded(foreign),
  };
  const quiet =
    (placement === 'near' || subject.placementMatters === false) && (foreign === null || foreign <= FOREIGN_CORES_MAX);
  return { values: measured.values, run, quiet };
}

function rowsOf({ subject, repetitions, failures }: Track, { bench }: MeasureOptions): Row[] {
  const quiet = repetitions.filter((repetition) => repetition.quiet);
  const used = quiet.length > 0 ? quiet : repetitions;
  return subject.metrics.map((metric) => {
    const counted = used.filter((repetition) => Number.isFinite(repetition.values[metric.key]));
    if (counted.length === 0)
      return missingRow(bench, subject.system, metric, whyMissing(subject, repetitions, failures));
    const samples = counted.map((repetition) => rounded(repetition.values[metric.key] as number));
    const runs = counted.map((repetition) => repetition.run);
    const { low, high } = spread(samples);
    const leftOut = repetitions.length - used.length;
    const note = noteOf({ subject, leftOut, disturbed: quiet.length === 0, runs, failures });
    return {
      bench,
      metric: metric.metric,
      system: subject.system,
      unit: metric.unit,
      value: rounded(median(samples)),
      samples,
      placement: combined(runs.map((run) => run.placement)),
      quiet: quiet.length > 0,
      low,
      high,
      runs,
      ...(metric.paper === undefined ? {} : { paper: metric.paper }),
      ...(note === '' ? {} : { note }),
    };
  });
}

function whyMissing(subject: Subject, repetitions: readonly Repetition[], failures: readonly string[]): string {
  if (subject.missing !== undefined) return subject.missing;
  if (failures.length > 0) return failures[0] as string;
  return repetitions.length > 0
    ? 'the measurement gave no such figure'
    : 'the time allowed was used up before its turn';
}

function noteOf(row: {
  subject: Subject;
  leftOut: number;
  disturbed: boolean;
  runs: readonly Circumstances[];
  failures: readonly string[];
}): string {
  const { subject, leftOut, disturbed, runs, failures } = row;
  const notes = subject.note === undefined ? [] : [subject.note];
  if (leftOut > 0) notes.push(`${leftOut} far or disturbed ${leftOut === 1 ? 'repetition' : 'repetitions'} left out`);
  const foreign = runs.map((run) => run.foreignCores).filter((cores) => cores !== null);
  const most = foreign.length === 0 ? 0 : median(foreign);
  if (disturbed && most > FOREIGN_CORES_MAX) notes.push(`strangers used ${most.toFixed(1)} cores`);
  if (failures.length > 0) notes.push(`${failures.length} failed: ${failures[0]}`);
  return notes.join('; ');
}
