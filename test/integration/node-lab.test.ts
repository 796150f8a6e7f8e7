/**
 * Processes and threads that a program of a lab starts are on its machine: same addresses, same ports, and they end with it.
 */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../fixtures/fake-workers.ts';
import { Terminal } from '../fixtures/mk.ts';

const PROGRAMS = resolve(import.meta.dirname, '../fixtures/programs');
const LAB = resolve(PROGRAMS, 'lab/multikernel.yml');

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

it('has localhost on machines of either family and of both', async () => {
  const up = await terminal.up(resolve(PROGRAMS, 'localhost/multikernel.yml'));
  const expected = readFileSync(resolve(PROGRAMS, 'localhost.cjs.txt'), 'latin1').trimEnd().split('\n');
  const said = (node: string): string[] => {
    const lines = up.out.split('\n').filter((line) => line.startsWith(`${node} | `));
    return lines.map((line) => line.slice(node.length + 3));
  };
  await until(() => ['four', 'six', 'both'].every((node) => said(node).length >= expected.length));
  for (const node of ['four', 'six', 'both']) expect([node, ...said(node)]).toEqual([node, ...expected]);
});
