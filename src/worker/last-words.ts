/**
 * The end of a program beside its kernel: its sockets are closed as those of a process are, and what they still hold is delivered.
 *
 * Thread: the program's, which ends afterwards. Peers hear a FIN behind what was sent, or a reset where something was not read; a
 * listener's waiting connections are reset. No JavaScript of the program can run any more, and its event loop does not turn: the
 * kernel takes its turns here, in a loop that blocks. `worker.terminate()` ends it at once. Read first: program.ts (when).
 */

import type { Agent, Host } from '../host/contract.ts';
import { ThreadLoop } from '../host/node/thread-loop.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { BlockingBell } from '../mem/bell.ts';
import type { SpinBudget } from '../mem/spin-budget.ts';
import { activeHandles } from '../node/active-handles.ts';

/** Peers that do not take what was sent are waited for so long, */
const LINGER_US = 3_000_000;
/** and so long those that took it and may end too, as they do when they hear of the end: nobody answers them later. */
const FAREWELL_US = 250_000;

/** Stops the loop when nothing more has to be sent or answered. */
class Watch implements Agent {
  readonly #kernel: Kernel;
  readonly #deadlineUs: number;
  readonly #farewellUs: number;
  readonly #stop: () => void;

  constructor(kernel: Kernel, nowUs: number, stop: () => void) {
    this.#kernel = kernel;
    this.#deadlineUs = nowUs + LINGER_US;
    this.#farewellUs = nowUs + FAREWELL_US;
    this.#stop = stop;
  }

  doWork(nowUs: number): number {
    const { drained, halfClosed } = this.#kernel;
    if (nowUs >= this.#deadlineUs || (drained && (!halfClosed || nowUs >= this.#farewellUs))) this.#stop();
    return 0;
  }

  flush(): void {}

  nextDeadlineUs(): number {
    return this.#kernel.drained ? this.#farewellUs : this.#deadlineUs;
  }

  workPending(): boolean {
    return false;
  }
}

/** Close the sockets of the program and of the processes it started; returns when their peers know, or after three seconds. */
export function sayGoodbye(kernel: Kernel, host: Host, bell: BlockingBell, spinBudget: SpinBudget): void {
  activeHandles.closeAll();
  kernel.processes.close();
  const loop = new ThreadLoop({ bell, spinBudget, pollUs: 0 });
  loop.add(...kernel.cpus, new Watch(kernel, host.nowUs(), () => loop.stop()));
  loop.run();
}
