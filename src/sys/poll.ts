/**
 * poll, select, kqueue and kevent.
 *
 * Thread: the one that runs the kernel. poll and select watch each of their files for as long as they wait; kevent watches
 * its interest list alone (kqueue.ts). Read first: poll(2), select(2), kqueue(2).
 */

import { Errno } from '../base/errors.ts';
import { NS_PER_US, US_PER_MS, US_PER_S } from '../base/units.ts';
import * as abi from './abi.ts';
import {
  type OpenFile,
  POLL_ALWAYS,
  POLLERR,
  POLLHUP,
  POLLNVAL,
  POLLPRI,
  POLLRDHUP,
  READABLE,
  WRITABLE,
} from './file.ts';
import { type Interest, InterestList } from './kqueue.ts';
import { enterFile } from './process-sockets.ts';
import { DatagramFile, SocketFile, StreamFile } from './socket-file.ts';
import type { SystemCall } from './system-call.ts';
import { int32At, int64At, load, setInt64, store, struct, uint64At } from './user-struct.ts';

/** Descriptors of one poll(2) or select(2). */
const POLLED_MAX = 4096;
const BITS = 32;
const polled: Int32Array = new Int32Array(POLLED_MAX);

/** Wait on all files of `polled` (pairs of descriptor and events), or give 0 when the time is over. */
function waitForAll(call: SystemCall, count: number, timeoutUs: number): number {
  if (timeoutUs === 0 || call.interruption === -Errno.EAGAIN) return 0;
  call.limit(timeoutUs);
  let waits = 0;
  let result = 0;
  for (let i = 0; i < count; i++) {
    const file = call.file(polled[2 * i] as number);
    if (file === null) continue;
    result = call.wait(file, polled[2 * i + 1] as number);
    waits++;
  }
  // Without files the call is a pause, which nothing but the time ends.
  return waits > 0 ? result : call.wait(call.process.children, 0);
}

/** poll(pollfd[], count, timeout ms): negative waits for ever. */
export function poll(call: SystemCall): number {
  const at = call.arg(0);
  const count = call.int(1);
  const timeoutMs = call.int(2);
  const { memory } = call;
  if (count < 0 || count > POLLED_MAX / 2) return -Errno.EINVAL;
  let ready = 0;
  let watched = 0;
  for (let i = 0; i < count; i++) {
    const error = load(memory, at + i * abi.POLLFD_BYTES, abi.POLLFD_BYTES);
    if (error !== 0) return error;
    const fd = int32At(0);
    const events = struct.getInt16(4, true);
    let found = 0;
    if (fd >= 0) {
      const file = call.file(fd);
      found = file === null ? POLLNVAL : file.poll() & (events | POLL_ALWAYS);
      polled[2 * watched] = fd;
      polled[2 * watched++ + 1] = events;
    }
    if (found !== 0) ready++;
    struct.setInt16(6, found, true);
    const stored = store(memory, at + i * abi.POLLFD_BYTES, abi.POLLFD_BYTES);
    if (stored !== 0) return stored;
  }
  return ready > 0 ? ready : waitForAll(call, watched, timeoutMs < 0 ? Infinity : timeoutMs * US_PER_MS);
}

const SETS = [READABLE | POLLHUP | POLLERR | POLLRDHUP, WRITABLE | POLLERR, POLLPRI] as const;

function isSet(call: SystemCall, set: number, fd: number): boolean {
  call.memory.resolve(set + (fd >>> 5) * 4, 4, false);
  return ((call.memory.array[call.memory.at + ((fd & (BITS - 1)) >>> 3)] as number) & (1 << (fd & 7))) !== 0;
}

