/**
 * The simulated host: agents (kernels, mostly) on one thread, a clock that jumps to the next deadline, chance from a seed.
 *
 * Thread: the caller's. Equal seeds and equal calls give equal runs: agents work in the order they were added, time moves
 * only here, and nothing reads a real clock.
 */

import { type Rng, SeededRng } from '../../base/rng.ts';
import { AgentGroup } from '../agent-group.ts';
import type { Agent, Host } from '../contract.ts';

/** Rounds without time moving after which a simulation is considered to spin (two agents feeding each other for ever). */
const ROUNDS_MAX = 20_000;

/** Kernels on a virtual clock: time goes from event to event, and equal seeds give equal packets. */
export class Simulation {
  /** Seed of all chance in it. */
  readonly seed: number;
  /** Source of its chance; each host draws its own from it. */
  readonly rng: Rng;
  /** Wall-clock time of `nowUs` 0, nanoseconds since 1970. */
  readonly epochNs: bigint = 1_700_000_000_000_000_000n;
  #nowUs = 0;
  readonly #agents = new AgentGroup();
  readonly #events: { atUs: number; run: () => void }[] = [];

  /** Time 0, and randomness of `seed`: equal seeds give equal runs. */
  constructor(seed: number) {
    this.seed = seed;
    this.rng = new SeededRng(seed);
  }

  /** Virtual time, microseconds from 0. */
  nowUs(): number {
    return this.#nowUs;
  }

  /** A host for one kernel, with an rng of its own drawn from the simulation's. */
  host(): Host {
    return {
      rng: new SeededRng(this.rng.next32() >>> 0),
      nowUs: () => this.#nowUs,
      epochNs: this.epochNs,
      // Every agent is polled until nothing is left to do: there is nobody to wake.
      requestWork: () => {},
    };
  }

  /** Run these from now on: of a kernel, its `cpus`. */
  add(...agents: readonly Agent[]): void {
    this.#agents.add(agents);
  }

  /** A machine that is switched off: it is not polled again. */
  remove(...agents: readonly Agent[]): void {
    this.#agents.remove(agents);
  }

  /** Run `what` when the virtual clock reaches `atUs` (equal times in order of this call). */
  at(atUs: number, what: () => void): void {
    let index = this.#events.length;
    while (index > 0 && (this.#events[index - 1] as { atUs: number }).atUs > atUs) index--;
    this.#events.splice(index, 0, { atUs, run: what });
  }

  /** Let everybody work at the present time until nobody has anything to do. */
  settle(): void {
    // A turn publishes what was sent before it, which agents before that one see in the next round only.
    let idleRounds = 0;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      idleRounds = this.#agents.doWork(this.#nowUs) === 0 ? idleRounds + 1 : 0;
      if (idleRounds === 2) return;
    }
    throw new Error(this.#stuck());
  }

  #stuck(): string {
    return `simulation does not move on at ${this.#nowUs} us (seed ${this.seed}; due at ${this.nextDeadlineUs()})`;
  }

  /** The next time anything happens by itself; `Infinity` when never. */
  nextDeadlineUs(): number {
    return Math.min(this.#events[0]?.atUs ?? Infinity, this.#agents.nextDeadlineUs());
  }

  /** Move time to `untilUs`, stopping at every deadline on the way. */
  run(untilUs: number): void {
    this.runUntil(() => false, untilUs);
  }

  /** Run until `condition` holds or `limitUs` is reached. Returns whether it held. */
  runUntil(condition: () => boolean, limitUs: number): boolean {
    let standstill = 0;
    for (;;) {
      this.settle();
      if (condition()) return true;
      const next = this.nextDeadlineUs();
      standstill = next <= this.#nowUs ? standstill + 1 : 0;
      if (standstill > ROUNDS_MAX) throw new Error(this.#stuck());
      if (next > limitUs) {
        this.#nowUs = Math.max(this.#nowUs, limitUs);
        return false;
      }
      this.#nowUs = Math.max(this.#nowUs, next);
      while (this.#events.length > 0 && (this.#events[0] as { atUs: number }).atUs <= this.#nowUs) {
        (this.#events.shift() as { run: () => void }).run();
      }
    }
  }
}
