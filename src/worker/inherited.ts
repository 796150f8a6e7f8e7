/**
 * Puts the kernel of the parent under a process or thread that a program started, or that of its machine under a program of a
 * lab; the program begins without waiting for it.
 *
 * Thread: the program's. Read first: node/late-kernel.ts, thread-gate.ts.
 */

import { closeSync, readSync, writeSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread, type MessagePort } from 'node:worker_threads';
import { memoryHost } from '../host/node/ffi/memory-host.ts';
import { machineName, openHiddenChannel, shareWithChildren } from '../node/children.ts';
import { connectInherited, connectOver, type InheritedKernel } from '../node/inherited-kernel.ts';
import { install } from '../node/install.ts';
import { knock } from '../node/knock.ts';
import { LateKernel } from '../node/late-kernel.ts';
import { URL_DESCRIPTOR, URL_LATER } from '../rump/process-environment.ts';
import { countHttp } from './http-metrics.ts';
import { SentCounters } from './sent-counters.ts';
import { InheritedGate } from './thread-gate.ts';

/** The machine was switched off. */
function switchOff(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('the machine is switched off');
}

function connect(url: string, gate: InheritedGate | null): InheritedKernel {
  if (gate !== null) return connectOver({ calls: gate.carrier(), events: gate.carrier() }, null);
  try {
    // A thread that is ended while it loads native code would take its process with it.
    return connectInherited(url, isMainThread ? memoryHost() : null, null);
  } catch (error) {
    if (isMainThread && machineName() !== '') switchOff();
    throw error;
  }
}

/** Longer than any URL of a kernel. */
const URL_BYTES_MAX = 4096;

/** Say that the process waits, and wait until the program may begin; the URL of its kernel. */
function awaitUrl(): string {
  writeSync(URL_DESCRIPTOR, '\n');
  const bytes = Buffer.alloc(URL_BYTES_MAX);
  let length = 0;
  for (let read = -1; read !== 0; length += read)
    read = readSync(URL_DESCRIPTOR, bytes, length, URL_BYTES_MAX - length, null);
  closeSync(URL_DESCRIPTOR);
  // The lab ended before.
  if (length === 0) switchOff();
  return bytes.toString('latin1', 0, length);
}

/** `preload`: the file that does the same in children; `port`: the gate of a thread, null: it is reached by its URL. */
export function useInheritedKernel(told: string, preload: string, port: MessagePort | null): void {
  let url = told;
  const gate = port === null ? null : new InheritedGate(port);
  const late = new LateKernel(() => connect(url, gate));
  const machine = machineName();
  if (machine !== '') {
    (createRequire(import.meta.url)('node:os') as { hostname(): string }).hostname = () => machine;
    syncBuiltinESMExports();
  }
  install(late.face(() => url, gate === null ? undefined : () => gate.open()));
  countHttp(new SentCounters(() => late.kernel.sockets));
  shareWithChildren(preload, { kernelElsewhere: true });
  openHiddenChannel();
  if (url === URL_LATER) {
    // Loaded while there is nothing else to do.
    memoryHost();
    url = awaitUrl();
  }
  // A process of a machine ends with it: so it is connected sooner or later.
  if (isMainThread && machine !== '') knock(url, () => void late.kernel);
}
