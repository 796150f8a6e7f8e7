// Ends threads at instants of the time in which they load koffi, as the supervisor of a lab does. Arguments: how many, milliseconds.

import { fileURLToPath } from 'node:url';
import { isMainThread, MessageChannel, parentPort, Worker, workerData } from 'node:worker_threads';
import { guardLoad, libc } from '../../dist/host/node/ffi/libc.js';
import { WorkerLink } from '../../dist/lab/worker-link.js';
import { NativeLoad } from '../../dist/mem/native-load.js';

const AT_ONCE = 2;
const MORE = 20;

function load() {
  guardLoad(new NativeLoad(workerData));
  parentPort.once('message', () => {
    parentPort.postMessage(libc() !== null);
    setInterval(() => {}, 1000);
  });
  parentPort.postMessage('ready');
}

/** Start a thread and end it; whether it had loaded by then. */
async function endAfter(ms) {
  const nativeLoad = new NativeLoad();
  const thread = new Worker(fileURLToPath(import.meta.url), {
    workerData: nativeLoad.words,
    stdout: true,
    stderr: true,
  });
  await new Promise((ready) => thread.once('message', ready));
  const { port1 } = new MessageChannel();
  const events = { listening: () => {}, gone: () => {} };
  const link = new WorkerLink(thread, port1, 1, events, null, nativeLoad);
  let loaded = false;
  thread.on('message', () => {
    loaded = true;
  });
  thread.postMessage('load');
  // The first of all is ended at once: no timer is as short.
  if (ms > 0) await new Promise((over) => setTimeout(over, ms));
  await link.terminate();
  return loaded;
}

async function endAll(count, spanMs) {
  let loaded = 0;
  let begun = 0;
  let ended = 0;
  // As many as asked for, and more until some had loaded and some had not: how long they need depends on the machine.
  const both = () => loaded > 0 && loaded < ended;
  const next = async () => {
    while (begun < count || (!both() && begun < MORE * count)) {
      if (await endAfter(((begun++ % count) / count) * spanMs)) loaded++;
      ended++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  console.log(count, loaded > 0, loaded < ended);
}

if (isMainThread) await endAll(Number(process.argv[2]), Number(process.argv[3]));
else load();
