/**
 * Role: `mk bench boot`: time and memory to bring 4, 32 and 128 kernels up, alone and with a program each, and what they cost idle.
 * Thread: the harness's main thread; each repetition is a fresh process (boot-child.ts), so that memory can be told apart.
 */

import { fileURLToPath } from 'node:url';
import type { Bench, BenchContext } from '../context.ts';
import { entryUrl } from '../harness/entry.ts';
import type { Measured, Subject } from '../harness/measure.ts';
import { type Row, rowOf } from '../harness/row.ts';
import { jsonLine, numberOf, runTool } from '../harness/tools.ts';
import { want } from '../harness/want.ts';
import { programUrl } from './stages.ts';

const KERNELS: readonly number[] = [4, 32, 128];
const LIMIT_MS = 120_000;

function idleMetric(what: string): string {
  return `idle CPU of ${what}, share of a core`;
}

/** Boot time, memory and idle CPU of that many kernels. */
export function bootSubject(kernels: number, withProgram: boolean, idleMs: number): Subject {
  const name = `${kernels} kernels${withProgram ? ' with a program each' : ''}`;
  return {
    name,
    system: 'multikernel',
    placementMatters: false,
    metrics: [
      { key: 'bootMs', metric: `boot ${name}`, unit: 'ms' },
      { key: 'rssMiB', metric: `memory of ${name}`, unit: 'MiB' },
      { key: 'idlePercent', metric: idleMetric(name), unit: '%' },
    ],
    async run(signal): Promise<Measured> {
      const child = fileURLToPath(entryUrl('boot-child', import.meta.url));
      const program = withProgram ? fileURLToPath(programUrl('idle')) : '-';
      const args = [child, String(kernels), program, String(idleMs)];
      const result = jsonLine(await runTool(process.execPath, args, { limitMs: LIMIT_MS, signal }));
      const running = numberOf(result, 'kernels');
      if (running !== kernels) throw new Error(`${running} of ${kernels} kernels run`);
      const keys = ['bootMs', 'rssMiB', 'idlePercent'];
      return { values: Object.fromEntries(keys.map((key) => [key, numberOf(result, key)])) };
    },
  };
}

async function run(context: BenchContext): Promise<Row[]> {
  const { quick } = context.effort;
  const idleMs = quick ? 1000 : 3000;
  const alone = KERNELS.map((kernels) => bootSubject(kernels, false, idleMs));
  const withPrograms = (quick ? [4] : [4, 32, 128]).map((kernels) => bootSubject(kernels, true, idleMs));
  const rows = await context.measure([...alone, ...withPrograms]);
  want(rowOf(rows, idleMetric('32 kernels')), { of: 'value', must: 1 });
  return rows;
}

export const bench: Bench = { run };
