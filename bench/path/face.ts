/**
 * Role: `mk bench stream | dgram | http | connect`: ordinary Node programs on two kernels, against the same programs on Node's
 * own loopback in the same run. Programs beside their kernels are held against the faster of two workers and two processes,
 * programs that are processes against two processes.
 * Thread: the harness's main thread.
 */

import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import { compare, type Row, rowOf, type Unit } from '../harness/row.ts';
import { type Wanted, want } from '../harness/want.ts';
import { KernelStage } from './kernels.ts';
import { connectSubjects, type Duration, dgramSubjects, FULL, httpSubjects, QUICK, streamSubjects } from './loads.ts';
import { NODE_STAGES, processes, type Stage } from './stages.ts';

type Load = (stage: Stage, duration: Duration, quick: boolean) => Subject[];

/** A stage of ours: the ratios that its rates must reach, and the stages of Node that it is held against. */
export interface OwnStage {
  stage: Stage;
  wanted: Wanted;
  rivals: readonly Stage[];
}

/** A bench of one load on stages of ours, opened when it runs, and on Node's own stack. */
export function faceBench(load: Load, open: () => readonly OwnStage[]): Bench {
  return {
    async run(context: BenchContext): Promise<Row[]> {
      const { quick } = context.effort;
      const duration = quick ? QUICK : FULL;
      const ours = open();
      try {
        const byStage = new Map<Stage, Subject[]>();
        for (const stage of [...ours.map((one) => one.stage), ...NODE_STAGES]) {
          byStage.set(stage, load(stage, duration, quick));
        }
        // One point on all stages in a row: points to compare are measured close together.
        const all = [...byStage.values()];
        const subjects = (all[0] as Subject[]).flatMap((_, point) => all.map((one) => one[point] as Subject));
        const rows = await context.measure(subjects);
        for (const { stage, wanted, rivals } of ours) {
          byStage.get(stage)?.forEach((subject, point) => {
            subject.metrics.forEach(({ metric }, index) => {
              const others = rivals.map((rival) => byStage.get(rival)?.[point]?.metrics[index]?.metric ?? '');
              compareWithBest(rows, metric, others);
              want(rateOf(rows, metric), wanted);
            });
          });
        }
        return rows;
      } finally {
        for (const { stage } of ours) await stage.close();
      }
    },
  };
}

/** Programs beside their kernels, and programs that are processes. */
function placements(beside: Wanted, apart: Wanted): () => OwnStage[] {
  return () => [
    { stage: new KernelStage(), wanted: beside, rivals: NODE_STAGES },
    {
      stage: new KernelStage('two kernels, programs as processes', {}, 'process'),
      wanted: apart,
      rivals: [processes],
    },
  ];
}

function ratio(must: number, aim?: number): Wanted {
  return { of: 'ratio', must, ...(aim === undefined ? {} : { aim }) };
}

const TIMES: ReadonlySet<Unit> = new Set(['us', 'ns', 'ms']);

function rateOf(rows: readonly Row[], metric: string): Row | undefined {
  const row = rowOf(rows, metric);
  return row === undefined || row.unit === '%' || TIMES.has(row.unit) ? undefined : row;
}

/** Sets the ratio of a row against the best of its rivals: the fastest rate, or the shortest time. Shares are not compared. */
export function compareWithBest(rows: readonly Row[], metric: string, rivals: readonly string[]): void {
  const row = rowOf(rows, metric);
  if (row === undefined || row.unit === '%') return;
  const times = TIMES.has(row.unit);
  let best: Row | undefined;
  for (const rival of rivals.map((name) => rowOf(rows, name))) {
    if (rival === undefined || rival.value === null) continue;
    const better = best === undefined || (times ? rival.value < (best.value ?? 0) : rival.value > (best.value ?? 0));
    if (better) best = rival;
  }
  if (best !== undefined) compare(rows, metric, best.metric);
}

export const stream: Bench = faceBench(streamSubjects, placements(ratio(2, 4), ratio(1, 2)));
export const dgram: Bench = faceBench(dgramSubjects, placements(ratio(5, 20), ratio(3, 6)));
export const http: Bench = faceBench(
  (stage, duration, quick) => httpSubjects(stage, duration, quick ? ['agent'] : ['agent', 'raw']),
  placements(ratio(1, 1.3), ratio(0.7, 1)),
);
export const connect: Bench = faceBench(connectSubjects, placements(ratio(1), ratio(0.7, 1)));
