/** Failures of commands: an exit code and one line. Thread: the command's. */

import { LabFileError } from '../index.ts';

/** Bad input, or nothing to work on. */
export const EXIT_USAGE = 2;
/** 128 and SIGINT, as shells give it. */
export const EXIT_INTERRUPTED = 130;

/** Ends the command: `mk COMMAND: message` on stderr (nothing when the message is empty) and the exit code. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_USAGE) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The line, and the code, for whatever a command threw. */
export function describeFailure(error: unknown): { line: string; exitCode: number } {
  if (error instanceof CommandFailure) return { line: error.message, exitCode: error.exitCode };
  if (error instanceof LabFileError) {
    const more = error.problems.length - 1;
    const rest = more === 0 ? '' : ` (and ${more} more ${more === 1 ? 'problem' : 'problems'}, see --all)`;
    return { line: error.message + rest, exitCode: EXIT_USAGE };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { line: message.split('\n', 1)[0] as string, exitCode: EXIT_USAGE };
}
