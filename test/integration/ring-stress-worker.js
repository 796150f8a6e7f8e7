// One end of a stress test (ring-stress.test.ts), on a thread of its own, from the built files.
// Frames carry their number; size and content follow from it, so the receiver knows what must come.

import { parentPort, workerData } from 'node:worker_threads';
import { FrameBatch } from '../../dist/link/device.js';
import { openVni } from '../../dist/link/open-vni.js';
import { Arena } from '../../dist/mem/arena.js';
import { createBulk } from '../../dist/mem/bulk.js';
import { Doorbell } from '../../dist/mem/doorbell.js';
import { RingConsumer } from '../../dist/mem/ring-consumer.js';
import { RingProducer } from '../../dist/mem/ring-producer.js';

const arena = Arena.attach(workerData.memory);
const words = arena.words;
/** No sleep of a sound pair lasts that long; one that does was a missed wake-up if work is there afterwards. */
const MISSED_MS = 20_000;

function mix(n) {
  n = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  n = Math.imul(n ^ (n >>> 13), 0xc2b2ae35);
  return (n ^ (n >>> 16)) >>> 0;
}

/** Mostly short, sometimes as long as the ring takes. */
function sizeOf(id, longest) {
  const dice = mix(id);
  const limit = (dice & 63) === 0 ? longest : (dice & 7) === 0 ? Math.min(longest, 1514) : Math.min(longest, 200);
  return 22 + (mix(id + 0x5bd1e995) % (limit - 21));
}

/** Every 32-bit word of short frames, one word of each cache line of long ones. `at` is 2 modulo 8, as are contents. */
function stepOf(lengthBytes) {
  return lengthBytes <= 256 ? 1 : 16;
}

function write(at, lengthBytes, id) {
  let word = (at + 6) >> 2;
  const last = ((at + lengthBytes) >> 2) - 1;
  words[word++] = id;
  const step = stepOf(lengthBytes);
  for (; word < last; word += step) words[word] = id ^ word;
  words[last] = ~id;
}

function check(at, lengthBytes, id) {
  let word = (at + 6) >> 2;
  const last = ((at + lengthBytes) >> 2) - 1;
  if (words[word++] !== id) return false;
  const step = stepOf(lengthBytes);
  for (; word < last; word += step) if (words[word] !== (id ^ word)) return false;
  return words[last] === ~id;
}

let sleeps = 0;
let spins = 1;

/** Arm, look once more, sleep. Throws when a sleep ended by its limit although work was there. */
function sleep(bell, isWork) {
  bell.arm();
  if (isWork()) {
    bell.disarm();
    return;
  }
  sleeps++;
  if (!bell.wait(MISSED_MS) && isWork()) throw new Error('a wake-up was missed');
}

async function sleepAsync(bell, isWork) {
  bell.arm();
  if (isWork()) {
    bell.disarm();
    return;
  }
  sleeps++;
  let timer;
  const rung = new Promise((resolve) => bell.waitAsync(() => resolve(true)));
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(false), MISSED_MS);
  });
  const wasRung = await Promise.race([rung, late]);
  clearTimeout(timer);
  bell.disarm();
  if (!wasRung && isWork()) throw new Error('a wake-up was missed');
}

/** How often to look before sleeping: from not at all to long enough that the peer comes first. */
function nextSpins() {
  spins = mix(spins) || 1;
  return (spins & 3) === 0 ? 0 : spins % 3000;
}

function produce({ ringAt, capacity, padBytes, frames, longest, bells }) {
  const producer = new RingProducer(arena, ringAt, capacity, padBytes);
  const own = new Doorbell(arena, bells[0]);
  const peer = new Doorbell(arena, bells[1]);
  let burst = 1;
  for (let id = 0; id < frames; ) {
    const size = sizeOf(id, longest);
    const at = producer.reserve(size);
    if (at >= 0) {
      write(at, size, id);
      producer.commit(size, id);
      id++;
      if (--burst > 0 && id < frames) continue;
      burst = 1 + (mix(id) % 100);
    }
    if (producer.publish()) peer.ring();
    if (producer.broken !== '') throw new Error(producer.broken);
    if (at < 0) {
      let left = nextSpins();
      while (left-- > 0 && producer.reserve(size) < 0);
      if (left < 0) sleep(own, () => producer.awaitRoom(size));
    }
  }
}

