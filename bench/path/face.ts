/**
 * Role: `mk bench stream | dgram | http | connect`: ordinary Node programs on two kernels, against the same programs on Node's
 * own loopback in the same run, as two workers and as two processes; the ratio is against the faster of the two.
 * Thread: the harness's main thread.
 */

import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import { compare, type Row, rowOf } from '../harness/row.ts';
import { KernelStage } from './kernels.ts';
import { connectSubjects, type Duration, dgramSubjects, FULL, httpSubjects, QUICK, streamSubjects } from './loads.ts';
import { NODE_STAGES, type Stage } from './stages.ts';

type Load = (stage: Stage, duration: Duration, quick: boolean) => Subject[];

/** A bench of one load on kernels and on Node's own stack. */
export function faceBench(load: Load, openStage: () => Stage = () => new KernelStage()): Bench {
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
          });
        });
        return rows;
      } finally {
        await kernels.close();
      }
    },
  };
}

/** Sets the ratio of a row against the best of its rivals: the fastest rate, or the shortest time. Shares are not compared. */
export function compareWithBest(rows: readonly Row[], metric: string, rivals: readonly string[]): void {
  const row = rowOf(rows, metric);
  if (row === undefined || row.unit === '%') return;
  const times = row.unit === 'us' || row.unit === 'ns' || row.unit === 'ms';
  let best: Row | undefined;
  for (const rival of rivals.map((name) => rowOf(rows, name))) {
    if (rival === undefined || rival.value === null) continue;
    const better = best === undefined || (times ? rival.value < (best.value ?? 0) : rival.value > (best.value ?? 0));
    if (better) best = rival;
  }
  if (best !== undefined) compare(rows, metric, best.metric);
}

export const stream: Bench = faceBench(streamSubjects);
export const dgram: Bench = faceBench(dgramSubjects);
export const http: Bench = faceBench((stage, duration, quick) =>
  httpSubjects(stage, duration, quick ? ['agent'] : ['agent', 'raw']),
);
export const connect: Bench = faceBench(connectSubjects);
