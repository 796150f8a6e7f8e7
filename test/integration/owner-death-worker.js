// A thread that is killed at any instant (owner-death.test.ts), or one that sees to it that nothing is lost by that. From the
// built files.

import { parentPort, workerData } from 'node:worker_threads';
import { FrameBatch } from '../../dist/link/device.js';
import { openVni } from '../../dist/link/open-vni.js';
import { Arena } from '../../dist/mem/arena.js';
import { createBulk } from '../../dist/mem/bulk.js';
import { Channel } from '../../dist/mem/channel.js';
import { acquireLock, releaseLock } from '../../dist/mem/lock.js';
import { OwnerTable } from '../../dist/mem/owner.js';

const { memory, role, owner, cells, network, port, ports, channel, side } = workerData;
const arena = Arena.attach(memory);
const { words } = arena;
const owners = new OwnerTable(arena);
const isDead = (id) => owners.isDead(id);
const cell = (n) => (cells >> 2) + 32 * n;
const [LOCK, ONE, TWO, ROUNDS, STOP, TORN, INHERITED] = [0, 1, 2, 3, 4, 5, 6].map(cell);

/** Two cells that change together under a lock; who takes it over from the dead makes them equal again. */
function locked() {
  parentPort.postMessage('begun');
  while (Atomics.load(words, STOP) === 0) {
    if (acquireLock(words, LOCK, owner, isDead)) {
      words[ONE] = words[TWO];
      Atomics.add(words, INHERITED, 1);
    } else if (words[ONE] !== words[TWO]) Atomics.add(words, TORN, 1);
    words[ONE]++;
    for (let i = 0; i < 20; i++) Math.imul(i, i);
    words[TWO]++;
    releaseLock(words, LOCK);
    Atomics.add(words, ROUNDS, 1);
  }
}

/** Sends numbered frames to all other ports, and checks what comes from each: whole, and in order. */
function frames() {
  const device = openVni(arena, createBulk(arena), network, port, {
    name: `p${port}`,
    mac: { hi: 0x0200, lo: port },
    owner,
    isDead,
  });
  const batch = new FrameBatch();
  const last = new Int32Array(ports).fill(-1);
  // Above every number of its predecessors at the port.
  let id = Atomics.add(words, ROUNDS + 1 + port, 1) << 26;
  parentPort.postMessage('begun');
  while (Atomics.load(words, STOP) === 0) {
    for (let to = 0; to < ports; to++) {
      if (to === port) continue;
      const at = device.reserve(0x0200, to, 64);
      if (at < 0) continue;
      arena.view.setUint16(at, 0x0200);
      arena.view.setInt32(at + 2, to);
      for (let i = 14; i < 62; i += 4) arena.view.setInt32(at + i, id ^ i);
      device.commit(64, port);
      id++;
    }
    device.flush();
    const count = device.receive(batch);
    for (let i = 0; i < count; i++) {
      const [at, from] = [batch.at[i], batch.meta[i]];
      const got = arena.view.getInt32(at + 14) ^ 14;
      for (let j = 14; j < 62; j += 4) if ((arena.view.getInt32(at + j) ^ j) !== got) Atomics.add(words, TORN, 1);
      if (got <= last[from]) Atomics.add(words, TORN, 1);
      last[from] = got;
    }
    if (count > 0) {
      device.release();
      Atomics.add(words, ROUNDS, count);
    }
    if (device.downReason !== '') throw new Error(device.downReason);
  }
  device.close();
  parentPort.postMessage('done');
}

/** Sends on a channel, each record with the incarnation that it is for, and checks that of every record that comes. */
function records() {
  const end = Channel.open(arena, channel, side, { owner, isDead });
  const [at, length, meta] = [new Int32Array(32), new Int32Array(32), new Int32Array(32)];
  let id = 0;
  let last = -1;
  let peer = 0;
  parentPort.postMessage('begun');
  while (Atomics.load(words, STOP) === 0) {
    const place = end.reserve(12);
    if (place >= 0) {
      words[place >> 2] = end.epoch;
      words[(place >> 2) + 1] = end.ownEpoch;
      end.commit(12, id++);
      if ((id & 3) === 0) end.publish();
    } else end.publish();
    const count = end.receive(at, length, meta, 32);
    if (count > 0 && peer !== end.epoch) {
      peer = end.epoch;
      last = -1;
    }
    for (let i = 0; i < count; i++) {
      const word = at[i] >> 2;
      const isOurs = words[word] === end.ownEpoch && words[word + 1] === end.epoch && length[i] === 12;
      // The numbers of a sender go on from one incarnation of its peer to the next.
      if (!isOurs || (last >= 0 && meta[i] !== last + 1)) Atomics.add(words, TORN, 1);
      last = meta[i];
    }
    end.release();
    if (count > 0) Atomics.add(words, ROUNDS, count);
    if (end.broken !== '') throw new Error(end.broken);
  }
  end.close();
}

const roles = { locked, frames, records };
roles[role]();
