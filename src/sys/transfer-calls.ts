/**
 * read, write, send, recv and their relatives: bytes between files and the memory of a program.
 *
 * Thread: the one that runs the kernel. A stream moves bytes between the socket's buffer and the program's memory directly; a
 * datagram in several pieces goes through one block. A call that blocks sends everything, and receives what there is
 * (everything with MSG_WAITALL). Read first: send(2), recv(2), read(2), write(2).
 * Missing: control messages; MSG_OOB of recv, because urgent data stays in the stream (RFC 6093).
 */

import { Errno } from '../base/errors.ts';
import { DATAGRAM_BYTES_MAX, DatagramInfo, SocketAddress } from '../socket/socket.ts';
import * as abi from './abi.ts';
import type { OpenFile } from './file.ts';
import { READABLE, WRITABLE } from './file.ts';
import { PairFile } from './pipe-file.ts';
import { socketError } from './socket-calls.ts';
import { DatagramFile, RawFile, SocketFile, StreamFile } from './socket-file.ts';
import type { SystemCall } from './system-call.ts';
import {
  checkLength,
  giveAddress,
  int32At,
  load,
  loadAddress,
  NO_FAMILY,
  storeAddress,
  struct,
  uint64At,
} from './user-struct.ts';

const block: Uint8Array = new Uint8Array(DATAGRAM_BYTES_MAX);
const info: DatagramInfo = new DatagramInfo();
const destination: SocketAddress = new SocketAddress();

/** The pieces of the program's memory that the call names. */
const starts: Float64Array = new Float64Array(abi.UIO_MAXIOV);
const lengths: Float64Array = new Float64Array(abi.UIO_MAXIOV);
let pieces = 0;
let totalBytes = 0;

function onePiece(call: SystemCall, address: number, lengthBytes: number): number {
  // A memory that cannot be held as a whole makes the transfer shorter.
  const moved = Math.min(lengthBytes, call.memory.mostBytes);
  starts[0] = address;
  lengths[0] = moved;
  pieces = 1;
  totalBytes = moved;
  return lengthBytes >= 0 ? 0 : -Errno.EINVAL;
}

/** Read an array of `struct iovec`: 0, -EINVAL, -EFAULT. */
function loadPieces(call: SystemCall, address: number, count: number): number {
  if (!(count >= 0 && count <= abi.UIO_MAXIOV)) return -Errno.EINVAL;
  totalBytes = 0;
  for (let i = 0; i < count; i++) {
    const error = load(call.memory, address + i * abi.IOVEC_BYTES, abi.IOVEC_BYTES);
    if (error !== 0) return error;
    starts[i] = uint64At(0);
    lengths[i] = uint64At(8);
    totalBytes += lengths[i] as number;
  }
  pieces = count;
  return Number.isSafeInteger(totalBytes) ? 0 : -Errno.EINVAL;
}

/** Whether every piece can be touched: 0 or -EFAULT. */
function checkPieces(call: SystemCall, write: boolean): number {
  for (let i = 0; i < pieces; i++) {
    const error = call.memory.resolve(starts[i] as number, lengths[i] as number, write);
    if (error !== 0) return error;
  }
  return 0;
}

// Receiving.

/** read(fd, buffer, bytes) */
export function read(call: SystemCall): number {
  return onePiece(call, call.arg(1), call.arg(2)) || readFile(call, 0);
}

/** readv(fd, iov, count) */
export function readVector(call: SystemCall): number {
  return loadPieces(call, call.arg(1), call.int(2)) || readFile(call, 0);
}

function readFile(call: SystemCall, flags: number): number {
  const file = call.file(call.int(0));
  if (file === null) return -Errno.EBADF;
  const error = checkPieces(call, true);
  if (error !== 0) return error;
  if (file instanceof DatagramFile || file instanceof RawFile) return receiveMessage(call, file, flags);
  return receiveBytes(call, file, flags);
}

