// One kernel of a network with a bad peer (bad-peer-tcp.test.ts), on a thread of its own, from the built files.
// `send` and `receive` have a connection with each other. `spoil` sends by TCP as well, and overwrites what its port may
// write: first the records it has sent, all but the words where a record may begin, so that its connection lives on; then everything.

import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { SeededRng } from '../../dist/base/rng.js';
import { Kernel } from '../../dist/kernel/kernel.js';
import { CAP_CHECKSUM_PARTIAL } from '../../dist/link/device.js';
import { VniDevice } from '../../dist/link/vni.js';
import { Arena } from '../../dist/mem/arena.js';
import { SocketAddress } from '../../dist/socket/socket.js';
import { parseAddress } from '../../dist/wire/ipv4.js';

const { role, memory, network, port, heap, seed, goodBytes, badRuns, areas, rings, badRing, cells, partial } =
  workerData;
const arena = Arena.attach(memory);
const { words } = arena;
const PIECE = 65_536;
/** Words overwritten for each piece sent. */
const BLOWS = 4;
/** Turns without progress after which the spoilt connection is given up for a new one. */
const IDLE_TURNS = 100_000;
const nowUs = () => performance.now() * 1000;
const addressOf = (other) => parseAddress(`10.0.0.${other + 1}`);
const at = (cell) => (cells >> 2) + cell;
const [READY, SPOIL_ALL, STOP] = [at(0), at(32), at(64)];

const host = { rng: new SeededRng(seed + port), nowUs, epochNs: 0n, requestWork: () => {} };
let device;
let bulk;
const kernel = Kernel.create({
  name: `k${port}`,
  arena,
  host,
  heap,
  interfaces: [
    {
      name: 'eth0',
      addresses: [`10.0.0.${port + 1}/24`],
      device: (context) => {
        bulk = context.bulk;
        device = new VniDevice(arena, bulk, network, port, {
          name: `k${port}/eth0`,
          mac: { hi: 0x0200, lo: port + 1 },
          capabilities: partial ? CAP_CHECKSUM_PARTIAL : 0,
        });
        return device;
      },
    },
  ],
});

const inside = (area, from, n) => from >= area[0] && from + n <= area[0] + area[1];
const heapArea = [heap.at, heap.bytes];
let outside = 0;
let runsOfBad = 0;
let runsOfGood = 0;

/** Looks at every place that `readRun` is told to read and to write. */
function fence() {
  const { readRun } = bulk;
  const fenced = (dst, src, stride, header, headerBytes, numberAt, n, count, sum) => {
    const last = src + (count - 1) * stride;
    const from = rings.find((ring) => inside(ring, src, headerBytes + n));
    const reads = count === 0 || (from !== undefined && inside(from, last, headerBytes + n));
    if (!reads || !inside(heapArea, dst, n * count) || !inside(heapArea, header, headerBytes)) outside++;
    const taken = readRun(dst, src, stride, header, headerBytes, numberAt, n, count, sum);
    if (from === badRing) runsOfBad += taken;
    else runsOfGood += taken;
    return taken;
  };
  Object.defineProperty(bulk, 'readRun', { value: fenced });
}

function turn() {
  kernel.cpus[0].doWork(nowUs());
  kernel.cpus[0].flush();
}

function begin() {
  Atomics.add(words, READY, 1);
  while (Atomics.load(words, READY) < 3);
}

function listen(number) {
  const listener = kernel.sockets.stream();
  listener.bind(SocketAddress.any(4, number));
  listener.listen(4);
  return listener;
}

function connect(to, number) {
  const socket = kernel.sockets.stream();
  socket.connect(SocketAddress.ipv4(addressOf(to), number));
  return socket;
}

const broken = () => device.counters.get(device.counters.index('brokenRings')) > 0;
const byteAt = (i) => (i * 31 + (i >> 9)) & 0xff;
const piece = new Uint8Array(PIECE);

