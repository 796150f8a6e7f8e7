import { describe, expect, it } from 'vitest';
import { SeededRng } from '../base/rng.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { setDst, setSrc, setType } from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as tcp from '../wire/tcp.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  DEVICE_PROMISCUOUS,
  FrameBatch,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from './device.ts';
import { ImpairedDevice } from './impair.ts';
import { createNetwork } from './network.ts';
import { VniDevice } from './vni.ts';

/** Two ends of an Ethernet, both behind bad links; `b` takes every frame. */
class Wire {
  nowUs = 0;
  readonly arena: Arena = Arena.create(32 * 1024 * 1024);
  readonly a: ImpairedDevice;
  readonly b: ImpairedDevice;

  constructor(capabilities = 0) {
    const bulk = createBulk(this.arena);
    const network = createNetwork(this.arena, { ports: 3, ringBytes: 512 * 1024 });
    const clock = { nowUs: () => this.nowUs };
    const [a, b] = [0, 1].map((port) => {
      const mac = { hi: 0x0200, lo: port + 1 };
      const vni = new VniDevice(this.arena, bulk, network, port, { name: `eth${port}`, mac, capabilities });
      return new ImpairedDevice(vni, this.arena, bulk, { clock, rng: new SeededRng(port) });
    });
    this.a = a as ImpairedDevice;
    this.b = b as ImpairedDevice;
    this.b.setFilter(DEVICE_PROMISCUOUS);
  }

  /** Send one packet from `a` to `b`. */
  send(packet: Uint8Array, meta = 0): void {
    const at = this.a.reserve(0x0200, 2, 14 + packet.length);
    expect(at).toBeGreaterThan(0);
    setDst(this.arena.view, at, 0x0200, 2);
    setSrc(this.arena.view, at, 0x0200, 1);
    setType(this.arena.view, at, 0x0800);
    this.arena.bytes.set(packet, at + 14);
    this.a.commit(14 + packet.length, meta);
    this.a.flush();
  }

  /** Packets that `b` has now, with their metadata. */
  receive(): { packet: Uint8Array; meta: number }[] {
    const batch = new FrameBatch();
    this.a.tick(this.nowUs);
    const count = this.b.receive(batch);
    const got = Array.from({ length: count }, (_, i) => {
      const at = batch.at[i] as number;
      return {
        packet: this.arena.bytes.slice(at + 14, at + (batch.length[i] as number)),
        meta: batch.meta[i] as number,
      };
    });
    if (count > 0) this.b.release();
    return got;
  }
}

const SRC = 0x0a000001;
const DST = 0x0a000002;
const PAYLOAD_BYTES = 3000;
const SEGMENT_BYTES = 1400;
const SUPER_META: number = (SEGMENT_BYTES << META_SEGMENT_SHIFT) | META_CHECKSUM_PARTIAL;