/** recvfrom(fd, buffer, bytes, flags, address, length) */
export function receiveFrom(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof SocketFile || file instanceof PairFile)) return socketError(file);
  const error =
    onePiece(call, call.arg(1), call.arg(2)) ||
    checkPieces(call, true) ||
    checkLength(call.memory, call.arg(4), call.arg(5));
  if (error !== 0) return error;
  const flags = call.int(3);
  if ((flags & abi.MSG_OOB) !== 0) return -Errno.EINVAL;
  if (!(file instanceof DatagramFile || file instanceof RawFile)) return receiveBytes(call, file, flags);
  const count = receiveMessage(call, file, flags);
  return count < 0 ? count : giveAddress(call.memory, call.arg(4), call.arg(5), info.from) || count;
}

/** recvmsg(fd, message, flags) */
export function receiveMessageCall(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof SocketFile || file instanceof PairFile)) return socketError(file);
  const { memory } = call;
  const message = call.arg(1);
  const loaded = load(memory, message, abi.MSGHDR_BYTES);
  if (loaded !== 0) return loaded;
  const nameAt = uint64At(0);
  const nameBytes = int32At(8);
  const error = loadPieces(call, uint64At(16), int32At(24)) || checkPieces(call, true);
  if (error !== 0) return error;
  const flags = call.int(2);
  if ((flags & abi.MSG_OOB) !== 0) return -Errno.EINVAL;
  const datagram = file instanceof DatagramFile || file instanceof RawFile;
  const count = datagram ? receiveMessage(call, file, flags) : receiveBytes(call, file, flags);
  if (count < 0) return count;
  let givenBytes = 0;
  if (datagram && nameAt !== 0) {
    const stored = storeAddress(memory, nameAt, Math.max(nameBytes, 0), info.from);
    if (stored !== 0) return stored;
    givenBytes = info.from.family === 4 ? abi.SOCKADDR_IN_BYTES : abi.SOCKADDR_IN6_BYTES;
  }
  const truncated = datagram && info.fullBytes > totalBytes;
  return giveMessage(call, message, givenBytes, truncated ? abi.MSG_TRUNC : 0) || count;
}

/** Results in a `struct msghdr`: length of the name, no control data, flags. */
// cold: once per thread
function giveMessage(call: SystemCall, message: number, nameBytes: number, flags: number): number {
  const { memory } = call;
  struct.setInt32(0, nameBytes, true);
  struct.setInt32(4, 0, true);
  struct.setInt32(8, flags, true);
  const scratch = new Uint8Array(struct.buffer);
  return (
    memory.copyOut(scratch, 0, message + 8, 4) ||
    memory.copyOut(scratch, 4, message + 40, 4) ||
    memory.copyOut(scratch, 8, message + 44, 4)
  );
}

/** Bytes of a stream, a pair or another file without borders. */
function receiveBytes(call: SystemCall, file: OpenFile, flags: number): number {
  const peek = (flags & abi.MSG_PEEK) !== 0 && file instanceof StreamFile;
  const result = peek ? moveIn(call, file, true) : moveIn(call, file, false);
  if (result !== -Errno.EAGAIN) return result;
  const all = (flags & abi.MSG_WAITALL) !== 0;
  if (call.progress > 0 && !all) return call.progress;
  if (file.nonBlocking || (flags & abi.MSG_DONTWAIT) !== 0) return call.progress > 0 ? call.progress : -Errno.EAGAIN;
  if (file instanceof SocketFile) call.limit(file.receiveTimeoutUs);
  const waiting = call.wait(file, READABLE);
  return call.interruption !== 0 && call.progress > 0 ? call.progress : waiting;
}

/** Fill the pieces after the first `call.progress` bytes: the total, -EAGAIN when there is not enough, an error. */
function moveIn(call: SystemCall, file: OpenFile, peek: boolean): number {
  let skip = call.progress;
  if (totalBytes === 0) return file.poll() & READABLE ? 0 : -Errno.EAGAIN;
  for (let i = 0; i < pieces; i++) {
    const length = lengths[i] as number;
    if (skip >= length) {
      skip -= length;
      continue;
    }
    const { memory } = call;
    const error = memory.resolve((starts[i] as number) + skip, length - skip, true);
    if (error !== 0) return call.progress > 0 ? call.progress : error;
    const want = length - skip;
    skip = 0;
    const count = peek
      ? (file as StreamFile).socket.peek(memory.array, memory.at, want)
      : file.read(memory.array, memory.at, want);
    if (count === -Errno.EAGAIN) return count;
    if (count <= 0) return call.progress > 0 ? call.progress : count;
    memory.wrote(count);
    call.progress += count;
    if (peek) return call.progress;
    if (count < want) return call.progress < totalBytes ? -Errno.EAGAIN : call.progress;
  }
  return call.progress;
}

