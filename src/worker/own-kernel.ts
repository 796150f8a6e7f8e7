/**
 * A kernel of its own under the program that this process is about to run, on its event loop: its parent's cannot answer while it waits
 * for this process.
 *
 * Thread: the main thread. Loaded by worker/preload.ts.
 */

import { install } from '../node/install.ts';
import { makeLoneKernel } from './lone-kernel.ts';
import { ThreadGates } from './thread-gate.ts';

// Nobody else can send: there is nothing to poll for.
const { kernel, server, names, interfaces } = makeLoneKernel({ pollUs: 0 });
const gates = new ThreadGates((carrier) => server.connect(carrier));
install({
  sockets: kernel.sockets,
  names,
  interfaces,
  passed: server.passed,
  serverUrl: () => server.url(),
  openGate: () => gates.open(),
});
