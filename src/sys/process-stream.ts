/**
 * A stream of control requests that is a process with sockets: it exits with the stream.
 *
 * Thread: the one that runs the kernel. Read first: process-sockets.ts, watch.ts. Cold: sockets by hand, for tools.
 */

import { errnoName, MultikernelError } from '../base/errors.ts';
import type { StreamHandle, StreamSink } from './control.ts';
import type { Process } from './process.ts';
import { EventWatcher } from './watch.ts';

export abstract class ProcessStream<Event> extends EventWatcher implements StreamHandle<unknown> {
  protected readonly process: Process;
  protected readonly sink: StreamSink<Event>;
  protected closed = false;

  /** `process` is new. */
  constructor(process: Process, sink: StreamSink<Event>) {
    super(process.table.wakeups);
    this.process = process;
    this.sink = sink;
  }

  abstract send(message: unknown): void;

  /** It does not begin: the process exits. Throws `result`, which is -errno. */
  protected refuse(result: number, what: string): never {
    this.process.table.exit(this.process, 1);
    throw new MultikernelError(errnoName(result), `${what}: ${errnoName(result)}`);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.unwatch();
    this.closing();
    this.process.table.exit(this.process, 0);
    this.sink.end(null);
  }

  /** The part of {@link close} of what it has besides its first descriptor. */
  protected closing(): void {}
}
