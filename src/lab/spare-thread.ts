/**
 * A thread for kernels, started before it is known for which: to start and to load takes it longer than to read the lab file.
 *
 * Thread: the supervisor's. The thread waits for its {@link WorkerBoot} (worker/main.ts). Imports nothing that takes long: `mk up`
 * begins with this.
 */

import { setFlagsFromString } from 'node:v8';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { moduleUrl } from '../base/module-url.ts';
import { LOAD_MS, NativeLoad } from '../mem/native-load.ts';

/** Entry of every thread of a lab. */
export const ENTRY: URL = moduleUrl('../worker/main', import.meta.url);

/** Options of a thread that runs kernels and no program. */
export const KERNEL_THREAD: WorkerOptions = { stdout: true, stderr: true, execArgv: [], name: 'kernels' };

/**
 * Threads started from now on collect their old space for the first time at this size, MiB. V8 would lower its first limit
 * with every scavenge, and charges the buffers that reads are given against it: at 10 Gbit/s it then collects everything 50
 * times a second, a third of the time (docs/notes/node-face.md). A limit of the program's own (`memory`) still holds.
 */
const FIRST_COLLECTION_MIB = 128;
setFlagsFromString(`--initial-old-space-size=${FIRST_COLLECTION_MIB}`);

/** A thread that lasts as long as the process, which does not end while it loads native code; `workerData` are the words of its `NativeLoad`. */
export function guardedThread(entry: URL, options: WorkerOptions): Worker {
  const nativeLoad = new NativeLoad();
  process.on('exit', () => nativeLoad.endNow(LOAD_MS));
  return new Worker(entry, { ...options, workerData: nativeLoad.words });
}

let spare: Worker | null = null;

let keepsThreads = false;

/** Start a thread, unless one waits already. It keeps no process alive. */
export function prepareThread(): void {
  if (spare === null) setAside(new Worker(ENTRY, KERNEL_THREAD));
}

/**
 * From now on, threads of kernels whose lab goes down wait for the next one, as long as none does already: such a thread has compiled what it
 * runs, and boots kernels in a tenth of the time.
 */
export function keepThreads(): void {
  keepsThreads = true;
  prepareThread();
}

export function areThreadsKept(): boolean {
  return keepsThreads;
}

/** Whether {@link giveThread} would take one. */
export function wantsThread(): boolean {
  return keepsThreads && spare === null;
}

/** A thread of kernels that waits for its boot message again. */
export function giveThread(thread: unknown): void {
  if (!(thread instanceof Worker)) return;
  thread.removeAllListeners();
  if (spare === null) setAside(thread);
  else void thread.terminate();
}

function setAside(thread: Worker): void {
  thread.unref();
  spare = thread;
  const gone = (): void => {
    if (spare === thread) spare = null;
  };
  thread.on('error', gone);
  thread.on('exit', gone);
}

/** The thread that waits, for somebody who gives it its boot message; null: there is none. */
export function takeThread(): Worker | null {
  const thread = spare;
  spare = null;
  if (thread === null) return null;
  thread.removeAllListeners();
  thread.ref();
  return thread;
}

/** End the thread that waits, if there is one: nobody will take it. */
export function dropThread(): void {
  void takeThread()?.terminate();
}
