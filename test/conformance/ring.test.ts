import { Arena } from '../../src/mem/arena.ts';
import { RingConsumer } from '../../src/mem/ring-consumer.ts';
import { RingProducer } from '../../src/mem/ring-producer.ts';
import { formatRing, ringBytes, ringCapacity } from '../../src/mem/spsc-ring.ts';
import { push, type RingUnderTest, ringSuite } from './ring-suite.ts';

const scratch = new Int32Array(64);

function fresh(capacity: number, padBytes: number = 2): RingUnderTest {
  const arena = Arena.create(ringBytes(capacity) + 256 * 1024);
  const at = arena.allocate(ringBytes(capacity), 128);
  formatRing(arena, at, capacity, padBytes);
  return {
    arena,
    at,
    padBytes,
    producer: new RingProducer(arena, at, capacity, padBytes),
    consumer: new RingConsumer(arena, at, capacity, padBytes),
  };
}

/** Both ends attached again after the indices went round, as after the death of both kernels. */
function attachedAgain(capacity: number, records: number): RingUnderTest {
  const ring = fresh(capacity);
  for (let i = 0; i < records; i++) {
    push(ring, i, 100);
    ring.producer.publish();
    ring.consumer.receive(scratch, scratch, scratch, 0, 1);
    ring.consumer.release();
  }
  const { padBytes } = ring;
  const producer = new RingProducer(ring.arena, ring.at, capacity, padBytes);
  const consumer = new RingConsumer(ring.arena, ring.at, capacity, padBytes);
  return { ...ring, producer, consumer };
}

ringSuite('64 KiB', () => fresh(65536));
ringSuite('the 392,200 bytes of papers/003', () => fresh(ringCapacity(392_200)));
ringSuite('the smallest capacity a network takes', () => fresh(4096));
ringSuite('an odd number of blocks', () => fresh(64 * 77));
ringSuite('no padding', () => fresh(65536, 0));
ringSuite('the longest padding', () => fresh(65536, 48));
ringSuite('3 MiB', () => fresh(3 * 1024 * 1024));
ringSuite('attached again in the first lap', () => attachedAgain(8192, 5));
ringSuite('attached again in the second lap', () => attachedAgain(8192, 70));
ringSuite('attached again just before the indices wrap', () => attachedAgain(64 * 100, 99));
