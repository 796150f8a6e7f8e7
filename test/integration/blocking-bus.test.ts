/** Threads of two processes that sleep in a futex wake each other over a bus. Participants run the built files. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';

const PARTICIPANT = fileURLToPath(new URL('./blocking-participant.js', import.meta.url));
const WATCHDOG_MS = 120_000;
const TOKENS = 5000;

let folder = '';
let children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-blocking-'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

/** A participant that takes part in the bus, and what it prints afterwards. */
async function participant(role: 'first' | 'second'): Promise<{ child: ChildProcess; said: Promise<string> }> {
  const child = spawn(process.execPath, [PARTICIPANT, join(folder, 'bus'), role, String(TOKENS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  child.stdout?.setEncoding('utf8');
  let text = '';
  const ended = once(child, 'close').then(() => text.replace('there\n', ''));
  await new Promise<void>((resolve) =>
    child.stdout?.on('data', (chunk: string) => {
      text += chunk;
      if (text.startsWith('there\n')) resolve();
    }),
  );
  return { child, said: ended };
}

it.skipIf(libc()?.futex == null)(
  `${TOKENS} tokens go between threads that block, each woken by the other`,
  { timeout: WATCHDOG_MS },
  async () => {
    const second = await participant('second');
    const first = await participant('first');
    const { last, sleeps, wakeUps } = JSON.parse(await first.said) as Record<string, number>;
    expect(last).toBe(TOKENS);
    // Tokens that came before the thread slept took no wake-up; nearly all find both asleep.
    expect(Math.min(sleeps as number, wakeUps as number)).toBeGreaterThan(TOKENS / 10);
    expect(await second.said).toBe('');
    expect(second.child.exitCode).toBe(0);
  },
);

it.skipIf(libc()?.futex == null)(
  'a thread that blocks hears the successor of one that was killed',
  { timeout: WATCHDOG_MS },
  async () => {
    await participant('second');
    const dead = await participant('first');
    dead.child.kill('SIGKILL');
    await dead.said;
    const next = await participant('first');
    expect(JSON.parse(await next.said)).toMatchObject({ last: TOKENS });
  },
);
