/**
 * Role: brings a lab of N kernels up in a fresh process and reports what that took; then lets them idle and reports what that costs,
 * its programs that are processes included.
 * Thread: the main thread of a child of the harness. usage: boot-child KERNELS none|beside|process PROGRAM IDLE_MS
 */

import { readdirSync, readFileSync } from 'node:fs';
import { lab, type Placement } from '#src/index';

/** Compilation and the announcements of RFC 5227 (the last of them after two seconds) belong to booting. */
const SETTLE_MS = 2500;
/** V8 gives the memory of a program's start back after eight seconds, by collections that take tens of milliseconds each. */
const PROCESS_SETTLE_MS = 40_000;

/** Processor time of all threads of a process, ms; 0: it is gone. */
function threadsMs(pid: string): number {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const nanoseconds = tasks.map((task) =>
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
    );
    return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
  } catch {
    return 0;
  }
}

/** Processor time of the children of this process, ms; where there is no /proc, 0. */
function childrenMs(): number {
  let pids: string[] = [];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === process.pid);
  } catch {
    // Another system.
  }
  return pids.reduce((sum, pid) => sum + threadsMs(pid), 0);
}

function ownMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function parentOf(pid: string): number {
  try {
    // After the name, which may have anything in it: state, parent.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return 0;
  }
}

const [, , count = '4', programs = 'none', program = '', idleMs = '1000'] = process.argv;
const node = programs === 'none' ? {} : { run: `node ${program}`, placement: programs as Placement };
const nodes = Object.fromEntries(Array.from({ length: Number(count) }, (_, i) => [`k${i + 1}`, node]));
const rssBefore = process.memoryUsage.rss();
const startMs = performance.now();
const net = await lab({ name: 'boot', nodes });
const bootMs = performance.now() - startMs;
const rssMiB = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
const ready = async (): Promise<number> => {
  const { nodes: states } = await net.info();
  return states.filter(({ phase, listening }) => phase === 'ready' || listening.tcp.length > 0).length;
};
await net.until(async () => (await ready()) === Number(count));
const kernels = await ready();
await new Promise((wake) => setTimeout(wake, programs === 'process' ? PROCESS_SETTLE_MS : SETTLE_MS));
// The look at the children is no part of the time.
const childrenBeforeMs = childrenMs();
const ownBeforeMs = ownMs();
const idleFromMs = performance.now();
await new Promise((wake) => setTimeout(wake, Number(idleMs)));
const idledMs = performance.now() - idleFromMs;
const busyMs = ownMs() - ownBeforeMs + childrenMs() - childrenBeforeMs;
const idlePercent = (100 * busyMs) / idledMs;
const { workers } = await net.info();
await net.down();
process.stdout.write(`${JSON.stringify({ kernels, bootMs, rssMiB, workers, idlePercent })}\n`);
