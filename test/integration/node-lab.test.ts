/**
 * Processes and threads that a program of a lab starts are on its machine: same addresses, same ports, and they end with it.
 */

import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../fixtures/fake-workers.ts';
import { Terminal } from '../fixtures/mk.ts';

const LAB = resolve(import.meta.dirname, '../fixtures/programs/lab/multikernel.yml');

let terminal: Terminal;
beforeEach(() => {
  terminal = new Terminal();
});
afterEach(() => terminal.close());

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it('puts a program, its process and its thread on one machine', async () => {
  const up = await terminal.up(LAB);
  const pid = Number((await up.until(/server \| process (\d+)/))[1]);
  await up.until(/visitor \| done 0/);
  // A visitor that is quick is already in the table as it ended.
  await up.until(/^visitor(:| .*) exited 0$/m);
  expect(up.out.split('\n').filter((line) => /interfaces|saw|done/.test(line))).toEqual([
    'visitor | interfaces: lo0,eth0 10.9.0.11/24',
    'visitor | program saw ::ffff:10.9.0.11',
    'visitor | process saw ::ffff:10.9.0.11',
    'visitor | thread saw ::ffff:10.9.0.11',
    'visitor | child: program saw ::ffff:10.9.0.11',
    'visitor | done 0',
  ]);
  const { out } = await terminal.run('exec', 'server', '--', 'netstat', '-an');
  for (const port of [80, 81, 82]) expect(out).toMatch(new RegExp(`^tcp6? .* \\*\\.${port} .*LISTEN`, 'm'));
  expect(alive(pid)).toBe(true);
  up.child.kill('SIGINT');
  expect((await up.done).code).toBe(0);
  await until(() => !alive(pid));
});
