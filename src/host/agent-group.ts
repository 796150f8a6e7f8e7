/**
 * The agents of one loop, which take turns together: an agent itself.
 *
 * Thread: the loop's. Agents work in the order in which they were added.
 */

import type { Agent } from './contract.ts';

export class AgentGroup implements Agent {
  readonly #agents: Agent[] = [];

  add(agents: readonly Agent[]): void {
    this.#agents.push(...agents);
  }

  remove(agents: readonly Agent[]): void {
    for (const agent of agents) {
      const index = this.#agents.indexOf(agent);
      if (index >= 0) this.#agents.splice(index, 1);
    }
  }

  doWork(nowUs: number): number {
    let work = 0;
    for (let i = 0; i < this.#agents.length; i++) work += (this.#agents[i] as Agent).doWork(nowUs);
    return work;
  }

  flush(): void {
    for (let i = 0; i < this.#agents.length; i++) (this.#agents[i] as Agent).flush();
  }

  nextDeadlineUs(): number {
    let nextUs = Infinity;
    for (let i = 0; i < this.#agents.length; i++) {
      nextUs = Math.min(nextUs, (this.#agents[i] as Agent).nextDeadlineUs());
    }
    return nextUs;
  }

  exactDeadlineUs(): number {
    let nextUs = Infinity;
    for (let i = 0; i < this.#agents.length; i++) {
      nextUs = Math.min(nextUs, (this.#agents[i] as Agent).exactDeadlineUs?.() ?? Infinity);
    }
    return nextUs;
  }

  workPending(): boolean {
    for (let i = 0; i < this.#agents.length; i++) if ((this.#agents[i] as Agent).workPending()) return true;
    return false;
  }
}
