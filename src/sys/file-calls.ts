/** close, dup, dup2, dup3, fcntl, ioctl. Thread: the one that runs the kernel. Read first: their man pages, section 2. */

import { Errno } from '../base/errors.ts';
import * as abi from './abi.ts';
import type { OpenFile } from './file.ts';
import { StreamFile } from './socket-file.ts';
import type { SystemCall } from './system-call.ts';
import { int32At, load, storeInt } from './user-struct.ts';

/** close(fd) */
export function close(call: SystemCall): number {
  return call.process.descriptors.close(call.int(0));
}

/** dup(fd) */
export function duplicate(call: SystemCall): number {
  const file = call.file(call.int(0));
  return file === null ? -Errno.EBADF : call.process.descriptors.add(file);
}

/** dup2(from, to) */
export function duplicateTo(call: SystemCall): number {
  return duplicateAt(call, 0);
}

/** dup3(from, to, flags): O_CLOEXEC, O_NONBLOCK. */
export function duplicateToFlags(call: SystemCall): number {
  return duplicateAt(call, call.int(2));
}

function duplicateAt(call: SystemCall, flags: number): number {
  const file = call.file(call.int(0));
  if (file === null) return -Errno.EBADF;
  const { descriptors } = call.process;
  const to = call.int(1);
  if (to !== call.int(0)) {
    const fd = descriptors.addAt(to, file, (flags & abi.O_CLOEXEC) !== 0);
    if (fd < 0) return fd;
  }
  if ((flags & abi.O_NONBLOCK) !== 0) file.nonBlocking = true;
  return to;
}

/** fcntl(fd, command, argument) */
export function control(call: SystemCall): number {
  const fd = call.int(0);
  const { descriptors } = call.process;
  const file = descriptors.get(fd);
  if (file === null) return -Errno.EBADF;
  const value = call.int(2);
  switch (call.int(1)) {
    case abi.F_DUPFD:
    case abi.F_DUPFD_CLOEXEC:
      if (value < 0 || value >= descriptors.limit) return -Errno.EINVAL;
      return descriptors.add(file, call.int(1) === abi.F_DUPFD_CLOEXEC, value);
    case abi.F_GETFD:
      return descriptors.closeOnExec(fd) ? abi.FD_CLOEXEC : 0;
    case abi.F_SETFD:
      descriptors.setCloseOnExec(fd, (value & abi.FD_CLOEXEC) !== 0);
      return 0;
    case abi.F_GETFL:
      return abi.O_RDWR | (file.nonBlocking ? abi.O_NONBLOCK : 0);
    case abi.F_SETFL:
      file.nonBlocking = (value & abi.O_NONBLOCK) !== 0;
      return 0;
    default:
      return -Errno.EINVAL;
  }
}

/** ioctl(fd, request, int *) */
export function ioctl(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (file === null) return -Errno.EBADF;
  const request = call.arg(1) >>> 0;
  const at = call.arg(2);
  if (request === abi.FIONBIO) {
    const error = load(call.memory, at, 4);
    if (error !== 0) return error;
    file.nonBlocking = int32At(0) !== 0;
    return 0;
  }
  if (request !== abi.FIONREAD && request !== abi.FIONWRITE && request !== abi.FIONSPACE) return -Errno.EINVAL;
  const count = bytesOf(file, request);
  return count < 0 ? count : storeInt(call.memory, at, count);
}

/** Count of FIONREAD, FIONWRITE or FIONSPACE; -EINVAL for a listening socket. */
export function bytesOf(file: OpenFile, request: number): number {
  if (file instanceof StreamFile && file.listening) return -Errno.EINVAL;
  if (request === abi.FIONREAD) return file.readableBytes;
  return request === abi.FIONWRITE ? file.unsentBytes : file.writableBytes;
}
