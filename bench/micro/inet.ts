/**
 * Role: the cost of one UDP datagram, sending and receiving apart, over two ports of a vni network on one thread; and of
 * forwarding one. No threads, no clock effects of a second core: what the code itself costs when its data is near.
 * Thread: the main thread. Run: `node dist/bench/micro/inet.js [seconds per row] [4|6|46]`: IPv4, IPv6, or both.
 */

import { SeededRng } from '#src/base/rng';
import { Inet } from '#src/inet/inet';
import { IP6_ANY } from '#src/inet/ip/address-interner';
import { CalloutTable } from '#src/kern/callout';
import { Cpu } from '#src/kern/cpu';
import { Sysctl } from '#src/kern/sysctl';
import { CAP_CHECKSUM_PARTIAL } from '#src/link/device';
import { createNetwork, type NetworkDescriptor } from '#src/link/network';
import { VniDevice } from '#src/link/vni';
import { Arena } from '#src/mem/arena';
import { createBulk } from '#src/mem/bulk';
import { Counters } from '#src/mem/counters';
import { Heap } from '#src/mem/heap';
import type { Interface } from '#src/net/interface';
import { type IpWords, parseIp } from '#src/wire/ip-address';

const HEAP_BYTES = 8 << 20;
const RING_BYTES = 3 << 20;
const BATCH = 64;
/** Batches between two readings of the clock. */
const STRETCH = 8;
const PORT = 7;
const ALL_CAPABILITIES = CAP_CHECKSUM_PARTIAL;

interface Node {
  inet: Inet;
  callouts: CalloutTable;
}

let nowUs = 0;
/** The family of the rows that are being made. */
let ipv6 = false;

function node(arena: Arena, name: string, links: [NetworkDescriptor, number, string][], capabilities: number): Node {
  const callouts = new CalloutTable();
  const bulk = createBulk(arena);
  const inet = new Inet({
    cpu: new Cpu({
      shared: { arena, sysctl: new Sysctl() },
      bulk,
      heap: new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES),
      callouts,
      rng: new SeededRng(1),
      counters: Counters.open(arena, name, 512),
      nowUs: () => nowUs,
    }),
    ipv6,
  });
  links.forEach(([network, port, address], i) => {
    const mac = { hi: 0x0200, lo: (network.offset << 8) | port };
    const device = new VniDevice(arena, bulk, network, port, { name: `${name}${i}`, mac, capabilities });
    inet.configure(
      inet.interfaceTable.attachDevice(device, device.name) as Interface,
      number(inet, address),
      ipv6 ? 64 : 24,
    );
  });
  return { inet, callouts };
}

/** 10.0.1.2, or for IPv6 2001:db8:1::2 in its place. */
function number(inet: Inet, text: string): number {
  const [, , network, host] = text.split('.');
  const words = parseIp(ipv6 ? `2001:db8:${network}::${host}` : text) as IpWords;
  return inet.addresses.numberOf({ ...words, scopeId: 0 });
}

function work(...nodes: Node[]): void {
  for (let round = 0; round < 4; round++) {
    for (const { inet, callouts } of nodes) {
      inet.cpus[0].flush();
      inet.cpus[0].poll(nowUs);
      callouts.run(nowUs);
      inet.cpus[0].flush();
    }
  }
}

/**
 * Runs `send` and `receive` in turn for some time; nanoseconds per datagram of each. The lower quartile of many short
 * stretches: what other processes take away from this one only ever makes a stretch longer.
 */
function measure(ms: number, send: () => void, receive: () => void): [number, number] {
  const [sends, receives]: [number[], number[]] = [[], []];
  const untilMs = performance.now() + ms;
  for (let startMs = performance.now(); startMs < untilMs; ) {
    for (let i = 0; i < STRETCH; i++) send();
    const middleMs = performance.now();
    receive();
    const endMs = performance.now();
    sends.push(((middleMs - startMs) * 1e6) / (STRETCH * BATCH));
    receives.push(((endMs - middleMs) * 1e6) / (STRETCH * BATCH));
    startMs = endMs;
  }
  return [lowerQuartile(sends), lowerQuartile(receives)];
}

function lowerQuartile(samples: number[]): number {
  return samples.sort((a, b) => a - b)[samples.length >> 2] as number;
}

function print(what: string, [sendNs, receiveNs]: [number, number]): void {
  process.stdout.write(`${what.padEnd(56)} ${sendNs.toFixed(1).padStart(8)} ${receiveNs.toFixed(1).padStart(8)}\n`);
}

