/** Streams that can be opened only after an answer of the kernel. Thread: the client's. */

import type { StreamHandle, StreamSink } from '../rump/kernel-client.ts';

/**
 * A handle now for a stream that `prepare` makes possible later. A failure of `prepare` is the stream's end; `close` before it
 * is done ends the stream without opening it. Input before that is dropped.
 */
export function openLater<I>(
  sink: Pick<StreamSink<never>, 'end'>,
  prepare: () => Promise<() => StreamHandle<I>>,
): StreamHandle<I> {
  let handle: StreamHandle<I> | null = null;
  let closed = false;
  prepare().then(
    (open) => {
      if (!closed) handle = open();
    },
    (error) => {
      if (!closed) sink.end(error as Error);
    },
  );
  return {
    send: (input) => handle?.send(input),
    close: () => {
      if (handle !== null) {
        handle.close();
      } else if (!closed) {
        closed = true;
        sink.end(null);
      }
    },
  };
}
