import { beforeEach, describe, expect, it } from 'vitest';
import { Arena } from '../mem/arena.ts';
import { FrameBatch } from './device.ts';
import { RawDevice } from './raw-device.ts';

const MAC = { hi: 0x0200, lo: 7 };
const TO_US = [0x02, 0, 0, 0, 0, 7];
const GROUP = [0x01, 0, 0x5e, 0, 0, 9];

let arena: Arena;
let device: RawDevice;
let wakes: number;

beforeEach(() => {
  arena = Arena.create(4 << 20);
  wakes = 0;
  device = new RawDevice(arena, { mac: MAC, ringBytes: 8192, requestWork: () => wakes++ });
});

function frame(to: readonly number[], id: number, length = 60): Uint8Array {
  const bytes = new Uint8Array(length).fill(id);
  bytes.set(to);
  return bytes;
}

function send(id: number, length = 60): number {
  const at = device.reserve(0x0200, 1, length);
  if (at < 0) return at;
  arena.bytes.fill(id, at, at + length);
  device.commit(length, 0);
  return 0;
}

function received(): number[] {
  const batch = new FrameBatch();
  const count = device.receive(batch);
  const ids = Array.from(batch.at.subarray(0, count), (at) => arena.bytes[at + 20] as number);
  device.release();
  return ids;
}

describe('frames of the kernel', () => {
  it('reach the handler at flush, in order, as arrays of their own', () => {
    const frames: Uint8Array[] = [];
    device.onFrame = (bytes) => frames.push(bytes);
    send(1, 14);
    send(2, 1514);
    expect(frames).toEqual([]);
    device.flush();
    expect(frames.map((bytes) => [bytes.length, bytes[13]])).toEqual([
      [14, 1],
      [1514, 2],
    ]);
    expect(frames[0]?.buffer).not.toBe(arena.bytes.buffer);
  });

  it('wait in the ring while the handler returns false, until resume', () => {
    const seen: unknown[] = [];
    let room = false;
    device.onFrame = (bytes) => {
      if (room) seen.push(bytes[0]);
      return room;
    };
    for (let id = 0; id < 3; id++) send(id);
    device.flush();
    send(3);
    device.flush();
    expect(seen).toEqual([]);
    room = true;
    device.resume();
    expect([seen, wakes]).toEqual([[0, 1, 2, 3], 1]);
  });

  it('are dropped and counted without a handler', () => {
    send(1);
    device.flush();
    device.onFrame = () => expect.fail('the frame was dropped');
    device.resume();
    expect(device.counters.snapshot()).toMatchObject({ txFrames: 1, txDiscarded: 1 });
  });

  it('are offered once when the handler throws', () => {
    const seen: unknown[] = [];
    device.onFrame = (bytes) => {
      seen.push(bytes[0]);
      if (bytes[0] === 1) throw new Error('a mistake of the program');
    };
    send(1);
    send(2);
    expect(() => device.flush()).toThrow('a mistake of the program');
    device.resume();
    expect(seen).toEqual([1, 2]);
  });

  it('may be answered from the handler', () => {
    device.onFrame = () => device.inject(frame(TO_US, 9));
    send(1);
    device.flush();
    expect(received()).toEqual([9]);
  });
});

describe('injected frames', () => {
  it('are copied, wake the kernel, and pass the filter as on any link', () => {
    const own = frame(TO_US, 1);
    expect(device.inject(own)).toBe(true);
    own.fill(0xff);
    expect(device.inject(frame([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 2))).toBe(true);
    expect(device.inject(frame([0x02, 0, 0, 0, 0, 8], 3))).toBe(true);
    expect(device.inject(frame(GROUP, 4))).toBe(true);
    device.joinMulticast(0x0100, 0x5e000009);
    expect(device.inject(frame(GROUP, 5))).toBe(true);
    expect([received(), wakes]).toEqual([[1, 2, 5], 3]);
    expect(device.counters.snapshot()).toMatchObject({ rxFrames: 3, rxFiltered: 2 });
  });

  it('are refused when the ring is full, and counted', () => {
    let taken = 0;
    while (device.inject(frame(TO_US, taken, 1000))) taken++;
    expect(taken).toBeGreaterThan(3);
    expect(device.counters.snapshot().rxFull).toBe(1);
    expect(received()).toHaveLength(taken);
    expect(device.inject(frame(TO_US, 1, 1000))).toBe(true);
  });

  it('are refused on a link that is down; lengths that no frame has are mistakes', () => {
    for (const length of [0, 13, 1515]) {
      expect(() => device.inject(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    }
    device.close();
    expect(device.inject(frame(TO_US, 1))).toBe(false);
    expect(device.downReason).toBe('closed');
  });
});
