// One thread that runs an agent on an event loop whose bell is rung through a socket (far-bell.test.ts), from the built files.

import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { EventLoop } from '../../dist/host/node/event-loop.js';
import { SocketBell, SocketWaker } from '../../dist/host/node/socket-bell.js';
import { Arena } from '../../dist/mem/arena.js';
import { Channel } from '../../dist/mem/channel.js';
import { SpinBudget } from '../../dist/mem/spin-budget.js';

const { memory, bellAt, spinAt, place, peerPlace, channel, side, hops } = workerData;
const arena = Arena.attach(memory);
const bell = await SocketBell.listen(arena, bellAt, place);
parentPort.postMessage('listens');
await once(parentPort, 'message');
const socketWaker = await SocketWaker.connect(peerPlace);

let wakes = 0;
const waker = {
  wake() {
    wakes++;
    socketWaker.wake();
  },
};
const loop = new EventLoop({ doorbell: bell, spinBudget: new SpinBudget(arena.words, spinAt, 1, bellAt), pollUs: 0 });
const end = Channel.open(arena, channel, side, { owner: (side + 1) << 10, bellAt, waker });
const [at, length, meta] = [new Int32Array(8), new Int32Array(8), new Int32Array(8)];
// Neither the loop nor its bell keeps the thread alive.
const alive = setInterval(() => {}, 1 << 30);
let begun = side === 1;
let last = -1;

function send(id) {
  if (end.reserve(4) < 0) return 0;
  end.commit(4, id);
  end.publish();
  return 1;
}

function finish() {
  parentPort.postMessage({ last, wakes, ...loop.stats });
  clearInterval(alive);
  loop.close();
  // The peer may still have to take the last token: the waker stays until the thread ends.
}

loop.add({
  doWork() {
    // Side 0 begins as soon as the other side is there.
    let work = begun ? 0 : send(0);
    if (work > 0) begun = true;
    const count = end.receive(at, length, meta, 8);
    for (let i = 0; i < count; i++) {
      last = meta[i];
      if (last < hops && send(last + 1) !== 1) throw new Error(`no room after ${last}`);
      work++;
    }
    end.release();
    if (last >= hops - 1) finish();
    return work;
  },
  flush() {},
  nextDeadlineUs: () => Infinity,
  workPending: () => end.pending,
});
