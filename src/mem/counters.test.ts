import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { Counters } from './counters.ts';

describe('counters', () => {
  it('are read by name from another attachment', () => {
    const arena = Arena.create(0x10_0000);
    const counters = Counters.open(arena, 'api/eth0');
    const rx = counters.index('rxFrames');
    const tx = counters.index('txFrames');
    expect(counters.index('rxFrames')).toBe(rx);
    counters.add(rx, 3);
    counters.add(rx, 2 ** 40);
    counters.set(tx, 7);
    const [seen] = Counters.list(Arena.attach(arena.memory)) as [Counters];
    expect(seen.name).toBe('api/eth0');
    expect(seen.snapshot()).toEqual({ rxFrames: 3 + 2 ** 40, txFrames: 7 });
    counters.add(tx, 1);
    expect(seen.get(seen.index('txFrames'))).toBe(8);
  });

  it('form one list, and a new owner of a name takes the old block at zero', () => {
    const arena = Arena.create(0x10_0000);
    const first = Counters.open(arena, 'a');
    first.add(first.index('x'), 5);
    Counters.open(arena, 'b');
    const used = arena.usedBytes;
    const again = Counters.open(arena, 'a');
    expect(again.at).toBe(first.at);
    expect(arena.usedBytes).toBe(used);
    expect(again.snapshot()).toEqual({});
    expect(again.get(again.index('y'))).toBe(0);
    expect(Counters.list(arena).map((block) => block.name)).toEqual(['b', 'a']);
    Counters.open(arena, 'a', 3);
    expect(Counters.list(arena)).toHaveLength(3);
  });

  it('keep to their capacity and their alphabet', () => {
    const counters = Counters.open(Arena.create(0x10_0000), 'small', 2);
    counters.index('one');
    counters.index('two');
    expect(() => counters.index('three')).toThrow('more than 2 names');
    expect(() => Counters.open(Arena.create(0), 'with space')).toThrow('label');
    expect(() => Counters.open(Arena.create(0), 'x'.repeat(48))).toThrow('label');
  });

  it('survive scribbling over the list and the labels', () => {
    const arena = Arena.create(0x10_0000);
    Counters.open(arena, 'first');
    const last = Counters.open(arena, 'last');
    last.index('n');
    const word = last.at >> 2;
    arena.words[word + 3] = 1_000_000;
    arena.bytes[last.at + 128] = 255;
    expect(Object.keys(last.snapshot()).length).toBeGreaterThan(0);
    arena.words[word + 4] = last.at;
    expect(Counters.list(arena).length).toBeGreaterThan(1);
    for (const bad of [3, -64, 0x7fff_ffc0, 0x10_0000 - 64]) {
      arena.words[word + 4] = bad;
      expect(Counters.list(arena)).toHaveLength(1);
    }
    arena.words[word + 2] = 0x7fff_ffff;
    expect(Counters.list(arena)).toHaveLength(0);
  });
});
