/** exit, wait, ids, umask and limits. Thread: the one that runs the kernel. Read first: _exit(2), wait(2), getrlimit(2). */

import { Errno } from '../base/errors.ts';
import * as abi from './abi.ts';
import type { SystemCall } from './system-call.ts';
import { load, setInt64, store, storeInt, uint64At } from './user-struct.ts';

const MODE_BITS = 0o777;

/** exit(status) */
export function exit(call: SystemCall): number {
  call.process.table.exit(call.process, call.int(0));
  return 0;
}

/** wait4(pid, status, options, rusage): the pid of a child that has exited; usage is not counted. */
export function wait(call: SystemCall): number {
  const pid = call.int(0);
  const { process } = call;
  if (pid !== -1 && pid <= 0) return -Errno.EINVAL;
  const at = call.arg(1);
  if (at !== 0) {
    const error = call.memory.resolve(at, 4, true);
    if (error !== 0) return error;
  }
  const found = process.table.wait(process, pid);
  if (typeof found === 'number') return found;
  if (found === null) return (call.int(2) & abi.WNOHANG) !== 0 ? 0 : call.wait(process.children, 0);
  return (at === 0 ? 0 : storeInt(call.memory, at, found.exitStatus << 8)) || found.pid;
}

export function pid(call: SystemCall): number {
  return call.process.pid;
}

export function parentPid(call: SystemCall): number {
  return call.process.parent?.pid ?? 0;
}

export function userId(call: SystemCall): number {
  return call.process.credentials.uid;
}

export function groupId(call: SystemCall): number {
  return call.process.credentials.gid;
}

/** umask(mask): the mask of before. */
export function umask(call: SystemCall): number {
  const { process } = call;
  const before = process.umask;
  process.umask = call.int(0) & MODE_BITS;
  return before;
}

/** getrlimit(resource, struct rlimit *) */
export function getLimit(call: SystemCall): number {
  if (call.int(0) !== abi.RLIMIT_NOFILE) return -Errno.EINVAL;
  setInt64(0, call.process.descriptors.limit);
  setInt64(8, call.process.descriptors.limitMax);
  return store(call.memory, call.arg(1), abi.RLIMIT_BYTES);
}

/** setrlimit(resource, struct rlimit *); the maximum may be lowered and is not raised. */
export function setLimit(call: SystemCall): number {
  if (call.int(0) !== abi.RLIMIT_NOFILE) return -Errno.EINVAL;
  const error = load(call.memory, call.arg(1), abi.RLIMIT_BYTES);
  if (error !== 0) return error;
  const limit = uint64At(0);
  const most = uint64At(8);
  const { descriptors } = call.process;
  if (limit > most) return -Errno.EINVAL;
  if (most > descriptors.limitMax) return -Errno.EPERM;
  descriptors.limit = limit;
  descriptors.limitMax = most;
  return 0;
}
