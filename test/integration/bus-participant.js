/**
 * A participant of a bus that sends verified frames as fast as it can, or (`watch`) sleeps when there is nothing and tells its parent
 * what it heard. Argument: path of the bus; the first message has the number of the participant, and `send` or `watch`.
 */

import { FileBuses } from '#src/host/node/ffi/bus-host';
import { BusDevice } from '#src/link/bus';
import { FrameBatch } from '#src/link/device';
import { Arena } from '#src/mem/arena';
import { createBulk } from '#src/mem/bulk';

const [, , path] = process.argv;
const { begin: own, mode } = await new Promise((done) => process.once('message', done));
const arena = Arena.create(64 << 20);
const bulk = createBulk(arena);
const memoryAt = arena.allocate(BusDevice.memoryBytes, 4096);
const device = new BusDevice(arena, bulk, {
  name: 'shmif0',
  countersName: 'shmif0',
  mac: { hi: 0x0200, lo: own },
  timeUs: () => Date.now() * 1000,
  memoryAt,
});
const batch = new FrameBatch(64);
/** By participant: number of the last frame. */
const last = new Map();
let bad = 0;
let heard = 0;
let sequence = 0;
let awake = true;

function byteOf(sender, sent, i) {
  return (sender * 31 + sent * 7 + i) & 0xff;
}

function sendBurst() {
  const count = 1 + Math.floor(Math.random() * 40);
  for (let n = 0; n < count; n++) {
    const length = 24 + Math.floor(Math.random() * 1490);
    const at = device.reserve(0xffff, -1, length);
    const { bytes, view } = arena;
    bytes.fill(0xff, at, at + 6);
    view.setUint16(at + 6, 0x0200);
    view.setInt32(at + 8, own);
    view.setInt32(at + 14, sequence);
    view.setUint16(at + 18, length);
    for (let i = 20; i < length; i++) bytes[at + i] = byteOf(own, sequence, i);
    sequence++;
    device.commit(length, 0);
  }
  device.flush();
}

function check(at, length) {
  const { bytes, view } = arena;
  const sender = view.getInt32(at + 8);
  const sent = view.getInt32(at + 14);
  heard++;
  if (view.getUint16(at + 18) !== length || sent <= (last.get(sender) ?? -1)) bad++;
  for (let i = 20; i < length; i++) {
    if (bytes[at + i] === byteOf(sender, sent, i)) continue;
    bad++;
    break;
  }
  if (!last.has(sender)) process.send?.({ heard: sender });
  last.set(sender, sent);
}

function receiveAll() {
  let total = 0;
  for (let rounds = 0; rounds < 8; rounds++) {
    const count = device.receive(batch);
    if (count === 0) break;
    for (let i = 0; i < count; i++) check(batch.at[i], batch.length[i]);
    device.release();
    total += count;
  }
  return total;
}

function turn() {
  const worked = receiveAll() > 0;
  if (mode === 'send') {
    sendBurst();
    setTimeout(turn, Math.random() < 0.3 ? 1 : 0);
  } else if (worked || device.pending) setImmediate(turn);
  else awake = false;
}

function wake() {
  if (awake) return;
  awake = true;
  setImmediate(turn);
}

device.connect(new FileBuses(arena).open(path), wake);
process.on('message', () => {
  const { rxLost, rxCorrupt } = device.counters.snapshot();
  process.send?.({ report: { bad, heard, lost: rxLost, corrupt: rxCorrupt } });
});
process.on('disconnect', () => process.exit(0));
if (mode === 'watch') {
  // Nobody rings for the frames of a sender that was killed before it could.
  setInterval(wake, 500);
  setInterval(sendBurst, 20);
}
process.send?.({ ready: own });
turn();
