import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CountedRuns } from '../../test/fixtures/counted-runs.ts';
import { addressOf } from '../../test/fixtures/socket-address.ts';
import { textControl } from '../../test/fixtures/text-control.ts';
import { SeededRng } from '../base/rng.ts';
import type { Connection } from '../inet/tcp/connection/connection.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  type Device,
  type FrameBatch,
  META_CHECKSUM_VERIFIED,
} from '../link/device.ts';
import { createNetwork, networkBytes, openVni } from '../link/index.ts';
import { Arena } from '../mem/index.ts';
import { DatagramInfo, type RawSocket, SocketAddress, type StreamSocket } from '../socket/socket.ts';
import type { StreamHandle } from '../sys/control.ts';
import { Kernel } from './kernel.ts';

/*
 * Two kernels, up to three connections in one batch, whatever programs and the link may do to them: by the run and one by
 * one, the same frames go both ways at the same times, the same bytes come out, and the same is counted.
 */

const HEAP_BYTES = 8 << 20;
const PORT = 7;

type Fate = 'lost' | 'twice' | 'late' | 'marked' | 'damaged' | 'wide' | 'vouched';

interface Act {
  what:
    | 'bulk'
    | 'send'
    | 'receive'
    | 'shutdown'
    | 'close'
    | 'abort'
    | 'urgent'
    | 'capture'
    | 'raw'
    | 'wait'
    | 'ttl'
    | 'noDelay';
  connection: number;
  side: number;
  amount: number;
  turns: number;
}

interface Scene {
  connections: number;
  ipv6: boolean;
  partial: boolean;
  drops: boolean;
  /** Longest super-frame; 0: none. */
  superBytes: number;
  mtuBytes: number;
  ringBytes: number;
  sysctl: Record<string, number>;
  /** By number of the frame in its direction. */
  fates: [number, number, Fate][];
  acts: Act[];
}

/** Between a kernel and its device: with or without runs; notes what comes in, and does to it what the scene says. */
class Link extends CountedRuns {
  readonly frames: string[] = [];
  mostBytes = 65_535;
  fate: Map<number, Fate> = new Map();
  now: () => number = () => 0;
  readonly #bytes: Uint8Array;
  /** Bytes of the frames that were handed on. */
  handed = 0;
  #count = 0;

  constructor(inner: Device, runs: boolean, bytes: Uint8Array) {
    super(inner, runs);
    this.#bytes = bytes;
  }

