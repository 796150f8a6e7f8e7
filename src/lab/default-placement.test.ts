import { describe, expect, it } from 'vitest';
import { libc, missing } from '../host/node/ffi/libc.ts';
import { choosePlacement } from './default-placement.ts';

const GIB = 2 ** 30;

describe('the placement of programs that name none', () => {
  it.skipIf(libc() === null)('is a process while there is memory for all of them', () => {
    expect(choosePlacement(4, 4, 4 * GIB).placement).toBe('process');
    expect(choosePlacement(32, 32, 4 * GIB).placement).toBe('process');
    expect(choosePlacement(33, 33, 4 * GIB)).toEqual({
      placement: 'beside',
      reason: '33 processes would take more than half of the free memory',
    });
  });

  it.skipIf(libc() === null)('is beside the kernel in a lab that has no shared memory for each of its nodes', () => {
    expect(choosePlacement(160, 160, 64 * GIB).placement).toBe('process');
    expect(choosePlacement(2, 161, 64 * GIB)).toEqual({
      placement: 'beside',
      reason: 'a lab of more than 160 nodes shares no memory with processes',
    });
  });

  it.skipIf(libc() !== null)('is beside the kernel where memory cannot be shared', () => {
    expect(choosePlacement(1, 1, 4 * GIB)).toEqual({ placement: 'beside', reason: missing() });
  });
});
