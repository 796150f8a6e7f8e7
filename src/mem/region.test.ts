import { describe, expect, it } from 'vitest';
import { Region, viewsOf } from './region.ts';

describe('region', () => {
  it('converts offsets to places of the buffer and back', () => {
    const region = new Region(viewsOf(new SharedArrayBuffer(4096)), 1024, 512);
    expect([region.place(0), region.place(100), region.offset(1124)]).toEqual([1024, 1124, 100]);
    const part = region.part(128, 256);
    expect([part.base, part.byteLength, part.offset(1152)]).toEqual([1152, 256, 0]);
    expect(part.words).toBe(region.words);
  });

  it('holds what lies within it, whatever numbers come', () => {
    const region = new Region(viewsOf(new SharedArrayBuffer(4096)), 1024, 512);
    expect([region.holds(0, 512), region.holds(511, 1), region.holds(512, 0)]).toEqual([true, true, true]);
    for (const [offset, byteLength] of [
      [0, 513],
      [-1, 1],
      [512, 1],
      [Number.NaN, 1],
      [1, -1],
      [0x7fffffff, 0x7fffffff],
    ] as const) {
      expect(region.holds(offset, byteLength)).toBe(false);
    }
    expect(() => region.part(300, 300)).toThrow();
    expect(() => new Region(viewsOf(new SharedArrayBuffer(4096)), 64, 512)).toThrow();
    expect(() => new Region(viewsOf(new SharedArrayBuffer(4096)), 4096, 128)).toThrow();
  });
});
