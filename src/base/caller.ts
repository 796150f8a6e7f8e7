/**
 * Errors of the public API begin, in their stack, at the line that made the call. Thread: any.
 *
 * The frames of the call are taken when it is made: an error that comes later, from a kernel or the supervisor, has them too. Errors that a
 * caller's own function threw keep their stack.
 */

import { MultikernelError } from './errors.ts';

/** Folder of the package's code; frames in it are not the caller's. */
const OWN = new URL('../', import.meta.url);
const OWN_FOLDERS: readonly string[] = [OWN.href, OWN.pathname];

type Call = (this: unknown, ...args: unknown[]) => unknown;

function isOwn(frame: string | undefined): boolean {
  return frame === undefined || OWN_FOLDERS.some((folder) => frame.includes(folder));
}

/** Frames of a stack, without the lines of the message. */
function framesOf(stack: string | undefined): string[] {
  return (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
}

/** The error itself, whose stack begins at `call` when it began in the package. */
function located(error: unknown, call: { stack?: string }): unknown {
  if (!(error instanceof MultikernelError) || !isOwn(framesOf(error.stack)[0])) return error;
  const frames = framesOf(call.stack);
  if (frames.length > 0) error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}

/** The result of `run`; errors begin at the caller of `entry`. */
export function fromCaller<T>(entry: (...args: never[]) => unknown, run: () => T): T {
  const call: { stack?: string } = {};
  Error.captureStackTrace(call, entry);
  try {
    const result = run();
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw located(error, call);
    }) as T;
  } catch (error) {
    throw located(error, call);
  }
}

/** Lets the errors of every method begin at its caller. */
export function locateErrors(prototype: object): void {
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const method: unknown = property.value;
    if (name === 'constructor' || typeof method !== 'function') continue;
    const located = function (this: unknown, ...args: unknown[]): unknown {
      return fromCaller(located, () => (method as Call).apply(this, args));
    };
    Object.defineProperty(located, 'name', { value: name });
    Object.defineProperty(prototype, name, { ...property, value: located });
  }
}
