import { expect, it } from 'vitest';
import { Arena } from '../../../mem/arena.ts';
import { createBulk } from '../../../mem/bulk.ts';
import { Heap } from '../../../mem/heap.ts';
import { ReceiveBuffer } from './receive-buffer.ts';

const HEAP_BYTES = 65536;
const arena = Arena.create(4 * HEAP_BYTES);
const heap = new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES);

it('takes the round trip from a window that fills in a later batch, not from one that the same batch fills', () => {
  const buffer = new ReceiveBuffer(heap, createBulk(arena), 4096);
  buffer.probeRtt(1000, 4096, 10_000);
  // The rest of the window, in one segment or two, at the same time.
  buffer.probeRtt(4096, 4096, 10_000);
  expect(buffer.rttUs).toBeLessThan(0);
  buffer.probeRtt(4095, 8192, 11_000);
  expect(buffer.rttUs).toBeLessThan(0);
  buffer.probeRtt(5000, 8192, 12_500);
  expect(buffer.rttUs).toBe(2500);
  // Only smaller ones count.
  buffer.probeRtt(8192, 12_288, 20_000);
  expect(buffer.rttUs).toBe(2500);
  buffer.probeRtt(12_288, 16_384, 21_000);
  expect(buffer.rttUs).toBe(1000);
});
