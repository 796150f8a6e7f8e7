import { describe, expect, it } from 'vitest';
import type { BusFile } from '../host/contract.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { BUS_BYTES, prepareBus } from '../mem/bus.ts';
import { BusDevice } from './bus.ts';
import { DEVICE_PROMISCUOUS, FrameBatch } from './device.ts';

/** Devices of one arena on one bus, and the names that were rung. */
function bed(count: number) {
  const arena = Arena.create(BUS_BYTES + (4 << 20));
  const at = arena.allocate(BUS_BYTES, 65_536);
  prepareBus(arena.part(arena.offset(at), BUS_BYTES), 1, 2);
  const taken = new Set<number>();
  const listening = new Map<string, () => void>();
  const rung: string[] = [];
  const file = (): BusFile => {
    const own = new Set<number>();
    return {
      at,
      claim: (lane) => !taken.has(lane) && own.add(lane) && taken.add(lane) !== null,
      listen: (name, onRing) => void listening.set(name, onRing),
      ring: (name) => {
        rung.push(name);
        listening.get(name)?.();
      },
      bell: (bellAt) => ({ wait: () => true, ring: () => void rung.push(`the word at ${bellAt - at}`) }),
      close: () => {
        for (const lane of own) taken.delete(lane);
      },
    };
  };
  const bulk = createBulk(arena);
  const devices = Array.from({ length: count }, (_, i) => {
    const memoryAt = arena.allocate(BusDevice.memoryBytes, 4096);
    const options = {
      name: `shmif${i}`,
      countersName: `k/shmif${i}`,
      mac: { hi: 0xb2a0, lo: i },
      timeUs: () => 5,
      memoryAt,
    };
    return new BusDevice(arena, bulk, options);
  });
  return { arena, devices: devices as [BusDevice, BusDevice, BusDevice], file, rung };
}

function send(arena: Arena, device: BusDevice, hi: number, lo: number, text: string): number {
  const at = device.reserve(hi, lo, 14 + text.length);
  if (at < 0) return at;
  expect(at % 8).toBe(2);
  arena.view.setUint16(at, hi);
  arena.view.setInt32(at + 2, lo);
  arena.bytes.set(new TextEncoder().encode(text), at + 14);
  device.commit(14 + text.length, 0);
  return 0;
}

function received(arena: Arena, device: BusDevice): string[] {
  const batch = new FrameBatch(64);
  const count = device.receive(batch);
  const texts = Array.from({ length: count }, (_, i) => {
    const at = batch.at[i] as number;
    expect(at % 8).toBe(2);
    return new TextDecoder().decode(arena.bytes.slice(at + 14, at + (batch.length[i] as number)));
  });
  device.release();
  return texts;
}

describe('a shmif device', () => {
  it('hears all others and not itself, as far as its filter passes, once frames are flushed', () => {
    const { arena, devices, file } = bed(3);
    const [a, b, c] = devices;
    for (const device of devices) device.connect(file(), () => undefined);
    c.setFilter(DEVICE_PROMISCUOUS);
    send(arena, a, 0xb2a0, 1, 'for b');
    send(arena, a, 0xffff, -1, 'for all');
    send(arena, a, 0x3333, 7, 'for a group');
    expect(received(arena, b)).toEqual([]);
    a.flush();
    expect(received(arena, a)).toEqual([]);
    expect(received(arena, b)).toEqual(['for b', 'for all']);
    expect(received(arena, c)).toEqual(['for b', 'for all', 'for a group']);
    b.joinMulticast(0x3333, 7);
    send(arena, a, 0x3333, 7, 'for a group');
    a.flush();
    expect(received(arena, b)).toEqual(['for a group']);
    expect(a.counters.snapshot()).toMatchObject({ txFrames: 4, rxFrames: 0 });
    expect(b.counters.snapshot()).toMatchObject({ rxFrames: 3, rxFiltered: 1, rxLost: 0, rxCorrupt: 0 });
  });

  it('rings those who sleep, and them alone', () => {
    const { arena, devices, file, rung } = bed(3);
    const [a, b, c] = devices;
    let woken = 0;
    a.connect(file(), () => undefined);
    b.connect(file(), () => woken++);
    c.connect(file(), () => undefined);
    expect(b.pending).toBe(false);
    send(arena, a, 0xffff, -1, 'wake up');
    expect(rung).toEqual([]);
    a.flush();
    expect([rung, woken]).toEqual([['multikernel-bus-0000000100000002-1-1'], 1]);
    expect(received(arena, b)).toEqual(['wake up']);
    send(arena, a, 0xffff, -1, 'awake');
    a.flush();
    expect(rung.length).toBe(1);
    // Frames that are there are found by the last look before a sleep.
    expect(b.pending).toBe(true);
    expect(c.pending).toBe(true);
  });

  it('rings a thread that blocks by the word that all map', () => {
    const { arena, devices, file, rung } = bed(2);
    const [a, b] = devices;
    a.connect(file(), () => undefined);
    b.connect(file(), null);
    expect(b.pending).toBe(false);
    send(arena, a, 0xffff, -1, 'one');
    a.flush();
    expect(rung).toEqual([`the word at ${4096 + 256 + 16}`]);
    b.sleep(1000);
    expect(received(arena, b)).toEqual(['one']);
    send(arena, a, 0xffff, -1, 'two');
    a.flush();
    expect(rung.length).toBe(1);
  });

  it('is down without a bus or without media, and takes the place of one that left', () => {
    const { arena, devices, file } = bed(3);
    const [a, b, c] = devices;
    expect([a.linkUp, send(arena, a, 0xffff, -1, 'nowhere')]).toEqual([false, -100]);
    a.connect(file(), () => undefined);
    b.connect(file(), () => undefined);
    expect(a.linkUp).toBe(true);
    a.setMedia(false);
    expect([a.linkUp, send(arena, a, 0xffff, -1, 'nowhere')]).toEqual([false, -100]);
    send(arena, b, 0xffff, -1, 'not heard');
    b.flush();
    expect(received(arena, a)).toEqual([]);
    a.setMedia(true);
    a.disconnect();
    expect(a.linkUp).toBe(false);
    c.connect(file(), () => undefined);
    send(arena, c, 0xffff, -1, 'of the next holder');
    c.flush();
    expect(received(arena, b)).toEqual(['of the next holder']);
    b.close();
    b.close();
    expect([b.linkUp, b.reserve(0xffff, -1, 60), received(arena, b)]).toEqual([false, -100, []]);
  });

  it('carries as much as the MTU says', () => {
    const { arena, devices, file } = bed(2);
    const [a, b] = devices;
    a.connect(file(), () => undefined);
    b.connect(file(), () => undefined);
    expect(a.reserve(0xffff, -1, 1515)).toBe(-90);
    expect([a.setMtu(65_504), a.setMtu(65_505), a.setMtu(67)]).toEqual([0, -22, -22]);
    send(arena, a, 0xffff, -1, 'x'.repeat(1501));
    send(arena, a, 0xffff, -1, 'y'.repeat(1500));
    a.flush();
    // The receiver's MTU is the receiver's.
    expect(received(arena, b).map((text) => text.length)).toEqual([1500]);
    expect(b.setMtu(65_504)).toBe(0);
    send(arena, a, 0xffff, -1, 'z'.repeat(65_504));
    a.flush();
    expect(received(arena, b)).toEqual(['z'.repeat(65_504)]);
  });
});