/** Send the stream on; returns how much of it went till now. */
function sendOn(socket, sent, most) {
  const n = Math.min(PIECE, most - sent);
  if (n <= 0 || socket.writableBytes === 0) return sent;
  for (let i = 0; i < n; i++) piece[i] = byteAt(sent + i);
  const taken = socket.send(piece, 0, n);
  return taken > 0 ? sent + taken : sent;
}

/** All of the good stream, then on until the channel to the bad peer is given up here. */
function send() {
  begin();
  const bad = connect(2, 9);
  const good = connect(1, 7);
  let sent = 0;
  while (Atomics.load(words, STOP) < 2) {
    turn();
    const before = sent;
    sent = sendOn(good, sent, goodBytes);
    if (before < goodBytes && sent === goodBytes) good.shutdown();
    sendOn(bad, 0, 1000);
    if (sent === goodBytes && good.unsentBytes === 0 && broken()) leave();
  }
  return { bytes: sent, error: good.error };
}

let left = false;
function leave() {
  if (!left) Atomics.add(words, STOP, 1);
  left = true;
}

/** Both streams: every byte of the good one is compared, the bad one may be anything. */
function receive() {
  fence();
  const listeners = [listen(7), listen(8)];
  begin();
  const into = new Uint8Array(PIECE);
  const accepted = [null, null];
  let got = 0;
  let wrong = 0;
  while (Atomics.load(words, STOP) < 2) {
    turn();
    accepted[0] ??= listeners[0].accept();
    // The bad peer may have spoilt its connection, and made another.
    accepted[1] = listeners[1].accept() ?? accepted[1];
    const [good, bad] = accepted;
    for (let n = good === null ? 0 : 1; n > 0; ) {
      n = good.receive(into, 0, PIECE);
      for (let i = 0; i < n; i++) if (into[i] !== byteAt(got + i)) wrong++;
      if (n > 0) got += n;
    }
    for (let n = bad === null ? 0 : 1; n > 0; ) n = bad.receive(into, 0, PIECE);
    if (runsOfBad >= badRuns) Atomics.store(words, SPOIL_ALL, 1);
    if (got === goodBytes && broken()) leave();
  }
  return { bytes: got, wrong, outside, runsOfBad, runsOfGood, error: accepted[0]?.error };
}

function spoil() {
  const rng = new SeededRng(seed);
  kernel.control('sysctl.set', { name: 'net.inet.tcp.rto_min', value: 5 });
  const below = (n) => (rng.next32() >>> 0) % n;
  const into = new Uint8Array(PIECE);
  const listener = listen(9);
  let visitor = null;
  begin();
  let socket = connect(1, 8);
  let idleTurns = 0;
  const blow = () => {
    const [first, count] = areas[below(areas.length)];
    const word = below(count);
    const value = rng.next32();
    words[first + ((value & 1) === 0 ? word : word & ~15)] = (value & 2) === 0 ? value >> 2 : (value >>> 8) & 0x7ffc0;
  };
  while (Atomics.load(words, SPOIL_ALL) === 0 && Atomics.load(words, STOP) < 2) {
    turn();
    visitor ??= listener.accept();
    visitor?.receive(into, 0, PIECE);
    // As long as the connection gets on, or all would soon wait for timeouts.
    if (sendOn(socket, 0, PIECE) === 0) {
      if (++idleTurns < IDLE_TURNS) continue;
      socket.abort();
      socket = connect(1, 8);
    }
    idleTurns = 0;
    for (let i = 0; i < BLOWS; i++) {
      turn();
      const word = below(badRing[1] >> 2);
      // Not where a record may begin: a length that makes no sense would end it all.
      if ((word & 15) !== 0) words[(badRing[0] >> 2) + word] ^= 1 << below(32);
    }
  }
  while (Atomics.load(words, STOP) < 2) blow();
  return {};
}

const result = role === 'send' ? send() : role === 'receive' ? receive() : spoil();
parentPort.postMessage({ ...result, linkUp: device.linkUp, downReason: device.downReason });
