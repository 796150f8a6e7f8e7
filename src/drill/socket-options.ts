/**
 * setsockopt(2) and getsockopt(2): the options this stack has, and those of Linux that make no difference here.
 *
 * Thread: the caller's. Units are Linux's: seconds for the keep-alive times and SO_LINGER, microseconds in `struct timeval`.
 */

import { Errno } from '../base/errors.ts';
import { MS_PER_S, US_PER_S } from '../base/units.ts';
import type { SocketOptions } from '../socket/socket.ts';
import { StreamFile } from '../sys/socket-file.ts';
import { argument, type CallContext, done, numberArgument, type PendingCall, type TransportFile } from './call.ts';
import type { Expression, ScriptCall } from './syntax.ts';
import { findConnection } from './tcp-info.ts';
import { fieldOf, fieldsOf, listedNumber, numberOf, Unsupported, wordOf } from './values.ts';

/** Options that are the stack's own: name of the script → name here and how many of ours are one of theirs. */
const SCALED: Readonly<Record<string, readonly [keyof SocketOptions, number]>> = {
  TCP_KEEPIDLE: ['keepIdleMs', MS_PER_S],
  TCP_KEEPINTVL: ['keepIntervalMs', MS_PER_S],
  TCP_KEEPCNT: ['keepCount', 1],
  TCP_USER_TIMEOUT: ['userTimeoutMs', 1],
  IP_TTL: ['ttl', 1],
  IP_TOS: ['tos', 1],
};

const SWITCHES: Readonly<Record<string, keyof SocketOptions>> = {
  SO_REUSEADDR: 'reuseAddress',
  SO_REUSEPORT: 'reusePort',
  SO_KEEPALIVE: 'keepAlive',
  SO_BROADCAST: 'broadcast',
  TCP_NODELAY: 'noDelay',
  SO_OOBINLINE: 'oobInline',
  IP_MULTICAST_ALL: 'multicastAll',
  IPV6_MULTICAST_ALL: 'multicastAll6',
};

/** Linux says twice what was asked for, half of it for its own structures; others say what was asked for. Both will do. */
const BUFFERS: Readonly<Record<string, 'sendBufferBytes' | 'receiveBufferBytes'>> = {
  SO_SNDBUF: 'sendBufferBytes',
  SO_SNDBUFFORCE: 'sendBufferBytes',
  SO_RCVBUF: 'receiveBufferBytes',
  SO_RCVBUFFORCE: 'receiveBufferBytes',
};

/** Options whose effect is always on here, or does not show on the wire. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'SO_PRIORITY',
  'SO_MARK',
  'SO_NOSIGPIPE',
  'SO_DEBUG',
  'SO_RCVLOWAT',
  'SO_INCOMING_CPU',
  'SO_BUSY_POLL',
]);

export function setSocketOptionCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const file = context.process.socket(fd);
  if (file === null) return done(context.process.get(fd) === null ? -Errno.EBADF : -Errno.ENOTSOCK);
  const name = wordOf(argument(call, 2));
  const value = argument(call, 3);
  if (WITHOUT_EFFECT.has(name)) {
    context.note(`${name} makes no difference here`);
    return done(0);
  }
  if (name === 'TCP_CONGESTION') return done(setCongestionControl(context, file, value));
  return done(setOption(context, file, name, value));
}

function setOption(context: CallContext, file: TransportFile, name: string, value: Expression): number {
  const { socket } = file;
  const onOff = SWITCHES[name];
  if (onOff !== undefined) return socket.setOption(onOff, switched(value));
  const scaled = SCALED[name];
  if (scaled !== undefined) return socket.setOption(scaled[0], (listedNumber(value) ?? 0) * scaled[1]);
  const buffer = BUFFERS[name];
  if (buffer !== undefined) return socket.setOption(buffer, listedNumber(value) ?? 0);
  if (name === 'SO_LINGER') return socket.setOption('lingerMs', lingerMs(value));
  if (file instanceof StreamFile) {
    if (name === 'SO_RCVTIMEO') return setCallTimeout(file, 'receiveTimeoutUs', value);
    if (name === 'SO_SNDTIMEO') return setCallTimeout(file, 'sendTimeoutUs', value);
    if (name === 'TCP_INQ') {
      const { reportsQueue } = context.process;
      if (switched(value)) reportsQueue.add(file);
      else reportsQueue.delete(file);
      return 0;
    }
  }
  throw new Unsupported(`socket option ${name} is not known here`);
}

/** The algorithm of connections made from now on; of one that exists it cannot be changed. */
function setCongestionControl(context: CallContext, file: TransportFile, value: Expression): number {
  const { inet } = context.machine.kernel;
  const name = value.kind === 'string' ? value.value : wordOf(value);
  const number = { reno: 0, cubic: 1 }[name];
  if (number === undefined) throw new Unsupported(`congestion control ${name} is not known here`);
  const c = findConnection(context.machine, context.process.flow(file));
  const current = inet.sysctl.get('net.inet.tcp.congctl')?.value;
  if (c !== null && current !== number) {
    throw new Unsupported('the congestion control of a connection cannot be changed here');
  }
  return inet.sysctl.set('net.inet.tcp.congctl', number);
}

