import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountedRuns } from '../../test/fixtures/counted-runs.ts';
import { addressOf } from '../../test/fixtures/socket-address.ts';
import { Errno } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import { CAP_CHECKSUM_PARTIAL, type Device, type FrameBatch } from '../link/device.ts';
import { createNetwork, networkBytes, openVni } from '../link/index.ts';
import { Middleware } from '../link/middleware.ts';
import { Arena } from '../mem/index.ts';
import { SocketAddress, type StreamSocket } from '../socket/socket.ts';
import type { KernelMemory } from './create.ts';
import { Kernel } from './kernel.ts';

const HEAP_BYTES = 16 << 20;
const PORT = 7;

/** In front of the receiver: notes what comes in, and does to it what the test wants. */
class Wire extends Middleware {
  readonly #bytes: Uint8Array;
  readonly frames: string[] = [];
  /** By number of the frame: the bit to turn over, counted from the frame's start; -1 for none. */
  flip: (frame: number) => number = () => -1;
  #count = 0;

  constructor(inner: Device, bytes: Uint8Array) {
    super(inner);
    this.#bytes = bytes;
  }

  override receive(batch: FrameBatch): number {
    const count = this.innerQueue.receive(batch);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const end = at + (batch.length[i] as number);
      const text = Buffer.from(this.#bytes.subarray(at, end)).toString('latin1');
      this.frames.push(`${batch.meta[i]} ${text}`);
      const bit = this.flip(this.#count++);
      if (bit >= 0) (this.#bytes[at + ((bit >> 3) % (end - at))] as number) ^= 1 << (bit & 7);
    }
    return count;
  }
}

interface Options {
  runs: boolean;
  /** The receiver finds no segment that continues another. */
  single?: boolean;
  ipv6?: boolean;
  partial?: boolean;
  timestamps?: boolean;
  mtuBytes?: number;
  flip?: (frame: number) => number;
  /** Give up after so many turns of half a millisecond: the connection may be gone. */
  turnsMost?: number;
}

interface Result {
  /** As the receiver's device gives them. */
  frames: string[];
  framesInRuns: number;
  segmentsByRun: number;
  received: Uint8Array;
  sender: Record<string, number>;
  receiver: Record<string, number>;
}

const DATA: Uint8Array = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 9)) & 0xff);

function bring(options: Options) {
  const ports = { ports: 2 };
  const arena = Arena.create(networkBytes(ports) + 2 * HEAP_BYTES + (8 << 20));
  const network = createNetwork(arena, ports);
  let now = 1_000_000;
  const open = (port: number, wrap: (device: Device) => Device): Kernel => {
    const heap = { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES };
    const host = { rng: new SeededRng(port + 1), nowUs: () => now, epochNs: 0n, requestWork: () => {} };
    const { ipv6 = false, mtuBytes = 1500 } = options;
    const device = ({ bulk }: KernelMemory): Device =>
      wrap(
        openVni(arena, bulk, network, port, {
          name: `k${port}/eth0`,
          mac: { hi: 0x0200, lo: port + 1 },
          mtuBytes,
          capabilities: options.partial ? CAP_CHECKSUM_PARTIAL : 0,
        }),
      );
    return Kernel.create({
      name: `k${port}`,
      arena,
      host,
      heap,
      ipv6,
      interfaces: [{ device, addresses: [ipv6 ? `2001:db8::${port + 1}/64` : `192.0.2.${port + 1}/24`] }],
      sysctl: options.timestamps === false ? { 'net.inet.tcp.timestamps': 0 } : {},
    });
  };
  const front = { counted: null as CountedRuns | null, wire: null as Wire | null };
  const sender = open(0, (device) => (front.counted = new CountedRuns(device, options.runs)));
  const receiver = open(1, (device) => (front.wire = new Wire(device, arena.bytes)));
  const wire = front.wire as unknown as Wire;
  const turn = (us = 50): void => {
    for (const kernel of [sender, receiver]) {
      kernel.cpus[0].doWork(now);
      kernel.cpus[0].flush();
    }
    now += us;
  };
  return { sender, receiver, wire, counted: front.counted as unknown as CountedRuns, turn };
}

