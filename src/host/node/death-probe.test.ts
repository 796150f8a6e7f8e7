import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { OWNER_PROCESS, OWNER_THREAD } from '../../mem/owner.ts';
import { isGone, ownIdentity } from './death-probe.ts';

it('finds its own process and threads alive, and one of another start time gone', () => {
  const own = ownIdentity(OWNER_PROCESS);
  expect(isGone(own)).toBe(false);
  expect(isGone(ownIdentity(OWNER_THREAD))).toBe(false);
  if (own.startTime !== 0) expect(isGone({ ...own, startTime: own.startTime + 1 })).toBe(true);
});

it('finds a child alive until it is killed, and the parents of all processes alive', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  const owner = { kind: OWNER_PROCESS, pid: child.pid as number, threadId: 0, startTime: 0 } as const;
  expect(isGone(owner)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isGone(owner)).toBe(true);
  expect(isGone({ ...owner, pid: 1 })).toBe(false);
});

it('signals nobody for a number that is no process', () => {
  for (const pid of [0, -1]) expect(isGone({ kind: OWNER_PROCESS, pid, threadId: 0, startTime: 0 })).toBe(true);
});
