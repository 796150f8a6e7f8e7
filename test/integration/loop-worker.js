// One thread that runs an agent on a loop of host/node (loops.test.ts), from the built files.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { EventLoop } from '../../dist/host/node/event-loop.js';
import { ThreadLoop } from '../../dist/host/node/thread-loop.js';
import { Arena } from '../../dist/mem/arena.js';
import { Channel } from '../../dist/mem/channel.js';
import { Doorbell } from '../../dist/mem/doorbell.js';
import { SpinBudget } from '../../dist/mem/spin-budget.js';

const { memory, kind, role, bellAt, spinAt, seats, pollUs, port, channel, side, hops } = workerData;
const arena = Arena.attach(memory);
const bell = new Doorbell(arena, bellAt);
const spinBudget = new SpinBudget(arena.words, spinAt, seats, bellAt);
const loop =
  kind === 'thread'
    ? new ThreadLoop({ bell, spinBudget, pollUs })
    : new EventLoop({ doorbell: bell, spinBudget, pollUs });
const idle = { doWork: () => 0, flush: () => {}, nextDeadlineUs: () => Infinity, workPending: () => false };

/** Keeps a thread with an event loop alive until the agent is done. */
const alive = kind === 'event' ? setInterval(() => {}, 1 << 30) : null;

function finish(result) {
  parentPort.postMessage({ ...result, ...loop.stats, spinners: spinBudget.spinners });
  if (kind === 'thread') {
    loop.stop();
    return;
  }
  clearInterval(alive);
  loop.close();
}

/** Sends back each record with the next number, until there were enough. */
function token() {
  const end = Channel.open(arena, channel, side, { owner: (side + 1) << 10, bellAt });
  const [at, length, meta] = [new Int32Array(8), new Int32Array(8), new Int32Array(8)];
  const send = (id) => {
    if (end.reserve(4) < 0) return 0;
    end.commit(4, id);
    end.publish();
    return 1;
  };
  let begun = side === 1;
  let last = -1;
  return {
    ...idle,
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
      if (last >= hops - 1) finish({ last });
      return work;
    },
    workPending: () => end.pending,
  };
}

/** Does nothing before its deadline, which no bell announces. */
function deadline() {
  const dueUs = loop.nowUs() + 30_000;
  let done = false;
  return {
    ...idle,
    doWork(nowUs) {
      if (nowUs < dueUs || done) return 0;
      done = true;
      finish({ late: loop.nowUs() >= dueUs });
      return 1;
    },
    nextDeadlineUs: () => (done ? Infinity : dueUs),
  };
}

/** Work that appears between the turn and the sleep: only the look after `arm` sees it. */
function lastLook() {
  let found = false;
  let armed = false;
  return {
    ...idle,
    doWork() {
      if (!found) return 0;
      finish({ armed });
      return 1;
    },
    workPending() {
      armed = bell.sleeping;
      found = true;
      return true;
    },
  };
}

/** Hears messages; the sender rings after it has posted. */
function messages() {
  const heard = [];
  let waiting;
  const next = () => {
    waiting ??= receiveMessageOnPort(port);
    return waiting !== undefined;
  };
  return {
    ...idle,
    doWork() {
      if (!next()) return 0;
      heard.push(waiting.message);
      if (waiting.message === 'stop') finish({ heard });
      waiting = undefined;
      return 1;
    },
    workPending: next,
  };
}

/** Asks for work from outside a turn; the loop flushes then. */
function outside() {
  let flushed = 0;
  let turns = 0;
  return {
    ...idle,
    doWork() {
      if (++turns === 1) setImmediate(() => loop.requestWork());
      else if (turns === 2) finish({ flushed });
      return 0;
    },
    flush() {
      flushed++;
    },
  };
}

const roles = { token, deadline, lastLook, messages, outside };
loop.add(roles[role]());
if (kind === 'thread') loop.run();
