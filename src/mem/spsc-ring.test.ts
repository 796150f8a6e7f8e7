import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';
import { formatRing, RING_CONTROL_BYTES, recordBytes, ringBytes } from './spsc-ring.ts';

const CAPACITY = 4096;
const HEAD = 128 / 4;
const TAIL = 256 / 4;
const WAITING = 384 / 4;
const DATA = RING_CONTROL_BYTES / 4;
/** As links have it: contents lie at 2 modulo 8. */
const PAD = 2;

const at = new Int32Array(64);
const length = new Int32Array(64);
const meta = new Int32Array(64);

function setUp() {
  const arena = Arena.create(256 * 1024);
  const ringAt = arena.allocate(ringBytes(CAPACITY), 128);
  formatRing(arena, ringAt, CAPACITY, PAD);
  const words = arena.words.subarray(ringAt >> 2, (ringAt + ringBytes(CAPACITY)) >> 2);
  return {
    arena,
    ringAt,
    words,
    producer: new RingProducer(arena, ringAt, CAPACITY, PAD),
    consumer: new RingConsumer(arena, ringAt, CAPACITY, PAD),
  };
}

function push({ producer }: { producer: RingProducer }, lengthBytes: number, count = 1): void {
  for (let i = 0; i < count; i++) {
    expect(producer.reserve(lengthBytes)).toBeGreaterThan(0);
    producer.commit(lengthBytes, i);
  }
  producer.publish();
}

describe('layout', () => {
  it('is what docs/layouts/spsc-ring.md draws', () => {
    const ring = setUp();
    push(ring, 60);
    push(ring, 5);
    const { words, ringAt, arena } = ring;
    expect([...words.slice(0, 6)]).toEqual([0x4d4b5247, 2, CAPACITY, 2, 0, 0]);
    expect([words[HEAD], words[TAIL], words[WAITING]]).toEqual([192, 0, 0]);
    expect([words[DATA], words[DATA + 1]]).toEqual([60, 0]);
    expect([words[DATA + 32], words[DATA + 33]]).toEqual([5, 0]);
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(2);
    expect(at[0]).toBe(ringAt + 512 + 10);
    expect(at[1]).toBe(ringAt + 512 + 128 + 10);
    expect(arena.byteLength).toBeGreaterThan(at[1] as number);
  });

  it('marks the unused end with a length of -1', () => {
    const ring = setUp();
    push(ring, 1000, 3);
    push(ring, 500);
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(4);
    ring.consumer.release();
    expect(ring.producer.reserve(700)).toBe(ring.ringAt + RING_CONTROL_BYTES + 10);
    ring.producer.commit(700, 9);
    ring.producer.publish();
    expect(ring.words[DATA + 3584 / 4]).toBe(-1);
    expect(ring.words[HEAD]).toBe(CAPACITY + 768);
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(1);
    expect([at[0], length[0], meta[0]]).toEqual([ring.ringAt + RING_CONTROL_BYTES + 10, 700, 9]);
  });
});

describe('what a consumer that is gone left', () => {
  const left = ({ producer }: ReturnType<typeof setUp>): [number, number][] => {
    const found: [number, number][] = [];
    producer.eachUnreleased((place, lengthBytes) => found.push([place, lengthBytes]));
    return found;
  };

  it('is told by its producer: what was not given back, over the end of the ring, published or not', () => {
    const ring = setUp();
    const start = ring.ringAt + RING_CONTROL_BYTES + 10;
    expect(left(ring)).toEqual([]);
    push(ring, 1000, 3);
    ring.consumer.receive(at, length, meta, 0, 2);
    ring.consumer.release();
    push(ring, 500);
    ring.producer.reserve(700);
    ring.producer.commit(700, 9);
    expect(left(ring)).toEqual([
      [start + 2048, 1000],
      [start + 3072, 500],
      [start, 700],
    ]);
  });

  it.each([
    ['tail is no index', TAIL, 65],
    ['tail ahead of the head', TAIL, 2048],
    ['length beyond the ring', DATA, 5000],
    ['length negative', DATA, -2],
    ['skip in front of too little', DATA, -1],
  ])('is nothing that it could have made up: %s', (_, word, value) => {
    const ring = setUp();
    push(ring, 1000);
    ring.words[word] = value;
    expect(left(ring)).toEqual([]);
  });
});

