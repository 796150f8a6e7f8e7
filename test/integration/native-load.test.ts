/** Threads that are ended while they load native code, which ends their process where nobody looks. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { Running } from '../fixtures/mk.ts';

const CHILD = join(import.meta.dirname, 'native-load-child.js');

it.skipIf(libc() === null)('the process of threads goes on, whenever these are ended', async () => {
  const { out, err, code } = await new Running(spawn(process.execPath, [CHILD, '30', '40'])).done;
  // Some had loaded by then, some had not.
  expect([out, err, code]).toEqual(['30 true true\n', '', 0]);
});