/** A TCP packet of 3,000 bytes whose checksum is left to the link. */
function superFrame(): Uint8Array {
  const bytes = new Uint8Array(40 + PAYLOAD_BYTES).map((_, i) => i & 0xff);
  const view = new DataView(bytes.buffer);
  bytes.set([0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
  ipv4.setTotalLength(view, 0, bytes.length);
  ipv4.fillHeaderChecksum(view, 0);
  tcp.setSrcPort(view, 20, 1025);
  tcp.setDstPort(view, 20, 80);
  tcp.setSeq(view, 20, 1);
  tcp.setHeaderBytesAndFlags(view, 20, 20, tcp.FLAG_ACK | tcp.FLAG_PSH);
  return bytes;
}

const OFFLOAD: number = CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;

describe('a super-frame on an impaired line', () => {
  const cases = [
    ['out', (wire: Wire) => wire.a.impair('out', { delayUs: 10 })],
    ['in', (wire: Wire) => wire.b.impair('in', { delayUs: 10 })],
    ['of its sender', (wire: Wire) => wire.b.impairFrom(0x0200, 1, { delayUs: 10 }, new SeededRng(1))],
  ] as const;

  it.each(cases)('%s is cut into packets', (_name, impair) => {
    const wire = new Wire(OFFLOAD);
    impair(wire);
    wire.send(superFrame(), SUPER_META);
    expect(wire.receive()).toEqual([]);
    wire.nowUs = 10;
    const got = wire.receive();
    const views = got.map(({ packet }) => new DataView(packet.buffer));
    expect(got.map(({ packet, meta }) => [packet.length, meta])).toEqual([
      [1440, META_CHECKSUM_PARTIAL],
      [1440, META_CHECKSUM_PARTIAL],
      [240, META_CHECKSUM_PARTIAL],
    ]);
    expect(views.map((view) => tcp.seq(view, 20))).toEqual([1, 1401, 2801]);
    expect(views.map((view) => tcp.flags(view, 20))).toEqual([0x10, 0x10, 0x18]);
    expect(views.map((view) => ipv4.identification(view, 0))).toEqual([0x1234, 0x1235, 0x1236]);
    expect(got.flatMap(({ packet }) => [...packet.slice(40)])).toEqual([...superFrame().slice(40)]);
  });

  it('loses single packets of it', () => {
    const wire = new Wire(OFFLOAD);
    wire.a.impair('out', { loss: 0.3 });
    const lengths: number[] = [];
    for (let i = 0; i < 40; i++) {
      wire.send(superFrame(), SUPER_META);
      lengths.push(wire.receive().length);
    }
    expect([...new Set(lengths)]).toEqual(expect.arrayContaining([1, 2, 3]));
    const lost = wire.a.counters.snapshot().outLost as number;
    expect(lengths.reduce((sum, count) => sum + count, 0)).toBe(120 - lost);
  });

  it.each(['out', 'in'] as const)('that is corrupted (%s) is caught by the checksums', (direction) => {
    const wire = new Wire(OFFLOAD);
    (direction === 'out' ? wire.a : wire.b).impair(direction, { corrupt: 1 });
    for (let i = 0; i < 20; i++) {
      wire.send(superFrame(), SUPER_META);
      const got = wire.receive();
      expect(got.map(({ meta }) => meta)).toEqual([0, 0, 0]);
      for (const { packet } of got) {
        const view = new DataView(packet.buffer);
        const sound = ipv4.check(view, 0, packet.length) === 0 && tcp.verify(view, 20, packet.length - 20, SRC, DST);
        expect(sound).toBe(false);
      }
    }
  });
});

describe('a packet on an impaired line', () => {
  it('flips exactly one bit, behind the link-layer header', () => {
    const { arena, a: device, b: receiver } = new Wire();
    device.impair('out', { corrupt: 1 });
    const batch = new FrameBatch();
    for (let round = 0; round < 50; round++) {
      const at = device.reserve(0x0200, 2, 64);
      arena.bytes.fill(0, at, at + 64);
      device.commit(64, 0);
      device.flush();
      expect(receiver.receive(batch)).toBe(1);
      const bytes = arena.bytes.slice(batch.at[0], (batch.at[0] as number) + 64);
      const bits = bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
      expect(bits).toBe(1);
      expect(bytes.slice(0, 14).every((byte) => byte === 0)).toBe(true);
      receiver.release();
    }
    expect(device.counters.snapshot().outCorrupted).toBe(50);
  });

  it('goes by the line of its sender, then by that of all', () => {
    const wire = new Wire();
    // 60 bytes are 480 bits: 480 us at 1 Mbit/s.
    wire.b.impairFrom(0x0200, 1, { delayUs: 1000 }, new SeededRng(1));
    wire.b.impairFrom(0x0200, 9, { loss: 1 }, new SeededRng(1));
    wire.b.impair('in', { rateBps: 1e6 });
    wire.send(new Uint8Array(46));
    wire.send(new Uint8Array(46));
    const times: number[] = [];
    wire.receive();
    for (let next = wire.b.nextDeadlineUs(); next !== Infinity; next = wire.b.nextDeadlineUs()) {
      wire.nowUs = next;
      for (const _packet of wire.receive()) times.push(next);
    }
    expect(times).toEqual([1480, 1960]);
  });

  it('goes by the line of the port that it came from, whoever sent it first', () => {
    const wire = new Wire();
    expect(wire.b.impairFromPort(0, { delayUs: 1000 }, new SeededRng(1))).toBe(0);
    expect(wire.b.impairFromPort(1, { loss: 1 }, new SeededRng(1))).toBe(0);
    wire.send(new Uint8Array([1]));
    expect(wire.receive()).toEqual([]);
    wire.nowUs = 1000;
    // The mark of the port has gone.
    expect(wire.receive().map(({ packet, meta }) => [[...packet], meta])).toEqual([[[1], 0]]);
    wire.b.impairFromPort(0, null, new SeededRng(1));
    wire.b.impairFromPort(1, null, new SeededRng(1));
    expect([wire.b.idle, (wire.b.inner as VniDevice).marksPorts]).toEqual([true, false]);
  });

  it('comes straight again once its sender is healed and the last has come', () => {
    const wire = new Wire();
    wire.b.impairFrom(0x0200, 1, { delayUs: 1000 }, new SeededRng(1));
    wire.send(new Uint8Array([1]));
    expect([wire.receive(), wire.b.idle]).toEqual([[], false]);
    wire.b.impairFrom(0x0200, 1, null, new SeededRng(1));
    expect(wire.b.idle).toBe(false);
    wire.nowUs = 1000;
    expect(wire.receive().map(({ packet }) => [...packet])).toEqual([[1]]);
    wire.send(new Uint8Array([2]));
    expect(wire.receive().map(({ packet }) => [...packet])).toEqual([[2]]);
    expect(wire.b.idle).toBe(true);
  });
});
