/** poll(2) and epoll(7). Thread: the caller's. Times are milliseconds, -1 for ever. */

import { Errno } from '../base/errors.ts';
import { US_PER_MS } from '../base/units.ts';
import {
  argument,
  type CallContext,
  type CallResult,
  done,
  expectedDescriptor,
  numberArgument,
  type PendingCall,
} from './call.ts';
import type { Descriptor } from './descriptors.ts';
import { EpollSet } from './epoll.ts';
import { POLLERR, POLLHUP, readiness } from './readiness.ts';
import type { Expression, ScriptCall } from './syntax.ts';
import { CallMistake, fieldOf, fieldsOf, numberOf } from './values.ts';

const POLLNVAL = 0x20;

function deadlineOf(context: CallContext, timeoutMs: number): number {
  return timeoutMs < 0 ? Infinity : context.machine.nowUs + timeoutMs * US_PER_MS;
}

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
  const deadlineUs = deadlineOf(context, numberArgument(call, 2));
  const attempt = (): CallResult | null => {
    const found = polled.map(({ fd, events }) => {
      const descriptor = context.descriptors.get(fd);
      if (typeof descriptor === 'number') return POLLNVAL;
      return readiness(descriptor, context.machine.kernel.tcp) & (events | POLLERR | POLLHUP);
    });
    const value = found.filter((events) => events !== 0).length;
    if (value === 0 && context.machine.nowUs < deadlineUs) return null;
    const wrong = polled.findIndex(({ expected }, i) => expected !== null && expected !== found[i]);
    if (wrong < 0) return { value, mismatch: null };
    const { fd, expected } = polled[wrong] as Polled;
    const mismatch = `expected revents ${hex(expected as number)} of fd ${fd} but got ${hex(found[wrong] as number)}`;
    return { value, mismatch };
  };
  return { attempt, deadlineUs };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function epollCreateCall(context: CallContext, call: ScriptCall): PendingCall {
  const set = new EpollSet();
  return done(context.descriptors.add({ kind: 'epoll', set, nonBlocking: false }, expectedDescriptor(call)));
}

function epollSet(context: CallContext, call: ScriptCall): EpollSet | number {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return descriptor;
  return descriptor.kind === 'epoll' ? descriptor.set : -Errno.EINVAL;
}

export function epollControlCall(context: CallContext, call: ScriptCall): PendingCall {
  const set = epollSet(context, call);
  if (typeof set === 'number') return done(set);
  const fd = numberArgument(call, 2);
  const descriptor = context.descriptors.get(fd);
  if (typeof descriptor === 'number') return done(descriptor);
  const event = call.args[3];
  const events = event === undefined || event.kind !== 'struct' ? undefined : fieldOf(event, 'events');
  return done(set.control(numberArgument(call, 1), fd, descriptor, events === undefined ? 0 : numberOf(events)));
}

export function epollWaitCall(context: CallContext, call: ScriptCall): PendingCall {
  const set = epollSet(context, call);
  if (typeof set === 'number') return done(set);
  const list = argument(call, 1);
  const expected = list.kind === 'list' ? list.items : list.kind === 'struct' ? [list] : [];
  const most = numberArgument(call, 2);
  const deadlineUs = deadlineOf(context, numberArgument(call, 3));
  const look = (descriptor: Descriptor): number => readiness(descriptor, context.machine.kernel.tcp);
  const attempt = (): CallResult | null => {
    const ready = set.collect(most, look);
    if (ready.length === 0 && context.machine.nowUs < deadlineUs) return null;
    for (const [i, { fd, events }] of ready.entries()) {
      const event = expected[i];
      if (event === undefined) continue;
      const mismatch = epollMismatch(event, fd, events);
      if (mismatch !== null) return { value: ready.length, mismatch };
    }
    return { value: ready.length, mismatch: null };
  };
  return { attempt, deadlineUs };
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
