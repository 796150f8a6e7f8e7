/**
 * The kernel client of another process: one connection, control requests, streams and system calls.
 *
 * Thread: the client's. A frame of the kernel that makes no sense ends the connection. Read first: kernel-client.ts, client.ts.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { Carrier } from '../host/contract.ts';
import { RumpClient } from './client.ts';
import type { CallMemory, KernelClient } from './kernel-client.ts';
import { kernelOver, Requester, type ToClient } from './multiplexer.ts';
import * as protocol from './protocol.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

/** A client of the kernel at the other end of `carrier`; rejects when the handshake fails. */
export async function remoteKernel(carrier: Carrier, key: Uint8Array | null, rng: Rng): Promise<KernelClient> {
  const features = protocol.FEATURE_CONTROL | protocol.FEATURE_SYSCALLS;
  const client = await RumpClient.connect(carrier, { rng, key, features });
  const requester = new Requester((message) => client.send(protocol.CONTROL, 0, 0, 0, encodeValue(message)));
  const calls = new CallMemories(client);
  client.begin({
    event: (frame) => {
      if (frame.operation !== protocol.CONTROL) return;
      try {
        requester.take(decodeValue(frame.payload) as ToClient);
      } catch {
        void client.close();
      }
    },
    request: (frame) => calls.serve(frame),
    closed: () => requester.fail(new MultikernelError('ECONNRESET', 'the connection to the kernel is gone')),
  });
  const kernel = kernelOver(requester, client.closed, () => client.close());
  return { ...kernel, call: (number, args, memory) => calls.call(number, args, memory) };
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
