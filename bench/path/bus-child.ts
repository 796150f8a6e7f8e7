/**
 * Role: a participant of a bus or of a vni network under measurement, in a process of its own. Thread: its main thread.
 * usage: bus-child bus|vni send|count|ask|echo spin|block|sleep PATH BYTES MILLISECONDS; tells its parent by messages. The message that has
 * it begin says who the others are. On a bus all frames are for all; on a vni network each is for one of the others, a batch for each in
 * turn, and none may be missing.
 */

import { FilePlaces } from '#src/host/node/ffi/file-places';
import { BUS_FILE, BusDevice } from '#src/link/bus';
import { FrameBatch } from '#src/link/device';
import { FileVniDevice } from '#src/link/file-vni';
import { VNI_FILE } from '#src/link/vni-file';
import { Arena } from '#src/mem/arena';
import { createBulk } from '#src/mem/bulk';
import { median } from '../harness/statistics.ts';

const [, , medium = '', role = '', idle = '', path = '', bytesText = '', msText = ''] = process.argv;
const frameBytes = Number(bytesText);
const limitMs = Number(msText);
/** Frames between two looks at the clock, and in one batch. */
const BATCH_FRAMES = 32;
const HEADER_BYTES = 14;
const MAC_HI = 0x0200;
/** Turns without an answer before the clock is asked whether all is lost. */
const TURNS = 100_000;

const arena: Arena = Arena.create(64 << 20);
const bulk = createBulk(arena);
const sourceAt = arena.allocate(65_536, 64);
const isVni = medium === 'vni';
const mac = { hi: MAC_HI, lo: process.pid };
const batch: FrameBatch = new FrameBatch(64);
let onWake: () => void = () => {};
const onRing = idle === 'block' ? null : (): void => onWake();
const device: BusDevice | FileVniDevice = isVni ? openVni() : openBus();
/** Numbers of the other participants. */
let others: number[] = [];

function openBus(): BusDevice {
  const memoryAt = arena.allocate(BusDevice.memoryBytes, 4096);
  const options = { name: role, countersName: role, mac, timeUs: () => Date.now() * 1000, memoryAt };
  const bus = new BusDevice(arena, bulk, options);
  bus.connect(new FilePlaces(arena).open(path, BUS_FILE), onRing);
  return bus;
}

function openVni(): FileVniDevice {
  const vni = new FileVniDevice(arena, bulk, { name: role, countersName: role, mac });
  vni.connect(new FilePlaces(arena).open(path, VNI_FILE), onRing);
  return vni;
}

function tell(message: object): void {
  process.send?.(message);
}

/** A frame to that participant, on a bus to all. False: its ring is full. */
function sendOne(number: number, to: number = others[0] as number): boolean {
  const hi = isVni ? MAC_HI : 0xffff;
  const lo = isVni ? to : -1;
  const at = device.reserve(hi, lo, frameBytes);
  if (at < 0) return false;
  const { view } = arena;
  view.setUint16(at, hi);
  view.setInt32(at + 2, lo);
  bulk.copy(at + HEADER_BYTES, sourceAt, frameBytes - HEADER_BYTES);
  view.setInt32(at + HEADER_BYTES, number);
  device.commit(frameBytes, 0);
  return true;
}

function flood(): void {
  const next = new Int32Array(others.length);
  const until = performance.now() + limitMs;
  for (let turn = 0; performance.now() < until; turn++) {
    // All hear the frames of a bus, and count them by one number.
    const to = isVni ? turn % others.length : 0;
    let number = next[to] as number;
    for (let i = 0; i < BATCH_FRAMES && sendOne(number, others[to]); i++) number++;
    next[to] = number;
    device.flush();
  }
  tell({ sent: next.reduce((sum, one) => sum + one, 0) });
}