/** select(count, in, out, except, timeval): sets of bits in words of 32; a set that is 0 is left out. */
export function select(call: SystemCall): number {
  const count = call.int(0);
  const { memory } = call;
  if (count < 0 || count > POLLED_MAX / 2) return -Errno.EINVAL;
  const setBytes = Math.ceil(count / BITS) * 4;
  for (let k = 0; k < SETS.length; k++) {
    const set = call.arg(1 + k);
    const error = set === 0 ? 0 : memory.resolve(set, setBytes, true);
    if (error !== 0) return error;
  }
  const timeoutUs = timevalOf(call, call.arg(4));
  if (timeoutUs < 0) return timeoutUs;
  let ready = 0;
  let watched = 0;
  for (let fd = 0; fd < count; fd++) {
    let events = 0;
    for (let k = 0; k < SETS.length; k++) {
      const set = call.arg(1 + k);
      if (set !== 0 && isSet(call, set, fd)) events |= SETS[k] as number;
    }
    if (events === 0) continue;
    const file = call.file(fd);
    if (file === null) return -Errno.EBADF;
    if ((file.poll() & events) !== 0) ready++;
    polled[2 * watched] = fd;
    polled[2 * watched++ + 1] = events;
  }
  if (ready === 0) {
    const waiting = waitForAll(call, watched, timeoutUs);
    if (waiting !== 0) return waiting;
  }
  return giveSets(call, count);
}

/** Leave the bits of descriptors that are ready: how many bits that are. */
function giveSets(call: SystemCall, count: number): number {
  let bits = 0;
  for (let k = 0; k < SETS.length; k++) {
    const set = call.arg(1 + k);
    if (set === 0) continue;
    for (let fd = 0; fd < count; fd++) {
      if (!isSet(call, set, fd)) continue;
      const file = call.file(fd) as OpenFile;
      if ((file.poll() & (SETS[k] as number)) !== 0) bits++;
      else clearBit(call, set, fd);
    }
  }
  return bits;
}

function clearBit(call: SystemCall, set: number, fd: number): void {
  call.memory.resolve(set + (fd >>> 5) * 4, 4, true);
  const at = call.memory.at + ((fd & (BITS - 1)) >>> 3);
  call.memory.array[at] = (call.memory.array[at] as number) & ~(1 << (fd & 7));
  call.memory.wrote(4);
}

/** Microseconds of a `struct timeval`; Infinity for none, -EINVAL, -EFAULT. */
function timevalOf(call: SystemCall, at: number): number {
  if (at === 0) return Infinity;
  const error = load(call.memory, at, abi.TIMEVAL_BYTES);
  if (error !== 0) return error;
  const us = int64At(0) * US_PER_S + int32At(8);
  return us < 0 ? -Errno.EINVAL : us;
}

/** kqueue() */
// cold: once per kqueue or epoll
export function kqueue(call: SystemCall): number {
  const { process } = call;
  return enterFile(process, new InterestList(process.table.wakeups, process.descriptors), 0);
}

/** kqueue1(flags): O_CLOEXEC, O_NONBLOCK. */
// cold: once per kqueue or epoll
export function kqueueFlags(call: SystemCall): number {
  const flags = call.int(0);
  const { process } = call;
  const type = (flags & abi.O_CLOEXEC) !== 0 ? abi.SOCK_CLOEXEC : 0;
  return enterFile(process, new InterestList(process.table.wakeups, process.descriptors), type);
}

const CHANGED = 1;
let tellTo = 0;
let told = 0;
let tellError = 0;
let tellCall: SystemCall | null = null;

/** kevent(fd, changes, count, events, count, timespec) */
export function kevent(call: SystemCall): number {
  const list = call.file(call.int(0));
  if (list === null) return -Errno.EBADF;
  if (!(list instanceof InterestList)) return -Errno.EBADF;
  const most = call.int(4);
  if (most < 0) return -Errno.EINVAL;
  const at = call.arg(5);
  let timeoutUs = Infinity;
  if (at !== 0) {
    const error = load(call.memory, at, abi.TIMESPEC_BYTES);
    if (error !== 0) return error;
    if (int64At(0) < 0 || int64At(8) < 0) return -Errno.EINVAL;
    timeoutUs = int64At(0) * US_PER_S + Math.ceil(int64At(8) / NS_PER_US);
  }
  if (call.stage !== CHANGED) {
    const reported = applyChanges(call, list, most);
    if (reported !== 0) return reported;
    call.stage = CHANGED;
  }
  if (most === 0) return 0;
  const count = collectEvents(call, list, most);
  if (count !== 0) return count;
  if (timeoutUs === 0 || call.interruption === -Errno.EAGAIN) return 0;
  call.limit(timeoutUs);
  return call.wait(list, READABLE);
}

