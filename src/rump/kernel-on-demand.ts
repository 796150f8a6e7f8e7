/**
 * A kernel that is connected to when it is first asked, and anew when the connection before has ended.
 *
 * Thread: the client's. Requests, streams and calls wait for the connection, in the order of asking; when it fails they fail with
 * its error, and the next one tries again. Read first: kernel-client.ts.
 */

import type { KernelClient, StreamHandle, StreamSink } from './kernel-client.ts';

/** `closed` is the client's. Its `close` hangs up; a connection that is under way is closed when it is there. */
export function kernelOnDemand(connect: () => Promise<KernelClient>, closed: Promise<void>): KernelClient {
  let connection: Promise<KernelClient> | null = null;
  const connected = (): Promise<KernelClient> => {
    if (connection !== null) return connection;
    const begun = connect();
    connection = begun;
    const forget = (): void => {
      if (connection === begun) connection = null;
    };
    begun.then((kernel) => kernel.closed.then(forget), forget);
    return begun;
  };
  return {
    control: (operation, request) => connected().then((kernel) => kernel.control(operation, request)),
    open: (stream, request, sink) =>
      new StreamOnDemand(connected(), sink, (kernel) => kernel.open(stream, request, sink)),
    call: (number, args, memory) => connected().then((kernel) => kernel.call(number, args, memory)),
    closed,
    close: async () => {
      const last = connection;
      connection = null;
      last?.then(
        (kernel) => kernel.close(),
        () => undefined,
      );
    },
  };
}

/** A stream of a kernel that may not be connected yet. */
class StreamOnDemand<Input> implements StreamHandle<Input> {
  readonly #sink: StreamSink<never>;
  /** Input from before the stream was open. */
  readonly #early: Input[] = [];
  #handle: StreamHandle<Input> | null = null;
  #closed = false;

  constructor(
    kernel: Promise<KernelClient>,
    sink: StreamSink<never>,
    open: (kernel: KernelClient) => StreamHandle<Input>,
  ) {
    this.#sink = sink;
    const begin = (connected: KernelClient): void => {
      if (this.#closed) return;
      const handle = open(connected);
      this.#handle = handle;
      for (const input of this.#early.splice(0)) handle.send(input);
    };
    kernel.then(begin, (error: Error) => {
      if (!this.#closed) sink.end(error);
    });
  }

  send(input: Input): void {
    if (this.#handle !== null) this.#handle.send(input);
    else if (!this.#closed) this.#early.push(input);
  }

  close(): void {
    if (this.#handle !== null) this.#handle.close();
    else if (!this.#closed) {
      this.#closed = true;
      this.#early.length = 0;
      this.#sink.end(null);
    }
  }
}
