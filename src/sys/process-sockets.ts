/**
 * Sockets of a process: opened and accepted under descriptors.
 *
 * Thread: the one that runs the kernel. The typed functions under the handlers of socket-calls.ts. Callers inside of the kernel, which have
 * addresses and bytes and no memory of a program (sessions of remote calls, streams of tools), call these and the methods of the
 * files, as the handlers do; they watch the files (watch.ts) instead of blocking. Read first: socket(2), accept(2).
 * Cold: once per socket.
 */

import { Errno } from '../base/errors.ts';
import type { Family } from '../socket/socket.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from './abi.ts';
import type { OpenFile } from './file.ts';
import type { Process } from './process.ts';
import { DatagramFile, RawFile, StreamFile } from './socket-file.ts';

/** Enter a new file, with SOCK_CLOEXEC and SOCK_NONBLOCK of `flags`: its descriptor, or -EMFILE with the file closed again. */
export function enterFile(process: Process, file: OpenFile, flags: number): number {
  file.nonBlocking = (flags & SOCK_NONBLOCK) !== 0;
  const fd = process.descriptors.add(file, (flags & SOCK_CLOEXEC) !== 0);
  if (fd < 0) file.end();
  return fd;
}

/** A new TCP socket: its descriptor, or -EMFILE. */
export function openStreamSocket(process: Process, family: Family, flags: number): number {
  const { host, wakeups } = process.table;
  return enterFile(process, new StreamFile(wakeups, family, host.sockets.stream(family)), flags);
}

/** A new UDP socket: its descriptor, or -EMFILE. */
export function openDatagramSocket(process: Process, family: Family, flags: number): number {
  const { host, wakeups } = process.table;
  return enterFile(process, new DatagramFile(wakeups, family, host.sockets.datagram(family)), flags);
}

/** A new raw socket: its descriptor, -EMFILE, -EACCES, or -EPROTONOSUPPORT for a protocol outside of 1 to 255. */
export function openRawSocket(process: Process, family: Family, protocol: number, flags: number): number {
  if (process.credentials.uid !== 0) return -Errno.EACCES;
  if (!(protocol > 0 && protocol <= 0xff)) return -Errno.EPROTONOSUPPORT;
  const { host, wakeups } = process.table;
  return enterFile(process, new RawFile(wakeups, family, host.sockets.raw(protocol, family)), flags);
}

/** The next connection of a listening socket: its descriptor, -EAGAIN, -EINVAL (not listening), or -EMFILE with the connection left there. */
export function acceptConnection(process: Process, listener: StreamFile, flags: number): number {
  if (!listener.listening) return -Errno.EINVAL;
  const { descriptors, table } = process;
  // Before a connection is taken: with no number for it, it stays in the queue.
  if (listener.socket.acceptable > 0 && descriptors.full) return -Errno.EMFILE;
  const accepted = listener.socket.accept();
  if (accepted === null) return -Errno.EAGAIN;
  return enterFile(process, new StreamFile(table.wakeups, listener.family, accepted), flags);
}
