// One thread that runs an agent on a loop of host/node (loops.test.ts), from the built files.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { EventLoop } from '../../dist/host/node/event-loop.js';
import { ThreadLoop } from '../../dist/host/node/thread-loop.js';
import { Arena } from '../../dist/mem/arena.js';
import { Doorbell } from '../../dist/mem/doorbell.js';
import { SpinBudget } from '../../dist/mem/spin-budget.js';
import { tokenAgent } from './token-agent.js';

const { memory, kind, role, bellAt, spinAt, seats, pollUs, port, channel, side, hops } = workerData;
const arena = Arena.attach(memory);
const bell = new Doorbell(arena, bellAt);
const spinBudget = new SpinBudget(arena.words, spinAt, seats, bellAt);
const threadLoop = kind === 'thread' ? new ThreadLoop({ bell, spinBudget, pollUs }) : null;
const eventLoop = kind === 'event' ? new EventLoop({ doorbell: bell, spinBudget, pollUs }) : null;
const loop = threadLoop ?? eventLoop;
const idle = { doWork: () => 0, flush: () => {}, nextDeadlineUs: () => Infinity, workPending: () => false };

/** Keeps a thread with an event loop alive until the agent is done. */
const alive = eventLoop !== null ? setInterval(() => {}, 1 << 30) : null;

function finish(result) {
  parentPort.postMessage({ ...result, ...loop.stats, spinners: spinBudget.spinners });
  threadLoop?.stop();
  eventLoop?.close();
  clearInterval(alive);
}

function token() {
  return tokenAgent({ arena, channel, side, bellAt, hops }, (last) => finish({ last }));
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
threadLoop?.run();