  override get maxFrameBytes(): number {
    return Math.min(this.inner.maxFrameBytes, this.mostBytes);
  }
  override receive(batch: FrameBatch): number {
    const count = this.innerQueue.receive(batch);
    const rows: [number, number, number][] = [];
    for (let i = 0; i < count; i++) {
      const row: [number, number, number] = [batch.at[i] as number, batch.length[i] as number, batch.meta[i] as number];
      const text = Buffer.from(this.#bytes.subarray(row[0], row[0] + row[1])).toString('latin1');
      this.frames.push(`${this.now()} ${row[2]} ${text}`);
      this.#suffer(rows, row, this.fate.get(this.#count++));
    }
    // `twice` makes more of them.
    rows.length = Math.min(rows.length, batch.capacity);
    rows.forEach(([at, length, meta], i) => {
      this.handed += length;
      batch.at[i] = at;
      batch.length[i] = length;
      batch.meta[i] = meta;
    });
    if (count > 0 && rows.length === 0) this.innerQueue.release();
    return rows.length;
  }

  #suffer(rows: [number, number, number][], row: [number, number, number], fate: Fate | undefined): void {
    if (fate === 'lost') return;
    if (fate === 'vouched') row[2] |= META_CHECKSUM_VERIFIED;
    if (fate === 'late' && rows.length > 0) rows.splice(rows.length - 1, 0, row);
    else rows.push(row);
    if (fate === 'twice') rows.push(row);
    // The last byte, or the end of the type of service: congestion was experienced (IPv4 only: that breaks the checksum too).
    if (fate === 'damaged') (this.#bytes[row[0] + row[1] - 1] as number) ^= 1;
    // The peer offers more than it has; only where nobody verifies checksums.
    const ipv6 = this.#bytes[row[0] + 12] === 0x86;
    if (fate === 'wide') this.#bytes.fill(0xff, row[0] + (ipv6 ? 68 : 48), row[0] + (ipv6 ? 70 : 50));
    if (fate === 'marked') (this.#bytes[row[0] + 15] as number) ^= ipv6 ? 0x30 : 3;
  }
}

/** Every number, flag and text of a connection and of its parts. */
function state(c: Connection): string {
  const parts: [string, object][] = [['', c]];
  for (const name of PARTS) parts.push([`${name}.`, c[name]]);
  const fields = parts.flatMap(([prefix, part]) =>
    Object.entries(part)
      .filter(([, value]) => typeof value !== 'object')
      .map(([name, value]) => `${prefix}${name} ${value}`),
  );
  // One by one a connection may be queued for an ACK that has gone out when its turn comes; that it had one is no matter.
  return fields.filter((field) => !field.startsWith('use.batchUna')).join(', ');
}

const PARTS = [
  'snd',
  'rcv',
  'size',
  'ts',
  'acks',
  'urgent',
  'loss',
  'prr',
  'use',
  'rtx',
  'times',
  'totals',
  'rack',
  'ecn',
  'undo',
] as const;

class World {
  readonly kernels: Kernel[] = [];
  readonly links: Link[] = [];
  /** By connection, then by side. */
  readonly sockets: (StreamSocket | null)[][] = [];
  readonly log: string[] = [];
  inRuns = 0;
  #now = 1_000_000;
  readonly #captures: (StreamHandle<never> | null)[] = [null, null];
  readonly #raw: (RawSocket | null)[] = [null, null];
  readonly #family: 4 | 6;
  readonly #sent: number[] = [];
  readonly #bytes = new Uint8Array(300_000);

  constructor(scene: Scene, runs: boolean) {
    const shape = { ports: 2, ringBytes: scene.ringBytes };
    const arena = Arena.create(networkBytes(shape) + 2 * HEAP_BYTES + (4 << 20));
    const network = createNetwork(arena, shape);
    for (const port of [0, 1]) this.#open(scene, arena, network, port, runs);
    const family = (this.#family = scene.ipv6 ? 6 : 4);
    const [a, b] = this.kernels as [Kernel, Kernel];
    // Address detection takes a second.
    for (let i = 0; i < 150; i++) this.turn(10_000);
    const listener = b.sockets.stream(family);
    expect(listener.bind(SocketAddress.any(scene.ipv6 ? 6 : 4, PORT))).toBe(0);
    listener.listen(8);
    const peer = addressOf(scene.ipv6 ? '2001:db8::2' : '192.0.2.2', PORT);
    for (let i = 0; i < scene.connections; i++) {
      const socket = a.sockets.stream(family);
      socket.connect(peer);
      let accepted: StreamSocket | null = null;
      for (let turns = 0; accepted === null && turns < 100; turns++) {
        this.turn(1000);
        accepted = listener.accept();
      }
      expect(accepted).not.toBe(null);
      this.sockets.push([socket, accepted]);
    }
    for (const [direction, frame, fate] of scene.fates) this.links[direction]?.fate.set(frame, fate);
    for (const link of this.links) link.frames.length = 0;
  }

  #open(scene: Scene, arena: Arena, network: ReturnType<typeof createNetwork>, port: number, runs: boolean): void {
    const heap = { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES };
    const nowUs = (): number => this.#now;
    const host = { rng: new SeededRng(port + 1), nowUs, epochNs: 0n, requestWork: () => {} };
    const kernel = Kernel.create({ name: `k${port}`, arena, host, heap, ipv6: scene.ipv6 });
    const device = openVni(arena, kernel.cpus[0].cpu.bulk, network, port, {
      name: `k${port}/eth0`,
      mac: { hi: 0x0200, lo: port + 1 },
      mtuBytes: scene.mtuBytes,
      capabilities: (scene.partial ? CAP_CHECKSUM_PARTIAL : 0) | (scene.superBytes > 0 ? CAP_SUPER_FRAMES : 0),
      onFull: scene.drops ? 'drop' : 'wait',
      doorbellAt: 0,
    });
    const link = new Link(device, runs, arena.bytes);
    link.now = nowUs;
    if (scene.superBytes > 0) link.mostBytes = scene.superBytes;
    this.links.push(link);
    kernel.attach(link, 'eth0');
    const address = scene.ipv6 ? `2001:db8::${port + 1}` : `192.0.2.${port + 1}`;
    const prefixLength = scene.ipv6 ? 64 : 24;
    textControl(kernel, 'interface.set', { name: 'eth0', addAddress: { address, prefixLength } });
    for (const [name, value] of Object.entries(scene.sysctl)) {
      textControl(kernel, 'sysctl.set', { name: `net.inet.tcp.${name}`, value });
    }
    const { readRun } = kernel.cpus[0].cpu.bulk;
    const counted = (...args: Parameters<typeof readRun>): number => {
      const taken = runs ? readRun.apply(kernel.cpus[0].cpu.bulk, args) : 0;
      this.inRuns += taken;
      return taken;
    };
    Object.defineProperty(kernel.cpus[0].cpu.bulk, 'readRun', { value: counted });
    this.kernels.push(kernel);
  }

  turn(us: number): void {
    for (const kernel of this.kernels) {
      kernel.cpus[0].doWork(this.#now);
      kernel.cpus[0].flush();
    }
    this.#now += us;
  }

  act({ what, connection, side, amount, turns }: Act): void {
    const socket = this.sockets[connection % this.sockets.length]?.[side] ?? null;
    const key = 2 * (connection % this.sockets.length) + side;
    if (what === 'capture') this.#watch(side);
    else if (what === 'raw') this.#listenRaw(side);
    else if (what === 'send') this.#send(socket, key, amount);
    else if (what === 'bulk') this.#bulk(connection, side, amount);
    else if (what === 'urgent') this.log.push(`urgent ${socket?.sendUrgent(this.#bytes, 0, 1)}`);
    else if (what === 'receive') this.#receive(socket, key, amount);
    else if (what === 'shutdown') this.log.push(`shutdown ${socket?.shutdown()}`);
    else if (what === 'close') socket?.close();
    else if (what === 'abort') socket?.abort();
    else if (what === 'ttl') socket?.setOption('ttl', 1 + (amount % 255));
    else if (what === 'noDelay') socket?.setOption('noDelay', amount % 2 === 0);
    for (let i = 0; i < turns; i++) this.turn(what === 'wait' ? amount * 100 : 20);
    for (const kernel of this.kernels) {
      for (const c of kernel.cpus[0].tcp.tables.connections()) {
        this.log.push(state(c));
      }
    }
  }

  #send(socket: StreamSocket | null, key: number, amount: number): void {
    const from = this.#sent[key] ?? 0;
    for (let i = 0; i < amount; i++) this.#bytes[i] = ((from + i) * 31 + ((from + i) >> 9) + key) & 0xff;
    const sent = socket?.send(this.#bytes, 0, amount) ?? 0;
    this.log.push(`${key} sends ${sent}`);
    this.#sent[key] = from + Math.max(sent, 0);
  }

  /** Some turns in which one connection, or all of them, sends on one side and reads on the other. */
  #bulk(connection: number, side: number, amount: number): void {
    for (let turns = 0; turns < 10; turns++) {
      this.sockets.forEach((pair, index) => {
        if (connection !== 0 && index !== connection) return;
        this.#send(pair[side] ?? null, 2 * index + side, amount);
        this.#receive(pair[1 - side] ?? null, 2 * index + 1 - side, 100_000);
      });
      this.turn(20);
    }
  }

  #receive(socket: StreamSocket | null, key: number, amount: number): number {
    const got = socket?.receive(this.#bytes, 0, Math.max(amount, 1)) ?? -1;
    const text = Buffer.from(this.#bytes.subarray(0, Math.max(got, 0))).toString('latin1');
    this.log.push(`${this.#now} ${key} receives ${got} ${text}`);
    return got;
  }

  #watch(side: number): void {
    const capture = this.#captures[side] ?? null;
    capture?.close();
    const options = { interfaces: ['eth0'], snapBytes: 0, filter: new Uint8Array(0) };
    this.#captures[side] =
      capture !== null
        ? null
        : (this.kernels[side] as Kernel).client.openNow('capture', options, {
            event: (event) => {
              if (event.type === 'frames') this.log.push(`${event.frames.length} seen`);
            },
            end: () => {},
          });
  }

  /** Sees packets of TCP, from now on or no more. */
  #listenRaw(side: number): void {
    const socket = this.#raw[side] ?? null;
    if (socket !== null) {
      const info = new DatagramInfo();
      for (let n = 0; n >= 0; this.log.push(`raw ${n} ${info.fullBytes}`))
        n = socket.receive(this.#bytes, 0, 2000, info);
      socket.close();
    }
    this.#raw[side] = socket !== null ? null : (this.kernels[side] as Kernel).sockets.raw(6, this.#family);
  }

  /** Everything read, time for what was lost to be sent again. */
  finish(): void {
    for (let turns = 0; turns < 400; turns++) {
      this.turn(turns < 300 ? 200 : 100_000);
      this.sockets.forEach((pair, connection) => {
        pair.forEach((socket, side) => {
          if (socket !== null) while (this.#receive(socket, 2 * connection + side, 100_000) > 0);
        });
      });
    }
  }

  outcome() {
    const [a, b] = this.kernels.map((kernel) => ({
      counters: kernel.cpus[0].cpu.counters.snapshot(),
      interfaces: textControl(kernel, 'interfaces', {}),
      usedBytes: kernel.inet.cpus[0].context.heap.usedBytes,
    }));
    const frames = this.links.map((link) => [link.frames, link.inner.counters.snapshot()]);
    return { log: this.log, frames, a, b };
  }
}

const act: fc.Arbitrary<Act> = fc.record({
  what: fc.oneof(
    { weight: 8, arbitrary: fc.constant('send' as const) },
    { weight: 8, arbitrary: fc.constant('receive' as const) },
    { weight: 4, arbitrary: fc.constant('bulk' as const) },
    { weight: 2, arbitrary: fc.constant('wait' as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Act['what']>(
        'shutdown',
        'close',
        'abort',
        'urgent',
        'capture',
        'raw',
        'ttl',
        'noDelay',
      ),
    },
  ),
  connection: fc.nat(2),
  side: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
  amount: fc.oneof(fc.nat(3000), fc.nat(200_000)),
  turns: fc.nat(5),
});

const scene: fc.Arbitrary<Scene> = fc.record({
  connections: fc.integer({ min: 1, max: 3 }),
  ipv6: fc.boolean(),
  partial: fc.boolean(),
  drops: fc.boolean(),
  superBytes: fc.constantFrom(0, 0, 8000, 65_535),
  mtuBytes: fc.constantFrom(1500, 1500, 9000, 1281, 1280),
  ringBytes: fc.constantFrom(64 * 1024, 256 * 1024, 1024 * 1024),
  sysctl: fc.record({
    timestamps: fc.nat(1),
    'sack.enable': fc.nat(1),
    'ecn.enable': fc.nat(2),
    ack_batch: fc.constantFrom(2, 10, 64),
    quickack: fc.constantFrom(0, 2, 16),
    mtu_probing: fc.nat(2),
    pacing_min_rtt: fc.constantFrom(0, 1000),
    recvspace: fc.constantFrom(4096, 20_000, 131_072),
  }),
  fates: fc.array(
    fc.tuple(
      fc.nat(1),
      fc.nat(200),
      fc.constantFrom<Fate>('lost', 'twice', 'late', 'marked', 'damaged', 'wide', 'vouched'),
    ),
    { maxLength: 8 },
  ),
  acts: fc.array(act, { minLength: 5, maxLength: 40 }),
});

const quiet: Scene = {
  connections: 1,
  ipv6: false,
  partial: false,
  drops: false,
  superBytes: 0,
  mtuBytes: 1500,
  ringBytes: 256 * 1024,
  sysctl: { quickack: 0 },
  fates: [],
  acts: [],
};
/** Nothing but data. */
const plain: Scene = {
  ...quiet,
  acts: Array.from({ length: 5 }, (): Act => ({ what: 'bulk', connection: 0, side: 0, amount: 60_000, turns: 0 })),
};
const sends = (amount: number): Act => ({ what: 'send', connection: 0, side: 0, amount, turns: 3 });
/** The ACK of the first of some segments is due at once, so that the second is the one whose timestamp is echoed. */
const delayed: Scene = {
  ...quiet,
  sysctl: { quickack: 0, ack_batch: 2 },
  acts: [sends(1448), { what: 'wait', connection: 0, side: 0, amount: 20, turns: 2 }, sends(20_000)],
};
/** More than the window, from a sender that was told a larger one. */
const beyondWindow: Scene = {
  ...quiet,
  partial: true,
  sysctl: { quickack: 0, recvspace: 6000 },
  fates: Array.from({ length: 10 }, (_, i) => [0, i, 'wide']),
  acts: [sends(1000), { what: 'wait', connection: 0, side: 0, amount: 500, turns: 2 }, sends(100_000)],
};

/** A damaged segment between others whose checksum was verified by somebody. */
const vouchedFor: Scene = {
  ...quiet,
  fates: Array.from({ length: 20 }, (_, i) => [1, i, i === 4 ? 'damaged' : 'vouched']),
  acts: [sends(14_000), sends(100_000)],
};
/** Frames that lie as far apart as the others, and are shorter. */
const ofTwoLengths: Scene = {
  ...quiet,
  connections: 2,
  acts: [
    { ...sends(1440), turns: 0 },
    { ...sends(20_000), connection: 1 },
  ],
};
/** A raw socket sees every packet. */
const watched: Scene = {
  ...quiet,
  ipv6: true,
  acts: [...[0, 1].map((): Act => ({ ...sends(0), what: 'raw', side: 1 })).flatMap((one) => [one, sends(30_000)])],
};

/** Two connections that fill buffers as small as they come: rings grow with what arrives, not with what a run may hold. */
const smallBuffers: Scene = {
  ...quiet,
  connections: 2,
  ringBytes: 1024 * 1024,
  sysctl: { timestamps: 0, 'sack.enable': 0, ack_batch: 2, quickack: 0, recvspace: 4096 },
  acts: [
    { what: 'bulk', connection: 0, side: 0, amount: 5049, turns: 0 },
    { what: 'abort', connection: 0, side: 0, amount: 0, turns: 0 },
    ...[0, 0, 1, 1].map((side): Act => ({ what: 'receive', connection: 0, side, amount: 0, turns: 0 })),
  ],
};
/** ACKs of two connections are due with one batch, the first of which was also acknowledged in its middle. */
const alternating: Scene = {
  ...quiet,
  connections: 2,
  sysctl: { quickack: 0, ack_batch: 10 },
  acts: [
    { what: 'bulk', connection: 0, side: 0, amount: 60_000, turns: 9 },
    { ...sends(14_481), turns: 0 },
    { ...sends(5000), connection: 1, turns: 0 },
    { ...sends(5000), turns: 3 },
  ],
};

it('by the run and one by one, everything happens alike', () => {
  let [sent, received] = [0, 0];
  fc.assert(
    fc.property(scene, (one) => {
      const [byRun, alone] = [true, false].map((runs) => {
        const world = new World(one, runs);
        for (const next of one.acts) world.act(next);
        world.finish();
        world.links.forEach(({ handed }, i) => {
          expect(world.kernels[i]?.inet.interface('eth0')?.inBytes).toBe(handed);
        });
        if (runs) for (const link of world.links) sent += link.inRuns;
        received += world.inRuns;
        return world.outcome();
      });
      expect(byRun?.log).toEqual(alone?.log);
      expect(byRun?.frames).toEqual(alone?.frames);
      expect(byRun).toEqual(alone);
    }),
    {
      numRuns: Number(process.env.FC_RUNS ?? 60),
      examples: [
        [plain],
        [delayed],
        [beyondWindow],
        [vouchedFor],
        [ofTwoLengths],
        [watched],
        [smallBuffers],
        [alternating],
      ],
    },
  );
  expect(sent).toBeGreaterThan(500);
  expect(received).toBeGreaterThan(500);
}, 120_000);
