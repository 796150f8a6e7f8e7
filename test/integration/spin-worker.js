// A kernel's thread without the kernel (spin.test.ts): hands the tokens it receives on to the next port, on an event loop
// with a spin budget, and notes who polls. From the built files.

import { parentPort, workerData } from 'node:worker_threads';
import { EventLoop } from '../../dist/host/node/event-loop.js';
import { FrameBatch } from '../../dist/link/device.js';
import { openVni } from '../../dist/link/open-vni.js';
import { Arena } from '../../dist/mem/arena.js';
import { createBulk } from '../../dist/mem/bulk.js';
import { Doorbell } from '../../dist/mem/doorbell.js';
import { SpinBudget } from '../../dist/mem/spin-budget.js';

const HI = 0x0200;
const FRAME_BYTES = 60;
const { memory, network, port, bells, spinAt, seats, marksAt, hops } = workerData;
const arena = Arena.attach(memory);
const { words, view } = arena;
const marks = marksAt >> 2;

/** Notes in shared memory who has a seat, and in `most` how many had one at a time. */
class NotedBudget extends SpinBudget {
  seated = false;
  most = 0;
  acquire() {
    this.seated = super.acquire();
    if (this.seated) Atomics.store(words, marks + port, 1);
    let all = 0;
    for (let i = 0; i < network.ports; i++) all += Atomics.load(words, marks + i);
    this.most = Math.max(this.most, all);
    return this.seated;
  }
  release() {
    this.seated = false;
    Atomics.store(words, marks + port, 0);
    super.release();
  }
}

const doorbell = new Doorbell(arena, bells[port]);
const spinBudget = new NotedBudget(words, spinAt, seats, port + 1);
const loop = new EventLoop({ doorbell, spinBudget });
const device = openVni(arena, createBulk(arena), network, port, {
  name: `p${port}`,
  mac: { hi: HI, lo: port },
  doorbellAt: doorbell.at,
});
const batch = new FrameBatch();
const next = (port + 1) % network.ports;
/** The turn before found nothing, and the thread did not look once more in order to sleep. */
let idle = false;
let unseated = 0;

function pass(count) {
  const at = device.reserve(HI, next, FRAME_BYTES);
  if (at < 0) throw new Error(`reserve: ${at}`);
  view.setUint16(at, HI);
  view.setInt32(at + 2, next);
  view.setInt32(at + 16, count);
  device.commit(FRAME_BYTES, 0);
}

loop.add({
  doWork() {
    if (idle && !spinBudget.seated) unseated++;
    const count = device.receive(batch);
    for (let i = 0; i < count; i++) {
      const hop = view.getInt32(batch.at[i] + 16);
      if (hop === hops) parentPort.postMessage('arrived');
      else pass(hop + 1);
    }
    if (count > 0) device.release();
    device.flush();
    idle = count === 0;
    return count;
  },
  flush: () => device.flush(),
  nextDeadlineUs: () => Infinity,
  workPending() {
    idle = false;
    return device.pending;
  },
});

parentPort.on('message', (message) => {
  if (message === 'token') {
    pass(1);
    loop.requestWork();
    return;
  }
  loop.close();
  parentPort.postMessage({ ...loop.stats, most: spinBudget.most, unseated });
  parentPort.close();
});
parentPort.postMessage('ready');
