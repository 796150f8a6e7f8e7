/**
 * Runs CPUs of kernels on the event loop of a Node thread, beside the program of that thread.
 *
 * Thread: the one it is made on (a worker, or the main thread under `mk run`). Idle strategy, in order: while there is
 * work, one turn per event-loop iteration (`setImmediate`); then, for a bounded time, only while fewer threads spin
 * than there are cores, and only if it has paid lately (poll-window.ts), or close to an exact deadline, keep polling; then arm the bell, look once more,
 * and sleep in `Bell.waitAsync` with a timer for the next deadline. Neither keeps the process alive: a program ends as it would on plain Node.
 *
 * Frames that a program sends outside a turn are published at the end of its current callback (`process.nextTick`), once.
 * Read first: facts on wake-up costs in docs/notes/idle.md.
 */

import type { Rng } from '../../base/rng.ts';
import { US_PER_MS } from '../../base/units.ts';
import type { AsyncBell } from '../../mem/bell.ts';
import type { SpinBudget } from '../../mem/spin-budget.ts';
import { AgentGroup } from '../agent-group.ts';
import type { Agent, Host } from '../contract.ts';
import { lendNodeBufferCopy } from './buffer-copy.ts';
import { MonotonicClock, SystemRng } from './clock.ts';
import { POLL_US, PollWindow } from './poll-window.ts';

lendNodeBufferCopy();

/** Options of an {@link EventLoop}. */
export interface EventLoopOptions {
  /** Bell on which it sleeps; devices ring it. */
  doorbell: AsyncBell;
  /** Bound of the threads that may poll at once. */
  spinBudget: SpinBudget;
  /** Default: the randomness of the system. */
  rng?: Rng;
  /** Time of polling after the last work, before sleeping; 0 sleeps at once. */
  pollUs?: number;
  /**
   * Time for which turn follows turn in one callback of the event loop, which hears of nothing else meanwhile; default 0: one
   * turn. For threads without a program: an iteration of the event loop costs as much as several turns.
   */
  stayUs?: number;
}

// Taken before the program can replace the globals: with fake timers in a test, the kernel's time must go on.
const immediate = setImmediate;
const startTimer = setTimeout;
const stopTimer = clearTimeout;
const nextTick = process.nextTick.bind(process);

/** Longest sleep between two looks at the deadlines, a guard against timers beyond what setTimeout takes. */
const SLEEP_MS_MAX = 60_000;
/** The loop polls for so long in front of an exact deadline: a timer is late by up to a millisecond, and begins on a whole one. */
const EXACT_US = 2000;

/** A loop that runs kernels between the callbacks of a Node program, on its thread. */
export class EventLoop implements Host {
  /** Source of its chance. */
  readonly rng: Rng;
  readonly epochNs: bigint;
  readonly #clock = new MonotonicClock();
  readonly #doorbell: AsyncBell;
  readonly #window: PollWindow;
  readonly #stayUs: number;
  readonly #agents = new AgentGroup();
  #turnScheduled = false;
  #flushScheduled = false;
  #inTurn = false;
  #timer: NodeJS.Timeout | null = null;
  #timerUs = Infinity;
  #closed = false;
  /** Turns that found work, turns that found none, sleeps: what `mk stat` shows of a thread. */
  readonly stats: { busyTurns: number; idleTurns: number; sleeps: number } = { busyTurns: 0, idleTurns: 0, sleeps: 0 };

  /** A loop that runs nothing yet, for the thread of the caller. */
  constructor(options: EventLoopOptions) {
    this.#doorbell = options.doorbell;
    this.#window = new PollWindow(options.spinBudget, options.pollUs ?? POLL_US);
    this.#stayUs = options.stayUs ?? 0;
    this.rng = options.rng ?? new SystemRng();
    this.epochNs = this.#clock.epochNs();
  }

  get doorbellAt(): number {
    return this.#doorbell.at;
  }

