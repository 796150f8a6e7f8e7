/**
 * Watches the addresses of nodes that a partition names: a node that gets another one stays cut off.
 *
 * Thread: the supervisor's. One `routeEvents` stream per node, from its first partition until none names a node or its kernel is gone.
 */

import type { KernelClient, StreamHandle } from '../rump/kernel-client.ts';
import { type RouteMessages, RTM_DELADDR, RTM_NEWADDR } from '../sys/control.ts';

export class AddressWatch {
  readonly #kernelOf: (name: string) => KernelClient;
  readonly #changed: (name: string) => void;
  readonly #streams: Map<string, StreamHandle<never>> = new Map();

  /** `changed` is called after a batch of messages in which addresses changed, or messages were lost. */
  constructor(kernelOf: (name: string) => KernelClient, changed: (name: string) => void) {
    this.#kernelOf = kernelOf;
    this.#changed = changed;
  }

  /** Watches these from now on. */
  watch(names: readonly string[]): void {
    for (const name of names) {
      if (this.#streams.has(name)) continue;
      const sink = {
        event: ({ dropped, messages }: RouteMessages): void => {
          const concerns = messages.some(({ type }) => type === RTM_NEWADDR || type === RTM_DELADDR);
          if (concerns || dropped > 0) this.#changed(name);
        },
        end: (): void => {
          if (this.#streams.get(name) === stream) this.#streams.delete(name);
        },
      };
      const stream = this.#kernelOf(name).open('routeEvents', {}, sink);
      this.#streams.set(name, stream);
    }
  }

  /** No partition is left. */
  stop(): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.close();
  }
}
