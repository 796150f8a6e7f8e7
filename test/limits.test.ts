/**
 * docs/limits.md is what the program says of its limits; every one has a sysctl and a counter that the tools show.
 */

import { describe, expect, it } from 'vitest';
import { Simulation } from '../src/host/sim/simulation.ts';
import { Kernel } from '../src/kernel/kernel.ts';
import { Arena } from '../src/mem/arena.ts';
import { formatStatistics } from '../src/tools/netstat-statistics.ts';
import { textControl } from './fixtures/text-control.ts';

const INTRODUCTION = `# Limits

Every table of a kernel that others can fill is bounded. A limit is a sysctl (\`mk sysctl -a\`), what found no room is counted
(\`mk netstat -s\`, \`mk stat\`). A limit that is lowered holds for what comes after. This file is written from the program:
\`npx vitest run test/limits.test.ts -u\`.
`;

const RATES = `
## Rates

What a kernel says to strangers is limited per second; the rest is left out and counted.
`;

function table(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `| ${row.join(' | ')} |\n`).join('');
}

describe('the limits of a kernel', () => {
  const kernel = Kernel.create({ name: 'limits', arena: Arena.create(96 << 20), host: new Simulation(1).host() });
  const { limits } = kernel.inet.sysctl;

  it('are docs/limits.md (vitest -u writes it)', async () => {
    const tables = limits.list().map(({ table: what, variable, counter, whenFull }) => {
      return [what, `\`${variable.name}\``, String(variable.initial), `\`${counter}\``, whenFull];
    });
    const rates = limits.rates().map(({ what, variable, counter }) => {
      return [what, `\`${variable.name}\``, String(variable.initial), `\`${counter}\``];
    });
    const text = [
      INTRODUCTION,
      '\n',
      table([['table', 'sysctl', 'default', 'counter', 'when full'], ['---', '---', '---', '---', '---'], ...tables]),
      RATES,
      '\n',
      table([['what', 'sysctl', 'default', 'counter'], ['---', '---', '---', '---'], ...rates]),
    ].join('');
    await expect(text).toMatchFileSnapshot('../docs/limits.md');
  });

  it('are shown by sysctl, and their counters by netstat -s', () => {
    const counters = kernel.cpus[0].cpu.counters.snapshot();
    for (const { variable, counter } of [...limits.list(), ...limits.rates()]) {
      expect(textControl(kernel, 'sysctl.get', { name: variable.name })).toEqual([
        { name: variable.name, value: variable.initial },
      ]);
      expect([counter, counters[counter]]).toEqual([counter, 0]);
      expect(formatStatistics({ ...counters, [counter]: 123_456 }, null, false)).toContain('123456');
    }
  });

  it('are met by tables that are empty', () => {
    for (const { table: what, variable, size } of limits.list()) {
      expect([what, size() <= variable.value]).toEqual([what, true]);
    }
  });
});
