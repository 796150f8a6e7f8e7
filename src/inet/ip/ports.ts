/**
 * Local ports of one transport protocol: who is bound where, and which ephemeral port comes next.
 *
 * Thread: the one that runs the kernel; shared by its CPUs (shared.ts), so callers bring their own CPU's `rng`. UDP and TCP each have a table of their own and share the rules. Lookup of a
 * received packet's socket is the protocol's own business (inet/udp/udp.ts, inet/tcp).
 * Read first: RFC 6056 (random ephemeral ports), bind(2) and SO_REUSEADDR / SO_REUSEPORT as Linux has them.
 */

import { Errno } from '../../base/errors.ts';
import { type Rng, randomBelow } from '../../base/rng.ts';
import type { Sysctl, SysctlVariable } from '../../kern/sysctl.ts';
import { overlap } from './any-address.ts';

/** The use of a local port; kept by a socket, entered in one {@link PortTable}. */
export interface PortBinding {
  /** Local address; 0 or `::` for any. */
  address: number;
  /** `::` is not for IPv4 (IPV6_V6ONLY). */
  only6: boolean;
  port: number;
  reuseAddress: boolean;
  reusePort: boolean;
}

export class PortTable {
  /** Grows with every binding entered or taken out. */
  generation = 0;
  readonly #first: SysctlVariable;
  readonly #last: SysctlVariable;
  readonly #bindings: Map<number, PortBinding[]> = new Map();

  constructor(sysctl: Sysctl) {
    this.#first = sysctl.integer('net.inet.ip.anonportmin', 49152, 1, 65535, 'lowest ephemeral port');
    this.#last = sysctl.integer('net.inet.ip.anonportmax', 65535, 1, 65535, 'highest ephemeral port');
  }

  /**
   * Enter a binding; with `port` 0 an ephemeral one is chosen and stored in it. Returns 0 or `-EADDRINUSE`.
   * Two bindings may share a port when no packet is for both addresses, or when both say `reuseAddress`, or
   * both `reusePort`. `mayShare`, when given, decides instead of those two (TCP: a listener makes a port exclusive).
   */
  // cold: sockets are bound
  bind(binding: PortBinding, rng: Rng, mayShare: (a: PortBinding, b: PortBinding) => boolean = bothReuse): number {
    if (binding.port === 0) {
      const port = this.chooseEphemeral(rng, (candidate) => !this.#bindings.has(candidate));
      if (port < 0) return port;
      binding.port = port;
    } else if (this.#conflict(binding, mayShare)) {
      return -Errno.EADDRINUSE;
    }
    this.generation++;
    const bound = this.#bindings.get(binding.port);
    if (bound === undefined) this.#bindings.set(binding.port, [binding]);
    else bound.push(binding);
    return 0;
  }

  /** Take a binding out; nothing happens when it is not there. */
  release(binding: PortBinding): void {
    const bound = this.#bindings.get(binding.port);
    const index = bound === undefined ? -1 : bound.indexOf(binding);
    if (bound === undefined || index < 0) return;
    this.generation++;
    bound.splice(index, 1);
    if (bound.length === 0) this.#bindings.delete(binding.port);
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const bound of this.#bindings.values()) for (const { address } of bound) mark(address);
  }

  /** Ports to which anything is bound. */
  get count(): number {
    return this.#bindings.size;
  }

  /** Ephemeral ports: the lowest, and how many. */
  get firstEphemeral(): number {
    return Math.min(this.#first.value, this.#last.value);
  }

  get ephemeralCount(): number {
    return Math.abs(this.#last.value - this.#first.value) + 1;
  }

  /** Whether `test` holds for everything that is bound to that port. */
  every(port: number, test: (binding: PortBinding) => boolean): boolean {
    const bound = this.#bindings.get(port);
    return bound === undefined || bound.every(test);
  }

  /** Whether anything is bound to that port. */
  has(port: number): boolean {
    return this.#bindings.has(port);
  }

  /**
   * An ephemeral port for which `isFree` holds: random start, then upwards (RFC 6056 algorithm 1). Returns the port, or `-EADDRINUSE` when none is free.
   */
  chooseEphemeral(rng: Rng, isFree: (port: number) => boolean): number {
    const first = this.firstEphemeral;
    const count = this.ephemeralCount;
    const start = randomBelow(rng, count);
    for (let i = 0; i < count; i++) {
      const port = first + ((start + i) % count);
      if (isFree(port)) return port;
    }
    return -Errno.EADDRINUSE;
  }

  #conflict(binding: PortBinding, mayShare: (a: PortBinding, b: PortBinding) => boolean): boolean {
    const bound = this.#bindings.get(binding.port);
    if (bound === undefined) return false;
    for (const other of bound) {
      if (overlap(binding, other) && !mayShare(binding, other)) return true;
    }
    return false;
  }
}

function bothReuse(a: PortBinding, b: PortBinding): boolean {
  return (a.reuseAddress && b.reuseAddress) || (a.reusePort && b.reusePort);
}