function udp(ms: number, payloadBytes: number, capabilities: number, inPlace: boolean): [number, number] {
  const arena = Arena.create(64 << 20);
  const network = createNetwork(arena, { ports: 2, ringBytes: RING_BYTES });
  const a = node(arena, 'a', [[network, 0, '10.0.0.1']], capabilities);
  const b = node(arena, 'b', [[network, 1, '10.0.0.2']], capabilities);
  const sender = a.inet.cpus[0].udp.open(ipv6);
  const receiver = b.inet.cpus[0].udp.open(ipv6);
  receiver.queue.limitBytes = 4 << 20;
  receiver.bind(ipv6 ? IP6_ANY : 0, PORT);
  sender.connect(number(a.inet, '10.0.0.2'), PORT);
  const bytes = new Uint8Array(payloadBytes).fill(7);
  const into = new Uint8Array(2048);
  const places = arena.allocate(64 * 2048, 64) + 2;
  const sink = arena.allocate(64 * 2048, 64);
  const { bulk } = b.inet.cpus[0].context;
  let [received, place] = [0, 0];
  if (inPlace) {
    receiver.onDatagram = (at, length) => {
      received++;
      bulk.copy(sink + (received & 63) * 2048 + (at & 7), at, length);
    };
  }
  sender.send(bytes, 0, payloadBytes, 0, 0);
  work(a, b);
  const send = (): void => {
    for (let i = 0; i < BATCH; i++) {
      if (inPlace) sender.sendFrom(places + (place++ & 63) * 2048, payloadBytes, 0, 0);
      else sender.send(bytes, 0, payloadBytes, 0, 0);
    }
    a.inet.cpus[0].flush();
  };
  const receive = (): void => {
    while (b.inet.cpus[0].poll(nowUs) > 0);
    if (!inPlace) while (receiver.receive(into, 0, into.length) >= 0) received++;
    nowUs += 10;
    a.inet.cpus[0].ip.confirm(sender.path!, nowUs);
  };
  measure(ms / 2, send, receive);
  const before = received;
  const result = measure(ms, send, receive);
  if (received === before) throw new Error('nothing arrived');
  return result;
}

function forward(ms: number, payloadBytes: number): [number, number] {
  const arena = Arena.create(64 << 20);
  const left = createNetwork(arena, { ports: 2, ringBytes: RING_BYTES });
  const right = createNetwork(arena, { ports: 2, ringBytes: RING_BYTES });
  const a = node(arena, 'a', [[left, 0, '10.0.0.2']], 0);
  const gw = node(
    arena,
    'gw',
    [
      [left, 1, '10.0.0.1'],
      [right, 0, '10.0.1.1'],
    ],
    0,
  );
  const b = node(arena, 'b', [[right, 1, '10.0.1.2']], 0);
  gw.inet.sysctl.set('net.inet.ip.forwarding', 1);
  gw.inet.sysctl.set('net.inet6.ip6.forwarding', 1);
  a.inet.addRoute(ipv6 ? IP6_ANY : 0, 0, number(a.inet, '10.0.0.1'), 2);
  const sender = a.inet.cpus[0].udp.open(ipv6);
  const receiver = b.inet.cpus[0].udp.open(ipv6);
  receiver.bind(ipv6 ? IP6_ANY : 0, PORT);
  let received = 0;
  receiver.onDatagram = () => received++;
  sender.connect(number(a.inet, '10.0.1.2'), PORT);
  const at = arena.allocate(2048) + 2;
  sender.sendFrom(at, payloadBytes, 0, 0);
  work(a, gw, b);
  const send = (): void => {
    for (let i = 0; i < BATCH; i++) sender.sendFrom(at, payloadBytes, 0, 0);
    a.inet.cpus[0].flush();
  };
  const pass = (): void => {
    while (gw.inet.cpus[0].poll(nowUs) > 0) gw.inet.cpus[0].flush();
  };
  const run = (forMs: number): [number, number] => {
    const samples: number[] = [];
    const untilMs = performance.now() + forMs;
    while (performance.now() < untilMs) {
      for (let i = 0; i < STRETCH; i++) send();
      const startMs = performance.now();
      pass();
      samples.push(((performance.now() - startMs) * 1e6) / (STRETCH * BATCH));
      while (b.inet.cpus[0].poll(nowUs) > 0);
      nowUs += 10;
      work(a, gw, b);
    }
    return [lowerQuartile(samples), 0];
  };
  run(ms / 2);
  const before = received;
  const result = run(ms);
  if (received === before) throw new Error('nothing arrived');
  return result;
}

const ms = Number(process.argv[2] ?? 1) * 1000;
process.stdout.write(`${'nanoseconds per datagram'.padEnd(56)} ${'send'.padStart(8)} ${'receive'.padStart(8)}\n`);
for (const family of process.argv[3] ?? '4') {
  ipv6 = family === '6';
  // The longest datagram that one packet of 1500 bytes holds.
  for (const bytes of [18, ipv6 ? 1452 : 1472]) {
    const what = `IPv${family}, ${bytes} B`;
    print(`${what}, in place, checksum made and verified`, udp(ms, bytes, 0, true));
    print(`${what}, in place, checksum flag`, udp(ms, bytes, ALL_CAPABILITIES, true));
    print(`${what}, arrays and queue, checksum made and verified`, udp(ms, bytes, 0, false));
    print(`${what}, arrays and queue, checksum flag`, udp(ms, bytes, ALL_CAPABILITIES, false));
    print(`${what}, forwarded (only the router's part)`, forward(ms, bytes));
  }
}
