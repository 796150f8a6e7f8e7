/**
 * docs/limits.md is what the program says of its limits; every one has a sysctl and a counter that the tools show.
 */

import { describe, expect, it } from 'vitest';
import { Simulation } from '../src/host/sim/simulation.ts';
import { Kernel } from '../src/kernel/kernel.ts';
import { FLOW_IDLE_MS, FLOWS_MAX } from '../src/lab/datagram-flows.ts';
import { SHARING_NODES_MAX } from '../src/lab/default-placement.ts';
import { KERNELS_BYTES_MAX } from '../src/lab/kernel-bytes.ts';
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

/** Limits of labs, which are no sysctls. */
const LABS = [
  [
    'memory of all kernels of a lab, bytes; `memory:` gives a node its part, 64 MiB at most where it says nothing',
    String(KERNELS_BYTES_MAX),
    'a lab file that gives away more is refused; a kernel has 1 MiB at least',
  ],
  [
    'nodes of a lab whose programs, as processes, share memory with their kernels',
    String(SHARING_NODES_MAX),
    'programs of larger labs run beside their kernels by default, and processes use sockets of the host',
  ],
  [
    'flows of datagrams of one UDP port of `ports:` or `hosts:`',
    String(FLOWS_MAX),
    'the one that was quiet for longest ends',
  ],
  [
    'silence that ends a flow of datagrams, seconds',
    String(FLOW_IDLE_MS / 1000),
    'the next datagram begins another flow',
  ],
];

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
      '\n## Labs\n\nThe limits of a lab are fixed.\n\n',
      table([['what', 'limit', 'when full'], ['---', '---', '---'], ...LABS]),
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
