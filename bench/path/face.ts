/**
 * Role: `mk bench stream | dgram | http | connect`: ordinary Node programs on two kernels, against the same programs on Node's
 * own loopback in the same run, as two workers and as two processes; the ratio is against the faster of the two.
 * Thread: the harness's main thread.
 */

import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import { compare, type Row, rowOf, type Unit, want } from '../harness/row.ts';
import { KernelStage } from './kernels.ts';
import { connectSubjects, type Duration, dgramSubjects, FULL, httpSubjects, QUICK, streamSubjects } from './loads.ts';
import { NODE_STAGES, type Stage } from './stages.ts';

type Load = (stage: Stage, duration: Duration, quick: boolean) => Subject[];

/** A bench of one load on kernels and on Node's own stack; `wanted` of the rates among our rows. */
export function faceBench(load: Load, wanted: string, openStage: () => Stage = () => new KernelStage()): Bench {
  return {
    async run(context: BenchContext): Promise<Row[]> {
      const { quick } = context.effort;
      const duration = quick ? QUICK : FULL;
      const kernels = openStage();
      try {
        const stages = [kernels, ...NODE_STAGES];
        // One point on all stages in a row: what is compared is measured close together.
        const byStage = stages.map((stage) => load(stage, duration, quick));
        const subjects = (byStage[0] as Subject[]).flatMap((_, point) => byStage.map((all) => all[point] as Subject));
        const rows = await context.measure(subjects);
        (byStage[0] as Subject[]).forEach((ours, point) => {
          ours.metrics.forEach(({ metric }, figure) => {
            const rivals = byStage.slice(1).map((all) => all[point]?.metrics[figure]?.metric ?? '');
            compareWithBest(rows, metric, rivals);
            want(rateOf(rows, metric), wanted);
          });
        });
        return rows;
      } finally {
        await kernels.close();
      }
    },
  };
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

export const stream: Bench = faceBench(streamSubjects, 'must 2×, aim 4×');
export const dgram: Bench = faceBench(dgramSubjects, 'must 5×, aim 20×');
export const http: Bench = faceBench(
  (stage, duration, quick) => httpSubjects(stage, duration, quick ? ['agent'] : ['agent', 'raw']),
  'must 1.0×, aim 1.3×',
);
export const connect: Bench = faceBench(connectSubjects, 'must 1×');
