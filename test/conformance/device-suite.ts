/**
 * The contract of devices (src/link/device.ts) as a suite. It works on the last queue of a device.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import {
  CAP_SUPER_FRAMES,
  DEVICE_ALL_MULTICAST,
  DEVICE_PROMISCUOUS,
  type Device,
  type DeviceQueue,
  FrameBatch,
} from '../../src/link/device.ts';
import type { Arena } from '../../src/mem/arena.ts';
import { Doorbell } from '../../src/mem/doorbell.ts';

/** A device under test and the device at which its frames arrive (the same one for a loopback). */
export interface DevicesUnderTest {
  arena: Arena;
  sender: Device;
  receiver: Device;
}

export const BROADCAST_HI = 0xffff;
export const BROADCAST_LO = -1;

/** The queue under test: the last one; a device with one queue has no other. */
function queueOf(device: Device): DeviceQueue {
  return device.queues.at(-1) as DeviceQueue;
}

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
  const queue = queueOf(device);
  const at = queue.reserve(dstHi, dstLo, lengthBytes);
  if (at < 0) return at;
  if (device.linkType === 'ip' ? at % 4 !== 0 : at % 8 !== 2) expect.fail(`frame at ${at}: network header not aligned`);
  arena.view.setUint16(at, dstHi);
  arena.view.setInt32(at + 2, dstLo);
  arena.bytes.fill(id & 0xff, at + 6, at + lengthBytes);
  queue.commit(lengthBytes, meta);
  return 0;
}

export interface ReceivedFrame {
  id: number;
  lengthBytes: number;
  meta: number;
}

/** Take in everything that is there; fails when a frame's bytes are not all the same. */
export function receiveFrames(arena: Arena, device: Device, capacity = 64): ReceivedFrame[] {
  const queue = queueOf(device);
  const batch = new FrameBatch(capacity);
  const frames: ReceivedFrame[] = [];
  for (;;) {
    const count = queue.receive(batch);
    if (count === 0) return frames;
    expect(count).toBeLessThanOrEqual(capacity);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const lengthBytes = batch.length[i] as number;
      const id = arena.bytes[at + 6] as number;
      for (let j = at + 6; j < at + lengthBytes; j++) if (arena.bytes[j] !== id) expect.fail(`frame ${id} is torn`);
      frames.push({ id, lengthBytes, meta: batch.meta[i] as number });
    }
    queue.release();
  }
}

/** Bytes of the link-layer header. */
function headerBytes(device: Device): number {
  return device.linkType === 'ip' ? 0 : 14;
}

/** What a device has beyond the least. */
export interface DeviceTraits {
  /** Its queue takes several frames at once. */
  runs?: boolean;
  /** It leaves out what is for other stations. */
  filters?: boolean;
  /** Its peers work on other threads, and are woken. */
  doorbells?: boolean;
  /** How many queues it has, default 1; a frame arrives by the queue that it left by. */
  queues?: number;
}

