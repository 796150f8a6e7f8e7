/**
 * A command whose process stands for another: streams, signals and the end of that are its own.
 *
 * Thread: the command's.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { CommandFailure } from './failure.ts';

/** Signals that a terminal or a service manager sends; those of a terminal reach the program by themselves. */
const PASSED_ON: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGINT', 'SIGQUIT'];

export interface ChildEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Run a program with the streams of this process, to its end. */
export async function runChild(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<ChildEnd> {
  const child = spawn(file, args, { stdio: 'inherit', env });
  const handlers = PASSED_ON.map((signal): [NodeJS.Signals, () => void] => [signal, () => passOn(child, signal)]);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  const end = await new Promise<ChildEnd>((done, reject) => {
    child.on('error', (error) => reject(new CommandFailure(`${file}: ${error.message}`)));
    child.on('exit', (code, signal) => done({ code, signal }));
  });
  for (const [name, handler] of handlers) process.off(name, handler);
  return end;
}

/** The exit code of the program; a signal that ended it ends this process too. */
export function endAs({ code, signal }: ChildEnd): number {
  if (signal === null) return code ?? 0;
  process.kill(process.pid, signal);
  return 128 + (constants.signals[signal] ?? 0);
}

/** A terminal sends Ctrl-C to the whole foreground group: the program has it already. */
function passOn(child: ChildProcess, signal: NodeJS.Signals): void {
  const terminal = process.stdin.isTTY === true || process.stdout.isTTY === true || process.stderr.isTTY === true;
  if (!(terminal && (signal === 'SIGINT' || signal === 'SIGQUIT'))) child.kill(signal);
}
