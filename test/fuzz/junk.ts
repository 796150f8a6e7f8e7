/**
 * Arguments of a careless or hostile caller: values of every kind, under names that mean something and under names that mean
 * trouble.
 */

import type { Chance } from './chance.ts';

const NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  2,
  -1,
  1.5,
  80,
  255,
  1500,
  65_535,
  65_536,
  70_000,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  1e12,
  1e99,
  -5,
  Number.NaN,
  Infinity,
  -Infinity,
];
const TEXTS: readonly string[] = [
  '',
  'b',
  'nobody',
  'eth0',
  'lo0',
  'constructor',
  '__proto__',
  'toString',
  '10.0.0.1',
  '10.0.0.99',
  '::1',
  'fe80::1%eth0',
  'fe80::1%',
  '1.2.3',
  '02:00:00:00:00:01',
  'net.inet.ip.ttl',
  'net.inet.ip',
  'inet6',
  'reject',
  'blackhole',
  'write',
  'idle.js',
  '/dev/null',
  '/nonexistent',
  '../..',
  'http://b/',
  'file:///nonexistent.js',
  '--bogus',
  '--max-old-space-size=1',
  '\0',
  '\x1b[2J',
  '\ud800',
  'x'.repeat(10_000),
];
const FIELDS: readonly string[] = [
  ...['a', 'action', 'addAddress', 'address', 'all', 'argv', 'b', 'between', 'bytes', 'clearFlags', 'count', 'cwd'],
  ...['destination', 'env', 'family', 'follow', 'from', 'gateway', 'hops', 'host', 'how', 'id', 'index', 'interface'],
  ...['interfaceIndex', 'intervalMs', 'ipv6', 'kind', 'lines', 'linkAddress', 'links', 'mac', 'mtuBytes', 'name'],
  ...['node', 'nodeFlags', 'nodes', 'oneWay', 'payloadBytes', 'port', 'prefixLength', 'protocol', 'published'],
  ...['queueMessages', 'removeAddress', 'scopeId', 'script', 'setFlags', 'snapBytes', 'temporary', 'to', 'ttl', 'type'],
  ...['up', 'validSec', 'value', 'w0', 'w1', 'w2', 'w3', 'waitMs', 'constructor', '__proto__', 'toString', 'length'],
];

export function junkText(chance: Chance): string {
  return chance.pick(TEXTS);
}

/** Any value; `depth`: of nested lists and objects, at most. */
export function junk(chance: Chance, depth = 3): unknown {
  const kind = chance.below(depth > 0 ? 12 : 7);
  if (kind === 0) return chance.pick([null, undefined, true, false]);
  if (kind <= 3) return chance.pick(NUMBERS);
  if (kind <= 5) return junkText(chance);
  if (kind === 6) return chance.pick([10n ** 20n, new Uint8Array(chance.below(300)), new Date(0)]);
  if (kind === 7) return Array.from({ length: chance.below(4) }, () => junk(chance, depth - 1));
  return junkObject(chance, depth);
}

/** An object with a few fields, often of a kind that they should have. */
export function junkObject(chance: Chance, depth = 3): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let n = chance.below(7); n > 0; n--) {
    const key = chance.pick(FIELDS);
    const value = junk(chance, depth - 1);
    // As JSON.parse makes it: a key like any other.
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}

/** `object` with one field gone, spoilt or added: most of it is right. */
export function spoil(chance: Chance, object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const spoilt: Record<string, unknown> = { ...object };
  const keys = Object.keys(object);
  const key = keys.length > 0 && chance.yes(0.8) ? chance.pick(keys) : chance.pick(FIELDS);
  if (chance.yes(0.2)) delete spoilt[key];
  else
    Object.defineProperty(spoilt, key, { value: junk(chance), enumerable: true, configurable: true, writable: true });
  return spoilt;
}
