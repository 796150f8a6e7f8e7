/**
 * What every device promises (src/link/device.ts), whatever it is made of.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import { type Device, FrameBatch } from '../../src/link/device.ts';
import type { Arena } from '../../src/mem/arena.ts';

/** A device under test and the device at which its frames arrive (the same one for a loopback). */
export interface DevicesUnderTest {
  arena: Arena;
  sender: Device;
  receiver: Device;
}

export const BROADCAST_HI = 0xffff;
export const BROADCAST_LO = -1;

/** Reserve, write and commit one frame; `id` goes into every byte of the payload. Returns 0 or what `reserve` said. */
export function sendFrame(
  arena: Arena,
  device: Device,
  dstHi: number,
  dstLo: number,
  lengthBytes: number,
  id: number,
  meta = 0,
): number {
  const at = device.reserve(dstHi, dstLo, lengthBytes);
  if (at < 0) return at;
  if (device.linkType === 'ip' ? at % 4 !== 0 : at % 8 !== 2) expect.fail(`frame at ${at}: network header not aligned`);
  arena.view.setUint16(at, dstHi);
  arena.view.setInt32(at + 2, dstLo);
  arena.bytes.fill(id & 0xff, at + 6, at + lengthBytes);
  device.commit(lengthBytes, meta);
  return 0;
}

export interface ReceivedFrame {
  id: number;
  lengthBytes: number;
  meta: number;
}

/** Take in everything that is there; fails when a frame's bytes are not all the same. */
export function receiveFrames(arena: Arena, device: Device, capacity = 64): ReceivedFrame[] {
  const batch = new FrameBatch(capacity);
  const frames: ReceivedFrame[] = [];
  for (;;) {
    const count = device.receive(batch);
    if (count === 0) return frames;
    expect(count).toBeLessThanOrEqual(capacity);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const lengthBytes = batch.length[i] as number;
      const id = arena.bytes[at + 6] as number;
      for (let j = at + 6; j < at + lengthBytes; j++) if (arena.bytes[j] !== id) expect.fail(`frame ${id} is torn`);
      frames.push({ id, lengthBytes, meta: batch.meta[i] as number });
    }
    device.release();
  }
}

/** Bytes of the link-layer header. */
function headerBytes(device: Device): number {
  return device.linkType === 'ip' ? 0 : 14;
}

