/**
 * Names a program can look up: those of the lab, and `localhost`. Thread: any.
 *
 * Missing: nothing is read from the host (/etc/hosts, resolv.conf); a name outside the table is not found.
 */

import { formatIpv4, LOOPBACK, parseIpv4 } from './address.ts';

export interface NameTable {
  /** IPv4 addresses (int32) of a name in the order to try them, empty when it is unknown. */
  lookup(name: string): readonly number[];
  /** Names of an address, empty when it has none. */
  reverse(address: number): readonly string[];
  /** Every name with its addresses in dotted form, what `StaticNames` is made from. */
  entries(): Record<string, string[]>;
}

const NONE: readonly never[] = [];

function normal(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** A table from `{ api: '10.0.0.2', db: ['10.0.1.2', '10.0.2.2'] }`. */
export class StaticNames implements NameTable {
  readonly #addresses = new Map<string, number[]>();
  readonly #names = new Map<number, string[]>();

  constructor(entries: Readonly<Record<string, string | readonly string[]>> = {}) {
    for (const [name, value] of Object.entries(entries)) {
      for (const text of typeof value === 'string' ? [value] : value) this.add(name, text);
    }
    if (!this.#addresses.has('localhost')) this.add('localhost', formatIpv4(LOOPBACK));
  }

  add(name: string, text: string): void {
    const address = parseIpv4(text);
    if (Number.isNaN(address)) throw new TypeError(`${name}: not an IPv4 address: ${text}`);
    const key = normal(name);
    const addresses = this.#addresses.get(key);
    if (addresses === undefined) this.#addresses.set(key, [address]);
    else addresses.push(address);
    const names = this.#names.get(address);
    if (names === undefined) this.#names.set(address, [key]);
    else names.push(key);
  }

  lookup(name: string): readonly number[] {
    return this.#addresses.get(normal(name)) ?? NONE;
  }

  reverse(address: number): readonly string[] {
    return this.#names.get(address) ?? NONE;
  }

  entries(): Record<string, string[]> {
    return Object.fromEntries([...this.#addresses].map(([name, addresses]) => [name, addresses.map(formatIpv4)]));
  }
}
