/**
 * A kernel of its own under the program that this process is about to run, on its event loop: its parent's cannot answer while it waits
 * for this process.
 *
 * Thread: the main thread. Loaded by worker/preload.ts.
 */

import { installKernel } from './install-kernel.ts';
import { makeLoneKernel } from './lone-kernel.ts';

// Nobody else can send: there is nothing to poll for.
const { kernel, server, names } = makeLoneKernel({ pollUs: 0 });
installKernel(kernel, server, names);
