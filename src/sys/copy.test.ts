/** One suite over the four kinds of memory that a program may have. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import {
  ArrayMemory,
  FrameMemory,
  type GrowableMemory,
  InstanceMemory,
  RegionMemory,
  type UserMemory,
} from './copy.ts';

const BYTES = 65_536;

interface Instance extends GrowableMemory {
  grow(pages: number): number;
}

/** A memory of one page that may grow to four. */
function instanceMemory(): Instance {
  type Constructor = new (limits: { initial: number; maximum: number }) => Instance;
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: Constructor } }).WebAssembly;
  return new Memory({ initial: 1, maximum: 4 });
}

/** A memory of 64 KiB, and its bytes as the program sees them. */
interface Made {
  readonly memory: UserMemory;
  at(address: number): number;
}

function filled(): Uint8Array {
  return Uint8Array.from({ length: BYTES }, (_, i) => i & 0xff);
}

const KINDS: Readonly<Record<string, () => Made>> = {
  'an array': () => {
    const bytes = filled();
    return { memory: new ArrayMemory(bytes), at: (address) => bytes[address] as number };
  },
  'a frame': () => {
    const memory = new FrameMemory(1 << 20);
    const bytes = filled();
    memory.add(0, bytes, true);
    return { memory, at: (address) => bytes[address] as number };
  },
  'a shared region': () => {
    const region = new Uint8Array(new SharedArrayBuffer(BYTES * 3)).fill(0xee);
    region.set(filled(), BYTES);
    return { memory: new RegionMemory(region, BYTES, BYTES), at: (address) => region[BYTES + address] as number };
  },
  'an instance': () => {
    const instance = instanceMemory();
    new Uint8Array(instance.buffer).set(filled());
    return {
      memory: new InstanceMemory(instance),
      at: (address) => new Uint8Array(instance.buffer)[address] as number,
    };
  },
};

describe.each(Object.entries(KINDS))('memory of %s', (_kind, make) => {
  it('is copied in and out', () => {
    const { memory, at } = make();
    const block = new Uint8Array(8);
    expect(memory.copyIn(0x1234, block, 2, 4)).toBe(0);
    expect([...block]).toEqual([0, 0, 0x34, 0x35, 0x36, 0x37, 0, 0]);
    expect(memory.copyOut(Uint8Array.of(9, 8, 7), 1, 0x10, 2)).toBe(0);
    expect([at(0x0f), at(0x10), at(0x11), at(0x12)]).toEqual([0x0f, 8, 7, 0x12]);
  });

  it('ends at its last byte', () => {
    const { memory } = make();
    const block = new Uint8Array(16);
    expect(memory.copyIn(BYTES - 1, block, 0, 1)).toBe(0);
    expect(block[0]).toBe(0xff);
    expect(memory.copyIn(BYTES - 1, block, 0, 2)).toBe(-Errno.EFAULT);
    expect(memory.copyIn(BYTES, block, 0, 1)).toBe(-Errno.EFAULT);
    expect(memory.copyIn(BYTES, block, 0, 0)).toBe(0);
  });

  it.each([-1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 32, 2 ** 53, Number.MAX_VALUE])(
    'has nothing at %s, and nothing is thrown or moved',
    (address) => {
      const { memory } = make();
      const block = Uint8Array.of(1, 2, 3, 4);
      expect(memory.copyIn(address, block, 0, 4)).toBe(-Errno.EFAULT);
      expect([...block]).toEqual([1, 2, 3, 4]);
      expect(memory.resolve(0, address, false)).toBe(-Errno.EFAULT);
    },
  );

  it('gives for every range what is there, or -EFAULT', () => {
    const { memory } = make();
    fc.assert(
      fc.property(fc.integer({ min: -8, max: BYTES + 8 }), fc.integer({ min: -2, max: 64 }), (address, length) => {
        const inside = address >= 0 && length >= 0 && address + length <= BYTES;
        const block = new Uint8Array(64);
        const result = memory.copyIn(address, block, 0, length);
        // An empty range of a frame is nowhere in particular.
        if (length === 0 && address >= 0) return result === 0 || !inside;
        if (!inside) return result === -Errno.EFAULT;
        return result === 0 && block.slice(0, length).every((byte, i) => byte === ((address + i) & 0xff));
      }),
    );
  });
});

describe('memory of a shared region', () => {
  it('is not left, whatever its neighbors hold', () => {
    const region = new Uint8Array(new SharedArrayBuffer(64)).fill(0xee);
    const memory = new RegionMemory(region, 16, 16);
    expect(memory.copyOut(new Uint8Array(17), 0, 0, 17)).toBe(-Errno.EFAULT);
    expect(memory.copyOut(new Uint8Array(16), 0, 0, 16)).toBe(0);
    expect([...region]).toEqual([...new Array(16).fill(0xee), ...new Array(16).fill(0), ...new Array(32).fill(0xee)]);
    expect(new RegionMemory(region, 48, 99).copyIn(16, new Uint8Array(1), 0, 1)).toBe(-Errno.EFAULT);
  });
});

describe('memory of an instance', () => {
  it('is followed when it grows', () => {
    const instance = instanceMemory();
    const memory = new InstanceMemory(instance);
    const block = new Uint8Array(1);
    expect(memory.copyIn(BYTES, block, 0, 1)).toBe(-Errno.EFAULT);
    instance.grow(1);
    new Uint8Array(instance.buffer)[BYTES] = 7;
    expect(memory.copyIn(BYTES, block, 0, 1)).toBe(0);
    expect(block[0]).toBe(7);
    expect(memory.copyOut(Uint8Array.of(9), 0, 0, 1)).toBe(0);
    expect(new Uint8Array(instance.buffer)[0]).toBe(9);
  });
});

describe('memory of a frame', () => {
  it('says what is missing, and has it once it was added', () => {
    const memory = new FrameMemory(1024);
    const block = new Uint8Array(4);
    expect(memory.copyIn(0x7fff_1000, block, 0, 4)).toBe(-Errno.EFAULT);
    expect([memory.wantedAddress, memory.wantedBytes]).toEqual([0x7fff_1000, 4]);
    expect(memory.add(0x7fff_1000, Uint8Array.of(1, 2, 3, 4))).toBe(true);
    expect([memory.copyIn(0x7fff_1001, block, 0, 3), memory.wantedBytes]).toEqual([0, 0]);
    expect([...block]).toEqual([2, 3, 4, 0]);
  });

  it('keeps what is written apart, to be sent back', () => {
    const memory = new FrameMemory(1024);
    memory.add(100, Uint8Array.of(1, 2, 3, 4));
    expect(memory.copyOut(Uint8Array.of(9), 0, 101, 1)).toBe(0);
    const back = new Uint8Array(1);
    expect([memory.copyIn(101, back, 0, 1), back[0]]).toEqual([0, 9]);
    const written: [number, number[]][] = [];
    memory.written((address, bytes) => written.push([address, [...bytes]]));
    expect(written).toEqual([[101, [9]]]);
  });

  it('holds no more than it may', () => {
    const memory = new FrameMemory(16);
    expect(memory.add(0, new Uint8Array(17))).toBe(false);
    expect(memory.copyOut(new Uint8Array(17), 0, 0, 17)).toBe(-Errno.EFAULT);
    expect(memory.copyIn(0, new Uint8Array(17), 0, 17)).toBe(-Errno.EFAULT);
    expect(memory.wantedBytes).toBe(0);
    memory.add(0, new Uint8Array(16));
    memory.clear();
    expect(memory.add(0, new Uint8Array(16))).toBe(true);
  });
});
