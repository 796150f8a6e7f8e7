/**
 * The kernel of `mk run`, on a thread of this process.
 *
 * Thread: the command's. The thread starts before the command is loaded (early.ts). Read first: worker/run-kernel.ts.
 */

import type { Worker } from 'node:worker_threads';
import { moduleUrl } from '../base/module-url.ts';
import { guardedThread } from '../lab/spare-thread.ts';
import { CommandFailure } from './failure.ts';

const ENTRY: URL = moduleUrl('../worker/run-kernel', import.meta.url);

let thread: Worker | null = null;

/** Start the thread, unless it has started. It keeps no process alive. */
export function prepareRunKernel(): void {
  if (thread !== null) return;
  thread = guardedThread(ENTRY, { execArgv: [], name: 'kernel' });
  thread.unref();
}

/** URL of the kernel, whose lo0 is impaired as `impairment` (lab/messages.ts) says. */
export function runKernelUrl(impairment: object | null): Promise<string> {
  prepareRunKernel();
  const kernel = thread as Worker;
  kernel.ref();
  return new Promise((resolve, reject) => {
    kernel.once('error', (error) => reject(new CommandFailure(`the kernel did not come up: ${error.message}`)));
    kernel.once('message', (url: string) => {
      kernel.unref();
      resolve(url);
    });
    kernel.postMessage(impairment);
  });
}
