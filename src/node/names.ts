/**
 * Names a program can look up: those of the lab, and `localhost` with all names below it. Thread: any.
 * Read first: RFC 6761 section 6.3, nss-myhostname(8).
 *
 * Missing: nothing is read from the host (/etc/hosts, resolv.conf); a name outside the table is not found.
 */

import { isLocalhost } from '../base/localhost.ts';
import { canonicalText } from './address.ts';

export interface NameTable {
  /** Addresses of a name, of both families, as they were entered; empty when it is unknown. */
  lookup(name: string): readonly string[];
  /** Names of an address (its shortest text, without a zone), empty when it has none. */
  reverse(address: string): readonly string[];
  /** Every name with its addresses, what `StaticNames` is made from. */
  entries(): Record<string, string[]>;
}

const NONE: readonly never[] = [];
const LOCALHOST = ['127.0.0.1', '::1'];

function normal(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** A table from `{ api: '10.0.0.2', db: ['10.0.1.2', 'fd00::1'] }`. */
export class StaticNames implements NameTable {
  readonly #addresses = new Map<string, string[]>();
  readonly #names = new Map<string, string[]>();

  constructor(entries: Readonly<Record<string, string | readonly string[]>> = {}) {
    for (const [name, value] of Object.entries(entries)) {
      for (const text of typeof value === 'string' ? [value] : value) this.add(name, text);
    }
    if (!this.#addresses.has('localhost')) for (const text of LOCALHOST) this.add('localhost', text);
  }

  add(name: string, text: string): void {
    const canonical = canonicalText(text);
    if (canonical === undefined) throw new TypeError(`${name}: not an address: ${text}`);
    const zoneAt = canonical.includes(':') ? text.indexOf('%') : -1;
    append(this.#addresses, normal(name), zoneAt < 0 ? canonical : canonical + text.slice(zoneAt));
    append(this.#names, canonical, normal(name));
  }

  lookup(name: string): readonly string[] {
    const key = normal(name);
    const found = this.#addresses.get(key);
    if (found !== undefined) return found;
    return (isLocalhost(key) ? this.#addresses.get('localhost') : undefined) ?? NONE;
  }

  reverse(address: string): readonly string[] {
    return this.#names.get(address) ?? NONE;
  }

  entries(): Record<string, string[]> {
    return Object.fromEntries([...this.#addresses].map(([name, addresses]) => [name, [...addresses]]));
  }
}

function append(map: Map<string, string[]>, key: string, value: string): void {
  const found = map.get(key);
  if (found === undefined) map.set(key, [value]);
  else if (!found.includes(value)) found.push(value);
}
