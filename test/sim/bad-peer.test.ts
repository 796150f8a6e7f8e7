/**
 * A kernel whose side of the shared memory is overwritten at random while three kernels are at work: the others mark their
 * link to it down and say why; what they have to do with each other goes on as if nothing had happened.
 * A failing seed is named; `SIM_FROM=<seed> SIM_SEEDS=1 npx vitest run test/sim/bad-peer` replays it.
 */

import { expect, it } from 'vitest';
import { SeededRng } from '../../src/base/rng.ts';
import type { Device, FrameBatch } from '../../src/link/device.ts';
import { Middleware } from '../../src/link/middleware.ts';
import { type NetworkDescriptor, ringOffset } from '../../src/link/network.ts';
import { Arena } from '../../src/mem/arena.ts';
import { Counters } from '../../src/mem/counters.ts';
import { RING_CONTROL_BYTES } from '../../src/mem/spsc-ring.ts';
import { DatagramInfo, SocketAddress } from '../../src/socket/socket.ts';
import { parseAddress } from '../../src/wire/ipv4.ts';
import { textControl } from '../fixtures/text-control.ts';
import { headWord, spoil, writableBy } from '../fixtures/vandal.ts';
import { SimNetwork } from './network.ts';
import { End, serve } from './transfer.ts';

const SEEDS = Number(process.env.SIM_SEEDS ?? 15);
const FROM = Number(process.env.SIM_FROM ?? 1);
const SEEDS_PER_ARENA = 10;
const ARENA_BYTES = 1_000_000_000;
const STREAM_BYTES = 3_000_000;
const SECOND_US = 1_000_000;
const TICK_US = 1000;
const TICKS = 100;
/** Words overwritten per tick. */
const BLOWS = 8;
const BAD = 2;
/** Programs that read and write the same amount each time and never pause: only the link can slow them down. */
const STEADY = { next32: () => 0x4000_0000 };

/** Sees whether every frame given out lies in a ring that leads to this port. */
class Fence extends Middleware {
  outside = 0;
  readonly #segment: () => NetworkDescriptor;
  readonly #port: number;

  constructor(device: Device, segment: () => NetworkDescriptor, port: number) {
    super(device);
    this.#segment = segment;
    this.#port = port;
  }

  override receive(batch: FrameBatch): number {
    const count = this.innerQueue.receive(batch);
    for (let i = 0; i < count; i++) {
      if (!this.#holds(batch.at[i] as number, batch.length[i] as number)) this.outside++;
    }
    return count;
  }

  #holds(at: number, lengthBytes: number): boolean {
    const network = this.#segment();
    for (let from = 0; from < network.ports; from++) {
      const start = from === this.#port ? Infinity : ringOffset(network, from, this.#port) + RING_CONTROL_BYTES;
      if (at >= start && at + lengthBytes <= start + network.ringBytes) return true;
    }
    return false;
  }
}

/** Numbered datagrams from one kernel to another, one a tick; `sent` were taken by the link, `got` arrived in order. */
class Probe {
  sent = 0;
  got = 0;

  constructor(network: SimNetwork, from: string, to: string, port: number) {
    const [source, sink] = [from, to].map((name) => network.kernel(name).sockets.datagram());
    const target = parseAddress(SimNetwork.address(['a', 'b', 'c'].indexOf(to))) as number;
    const bytes = new Uint8Array(64);
    const info = new DatagramInfo();
    sink?.bind(SocketAddress.any(4, port));
    if (sink) {
      sink.onEvents = () => {
        const into = new Uint8Array(64);
        while (sink.receive(into, 0, 64, info) >= 0) if (into[0] === (this.got & 0xff)) this.got++;
      };
    }
    for (let tick = 1; tick <= TICKS; tick++) {
      network.simulation.at(tick * TICK_US, () => {
        bytes[0] = this.sent & 0xff;
        if ((source?.send(bytes, 0, 64, SocketAddress.ipv4(target, port)) ?? -1) >= 0) this.sent++;
      });
    }
  }
}