describe('a bad producer', () => {
  const cases: [string, (ring: ReturnType<typeof setUp>) => void, string][] = [
    ['head not a multiple of a block', ({ words }) => (words[HEAD] = 65), 'head is no index'],
    ['head negative', ({ words }) => (words[HEAD] = -64), 'head is no index'],
    ['head beyond twice the capacity', ({ words }) => (words[HEAD] = 2 * CAPACITY), 'head is no index'],
    ['head more than a capacity ahead', ({ words }) => (words[HEAD] = CAPACITY + 64), 'head out of range'],
    ['length negative', ({ words }) => (words[DATA] = -2), 'record length out of range'],
    ['length beyond the head', ({ words }) => (words[DATA] = 500), 'record length out of range'],
    ['length whose sum wraps', ({ words }) => (words[DATA] = 0x7fffffff), 'record length out of range'],
    ['skip at the start', ({ words }) => (words[DATA] = -1), 'skip marker out of place'],
    ['skip beyond the head', ({ words }) => (words[DATA + 32] = -1), 'skip marker out of place'],
  ];
  it.each(cases)('%s breaks the ring under a name', (_, spoil, reason) => {
    const ring = setUp();
    push(ring, 100, 2);
    spoil(ring);
    ring.consumer.receive(at, length, meta, 0, 64);
    ring.consumer.receive(at, length, meta, 0, 64);
    expect(ring.consumer.broken).toBe(reason);
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(0);
    expect(ring.consumer.pending).toBe(false);
    ring.consumer.release();
  });

  it('that takes back what it published is found out', () => {
    const ring = setUp();
    push(ring, 100, 2);
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(2);
    ring.words[HEAD] = 128;
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(0);
    expect(ring.consumer.broken).toBe('head out of range');
  });

  it('gets what came before delivered', () => {
    const ring = setUp();
    push(ring, 100, 2);
    ring.words[DATA + 32] = -7;
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(1);
    expect(ring.consumer.broken).toBe('record length out of range');
  });
});

describe('a bad consumer', () => {
  const cases: [string, (ring: ReturnType<typeof setUp>) => void, string][] = [
    ['tail not a multiple of a block', ({ words }) => (words[TAIL] = 3), 'tail is no index'],
    ['tail beyond twice the capacity', ({ words }) => (words[TAIL] = 2 * CAPACITY + 64), 'tail is no index'],
    ['tail ahead of the head', ({ words }) => (words[TAIL] = CAPACITY + 128), 'tail out of range'],
    ['tail behind where it was', ({ words }) => (words[TAIL] = 2 * CAPACITY - 64), 'tail out of range'],
  ];
  it.each(cases)('%s breaks the ring under a name', (_, spoil, reason) => {
    const ring = setUp();
    while (ring.producer.reserve(100) > 0) ring.producer.commit(100, 0);
    ring.producer.publish();
    expect(ring.producer.broken).toBe('');
    ring.consumer.receive(at, length, meta, 0, 8);
    ring.consumer.release();
    expect(ring.producer.reserve(100)).toBeGreaterThan(0);
    while (ring.producer.reserve(100) > 0) ring.producer.commit(100, 0);
    expect(ring.producer.broken).toBe('');
    spoil(ring);
    expect(ring.producer.reserve(100)).toBe(-1);
    expect(ring.producer.broken).toBe(reason);
    expect(ring.producer.awaitRoom(10)).toBe(false);
  });
});

