/**
 * Puts a kernel of another thread or process under the program that this process, or thread, is about to run.
 *
 * Thread: the program's. Read first: node/inherited-kernel.ts.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { memoryHost } from '../host/node/ffi/memory-host.ts';
import { ANSWER_MS } from '../host/node/in-time.ts';
import { Patience } from '../host/node/patience.ts';
import { openHiddenChannel, shareWithChildren } from '../node/children.ts';
import { connectInherited } from '../node/inherited-kernel.ts';
import { install } from '../node/install.ts';
import { StaticNames } from '../node/names.ts';
import type { ClientSockets } from '../rump/client-sockets.ts';
import { countHttp } from './http-metrics.ts';
import { SentCounters } from './sent-counters.ts';

/**
 * `preload`: the file that does the same in children. Throws ETIMEDOUT when the kernel does not answer, and what `connectInherited` and
 * `install` throw.
 */
export function useKernelElsewhere(url: string, preload: string): ClientSockets {
  const { sockets, about } = connectInherited(url, memoryHost(), new Patience(ANSWER_MS));
  const { interfaces, machine } = about;
  if (machine !== null) {
    (createRequire(import.meta.url)('node:os') as { hostname(): string }).hostname = () => machine;
    syncBuiltinESMExports();
  }
  const names = new StaticNames(about.names);
  install({
    sockets,
    names,
    serverUrl: () => url,
    ...(interfaces === null ? {} : { interfaces: () => interfaces }),
  });
  countHttp(new SentCounters(() => sockets));
  shareWithChildren(preload, { kernelElsewhere: true });
  openHiddenChannel();
  return sockets;
}
