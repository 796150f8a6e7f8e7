/**
 * Two TCP connections made one: bytes, half-closes and resets pass in both directions, and a reader that is slow on one side
 * makes the writer on the other wait.
 *
 * Thread: the supervisor's. The buffers of the two streams bound the bytes that wait in between.
 */

import type { Duplex } from 'node:stream';

/** A `net.Socket`, or a TcpConnection of a kernel. */
export interface SplicedStream extends Duplex {
  resetAndDestroy(): unknown;
}

/** End of a flow: code and side of the first error, both null for an orderly end. */
export interface FlowEnd {
  error: string | null;
  endedBy: 'client' | 'server' | null;
}

export function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? 'EIO';
}

/** `ended` is called once, when both connections are closed. */
export function splice(client: SplicedStream, server: SplicedStream, ended: (how: FlowEnd) => void): void {
  let how: FlowEnd | null = null;
  let open = 2;
  const join = (one: SplicedStream, other: SplicedStream, side: 'client' | 'server'): void => {
    one.on('error', (error) => {
      how ??= { error: codeOf(error), endedBy: side };
    });
    one.on('close', () => {
      if (!one.readableEnded || !one.writableFinished) {
        how ??= { error: 'ECONNRESET', endedBy: side };
        if (!other.destroyed) other.resetAndDestroy();
      }
      if (--open === 0) ended(how ?? { error: null, endedBy: null });
    });
    one.pipe(other);
  };
  join(client, server, 'client');
  join(server, client, 'server');
}
