import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';

describe('arena', () => {
  it('is a fixed shared memory that another thread attaches to', () => {
    const arena = Arena.create(1_000_000, { doorbells: 8 });
    expect(arena.byteLength).toBe(16 * 65536);
    expect(arena.buffer).toBeInstanceOf(SharedArrayBuffer);
    const other = Arena.attach(arena.memory);
    other.view.setInt32(500_000, 42);
    expect(arena.view.getInt32(500_000)).toBe(42);
    expect(other.doorbellCount).toBe(8);
  });

  it('allocates aligned ranges that never overlap, from any attachment', () => {
    const arena = Arena.create(1_000_000);
    const other = Arena.attach(arena.memory);
    const a = arena.allocate(100, 64);
    const b = other.allocate(1, 4096);
    const c = arena.allocate(8, 8);
    expect(a % 64).toBe(0);
    expect(b % 4096).toBe(0);
    expect(b).toBeGreaterThanOrEqual(a + 100);
    expect(c).toBeGreaterThan(b);
    expect(other.usedBytes).toBe(c + 8);
  });

  it('says when it is used up, and changes nothing then', () => {
    const arena = Arena.create(0);
    const used = arena.usedBytes;
    expect(() => arena.allocate(10_000_000)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    expect(() => arena.allocate(Number.NaN)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    expect(arena.usedBytes).toBe(used);
  });

  it('gives each doorbell once', () => {
    const arena = Arena.create(0, { doorbells: 3 });
    const bells = [arena.allocateDoorbell(), arena.allocateDoorbell(), arena.allocateDoorbell()];
    expect(new Set(bells).size).toBe(3);
    expect(() => arena.allocateDoorbell()).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    for (const at of bells) expect(arena.isDoorbell(at)).toBe(true);
    for (const at of [0, -1, Number.NaN, (bells[0] as number) + 4, (bells[2] as number) + 128]) {
      expect(arena.isDoorbell(at)).toBe(false);
    }
  });

  it('refuses what is no arena', () => {
    const code = expect.objectContaining({ code: 'EPROTO' });
    const blank = { buffer: new SharedArrayBuffer(65536) };
    expect(() => Arena.attach(blank)).toThrow(code);
    const arena = Arena.create(0);
    arena.words[1] = 77;
    expect(() => Arena.attach(arena.memory)).toThrow('arena version 77, expected 2');
    arena.words[1] = 2;
    arena.words[4] = -5;
    expect(() => Arena.attach(arena.memory)).toThrow(code);
  });

  it('refuses sizes that offsets cannot express', () => {
    expect(() => Arena.create(2 ** 31)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});
