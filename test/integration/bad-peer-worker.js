// One port of a network with a bad peer (bad-peer.test.ts), on a thread of its own, from the built files.
// `send` and `receive` exchange numbered frames; `spoil` overwrites what its port may write, until told to stop.

import { parentPort, workerData } from 'node:worker_threads';
import { SeededRng } from '../../dist/base/rng.js';
import { FrameBatch } from '../../dist/link/device.js';
import { VniDevice } from '../../dist/link/vni.js';
import { Arena } from '../../dist/mem/arena.js';
import { createBulk } from '../../dist/mem/bulk.js';

const HI = 0x0200;
const FRAME_BYTES = 100;
const { role, memory, network, port, peer, frames, areas, rings, stopAt, readyAt, seed } = workerData;
const arena = Arena.attach(memory);
const { words, view } = arena;

const open = () =>
  new VniDevice(arena, createBulk(arena), network, port, { name: `p${port}`, mac: { hi: HI, lo: port } });

/** All three are there before anybody begins. */
function begin() {
  Atomics.add(words, readyAt >> 2, 1);
  while (Atomics.load(words, readyAt >> 2) < 3);
}

function write(device, to, id) {
  const at = device.reserve(HI, to, FRAME_BYTES);
  if (at < 0) return false;
  view.setUint16(at, HI);
  view.setInt32(at + 2, to);
  view.setInt32(at + 6, port);
  view.setInt32(at + 10, id);
  device.commit(FRAME_BYTES, port);
  return true;
}

const inside = (at, length) => rings.some(([start, bytes]) => at >= start && at + length <= start + bytes);

/** Frames of the good peer, by number; those of the bad one are looked at as well, wherever they say they lie. */
function exchange() {
  const device = open();
  const batch = new FrameBatch();
  let sent = 0;
  let got = 0;
  let wrong = 0;
  let outside = 0;
  begin();
  while (sent < frames || got < frames) {
    for (let i = 0; i < 32 && sent < frames && write(device, peer, sent); i++) sent++;
    write(device, 2, sent);
    device.flush();
    const count = device.receive(batch);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i];
      if (!inside(at, batch.length[i])) outside++;
      else if (at >= rings[0][0] && at < rings[0][0] + rings[0][1]) {
        if (view.getInt32(at + 10) !== got || batch.length[i] !== FRAME_BYTES) wrong++;
        got++;
      }
    }
    if (count > 0) device.release();
  }
  // The bad peer goes on until its channel is given up here.
  while (device.counters.get(device.counters.index('brokenRings')) === 0) {
    device.receive(batch);
    device.release();
  }
  Atomics.add(words, stopAt >> 2, 1);
  return { sent, got, wrong, outside, linkUp: device.linkUp, downReason: device.downReason };
}

/** Sends as a good port would, and writes nonsense in between. */
function spoil() {
  const device = open();
  const rng = new SeededRng(seed);
  begin();
  for (let n = 0; Atomics.load(words, stopAt >> 2) < 2; n++) {
    for (let to = 0; to < 2; to++) write(device, to, n);
    device.flush();
    const [first, count] = areas[(rng.next32() >>> 0) % areas.length];
    const word = (rng.next32() >>> 0) % count;
    const value = rng.next32();
    words[first + ((value & 1) === 0 ? word : word & ~15)] = (value & 2) === 0 ? value >> 2 : (value >>> 8) & 0x7ffc0;
  }
  return {};
}

parentPort.postMessage(role === 'exchange' ? exchange() : spoil());
