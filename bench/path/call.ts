/**
 * Role: `mk bench call`: the time of a call that does nothing, from a program that is a process to its kernel, held against the spin
 * round trip of two threads at that time: no call that waits for another core can take less. Node's own is a system call.
 * Thread: the harness's main thread.
 */

import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import { compare, type Row, rowOf } from '../harness/row.ts';
import { median } from '../harness/statistics.ts';
import { numberOf } from '../harness/tools.ts';
import { want } from '../harness/want.ts';
import { KernelStage } from './kernels.ts';
import { FULL, QUICK } from './loads.ts';
import { processes, type Stage } from './stages.ts';

const LIMIT_MS = 60_000;
const SPIN = 'spin round trip of two threads';

function metricOf(stage: Stage): string {
  return `null call, ${stage.name}`;
}

function callSubject(stage: Stage, seconds: number, warmupMs: number): Subject {
  return {
    name: metricOf(stage),
    system: stage.system,
    metrics: [{ key: 'ns', metric: metricOf(stage), unit: 'ns' }],
    placementMatters: stage.system === 'multikernel',
    async run(signal) {
      const args = ['--seconds', String(seconds), '--warmup-ms', String(warmupMs)];
      const result = await stage.run('client', { program: 'call-client', args }, LIMIT_MS, signal);
      await stage.clear?.();
      if (numberOf(result, 'damaged') > 0) throw new Error('calls with other results');
      return { values: { ns: numberOf(result, 'medianNs') } };
    },
  };
}

/** The round trips that were measured around the repetitions of a row, as a row. */
function spinRow(row: Row): Row | null {
  const runs = (row.runs ?? []).flatMap(({ rttBeforeNs, rttAfterNs }) => [rttBeforeNs, rttAfterNs]);
  const samples = runs.filter((rtt) => rtt !== null);
  if (samples.length === 0) return null;
  const { bench, placement, quiet } = row;
  return { bench, metric: SPIN, system: 'multikernel', unit: 'ns', value: median(samples), samples, placement, quiet };
}

async function run(context: BenchContext): Promise<Row[]> {
  const { seconds, warmupMs } = context.effort.quick ? QUICK : FULL;
  const ours = new KernelStage('program as a process', {}, 'process');
  try {
    const rows = await context.measure([ours, processes].map((stage) => callSubject(stage, seconds, warmupMs)));
    const row = rowOf(rows, metricOf(ours));
    const spin = row === undefined ? null : spinRow(row);
    if (spin !== null) {
      rows.push(spin);
      compare(rows, metricOf(ours), SPIN);
    }
    want(row, { of: 'ratio', must: 8, aim: 3 });
    return rows;
  } finally {
    await ours.close();
  }
}

export const bench: Bench = { run };
