import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../mem/arena.ts';
import { createBulk } from '../../mem/bulk.ts';
import { Heap } from '../../mem/heap.ts';
import type { InetContext } from './context.ts';
import { DatagramQueue } from './datagram-queue.ts';

const HEAP_BYTES = 1 << 20;

function queue(limitBytes: number): { queue: DatagramQueue; arena: Arena; heap: Heap } {
  const arena = Arena.create(4 << 20);
  const heap = new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES);
  const context = { shared: { arena }, heap, bulk: createBulk(arena) } as unknown as InetContext;
  return { queue: new DatagramQueue(context, limitBytes), arena, heap };
}

function push(into: DatagramQueue, arena: Arena, payload: readonly number[], address: number): boolean {
  const at = into.reserve(payload.length);
  if (at < 0) return false;
  payload.forEach((byte, i) => {
    arena.bytes[at + i] = byte;
  });
  into.commit(address, address & 0xffff);
  return true;
}

describe('DatagramQueue', () => {
  it('gives back what was put in, in order, and nothing that was not committed', () => {
    const { queue: q, arena } = queue(65536);
    expect(q.nextBytes).toBe(-1);
    push(q, arena, [1, 2, 3], 10);
    q.reserve(100);
    push(q, arena, [], 11);
    expect([q.count, q.queuedBytes, q.nextBytes, q.nextAddress, q.nextPort]).toEqual([2, 3, 3, 10, 10]);
    expect([...arena.bytes.slice(q.nextAt, q.nextAt + 3)]).toEqual([1, 2, 3]);
    q.shift();
    expect([q.count, q.nextBytes, q.nextAddress]).toEqual([1, 0, 11]);
    q.shift();
    expect([q.count, q.nextBytes]).toEqual([0, -1]);
  });

  it('takes memory with the first datagram, refuses beyond its limit, gives memory back', () => {
    const { queue: q, arena, heap } = queue(4096);
    expect(heap.usedBytes).toBe(0);
    let taken = 0;
    while (push(q, arena, new Array(1000).fill(7), 1)) taken++;
    expect(taken).toBe(4);
    expect(q.queuedBytes).toBe(4000);
    q.shift();
    expect(push(q, arena, new Array(1000).fill(7), 1)).toBe(true);
    q.close();
    expect(heap.usedBytes).toBe(0);
  });

  // A small limit makes the ring go round in one block; a large one makes it grow while it is in use.
  for (const [limitBytes, longest] of [
    [16_000, 3000],
    [100_000, 9000],
  ] as const) {
    it(`behaves as a plain list of datagrams through any sequence of puts and takes (${limitBytes} bytes)`, () => {
      const step = fc.oneof(
        { weight: 2, arbitrary: fc.record({ bytes: fc.nat(40), committed: fc.boolean() }) },
        { weight: 5, arbitrary: fc.record({ bytes: fc.nat(longest), committed: fc.constant(true) }) },
        { weight: 5, arbitrary: fc.constant(null) },
      );
      let refused = 0;
      fc.assert(
        fc.property(fc.array(step, { minLength: 150, maxLength: 300 }), (steps) => {
          const { queue: q, arena } = queue(limitBytes);
          const model: { length: number; first: number; address: number }[] = [];
          let next = 0;
          for (const one of steps) {
            if (one === null) {
              if (model.length === 0) continue;
              const head = model.shift() as (typeof model)[0];
              expect([q.nextBytes, q.nextAddress]).toEqual([head.length, head.address]);
              const at = q.nextAt;
              expect(arena.bytes.slice(at, at + head.length).every((byte) => byte === head.first)).toBe(true);
              q.shift();
            } else if (!one.committed) {
              q.reserve(one.bytes);
            } else {
              const byte = next & 0xff;
              if (push(q, arena, new Array(one.bytes).fill(byte), next)) {
                model.push({ length: one.bytes, first: byte, address: next });
              } else {
                refused++;
                expect(q.queuedBytes).toBeGreaterThan(limitBytes - 3 * longest);
              }
              next++;
            }
            expect(q.count).toBe(model.length);
            expect(q.queuedBytes).toBe(model.reduce((sum, datagram) => sum + datagram.length, 0));
          }
        }),
        { numRuns: 60 },
      );
      expect(refused).toBeGreaterThan(0);
    });
  }
});
