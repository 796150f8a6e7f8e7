// Sends frames through devices and prints, per device, how many bytes of heap and how many collections that cost
// (device-allocation.test.ts). Run with --expose-gc, from the built files.

import { PerformanceObserver } from 'node:perf_hooks';
import { SeededRng } from '../../dist/base/rng.js';
import { FrameBatch } from '../../dist/link/device.js';
import { ImpairedDevice } from '../../dist/link/impair.js';
import { LoopbackDevice } from '../../dist/link/loopback.js';
import { createNetwork } from '../../dist/link/network.js';
import { openVni } from '../../dist/link/open-vni.js';
import { VniDevice } from '../../dist/link/vni.js';
import { Arena } from '../../dist/mem/arena.js';
import { createBulk } from '../../dist/mem/bulk.js';
import { Counters } from '../../dist/mem/counters.js';
import { Capture } from '../../dist/net/capture.js';
import { Interface } from '../../dist/net/interface.js';
import { IpLink } from '../../dist/net/ip-link.js';
import { LinkInput, RUN_SCRATCH_BYTES } from '../../dist/net/link-input.js';
import { ETHERTYPE_IPV4 } from '../../dist/wire/ethernet.js';

const FRAMES = 100_000;
const PASSES = 4;
const arena = Arena.create(64 * 1024 * 1024);
const bulk = createBulk(arena);
const batch = new FrameBatch();
const clock = { nowUs: () => 0 };
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

function pass(sender, receiver, frames, lo = 1) {
  let received = 0;
  for (let sent = 0; sent < frames; ) {
    for (let i = 0; i < 32 && sent < frames; i++, sent++) {
      const at = sender.reserve(0x0200, lo, 100);
      arena.view.setUint16(at, 0x0200);
      arena.view.setInt32(at + 2, lo);
      sender.commit(100, 0);
    }
    sender.flush();
    for (let count = receiver.receive(batch); count > 0; count = receiver.receive(batch)) {
      received += count;
      receiver.release();
    }
  }
  return received;
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Frames both ways, taken in turns. */
function exchange(left, right, frames) {
  let received = 0;
  for (let sent = 0; sent < frames; sent += 64) received += pass(left, right, 32, 1) + pass(right, left, 32, 0);
  return received;
}

/** The best of several passes: while the compiler still works on the code, a pass is charged for what it writes. */
async function measure(name, sender, receiver, through = pass) {
  through(sender, receiver, FRAMES);
  through(sender, receiver, FRAMES);
  const passes = [];
  for (let i = 0; i < PASSES; i++) {
    globalThis.gc();
    await settle();
    collections = 0;
    const before = process.memoryUsage().heapUsed;
    const received = through(sender, receiver, FRAMES);
    const heapBytes = process.memoryUsage().heapUsed - before;
    await settle();
    passes.push({ name, received, heapBytes, collections });
  }
  return passes.sort((a, b) => a.collections - b.collections || a.heapBytes - b.heapBytes)[0];
}

function vni(ports) {
  const network = createNetwork(arena, { ports, ringBytes: 65_536 });
  return [0, 1].map(
    (port) => new VniDevice(arena, bulk, network, port, { name: `v${ports}p${port}`, mac: { hi: 0x0200, lo: port } }),
  );
}

function vniShared() {
  const network = createNetwork(arena, { ports: 2, buffers: 'shared' });
  return [0, 1].map((port) =>
    openVni(arena, bulk, network, port, { name: `shared${port}`, mac: { hi: 0x0200, lo: port } }),
  );
}

/** The interface on a device, with a capture whose queue is full, in the calls of a queue. */
function tapped(device) {
  const link = new IpLink(device, arena.view);
  const iface = new Interface(device.name, 1, link);
  const scratch = arena.allocate(RUN_SCRATCH_BYTES, 8);
  const input = new LinkInput(bulk, scratch, Counters.open(arena, 'captured'), [iface], iface);
  iface.input = input;
  const capture = new Capture(iface, { bulk, view: arena.view, nowUs: clock.nowUs }, { queueBytes: 10_000 });
  return {
    capture,
    reserve: (hi, lo, bytes) => link.reserveTo(hi, lo, ETHERTYPE_IPV4, bytes),
    commit: (bytes, meta) => link.commit(bytes, meta),
    flush: () => link.flush(),
    receive(into) {
      const count = device.receive(into);
      if (count > 0) input.batch(iface, into, count, 0);
      return count;
    },
    release: () => device.release(),
  };
}

const loopback = new LoopbackDevice(arena);
const healed = new ImpairedDevice(new LoopbackDevice(arena, { name: 'lo1' }), arena, bulk, {
  clock,
  rng: new SeededRng(1),
});
const captured = tapped(new LoopbackDevice(arena, { name: 'lo2' }));

const results = [
  await measure('vni of 2 ports', ...vni(2)),
  await measure('vni of 12 ports', ...vni(12)),
  await measure('vni both ways', ...vni(2), exchange),
  await measure('vni with one shared buffer', ...vniShared()),
  await measure('loopback', loopback, loopback),
  await measure('impair that does nothing', healed, healed),
  await measure('capture that nobody reads', captured, captured),
];
// Each frame was seen twice, on its way out and on its way in, and all but the first few were counted as dropped.
if (captured.capture.droppedFrames < 2 * FRAMES) throw new Error('the capture saw too few frames');
process.stdout.write(JSON.stringify(results));
