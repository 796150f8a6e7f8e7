/**
 * A system call under way. Blocking is here and nowhere else.
 *
 * Thread: the one that runs the kernel. A handler is tried; where it can do nothing now it names the files it waits for
 * ({@link SystemCall.wait}) and returns {@link BLOCKED}. It is tried again from the start when one of them changes, when its
 * time is over, and when the call is cancelled; `progress` and `stage` carry over. The caller gets the result from `run`,
 * from `onDone`, or from `retry` where it keeps its own turns. An object serves one call after another and allocates nothing
 * for them.
 */

import { Errno } from '../base/errors.ts';
import { Callout } from '../kern/callout.ts';
import type { UserMemory } from './copy.ts';
import { type OpenFile, POLL_ALWAYS } from './file.ts';
import type { Process } from './process.ts';
import { type Cancellable, type Wakeable, type Watchable, Watcher } from './watch.ts';

/** The result of a call that waits: less than any negative errno. */
export const BLOCKED: number = -0x7fff_ffff;

/** A count, a negative errno, or BLOCKED. */
export type CallHandler = (call: SystemCall) => number;

/** One place where a call waits. */
class Wait extends Watcher {
  readonly #call: SystemCall;
  events = 0;

  constructor(call: SystemCall) {
    super();
    this.#call = call;
  }

  override changed(events: number): void {
    if (events === 0 || (events & (this.events | POLL_ALWAYS)) !== 0) this.#call.ready();
  }
}

/** A system call in progress: number, arguments, result. One object serves one call after the other. */
export class SystemCall implements Wakeable, Cancellable {
  /** Process that makes the call. */
  readonly process: Process;
  /** Memory of the caller, which pointers mean. */
  memory: UserMemory;
  /** Arguments: integers, and pointers into `memory`. */
  readonly args: Float64Array = new Float64Array(8);
  /** Bytes that were moved so far. */
  progress = 0;
  /** A handler's own mark; 0 when the call begins. */
  stage = 0;
  /** 0, -EINTR (cancelled), or -EAGAIN (time is over): what waiting gives from now on. */
  interruption = 0;
  /** Called with the result when the call had to wait. */
  onDone: ((result: number) => void) | null = null;
  queued = false;
  /** The result, or BLOCKED. */
  result = 0;
  readonly #waits: Wait[] = [];
  #waitCount = 0;
  readonly #timer: Callout;
  #timed = false;
  #handler: CallHandler | null = null;

  /** A call that `process` makes, with pointers into `memory`; it does nothing until `run`. */
  constructor(process: Process, memory: UserMemory) {
    this.process = process;
    this.memory = memory;
    this.#timer = new Callout(() => this.#interrupt(-Errno.EAGAIN));
  }

  /** Whether the call waits. */
  get blocked(): boolean {
    return this.result === BLOCKED;
  }

  /** Begin, for the arguments in `args`: the result, BLOCKED (`onDone` follows), -EBUSY (the object waits already), -ESRCH. */
  run(handler: CallHandler): number {
    if (this.blocked) return -Errno.EBUSY;
    if (this.process.state !== 'running') return -Errno.ESRCH;
    this.progress = 0;
    this.stage = 0;
    this.interruption = 0;
    this.#timed = false;
    this.#handler = handler;
    this.#attempt();
    return this.result;
  }

  /** Try a call that waits again, now. */
  retry(): number {
    if (this.blocked) this.#attempt();
    return this.result;
  }

  /** End a call that waits with -EINTR, or with the bytes that it moved. */
  cancel(): void {
    this.#interrupt(-Errno.EINTR);
  }

  // For handlers.

  /** A pointer or a size. */
  arg(index: number): number {
    return this.args[index] as number;
  }

  /** An int. */
  int(index: number): number {
    return (this.args[index] as number) | 0;
  }

  /** The file of a descriptor, or null: -EBADF. */
  file(fd: number): OpenFile | null {
    return this.process.descriptors.get(fd);
  }

  /** Wait for some of `events` (POLL* bits) of a file, or of a file that is no more: BLOCKED, or the interruption. */
  // cold: once per blocked call
  wait(on: Watchable, events: number): number {
    if (this.interruption !== 0) return this.interruption;
    const at = this.#waitCount++;
    let wait = this.#waits[at];
    if (wait === undefined) this.#waits.push((wait = new Wait(this)));
    wait.events = events;
    on.watch(wait);
    return BLOCKED;
  }

  /** End the waiting `timeoutUs` after the first call of this; 0 and Infinity: never. */
  limit(timeoutUs: number): void {
    if (this.#timed) return;
    this.#timed = true;
    if (!(timeoutUs > 0) || timeoutUs === Infinity) return;
    const { callouts } = this.process.table.host;
    callouts.schedule(this.#timer, this.process.table.host.nowUs() + timeoutUs);
  }

  // For watchers.

  /** @internal */
  ready(): void {
    if (this.blocked) this.process.table.wakeups.add(this);
  }

  /** @internal */
  wake(): void {
    if (this.blocked) this.#attempt();
    else return;
    this.#deliver();
  }

  #interrupt(error: number): void {
    if (!this.blocked) return;
    this.interruption = error;
    this.#attempt();
    this.#deliver();
  }

  #deliver(): void {
    if (!this.blocked) this.onDone?.(this.result);
  }

  // cold: once per blocked call
  #attempt(): void {
    for (let i = 0; i < this.#waitCount; i++) (this.#waits[i] as Wait).unwatch();
    this.#waitCount = 0;
    const { wakeups } = this.process.table;
    let result = BLOCKED;
    wakeups.hold();
    try {
      result = (this.#handler as CallHandler)(this);
    } finally {
      this.#settle(result);
      wakeups.release();
    }
  }

  #settle(result: number): void {
    this.result = result;
    if (result === BLOCKED) {
      this.process.calls.add(this);
      return;
    }
    // A handler that found something at its second file waits at the first.
    for (let i = 0; i < this.#waitCount; i++) (this.#waits[i] as Wait).unwatch();
    this.#waitCount = 0;
    this.process.calls.delete(this);
    this.process.table.host.callouts.stop(this.#timer);
  }
}
