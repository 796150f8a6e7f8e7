/**
 * The system calls: number, name, kinds of arguments, handler.
 *
 * Thread: the one that runs the kernel. Every argument is an integer or a pointer into the memory of the program; every result
 * a count or a negative errno. Numbers are NetBSD's (sys/kern/syscalls.master), of the newest version of each call; select,
 * kevent and wait4 are the versions with 64 bits of time (417, 435, 449). Calls of this kernel's own would have numbers from
 * 4096 on; there is none yet. Read first: system-call.ts (blocking), copy.ts (pointers), abi.ts (structures).
 */

import { Errno } from '../base/errors.ts';
import * as file from './file-calls.ts';
import * as option from './option-calls.ts';
import * as poll from './poll.ts';
import * as process from './process-calls.ts';
import * as socket from './socket-calls.ts';
import type { CallHandler, SystemCall } from './system-call.ts';
import * as transfer from './transfer-calls.ts';

/**
 * `int` is a number; `in`, `out` and `inout` are pointers to what the call reads and writes; the argument after a pointer
 * tells its length where that is no fixed structure.
 */
export type ArgumentKind = 'int' | 'in' | 'out' | 'inout';

export interface CallEntry {
  readonly number: number;
  readonly name: string;
  readonly args: readonly ArgumentKind[];
  readonly handler: CallHandler;
}

// cold: the table
function entry(number: number, name: string, args: string, handler: CallHandler): CallEntry {
  return { number, name, args: (args === '' ? [] : args.split(' ')) as ArgumentKind[], handler };
}

const SYSTEM_CALLS: readonly CallEntry[] = [
  entry(1, 'exit', 'int', process.exit),
  entry(3, 'read', 'int out int', transfer.read),
  entry(4, 'write', 'int in int', transfer.write),
  entry(6, 'close', 'int', file.close),
  entry(20, 'getpid', '', process.pid),
  entry(24, 'getuid', '', process.userId),
  entry(25, 'geteuid', '', process.userId),
  entry(27, 'recvmsg', 'int inout int', transfer.receiveMessageCall),
  entry(28, 'sendmsg', 'int in int', transfer.sendMessageCall),
  entry(29, 'recvfrom', 'int out int int out inout', transfer.receiveFrom),
  entry(30, 'accept', 'int out inout', socket.accept),
  entry(31, 'getpeername', 'int out inout', socket.peerName),
  entry(32, 'getsockname', 'int out inout', socket.socketName),
  entry(39, 'getppid', '', process.parentPid),
  entry(41, 'dup', 'int', file.duplicate),
  entry(43, 'getegid', '', process.groupId),
  entry(47, 'getgid', '', process.groupId),
  entry(54, 'ioctl', 'int int inout', file.ioctl),
  entry(60, 'umask', 'int', process.umask),
  entry(90, 'dup2', 'int int', file.duplicateTo),
  entry(92, 'fcntl', 'int int int', file.control),
  entry(98, 'connect', 'int in int', socket.connect),
  entry(104, 'bind', 'int in int', socket.bind),
  entry(105, 'setsockopt', 'int int int in int', option.setOption),
  entry(106, 'listen', 'int int', socket.listen),
  entry(118, 'getsockopt', 'int int int out inout', option.getOption),
  entry(120, 'readv', 'int in int', transfer.readVector),
  entry(121, 'writev', 'int in int', transfer.writeVector),
  entry(133, 'sendto', 'int in int int in int', transfer.sendTo),
  entry(134, 'shutdown', 'int int', socket.shutdown),
  entry(135, 'socketpair', 'int int int out', socket.socketPair),
  entry(194, 'getrlimit', 'int out', process.getLimit),
  entry(195, 'setrlimit', 'int in', process.setLimit),
  entry(209, 'poll', 'inout int int', poll.poll),
  entry(344, 'kqueue', '', poll.kqueue),
  entry(394, 'socket', 'int int int', socket.socket),
  entry(417, 'select', 'int inout inout inout in', poll.select),
  entry(435, 'kevent', 'int in int out int in', poll.kevent),
  entry(449, 'wait4', 'int out int out', process.wait),
  entry(454, 'dup3', 'int int int', file.duplicateToFlags),
  entry(455, 'kqueue1', 'int', poll.kqueueFlags),
  entry(456, 'paccept', 'int out inout in int', socket.acceptFlags),
];

/** Numbers by name: `SYS.connect`. */
// cold: the table
export const SYS: Readonly<Record<string, number>> = Object.fromEntries(
  SYSTEM_CALLS.map(({ name, number }) => [name, number]),
);

const HIGHEST: number = SYSTEM_CALLS.reduce((most, { number }) => Math.max(most, number), 0);
const handlers: (CallHandler | null)[] = new Array<CallHandler | null>(HIGHEST + 1).fill(null);
for (const { number, handler } of SYSTEM_CALLS) handlers[number] = handler;

/**
 * Begin the call of that number for `call.process`: its result, BLOCKED (`call.onDone` follows), -ENOSYS, -EBUSY when the
 * object waits for another.
 */
export function systemCall(call: SystemCall, number: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0): number {
  const handler = handlers[number];
  if (handler == null) return -Errno.ENOSYS;
  if (call.blocked) return -Errno.EBUSY;
  const { args } = call;
  args[0] = a0;
  args[1] = a1;
  args[2] = a2;
  args[3] = a3;
  args[4] = a4;
  args[5] = a5;
  return call.run(handler);
}
