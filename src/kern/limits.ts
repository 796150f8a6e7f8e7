/**
 * The limits of a kernel's tables: which table, which sysctl, which counter, which policy when it is full; and the rate
 * limits of messages.
 *
 * Thread: the one that runs the kernel. Cold: declarations and reports. The owner of a table declares its limit beside the sysctl that holds it; nothing
 * here is on the data path. docs/limits.md is this list, and the fuzzer holds every table to it.
 */

import type { SysctlVariable } from './sysctl.ts';

export interface TableLimit {
  /** Name of the table. When every interface, socket, sender or CPU has its own, the numbers are of the fullest. */
  readonly table: string;
  readonly variable: SysctlVariable;
  /** The counter that grows when the limit is met. */
  readonly counter: string;
  /** Fate of an entry that finds no room. */
  readonly whenFull: string;
  /** Present size, in the unit of the variable. */
  size(): number;
}

/** Events whose rate is limited. */
export interface RateLimitInfo {
  readonly what: string;
  /** Events per second. */
  readonly variable: SysctlVariable;
  /** The counter that grows with each event that was refused. */
  readonly counter: string;
}

export class Limits {
  readonly #limits: TableLimit[] = [];
  readonly #rates: RateLimitInfo[] = [];

  /** A table that each CPU has for itself has one row, declared by each. */
  add(limit: TableLimit): void {
    const index = this.#limits.findIndex(({ table, counter }) => table === limit.table && counter === limit.counter);
    const known = this.#limits[index];
    if (known === undefined) this.#limits.push(limit);
    else this.#limits[index] = { ...known, size: () => Math.max(known.size(), limit.size()) };
  }

  /** Limits that share a variable are listed once. */
  addRate(rate: RateLimitInfo): void {
    if (this.#rates.some(({ variable }) => variable === rate.variable)) return;
    this.#rates.push(rate);
  }

  /** Sorted by the name of the sysctl. */
  list(): TableLimit[] {
    return [...this.#limits].sort(byName);
  }

  rates(): RateLimitInfo[] {
    return [...this.#rates].sort(byName);
  }
}

function byName(a: { variable: SysctlVariable }, b: { variable: SysctlVariable }): number {
  return a.variable.name < b.variable.name ? -1 : 1;
}
