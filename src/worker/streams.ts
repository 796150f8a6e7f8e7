/**
 * The streams of a worker: pings, captures and connections that somebody outside the kernel asked for.
 *
 * Thread: the worker that runs the kernels. A stream ends once, with one `closed` message, whoever ends it.
 */

import { errnoName, MultikernelError } from '../base/errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ConnectionInput, FromWorker, ToWorker } from '../lab/messages.ts';
import { ConnectionStream } from './connection-stream.ts';

type Open = Extract<ToWorker, { type: 'open' }>;
type Event = Extract<FromWorker, { type: 'event' }>['event'];

interface Stream {
  kernel: Kernel;
  /** Ask it to end; it reports its end itself. */
  close(): void;
  input?(input: ConnectionInput): void;
}

export class Streams {
  readonly #send: (message: FromWorker) => void;
  readonly #streams: Map<number, Stream> = new Map();

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  /** Throws what the request deserves when the stream cannot begin; then no message was sent. */
  open(kernel: Kernel, open: Open): void {
    const emit = (event: Event): void => this.#send({ type: 'event', id: open.id, event });
    const end = (code: string | null, message: string): void => this.#end(open.id, code, message);
    switch (open.operation) {
      case 'ping': {
        const ping = kernel.ping(open.options, (event) => {
          emit(event);
          if (event.type === 'end') end(null, '');
        });
        this.#streams.set(open.id, { kernel, close: () => ping.stop() });
        ping.start();
        return;
      }
      case 'capture': {
        const capture = kernel.capture(open.options, emit);
        this.#streams.set(open.id, {
          kernel,
          close: () => {
            capture.stop();
            end(null, '');
          },
        });
        return;
      }
      case 'connection': {
        const stream = new ConnectionStream(kernel, open.options.address, emit, (error) =>
          error === 0 ? end(null, '') : end(errnoName(error), errnoName(error)),
        );
        this.#streams.set(open.id, { kernel, close: () => stream.close(), input: (input) => stream.input(input) });
        stream.connect(open.options);
        return;
      }
      default:
        throw new MultikernelError('EINVAL', 'no such stream');
    }
  }

  input(id: number, input: ConnectionInput): void {
    this.#streams.get(id)?.input?.(input);
  }

  close(id: number): void {
    this.#streams.get(id)?.close();
  }

  /** The kernel goes: end everything that runs on it. */
  closeAll(kernel: Kernel): void {
    for (const stream of [...this.#streams.values()]) if (stream.kernel === kernel) stream.close();
  }

  #end(id: number, code: string | null, message: string): void {
    if (this.#streams.delete(id)) this.#send({ type: 'closed', id, code, message });
  }
}
