/**
 * System calls of a client that is a process elsewhere, as NetBSD's sysproxy has them: the call by number with its arguments,
 * the memory of the caller by COPYIN and COPYOUT. Thread: the server's.
 * Read first: session-process.ts.
 */

import { Errno } from '../base/errors.ts';
import { CALL_ARGUMENTS_MAX } from './kernel-client.ts';
import * as protocol from './protocol.ts';
import type { ClientPort, SessionService } from './session.ts';

/** Memory of the caller, elsewhere. Rejects nothing: a count or -errno. */
export interface ClientMemory {
  /** Bytes at `address`; -EFAULT when there are none. */
  copyin(address: number, length: number): Promise<Uint8Array | number>;
  /** 0 or -errno. */
  copyout(address: number, bytes: Uint8Array): Promise<number>;
}

/** The process of a session, by its system calls: it begins with the first, unless socket calls have begun it. */
export interface RemoteProcess {
  /** Count or -errno; -ENOSYS for a number that has no call, -EAGAIN when the kernel has too many processes. */
  call(number: number, args: Float64Array, memory: ClientMemory): number | Promise<number>;
  /** The session is over. */
  exit(): void;
}

export class SystemCallService implements SessionService {
  readonly feature: number = protocol.FEATURE_SYSCALLS;
  readonly first: number = protocol.SYSCALL;
  readonly last: number = protocol.SYSCALL;
  readonly #client: ClientPort;
  readonly #process: RemoteProcess;
  #waiting = 0;
  #closed = false;

  constructor(client: ClientPort, process: RemoteProcess) {
    this.#client = client;
    this.#process = process;
  }

  serve(frame: protocol.Frame): boolean {
    const { payload } = frame;
    if (frame.request === 0 || payload.length % 8 !== 0 || payload.length > 8 * CALL_ARGUMENTS_MAX) return false;
    if (this.#waiting >= this.#client.limits.requestsMax) {
      this.#client.reply(frame, -Errno.EAGAIN);
      return true;
    }
    this.#waiting++;
    const args = new Float64Array(payload.slice().buffer);
    const result = this.#process.call(frame.a, args, this.#memoryOf(frame.object));
    if (typeof result === 'number') this.#done(frame, result);
    else result.then((count) => this.#done(frame, count));
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#process.exit();
  }

  #done(frame: protocol.Frame, result: number): void {
    this.#waiting--;
    if (!this.#closed) this.#client.reply(frame, result);
  }

  #memoryOf(object: number): ClientMemory {
    return {
      copyin: (address, length) => {
        if (length < 0 || length > protocol.FRAME_BYTES_MAX) return Promise.resolve(-Errno.EFAULT);
        return this.#ask(protocol.COPYIN, object, address, length, protocol.NO_PAYLOAD).then((frame) => {
          if (frame === null) return -Errno.EINTR;
          return frame.a < 0 ? frame.a : frame.payload.length === length ? frame.payload : -Errno.EFAULT;
        });
      },
      copyout: (address, bytes) =>
        this.#ask(protocol.COPYOUT, object, address, bytes.length, bytes).then((frame) =>
          frame === null ? -Errno.EINTR : Math.min(frame.a, 0),
        ),
    };
  }

  #ask(
    operation: number,
    object: number,
    address: number,
    length: number,
    payload: Uint8Array,
  ): Promise<protocol.Frame | null> {
    const [low, high] = protocol.splitAddress(address);
    return new Promise((resolve) => this.#client.ask(operation, object, low, high, length, payload, resolve));
  }
}
