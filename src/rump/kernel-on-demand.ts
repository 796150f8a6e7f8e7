/**
 * A kernel that is connected to when it is first asked, and anew when the connection before has ended.
 *
 * Thread: the client's. Requests, streams and calls wait for the connection, in the order of asking; when it fails they fail with
 * its error, and the next one tries again. Read first: kernel-client.ts.
 */

import type { KernelClient } from './kernel-client.ts';
import { openLater } from './late-stream.ts';

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
    open: (stream, request, sink) => openLater(sink, connected(), (kernel) => kernel.open(stream, request, sink)),
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
