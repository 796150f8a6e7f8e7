/**
 * Role: what a bench module is, and what it is given to run with.
 * Thread: the harness's main thread.
 */

import { type Instruments, type MeasureOptions, measure, type Subject } from './harness/measure.ts';
import type { Row } from './harness/row.ts';
import type { CompiledPeers } from './harness/tools.ts';

/** One picture: its file is `<bench>-<name>.svg`, or `<bench>.svg` without a name. */
export interface Figure {
  name?: string;
  /** A vega-lite specification. */
  spec: Record<string, unknown>;
}

/** One bench, as `mk bench NAME` runs it. */
export interface Bench {
  run(context: BenchContext): Promise<Row[]>;
  /** Pictures of the rows; without this, one with bars per unit is drawn. `where`: one line, with what and where it was measured. */
  figures?(rows: readonly Row[], where: string): Figure[];
}

export interface Effort {
  quick: boolean;
  repetitions: number;
  /** Further attempts per subject, for repetitions on far cores or beside strangers. */
  retries: number;
  /** No repetition starts later than this after the bench began, nor one that took too long before to end by then. */
  budgetMs: number;
  /** Wait for strangers to be quiet, after they disturbed a repetition. */
  patienceMs: number;
}

export const QUICK_EFFORT: Effort = { quick: true, repetitions: 3, retries: 2, budgetMs: 53_000, patienceMs: 400 };
export const FULL_EFFORT: Effort = { quick: false, repetitions: 5, retries: 5, budgetMs: 900_000, patienceMs: 5000 };

export class BenchContext {
  readonly name: string;
  readonly effort: Effort;
  readonly signal: AbortSignal;
  readonly peers: CompiledPeers;
  readonly instruments: Instruments;
  private readonly startMs: number;
  private readonly onProgress: (text: string) => void;

  constructor(
    name: string,
    effort: Effort,
    means: {
      signal: AbortSignal;
      peers: CompiledPeers;
      instruments: Instruments;
      onProgress: (text: string) => void;
    },
  ) {
    this.name = name;
    this.effort = effort;
    this.signal = means.signal;
    this.peers = means.peers;
    this.instruments = means.instruments;
    this.onProgress = means.onProgress;
    this.startMs = means.instruments.nowMs();
  }

  /** Time left for the whole bench, ms. */
  budgetLeftMs(): number {
    return Math.max(0, this.startMs + this.effort.budgetMs - this.instruments.nowMs());
  }

  /** Measures subjects in turn, with the bench's effort unless told otherwise. */
  measure(
    subjects: readonly Subject[],
    change: Partial<Pick<MeasureOptions, 'repetitions' | 'retries' | 'budgetMs'>> = {},
  ): Promise<Row[]> {
    return measure(subjects, {
      bench: this.name,
      repetitions: this.effort.repetitions,
      retries: this.effort.retries,
      budgetMs: this.budgetLeftMs(),
      patienceMs: this.effort.patienceMs,
      signal: this.signal,
      instruments: this.instruments,
      onProgress: this.onProgress,
      ...change,
    });
  }
}
