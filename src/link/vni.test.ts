import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { RING_CONTROL_BYTES, ringBytes } from '../mem/spsc-ring.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  DEVICE_ALL_MULTICAST,
  DEVICE_PROMISCUOUS,
  type DeviceQueue,
  FrameBatch,
  META_ARRIVAL_MASK,
  META_ARRIVAL_SHIFT,
} from './device.ts';
import {
  createNetwork,
  DEFAULT_RING_BYTES,
  defaultRingBytes,
  generationOffset,
  listPorts,
  markPortDead,
  type NetworkDescriptor,
  networkBytes,
  PORT_BYTES,
  portOffset,
  ringOffset,
  type VniNetworkOptions,
} from './network.ts';
import { openVni } from './open-vni.ts';
import type { VniDevice } from './vni.ts';
import type { VniOptions, VniPort } from './vni-port.ts';

const HI = 0x0200;

interface Segment {
  arena: Arena;
  network: NetworkDescriptor;
  open: (port: number, options?: Partial<VniOptions>) => VniPort;
}

function segment(ports: number, ringSize = 65536, frameBytes = 0): Segment {
  const options: VniNetworkOptions =
    frameBytes > 0
      ? { ports, buffers: 'shared', frameBytes, bufferBytes: frameBytes > 1514 ? 8 << 20 : 1 << 20 }
      : { ports, ringBytes: ringSize };
  const arena = Arena.create(networkBytes(options) + 1024 * 1024);
  const bulk = createBulk(arena);
  const network = createNetwork(arena, options);
  const open = (port: number, options: Partial<VniOptions> = {}): VniPort =>
    openVni(arena, bulk, network, port, { name: `p${port}`, mac: { hi: HI, lo: port }, ...options });
  return { arena, network, open };
}

function send({ arena }: Segment, device: VniPort, hi: number, lo: number, text: string, meta = 0): number {
  const at = device.reserve(hi, lo, 14 + text.length);
  if (at < 0) return at;
  arena.view.setUint16(at, hi);
  arena.view.setInt32(at + 2, lo);
  for (let i = 0; i < text.length; i++) arena.bytes[at + 14 + i] = text.charCodeAt(i);
  device.commit(14 + text.length, meta);
  device.flush();
  return 0;
}

function texts({ arena }: Segment, device: VniPort): string[] {
  const batch = new FrameBatch();
  const found: string[] = [];
  for (let count = device.receive(batch); count > 0; count = device.receive(batch)) {
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      found.push(String.fromCharCode(...arena.bytes.slice(at + 14, at + (batch.length[i] as number))));
    }
    device.release();
  }
  return found;
}

function fill(net: Segment, device: VniPort, lo: number): number {
  let sent = 0;
  while (send(net, device, HI, lo, 'x'.repeat(1000)) === 0) sent++;
  return sent;
}

