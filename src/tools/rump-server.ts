/**
 * `rump_server`: starts a kernel in a process of its own, and returns when that accepts connections.
 *
 * Thread: the command's. The kernel is worker/rump-kernel.ts, which has a session of its own, no standard streams, and the folder of
 * the command; a pipe tells the command what became of it. With -s the command becomes the kernel. Read first: server-options.ts.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { moduleUrl } from '../base/module-url.ts';
import { parseServerOptions, type RumpServerOptions, SERVER_USAGE, ServerRefusal } from './server-options.ts';

const KERNEL = moduleUrl('../worker/rump-kernel', import.meta.url);
const NAME = 'rump_server';
/** Variable by which the kernel gets its options. */
const GIVEN = 'MK_RUMP_KERNEL';

interface Told {
  /** Lines of -v. */
  lines?: string[];
  error?: string;
}

interface ServerSink {
  write(text: string): void;
  error(text: string): void;
}

/** Exit code; with -s the process goes on as the kernel afterwards. */
export async function startServer(args: readonly string[], out: ServerSink): Promise<number> {
  try {
    const options = parseServerOptions(args);
    // With -s the exit code is the kernel's.
    const told = options.foreground ? await become(options) : await detach(options);
    if (told.error !== undefined) throw new ServerRefusal(told.error);
    for (const line of told.lines ?? []) out.write(`${line}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ServerRefusal)) throw error;
    if (error.message !== '') out.error(`${NAME}: ${error.message}\n`);
    if (error.usage) out.error(`${SERVER_USAGE}\n`);
    return 1;
  }
}

/** The process is the kernel from here on, and says itself what goes wrong. */
async function become(options: RumpServerOptions): Promise<Told> {
  process.env[GIVEN] = JSON.stringify(options);
  await import(KERNEL.href);
  return {};
}

function detach(options: RumpServerOptions): Promise<Told> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(KERNEL)], {
      detached: true,
      env: { ...process.env, [GIVEN]: JSON.stringify(options) },
      // The last is the pipe that tells.
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    const pipe = child.stdio[3] as NodeJS.ReadableStream;
    let text = '';
    pipe.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    pipe.on('end', () => {
      child.unref();
      if (text === '') resolve({ error: 'rump init failed: the kernel ended at once' });
      else resolve(JSON.parse(text) as Told);
    });
    child.on('error', reject);
  });
}
