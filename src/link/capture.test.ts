import { describe, expect, it } from 'vitest';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { CaptureDevice } from './capture.ts';
import { FrameBatch } from './device.ts';
import { LoopbackDevice } from './loopback.ts';

function setUp() {
  const arena = Arena.create(4 * 1024 * 1024);
  const clock = { time: 1000.25, nowUs: () => clock.time };
  const device = new CaptureDevice(new LoopbackDevice(arena), createBulk(arena), clock);
  const send = (byte: number, lengthBytes: number): void => {
    const at = device.reserve(0, 0, lengthBytes);
    arena.bytes.fill(byte, at, at + lengthBytes);
    device.commit(lengthBytes, 3);
  };
  const receive = (): void => {
    const batch = new FrameBatch();
    while (device.receive(batch) > 0) device.release();
  };
  return { arena, clock, device, send, receive };
}

describe('capture', () => {
  it('copies frames both ways, stamped by batch', () => {
    const { clock, device, send, receive } = setUp();
    send(9, 60);
    const capture = device.capture();
    send(1, 60);
    clock.time = 2000;
    send(2, 100);
    device.flush();
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
    const { device, send } = setUp();
    let told = 0;
    const capture = device.capture({ snapBytes: 20, onFrames: () => told++ });
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
    const { device, send } = setUp();
    const small = device.capture({ queueBytes: 10 * (60 + 64) });
    const large = device.capture();
    for (let i = 0; i < 15; i++) send(i, 60);
    expect(small.droppedFrames).toBe(5);
    expect(small.read().map((frame) => frame.bytes[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(large.read()).toHaveLength(15);
    expect(large.droppedFrames).toBe(0);
    send(1, 60);
    expect(small.read()).toHaveLength(1);
  });
});