function switched(value: Expression): boolean {
  return (listedNumber(value) ?? 0) !== 0;
}

/** `{onoff=1, linger=5}`, or the two values alone. */
function lingerMs(value: Expression): number {
  const fields = fieldsOf(value);
  const onOff = fieldOf(value, 'onoff') ?? fields[0]?.value;
  const linger = fieldOf(value, 'linger') ?? fields[1]?.value;
  if (onOff === undefined || numberOf(onOff) === 0) return -1;
  return linger === undefined ? 0 : numberOf(linger) * MS_PER_S;
}

/** `struct timeval`: `{tv_sec=1, tv_usec=0}` or the two values alone. */
function setCallTimeout(file: StreamFile, which: 'receiveTimeoutUs' | 'sendTimeoutUs', value: Expression): number {
  const fields = fieldsOf(value);
  const [seconds, microseconds] = fields;
  file[which] =
    (seconds === undefined ? 0 : numberOf(seconds.value) * US_PER_S) +
    (microseconds === undefined ? 0 : numberOf(microseconds.value));
  return 0;
}

export function getSocketOptionCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const file = context.process.socket(fd);
  if (file === null) return done(context.process.get(fd) === null ? -Errno.EBADF : -Errno.ENOTSOCK);
  const name = wordOf(argument(call, 2));
  const expression = argument(call, 3);
  const actual = readOption(context, file, name);
  const expected = name === 'SO_LINGER' ? lingerMs(expression) : listedNumber(expression);
  if (expected === null || expected === actual) return done(0);
  if (name in BUFFERS && expected === 2 * actual) return done(0);
  return done(0, `expected ${name} value ${expected} but got ${actual}`);
}

function readOption(context: CallContext, file: TransportFile, name: string): number {
  const { socket } = file;
  const onOff = SWITCHES[name];
  if (onOff !== undefined) return socket.getOption(onOff) ? 1 : 0;
  const scaled = SCALED[name];
  if (scaled !== undefined) return (socket.getOption(scaled[0]) as number) / scaled[1];
  const buffer = BUFFERS[name];
  if (buffer !== undefined) return socket.getOption(buffer);
  switch (name) {
    case 'SO_ERROR':
      return -file.takeError();
    case 'SO_LINGER':
      return socket.getOption('lingerMs');
    case 'SO_TYPE':
      return file instanceof StreamFile ? 1 : 2;
    case 'SO_ACCEPTCONN':
      return file instanceof StreamFile && file.listening ? 1 : 0;
    case 'TCP_MAXSEG':
      return maximumSegment(context, file);
    default:
      throw new Unsupported(`socket option ${name} is not known here`);
  }
}

function maximumSegment(context: CallContext, file: TransportFile): number {
  const c = findConnection(context.machine, context.process.flow(file));
  return c === null ? context.machine.kernel.cpus[0].tcp.settings.mssDefault.value : c.size.mss;
}
