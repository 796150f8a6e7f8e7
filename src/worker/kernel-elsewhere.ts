/**
 * Puts a kernel of another thread or process under the program that this process, or thread, is about to run.
 *
 * Thread: the program's. Read first: node/inherited-kernel.ts.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { memoryHost } from '../host/node/ffi/memory-host.ts';
import { ANSWER_MS } from '../host/node/in-time.ts';
import { Patience } from '../host/node/patience.ts';
import { openHiddenChannel, shareWithChildren } from '../node/children.ts';
import { connectInherited } from '../node/inherited-kernel.ts';
import { install } from '../node/install.ts';
import { LateKernel } from '../node/late-kernel.ts';
import type { ClientSockets } from '../rump/client-sockets.ts';
import { countHttp } from './http-metrics.ts';
import { SentCounters } from './sent-counters.ts';

/**
 * `preload`: the file that does the same in children. Throws ETIMEDOUT when the kernel does not answer, and what `connectInherited` and
 * `install` throw.
 */
export function useKernelElsewhere(url: string, preload: string): ClientSockets {
  // A thread that is ended while it loads native code would take its process with it.
  const late = new LateKernel(() => connectInherited(url, isMainThread ? memoryHost() : null, new Patience(ANSWER_MS)));
  // First: koffi loads `node:util`, which from Node 22 on asks whether standard error has colors, and so loads `node:net` for a pipe.
  install(late.face(() => url, undefined));
  const { sockets, about } = late.kernel;
  const { machine } = about;
  if (machine !== null) {
    (createRequire(import.meta.url)('node:os') as { hostname(): string }).hostname = () => machine;
    syncBuiltinESMExports();
  }
  countHttp(new SentCounters(() => sockets));
  shareWithChildren(preload, { kernelElsewhere: true });
  openHiddenChannel();
  return sockets;
}
