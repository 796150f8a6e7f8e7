/**
 * Building blocks for the shapes of what a lab is asked (operation-checks.ts, facade-checks.ts): valibot schemas whose messages say
 * what a field is not.
 *
 * Thread: any; pure functions. Unknown keys are refused, known ones copied.
 */

import * as v from 'valibot';
import { MultikernelError } from '../base/errors.ts';

const TEXT_CHARACTERS_MAX = 65_536;
/** Size of a list or a map. */
const ENTRIES_MAX = 65_536;

type Message = (issue: v.BaseIssue<unknown>) => string;

function not(what: string): Message {
  return (issue) => (issue.received === 'undefined' ? 'missing' : `not ${what}`);
}

export const text: v.GenericSchema<unknown, string> = v.pipe(
  v.string(not('a text')),
  v.maxLength(TEXT_CHARACTERS_MAX, not('a text of 64 KiB at most')),
);

export const flag: v.GenericSchema<unknown, boolean> = v.boolean(not('true or false'));

export const texts: v.GenericSchema<unknown, string[]> = v.pipe(
  v.array(text, not('a list')),
  v.maxLength(ENTRIES_MAX, not(`a list of ${ENTRIES_MAX} at most`)),
);

function isEnvironment(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const texts: unknown[] = Object.values(value);
  return texts.length <= ENTRIES_MAX && texts.every((one) => typeof one === 'string');
}

/** Environment variables: any name, texts. */
export const environment: v.GenericSchema<unknown, Record<string, string>> = v.pipe(
  v.custom<Record<string, string>>(isEnvironment, not('a map of texts')),
  v.transform((map) => ({ ...map })),
);

/** For numbers whose range others know. */
export const number: v.GenericSchema<unknown, number> = v.number(not('a number'));

/** A number, of which a part may be left. */
export function range(min: number, max: number): v.GenericSchema<unknown, number> {
  const message = not(`a number from ${min} to ${max}`);
  return v.pipe(v.number(message), v.minValue(min, message), v.maxValue(max, message));
}

export function integer(min: number, max: number): v.GenericSchema<unknown, number> {
  const message = not(`an integer from ${min} to ${max}`);
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
}

export function oneOf<const T extends readonly string[]>(...words: T): v.GenericSchema<unknown, T[number]> {
  return v.picklist(words, not(words.join(' or ')));
}

/** A key that is undefined is absent, as callers write it. */
function present(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}

export function object<const E extends v.ObjectEntries>(
  entries: E,
): v.GenericSchema<unknown, v.InferOutput<v.StrictObjectSchema<E, Message>>> {
  const shape = v.strictObject(entries, (issue: v.BaseIssue<unknown>) => {
    if (issue.expected === 'never') return 'unknown key';
    return issue.received === 'undefined' ? 'missing' : 'not an object';
  });
  return v.pipe(v.unknown(), v.transform(present), shape);
}

/** A copy of `value` as its shape has it. Throws EINVAL: `SUBJECT: FIELD: what it is not`. */
export function checked<T>(subject: string, schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new MultikernelError('EINVAL', `${subject}: ${path === null ? '' : `${path}: `}${issue.message}`);
}