export function deviceSuite(name: string, make: () => DevicesUnderTest, traits: DeviceTraits = {}): void {
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
      queueOf(devices.sender).flush();
      expect(queueOf(devices.receiver).pending).toBe(true);
      expect(receiveFrames(devices.arena, devices.receiver)).toEqual([{ id: 7, lengthBytes: 100, meta: 0x0123_0001 }]);
      expect(queueOf(devices.receiver).pending).toBe(false);
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
      expect(queueOf(devices.sender).reserve(0x0200, 1, longest + 1)).toBe(-Errno.EMSGSIZE);
      expect(toReceiver(devices, longest, 3)).toBe(0);
      queueOf(devices.sender).flush();
      expect(receiveFrames(devices.arena, devices.receiver)).toEqual([{ id: 3, lengthBytes: longest, meta: 0 }]);
    });

    it('follows a change of the MTU', () => {
      const devices = make();
      expect(devices.sender.setMtu(576)).toBe(0);
      expect(devices.receiver.setMtu(576)).toBe(0);
      expect(devices.sender.mtuBytes).toBe(576);
      for (const bad of [10, 67, 10_000_000]) expect(devices.sender.setMtu(bad)).toBe(-Errno.EINVAL);
      expect(devices.sender.mtuBytes).toBe(576);
      expect(toReceiver(devices, 576 + headerBytes(devices.sender), 3)).toBe(0);
      queueOf(devices.sender).flush();
      expect(receiveFrames(devices.arena, devices.receiver)).toHaveLength(1);
      if ((devices.sender.capabilities & CAP_SUPER_FRAMES) !== 0) return;
      expect(devices.sender.maxFrameBytes).toBe(576 + headerBytes(devices.sender));
      expect(toReceiver(devices, 577 + headerBytes(devices.sender), 3)).toBe(-Errno.EMSGSIZE);
    });

    it('carries a shorter frame than was reserved, and nothing when cancelled', () => {
      const devices = make();
      const { arena, sender, receiver } = devices;
      const at = queueOf(sender).reserve(receiver.mac.hi, receiver.mac.lo, 500);
      arena.view.setUint16(at, receiver.mac.hi);
      arena.view.setInt32(at + 2, receiver.mac.lo);
      arena.bytes.fill(9, at + 6, at + 60);
      queueOf(sender).commit(60, 1);
      expect(queueOf(sender).reserve(receiver.mac.hi, receiver.mac.lo, 300)).toBeGreaterThan(0);
      queueOf(sender).cancel();
      expect(toReceiver(devices, 61, 4)).toBe(0);
      queueOf(sender).flush();
      expect(receiveFrames(arena, receiver).map((frame) => frame.lengthBytes)).toEqual([60, 61]);
    });

    it('delivers broadcast', () => {
      const { arena, sender, receiver } = make();
      expect(sendFrame(arena, sender, BROADCAST_HI, BROADCAST_LO, 60, 5)).toBe(0);
      queueOf(sender).flush();
      expect(receiveFrames(arena, receiver)).toHaveLength(1);
    });

    it('fills a batch and keeps the rest for the next', () => {
      const devices = make();
      for (let id = 0; id < 10; id++) toReceiver(devices, 60 + id, id);
      queueOf(devices.sender).flush();
      const batch = new FrameBatch(4);
      expect(queueOf(devices.receiver).receive(batch)).toBe(4);
      queueOf(devices.receiver).release();
      expect(queueOf(devices.receiver).pending).toBe(true);
      expect(receiveFrames(devices.arena, devices.receiver, 4).map((frame) => frame.id)).toEqual([4, 5, 6, 7, 8, 9]);
    });

    it('pushes back when full, loses nothing, and has room again afterwards', () => {
      const devices = make();
      let sent = 0;
      let said = 0;
      while ((said = toReceiver(devices, 1000, sent)) === 0 && sent < 100_000) {
        sent++;
        if (sent % 64 === 0) queueOf(devices.sender).flush();
      }
      expect(said).toBe(-Errno.ENOBUFS);
      queueOf(devices.sender).flush();
      expect(queueOf(devices.sender).awaitRoom(devices.receiver.mac.hi, devices.receiver.mac.lo)).toBe(false);
      const frames = receiveFrames(devices.arena, devices.receiver);
      expect(frames.map((frame) => frame.id)).toEqual(Array.from({ length: sent }, (_, i) => i & 0xff));
      expect(queueOf(devices.sender).awaitRoom(devices.receiver.mac.hi, devices.receiver.mac.lo)).toBe(true);
      expect(toReceiver(devices, 1000, 1)).toBe(0);
    });

    it('counts frames and bytes both ways', () => {
      const devices = make();
      for (let i = 0; i < 3; i++) toReceiver(devices, 100, i);
      queueOf(devices.sender).flush();
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
            else if (step === 0) queueOf(devices.sender).flush();
            else
              got.push(
                ...receiveFrames(devices.arena, devices.receiver, 7).map((f): [number, number] => [
                  f.id,
                  f.lengthBytes,
                ]),
              );
          }
          queueOf(devices.sender).flush();
          got.push(
            ...receiveFrames(devices.arena, devices.receiver, 7).map((f): [number, number] => [f.id, f.lengthBytes]),
          );
          expect(got).toEqual(sent);
        }),
        { numRuns: 30 },
      );
    });

    it('has queues, the same for good', () => {
      const { sender } = make();
      const before = [...sender.queues];
      expect(before).toHaveLength(traits.queues ?? 1);
      sender.setMtu(700);
      expect(sender.queues).toEqual(before);
      expect(queueOf(sender).runs !== undefined).toBe(traits.runs === true);
    });

    it.runIf((traits.queues ?? 1) > 1)('keeps what is reserved, published and pending in each queue apart', () => {
      const { arena, sender, receiver } = make();
      const { hi, lo } = receiver.mac;
      const batch = new FrameBatch();
      const places = sender.queues.map((queue, i) => queue.reserve(hi, lo, 60 + i));
      places.forEach((at, i) => {
        arena.view.setUint16(at, hi);
        arena.view.setInt32(at + 2, lo);
        (sender.queues[i] as DeviceQueue).commit(60 + i, 0);
      });
      const pending = (): boolean[] => receiver.queues.map((queue) => queue.pending);
      const all = sender.queues.map((_, i) => i);
      expect(pending()).toEqual(all.map(() => false));
      for (const i of all) {
        (sender.queues[i] as DeviceQueue).flush();
        expect(pending()).toEqual(all.map((other) => other <= i));
      }
      for (const i of all) {
        const queue = receiver.queues[i] as DeviceQueue;
        expect([queue.receive(batch), batch.length[0]]).toEqual([1, 60 + i]);
        queue.release();
        expect(pending()).toEqual(all.map((other) => other > i));
      }
    });

    it.runIf(traits.runs)('takes frames of one length at once, as many as there is room for or fewer', () => {
      const devices = make();
      const { arena, sender, receiver } = devices;
      const { hi, lo } = receiver.mac;
      const { runs } = queueOf(sender);
      if (runs === undefined) return expect.fail('no runs');
      // A run goes to the receiver of the frame before.
      expect(toReceiver(devices, 300, 0)).toBe(0);
      const send = (lengthBytes: number, want: number, first: number, most: number): number => {
        const reserved = Math.min(runs.reserveRun(hi, lo, lengthBytes, want), most);
        for (let i = 0; i < reserved; i++) {
          const at = runs.runAt + i * runs.runStrideBytes;
          expect(at % 8).toBe(2);
          arena.view.setUint16(at, hi);
          arena.view.setInt32(at + 2, lo);
          arena.bytes.fill((first + i) & 0xff, at + 6, at + lengthBytes);
        }
        if (reserved > 0) runs.commitRun(reserved, lengthBytes, 0x20);
        return reserved;
      };
      expect(send(200, 5, 1, 5)).toBe(5);
      expect(send(201, 8, 6, 3)).toBe(3);
      expect(send(sender.maxFrameBytes + 1, 2, 0, 2)).toBe(0);
      expect(toReceiver(devices, 60, 9)).toBe(0);
      queueOf(sender).flush();
      const frames = receiveFrames(arena, receiver);
      expect(frames.map((frame) => frame.id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(frames.map((frame) => frame.lengthBytes)).toEqual([300, 200, 200, 200, 200, 200, 201, 201, 201, 60]);
      expect(frames.map((frame) => frame.meta)).toEqual([0, ...new Array(8).fill(0x20), 0]);
      let sent = 0;
      for (let more = 1; more > 0; sent += more) {
        more = send(1000, 16, sent, 16);
        queueOf(sender).flush();
      }
      expect(sent).toBeGreaterThan(16);
      expect(receiveFrames(arena, receiver).map((frame) => frame.id)).toEqual(
        Array.from({ length: sent }, (_, i) => i & 0xff),
      );
      expect(sender.counters.snapshot()).toMatchObject({ txFrames: 10 + sent });
    });

    it('receives what its filter lets pass', () => {
      const { arena, sender, receiver } = make();
      const GROUP = 0x0100;
      const pass = (hi: number, lo: number): number => {
        expect(sendFrame(arena, sender, hi, lo, 60, 1)).toBe(0);
        queueOf(sender).flush();
        return receiveFrames(arena, receiver).length;
      };
      const others = traits.filters ? 0 : 1;
      expect(pass(receiver.mac.hi, receiver.mac.lo)).toBe(1);
      expect(pass(0x0299, 77)).toBe(others);
      expect(pass(GROUP, 5)).toBe(others);
      receiver.joinMulticast(GROUP, 5);
      receiver.joinMulticast(GROUP, 5);
      expect(pass(GROUP, 5)).toBe(1);
      expect(pass(GROUP, 6)).toBe(others);
      receiver.leaveMulticast(GROUP, 5);
      expect(pass(GROUP, 5)).toBe(1);
      receiver.leaveMulticast(GROUP, 5);
      receiver.leaveMulticast(GROUP, 5);
      expect(pass(GROUP, 5)).toBe(others);
      receiver.setFilter(DEVICE_ALL_MULTICAST);
      expect(pass(GROUP, 9)).toBe(1);
      expect(pass(0x0299, 77)).toBe(others);
      receiver.setFilter(DEVICE_PROMISCUOUS);
      expect(pass(0x0299, 77)).toBe(1);
      receiver.setFilter(0);
      expect(pass(0x0299, 77)).toBe(others);
      expect(pass(BROADCAST_HI, BROADCAST_LO)).toBe(1);
    });

    it.runIf(traits.doorbells)('rings the doorbell of a receiver, whichever it has now', () => {
      const devices = make();
      const { arena, sender, receiver } = devices;
      const bells = [0, 1].map(() => new Doorbell(arena, arena.allocateDoorbell()));
      for (const bell of bells) {
        queueOf(receiver).doorbellAt = bell.at;
        expect(queueOf(receiver).doorbellAt).toBe(bell.at);
        for (const each of bells) each.arm();
        expect(toReceiver(devices, 60, 1)).toBe(0);
        expect(bell.sleeping).toBe(true);
        queueOf(sender).flush();
        expect(bells.map((each) => each.sleeping)).toEqual(bells.map((each) => each !== bell));
        receiveFrames(arena, receiver);
      }
      queueOf(receiver).doorbellAt = 0;
      for (const each of bells) each.arm();
      toReceiver(devices, 60, 1);
      queueOf(sender).flush();
      expect(bells.every((bell) => bell.sleeping)).toBe(true);
      expect(receiveFrames(arena, receiver)).toHaveLength(1);
    });

    it.runIf(traits.doorbells)('rings the doorbell of a sender that asked for room, once there is', () => {
      const devices = make();
      const { arena, sender, receiver } = devices;
      const bell = new Doorbell(arena, arena.allocateDoorbell());
      queueOf(sender).doorbellAt = bell.at;
      while (toReceiver(devices, 1000, 1) === 0) queueOf(sender).flush();
      expect(queueOf(sender).awaitRoom(receiver.mac.hi, receiver.mac.lo)).toBe(false);
      bell.arm();
      receiveFrames(arena, receiver);
      expect(bell.sleeping).toBe(false);
      expect(toReceiver(devices, 1000, 1)).toBe(0);
    });

    it('gives and takes nothing once closed, which may be said twice', () => {
      const devices = make();
      const { arena, sender, receiver } = devices;
      toReceiver(devices, 60, 1);
      queueOf(sender).flush();
      sender.close();
      sender.close();
      if (receiver !== sender) {
        receiver.close();
        expect(receiveFrames(arena, receiver)).toEqual([]);
        expect(queueOf(receiver).pending).toBe(false);
      }
      expect(queueOf(sender).reserve(receiver.mac.hi, receiver.mac.lo, 60)).toBe(-Errno.ENETDOWN);
      expect(sender.linkUp).toBe(false);
    });

    it('is down once closed', () => {
      const { sender } = make();
      sender.close();
      expect(sender.linkUp).toBe(false);
      expect(sender.downReason).toBe('closed');
      expect(queueOf(sender).reserve(BROADCAST_HI, BROADCAST_LO, 60)).toBe(-Errno.ENETDOWN);
    });
  });
}
