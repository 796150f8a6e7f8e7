/**
 * Runs CPUs of kernels on a thread that does nothing else: blocks in `run` from start to stop.
 *
 * Thread: the one that calls `run`, a worker without a program. Idle strategy, in order: turn after turn while there is
 * work; then poll for a bounded time (poll-window.ts); then arm the bell, look once more, and block in `Bell.wait` until
 * it rings or the next deadline is due. No callback, promise or message of the thread's event loop is served meanwhile: an
 * agent that must hear messages polls `receiveMessageOnPort`, and the sender rings the bell after it has posted.
 * `run` returns after `stop`, which an agent calls from a turn. Compare event-loop.ts, for a thread with a program.
 */

import type { Rng } from '../../base/rng.ts';
import { US_PER_MS } from '../../base/units.ts';
import type { BlockingBell } from '../../mem/bell.ts';
import type { SpinBudget } from '../../mem/spin-budget.ts';
import { AgentGroup } from '../agent-group.ts';
import type { Agent, Host } from '../contract.ts';
import { lendNodeBufferCopy } from './buffer-copy.ts';
import { MonotonicClock, SystemRng } from './clock.ts';
import { POLL_US, PollWindow } from './poll-window.ts';
import { SpinClock } from './spin-clock.ts';

lendNodeBufferCopy();

/** Longest sleep between two looks, a guard against deadlines that are no numbers. */
const SLEEP_MS_MAX = 60_000;

/** Options of a {@link ThreadLoop}. */
export interface ThreadLoopOptions {
  /** Bell on which the thread sleeps; devices ring it. */
  bell: BlockingBell;
  /** Bound of the threads that may poll at once. */
  spinBudget: SpinBudget;
  /** Default: the randomness of the system. */
  rng?: Rng;
  /** Time of polling after the last work, before sleeping; 0 sleeps at once. */
  pollUs?: number;
}

/** A loop that has its thread for itself: it runs kernels and blocks when there is no work. */
export class ThreadLoop implements Host {
  /** Source of its chance. */
  readonly rng: Rng;
  readonly epochNs: bigint;
  readonly #clock = new SpinClock();
  readonly #bell: BlockingBell;
  readonly #window: PollWindow;
  readonly #agents = new AgentGroup();
  #stopped = false;
  /** Something was sent outside a turn: the next turn comes without a sleep. */
  #requested = false;
  /** Turns that found work, turns that found none, sleeps. */
  readonly stats: { busyTurns: number; idleTurns: number; sleeps: number } = { busyTurns: 0, idleTurns: 0, sleeps: 0 };

  /** A loop that runs nothing yet, for the thread of the caller, which it blocks while it runs. */
  constructor(options: ThreadLoopOptions) {
    this.#bell = options.bell;
    this.#window = new PollWindow(options.spinBudget, options.pollUs ?? POLL_US);
    this.rng = options.rng ?? new SystemRng();
    this.epochNs = new MonotonicClock().epochNs();
  }

  get doorbellAt(): number {
    return this.#bell.at;
  }

  nowUs(): number {
    return this.#clock.readUs();
  }

  /** Run these from now on: of a kernel, its `cpus`. */
  add(...agents: readonly Agent[]): void {
    this.#agents.add(agents);
    this.#requested = true;
  }

  /** Takes agents out of the loop. */
  remove(...agents: readonly Agent[]): void {
    this.#agents.remove(agents);
  }

  requestWork(): void {
    this.#requested = true;
  }

  /** Have `run` return at the end of the turn. */
  stop(): void {
    this.#stopped = true;
  }

  /** Take turns until `stop`. An exception of an agent ends the loop: there is no program that could go on. */
  run(): void {
    try {
      while (!this.#stopped) this.#turn();
    } finally {
      this.#window.close();
      this.#bell.disarm();
    }
  }

  #turn(): void {
    const nowUs = this.#clock.turnUs();
    this.#requested = false;
    const work = this.#agents.doWork(nowUs);
    this.#clock.turned(work);
    if (this.#requested) this.#agents.flush();
    if (work > 0 || this.#requested) {
      this.stats.busyTurns++;
      this.#window.worked();
    } else if (this.#window.mayPoll(nowUs)) {
      this.stats.idleTurns++;
    } else if (!this.#stopped) {
      this.#sleep();
    }
  }

  #sleep(): void {
    this.#window.close();
    this.#bell.arm();
    const pending = this.#agents.workPending();
    const waitMs = Math.min(SLEEP_MS_MAX, (this.#agents.nextDeadlineUs() - this.#clock.readUs()) / US_PER_MS);
    if (pending || !(waitMs > 0)) {
      this.#bell.disarm();
      return;
    }
    this.stats.sleeps++;
    this.#bell.wait(waitMs);
    this.#clock.readUs();
  }
}
