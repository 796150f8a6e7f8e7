/**
 * Control requests and streams over a session: carries the messages of multiplexer.ts between a client and the kernel that
 * answers. Thread: the server's.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import { type Answers, errorRecord, Responder, type ToClient } from './multiplexer.ts';
import * as protocol from './protocol.ts';
import type { ClientPort, SessionService } from './session.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

export class ControlService implements SessionService {
  readonly feature: number = protocol.FEATURE_CONTROL;
  readonly first: number = protocol.CONTROL;
  readonly last: number = protocol.CONTROL;
  readonly #client: ClientPort;
  readonly #responder: Responder;
  /** Requests without an answer yet. */
  #waiting = 0;

  constructor(client: ClientPort, answers: Answers) {
    this.#client = client;
    this.#responder = new Responder(
      (message) => this.#post(message),
      answers,
      () => client.queuedBytes,
      client.limits.streamsMax,
    );
  }

  serve(frame: protocol.Frame): boolean {
    let message: unknown;
    try {
      message = decodeValue(frame.payload);
    } catch {
      return false;
    }
    if (typeof message !== 'object' || message === null) return false;
    const { id, request } = message as { id?: unknown; request?: unknown };
    if (typeof request === 'string' && Number.isSafeInteger(id)) {
      this.#waiting++;
      if (this.#waiting > this.#client.limits.requestsMax) {
        this.#post({ id: id as number, error: refusal(Errno.EAGAIN, 'too many requests wait for an answer') });
        return true;
      }
    }
    return this.#responder.take(message);
  }

  close(): void {
    this.#responder.close();
  }

  #post(message: ToClient): void {
    // The end of a stream has an error too, and is no answer to a request.
    if ('reply' in message || ('error' in message && !('end' in message))) this.#waiting--;
    const payload = encodeValue(message);
    const max = protocol.FRAME_BYTES_MAX;
    let at = 0;
    for (; payload.length - at > max; at += max)
      this.#client.event(protocol.CONTROL, 0, 1, 0, payload.subarray(at, at + max));
    this.#client.event(protocol.CONTROL, 0, 0, 0, at === 0 ? payload : payload.subarray(at));
  }
}

function refusal(errno: number, why: string): ReturnType<typeof errorRecord> {
  return errorRecord(new MultikernelError(errnoName(errno), why));
}
