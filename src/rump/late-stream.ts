/** Streams that can be opened only after an answer, or a connection. Thread: the client's. */

import type { StreamHandle, StreamSink } from './kernel-client.ts';

/**
 * A handle now for a stream that is opened with a value of later. A rejection, or what `open` throws, is the stream's end; `close`
 * before the value is there ends the stream without opening it. Input before that waits.
 */
export function openLater<Value, Input>(
  sink: Pick<StreamSink<never>, 'end'>,
  value: Promise<Value>,
  open: (value: Value) => StreamHandle<Input>,
): StreamHandle<Input> {
  const early: Input[] = [];
  let handle: StreamHandle<Input> | null = null;
  let closed = false;
  const begin = (found: Value): void => {
    if (closed) return;
    const opened = open(found);
    handle = opened;
    for (const input of early.splice(0)) opened.send(input);
  };
  value.then(begin).catch((error: Error) => {
    if (closed) return;
    closed = true;
    sink.end(error);
  });
  return {
    send: (input) => {
      if (handle !== null) handle.send(input);
      else if (!closed) early.push(input);
    },
    close: () => {
      if (handle !== null) handle.close();
      else if (!closed) {
        closed = true;
        early.length = 0;
        sink.end(null);
      }
    },
  };
}
