/**
 * Runs an ordinary Node program in this worker, beside its kernel.
 *
 * Thread: a worker of the lab. The program sees its own argv, cwd and exit; `process.exit()` and an uncaught error end the
 * worker, and with it the kernel, as pulling the plug of a machine would. A program that ends by itself leaves a machine
 * that first delivers what its sockets still hold.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import type { ProgramBoot } from '../lab/messages.ts';

const require = createRequire(import.meta.url);

/** Period of the look at the sockets of a program that ended, and the time that they have to deliver. */
const DRAIN_POLL_MS = 10;
const DRAIN_MS_MAX = 3_000;

/** Make `process` look as if `node script argv...` had been typed in the program's directory on a machine called `hostname`. */
export function impersonate(program: ProgramBoot, hostname: string): void {
  process.argv.splice(1, process.argv.length - 1, program.script, ...program.argv);
  // chdir() does not exist in workers; relative paths of the file system keep following the process.
  process.cwd = () => program.cwd;
  process.kill = killer(process.kill);
  (require('node:os') as { hostname: () => string }).hostname = () => hostname;
  // Programs that start threads ask which of them they are: this one is the first.
  Object.assign(require('node:worker_threads'), {
    isMainThread: true,
    parentPort: null,
    workerData: null,
    threadId: 0,
  });
  syncBuiltinESMExports();
}

/** Signals whose default action is to do nothing. */
const IGNORED: ReadonlySet<string> = new Set(['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH']);

/**
 * `process.kill` that keeps to this machine: a signal that a program sends to itself would reach the process, which is the
 * whole lab. Its listeners hear it, or it ends this machine as it would have ended the process.
 */
function killer(kill: typeof process.kill): typeof process.kill {
  return (pid, signal = 'SIGTERM') => {
    const number = typeof signal === 'number' ? signal : constants.signals[signal as NodeJS.Signals];
    const name = Object.entries(constants.signals).find((entry) => entry[1] === number)?.[0] as NodeJS.Signals;
    // 0 only asks; what is no signal at all is told so by Node.
    if ((pid !== process.pid && pid !== 0) || name === undefined) return kill.call(process, pid, signal);
    if (name !== 'SIGKILL' && name !== 'SIGSTOP' && process.listenerCount(name) > 0) {
      setImmediate(() => process.emit(name, name));
    } else if (!IGNORED.has(name)) {
      (process as unknown as { reallyExit(code: number): void }).reallyExit(128 + (number as number));
    }
    return true;
  };
}

/**
 * Once the program has nothing more to do, hold the thread until `drained()` says that nothing is left to send, at most
 * three seconds.
 */
export function drainBeforeExit(drained: () => boolean): void {
  let waitedMs = 0;
  process.on('beforeExit', () => {
    if (drained() || waitedMs >= DRAIN_MS_MAX) return;
    waitedMs += DRAIN_POLL_MS;
    setTimeout(() => {}, DRAIN_POLL_MS);
  });
}

/** Load the program as Node loads the file on its command line; an error it throws is the worker's uncaught error. */
export function runProgram(program: ProgramBoot): void {
  (require('node:module') as { runMain(main: string): void }).runMain(program.script);
}