/** Counts what arrives between the first frame and the end; the sender sends for longer. */
function count(): void {
  const { view, bytes } = arena;
  let frames = 0;
  let bad = 0;
  let last = -1;
  let sum = 0;
  let begin = 0;
  let now = 0;
  for (;;) {
    const received = device.receive(batch);
    for (let i = 0; i < received; i++) {
      const at = batch.at[i] as number;
      const number = view.getInt32(at + HEADER_BYTES);
      if (number <= last || (isVni && number !== last + 1) || batch.length[i] !== frameBytes) bad++;
      last = number;
      for (let j = HEADER_BYTES + 4; j < frameBytes; j += 64) sum += bytes[at + j] as number;
    }
    device.release();
    frames += received;
    now = performance.now();
    if (begin === 0) {
      if (received > 0) {
        begin = now;
        frames = 0;
      }
    } else if (now - begin >= limitMs) break;
  }
  tell({ perSecond: (frames * 1000) / (now - begin), bad, sum, lost: device.counters.snapshot().rxLost ?? 0 });
}

function takeOne(): number {
  const received = device.receive(batch);
  if (received === 0) return -1;
  const number = arena.view.getInt32((batch.at[received - 1] as number) + HEADER_BYTES);
  device.release();
  return number;
}

/** One round trip after the other without a sleep; a batch of them is timed. */
function askSpinning(): void {
  const samples: number[] = [];
  const until = performance.now() + limitMs;
  let number = 0;
  for (let now = performance.now(); now < until; ) {
    const begin = now;
    for (let i = 0; i < BATCH_FRAMES; i++) {
      sendOne(++number);
      device.flush();
      for (let turns = 1; takeOne() !== number; turns++)
        if (turns % TURNS === 0 && performance.now() > until + 5000) return;
    }
    now = performance.now();
    samples.push(((now - begin) * 1e6) / BATCH_FRAMES);
  }
  tell({ medianNs: median(samples) });
}

function echoSpinning(): void {
  const until = performance.now() + limitMs + 2000;
  for (let turns = 1; ; turns++) {
    const number = takeOne();
    if (number >= 0) {
      sendOne(number);
      device.flush();
    } else if (turns % TURNS === 0 && performance.now() > until) return;
  }
}

/** As {@link askSpinning}, one by one, asleep in between: the thread blocks. */
function askBlocking(): void {
  const samples: number[] = [];
  const until = performance.now() + limitMs;
  for (let number = 1; performance.now() < until; number++) {
    const begin = performance.now();
    sendOne(number);
    device.flush();
    while (takeOne() !== number) {
      if (device.pending) continue;
      device.sleep(limitMs);
      if (performance.now() > until + 5000) return;
    }
    samples.push((performance.now() - begin) * 1e6);
  }
  tell({ medianNs: median(samples) });
}

function echoBlocking(): void {
  const until = performance.now() + limitMs + 2000;
  while (performance.now() < until) {
    const number = takeOne();
    if (number >= 0) {
      sendOne(number);
      device.flush();
    } else if (!device.pending) device.sleep(limitMs);
  }
}

/** Sleeps in the event loop until the answer rings. */
async function askSleeping(): Promise<void> {
  const samples: number[] = [];
  const until = performance.now() + limitMs;
  for (let number = 1; performance.now() < until; number++) {
    const begin = performance.now();
    sendOne(number);
    device.flush();
    while (takeOne() !== number) {
      if (device.pending) continue;
      await new Promise<void>((wake) => {
        onWake = wake;
      });
    }
    samples.push((performance.now() - begin) * 1e6);
  }
  tell({ medianNs: median(samples) });
}

function echoSleeping(): void {
  onWake = () => {
    for (;;) {
      const number = takeOne();
      if (number >= 0) {
        sendOne(number);
        device.flush();
      } else if (!device.pending) return;
    }
  };
  onWake();
}

const ROLES: Record<string, () => void> = {
  'send spin': flood,
  'count spin': count,
  'ask spin': askSpinning,
  'echo spin': echoSpinning,
  'ask block': askBlocking,
  'echo block': echoBlocking,
  'ask sleep': () => void askSleeping(),
  'echo sleep': echoSleeping,
};
process.on('disconnect', () => process.exit(0));
process.once('message', (message: { others: number[] }) => {
  others = message.others;
  ROLES[`${role} ${idle}`]?.();
});
tell({ ready: true });
