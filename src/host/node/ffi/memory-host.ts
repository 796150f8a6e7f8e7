/** The host's memory between processes, for clients of remote calls (rump/region-client.ts). Thread: any. */

import { Buffer } from 'node:buffer';
import type { MemoryHost } from '../../contract.ts';
import { nodeBufferCopy } from '../buffer-copy.ts';
import { libc } from './libc.ts';
import { openSharedFile } from './shared-file.ts';
import { sendWake, waitReadable } from './wake-line.ts';

/** Null where koffi is missing, or Node lends no copy. */
export function memoryHost(): MemoryHost | null {
  const copy = nodeBufferCopy();
  if (copy === null || libc() === null) return null;
  return { open: openSharedFile, wake: sendWake, wait: waitReadable, copy, allocate: Buffer.allocUnsafeSlow };
}
