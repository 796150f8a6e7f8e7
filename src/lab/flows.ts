/**
 * Flows between the host and the lab: connections, and exchanges of datagrams between two sockets. One record for each, when it has
 * ended.
 *
 * Thread: the supervisor's.
 */

import type { FlowInfo, StreamSink } from './operations.ts';
import type { FlowEnd } from './splice.ts';

/** Parts of a flow that are known when it begins. */
export type FlowBegin = Pick<FlowInfo, 'way' | 'protocol' | 'node' | 'from' | 'to'>;

export interface FlowCount extends FlowEnd {
  sentBytes: number;
  receivedBytes: number;
}

export class FlowLog {
  readonly #sinks: Set<Pick<StreamSink<FlowInfo>, 'event'>> = new Set();

  /** Returns how to stop. */
  follow(sink: Pick<StreamSink<FlowInfo>, 'event'>): () => void {
    this.#sinks.add(sink);
    return () => this.#sinks.delete(sink);
  }

  /** A flow begins; the function returned is called once, when it ends. */
  begin(flow: FlowBegin): (count: FlowCount) => void {
    const startedAtMs = Date.now();
    const startedMs = performance.now();
    return (count) => {
      const durationMs = Math.round(performance.now() - startedMs);
      for (const sink of this.#sinks) sink.event({ ...flow, startedAtMs, durationMs, ...count });
    };
  }
}
