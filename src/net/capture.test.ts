import { describe, expect, it } from 'vitest';
import { FakeDevice } from '../../test/fixtures/fake-device.ts';
import { FrameBatch } from '../link/device.ts';
import { LoopbackDevice } from '../link/loopback.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { Counters } from '../mem/counters.ts';
import { compileFilter } from '../wire/bpf/compile.ts';
import { emitProgram } from '../wire/bpf/instructions.ts';
import { type VerifiedProgram, verifyProgram } from './bpf/verifier.ts';
import { Capture, type CaptureOptions } from './capture.ts';
import { EthernetLink } from './ethernet.ts';
import { Interface } from './interface.ts';
import { IpLink } from './ip-link.ts';
import { LinkInput, RUN_SCRATCH_BYTES } from './link-input.ts';

/** An interface whose device gives back the frames that it was given. */
function setUp() {
  const arena = Arena.create(16 * 1024 * 1024);
  const bulk = createBulk(arena);
  const clock = { time: 1000.25, bulk, view: arena.view, nowUs: () => clock.time };
  const device = new FakeDevice(arena, 'eth0', { hi: 0x0200, lo: 1 });
  const iface = new Interface('eth0', 1, new EthernetLink(device, arena.view));
  const input = new LinkInput(bulk, arena.allocate(RUN_SCRATCH_BYTES, 8), Counters.open(arena, 'test'), [iface], iface);
  const send = (byte: number, lengthBytes: number): void => {
    const at = iface.link.reserveTo(0, 0, 0x0800, lengthBytes - 14) - 14;
    arena.bytes.fill(byte, at, at + lengthBytes);
    iface.link.commit(lengthBytes - 14, 3);
  };
  const receive = (): void => {
    for (const { bytes, meta } of device.sent.splice(0)) device.put(bytes, meta);
    const batch = new FrameBatch();
    for (let count = device.receive(batch); count > 0; count = device.receive(batch))
      input.batch(iface, batch, count, 0);
  };
  const capture = (options?: CaptureOptions): Capture => new Capture(iface, clock, options);
  return { arena, clock, iface, send, receive, capture };
}

describe('capture', () => {
  it('copies frames both ways, stamped by batch', () => {
    const { clock, iface, send, receive, capture: watch } = setUp();
    send(9, 60);
    const capture = watch();
    send(1, 60);
    clock.time = 2000;
    send(2, 100);
    iface.link.flush();
    clock.time = 3000.5;
    receive();
    const frames = capture.read();
    expect(frames.map((f) => [f.timeUs, f.direction, f.lengthBytes, f.meta])).toEqual([
      [1000.25, 'out', 60, 3],
      [1000.25, 'out', 100, 3],
      [3000.5, 'in', 60, 3],
      [3000.5, 'in', 60, 3],
      [3000.5, 'in', 100, 3],
    ]);
    expect(frames[1]?.bytes).toEqual(new Uint8Array(100).fill(2));
    expect(capture.read()).toEqual([]);
  });

  it('keeps the snap length, tells once that frames came, and stops', () => {
    const { send, capture: watch } = setUp();
    let told = 0;
    const capture = watch({ snapBytes: 20, onFrames: () => told++ });
    send(1, 60);
    send(1, 60);
    expect(told).toBe(1);
    expect(capture.read().map((frame) => frame.bytes.length)).toEqual([20, 20]);
    send(1, 60);
    expect(told).toBe(2);
    capture.close();
    capture.close();
    send(1, 60);
    expect(capture.read()).toHaveLength(1);
  });

  it('loses nothing below its limit and counts what is beyond', () => {
    const { send, capture: watch } = setUp();
    const small = watch({ queueBytes: 10 * (60 + 64) });
    const large = watch();
    for (let i = 0; i < 15; i++) send(i, 60);
    expect(small.droppedFrames).toBe(5);
    expect(small.read().map((frame) => frame.bytes[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(large.read()).toHaveLength(15);
    expect(large.droppedFrames).toBe(0);
    send(1, 60);
    expect(small.read()).toHaveLength(1);
  });

  it('ends when its interface goes, and keeps what it has', () => {
    const { iface, send, capture: watch } = setUp();
    const capture = watch();
    send(1, 60);
    for (const tap of [...iface.taps]) tap.detached(iface);
    send(2, 60);
    expect(capture.read().map((frame) => frame.bytes[0])).toEqual([1]);
    expect(iface.taps).toEqual([]);
  });

  it.each([
    ['IPv4', 0x45, 0x08, 0x00],
    ['IPv6', 0x60, 0x86, 0xdd],
  ])(
    'puts an Ethernet header in front of a packet of %s that has none, and hides what is lo0s',
    (_family, first, hi, lo) => {
      const { arena, clock } = setUp();
      const lo0 = new Interface('lo0', 2, new IpLink(new LoopbackDevice(arena), arena.view));
      const [capture, short] = [new Capture(lo0, clock), new Capture(lo0, clock, { snapBytes: 13 })];
      const at = lo0.link.reserveTo(0, 0, 0, 40);
      arena.bytes.fill(first, at, at + 40);
      lo0.link.commit(40, 0x0031);
      const header = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, hi, lo];
      const [frame] = capture.read();
      expect(frame).toMatchObject({ direction: 'out', lengthBytes: 54, meta: 1 });
      expect([...(frame?.bytes ?? [])]).toEqual([...header, ...new Array(40).fill(first)]);
      expect([...(short.read()[0]?.bytes ?? [])]).toEqual(header.slice(0, 13));
    },
  );

  it('keeps what its filter says, and queues nothing else', () => {
    const { iface, send, clock } = setUp();
    // Keep 20 bytes of frames whose byte 20 is 9.
    const filter = verifyProgram(
      emitProgram([
        { code: 0x30, jt: 0, jf: 0, k: 20 },
        { code: 0x15, jt: 0, jf: 1, k: 9 },
        { code: 0x06, jt: 0, jf: 0, k: 20 },
        { code: 0x06, jt: 0, jf: 0, k: 0 },
      ]),
    );
    const capture = new Capture(iface, clock, { filter: filter as VerifiedProgram, queueBytes: 200 });
    for (let i = 0; i < 100; i++) send(8, 60);
    send(9, 60);
    expect(capture.read().map(({ bytes, lengthBytes }) => [bytes.length, lengthBytes])).toEqual([[20, 60]]);
    expect(capture.droppedFrames).toBe(0);
  });

  it('shows a filter the Ethernet header of packets that have none', () => {
    const { arena, clock } = setUp();
    const lo0 = new Interface('lo0', 2, new IpLink(new LoopbackDevice(arena), arena.view));
    const filter = verifyProgram(compileFilter('ip6'));
    const capture = new Capture(lo0, clock, { filter: filter as VerifiedProgram });
    for (const first of [0x45, 0x60]) {
      const at = lo0.link.reserveTo(0, 0, 0, 40);
      arena.bytes.fill(first, at, at + 40);
      lo0.link.commit(40, 0);
    }
    expect(capture.read().map(({ bytes }) => bytes[14])).toEqual([0x60]);
  });
});
