/**
 * Parts of the shape of the lab file: valibot schemas whose messages are in the words of the file.
 *
 * Thread: any; pure functions. Read first: schema.ts, which puts them together.
 */

import * as v from 'valibot';
import { durationMs, sizeBytes } from './quantity.ts';
import { nearest } from './suggest.ts';

const NAME_TEXT = 'a name: a letter, then letters, digits or "-", at most 32, lower case';

/** Expectation in the words of the file. */
export function expected(what: string): (issue: v.BaseIssue<unknown>) => string {
  return (issue) =>
    issue.received === 'undefined' ? `missing: ${what}` : `expected ${what}, not ${brief(issue.input)}`;
}

function brief(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

/** Message of an object with known keys: names the stranger, and its nearest relative. */
function keys(entries: object, what: string): (issue: v.BaseIssue<unknown>) => string {
  const known = Object.keys(entries);
  return (issue) => {
    const last = issue.path?.[issue.path.length - 1];
    if (issue.expected === 'never' && last !== undefined) {
      const near = nearest(String(last.key), known);
      return near === null ? `unknown key; known are ${known.join(', ')}` : `unknown key; did you mean "${near}"?`;
    }
    return issue.received === 'undefined' ? 'missing' : `expected ${what}, not ${brief(issue.input)}`;
  };
}

export function map<const E extends v.ObjectEntries>(
  entries: E,
): v.StrictObjectSchema<E, (issue: v.BaseIssue<unknown>) => string> {
  return v.strictObject(entries, keys(entries, 'a map'));
}

export const text = (what: string): v.GenericSchema<string> =>
  v.pipe(v.string(expected(what)), v.nonEmpty(expected(what)));
export const name: v.GenericSchema<string> = v.pipe(
  v.string(expected(NAME_TEXT)),
  v.regex(/^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/, expected(NAME_TEXT)),
);
export const nodeName: v.GenericSchema<string> = v.pipe(
  name,
  v.check((n) => n !== 'localhost', 'every node is called localhost by itself; another name is needed'),
);
export const domain: v.GenericSchema<string> = v.pipe(
  v.string(expected('a domain')),
  v.regex(/^[a-z0-9](?:[a-z0-9.-]{0,120}[a-z0-9])?$/, expected('a domain such as shop.lan')),
  v.check((d) => !/(^|\.)localhost$/.test(d), 'names below localhost belong to each node alone (RFC 6761)'),
);
export const duration: v.GenericSchema<string> = v.pipe(
  v.string(expected('a time with its unit, such as 20ms or 5s')),
  v.check((t) => durationMs(t) >= 0, expected('a time with its unit, such as 20ms or 5s')),
);
export const size: v.GenericSchema<number | string> = v.pipe(
  v.union([v.number(), v.string()], expected('a size, such as 64KiB')),
  v.check((s) => sizeBytes(String(s)) > 0, expected('a size, such as 64KiB')),
);
export const integer = (min: number, max: number): v.GenericSchema<number> =>
  v.pipe(
    v.number(expected(`a whole number, ${min} to ${max}`)),
    v.integer(expected(`a whole number, ${min} to ${max}`)),
    v.minValue(min, expected(`a whole number, ${min} to ${max}`)),
    v.maxValue(max, expected(`a whole number, ${min} to ${max}`)),
  );
export const oneOf = <const T extends readonly string[]>(...values: T): v.GenericSchema<T[number]> =>
  v.picklist(values, expected(values.map((value) => `"${value}"`).join(' or ')));
export const flag: v.GenericSchema<boolean> = v.boolean(expected('true or false'));
