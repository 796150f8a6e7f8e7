/**
 * What every SPSC ring must do, whatever its capacity and however its two ends were attached.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Arena } from '../../src/mem/arena.ts';
import type { RingConsumer } from '../../src/mem/ring-consumer.ts';
import type { RingProducer } from '../../src/mem/ring-producer.ts';
import { RECORD_ALIGN, recordBytes } from '../../src/mem/spsc-ring.ts';

export interface RingUnderTest {
  arena: Arena;
  /** Offset of the ring in the arena, for tests that write where a bad peer would. */
  at: number;
  padBytes: number;
  producer: RingProducer;
  consumer: RingConsumer;
}

const MANY = 4096;
const at = new Int32Array(MANY);
const length = new Int32Array(MANY);
const meta = new Int32Array(MANY);

/** One record with a content that tells which it is. */
export function push(ring: RingUnderTest, id: number, lengthBytes: number): boolean {
  const place = ring.producer.reserve(lengthBytes);
  if (place < 0) return false;
  for (let i = 0; i < lengthBytes; i++) ring.arena.bytes[place + i] = (id + i) & 0xff;
  ring.producer.commit(lengthBytes, id);
  return true;
}

function expectRecord(ring: RingUnderTest, index: number, id: number, lengthBytes: number): void {
  expect([meta[index], length[index]]).toEqual([id, lengthBytes]);
  const place = at[index] as number;
  for (let i = 0; i < lengthBytes; i++) {
    if (ring.arena.bytes[place + i] !== ((id + i) & 0xff)) expect.fail(`record ${id}: byte ${i} differs`);
  }
}

function receive(ring: RingUnderTest, limit: number = MANY): number {
  return ring.consumer.receive(at, length, meta, 0, limit);
}

export function ringSuite(name: string, make: () => RingUnderTest): void {
  describe(`ring: ${name}`, () => {
    it('shows nothing before publish and everything after', () => {
      const ring = make();
      expect(push(ring, 1, 20)).toBe(true);
      expect(push(ring, 2, 0)).toBe(true);
      expect(ring.consumer.pending).toBe(false);
      expect(receive(ring)).toBe(0);
      expect(ring.producer.publish()).toBe(true);
      expect(ring.producer.publish()).toBe(false);
      expect(ring.consumer.pending).toBe(true);
      expect(receive(ring)).toBe(2);
      expectRecord(ring, 0, 1, 20);
      expectRecord(ring, 1, 2, 0);
      expect(ring.consumer.pending).toBe(false);
      ring.consumer.release();
    });

    it('puts contents behind the header and the padding of a record', () => {
      const ring = make();
      const phase = 8 + ring.padBytes;
      expect(ring.producer.reserve(10) % 64).toBe(phase);
      push(ring, 1, 70);
      push(ring, 2, 1);
      ring.producer.publish();
      expect(receive(ring)).toBe(2);
      for (let i = 0; i < 2; i++) expect((at[i] as number) % 64).toBe(phase);
    });

    it('honours the start and the limit of a batch', () => {
      const ring = make();
      for (let id = 0; id < 3; id++) push(ring, id, 10);
      ring.producer.publish();
      expect(ring.consumer.receive(at, length, meta, 5, 7)).toBe(7);
      expectRecord(ring, 5, 0, 10);
      expectRecord(ring, 6, 1, 10);
      expect(ring.consumer.pending).toBe(true);
      expect(ring.consumer.receive(at, length, meta, 7, 9)).toBe(8);
      expectRecord(ring, 7, 2, 10);
      ring.consumer.release();
    });

    it('takes back a shorter commit, and a cancelled reservation leaves nothing', () => {
      const ring = make();
      const place = ring.producer.reserve(100);
      ring.arena.bytes[place] = 9;
      ring.producer.commit(1, 9);
      ring.producer.reserve(100);
      push(ring, 5, 8);
      ring.producer.publish();
      expect(receive(ring)).toBe(2);
      expectRecord(ring, 0, 9, 1);
      expectRecord(ring, 1, 5, 8);
    });

    it('refuses when full, loses nothing, and takes again after release', () => {
      const ring = make();
      let pushed = 0;
      while (push(ring, pushed, 100)) pushed++;
      expect(pushed).toBe(Math.floor(ring.producer.capacityBytes / recordBytes(100, ring.padBytes)));
      ring.producer.publish();
      expect(ring.producer.reserve(100)).toBe(-1);
      const count = receive(ring);
      expect(ring.producer.reserve(100)).toBe(-1);
      for (let i = 0; i < count; i++) expectRecord(ring, i, i, 100);
      ring.consumer.release();
      expect(push(ring, 77, 100)).toBe(true);
    });

    it('takes the longest record at any position, once it is empty', () => {
      const ring = make();
      const longest = ring.producer.maxLengthBytes;
      expect(ring.producer.reserve(ring.producer.capacityBytes)).toBe(-1);
      const laps = Math.min(300, (3 * ring.producer.capacityBytes) / RECORD_ALIGN);
      for (let id = 0; id < laps; id++) {
        expect(push(ring, id, id % 3 === 0 ? longest : (id * 37) % Math.min(longest, 500))).toBe(true);
        ring.producer.publish();
        expect(receive(ring)).toBe(1);
        expect(meta[0]).toBe(id);
        ring.consumer.release();
      }
    });

    it('wakes a producer that asked for room, once, and tells it at once when there is room', () => {
      const ring = make();
      while (push(ring, 1, 50));
      ring.producer.publish();
      expect(ring.producer.awaitRoom(50)).toBe(false);
      let woken = 0;
      while (receive(ring, 1) > 0) if (ring.consumer.release()) woken++;
      expect(woken).toBe(1);
      expect(ring.producer.awaitRoom(50)).toBe(true);
      push(ring, 2, 50);
      ring.producer.publish();
      receive(ring);
      expect(ring.consumer.release()).toBe(true);
      expect(ring.consumer.release()).toBe(false);
    });

    it('equals a queue under any sequence of steps', () => {
      const longest = Math.min(make().producer.maxLengthBytes, 3000);
      const steps = fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.record({ step: fc.constant('push' as const), n: fc.nat(longest) }) },
          { weight: 1, arbitrary: fc.record({ step: fc.constant('publish' as const), n: fc.constant(0) }) },
          {
            weight: 2,
            arbitrary: fc.record({ step: fc.constant('receive' as const), n: fc.integer({ min: 1, max: 9 }) }),
          },
          { weight: 1, arbitrary: fc.record({ step: fc.constant('release' as const), n: fc.constant(0) }) },
        ),
        { maxLength: 200 },
      );
      fc.assert(
        fc.property(steps, (sequence) => {
          const ring = make();
          const unpublished: [number, number][] = [];
          const published: [number, number][] = [];
          let id = 0;
          for (const { step, n } of sequence) {
            if (step === 'push') {
              if (push(ring, id, n)) unpublished.push([id++, n]);
              else
                expect(ring.producer.usedBytes() + 2 * recordBytes(n, ring.padBytes)).toBeGreaterThan(
                  ring.producer.capacityBytes,
                );
            } else if (step === 'publish') {
              ring.producer.publish();
              published.push(...unpublished.splice(0));
            } else if (step === 'receive') {
              const count = receive(ring, n);
              if (published.length > 0) expect(count).toBeGreaterThan(0);
              for (let i = 0; i < count; i++) {
                const [wanted, bytes] = published.shift() as [number, number];
                expectRecord(ring, i, wanted, bytes);
              }
            } else {
              ring.consumer.release();
            }
            expect([ring.producer.broken, ring.consumer.broken]).toEqual(['', '']);
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}
