/**
 * The kernel client of another thread or process: one connection, control requests, streams and system calls.
 *
 * Thread: the client's. A frame of the kernel that makes no sense ends the connection. Read first: kernel-client.ts, client.ts.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { Carrier } from '../host/contract.ts';
import { RumpClient } from './client.ts';
import {
  areCallArguments,
  type CallMemory,
  type KernelClient,
  type StreamHandle,
  type StreamSink,
} from './kernel-client.ts';
import { Requester, type ToClient } from './multiplexer.ts';
import * as protocol from './protocol.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

/** Longest value of the kernel that is put together of several frames. */
const VALUE_BYTES_MAX = 67_108_864;

/** A kernel, or whoever else answers operation 60 (a lab), with its description of itself. */
export interface RemoteKernel extends KernelClient {
  readonly about: unknown;
}

/**
 * A client of the kernel at the other end of `carrier`; rejects when the handshake fails. `gone`: the error of requests under way
 * when the kernel hangs up, and of later ones; default: ECONNRESET, which is also the error after `close`.
 */
export async function remoteKernel(
  carrier: Carrier,
  key: Uint8Array | null,
  rng: Rng,
  gone?: () => Error,
): Promise<RemoteKernel> {
  const features = protocol.FEATURE_CONTROL | protocol.FEATURE_SYSCALLS;
  const options = { rng, key, features };
  const client = await RumpClient.connect(carrier, gone === undefined ? options : { ...options, gone });
  const requester = new Requester((message) => client.send(protocol.CONTROL, 0, 0, 0, encodeValue(message)));
  const values = new LongValues();
  const calls = new CallMemories(client);
  client.begin({
    event: (frame) => {
      if (frame.operation !== protocol.CONTROL) return;
      try {
        const value = values.take(frame);
        if (value !== null) requester.take(decodeValue(value) as ToClient);
      } catch {
        void client.close();
      }
    },
    request: (frame) => calls.serve(frame),
    closed: (error) => requester.fail(error),
  });
  return {
    about: client.about,
    control: (operation, request) => requester.request(operation, request) as Promise<never>,
    open: (stream, request, sink) => requester.open(stream, request, sink as StreamSink<never>) as StreamHandle<never>,
    call: (number, args, memory) => calls.call(number, args, memory),
    closed: client.closed,
    close: () => client.close(),
  };
}

/** Puts values together that are longer than a frame. */
class LongValues {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /** The whole value, or null when more of it follows. Throws EPROTO for one that does not end. */
  take({ a: more, payload }: protocol.Frame): Uint8Array | null {
    if (more === 0 && this.#pieces.length === 0) return payload;
    this.#pieces.push(payload);
    this.#bytes += payload.length;
    if (this.#bytes > VALUE_BYTES_MAX) throw new MultikernelError('EPROTO', 'a value that does not end');
    if (more !== 0) return null;
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#bytes = 0;
    return whole;
  }
}

/** The memories of the system calls that are under way: the kernel asks for parts of them by the number of the call. */
class CallMemories {
  readonly #client: RumpClient;
  readonly #memories = new Map<number, CallMemory>();
  #next = 1;

  constructor(client: RumpClient) {
    this.#client = client;
  }

  async call(number: number, args: readonly number[], memory: CallMemory): Promise<number> {
    if ((this.#client.features & protocol.FEATURE_SYSCALLS) === 0)
      throw new MultikernelError('ENOSYS', 'this kernel takes no system calls from elsewhere');
    if (!areCallArguments(args)) return -Errno.EINVAL;
    const words = new Uint8Array(Float64Array.from(args).buffer);
    const id = this.#next++;
    this.#memories.set(id, memory);
    try {
      return (await this.#client.call(protocol.SYSCALL, id, number, 0, 0, words)).a;
    } finally {
      this.#memories.delete(id);
    }
  }

  serve(frame: protocol.Frame): void {
    const memory = this.#memories.get(frame.object);
    const address = protocol.joinAddress(frame.a, frame.b);
    try {
      if (memory === undefined) this.#client.answer(frame, -Errno.EFAULT);
      else if (frame.operation === protocol.COPYIN) this.#client.answer(frame, 0, memory.read(address, frame.c));
      else if (frame.operation === protocol.COPYOUT) {
        memory.write(address, frame.payload);
        this.#client.answer(frame, 0);
      } else this.#client.answer(frame, -Errno.EOPNOTSUPP);
    } catch {
      this.#client.answer(frame, -Errno.EFAULT);
    }
  }
}