function transfer(options: Options): Result {
  const { sender, receiver, wire, counted, turn } = bring(options);
  let segmentsByRun = 0;
  const { readRun } = receiver.cpus[0].cpu.bulk;
  const count = (...args: Parameters<typeof readRun>): number => {
    const taken = options.single ? 0 : readRun.apply(receiver.cpus[0].cpu.bulk, args);
    segmentsByRun += taken;
    return taken;
  };
  Object.defineProperty(receiver.cpus[0].cpu.bulk, 'readRun', { value: count });
  const family = options.ipv6 ? 6 : 4;
  const listener = receiver.sockets.stream(family);
  expect(listener.bind(SocketAddress.any(options.ipv6 ? 6 : 4, PORT))).toBe(0);
  listener.listen(1);
  const socket = sender.sockets.stream(family);
  const peer = addressOf(options.ipv6 ? '2001:db8::2' : '192.0.2.2', PORT);
  expect([0, -Errno.EINPROGRESS]).toContain(socket.connect(peer));
  let accepted: StreamSocket | null = null;
  // Address detection takes a second.
  for (let turns = 0; accepted === null && turns < 1000; turns++) {
    turn(10_000);
    accepted = listener.accept();
  }
  wire.frames.length = 0;
  wire.flip = options.flip ?? wire.flip;
  const received = new Uint8Array(DATA.length + 1);
  let [sent, got] = [0, 0];
  const { turnsMost } = options;
  for (let turns = 0; got < DATA.length && turns !== turnsMost; turns++) {
    if (turns > 100_000) throw new Error(`only ${got} of ${DATA.length} bytes arrived`);
    const taken = socket.send(DATA, sent, DATA.length - sent);
    if (taken > 0) sent += taken;
    turn(turnsMost === undefined ? 50 : 500);
    for (let n = 1; n > 0; got += Math.max(n, 0)) {
      n = (accepted as StreamSocket).receive(received, got, received.length - got);
    }
  }
  for (let turns = 0; turns < 10; turns++) turn();
  const tcp = (kernel: Kernel): Record<string, number> =>
    Object.fromEntries(
      Object.entries(kernel.cpus[0].cpu.counters.snapshot()).filter(([name]) => name.startsWith('tcp')),
    );
  return {
    frames: wire.frames,
    framesInRuns: counted.inRuns,
    segmentsByRun,
    received: received.slice(0, got),
    sender: tcp(sender),
    receiver: tcp(receiver),
  };
}

describe.each([
  ['IPv4', {}],
  ['IPv4, checksum as a flag', { partial: true }],
  ['IPv4 without timestamps', { timestamps: false }],
  ['IPv4, MTU 9000', { mtuBytes: 9000 }],
  ['IPv4, segments of an odd length', { mtuBytes: 999 }],
  ['IPv6', { ipv6: true }],
] as const)('runs of segments, %s', (_name, options) => {
  const byRun = transfer({ ...options, runs: true });

  it('carry the data, and most of it', () => {
    expect(byRun.received).toEqual(DATA);
    expect(byRun.framesInRuns).toBeGreaterThan(byRun.frames.length * 0.8);
    expect(byRun.segmentsByRun).toBeGreaterThan(byRun.frames.length * 0.6);
  });

  it('are, byte for byte, what goes out one by one, and are counted alike', () => {
    const oneByOne = transfer({ ...options, runs: false });
    expect(oneByOne.framesInRuns).toBe(0);
    expect(oneByOne.frames).toEqual(byRun.frames);
    expect(oneByOne.sender).toEqual(byRun.sender);
    expect(oneByOne.receiver).toEqual(byRun.receiver);
  });

  it('leave behind what segments taken one by one do', () => {
    const single = transfer({ ...options, runs: true, single: true });
    expect(single.segmentsByRun).toBe(0);
    expect(single.received).toEqual(DATA);
    expect(single.frames).toEqual(byRun.frames);
    expect(single.sender).toEqual(byRun.sender);
    expect(single.receiver).toEqual(byRun.receiver);
  });
});

describe('a damaged segment in a run', () => {
  it('is dropped and counted, and sent again', () => {
    const bad = new Set([3, 17, 18, 40, 100, 101, 163]);
    const flip = (frame: number): number => (bad.has(frame) ? 1513 << 3 : -1);
    const { received, receiver, segmentsByRun } = transfer({ runs: true, flip });
    expect(received).toEqual(DATA);
    expect(receiver['tcp-discarded-bad-checksum']).toBe(bad.size);
    expect(segmentsByRun).toBeGreaterThan(100);
  });

  it('does what it does alone, whatever bit of the headers is wrong and no checksum tells', () => {
    const flips = fc.array(fc.tuple(fc.nat(120), fc.nat(66 * 8 - 1)), { minLength: 1, maxLength: 5 });
    let segmentsByRun = 0;
    fc.assert(
      fc.property(flips, fc.boolean(), (places, partial) => {
        const bits = new Map(places);
        const flip = (frame: number): number => bits.get(frame) ?? -1;
        const options = { runs: true, partial, flip, turnsMost: 1500 };
        const byRun = transfer(options);
        const single = transfer({ ...options, single: true });
        segmentsByRun += byRun.segmentsByRun;
        expect({ ...byRun, segmentsByRun: 0 }).toEqual({ ...single, segmentsByRun: 0 });
      }),
      { numRuns: 15 },
    );
    expect(segmentsByRun).toBeGreaterThan(500);
  });
});
