// One thread that runs an agent on an event loop whose bell is rung through a socket (far-bell.test.ts), from the built files.

import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { EventLoop } from '../../dist/host/node/event-loop.js';
import { SocketBell, SocketWaker } from '../../dist/host/node/socket-bell.js';
import { Arena } from '../../dist/mem/arena.js';
import { SpinBudget } from '../../dist/mem/spin-budget.js';
import { tokenAgent } from './token-agent.js';

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
// Neither the loop nor its bell keeps the thread alive.
const alive = setInterval(() => {}, 1 << 30);

loop.add(
  tokenAgent({ arena, channel, side, bellAt, hops, waker }, (last) => {
    parentPort.postMessage({ last, wakes, ...loop.stats });
    clearInterval(alive);
    loop.close();
    // The peer may still have to take the last token: the waker stays until the thread ends.
  }),
);
