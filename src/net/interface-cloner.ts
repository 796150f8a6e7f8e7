/**
 * Interface cloners: makers of interfaces without a device of their own, by the prefix of the name (vlan, bridge, gif).
 *
 * Thread: the one that runs the kernel; one registry per kernel. Read first: NetBSD if_clone_attach(9), ifconfig(8) `create`.
 */

import { Errno } from '../base/errors.ts';
import type { LinkLayer } from './link-layer.ts';

export interface InterfaceCloner {
  /** Letters in front of the unit number. */
  readonly prefix: string;
  /** The link of interface `prefix` + `unit`, or a negative errno. Its `close` undoes it. */
  create(unit: number): LinkLayer | number;
}

const UNIT_MAX = 32767;

export class ClonerTable {
  readonly #cloners: Map<string, InterfaceCloner> = new Map();

  /** Returns 0, or `-EEXIST` when that prefix has a cloner. */
  register(cloner: InterfaceCloner): number {
    if (this.#cloners.has(cloner.prefix)) return -Errno.EEXIST;
    this.#cloners.set(cloner.prefix, cloner);
    return 0;
  }

  /** Take a cloner away; interfaces that it made stay. */
  // cold: assembly
  unregister(prefix: string): void {
    this.#cloners.delete(prefix);
  }

  /** The prefixes, the newest cloner first: `ifconfig -C`. */
  // cold: once per interface
  prefixes(): string[] {
    return [...this.#cloners.keys()].reverse();
  }

  /** Whether there is a cloner for interfaces of that name, with or without a unit. */
  has(name: string): boolean {
    return this.#cloners.has(split(name).prefix);
  }

  /**
   * The full name that `name` asks for: a prefix alone takes the lowest unit for which `taken` is false. Returns null when
   * there is no such cloner or unit.
   */
  // cold: configuration
  nameOf(name: string, taken: (name: string) => boolean): string | null {
    const { prefix, unit } = split(name);
    if (!this.#cloners.has(prefix)) return null;
    if (unit >= 0) return unit <= UNIT_MAX ? `${prefix}${unit}` : null;
    for (let free = 0; free <= UNIT_MAX; free++) if (!taken(`${prefix}${free}`)) return `${prefix}${free}`;
    return null;
  }

  /** A link for an interface of that full name, `-EINVAL` when it has no cloner, or the error of its cloner. */
  create(name: string): LinkLayer | number {
    const { prefix, unit } = split(name);
    return this.#cloners.get(prefix)?.create(unit) ?? -Errno.EINVAL;
  }
}

/** `unit` is -1 when the name has none, or one with leading zeros. */
// cold: once per interface
function split(name: string): { prefix: string; unit: number } {
  const digits = /(?:0|[1-9][0-9]*)$/.exec(name)?.[0] ?? '';
  const prefix = name.slice(0, name.length - digits.length);
  return { prefix, unit: digits === '' ? -1 : Number(digits) };
}
