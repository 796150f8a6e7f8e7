/** Remote memory between processes: counted exactly, and an owner that is killed and comes back. */

import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, it } from 'vitest';
import { Mbcf } from '../../src/mbcf/open.ts';
import type { MemoryAddress } from '../../src/mbcf/protocol/task-record.ts';

const PROGRAM = resolve(import.meta.dirname, '../fixtures/programs/mbcf-counter.mjs');
const USERS = 7;

const children: ChildProcess[] = [];
const nodes: Mbcf[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

/** The owner on a port: where its memory is, and its sum. */
async function owner(
  port: number,
  users: readonly Mbcf[],
): Promise<{ child: ChildProcess; address: MemoryAddress; sum: () => Promise<number> }> {
  const ports = users.map(({ address }) => address.split(':')[1] as string);
  const child = spawn(process.execPath, [PROGRAM, String(port), ...ports], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<{ key: string; sum: number }> => JSON.parse((await lines.next()).value as string);
  const { key } = await next();
  const sum = async (): Promise<number> => {
    child.stdin!.write('?\n');
    return (await next()).sum;
  };
  return { child, address: { node: 1, task: 1, key: Buffer.from(key, 'hex') }, sum };
}

async function users(): Promise<Mbcf[]> {
  for (let number = 2; number < 2 + USERS; number++) {
    nodes.push(await Mbcf.open({ number, settings: { giveUpUs: 2_000_000 } }));
  }
  return nodes;
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const probe = await Mbcf.open({ number: 1 });
  const port = Number(probe.address.split(':')[1]);
  await probe.close();
  return port;
}

it('counts what seven nodes add at once, in another process', { timeout: 60_000 }, async () => {
  const all = await users();
  const port = await freePort();
  for (const user of all) user.addPeer(1, { address: `127.0.0.1:${port}` });
  const { address, sum } = await owner(port, all);
  const remotes = await Promise.all(all.map((user) => user.task(1).attach(address)));
  const before = (
    await Promise.all(remotes.map((remote) => Promise.all(Array.from({ length: 500 }, () => remote.fetchAdd(0, 1)))))
  ).flat();
  expect(before.sort((a, b) => a - b)).toEqual(Array.from({ length: USERS * 500 }, (_, i) => i));
  expect(await sum()).toBe(USERS * 500);
});

it('tells those who use the memory of a process that it was killed, and the next one is another', {
  timeout: 60_000,
}, async () => {
  const [user] = (await users()) as [Mbcf];
  const port = await freePort();
  user.addPeer(1, { address: `127.0.0.1:${port}` });
  const first = await owner(port, [user]);
  const task = user.task(1);
  const remote = await task.attach(first.address);
  await remote.fetchAdd(0, 5);
  first.child.kill('SIGKILL');
  await new Promise((gone) => first.child.once('exit', gone));
  const asked = remote.fetchAdd(0, 1).catch((error: { code: string }) => error.code);
  const second = await owner(port, [user]);
  expect(await asked).toMatch(/^(ECONNRESET|EHOSTUNREACH)$/);
  await expect(remote.fetchAdd(0, 1)).rejects.toMatchObject({ code: 'EKEYREJECTED' });
  const again = await task.attach(second.address);
  expect(await again.fetchAdd(0, 1)).toBe(0);
  expect(await second.sum()).toBe(1);
});
