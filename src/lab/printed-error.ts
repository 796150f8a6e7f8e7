/**
 * The uncaught error of a process, from the lines that Node prints about it at the end.
 *
 * Thread: any; pure functions. Source: node_errors.cc (PrintException, OOMErrorHandler), lib/internal/process/execution.js: place,
 * source line, a line of carets, the stack or the value, a blank line, the version.
 */

import { OUT_OF_MEMORY, type ProgramError } from './operations.ts';

const VERSION_LINE = /^Node\.js v\d/;
const CARETS = /^\s*\^+\s*$/;
const FRAME = /^\s+at /;
/** "TypeError: boom", "Error [ERR_X]: boom", and without a stack "[Error: boom]". */
const HEAD = /^\[?([A-Za-z_$][\w$.]*)(?: \[([A-Z0-9_]+)\])?(?:: (.*?))?\]?$/;
const CODE = /^ {2}code: '([^']+)'/;
const HINT = /^\(Use `node --trace-uncaught /;
const MEMORY_LINE = /^FATAL ERROR: .*heap out of memory$/;
/** Lines that Node may print after the one about memory. */
const MEMORY_LINES_MAX = 64;

function lastIndex(lines: readonly string[], holds: (line: string) => boolean): number {
  return lines.map(holds).lastIndexOf(true);
}

/** null: the last lines of standard error tell of none. */
export function printedError(lines: readonly string[]): ProgramError | null {
  const last = lastIndex(lines, (line) => line !== '');
  if (last < 0) return null;
  if (VERSION_LINE.test(lines[last] as string)) {
    const carets = lastIndex(lines, (line) => CARETS.test(line));
    return carets < 0 ? null : errorOf(lines.slice(carets + 1, last).filter((line) => !HINT.test(line)));
  }
  const memory = lines.slice(-MEMORY_LINES_MAX).find((line) => MEMORY_LINE.test(line));
  if (memory === undefined) return null;
  return { name: 'Error', message: memory, code: OUT_OF_MEMORY, stack: '' };
}

function errorOf(lines: readonly string[]): ProgramError | null {
  const text = lines.slice(lines.findIndex((line) => line !== ''));
  const first = text[0] ?? '';
  if (first === '') return null;
  const frames = text.findIndex((line) => FRAME.test(line));
  const head = HEAD.exec(first);
  const isError = frames > 0 || first.startsWith('[');
  if (head === null || !isError) return { name: 'Uncaught', message: text.join('\n').trimEnd(), code: null, stack: '' };
  const [, name = 'Error', inName, message = ''] = head;
  const end = lastIndex(text, (line) => FRAME.test(line)) + 1;
  const property = text.slice(end).map((line) => CODE.exec(line)?.[1]);
  return {
    name,
    message: [message, ...text.slice(1, Math.max(frames, 1))].join('\n'),
    code: inName ?? property.find((code) => code !== undefined) ?? null,
    stack: text.slice(0, end).join('\n').replace(/ \{$/, ''),
  };
}