describe('attaching', () => {
  it('refuses what is no ring, by name', () => {
    const { arena, ringAt, words } = setUp();
    words[2] = CAPACITY * 2;
    expect(new RingConsumer(arena, ringAt, CAPACITY, PAD).broken).toBe('wrong capacity');
    words[1] = 9;
    expect(new RingProducer(arena, ringAt, CAPACITY, PAD).broken).toBe('version 9, expected 2');
    words[0] = 0;
    expect(new RingProducer(arena, ringAt, CAPACITY, PAD).broken).toBe('wrong magic number');
  });

  it('as a new consumer drops what was sent to the last one', () => {
    const ring = setUp();
    push(ring, 100, 3);
    const consumer = new RingConsumer(ring.arena, ring.ringAt, CAPACITY, PAD);
    consumer.takeOver();
    expect(consumer.pending).toBe(false);
    push(ring, 42);
    expect(consumer.receive(at, length, meta, 0, 64)).toBe(1);
    expect(length[0]).toBe(42);
  });

  it('as a new producer leaves what the last one published', () => {
    const ring = setUp();
    push(ring, 100, 3);
    const producer = new RingProducer(ring.arena, ring.ringAt, CAPACITY, PAD);
    producer.takeOver();
    push({ producer }, 42);
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(4);
    expect(length[3]).toBe(42);
  });

  it('works again after any garbage, once both ends are new', () => {
    const garbage = fc.tuple(
      fc.oneof(
        fc.integer(),
        fc.nat(130).map((n) => n * 64),
      ),
      fc.oneof(
        fc.integer(),
        fc.nat(130).map((n) => n * 64),
      ),
    );
    fc.assert(
      fc.property(garbage, fc.boolean(), fc.boolean(), ([head, tail], consumerFirst, magicGone) => {
        const ring = setUp();
        push(ring, 100, 5);
        ring.words[HEAD] = head;
        ring.words[TAIL] = tail;
        if (magicGone) ring.words[0] = 3;
        const producer = new RingProducer(ring.arena, ring.ringAt, CAPACITY, PAD);
        const consumer = new RingConsumer(ring.arena, ring.ringAt, CAPACITY, PAD);
        if (consumerFirst) consumer.takeOver();
        producer.takeOver();
        if (!consumerFirst) consumer.takeOver();
        // Records that the dead producer seemed to have published may still come; then the ring works.
        while (consumer.receive(at, length, meta, 0, 64) > 0) consumer.release();
        for (let i = 0; i < 100 && consumer.broken === ''; i++) {
          expect(producer.reserve(200)).toBeGreaterThan(0);
          producer.commit(200, i);
          producer.publish();
          expect(consumer.receive(at, length, meta, 0, 64)).toBe(1);
          expect(meta[0]).toBe(i);
          consumer.release();
        }
        expect([producer.broken, consumer.broken]).toEqual(['', '']);
      }),
      { numRuns: 300 },
    );
  });
});