describe.each([
  { ports: 3, frameBytes: 0 },
  { ports: 40, frameBytes: 0 },
  { ports: 3, frameBytes: 1514 },
  { ports: 40, frameBytes: 1514 },
])('vni on a network of $ports ports, shared frames of $frameBytes', ({ ports, frameBytes }) => {
  it('carries unicast to its owner only', () => {
    const net = segment(ports, 65536, frameBytes);
    const devices = [0, 1, 2].map((port) => net.open(port));
    const [a, b, c] = devices as [VniPort, VniPort, VniPort];
    expect(send(net, a, HI, 1, 'to b')).toBe(0);
    expect(send(net, b, HI, 0, 'to a')).toBe(0);
    expect([texts(net, a), texts(net, b), texts(net, c)]).toEqual([['to a'], ['to b'], []]);
  });

  it('gives unknown unicast to promiscuous ports only, and counts it when there is none', () => {
    const net = segment(ports, 65536, frameBytes);
    const [a, b, c] = [0, 1, 2].map((port) => net.open(port)) as [VniPort, VniPort, VniPort];
    send(net, a, HI, 77, 'nobody');
    expect(a.counters.snapshot().txNoPeer).toBe(1);
    c.setFilter(DEVICE_PROMISCUOUS);
    send(net, a, HI, 77, 'one');
    b.setFilter(DEVICE_PROMISCUOUS);
    send(net, a, HI, 77, 'two');
    send(net, a, HI, 1, 'known');
    expect([texts(net, b), texts(net, c)]).toEqual([
      ['two', 'known'],
      ['one', 'two'],
    ]);
  });

  it('copies groups to those that joined, broadcast to all', () => {
    const net = segment(ports, 65536, frameBytes);
    const [a, b, c] = [0, 1, 2].map((port) => net.open(port)) as [VniPort, VniPort, VniPort];
    b.joinMulticast(0x0100, 0x5e000001);
    b.joinMulticast(0x0100, 0x5e000001);
    send(net, a, 0x0100, 0x5e000001, 'group');
    send(net, a, 0x0100, 0x5e000002, 'other group');
    send(net, a, 0xffff, -1, 'all');
    expect([texts(net, b), texts(net, c)]).toEqual([['group', 'all'], ['all']]);
    b.leaveMulticast(0x0100, 0x5e000001);
    send(net, a, 0x0100, 0x5e000001, 'still');
    expect(texts(net, b)).toEqual(['still']);
    b.leaveMulticast(0x0100, 0x5e000001);
    c.setFilter(DEVICE_ALL_MULTICAST);
    send(net, a, 0x0100, 0x5e000001, 'again');
    expect([texts(net, b), texts(net, c)]).toEqual([[], ['again']]);
  });

  it('filters by itself what a peer sends all the same', () => {
    const net = segment(ports, 65536, frameBytes);
    const [a, b] = [0, 1].map((port) => net.open(port)) as [VniPort, VniPort];
    const at = a.reserve(HI, 1, 60);
    net.arena.view.setUint16(at, HI);
    net.arena.view.setInt32(at + 2, 99);
    a.commit(60, 0);
    a.flush();
    expect(b.pending).toBe(true);
    expect(texts(net, b)).toEqual([]);
    expect(b.pending).toBe(false);
    expect(b.counters.snapshot()).toMatchObject({ rxFiltered: 1, rxFrames: 0 });
  });

  it('drops runts and giants under a counter', () => {
    const net = segment(ports, 65536, frameBytes);
    const [a, b] = [0, 1].map((port) => net.open(port)) as [VniPort, VniPort];
    b.setMtu(500);
    a.reserve(HI, 1, 60);
    a.commit(13, 0);
    send(net, a, HI, 1, 'x'.repeat(505));
    send(net, a, HI, 1, 'fits');
    expect(texts(net, b)).toEqual(['fits']);
    expect(b.counters.snapshot().rxBadLength).toBe(2);
  });

  it('pushes back on a full channel and leaves the others alone', () => {
    const net = segment(ports, 65536, frameBytes);
    const bell = new Doorbell(net.arena, net.arena.allocateDoorbell());
    const a = net.open(0, { doorbellAt: bell.at });
    const [b, c] = [net.open(1), net.open(2)];
    const sent = fill(net, a, 1);
    expect(send(net, a, HI, 1, 'more')).toBe(-Errno.ENOBUFS);
    expect(a.counters.snapshot()).toMatchObject({ txBlocked: 2, txFull: 0 });
    expect(send(net, a, HI, 2, 'to c')).toBe(0);
    send(net, a, 0xffff, -1, 'y'.repeat(1000));
    expect(texts(net, c)).toEqual(['to c', 'y'.repeat(1000)]);
    expect(a.awaitRoom(HI, 1)).toBe(false);
    bell.arm();
    expect(texts(net, b)).toHaveLength(sent);
    expect(bell.sleeping).toBe(false);
    expect(a.awaitRoom(HI, 1)).toBe(true);
  });

  it('drops on a full channel when configured so', () => {
    const net = segment(ports, 65536, frameBytes);
    const a = net.open(0, { onFull: 'drop' });
    const b = net.open(1);
    for (let i = 0; i < 600; i++) expect(send(net, a, HI, 1, 'x'.repeat(1000))).toBe(0);
    const dropped = a.counters.snapshot().txFull as number;
    expect(dropped).toBeGreaterThan(0);
    expect(texts(net, b)).toHaveLength(600 - dropped);
  });

  it('rings a sleeping receiver and nobody else', () => {
    const net = segment(ports, 65536, frameBytes);
    const bells = [0, 1, 2].map(() => new Doorbell(net.arena, net.arena.allocateDoorbell()));
    const [a] = bells.map((bell, port) => net.open(port, { doorbellAt: bell.at })) as [VniPort];
    for (const bell of bells) bell.arm();
    send(net, a, HI, 2, 'wake');
    expect(bells.map((bell) => bell.sleeping)).toEqual([true, true, false]);
  });

  it('lets frames to a dead kernel vanish, and speaks to its successor', () => {
    const net = segment(ports, 65536, frameBytes);
    const [a, b] = [net.open(0), net.open(1)];
    send(net, b, HI, 0, 'last words');
    send(net, a, HI, 1, 'never read');
    markPortDead(net.arena, net.network, 1);
    expect(listPorts(net.arena, net.network)[1]).toMatchObject({ state: 'dead', macLo: 1 });
    expect(send(net, a, HI, 1, 'to the dead')).toBe(0);
    expect(a.counters.snapshot().txNoPeer).toBe(1);
    expect(a.linkUp).toBe(true);
    expect(b.receive(new FrameBatch())).toBe(0);
    expect(b.linkUp).toBe(false);
    expect(b.downReason).toBe('port was taken down');
    const successor = net.open(1, { name: 'p1b' });
    expect(texts(net, successor)).toEqual([]);
    expect(send(net, a, HI, 1, 'hello again')).toBe(0);
    expect(send(net, successor, HI, 0, 'I am new')).toBe(0);
    expect(texts(net, successor)).toEqual(['hello again']);
    expect(texts(net, a)).toEqual(['last words', 'I am new']);
  });

  it('refuses a port in use and a network that is none', () => {
    const net = segment(ports, 65536, frameBytes);
    const first = net.open(0);
    expect(() => net.open(0)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(() => net.open(ports)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    first.close();
    net.open(0);
    net.arena.words[net.network.offset >> 2] = 0;
    expect(() => net.open(1)).toThrow(expect.objectContaining({ code: 'EPROTO' }));
  });

  it('negotiates what all ports that are up can do', () => {
    const net = segment(ports, 512 * 1024, frameBytes && 65_549);
    const both = CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;
    const a = net.open(0, { capabilities: both });
    const b = net.open(1, { capabilities: both });
    a.receive(new FrameBatch());
    expect([a.capabilities, b.capabilities]).toEqual([both, both]);
    expect(a.maxFrameBytes).toBe(65549);
    net.open(2, { capabilities: CAP_CHECKSUM_PARTIAL });
    a.receive(new FrameBatch());
    expect(a.capabilities).toBe(CAP_CHECKSUM_PARTIAL);
    expect(a.maxFrameBytes).toBe(1514);
    markPortDead(net.arena, net.network, 2);
    a.receive(new FrameBatch());
    expect(a.capabilities).toBe(both);
  });
});

it.each([3, 40])('rings of %d ports let nobody wait for ever behind a busy port', (ports) => {
  const net = segment(ports);
  const [a, b, c] = [0, 1, 2].map((port) => net.open(port)) as [VniPort, VniPort, VniPort];
  const batch = new FrameBatch(4);
  const turns: number[] = [];
  for (let turn = 0; turn < 40; turn++) {
    for (let i = 0; i < 8; i++) send(net, a, HI, 2, 'busy');
    if (turn % 10 === 0) send(net, b, HI, 2, 'rare');
    const count = c.receive(batch);
    for (let i = 0; i < count; i++) {
      if (net.arena.bytes[(batch.at[i] as number) + 14] === 'r'.charCodeAt(0)) turns.push(turn);
    }
    c.release();
  }
  expect(turns).toHaveLength(4);
  expect(Math.max(...turns.map((turn, i) => turn - 10 * i))).toBeLessThan(3);
});

describe('runs of frames', () => {
  const runText = (net: Segment, device: VniPort, text: string, count: number): number => {
    const { runs } = device as DeviceQueue;
    if (runs === undefined) return 0;
    const reserved = runs.reserveRun(HI, 1, 14 + text.length, count);
    for (let i = 0; i < reserved; i++) {
      const at = runs.runAt + i * runs.runStrideBytes;
      net.arena.view.setUint16(at, HI);
      net.arena.view.setInt32(at + 2, 1);
      for (let c = 0; c < text.length; c++) net.arena.bytes[at + 14 + c] = text.charCodeAt(c);
    }
    if (reserved > 0) runs.commitRun(reserved, 14 + text.length, 0);
    device.flush();
    return reserved;
  };

  it('go to the destination of the frame before, as long as nothing about it has changed', () => {
    const net = segment(3);
    const a = net.open(0);
    const b = net.open(1);
    expect(runText(net, a, 'run', 3)).toBe(0);
    send(net, a, HI, 1, 'one');
    expect(runText(net, a, 'run', 3)).toBe(3);
    expect(texts(net, b)).toEqual(['one', 'run', 'run', 'run']);
    net.open(2);
    expect(runText(net, a, 'run', 3)).toBe(0);
    send(net, a, HI, 1, 'two');
    expect(runText(net, a, 'run', 2)).toBe(2);
    expect(texts(net, b)).toEqual(['two', 'run', 'run']);
    send(net, a, HI, 2, 'three');
    expect(runText(net, a, 'run', 2)).toBe(0);
    expect(texts(net, b)).toEqual([]);
    expect(a.counters.snapshot()).toMatchObject({ txFrames: 8 });
  });

  it('are no longer than a frame may be, and no more than the ring takes', () => {
    const net = segment(2, 65536);
    const a = net.open(0);
    const b = net.open(1);
    send(net, a, HI, 1, 'one');
    expect(runText(net, a, 'x'.repeat(1501), 2)).toBe(0);
    const most = runText(net, a, 'x'.repeat(1000), 1000);
    expect(most).toBeGreaterThan(20);
    expect(runText(net, a, 'x'.repeat(1000), 1000)).toBe(0);
    expect(texts(net, b)).toHaveLength(most + 1);
  });
});

describe('ring sizes', () => {
  it('are 3 MiB for few ports and shrink to the budget', () => {
    expect(defaultRingBytes(2)).toBe(DEFAULT_RING_BYTES);
    expect(defaultRingBytes(8)).toBe(DEFAULT_RING_BYTES);
    expect(defaultRingBytes(128)).toBe(32768);
    for (const ports of [2, 16, 64, 128]) {
      expect(networkBytes({ ports })).toBeLessThan(600 * 1024 * 1024);
      expect(ports * (ports - 1) * defaultRingBytes(ports)).toBeLessThanOrEqual(512 * 1024 * 1024);
    }
    expect(() => networkBytes({ ports: 1 })).toThrow('2 to 256');
    expect(() => networkBytes({ ports: 257 })).toThrow('2 to 256');
  });

  it('can be the paper’s 392,200 bytes', () => {
    const net = segment(2, 392_200);
    expect(net.network.ringBytes).toBe(392_192);
    const a = net.open(0);
    net.open(1);
    let frames = 0;
    while (a.reserve(HI, 1, 1514) > 0) {
      a.commit(1514, 0);
      frames++;
    }
    expect(frames).toBe(255);
  });

  it('cost nothing for channels that nobody used', () => {
    const net = segment(40);
    net.open(0);
    for (let to = 1; to < 40; to++) expect(net.arena.words[ringOffset(net.network, 0, to) >> 2]).toBe(0);
  });
});

describe('a bad peer', () => {
  /** Ports 0 and 1 speak well; port 2 writes what it likes into everything it may write. */
  function spoil(net: Segment, place: number, value: number): void {
    const { arena, network } = net;
    const areas = [
      [ringOffset(network, 2, 0), ringBytes(network.ringBytes)],
      [ringOffset(network, 2, 0), RING_CONTROL_BYTES + 256],
      [ringOffset(network, 0, 2), ringBytes(network.ringBytes)],
      [ringOffset(network, 0, 2), RING_CONTROL_BYTES],
      [portOffset(network, 2), PORT_BYTES / 2],
      [portOffset(network, 0) + PORT_BYTES / 2, PORT_BYTES / 2],
      [generationOffset(network), 4],
    ] as const;
    const [at, byteLength] = areas[place % areas.length] as readonly [number, number];
    arena.words[(at >> 2) + ((place >>> 3) % (byteLength >> 2))] = value;
  }

  it.each([3, 12])('cannot hurt the other channels of a network of %d ports', (ports) => {
    const value = fc.oneof(
      fc.integer(),
      fc.nat(3000),
      fc.nat(64).map((n) => n * 64),
    );
    const write = fc.tuple(fc.nat(0x7fff_ffff), value);
    fc.assert(
      fc.property(fc.array(write, { minLength: 1, maxLength: 80 }), (writes) => {
        const net = segment(ports, 8192);
        const [a, b, c] = [0, 1, 2].map((port) => net.open(port)) as [VniPort, VniPort, VniPort];
        const sent: string[] = [];
        const got: string[] = [];
        for (const [place, word] of writes) {
          const text = `frame ${sent.length}`;
          if (send(net, b, HI, 0, text) === 0) sent.push(text);
          send(net, a, HI, 2, 'to the bad one');
          send(net, a, 0xffff, -1, 'all');
          send(net, c, HI, 0, 'from the bad one');
          c.receive(new FrameBatch());
          c.release();
          spoil(net, place, word);
          a.awaitRoom(HI, 2);
          got.push(...texts(net, a).filter((text) => text.startsWith('frame ')));
          texts(net, b);
        }
        // Bits that were wiped out of the pending map are made up for before the kernel sleeps.
        while (a.pending) got.push(...texts(net, a).filter((text) => text.startsWith('frame ')));
        expect(got).toEqual(sent);
        expect(a.linkUp).toBe(true);
        expect(a.downReason).toMatch(/^$|^port 2: [a-z0-9, -]+$/);
      }),
      { numRuns: 200 },
    );
  });

  it('brings a link of two down under a name, and its successor brings it up', () => {
    const net = segment(2);
    const [a, b] = [net.open(0), net.open(1)];
    send(net, b, HI, 0, 'good');
    net.arena.words[(ringOffset(net.network, 1, 0) >> 2) + 32] = 65;
    expect(texts(net, a)).toEqual([]);
    expect(a.linkUp).toBe(false);
    expect(a.downReason).toBe('port 1: head is no index');
    expect(a.counters.snapshot().brokenRings).toBe(1);
    expect(send(net, a, HI, 1, 'x')).toBe(-Errno.ENETDOWN);
    expect(a.pending).toBe(false);
    markPortDead(net.arena, net.network, 1);
    const successor = net.open(1, { name: 'new' });
    expect(texts(net, a)).toEqual([]);
    expect(a.linkUp).toBe(true);
    expect(a.downReason).toBe('');
    expect(send(net, a, HI, 1, 'welcome')).toBe(0);
    expect(send(net, successor, HI, 0, 'thanks')).toBe(0);
    expect([texts(net, a), texts(net, successor)]).toEqual([['thanks'], ['welcome']]);
  });
});

describe.each([3, 40])('a cable of a network of %i ports', (ports) => {
  it('that is cut brings nothing, of nobody and in nobody’s name, until it is whole again', () => {
    const net = segment(ports);
    const [a, b, c] = [0, 1, 2].map((port) => net.open(port)) as [VniPort, VniPort, VniPort];
    const cut = (cutOff: number[]): number => (c as VniDevice).cutPorts(cutOff);
    expect([cut([0]), cut([2]), cut([ports])]).toEqual([0, -Errno.EINVAL, -Errno.EINVAL]);
    send(net, a, HI, 2, 'lost');
    send(net, b, HI, 2, 'heard');
    expect(texts(net, c)).toEqual(['heard']);
    expect(c.counters.snapshot().rxCut).toBe(1);
    // The ring is emptied all the same.
    for (let sent = 0; sent < 1000; sent++) {
      expect(send(net, a, HI, 2, 'x'.repeat(1000))).toBe(0);
      expect(texts(net, c)).toEqual([]);
    }
    expect(cut([])).toBe(0);
    send(net, a, HI, 2, 'again');
    expect(texts(net, c)).toEqual(['again']);
  });

  it('is known by the port at its other end, whatever the sender wrote there', () => {
    const net = segment(ports);
    const [a, b, c] = [0, 1, 2].map((port) => net.open(port)) as [VniPort, VniPort, VniDevice];
    c.marksPorts = true;
    send(net, a, HI, 2, 'one', META_ARRIVAL_MASK | 1);
    send(net, b, HI, 2, 'two');
    const batch = new FrameBatch();
    const metas: number[] = [];
    for (let count = c.receive(batch); count > 0; count = c.receive(batch)) {
      metas.push(...batch.meta.slice(0, count));
      c.release();
    }
    expect(metas.sort()).toEqual([(1 << META_ARRIVAL_SHIFT) | 1, 2 << META_ARRIVAL_SHIFT]);
  });
});
