/**
 * Checks of control requests, which come from other threads and processes: every field is looked at once and copied; nothing else
 * of the request is kept. A request that is none throws EINVAL with the name of the field.
 *
 * Thread: the one that runs the kernel. Read first: control.ts.
 * Cold: control requests.
 */

import { MultikernelError } from '../base/errors.ts';
import type { IpAddress, LinkAddress } from './control.ts';

const NAME_CHARACTERS_MAX = 255;
const INT32_MIN = -0x80000000;
const INT32_MAX = 0x7fffffff;
const UINT32_MAX = 0xffffffff;
export const PREFIX_BITS: Readonly<Record<4 | 6, number>> = { 4: 32, 6: 128 };
const SECONDS_MAX = UINT32_MAX;
const MAC_BYTES = 6;
/** Entries of a list in one request. */
const LIST_MAX = 65_536;

type Fields = Readonly<Record<string, unknown>>;

function refuse(field: string, why: string): never {
  throw new MultikernelError('EINVAL', `${field}: ${why}`);
}

/** Fields of a plain object; inherited ones do not count. */
export function fieldsOf(value: unknown, field: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, 'not an object');
  const own: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value)) own[key] = (value as Fields)[key];
  return own;
}

export function integer(fields: Fields, name: string, min: number, max: number): number {
  const value = fields[name];
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    refuse(name, `not an integer from ${min} to ${max}`);
  }
  return value as number;
}

export function number(fields: Fields, name: string, min: number, max: number): number {
  const value = fields[name];
  if (typeof value !== 'number' || !(value >= min && value <= max)) refuse(name, `not a number from ${min} to ${max}`);
  return value;
}

export function optionalInteger(fields: Fields, name: string, min: number, max: number): number | undefined {
  return fields[name] === undefined ? undefined : integer(fields, name, min, max);
}

/** A word of flags: any 32 bits. */
export function optionalWord(fields: Fields, name: string): number {
  return fields[name] === undefined ? 0 : integer(fields, name, INT32_MIN, UINT32_MAX) | 0;
}

export function boolean(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean') refuse(name, 'neither true nor false');
  return value;
}

export function optionalBoolean(fields: Fields, name: string): boolean | undefined {
  return fields[name] === undefined ? undefined : boolean(fields, name);
}

/** A short text without control characters: names of interfaces, variables, filters. */
export function name(fields: Fields, field: string): string {
  const value = fields[field];
  if (typeof value !== 'string' || value.length > NAME_CHARACTERS_MAX) refuse(field, 'not a name');
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) refuse(field, 'a name with a control character');
  }
  return value;
}

export function family(fields: Fields): 4 | 6 {
  const value = fields.family;
  if (value !== 4 && value !== 6) refuse('family', 'neither 4 nor 6');
  return value;
}

/** Seconds, or null for ever; undefined when absent. */
export function lifetime(fields: Fields, field: string): number | null | undefined {
  const value = fields[field];
  return value === undefined || value === null ? value : integer(fields, field, 0, SECONDS_MAX);
}

function word(fields: Fields, name: string): number {
  return integer(fields, name, INT32_MIN, INT32_MAX);
}

function addressOf(value: unknown, field: string): IpAddress {
  const fields = fieldsOf(value, field);
  const version = family(fields);
  const w0 = word(fields, 'w0');
  const w1 = word(fields, 'w1');
  const w2 = word(fields, 'w2');
  const w3 = word(fields, 'w3');
  const scopeId = integer(fields, 'scopeId', 0, INT32_MAX);
  if (version === 4 && (w0 | w1 | w2 | scopeId) !== 0) refuse(field, 'an IPv4 address has one word');
  return { family: version, w0, w1, w2, w3, scopeId };
}

export function address(fields: Fields, field: string): IpAddress {
  return addressOf(fields[field], field);
}

export function optionalAddress(fields: Fields, field: string): IpAddress | null {
  return fields[field] === null ? null : address(fields, field);
}

export function prefixLength(fields: Fields, version: 4 | 6): number {
  return integer(fields, 'prefixLength', 0, PREFIX_BITS[version]);
}

function listOf(fields: Fields, field: string): readonly unknown[] {
  const value = fields[field];
  if (!Array.isArray(value) || value.length > LIST_MAX) refuse(field, `not a list of at most ${LIST_MAX}`);
  return value;
}

export function addresses(fields: Fields, field: string): IpAddress[] {
  return listOf(fields, field).map((value) => addressOf(value, field));
}

/** A list of whole numbers in a range. */
export function integers(fields: Fields, field: string, min: number, max: number): number[] {
  return listOf(fields, field).map((value) => integer({ [field]: value }, field, min, max));
}

/** A list of names, each once. */
export function names(fields: Fields, field: string): string[] {
  const found = listOf(fields, field).map((value) => name({ [field]: value }, field));
  return [...new Set(found)];
}

export function objects(fields: Fields, field: string): Fields[] {
  return listOf(fields, field).map((value) => fieldsOf(value, field));
}

export function linkAddress(fields: Fields, field: string): LinkAddress {
  const value = fields[field];
  const good =
    Array.isArray(value) &&
    value.length === MAC_BYTES &&
    value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255);
  if (!good) refuse(field, `not ${MAC_BYTES} bytes`);
  return [...(value as number[])];
}

/** Bytes of stream input, at most `max` of them; a view, not a copy. */
export function bytes(fields: Fields, field: string, max: number): Uint8Array {
  const value = fields[field];
  if (!(value instanceof Uint8Array) || value.length > max) refuse(field, `not at most ${max} bytes`);
  return value;
}