/** All of it at work: streams and datagrams between all three; what kernel `c` may write is overwritten when `vandal`. */
function run(seed: number, arena: Arena, vandal: boolean) {
  const rng = new SeededRng(seed);
  const fences: Fence[] = [];
  const network: SimNetwork = new SimNetwork({
    seed,
    kernels: ['a', 'b', 'c'],
    arena,
    heapBytes: 8 * 1024 * 1024,
    ringBytes: 64 * 1024,
    impairment: { delayUs: 2000 },
    wrap: (device, index) => {
      const fence = new Fence(device, () => network.segment, index);
      fences.push(fence);
      return fence;
    },
  });
  const { simulation } = network;
  const connect = (from: string, to: string, port: number) => {
    const { ends } = serve(simulation, STEADY, network.kernel(to), port, 1, STREAM_BYTES);
    const socket = network.kernel(from).sockets.stream();
    const client = new End(simulation, STEADY, socket, 0, STREAM_BYTES, false);
    const target = parseAddress(SimNetwork.address(['a', 'b', 'c'].indexOf(to))) as number;
    simulation.at(1, () => void socket.connect(SocketAddress.ipv4(target, port)));
    return { client, ends };
  };
  const good = connect('a', 'b', 1000);
  connect('a', 'c', 2000);
  connect('c', 'b', 2000);
  const probes = [new Probe(network, 'a', 'b', 53), new Probe(network, 'b', 'a', 54)];
  for (const [from, to, port] of [
    ['c', 'a', 55],
    ['c', 'b', 56],
    ['a', 'c', 57],
    ['b', 'c', 58],
  ] as const) {
    new Probe(network, from, to, port);
  }
  const areas = writableBy(network.segment, BAD);
  for (let tick = 3; vandal && tick <= TICKS; tick++) {
    simulation.at(tick * TICK_US, () => {
      for (let blow = 0; blow < BLOWS; blow++) spoil(network.arena.words, areas, rng);
    });
  }
  // In the end, whatever came before, an index that is none.
  simulation.at((TICKS + 1) * TICK_US, () => {
    for (const to of [0, 1]) if (vandal) network.arena.words[headWord(network.segment, BAD, to)] = 65;
  });
  const ends = (): End[] => [good.client, ...good.ends];
  simulation.runUntil(() => ends().length === 2 && ends().every((end) => end.finished), 60 * SECOND_US);
  const atUs = simulation.nowUs();
  simulation.run(atUs + SECOND_US);
  return { network, fences, ends, probes, atUs };
}

/** What `ifconfig` and `mk stat` show of a kernel's link. */
function linkOf(network: SimNetwork, name: string) {
  const rows = textControl(network.kernel(name), 'interfaces', {});
  const { linkState, downReason } = rows.find((row) => row.name === 'eth0') as (typeof rows)[number];
  const blocks = Counters.list(network.arena);
  const block = blocks.find((one) => one.name === network.links.get(name)?.counters.name) as Counters;
  return { linkState, downReason, brokenRings: block.snapshot().brokenRings as number };
}

it(`two of three kernels go on while the third one's memory is overwritten: ${SEEDS} seeds`, () => {
  let arena = Arena.create(ARENA_BYTES);
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    if (seed % SEEDS_PER_ARENA === 0) arena = Arena.create(ARENA_BYTES);
    const sound = run(seed, arena, false);
    const spoilt = run(seed, arena, true);
    const { network, fences, ends, probes } = spoilt;
    const story = `seed ${seed}`;
    for (const end of ends()) {
      expect([end.error, end.wrongAt, end.received, end.finished], story).toEqual([0, -1, STREAM_BYTES, true]);
    }
    for (const probe of probes) expect([probe.sent, probe.got], story).toEqual([TICKS, TICKS]);
    for (const fence of fences) expect(fence.outside, story).toBe(0);
    // On the virtual clock: as fast as without.
    expect(spoilt.atUs / sound.atUs, story).toBeLessThan(1.1);
    for (const name of ['a', 'b']) {
      expect(linkOf(sound.network, name), story).toEqual({ linkState: 'up', downReason: '', brokenRings: 0 });
      const link = linkOf(network, name);
      expect(link.linkState, story).toBe('up');
      expect(link.downReason, story).toMatch(/^port 2: (head|tail|record|skip)[a-z ]+$/);
      expect(link.brokenRings, story).toBeGreaterThan(0);
    }
  }
});
