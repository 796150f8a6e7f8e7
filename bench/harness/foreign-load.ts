/**
 * Role: how much CPU strangers used during a repetition: what /proc/stat counts, less what this process and its children used.
 * Thread: the harness's main thread. Linux only; elsewhere every answer is null. Resolution: one clock tick (10 ms).
 * Read first: proc(5). Interrupt and softirq time is left out: traffic of our own causes it. Stolen time counts as foreign.
 */

import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** More than this many cores used by strangers disturbs a repetition. */
export const FOREIGN_CORES_MAX = 0.2;

export interface LoadReading {
  atMs: number;
  /** Ticks that all CPUs together spent working, since boot. */
  busyTicks: number;
  /** Ticks of this process, its descendants, and those of them that have ended. */
  ownTicks: number;
}

interface ProcessTicks {
  pid: number;
  parent: number;
  name: string;
  ticks: number;
}

/** user + nice + system + steal of the `cpu` line of /proc/stat. */
export function busyTicksOf(stat: string): number {
  const fields = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ').map(Number);
  return (fields[0] ?? 0) + (fields[1] ?? 0) + (fields[2] ?? 0) + (fields[7] ?? 0);
}

/** One process's parent and CPU time, its ended children's included, from /proc/PID/stat; null when the line is not one. */
export function processTicksOf(line: string): ProcessTicks | null {
  const match = /^(\d+) \((.*)\) \S (\d+) (.*)$/s.exec(line);
  if (match === null) return null;
  // After state and parent: pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime ...
  const rest = (match[4] as string).split(' ');
  const ticks = [9, 10, 11, 12].reduce((sum, at) => sum + Number(rest[at]), 0);
  return { pid: Number(match[1]), parent: Number(match[3]), name: match[2] as string, ticks };
}

/** Sum over `root` and its descendants, and the kernel's own softirq threads, which do our network work. */
export function ownTicksOf(processes: readonly ProcessTicks[], root: number): number {
  const family = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const process of processes) {
      if (family.has(process.parent) && !family.has(process.pid)) {
        family.add(process.pid);
        grown = true;
      }
    }
  }
  return processes
    .filter((process) => family.has(process.pid) || process.name.startsWith('ksoftirqd/'))
    .reduce((sum, process) => sum + process.ticks, 0);
}

/** Reads the load now; null where /proc does not exist. */
export function readLoad(root: number = process.pid): LoadReading | null {
  try {
    const busyTicks = busyTicksOf(readFileSync('/proc/stat', 'utf8'));
    const processes: ProcessTicks[] = [];
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const line = readIfThere(`/proc/${name}/stat`);
      const one = line === null ? null : processTicksOf(line);
      if (one !== null) processes.push(one);
    }
    return { atMs: performance.now(), busyTicks, ownTicks: ownTicksOf(processes, root) };
  } catch {
    return null;
  }
}

/** Length of one look at what strangers do, ms: ten ticks. */
const LOOK_MS = 100;

/** Waits until strangers let a look go by undisturbed, at most `maxMs`; at once where the machine does not tell. */
export async function waitForQuiet(maxMs: number): Promise<void> {
  const endMs = performance.now() + maxMs;
  for (let before = readLoad(); before !== null && performance.now() < endMs; ) {
    await new Promise((wake) => setTimeout(wake, LOOK_MS));
    const after = readLoad();
    if ((foreignCores(before, after) ?? 0) <= FOREIGN_CORES_MAX) return;
    before = after;
  }
}

/** Cores that strangers used between two readings (0 and up); null when either is missing. */
export function foreignCores(before: LoadReading | null, after: LoadReading | null): number | null {
  if (before === null || after === null || after.atMs <= before.atMs) return null;
  const ticks = after.busyTicks - before.busyTicks - (after.ownTicks - before.ownTicks);
  const seconds = (after.atMs - before.atMs) / 1000;
  return Math.max(0, ticks / TICKS_PER_SECOND / seconds);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // the process ended meanwhile
  }
}
