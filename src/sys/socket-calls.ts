/**
 * socket, bind, listen, accept, connect, shutdown, socketpair and the names of sockets.
 *
 * Thread: the one that runs the kernel. Handlers of the table in syscalls.ts: tried again from the start while they wait
 * (system-call.ts). Read first: process-sockets.ts; the man pages of the calls, section 2.
 */

import { Errno } from '../base/errors.ts';
import { SocketAddress } from '../socket/socket.ts';
import * as abi from './abi.ts';
import { type OpenFile, READABLE, WRITABLE } from './file.ts';
import { PairFile } from './pipe-file.ts';
import { acceptConnection, enterFile, openDatagramSocket, openRawSocket, openStreamSocket } from './process-sockets.ts';
import { DatagramFile, RawFile, SocketFile, StreamFile } from './socket-file.ts';
import type { SystemCall } from './system-call.ts';
import { checkLength, giveAddress, loadAddress, NO_FAMILY, storeInt } from './user-struct.ts';

const scratch: SocketAddress = new SocketAddress();
const BACKLOG_MAX = 0x7fff_ffff;
const CONNECT_STARTED = 1;

/** The error of a call on a descriptor that is no socket. */
export function socketError(file: OpenFile | null): number {
  return file === null ? -Errno.EBADF : -Errno.ENOTSOCK;
}

/** socket(domain, type, protocol) */
export function socket(call: SystemCall): number {
  const domain = call.int(0);
  const type = call.int(1);
  const protocol = call.int(2);
  if (domain !== abi.AF_INET && domain !== abi.AF_INET6) return -Errno.EAFNOSUPPORT;
  const family = domain === abi.AF_INET ? 4 : 6;
  switch (type & 0xff) {
    case abi.SOCK_STREAM:
      if (protocol !== 0 && protocol !== abi.IPPROTO_TCP) return -Errno.EPROTONOSUPPORT;
      return openStreamSocket(call.process, family, type);
    case abi.SOCK_DGRAM:
      if (protocol !== 0 && protocol !== abi.IPPROTO_UDP) return -Errno.EPROTONOSUPPORT;
      return openDatagramSocket(call.process, family, type);
    case abi.SOCK_RAW:
      return openRawSocket(call.process, family, protocol, type);
    default:
      return -Errno.EPROTOTYPE;
  }
}

/** socketpair(domain, type, protocol, int[2]) */
export function socketPair(call: SystemCall): number {
  const type = call.int(1);
  const to = call.arg(3);
  if (call.int(0) !== abi.AF_LOCAL) return -Errno.EAFNOSUPPORT;
  if ((type & 0xff) !== abi.SOCK_STREAM) return -Errno.EPROTOTYPE;
  const error = call.memory.resolve(to, 8, true);
  if (error !== 0) return error;
  const [a, b] = PairFile.pair(call.process.table.wakeups);
  const first = enterFile(call.process, a, type);
  if (first < 0) return first;
  const second = enterFile(call.process, b, type);
  if (second < 0) {
    call.process.descriptors.close(first);
    return second;
  }
  return storeInt(call.memory, to, first) || storeInt(call.memory, to + 4, second);
}

/** bind(fd, address, length) */
export function bind(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof StreamFile) && !(file instanceof DatagramFile)) return bindError(file);
  const error = loadAddress(call.memory, call.arg(1), call.int(2), scratch);
  if (error !== 0) return error === NO_FAMILY ? -Errno.EAFNOSUPPORT : error;
  return file.socket.bind(scratch);
}

function bindError(file: OpenFile | null): number {
  return file instanceof RawFile || file instanceof PairFile ? -Errno.EOPNOTSUPP : socketError(file);
}

/** listen(fd, backlog) */
export function listen(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (file instanceof StreamFile) return file.socket.listen(Math.min(call.int(1), BACKLOG_MAX));
  return file instanceof SocketFile || file instanceof PairFile ? -Errno.EOPNOTSUPP : socketError(file);
}

/** accept(fd, address, length) */
export function accept(call: SystemCall): number {
  return acceptWith(call, 0);
}

/** paccept(fd, address, length, mask, flags): the mask of signals is not looked at. */
export function acceptFlags(call: SystemCall): number {
  return acceptWith(call, call.int(4));
}

function acceptWith(call: SystemCall, flags: number): number {
  const file = call.file(call.int(0));
  if (!(file instanceof StreamFile)) return file instanceof SocketFile ? -Errno.EOPNOTSUPP : socketError(file);
  if (!file.listening) return -Errno.EINVAL;
  const unreadable = checkLength(call.memory, call.arg(1), call.arg(2));
  if (unreadable !== 0) return unreadable;
  const fd = acceptConnection(call.process, file, flags);
  if (fd === -Errno.EAGAIN && !file.nonBlocking) return call.wait(file, READABLE);
  if (fd < 0) return fd;
  const accepted = call.file(fd) as StreamFile;
  const error = giveAddress(call.memory, call.arg(1), call.arg(2), accepted.socket.peer);
  if (error === 0) return fd;
  call.process.descriptors.close(fd);
  return error;
}

/** connect(fd, address, length) */
export function connect(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof StreamFile) && !(file instanceof DatagramFile)) return bindError(file);
  if (call.stage === CONNECT_STARTED) return connected(call, file as StreamFile);
  const error = loadAddress(call.memory, call.arg(1), call.int(2), scratch);
  if (error === NO_FAMILY) return file instanceof DatagramFile ? dissolve(file) : -Errno.EAFNOSUPPORT;
  if (error !== 0) return error;
  return connectTo(call, file, scratch);
}

function dissolve(file: DatagramFile): number {
  const result = file.socket.disconnect();
  return result === -Errno.ENOTCONN ? 0 : result;
}

/** Connect a socket to an address; a stream that blocks waits for the handshake. */
function connectTo(call: SystemCall, file: StreamFile | DatagramFile, to: SocketAddress): number {
  if (call.stage === CONNECT_STARTED) return connected(call, file as StreamFile);
  const result = file.socket.connect(to);
  if (result !== -Errno.EINPROGRESS || file.nonBlocking) return result;
  call.stage = CONNECT_STARTED;
  return connected(call, file as StreamFile);
}

function connected(call: SystemCall, file: StreamFile): number {
  return file.connecting ? call.wait(file, WRITABLE) : file.takeError();
}

/** shutdown(fd, how) */
export function shutdown(call: SystemCall): number {
  const file = call.file(call.int(0));
  const how = call.int(1);
  if (how !== abi.SHUT_RD && how !== abi.SHUT_WR && how !== abi.SHUT_RDWR) return -Errno.EINVAL;
  const read = how !== abi.SHUT_WR;
  const write = how !== abi.SHUT_RD;
  if (file instanceof StreamFile || file instanceof PairFile) return file.shutdown(read, write);
  return file instanceof SocketFile ? -Errno.ENOTCONN : socketError(file);
}

/** getsockname(fd, address, length) */
export function socketName(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof StreamFile) && !(file instanceof DatagramFile)) return bindError(file);
  return giveAddress(call.memory, call.arg(1), call.arg(2), file.socket.local);
}

/** getpeername(fd, address, length) */
export function peerName(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof StreamFile) && !(file instanceof DatagramFile)) return bindError(file);
  const { peer } = file.socket;
  if (peer.port === 0) return -Errno.ENOTCONN;
  return giveAddress(call.memory, call.arg(1), call.arg(2), peer);
}
