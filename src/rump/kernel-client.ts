/**
 * A kernel as its clients see it: control requests, streams, system calls. One interface, three ways in:
 *
 *     of this thread      kernel/control.ts: calls at once, with the memory at hand (client-process.ts)
 *     of a worker         remote-kernel.ts over a MessagePort (host/node/port-carrier.ts)
 *     at a URL            remote-kernel.ts over a unix socket or TCP (host/node/socket-carrier.ts)
 *
 * Thread: the client's. Errors are `MultikernelError`s with the POSIX name of the errno: ECONNRESET after the kernel or the
 * connection is gone, ETIMEDOUT for a kernel that does not answer, otherwise the answer of the kernel itself.
 * Read first: sys/control.ts (operations and streams).
 */

import type {
  ControlOperation,
  ControlReply,
  ControlRequest,
  ControlStream,
  ControlStreams,
  StreamHandle,
  StreamSink,
} from '../sys/control.ts';

export type { StreamHandle, StreamSink } from '../sys/control.ts';

/** Memory of a caller that system calls copy from and to; addresses are the caller's own. */
export interface CallMemory {
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array): void;
}

/** A kernel, in this thread or behind a connection. Errors are `MultikernelError`s with the errno of the kernel. */
export interface KernelClient {
  /** One request, one reply. */
  control<Op extends ControlOperation>(operation: Op, request: ControlRequest<Op>): Promise<ControlReply<Op>>;
  /** Opens a stream. A refusal is the stream's `end`. */
  open<Op extends ControlStream>(
    stream: Op,
    request: ControlStreams[Op]['request'],
    sink: StreamSink<ControlStreams[Op]['event']>,
  ): StreamHandle<ControlStreams[Op]['input']>;
  /** One system call: number and integer arguments, pointers into `memory`. Count or -errno: ENOSYS for a number that has no call, EINVAL for more than eight arguments. */
  call(number: number, args: readonly number[], memory: CallMemory): Promise<number>;
  /** Settles when the kernel or the connection is gone, or after `close`. */
  readonly closed: Promise<void>;
  /** Hangs up. Calls that wait are rejected. */
  close(): Promise<void>;
}

/** As NetBSD's SYS_MAXSYSARGS. */
export const CALL_ARGUMENTS_MAX = 8;

/** Whether a system call can have these arguments; -EINVAL otherwise. */
export function areCallArguments(args: readonly unknown[]): args is readonly number[] {
  return args.length <= CALL_ARGUMENTS_MAX && args.every((argument) => typeof argument === 'number');
}
