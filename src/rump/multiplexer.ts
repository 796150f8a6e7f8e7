/**
 * Requests and streams over one ordered way for messages: numbered by the client, answered by number; neither end knows an
 * operation.
 *
 * Thread: each end its own. Frames of operation 60 carry the messages (remote-kernel.ts, control-service.ts).
 * Read first: kernel-client.ts.
 *
 *     client → server   {id, request, params}   {id, open, params}   {id, input}   {id, close: true}
 *     server → client   {id, reply}   {id, error}   {id, event}   {id, end: true, error}
 */

import { MultikernelError } from '../base/errors.ts';
import type { StreamHandle, StreamSink } from './kernel-client.ts';

export interface ErrorRecord {
  /** POSIX name, or one of ours. */
  code: string;
  message: string;
}

export type ToServer =
  | { id: number; request: string; params: unknown }
  | { id: number; open: string; params: unknown }
  | { id: number; input: unknown }
  | { id: number; close: true };

export type ToClient =
  | { id: number; reply: unknown }
  | { id: number; error: ErrorRecord }
  | { id: number; event: unknown }
  | { id: number; end: true; error: ErrorRecord | null };

export function errorRecord(error: unknown): ErrorRecord {
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : String(error);
  return { code: typeof code === 'string' ? code : 'EIO', message };
}

export function errorOf({ code, message }: ErrorRecord): MultikernelError {
  return new MultikernelError(code, message);
}

interface Pending {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

const NO_STREAM: StreamHandle<never> = { send: () => {}, close: () => {} };

/** The asking end. */
export class Requester {
  readonly #send: (message: ToServer) => void;
  readonly #pending: Map<number, Pending> = new Map();
  readonly #streams: Map<number, StreamSink<never>> = new Map();
  #nextId = 1;
  /** Why the carrier is gone. */
  #gone: Error | null = null;

  constructor(send: (message: ToServer) => void) {
    this.#send = send;
  }

  request(operation: string, params: unknown): Promise<unknown> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#send({ id, request: operation, params });
    });
  }

  open(operation: string, params: unknown, sink: StreamSink<never>): StreamHandle<unknown> {
    const gone = this.#gone;
    if (gone !== null) {
      queueMicrotask(() => sink.end(gone));
      return NO_STREAM;
    }
    const id = this.#nextId++;
    this.#streams.set(id, sink);
    this.#send({ id, open: operation, params });
    return {
      send: (input) => {
        if (this.#streams.has(id)) this.#send({ id, input });
      },
      close: () => {
        if (this.#streams.has(id)) this.#send({ id, close: true });
      },
    };
  }

  /** A message of the server. Numbers that nobody waits for are ignored. */
  take(message: ToClient): void {
    const { id } = message;
    if ('event' in message) {
      this.#streams.get(id)?.event(message.event as never);
    } else if ('end' in message) {
      const sink = this.#streams.get(id);
      this.#streams.delete(id);
      sink?.end(message.error === null ? null : errorOf(message.error));
    } else {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if ('error' in message) pending?.reject(errorOf(message.error));
      else pending?.resolve(message.reply);
    }
  }

  /** The carrier is gone: requests fail and streams end with `error`, now and from now on. */
  fail(error: Error): void {
    if (this.#gone !== null) return;
    this.#gone = error;
    const pending = [...this.#pending.values()];
    const streams = [...this.#streams.values()];
    this.#pending.clear();
    this.#streams.clear();
    for (const { reject } of pending) reject(error);
    for (const sink of streams) sink.end(error);
  }
}

/** Answers of the serving end. Both may throw; `request` may answer at once or later. */
export interface Answers {
  request(operation: string, params: unknown): unknown;
  open(operation: string, params: unknown, sink: StreamSink<unknown>): StreamHandle<never>;
}

/** The serving end for one client. */
export class Responder {
  readonly #send: (message: ToClient) => void;
  readonly #answers: Answers;
  readonly #queuedBytes: () => number;
  readonly #streamsMax: number;
  readonly #streams: Map<number, StreamHandle<never>> = new Map();
  #closed = false;

  /** `queuedBytes`: bytes that wait for the client in the carrier. `streamsMax`: streams of the client at one time. */
  constructor(send: (message: ToClient) => void, answers: Answers, queuedBytes: () => number, streamsMax: number) {
    this.#send = send;
    this.#answers = answers;
    this.#queuedBytes = queuedBytes;
    this.#streamsMax = streamsMax;
  }

  /** A message of the client. False: no message of this protocol; the carrier should hang up. */
  take(message: unknown): boolean {
    if (typeof message !== 'object' || message === null) return false;
    const fields = message as Record<string, unknown>;
    const { id, request, open, params } = fields;
    if (!Number.isSafeInteger(id)) return false;
    if (typeof request === 'string') this.#request(id as number, request, params ?? {});
    else if (typeof open === 'string') this.#open(id as number, open, params ?? {});
    else if ('input' in fields) this.#streams.get(id as number)?.send(fields.input as never);
    else if (fields.close === true) this.#streams.get(id as number)?.close();
    else return false;
    return true;
  }

  /** The client is gone, and its streams with it. */
  close(): void {
    this.#closed = true;
    for (const handle of [...this.#streams.values()]) handle.close();
    this.#streams.clear();
  }

  #post(message: ToClient): void {
    if (!this.#closed) this.#send(message);
  }

  #request(id: number, operation: string, params: unknown): void {
    const fail = (error: unknown): void => this.#post({ id, error: errorRecord(error) });
    try {
      const reply = this.#answers.request(operation, params);
      // An answer that is there goes at once: events that preceded it are in front of it, and none in between.
      if (reply instanceof Promise) reply.then((value: unknown) => this.#post({ id, reply: value }), fail);
      else this.#post({ id, reply });
    } catch (error) {
      fail(error);
    }
  }

  #open(id: number, operation: string, params: unknown): void {
    let ended = false;
    const end = (error: unknown): void => {
      if (ended) return;
      ended = true;
      this.#streams.delete(id);
      this.#post({ id, end: true, error: error === null ? null : errorRecord(error) });
    };
    if (this.#streams.has(id)) return;
    if (this.#streams.size >= this.#streamsMax) {
      end(new MultikernelError('EMFILE', `a client has ${this.#streamsMax} streams at most`));
      return;
    }
    const queued = this.#queuedBytes;
    const sink: StreamSink<unknown> = {
      event: (event) => {
        if (!ended) this.#post({ id, event });
      },
      end,
      get queuedBytes() {
        return queued();
      },
    };
    try {
      const handle = this.#answers.open(operation, params, sink);
      const send = (input: never): void => {
        try {
          handle.send(input);
        } catch (error) {
          // Input that is refused ends the stream with its errno; the client's other streams do not notice.
          end(error);
          handle.close();
        }
      };
      if (!ended) this.#streams.set(id, { send, close: () => handle.close() });
    } catch (error) {
      end(error);
    }
  }
}
