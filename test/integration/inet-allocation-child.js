// Sends datagrams through inet over vni and prints, per way, how many bytes of heap and how many collections that cost
// (inet-allocation.test.ts). Run with --expose-gc, from the built files.

import { PerformanceObserver } from 'node:perf_hooks';
import { SeededRng } from '../../dist/base/rng.js';
import { Inet } from '../../dist/inet/inet.js';
import { Cpu } from '../../dist/kern/cpu.js';
import { Sysctl } from '../../dist/kern/sysctl.js';
import { createNetwork } from '../../dist/link/network.js';
import { VniDevice } from '../../dist/link/vni.js';
import { Arena } from '../../dist/mem/arena.js';
import { createBulk } from '../../dist/mem/bulk.js';
import { Counters } from '../../dist/mem/counters.js';
import { Heap } from '../../dist/mem/heap.js';
import { SocketAddress } from '../../dist/socket/socket.js';

/** The number by which an inet knows an address. */
const numberOf = (inet, text) => inet.addresses.numberOf(SocketAddress.from(text));

const FRAMES = 100_000;
const PASSES = 4;
const HEAP_BYTES = 4 << 20;
const RTF_GATEWAY = 2;
const arena = Arena.create(64 << 20);
const nowUs = 0;
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

const ip = (text) => text.split('.').reduce((address, part) => (address << 8) | Number(part), 0);

function node(name, links) {
  const bulk = createBulk(arena);
  const cpu = new Cpu({
    shared: { arena, sysctl: new Sysctl() },
    bulk,
    heap: new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES),
    rng: new SeededRng(1),
    counters: Counters.open(arena, name, 512),
    nowUs: () => nowUs,
  });
  const inet = new Inet({ cpu, ipv6: true });
  for (const [network, port, address, address6] of links) {
    const mac = { hi: 0x0200, lo: network.offset + port };
    const device = new VniDevice(arena, bulk, network, port, { name: `${name}${port}${network.offset}`, mac });
    const iface = inet.interfaceTable.attachDevice(device, device.name);
    if (typeof iface === 'number') throw new Error(`${device.name}: ${iface}`);
    inet.configure(iface, ip(address), 24);
    inet.configure(iface, numberOf(inet, address6), 64);
  }
  return inet;
}

const left = createNetwork(arena, { ports: 2, ringBytes: 1 << 18 });
const right = createNetwork(arena, { ports: 2, ringBytes: 1 << 18 });
const a = node('a', [[left, 0, '10.0.0.2', '2001:db8::2']]);
const router = node('router', [
  [left, 1, '10.0.0.1', '2001:db8::1'],
  [right, 0, '10.0.1.1', '2001:db8:1::1'],
]);
const b = node('b', [[right, 1, '10.0.1.2', '2001:db8:1::2']]);
const cpus = [a, router, b].map((node) => node.cpus[0]);
router.sysctl.set('net.inet.ip.forwarding', 1);
a.addRoute(0, 0, ip('10.0.0.1'), RTF_GATEWAY);
b.addRoute(0, 0, ip('10.0.1.1'), RTF_GATEWAY);
const default6 = (inet, gateway) => inet.addRoute(numberOf(inet, '::'), 0, numberOf(inet, gateway), RTF_GATEWAY);
router.sysctl.set('net.inet6.ip6.forwarding', 1);
default6(a, '2001:db8::1');
default6(b, '2001:db8:1::1');

/** Until nothing moves; the clock stands still, so that no timer of a neighbor runs meanwhile. */
function work() {
  for (let moved = 1; moved > 0; ) {
    moved = 0;
    for (let i = 0; i < cpus.length; i++) {
      cpus[i].flush();
      moved += cpus[i].poll(nowUs);
      cpus[i].flush();
    }
  }
}

let received = 0;
const place = arena.allocate(65536) + 2;
const array = new Uint8Array(40);

function receiver(port, inPlace, six) {
  const endpoint = b.cpus[0].udp.open(six);
  endpoint.bind(six ? numberOf(b, '::') : 0, port);
  if (inPlace) {
    endpoint.onDatagram = () => {
      received++;
    };
  }
  return endpoint;
}

/** Each way: send one datagram; take what arrived. */
function ways(six) {
  const target = six ? numberOf(a, '2001:db8:1::2') : ip('10.0.1.2');
  const first = six ? 11 : 1;
  const [inPlace, queued, fragmented, closed] = [0, 1, 2, 3].map(() => a.cpus[0].udp.open(six));
  receiver(first, true, six);
  const queue = receiver(first + 1, false, six);
  receiver(first + 2, true, six);
  inPlace.connect(target, first);
  closed.connect(target, first + 3);
  const none = () => {};
  const take = () => {
    while (queue.receive(array, 0, array.length) >= 0) received++;
  };
  return [
    ['forwarded, in place', () => inPlace.sendFrom(place, 1000, 0, 0), none],
    ['forwarded, arrays and queue', () => queued.send(array, 0, array.length, target, first + 1), take],
    ['forwarded in fragments, reassembled', () => fragmented.sendFrom(place, 4000, target, first + 2), none],
    ['to a closed port', () => (closed.sendFrom(place, 100, 0, 0) < 0 ? received : received++), none],
  ];
}

function pass(send, take) {
  received = 0;
  for (let sent = 0; sent < FRAMES; ) {
    for (let i = 0; i < 32 && sent < FRAMES; i++, sent++) send();
    work();
    take();
  }
  return received;
}

const named = (family, list) => list.map(([name, send, take]) => [`${family}: ${name}`, send, take]);
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));
const results = [];
for (const [name, send, take] of [...named('IPv4', ways(false)), ...named('IPv6', ways(true))]) {
  send();
  work();
  pass(send, take);
  pass(send, take);
  // The best of several: while the compiler still works on the code, a pass is charged for what it writes.
  const passes = [];
  for (let i = 0; i < PASSES; i++) {
    globalThis.gc();
    await settle();
    collections = 0;
    const before = process.memoryUsage().heapUsed;
    const count = pass(send, take);
    const heapBytes = process.memoryUsage().heapUsed - before;
    await settle();
    passes.push({ name, received: count, heapBytes, collections });
  }
  results.push(passes.sort((a, b) => a.collections - b.collections || a.heapBytes - b.heapBytes)[0]);
}
process.stdout.write(JSON.stringify(results));
