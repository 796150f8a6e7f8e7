/**
 * futex(2) for words of a memory of this process, as all processes that map the same file have them.
 *
 * Thread: any. Read first: mem/futex-bell.ts.
 */

import { MultikernelError } from '../../../base/errors.ts';
import { NS_PER_US, US_PER_MS } from '../../../base/units.ts';
import type { Futex } from '../../../mem/futex-bell.ts';
import { libc, missing } from './libc.ts';

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const NS_PER_MS: number = NS_PER_US * US_PER_MS;

/** Waits are shorter than a second. Throws ENOSYS where futexes cannot be reached. */
export function futexOf(memory: Uint8Array): Futex {
  const calls = libc();
  if (calls === null) throw new MultikernelError('ENOSYS', missing());
  const { futex } = calls;
  if (futex === null) throw new MultikernelError('ENOSYS', `no futex on ${process.arch}`);
  const base = Number(calls.addressOf(memory));
  // A timespec: seconds, nanoseconds, 64 bits each.
  const timeout = new Int32Array(4);
  return {
    wait: (at, value, timeoutMs) => {
      timeout[2] = timeoutMs * NS_PER_MS;
      futex(base + at, FUTEX_WAIT, value, timeout);
    },
    wake: (at) => {
      futex(base + at, FUTEX_WAKE, 1, null);
    },
  };
}
