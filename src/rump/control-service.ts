/**
 * Control requests and streams of events over a session: opaque values here, the kernel's own business behind.
 *
 * Thread: the server's. A stream lives until its source ends it, its client closes it, or the session ends; it ends once.
 */

import { MultikernelError } from '../base/errors.ts';
import * as protocol from './protocol.ts';
import type { ClientPort, SessionService } from './session.ts';
import { decodeValue, encodeError, encodeValue } from './value-codec.ts';

/** Receives what a stream has to say; called in order, nothing after `end`. */
export interface EventSink {
  event(event: unknown): void;
  /** null: as it should. */
  end(error: Error | null): void;
  /** Bytes that the client has not read. */
  readonly queuedBytes: number;
}

export interface ServedStream {
  send(input: unknown): void;
  /** Asks the stream to end; `EventSink.end` follows. */
  close(): void;
}

/** What a kernel answers. Both throw, or reject, with a code. */
export interface ControlTarget {
  control(operation: string, request: unknown): unknown | Promise<unknown>;
  open(stream: string, request: unknown, sink: EventSink): ServedStream;
}

export class ControlService implements SessionService {
  readonly first: number = protocol.CONTROL;
  readonly last: number = protocol.STREAM_CLOSE;
  readonly #client: ClientPort;
  readonly #target: ControlTarget;
  /** null: being opened. */
  readonly #streams = new Map<number, ServedStream | null>();
  #waiting = 0;
  #closed = false;

  constructor(client: ClientPort, target: ControlTarget) {
    this.#client = client;
    this.#target = target;
  }

  serve(frame: protocol.Frame): boolean {
    switch (frame.operation) {
      case protocol.CONTROL:
        return this.#control(frame);
      case protocol.OPEN_STREAM_OF_EVENTS:
        return this.#open(frame);
      case protocol.STREAM_INPUT:
        return this.#input(frame);
      default:
        this.#streams.get(frame.object)?.close();
        return true;
    }
  }

  close(): void {
    this.#closed = true;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream?.close();
  }

  #control(frame: protocol.Frame): boolean {
    const asked = named(frame.payload);
    if (asked === null) return false;
    if (this.#waiting >= this.#client.limits.requestsMax) {
      this.#client.refuse(frame, new MultikernelError('EAGAIN', 'too many requests wait for an answer'));
      return true;
    }
    this.#waiting++;
    const answer = (send: () => void): void => {
      this.#waiting--;
      if (!this.#closed) send();
    };
    const refuse = (error: unknown): void => answer(() => this.#client.refuse(frame, error));
    const reply = (value: unknown): void => answer(() => this.#reply(frame, value));
    try {
      const value = this.#target.control(asked.name, asked.request);
      if (value instanceof Promise) value.then(reply, refuse);
      else reply(value);
    } catch (error) {
      refuse(error);
    }
    return true;
  }

  #reply(frame: protocol.Frame, value: unknown): void {
    const payload = encodeValue(value);
    if (payload.length <= protocol.FRAME_BYTES_MAX) this.#client.reply(frame, 0, 0, 0, payload);
    else this.#client.refuse(frame, new MultikernelError('EMSGSIZE', 'the answer is longer than a frame'));
  }

  #open({ object, payload }: protocol.Frame): boolean {
    const asked = named(payload);
    if (asked === null || this.#streams.has(object)) return false;
    const end = (error: Error | null): void => {
      if (!this.#streams.delete(object) || this.#closed) return;
      if (error === null) this.#client.event(protocol.STREAM_END, object);
      else this.#client.event(protocol.STREAM_END, object, 1, 0, encodeError(error));
    };
    if (this.#streams.size >= this.#client.limits.streamsMax) {
      const refusal = encodeError(new MultikernelError('EMFILE', 'too many streams of one client'));
      this.#client.event(protocol.STREAM_END, object, 1, 0, refusal);
      return true;
    }
    const client = this.#client;
    const sink: EventSink = {
      event: (event) => {
        if (this.#streams.has(object)) client.event(protocol.STREAM_EVENT, object, 0, 0, encodeValue(event));
      },
      end,
      get queuedBytes() {
        return client.queuedBytes;
      },
    };
    this.#streams.set(object, null);
    try {
      const stream = this.#target.open(asked.name, asked.request, sink);
      if (this.#streams.has(object)) this.#streams.set(object, stream);
    } catch (error) {
      end(error as Error);
    }
    return true;
  }

  #input({ object, payload }: protocol.Frame): boolean {
    let input: unknown;
    try {
      input = decodeValue(payload);
    } catch {
      return false;
    }
    this.#streams.get(object)?.send(input);
    return true;
  }
}

/** The name and the request of a payload; null when it is none. */
function named(payload: Uint8Array): { name: string; request: unknown } | null {
  try {
    const value = decodeValue(payload);
    if (!Array.isArray(value) || typeof value[0] !== 'string') return null;
    return { name: value[0], request: value[1] };
  } catch {
    return null;
  }
}
