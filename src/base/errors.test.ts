/** Error numbers: those of this machine's system, names both ways, the error that the public API throws. */

import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Errno, errnoName, MultikernelError } from './errors.ts';

describe('errors', () => {
  it.skipIf(process.platform !== 'linux')('has the numbers of Linux', () => {
    const system: Record<string, number> = constants.errno;
    const known = Object.entries(Errno).filter(([name]) => name in system);
    expect(known.length).toBeGreaterThan(30);
    for (const [name, number] of known) expect([name, number]).toEqual([name, system[name]]);
  });

  it('names numbers, negative ones too, and what it does not know EIO', () => {
    expect(errnoName(Errno.ECONNREFUSED)).toBe('ECONNREFUSED');
    expect(errnoName(-Errno.ETIMEDOUT)).toBe('ETIMEDOUT');
    expect(errnoName(9999)).toBe('EIO');
  });

  it('throws errors with a code', () => {
    const error = new MultikernelError('EADDRINUSE', 'port 80 is taken', { cause: 'test' });
    expect(error).toMatchObject({ name: 'MultikernelError', code: 'EADDRINUSE', message: 'port 80 is taken' });
    expect(error).toBeInstanceOf(Error);
    expect(error.cause).toBe('test');
  });
});
