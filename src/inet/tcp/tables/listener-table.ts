/**
 * Listening sockets of one kernel by port, shared by its CPUs: a SYN finds its listener on whichever CPU it arrives, and the
 * connection lives there.
 *
 * Thread: the one that runs the kernel. Missing: locks, for CPUs on other threads.
 */

import type { Rng } from '../../../base/rng.ts';
import { anyFamilies, familyOf, matchScore, overlap } from '../../ip/any-address.ts';
import { flowShare } from '../../ip/flow-share.ts';
import type { PortUse } from '../shared/port-use.ts';
import type { Listener } from './listener.ts';

export class ListenerTable {
  /** Counts the changes. */
  generation = 0;
  readonly #byPort: Map<number, Listener[]> = new Map();
  readonly #rng: Rng;
  /** Keys the choice among listeners that share a port; drawn when some do. */
  #seed: number | null = null;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  // cold: once per listener
  add(listener: Listener): void {
    this.generation++;
    const listeners = this.#byPort.get(listener.port);
    if (listeners === undefined) this.#byPort.set(listener.port, [listener]);
    else listeners.push(listener);
  }

  remove(listener: Listener): void {
    const listeners = this.#byPort.get(listener.port);
    const index = listeners === undefined ? -1 : listeners.indexOf(listener);
    if (listeners === undefined || index < 0) return;
    this.generation++;
    listeners.splice(index, 1);
    if (listeners.length === 0) this.#byPort.delete(listener.port);
  }

  // cold: per request
  *all(): Generator<Listener> {
    for (const listeners of this.#byPort.values()) yield* listeners;
  }

  /** Ports on which somebody listens, in no order. */
  // cold: for the tools
  ports(): number[] {
    return [...this.#byPort.keys()];
  }

  has(port: number): boolean {
    return this.#byPort.has(port);
  }

  /** Whether somebody listens on exactly that address and port who does not share it (SO_REUSEPORT). */
  // cold: once per listener
  conflicts(use: PortUse): boolean {
    for (const other of this.#byPort.get(use.port) ?? []) {
      if (overlap(other.portUse, use) && !(other.portUse.reusePort && use.reusePort)) return true;
    }
    return false;
  }

  /**
   * The listener for a new connection: one with that address before one with any, of the family before both; several share by
   * a hash of the peer (SO_REUSEPORT).
   */
  find(local: number, peer: number, ports: number): Listener | null {
    const listeners = this.#byPort.get(ports >>> 16);
    if (listeners === undefined) return null;
    const family = familyOf(local);
    let best: Listener | null = null;
    let bestFit = 0;
    let equals = 0;
    for (const listener of listeners) {
      const { address, only6 } = listener.portUse;
      const fits = matchScore(address, anyFamilies(address, only6), local, family);
      if (fits > bestFit) {
        best = listener;
        bestFit = fits;
        equals = 1;
      } else if (best !== null && best.address === address) {
        equals++;
      }
    }
    if (best === null || equals < 2) return best;
    this.#seed ??= this.#rng.next32();
    let pick = flowShare(this.#seed, peer, ports & 0xffff, equals);
    for (const listener of listeners) if (listener.address === best.address && pick-- === 0) return listener;
    return best;
  }
}