describe('runs of records', () => {
  it('come out as single ones do, whatever was reserved, published, read and released in between', () => {
    const step = fc.record({ lengthBytes: fc.integer({ min: 0, max: 700 }), count: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.boolean(), fc.nat(5)), { maxLength: 60 }), (steps) => {
        const ring = setUp();
        const { producer, consumer, arena } = ring;
        const dataAt = ring.ringAt + RING_CONTROL_BYTES;
        const sent: number[] = [];
        const read: number[] = [];
        let number = 0;
        const take = (limit: number): void => {
          const count = consumer.receive(at, length, meta, 0, limit);
          for (let i = 0; i < count; i++)
            read.push(meta[i] as number, length[i] as number, arena.bytes[at[i] as number] as number);
          consumer.release();
        };
        for (const [{ lengthBytes, count }, single, limit] of steps) {
          const reserved = single ? 0 : producer.reserveRun(lengthBytes, count);
          const stride = recordBytes(lengthBytes, PAD);
          if (reserved > 0) {
            expect(reserved).toBeLessThanOrEqual(count);
            expect(producer.runAt).toBeGreaterThanOrEqual(dataAt + 10);
            expect(producer.runAt + (reserved - 1) * stride + lengthBytes).toBeLessThanOrEqual(dataAt + CAPACITY);
            for (let i = 0; i < reserved; i++) arena.bytes[producer.runAt + i * stride] = 0x77;
            producer.commitRun(reserved, lengthBytes, number);
            for (let i = 0; i < reserved; i++) sent.push(number, lengthBytes, 0x77);
            number++;
          } else {
            const place = producer.reserve(lengthBytes);
            if (place >= 0) {
              arena.bytes[place] = 0x33;
              producer.commit(lengthBytes, number);
              sent.push(number++, lengthBytes, 0x33);
            }
          }
          if (limit > 0) producer.publish();
          take(limit * 10);
        }
        producer.publish();
        for (let i = 0; i < 10; i++) take(64);
        expect([producer.broken, consumer.broken]).toEqual(['', '']);
        expect(read).toEqual(sent);
      }),
      { numRuns: 300 },
    );
  });

  it('fill the ring to the last record that fits before its end, and no further', () => {
    const ring = setUp();
    expect(ring.producer.reserveRun(502, 100)).toBe(8);
    expect(ring.producer.reserveRun(600, 100)).toBe(6);
    ring.producer.commitRun(6, 600, 0);
    // `reserve` skips the bytes left before the end.
    expect(ring.producer.reserveRun(600, 100)).toBe(0);
    expect(ring.producer.reserve(600)).toBe(-1);
    expect(ring.producer.reserveRun(100, 100)).toBe(2);
  });

  it('that end with the ring leave its start to what follows', () => {
    const ring = setUp();
    expect(ring.producer.reserveRun(502, 100)).toBe(8);
    ring.producer.commitRun(8, 502, 0);
    ring.producer.publish();
    expect(ring.consumer.receive(at, length, meta, 0, 64)).toBe(8);
    ring.consumer.release();
    expect(ring.producer.reserveRun(502, 100)).toBe(8);
    const start = ring.ringAt + RING_CONTROL_BYTES + 10;
    expect([ring.producer.runAt, ring.producer.reserve(502)]).toEqual([start, start]);
  });

  it('take what the consumer has given back, and nothing once the ring is broken', () => {
    const ring = setUp();
    ring.producer.reserveRun(502, 8);
    ring.producer.commitRun(8, 502, 0);
    ring.producer.publish();
    expect(ring.producer.reserveRun(502, 8)).toBe(0);
    ring.words[TAIL] = 1024;
    expect(ring.producer.reserveRun(502, 8)).toBe(2);
    ring.words[TAIL] = 65;
    expect(ring.producer.reserveRun(502, 8)).toBe(0);
    expect(ring.producer.broken).not.toBe('');
    ring.words[TAIL] = 2048;
    expect(ring.producer.reserveRun(502, 2)).toBe(0);
  });
});

describe('any garbage', () => {
  it('never throws, never points outside, and breaks at most this ring', () => {
    const write = fc.record({ word: fc.nat(ringBytes(CAPACITY) / 4 - 1), value: fc.oneof(fc.integer(), fc.nat(8192)) });
    const hot = fc.record({
      word: fc.constantFrom(HEAD, TAIL, WAITING, DATA, DATA + 32, DATA + 64),
      value: fc.integer({ min: -70, max: 8300 }),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(write, hot), { maxLength: 120 }), (writes) => {
        const ring = setUp();
        const dataAt = ring.ringAt + RING_CONTROL_BYTES;
        for (const { word, value } of writes) {
          const place = ring.producer.reserve(word % 300);
          if (place >= 0) {
            expect(place).toBeGreaterThanOrEqual(dataAt + 10);
            expect(place + (word % 300)).toBeLessThanOrEqual(dataAt + CAPACITY);
            ring.producer.commit(word % 300, value);
          }
          const run = ring.producer.reserveRun(word % 300, 1 + (word % 5));
          if (run > 0) {
            expect(ring.producer.runAt).toBeGreaterThanOrEqual(dataAt + 10);
            expect(ring.producer.runAt + run * recordBytes(word % 300, PAD) - 10).toBeLessThanOrEqual(
              dataAt + CAPACITY,
            );
            ring.producer.commitRun(run, word % 300, value);
          }
          ring.words[word] = value;
          ring.producer.publish();
          const count = ring.consumer.receive(at, length, meta, 0, 64);
          for (let i = 0; i < count; i++) {
            expect(at[i]).toBeGreaterThanOrEqual(dataAt + 10);
            expect(length[i]).toBeGreaterThanOrEqual(0);
            expect((at[i] as number) + (length[i] as number)).toBeLessThanOrEqual(dataAt + CAPACITY);
          }
          ring.consumer.release();
          ring.producer.awaitRoom(word % 100);
        }
      }),
      { numRuns: 500 },
    );
  });
});