/** One datagram or raw packet into the pieces; its sender and length are in `info`. With MSG_TRUNC the full length. */
function receiveMessage(call: SystemCall, file: DatagramFile | RawFile, flags: number): number {
  const count = takeMessage(call, file, (flags & abi.MSG_PEEK) !== 0);
  if (count === -Errno.EAGAIN) {
    if (file instanceof DatagramFile && file.readShut) return 0;
    if (file.nonBlocking || (flags & abi.MSG_DONTWAIT) !== 0) return count;
    call.limit(file.receiveTimeoutUs);
    return call.wait(file, READABLE);
  }
  return count >= 0 && (flags & abi.MSG_TRUNC) !== 0 ? info.fullBytes : count;
}

function takeMessage(call: SystemCall, file: DatagramFile | RawFile, peek: boolean): number {
  const { memory } = call;
  info.fullBytes = 0;
  if (pieces === 1) {
    memory.resolve(starts[0] as number, lengths[0] as number, true);
    const count = messageInto(file, peek, memory.array, memory.at, lengths[0] as number);
    if (count > 0) memory.wrote(count);
    return count;
  }
  const count = messageInto(file, peek, block, 0, Math.min(totalBytes, DATAGRAM_BYTES_MAX));
  let at = 0;
  for (let i = 0; i < pieces && at < count; i++) {
    const part = Math.min(lengths[i] as number, count - at);
    const error = memory.copyOut(block, at, starts[i] as number, part);
    if (error !== 0) return error;
    at += part;
  }
  return count;
}

function messageInto(file: DatagramFile | RawFile, peek: boolean, into: Uint8Array, at: number, bytes: number): number {
  if (peek && file instanceof DatagramFile) return file.socket.peek(into, at, bytes, info);
  return file.socket.receive(into, at, bytes, info);
}

// Sending.

/** write(fd, buffer, bytes) */
export function write(call: SystemCall): number {
  return onePiece(call, call.arg(1), call.arg(2)) || writeFile(call);
}

/** writev(fd, iov, count) */
export function writeVector(call: SystemCall): number {
  return loadPieces(call, call.arg(1), call.int(2)) || writeFile(call);
}

function writeFile(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (file === null) return -Errno.EBADF;
  const error = checkPieces(call, false);
  if (error !== 0) return error;
  if (file instanceof DatagramFile || file instanceof RawFile) return sendMessage(call, file, 0, null);
  return sendBytes(call, file, 0);
}

/** sendto(fd, buffer, bytes, flags, address, length) */
export function sendTo(call: SystemCall): number {
  const error = onePiece(call, call.arg(1), call.arg(2));
  return error !== 0 ? error : send(call, call.int(3), call.arg(4), call.int(5));
}

/** sendmsg(fd, message, flags) */
export function sendMessageCall(call: SystemCall): number {
  const loaded = load(call.memory, call.arg(1), abi.MSGHDR_BYTES);
  if (loaded !== 0) return loaded;
  const nameAt = uint64At(0);
  const nameBytes = int32At(8);
  const error = loadPieces(call, uint64At(16), int32At(24));
  return error !== 0 ? error : send(call, call.int(2), nameAt, nameBytes);
}

function send(call: SystemCall, flags: number, nameAt: number, nameBytes: number): number {
  const file = call.file(call.int(0));
  if (!(file instanceof SocketFile || file instanceof PairFile)) return socketError(file);
  const error = checkPieces(call, false);
  if (error !== 0) return error;
  if (!(file instanceof DatagramFile || file instanceof RawFile)) return sendBytes(call, file, flags);
  if (nameAt === 0) return sendMessage(call, file, flags, null);
  const named = loadAddress(call.memory, nameAt, nameBytes, destination);
  if (named !== 0) return named === NO_FAMILY ? -Errno.EAFNOSUPPORT : named;
  if (file instanceof DatagramFile && destination.port === 0) return -Errno.EINVAL;
  return sendMessage(call, file, flags, destination);
}

