/**
 * The kernel of `mk run`, on a thread of the command: it answers while the program computes, and ends with it.
 *
 * Thread: a worker; `workerData` are the words of its `NativeLoad`. Its first message is an {@link OwnImpairment} for lo0, or null; it answers with the URL of the kernel.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { guardLoad } from '../host/node/ffi/libc.ts';
import type { OwnImpairment } from '../lab/messages.ts';
import { NativeLoad } from '../mem/native-load.ts';
import { IMPAIR_OUT } from '../sys/control.ts';
import { makeLoneKernel } from './lone-kernel.ts';

/** Turns that follow each other; then the thread hears of connections. */
const STAY_US = 100;

guardLoad(new NativeLoad(workerData as Int32Array));
const { kernel, server } = makeLoneKernel({ stayUs: STAY_US });
// Listening on keeps the thread: servers of kernels do not.
parentPort?.on('message', (impairment: OwnImpairment | null) => {
  if (impairment !== null) {
    const index = kernel.inet.interface('lo0')?.index as number;
    kernel.control('impairment.set', { index, direction: IMPAIR_OUT, from: null, ...impairment });
  }
  parentPort?.postMessage(server.url());
});
