/**
 * Runs an ordinary Node program in this worker, beside its kernel.
 *
 * Thread: a worker of the lab. The program sees its own argv, cwd and exit; its end, also by `process.exit()`, a signal or an
 * uncaught error, ends the worker, and with it the kernel, which first closes the program's sockets (last-words.ts).
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Preload, ProgramBoot } from '../lab/messages.ts';

const require = createRequire(import.meta.url);

/** Make `process` look as if `node script argv...` had been typed in the program's directory on a machine called `hostname`. */
export function impersonate(program: ProgramBoot, hostname: string): void {
  process.argv.splice(1, process.argv.length - 1, program.script, ...program.argv);
  process.execArgv = [...program.execArgv];
  if (program.nodeOptions !== null) process.env.NODE_OPTIONS = program.nodeOptions;
  // Relative paths of the file system keep following the process.
  process.cwd = () => program.cwd;
  refuseChanges();
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

/** Calls that change a process, or end it with all that it runs. */
const OF_PROCESS = ['chdir', 'abort', 'initgroups', 'setegid', 'seteuid', 'setgid', 'setgroups', 'setuid'] as const;

/** Say, where Node only says that workers cannot do it, what can. */
function refuseChanges(): void {
  const calls = process as unknown as Record<string, unknown>;
  for (const name of OF_PROCESS) {
    if (typeof calls[name] !== 'function') continue;
    calls[name] = () => {
      const message = `process.${name}() is not supported in a program beside its kernel; the lab file can say "placement: process"`;
      throw Object.assign(new TypeError(message), { code: 'ERR_WORKER_UNSUPPORTED_OPERATION' });
    };
  }
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
    if (process.listenerCount(name) > 0) setImmediate(() => receiveSignal(name));
    else receiveSignal(name);
    return true;
  };
}

/** A signal for the program of this thread: its listeners hear it, or it does what it does by default. */
export function receiveSignal(name: NodeJS.Signals): void {
  if (name !== 'SIGKILL' && name !== 'SIGSTOP' && process.listenerCount(name) > 0) process.emit(name, name);
  else if (!IGNORED.has(name))
    (process as unknown as { reallyExit(code: number): void }).reallyExit(128 + constants.signals[name]);
}

type Emit = (event: string | symbol, ...args: unknown[]) => boolean;

/**
 * Call `ended` once when the program has ended, after its own `exit` handlers, which it may add at any time; also when a signal
 * ends it, which no handler hears.
 */
export function atProgramEnd(ended: () => void): void {
  let done = false;
  const once = (): void => {
    if (done) return;
    done = true;
    ended();
  };
  const self = process as unknown as { emit: Emit; reallyExit(code: number): void };
  const { emit, reallyExit } = self;
  self.emit = function (this: unknown, event, ...args) {
    try {
      return emit.call(this, event, ...args);
    } finally {
      if (event === 'exit') once();
    }
  };
  self.reallyExit = (code) => {
    once();
    reallyExit.call(process, code);
  };
}

/** Node's own loader, which the program may replace parts of. */
interface ModuleLoader {
  runMain(main: string): void;
  _preloadModules(modules: string[]): void;
}

type ModuleClass = new (name: string) => { exports: unknown; _compile(text: string, name: string): void };

/** `import()` as from a file in the folder `cwd`, where Node looks for what `--import` names. */
function importerAt(cwd: string): (specifier: string) => Promise<unknown> {
  const name = join(cwd, 'preload.cjs');
  const module = new (require('node:module') as ModuleClass)(name);
  module._compile('module.exports = (specifier) => import(specifier);', name);
  return module.exports as (specifier: string) => Promise<unknown>;
}

/** Load the program as Node loads the file on its command line; an error it throws is the worker's uncaught error. */
export function runProgram({ script, preloads, cwd }: ProgramBoot): void {
  const loader = require('node:module') as ModuleLoader;
  const named = (how: Preload['how']): string[] => preloads.filter((one) => one.how === how).map((one) => one.module);
  loader._preloadModules(named('require'));
  const imports = named('import');
  if (imports.length === 0) loader.runMain(script);
  else void importAll(imports, cwd).then(() => loader.runMain(script));
}

async function importAll(imports: readonly string[], cwd: string): Promise<void> {
  const load = importerAt(cwd);
  for (const specifier of imports) await load(specifier);
}