async function consume({ ringAt, capacity, padBytes, frames, longest, bells, eventLoop }) {
  const consumer = new RingConsumer(arena, ringAt, capacity, padBytes);
  const own = new Doorbell(arena, bells[1]);
  const peer = new Doorbell(arena, bells[0]);
  const batch = new FrameBatch();
  for (let id = 0; id < frames; ) {
    const count = consumer.receive(batch.at, batch.length, batch.meta, 0, 1 + (id & 63));
    for (let i = 0; i < count; i++, id++) {
      if (batch.meta[i] !== id || batch.length[i] !== sizeOf(id, longest) || !check(batch.at[i], batch.length[i], id)) {
        throw new Error(`frame ${id}: got number ${batch.meta[i]} of ${batch.length[i]} bytes, or torn content`);
      }
    }
    if (consumer.release()) peer.ring();
    if (consumer.broken !== '') throw new Error(consumer.broken);
    if (count > 0 || id === frames) continue;
    let left = nextSpins();
    while (left-- > 0 && !consumer.pending);
    if (left >= 0) continue;
    if (eventLoop) await sleepAsync(own, () => consumer.pending);
    else sleep(own, () => consumer.pending);
  }
  if (consumer.pending) throw new Error('more frames than were sent');
}

/** Every port sends to every other and receives from every other, on one doorbell. */
function mesh({ network, port, kernels, frames, bells }) {
  const bell = new Doorbell(arena, bells[port]);
  const device = openVni(arena, createBulk(arena), network, port, {
    name: `p${port}`,
    mac: { hi: 0x0200, lo: port },
    doorbellAt: bell.at,
  });
  const ready = workerData.readyAt >> 2;
  Atomics.add(words, ready, 1);
  Atomics.notify(words, ready);
  for (let seen = Atomics.load(words, ready); seen < kernels; seen = Atomics.load(words, ready)) {
    Atomics.wait(words, ready, seen);
  }
  const others = kernels - 1;
  const sent = new Int32Array(kernels);
  const got = new Int32Array(kernels);
  const batch = new FrameBatch();
  let left = frames * others;
  let missing = frames * others;
  let dice = port + 1;
  let to = -1;
  const receive = () => {
    const count = device.receive(batch);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i];
      const from = batch.meta[i];
      const id = got[from]++;
      if (batch.length[i] !== sizeOf(id ^ (from << 24), 1514) || !check(at, batch.length[i], id ^ (from << 24))) {
        throw new Error(`frame ${id} from ${from}: wrong or torn`);
      }
    }
    missing -= count;
    if (count > 0) device.release();
    return count;
  };
  while (left > 0 || missing > 0) {
    let worked = receive();
    let blocked = false;
    for (let i = 0; i < 32 && left > 0 && !blocked; i++) {
      // A receiver that is full is tried again before another one gets its turn, so that order per channel shows.
      while (to < 0 || to === port || sent[to] === frames) {
        dice = mix(dice) || 1;
        to = dice % kernels;
      }
      const id = sent[to] ^ (port << 24);
      const size = sizeOf(id, 1514);
      const at = device.reserve(0x0200, to, size);
      blocked = at < 0;
      if (blocked) break;
      arena.view.setUint16(at, 0x0200);
      arena.view.setInt32(at + 2, to);
      write(at, size, id);
      device.commit(size, port);
      sent[to]++;
      left--;
      worked++;
      to = -1;
    }
    device.flush();
    if (device.downReason !== '') throw new Error(device.downReason);
    if (worked > 0) continue;
    sleep(bell, () => device.pending || (blocked && device.awaitRoom(0x0200, to)) || (left > 0 && !blocked));
  }
  if (receive() !== 0) throw new Error('more frames than were sent');
}

const roles = { produce, consume, mesh };
await roles[workerData.role](workerData);
parentPort.postMessage({ sleeps });