/**
 * Apply the changes: 0, or how many errors were told in the list of events, or the error of a change that found no room
 * there.
 */
function applyChanges(call: SystemCall, list: InterestList, most: number): number {
  const count = call.int(2);
  let errors = 0;
  for (let i = 0; i < count; i++) {
    const loaded = load(call.memory, call.arg(1) + i * abi.KEVENT_BYTES, abi.KEVENT_BYTES);
    if (loaded !== 0) return loaded;
    const error = applyChange(call, list);
    if (error === 0) continue;
    if (errors === most) return error;
    struct.setUint32(12, abi.EV_ERROR, true);
    setInt64(24, -error);
    const stored = store(call.memory, call.arg(3) + errors * abi.KEVENT_BYTES, abi.KEVENT_BYTES);
    if (stored !== 0) return stored;
    errors++;
  }
  return errors;
}

function applyChange(call: SystemCall, list: InterestList): number {
  const fd = uint64At(0);
  const filter = struct.getUint32(8, true);
  const flags = struct.getUint32(12, true);
  if (filter !== abi.EVFILT_READ && filter !== abi.EVFILT_WRITE) return -Errno.EINVAL;
  const file = call.file(fd);
  if (file === null) return -Errno.EBADF;
  let interest = list.find(fd, filter);
  // The number was given to another file since.
  if (interest !== null && interest.file !== file) {
    list.drop(fd, filter);
    interest = null;
  }
  if ((flags & abi.EV_DELETE) !== 0) return list.drop(fd, filter) ? 0 : -Errno.ENOENT;
  if (interest === null && (flags & abi.EV_ADD) === 0) return -Errno.ENOENT;
  interest ??= list.add(fd, filter, file);
  if ((flags & abi.EV_ADD) !== 0) {
    interest.events = filter === abi.EVFILT_READ ? READABLE | POLLRDHUP : WRITABLE;
    interest.edge = (flags & abi.EV_CLEAR) !== 0;
    interest.dispatch = (flags & abi.EV_DISPATCH) !== 0;
    interest.oneShot = interest.dispatch || (flags & abi.EV_ONESHOT) !== 0;
    interest.data = uint64At(32);
  }
  if ((flags & abi.EV_DISABLE) !== 0) interest.enabled = false;
  else if ((flags & (abi.EV_ENABLE | abi.EV_ADD)) !== 0) list.arm(interest);
  return 0;
}

function collectEvents(call: SystemCall, list: InterestList, most: number): number {
  tellCall = call;
  tellTo = call.arg(3);
  told = 0;
  tellError = call.memory.resolve(tellTo, most * abi.KEVENT_BYTES, true);
  if (tellError === 0) list.collect(most, tellEvent);
  tellCall = null;
  return tellError !== 0 ? tellError : told;
}

function tellEvent(interest: Interest, events: number): void {
  const { file, filter, fd } = interest;
  const read = filter === abi.EVFILT_READ;
  const end = (events & (read ? POLLRDHUP | POLLHUP : POLLHUP)) !== 0;
  struct.setBigUint64(0, BigInt(fd), true);
  struct.setUint32(8, filter, true);
  struct.setUint32(12, (interest.edge ? abi.EV_CLEAR : 0) | (end ? abi.EV_EOF : 0), true);
  struct.setUint32(16, end && file instanceof SocketFile ? errorOf(file) : 0, true);
  struct.setUint32(20, 0, true);
  setInt64(24, read ? file.readableBytes : file.writableBytes);
  setInt64(32, interest.data);
  const stored = store((tellCall as SystemCall).memory, tellTo + told * abi.KEVENT_BYTES, abi.KEVENT_BYTES);
  if (stored !== 0) tellError = stored;
  else told++;
}

/** The pending error of a socket, positive; it stays pending. */
function errorOf(file: SocketFile): number {
  return file instanceof StreamFile || file instanceof DatagramFile ? -file.socket.error : 0;
}
