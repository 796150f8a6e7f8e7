/**
 * Puts a kernel of this thread under the program of this thread, and under the threads that the program starts.
 *
 * Thread: the program's. Read first: node/install.ts, thread-gate.ts.
 */

import type { Kernel } from '../kernel/kernel.ts';
import { install } from '../node/install.ts';
import type { StaticNames } from '../node/names.ts';
import { interfaceAddresses } from './interface-addresses.ts';
import type { KernelServer } from './kernel-server.ts';
import { ThreadGates } from './thread-gate.ts';

export function installKernel(kernel: Kernel, server: KernelServer, names: StaticNames): void {
  const gates = new ThreadGates((carrier) => server.connect(carrier));
  install({
    sockets: kernel.sockets,
    names,
    interfaces: () => interfaceAddresses(kernel),
    passed: server.passed,
    serverUrl: () => server.url(),
    openGate: () => gates.open(),
  });
}
