/**
 * A participant of a bus or of a vni network that sends verified frames (`send`), or sleeps when there is nothing and tells its parent what
 * it heard (`watch`). Arguments: `bus` or `vni`, path of the file; the first message has the number of the participant, its mode, the
 * numbers of those who watch, and perhaps how many atomic operations on shared memory it lives for. On a vni network those who watch
 * also get frames for themselves, of which none may be missing as long as their sender lives.
 */

import { FilePlaces } from '#src/host/node/ffi/file-places';
import { BUS_FILE, BusDevice } from '#src/link/bus';
import { FrameBatch } from '#src/link/device';
import { FileVniDevice } from '#src/link/file-vni';
import { VNI_FILE } from '#src/link/vni-file';
import { Arena } from '#src/mem/arena';
import { createBulk } from '#src/mem/bulk';

const [, , medium, path] = process.argv;
const { begin: own, mode, watchers, operations } = await new Promise((done) => process.once('message', done));
if (operations !== undefined) endAfter(operations);
const arena = Arena.create(64 << 20);
const bulk = createBulk(arena);
const mac = { hi: 0x0200, lo: own };
const batch = new FrameBatch(64);
const BROADCAST = -1;
const BURST_MAX = 10;
/** By participant: number of the last frame to all, and of the last one for this participant. */
const last = new Map();
const lastOwn = new Map();
/** By destination: number of the next frame. */
const next = new Map();
let bad = 0;
let missing = 0;
let heard = 0;
let awake = true;
const device = medium === 'bus' ? openBus() : openVni();

function openBus() {
  const options = { name: 'shmif0', countersName: 'shmif0', mac, timeUs: () => Date.now() * 1000 };
  const bus = new BusDevice(arena, bulk, { ...options, memoryAt: arena.allocate(BusDevice.memoryBytes, 4096) });
  bus.connect(new FilePlaces(arena).open(path, BUS_FILE), wake);
  return bus;
}

function openVni() {
  const vni = new FileVniDevice(arena, bulk, { name: 'vni0', countersName: 'vni0', mac });
  vni.connect(new FilePlaces(arena).open(path, VNI_FILE), wake);
  return vni;
}

/** The process is killed at that operation: whatever is published in steps stays between two of them. */
function endAfter(count) {
  let left = count;
  for (const name of ['store', 'compareExchange', 'exchange', 'or', 'add']) {
    const operation = Atomics[name];
    Atomics[name] = (...args) => {
      if (--left === 0) process.kill(process.pid, 'SIGKILL');
      return operation(...args);
    };
  }
}

function byteOf(sender, sent, i) {
  return (sender * 31 + sent * 7 + i) & 0xff;
}

function sendOne(to) {
  const length = 24 + Math.floor(Math.random() * 1490);
  const hi = to === BROADCAST ? 0xffff : 0x0200;
  const at = device.reserve(hi, to, length);
  if (at < 0) return;
  const sent = next.get(to) ?? 0;
  const { bytes, view } = arena;
  view.setUint16(at, hi);
  view.setInt32(at + 2, to);
  view.setUint16(at + 6, 0x0200);
  view.setInt32(at + 8, own);
  view.setInt32(at + 14, sent);
  view.setUint16(at + 18, length);
  for (let i = 20; i < length; i++) bytes[at + i] = byteOf(own, sent, i);
  next.set(to, sent + 1);
  device.commit(length, 0);
}

function sendBurst() {
  const count = 1 + Math.floor(Math.random() * BURST_MAX);
  for (let n = 0; n < count; n++) {
    sendOne(BROADCAST);
    if (medium === 'vni' && mode === 'send') sendOne(watchers[n % watchers.length]);
  }
  device.flush();
}

function check(at, length) {
  const { bytes, view } = arena;
  const isOwn = view.getInt32(at + 2) === own;
  const sender = view.getInt32(at + 8);
  const sent = view.getInt32(at + 14);
  const before = (isOwn ? lastOwn : last).get(sender) ?? -1;
  heard++;
  if (view.getUint16(at + 18) !== length || sent <= before) bad++;
  if (isOwn) missing += sent - before - 1;
  // Those who watch look at all bytes.
  for (let i = 20; i < length && mode === 'watch'; i++) {
    if (bytes[at + i] === byteOf(sender, sent, i)) continue;
    bad++;
    break;
  }
  if (!last.has(sender) && !lastOwn.has(sender)) process.send?.({ heard: sender });
  (isOwn ? lastOwn : last).set(sender, sent);
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
    setTimeout(turn, Math.random() < 0.5 ? 1 : 2);
  } else if (worked || device.pending) setImmediate(turn);
  else awake = false;
}

function wake() {
  if (awake) return;
  awake = true;
  setImmediate(turn);
}

function report() {
  const { rxLost = 0, rxCorrupt = 0, brokenRings = 0, rxBadLength = 0 } = device.counters.snapshot();
  const damaged = rxCorrupt + brokenRings + rxBadLength;
  process.send?.({ report: { bad, missing, heard, lost: rxLost, damaged } });
}

if (mode === 'watch') {
  process.on('message', report);
  process.on('disconnect', () => process.exit(0));
  // Nobody rings for the frames of a sender that was killed before it could.
  setInterval(wake, 500);
  setInterval(sendBurst, 20);
}
process.send?.({ ready: true });
turn();
