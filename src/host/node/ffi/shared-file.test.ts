import { ftruncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../../mem/arena.ts';
import { libc } from './libc.ts';
import { createSharedFile, mapFile, openSharedFile, unmapFile } from './shared-file.ts';

const BYTES = 131_072;

describe.skipIf(libc() === null)('a shared file', () => {
  it('is one memory wherever it is mapped, and keeps its size', () => {
    const arena = Arena.create(1 << 20);
    const region = arena.part(arena.offset(arena.allocate(BYTES, 65_536)), BYTES);
    region.words[region.base >> 2] = 7;
    const file = createSharedFile(BYTES);
    mapFile(region, file.fd);
    expect(region.words[region.base >> 2]).toBe(0);
    const other = new Int32Array(openSharedFile(file.path, BYTES));
    region.words[region.base >> 2] = 1;
    other[BYTES / 4 - 1] = 2;
    expect(other[0]).toBe(1);
    expect(region.words[(region.base + BYTES) / 4 - 1]).toBe(2);
    expect(() => ftruncateSync(file.fd, 0)).toThrow('EPERM');
    file.close();
    expect(() => openSharedFile(file.path, BYTES)).toThrow();
    unmapFile(region);
    expect(region.words[region.base >> 2]).toBe(0);
    region.words[region.base >> 2] = 3;
    expect(other[0]).toBe(1);
  });

  it('lies on whole blocks of memory only', () => {
    const arena = Arena.create(1 << 20);
    const at = arena.allocate(BYTES + 4096, 65_536);
    const file = createSharedFile(BYTES);
    expect(() => mapFile(arena.part(arena.offset(at) + 4096, BYTES), file.fd)).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    file.close();
  });
});
