import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { formatRingPair, RingPair, ringPairBytes } from './ring-pair.ts';

const CAPACITY = 4096;

function pairs(): { region: Arena | ReturnType<Arena['part']>; client: RingPair; kernel: RingPair } {
  const arena = Arena.create(1 << 20);
  const bytes = ringPairBytes(CAPACITY);
  const region = arena.part(arena.offset(arena.allocate(bytes, 128)), bytes);
  formatRingPair(region, CAPACITY);
  return { region, client: RingPair.open(region, 0), kernel: RingPair.open(region, 1) };
}

function put(pair: RingPair, byte: number): void {
  const at = pair.out.reserve(1);
  pair.region.bytes[at] = byte;
  pair.out.commit(1, 0);
}

function take(pair: RingPair): number[] {
  const [at, length, meta] = [new Int32Array(8), new Int32Array(8), new Int32Array(8)];
  const count = pair.in.receive(at, length, meta, 0, 8);
  const bytes = [...at.subarray(0, count)].map((place) => pair.region.bytes[place] as number);
  pair.release();
  return bytes;
}

describe('a ring pair', () => {
  it('carries records both ways', () => {
    const { client, kernel } = pairs();
    put(client, 1);
    put(client, 2);
    client.publish();
    put(kernel, 3);
    kernel.publish();
    expect(take(kernel)).toEqual([1, 2]);
    expect(take(client)).toEqual([3]);
  });

  it('has a sleeper woken once, and nobody who is awake', () => {
    const { client, kernel } = pairs();
    put(client, 1);
    expect(client.publish()).toBe(false);
    kernel.arm();
    expect(kernel.in.pending).toBe(true);
    put(client, 2);
    expect(client.publish()).toBe(true);
    put(client, 3);
    expect(client.publish()).toBe(false);
    kernel.disarm();
    kernel.arm();
    put(client, 4);
    expect(client.publish()).toBe(true);
  });

  it('wakes a sleeper that waits for room, when there is plenty', () => {
    const { client, kernel } = pairs();
    for (let room = client.out.reserve(500); room >= 0; room = client.out.reserve(500)) client.out.commit(500, 0);
    client.publish();
    expect(client.out.awaitRoom(500)).toBe(false);
    client.arm();
    const [at, length, meta] = [new Int32Array(8), new Int32Array(8), new Int32Array(8)];
    expect(kernel.in.receive(at, length, meta, 0, 8)).toBeGreaterThan(4);
    expect(kernel.release()).toBe(true);
    expect(client.out.reserve(500)).toBeGreaterThan(0);
  });

  it('is refused where there is none', () => {
    const { region } = pairs();
    const words = region.words;
    const open = (): string => {
      try {
        RingPair.open(region, 0);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const capacityWord = (region.base >> 2) + 2;
    for (const capacity of [0, -64, CAPACITY * 2, 0x7fffffff]) {
      words[capacityWord] = capacity;
      expect(open()).toBe('ring pair: other sizes');
    }
    words[region.base >> 2] = 0;
    expect(open()).toBe('ring pair: wrong magic number');
  });
});