export function deviceSuite(name: string, make: () => DevicesUnderTest): void {
  const toReceiver = (
    { arena, sender, receiver }: DevicesUnderTest,
    lengthBytes: number,
    id: number,
    meta = 0,
  ): number => sendFrame(arena, sender, receiver.mac.hi, receiver.mac.lo, lengthBytes, id, meta);

  describe(`device: ${name}`, () => {
    it('carries a frame with its length and metadata, once flushed', () => {
      const devices = make();
      expect(toReceiver(devices, 100, 7, 0x0123_0001)).toBe(0);
      expect(receiveFrames(devices.arena, devices.receiver)).toEqual([]);
      devices.sender.flush();
      expect(devices.receiver.pending).toBe(true);
      expect(receiveFrames(devices.arena, devices.receiver)).toEqual([{ id: 7, lengthBytes: 100, meta: 0x0123_0001 }]);
      expect(devices.receiver.pending).toBe(false);
    });

    it('says what it is', () => {
      const { sender } = make();
      expect(sender.linkUp).toBe(true);
      expect(sender.downReason).toBe('');
      expect(sender.name).not.toBe('');
      expect(sender.kind).not.toBe('');
      expect(sender.maxFrameBytes).toBeGreaterThanOrEqual(sender.mtuBytes + headerBytes(sender));
    });

    it('takes the longest frame and refuses a longer one', () => {
      const devices = make();
      const longest = devices.sender.maxFrameBytes;
      expect(devices.sender.reserve(0x0200, 1, longest + 1)).toBe(-Errno.EMSGSIZE);
      expect(toReceiver(devices, longest, 3)).toBe(0);
      devices.sender.flush();
      expect(receiveFrames(devices.arena, devices.receiver)).toEqual([{ id: 3, lengthBytes: longest, meta: 0 }]);
    });

    it('follows a change of the MTU', () => {
      const devices = make();
      devices.sender.setMtu(576);
      devices.receiver.setMtu(576);
      expect(devices.sender.mtuBytes).toBe(576);
      expect(() => devices.sender.setMtu(10)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      expect(() => devices.sender.setMtu(10_000_000)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      expect(toReceiver(devices, 576 + headerBytes(devices.sender), 3)).toBe(0);
      devices.sender.flush();
      expect(receiveFrames(devices.arena, devices.receiver)).toHaveLength(1);
    });

    it('carries a shorter frame than was reserved, and nothing when cancelled', () => {
      const devices = make();
      const { arena, sender, receiver } = devices;
      const at = sender.reserve(receiver.mac.hi, receiver.mac.lo, 500);
      arena.view.setUint16(at, receiver.mac.hi);
      arena.view.setInt32(at + 2, receiver.mac.lo);
      arena.bytes.fill(9, at + 6, at + 60);
      sender.commit(60, 1);
      expect(sender.reserve(receiver.mac.hi, receiver.mac.lo, 300)).toBeGreaterThan(0);
      sender.cancel();
      expect(toReceiver(devices, 61, 4)).toBe(0);
      sender.flush();
      expect(receiveFrames(arena, receiver).map((frame) => frame.lengthBytes)).toEqual([60, 61]);
    });

    it('delivers broadcast', () => {
      const { arena, sender, receiver } = make();
      expect(sendFrame(arena, sender, BROADCAST_HI, BROADCAST_LO, 60, 5)).toBe(0);
      sender.flush();
      expect(receiveFrames(arena, receiver)).toHaveLength(1);
    });

    it('fills a batch and keeps the rest for the next', () => {
      const devices = make();
      for (let id = 0; id < 10; id++) toReceiver(devices, 60 + id, id);
      devices.sender.flush();
      const batch = new FrameBatch(4);
      expect(devices.receiver.receive(batch)).toBe(4);
      devices.receiver.release();
      expect(devices.receiver.pending).toBe(true);
      expect(receiveFrames(devices.arena, devices.receiver, 4).map((frame) => frame.id)).toEqual([4, 5, 6, 7, 8, 9]);
    });

    it('pushes back when full, loses nothing, and has room again afterwards', () => {
      const devices = make();
      let sent = 0;
      let said = 0;
      while ((said = toReceiver(devices, 1000, sent)) === 0 && sent < 100_000) {
        sent++;
        if (sent % 64 === 0) devices.sender.flush();
      }
      expect(said).toBe(-Errno.ENOBUFS);
      devices.sender.flush();
      expect(devices.sender.awaitRoom(devices.receiver.mac.hi, devices.receiver.mac.lo)).toBe(false);
      const frames = receiveFrames(devices.arena, devices.receiver);
      expect(frames.map((frame) => frame.id)).toEqual(Array.from({ length: sent }, (_, i) => i & 0xff));
      expect(devices.sender.awaitRoom(devices.receiver.mac.hi, devices.receiver.mac.lo)).toBe(true);
      expect(toReceiver(devices, 1000, 1)).toBe(0);
    });

    it('counts frames and bytes both ways', () => {
      const devices = make();
      for (let i = 0; i < 3; i++) toReceiver(devices, 100, i);
      devices.sender.flush();
      receiveFrames(devices.arena, devices.receiver);
      expect(devices.sender.counters.snapshot()).toMatchObject({ txFrames: 3, txBytes: 300 });
      expect(devices.receiver.counters.snapshot()).toMatchObject({ rxFrames: 3, rxBytes: 300 });
    });

    it('keeps the order of any mixture of lengths and batches', () => {
      const steps = fc.array(fc.oneof(fc.integer({ min: 14, max: 1514 }), fc.constant(0), fc.constant(-1)), {
        maxLength: 200,
      });
      fc.assert(
        fc.property(steps, (sequence) => {
          const devices = make();
          const sent: [number, number][] = [];
          const got: [number, number][] = [];
          let id = 0;
          for (const step of sequence) {
            if (step >= 14 && toReceiver(devices, step, id) === 0) sent.push([id++ & 0xff, step]);
            else if (step === 0) devices.sender.flush();
            else
              got.push(
                ...receiveFrames(devices.arena, devices.receiver, 7).map((f): [number, number] => [
                  f.id,
                  f.lengthBytes,
                ]),
              );
          }
          devices.sender.flush();
          got.push(
            ...receiveFrames(devices.arena, devices.receiver, 7).map((f): [number, number] => [f.id, f.lengthBytes]),
          );
          expect(got).toEqual(sent);
        }),
        { numRuns: 30 },
      );
    });

    it('is down once closed', () => {
      const { sender } = make();
      sender.close();
      expect(sender.linkUp).toBe(false);
      expect(sender.downReason).toBe('closed');
      expect(sender.reserve(BROADCAST_HI, BROADCAST_LO, 60)).toBe(-Errno.ENETDOWN);
    });
  });
}
