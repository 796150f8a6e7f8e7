/**
 * Role: `mk bench boot`: time and memory to bring 4, 32 and 128 kernels up, alone and with a program each, and what they cost idle;
 * the shop to its first answered request (shop.ts); three nodes as the fixture of a test (fixture.ts).
 * Thread: the harness's main thread; each repetition is a fresh process (boot-child.ts), so that memory can be told apart.
 */

import { fileURLToPath } from 'node:url';
import type { Placement } from '#src/index';
import type { Bench, BenchContext } from '../context.ts';
import { entryUrl } from '../harness/entry.ts';
import type { Measured, Subject } from '../harness/measure.ts';
import { compare, type Row, rowOf } from '../harness/row.ts';
import { jsonLine, numberOf, runTool } from '../harness/tools.ts';
import { want } from '../harness/want.ts';
import { fixtureMetric, fixtureSubject } from './fixture.ts';
import { NODE_SHOP_METRIC, nodeShopSubject, shopMetric, shopSubject } from './shop.ts';
import { programUrl } from './stages.ts';

const KERNELS: readonly number[] = [4, 32, 128];
const LIMIT_MS = 120_000;

function idleMetric(what: string): string {
  return `idle CPU of ${what}, share of a core`;
}

/** Kernels alone, with a program beside each, or with one that is a process. */
export type Programs = 'none' | Placement;

const SUFFIXES: Readonly<Record<Programs, string>> = {
  none: '',
  beside: ' with a program each',
  process: ' with a process each',
};

function nameOf(kernels: number, programs: Programs): string {
  return `${kernels} kernels${SUFFIXES[programs]}`;
}

/** Boot time, memory and idle CPU of that many kernels and their programs. */
export function bootSubject(kernels: number, programs: Programs, idleMs: number): Subject {
  const name = nameOf(kernels, programs);
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
      const args = [child, String(kernels), programs, fileURLToPath(programUrl('idle')), String(idleMs)];
      const result = jsonLine(await runTool(process.execPath, args, { limitMs: LIMIT_MS, signal }));
      const running = numberOf(result, 'kernels');
      if (running !== kernels) throw new Error(`${running} of ${kernels} kernels run`);
      const keys = ['bootMs', 'rssMiB', 'idlePercent'];
      return { values: Object.fromEntries(keys.map((key) => [key, numberOf(result, key)])) };
    },
  };
}

const PLACEMENTS: readonly Placement[] = ['process', 'beside'];

async function run(context: BenchContext): Promise<Row[]> {
  const { quick } = context.effort;
  const idleMs = quick ? 1000 : 3000;
  const shops = [...PLACEMENTS.map(shopSubject), nodeShopSubject()];
  const alone = KERNELS.map((kernels) => bootSubject(kernels, 'none', idleMs));
  const besides = (quick ? [4, 32] : [4, 32, 128]).map((kernels) => bootSubject(kernels, 'beside', idleMs));
  const apart = bootSubject(32, 'process', idleMs);
  const fixtures = (['none', 'process'] as const).map(fixtureSubject);
  const rows = await context.measure([...shops, ...fixtures, apart, ...alone, ...besides]);
  want(rowOf(rows, fixtureMetric('none')), { of: 'value', must: 100, aim: 30 });
  for (const placement of PLACEMENTS) {
    compare(rows, shopMetric(placement), NODE_SHOP_METRIC);
    want(rowOf(rows, shopMetric(placement)), { of: 'value', must: 600, aim: 300 });
  }
  for (const programs of ['none', ...PLACEMENTS] as const) {
    want(rowOf(rows, idleMetric(nameOf(32, programs))), { of: 'value', must: 1 });
  }
  return rows;
}

export const bench: Bench = { run };