function sendBytes(call: SystemCall, file: OpenFile, flags: number): number {
  const result = moveOut(call, file, (flags & abi.MSG_OOB) !== 0);
  if (result !== -Errno.EAGAIN) return result;
  if (file.nonBlocking || (flags & abi.MSG_DONTWAIT) !== 0) return call.progress > 0 ? call.progress : -Errno.EAGAIN;
  if (file instanceof SocketFile) call.limit(file.sendTimeoutUs);
  const waiting = call.wait(file, WRITABLE);
  return call.interruption !== 0 && call.progress > 0 ? call.progress : waiting;
}

/** Send the pieces after the first `call.progress` bytes: the total, -EAGAIN when there is no room, an error. */
function moveOut(call: SystemCall, file: OpenFile, urgent: boolean): number {
  do {
    const { memory } = call;
    const left = totalBytes - call.progress;
    let count: number;
    if (pieces === 1) {
      const error = memory.resolve((starts[0] as number) + call.progress, left, false);
      if (error !== 0) return call.progress > 0 ? call.progress : error;
      count = pushBytes(file, urgent, memory.array, memory.at, left);
    } else {
      // Gathered, so that pieces do not become segments of their own.
      const gathered = gather(call, call.progress);
      if (gathered < 0) return call.progress > 0 ? call.progress : gathered;
      count = pushBytes(file, urgent, block, 0, gathered);
    }
    if (count === -Errno.EAGAIN || (count === 0 && left > 0)) return -Errno.EAGAIN;
    if (count < 0) return call.progress > 0 ? call.progress : count;
    call.progress += count;
  } while (call.progress < totalBytes);
  return call.progress;
}

/** Copy the pieces from byte `from` on into the block, as much as it takes: the count or -EFAULT. */
function gather(call: SystemCall, from: number): number {
  let skip = from;
  let at = 0;
  for (let i = 0; i < pieces && at < DATAGRAM_BYTES_MAX; i++) {
    const length = lengths[i] as number;
    if (skip >= length) {
      skip -= length;
      continue;
    }
    const part = Math.min(length - skip, DATAGRAM_BYTES_MAX - at);
    const error = call.memory.copyIn((starts[i] as number) + skip, block, at, part);
    if (error !== 0) return error;
    at += part;
    skip = 0;
  }
  return at;
}

function pushBytes(file: OpenFile, urgent: boolean, bytes: Uint8Array, at: number, length: number): number {
  if (!urgent) return file.write(bytes, at, length);
  if (!(file instanceof StreamFile)) return -Errno.EOPNOTSUPP;
  return file.writeShut ? -Errno.EPIPE : file.socket.sendUrgent(bytes, at, length);
}

/** One datagram or raw packet from the pieces, to an address or (null) to the peer. */
function sendMessage(call: SystemCall, file: DatagramFile | RawFile, flags: number, to: SocketAddress | null): number {
  const { memory } = call;
  let count: number;
  if (pieces === 1) {
    memory.resolve(starts[0] as number, lengths[0] as number, false);
    count = messageFrom(file, memory.array, memory.at, lengths[0] as number, to);
  } else {
    if (totalBytes > DATAGRAM_BYTES_MAX) return -Errno.EMSGSIZE;
    const gathered = gather(call, 0);
    if (gathered < 0) return gathered;
    count = messageFrom(file, block, 0, gathered, to);
  }
  if (count !== -Errno.EAGAIN || file.nonBlocking || (flags & abi.MSG_DONTWAIT) !== 0) return count;
  call.limit(file.sendTimeoutUs);
  return call.wait(file, WRITABLE);
}

function messageFrom(
  file: DatagramFile | RawFile,
  bytes: Uint8Array,
  at: number,
  length: number,
  to: SocketAddress | null,
): number {
  if (file instanceof RawFile) return to === null ? -Errno.EDESTADDRREQ : file.socket.send(bytes, at, length, to);
  return file.writeShut ? -Errno.EPIPE : file.socket.send(bytes, at, length, to);
}
