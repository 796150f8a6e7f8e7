import { describe, expect, it } from 'vitest';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { FrameBatch } from './device.ts';
import { LoopbackDevice } from './loopback.ts';
import { createNetwork } from './network.ts';
import { VniDevice } from './vni.ts';

function pair(ports = 2) {
  const arena = Arena.create(16 * 1024 * 1024);
  const bulk = createBulk(arena);
  const network = createNetwork(arena, { ports, ringBytes: 65536 });
  const devices = Array.from(
    { length: ports },
    (_, i) => new VniDevice(arena, bulk, network, i, { name: `eth${i}`, mac: { hi: 0x0200, lo: i + 1 } }),
  );
  return { arena, bulk, network, devices };
}

function send(arena: Arena, device: VniDevice | LoopbackDevice, hi: number, lo: number, text: string): number {
  const at = device.reserve(hi, lo, 14 + text.length);
  if (at < 0) return at;
  expect(at % 8).toBe(2);
  arena.view.setUint16(at, hi);
  arena.view.setInt32(at + 2, lo);
  for (let i = 0; i < text.length; i++) arena.bytes[at + 14 + i] = text.charCodeAt(i);
  device.commit(14 + text.length, 7);
  return 0;
}

function receiveAll(arena: Arena, device: VniDevice | LoopbackDevice): string[] {
  const batch = new FrameBatch();
  const texts: string[] = [];
  for (;;) {
    const count = device.receive(batch);
    if (count === 0) return texts;
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const length = batch.length[i] as number;
      texts.push(String.fromCharCode(...arena.bytes.slice(at + 14, at + length)));
    }
    device.release();
  }
}

describe.each([2, 12])('vni with %d ports', (ports) => {
  it('carries unicast to its owner only', () => {
    const { arena, devices } = pair(ports);
    const [a, b] = devices as [VniDevice, VniDevice];
    expect(send(arena, a, 0x0200, 2, 'hello')).toBe(0);
    expect(b.pending).toBe(false);
    a.flush();
    expect(b.pending).toBe(true);
    expect(receiveAll(arena, b)).toEqual(['hello']);
    expect(b.pending).toBe(false);
    for (const other of devices.slice(2)) expect(receiveAll(arena, other)).toEqual([]);
  });

  it('copies broadcast to everybody', () => {
    const { arena, devices } = pair(ports);
    const [a] = devices as [VniDevice];
    send(arena, a, 0xffff, -1, 'who has');
    a.flush();
    for (const other of devices.slice(1)) expect(receiveAll(arena, other)).toEqual(['who has']);
  });
});

describe('loopback', () => {
  it('gives back what it was given', () => {
    const arena = Arena.create(4 * 1024 * 1024);
    const lo = new LoopbackDevice(arena);
    send(arena, lo, 0, 0, 'me');
    lo.flush();
    expect(receiveAll(arena, lo)).toEqual(['me']);
  });
});
