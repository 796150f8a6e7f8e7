/**
 * `node --import multikernel/hijack program.js`, also `--require`: the sockets of the program, and of the Node processes and threads
 * that it starts, are those of the kernel that `RUMP_SERVER` names.
 *
 * Thread: the main thread of a process, or a worker. A failure is one line and exit code 1. When the kernel goes, connections
 * fail with ECONNRESET, other sockets and new ones with ENETDOWN, and the program goes on. A program that has a kernel, of
 * `mk run` or of a lab, keeps it.
 * Read first: worker/preload.ts, rump/url.ts.
 *
 * @module multikernel/hijack
 */

import { writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { MultikernelError } from '../base/errors.ts';
import { hidePreload, inheritedKernelUrl } from '../node/children.ts';
import { hasFace } from '../node/face.ts';
import { formatServerUrl, parseServerUrl, serverOfEnvironment } from '../rump/url.ts';
import { useKernelElsewhere } from './kernel-elsewhere.ts';

const NOBODY: ReadonlySet<unknown> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET']);

/** Not by `process.stderr`, which loads `node:net` where that is a pipe. */
function say(text: string): void {
  try {
    writeSync(2, `multikernel: ${text}\n`);
  } catch {
    // Nobody reads it.
  }
}

/** The URL for this process and its children, which may start in other folders. Throws EINVAL. */
function wantedUrl(): string {
  const inherited = inheritedKernelUrl();
  if (inherited !== null) return inherited;
  const url = serverOfEnvironment(process.env);
  if (url === null) throw new MultikernelError('EINVAL', 'RUMP_SERVER names no kernel, e.g. unix:///run/lab/api.sock');
  if (url.kind === 'tcp' || url.path.startsWith('\0')) return formatServerUrl(url);
  return formatServerUrl({ ...url, path: resolve(url.path) });
}

function withoutKey(url: string): string {
  return formatServerUrl({ ...parseServerUrl(url), key: null });
}

function hijack(): void {
  const preload = fileURLToPath(import.meta.url);
  const url = wantedUrl();
  hidePreload(preload, [preload, import.meta.url, 'multikernel/hijack']);
  const name = withoutKey(url);
  try {
    const sockets = useKernelElsewhere(url, preload);
    sockets.onGone = () => {
      if (isMainThread) say(`${name}: the kernel is gone`);
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new MultikernelError('EIO', `${name}: ${NOBODY.has(code) ? 'no kernel answers there' : message}`);
  }
}

if (!hasFace()) {
  try {
    hijack();
  } catch (error) {
    say((error as Error).message);
    process.exit(1);
  }
}