  nowUs(): number {
    return this.#clock.nowUs();
  }

  /** Run these from now on: of a kernel, its `cpus`. */
  add(...agents: readonly Agent[]): void {
    this.#agents.add(agents);
    this.requestWork();
  }

  /** Takes agents out of the loop. */
  remove(...agents: readonly Agent[]): void {
    this.#agents.remove(agents);
  }

  requestWork(): void {
    if (this.#closed || this.#inTurn) return;
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      nextTick(this.#flush);
    }
    this.#schedule();
  }

  /** Ends the loop: no turn comes any more. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) stopTimer(this.#timer);
    this.#window.close();
    this.#doorbell.disarm();
  }

  #schedule(): void {
    if (this.#turnScheduled || this.#closed) return;
    this.#turnScheduled = true;
    immediate(this.#turn);
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    this.#agents.flush();
  };

  readonly #turn = (): void => {
    this.#turnScheduled = false;
    if (this.#closed) return;
    let nowUs = this.#clock.nowUs();
    const untilUs = nowUs + this.#stayUs;
    // A turn that throws has worked.
    let goesOn = true;
    this.#inTurn = true;
    try {
      do {
        goesOn = true;
        const work = this.#agents.doWork(nowUs);
        goesOn = this.#goesOn(work, nowUs);
        if (this.#stayUs > 0) nowUs = this.#clock.nowUs();
      } while (goesOn && nowUs < untilUs);
    } finally {
      this.#inTurn = false;
      // A program's handler may throw out of the turn: the kernel must go on whatever becomes of the program.
      if (goesOn) this.#schedule();
      else this.#sleep(nowUs);
    }
  };

  /** Whether another turn follows a turn that did so much work. */
  #goesOn(work: number, nowUs: number): boolean {
    if (work > 0) {
      this.stats.busyTurns++;
      this.#window.worked();
      return true;
    }
    if (!this.#window.mayPoll(nowUs) && this.#agents.exactDeadlineUs() - nowUs > EXACT_US) return false;
    this.stats.idleTurns++;
    return true;
  }

  #sleep(nowUs: number): void {
    if (this.#closed) return;
    this.#window.close();
    this.#doorbell.arm();
    if (this.#agents.workPending()) {
      this.#doorbell.disarm();
      this.#schedule();
      return;
    }
    const deadlineUs = Math.min(this.#agents.nextDeadlineUs(), this.#agents.exactDeadlineUs() - EXACT_US);
    this.stats.sleeps++;
    this.#doorbell.waitAsync(this.#wake);
    this.#setTimer(deadlineUs, nowUs);
  }

  /** One timer, moved only when the new deadline is earlier: a turn too many is cheaper than a timer per sleep. */
  #setTimer(deadlineUs: number, nowUs: number): void {
    if (deadlineUs === Infinity || (this.#timer !== null && this.#timerUs <= deadlineUs)) return;
    if (this.#timer !== null) stopTimer(this.#timer);
    this.#timerUs = deadlineUs;
    const waitMs = Math.min(SLEEP_MS_MAX, Math.max(1, Math.ceil((deadlineUs - nowUs) / US_PER_MS)));
    this.#timer = startTimer(this.#wakeByTimer, waitMs);
    this.#timer.unref();
  }

  readonly #wakeByTimer = (): void => {
    this.#timer = null;
    this.#timerUs = Infinity;
    if (this.#closed) return;
    this.#doorbell.disarm();
    if (this.#turnScheduled) return;
    // Already on a fresh turn of the event loop: work now instead of one iteration later.
    this.#turnScheduled = true;
    this.#turn();
  };

  /**
   * The doorbell rings from a promise. A turn there would run the program's handlers in a microtask: what they throw would
   * be a rejection instead of an uncaught exception, and their own promises would wait for the end of the turn.
   */
  readonly #wake = (): void => {
    if (this.#closed) return;
    this.#doorbell.disarm();
    this.#schedule();
  };
}
