/**
 * poll(2) and epoll(7). Thread: the caller's. Times are milliseconds, -1 for ever.
 *
 * An epoll instance is an interest list of sys/ (kqueue.ts) with one interest per descriptor.
 */

import { Errno } from '../base/errors.ts';
import { US_PER_MS } from '../base/units.ts';
import { type OpenFile, POLLERR, POLLHUP, READABLE } from '../sys/file.ts';
import { InterestList } from '../sys/kqueue.ts';
import type { SystemCall } from '../sys/system-call.ts';
import {
  argument,
  type CallContext,
  type CallResult,
  done,
  expectedDescriptor,
  made,
  madeBy,
  numberArgument,
  type PendingCall,
  ScriptMemory,
} from './call.ts';
import type { Expression, ScriptCall } from './syntax.ts';
import { CallMistake, fieldOf, fieldsOf, numberOf } from './values.ts';

const POLLFD_BYTES = 8;
/** Address of the structures of a call. */
const AT = 64;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLET: number = 2 ** 31;
const EPOLLONESHOT: number = 2 ** 30;
const EVENT_BITS = 0x3fff;
/** epoll has one interest per descriptor. */
const FILTER = 0;

interface Polled {
  fd: number;
  events: number;
  expected: number | null;
}

function polledOf(expression: Expression): Polled {
  const fd = fieldOf(expression, 'fd');
  const events = fieldOf(expression, 'events');
  const revents = fieldOf(expression, 'revents');
  if (fd === undefined || events === undefined) throw new CallMistake('poll() needs {fd=..., events=...}');
  return {
    fd: numberOf(fd),
    events: numberOf(events),
    expected: revents === undefined || revents.kind === 'ellipsis' ? null : numberOf(revents),
  };
}

export function pollCall(context: CallContext, call: ScriptCall): PendingCall {
  const list = argument(call, 0);
  const polled = list.kind === 'list' ? list.items.map(polledOf) : [];
  const memory = new ScriptMemory();
  for (const [i, { fd, events }] of polled.entries()) {
    memory.view.setInt32(AT + i * POLLFD_BYTES, fd, true);
    memory.view.setInt16(AT + i * POLLFD_BYTES + 4, events, true);
  }
  const judge = (value: number): CallResult => {
    const found = polled.map((_, i) => memory.view.getInt16(AT + i * POLLFD_BYTES + 6, true));
    const wrong = value < 0 ? -1 : polled.findIndex(({ expected }, i) => expected !== null && expected !== found[i]);
    if (wrong < 0) return { value, mismatch: null };
    const { fd, expected } = polled[wrong] as Polled;
    const mismatch = `expected revents ${hex(expected as number)} of fd ${fd} but got ${hex(found[wrong] as number)}`;
    return { value, mismatch };
  };
  return made(context, memory, 'poll', [AT, polled.length, numberArgument(call, 2)], judge);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function epollCreateCall(context: CallContext, call: ScriptCall): PendingCall {
  const expected = expectedDescriptor(call);
  return made(context, new ScriptMemory(), 'kqueue', [], (fd) => context.process.place(fd, expected));
}

function epollList(context: CallContext, call: ScriptCall): InterestList | number {
  const file = context.process.get(numberArgument(call, 0));
  if (file === null) return -Errno.EBADF;
  return file instanceof InterestList ? file : -Errno.EINVAL;
}

export function epollControlCall(context: CallContext, call: ScriptCall): PendingCall {
  const list = epollList(context, call);
  if (typeof list === 'number') return done(list);
  const fd = numberArgument(call, 2);
  const file = context.process.get(fd);
  if (file === null) return done(-Errno.EBADF);
  const event = call.args[3];
  const events = event === undefined || event.kind !== 'struct' ? undefined : fieldOf(event, 'events');
  const mask = events === undefined ? 0 : numberOf(events);
  return done(control(list, numberArgument(call, 1), fd, file, mask));
}

/** 0, `-EEXIST`, `-ENOENT` or `-EINVAL`. */
function control(list: InterestList, operation: number, fd: number, file: OpenFile, mask: number): number {
  const known = list.find(fd, FILTER);
  if (operation === EPOLL_CTL_DEL) return list.drop(fd, FILTER) ? 0 : -Errno.ENOENT;
  if (operation === EPOLL_CTL_ADD && known !== null) return -Errno.EEXIST;
  if (operation === EPOLL_CTL_MOD && known === null) return -Errno.ENOENT;
  if (operation !== EPOLL_CTL_ADD && operation !== EPOLL_CTL_MOD) return -Errno.EINVAL;
  const interest = known ?? list.add(fd, FILTER, file);
  interest.events = (mask & EVENT_BITS) | POLLERR | POLLHUP;
  interest.edge = Math.floor(mask / EPOLLET) % 2 === 1;
  interest.oneShot = Math.floor(mask / EPOLLONESHOT) % 2 === 1;
  interest.dispatch = true;
  list.arm(interest);
  return 0;
}

export function epollWaitCall(context: CallContext, call: ScriptCall): PendingCall {
  const list = epollList(context, call);
  if (typeof list === 'number') return done(list);
  const events = argument(call, 1);
  const expected = events.kind === 'list' ? events.items : events.kind === 'struct' ? [events] : [];
  const most = numberArgument(call, 2);
  const timeoutMs = numberArgument(call, 3);
  const ready: { fd: number; events: number }[] = [];
  const wait = (pending: SystemCall): number => {
    const count = list.collect(most, ({ fd }, found) => ready.push({ fd, events: found }));
    if (count > 0) return count;
    if (timeoutMs === 0 || pending.interruption === -Errno.EAGAIN) return 0;
    pending.limit(timeoutMs < 0 ? Infinity : timeoutMs * US_PER_MS);
    return pending.wait(list, READABLE);
  };
  return madeBy(context, wait, (value) => {
    for (const [i, one] of ready.entries()) {
      const event = expected[i];
      if (event === undefined) continue;
      const mismatch = epollMismatch(event, one.fd, one.events);
      if (mismatch !== null) return { value, mismatch };
    }
    return value;
  });
}

function epollMismatch(event: Expression, fd: number, events: number): string | null {
  for (const { name, value } of fieldsOf(event)) {
    if (value.kind === 'ellipsis') continue;
    const expected = numberOf(value);
    if (name === 'events' && expected !== events) return `expected events ${hex(expected)} but got ${hex(events)}`;
    if (name === 'fd' && expected !== fd) return `expected events of fd ${expected} but got those of ${fd}`;
  }
  return null;
}
