/** fcntl(2) and ioctl(2) of sockets. Thread: the caller's. */

import { Errno } from '../base/errors.ts';
import { argument, type CallContext, done, numberArgument, type PendingCall } from './call.ts';
import type { StreamDescriptor } from './descriptors.ts';
import type { ScriptCall } from './syntax.ts';
import { listedNumber, Unsupported, wordOf } from './values.ts';

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;

export function fcntlCall(context: CallContext, call: ScriptCall): PendingCall {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  const command = wordOf(argument(call, 1));
  if (command === 'F_GETFL') return done(O_RDWR | (descriptor.nonBlocking ? O_NONBLOCK : 0));
  if (command !== 'F_SETFL') throw new Unsupported(`fcntl ${command} is not known here`);
  descriptor.nonBlocking = (numberArgument(call, 2) & O_NONBLOCK) !== 0;
  return done(0);
}

export function ioctlCall(context: CallContext, call: ScriptCall): PendingCall {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  if (descriptor.kind === 'epoll') return done(-Errno.EINVAL);
  const request = wordOf(argument(call, 1));
  if (request === 'FIONBIO') {
    descriptor.nonBlocking = listedNumber(argument(call, 2)) !== 0;
    return done(0);
  }
  const value =
    descriptor.kind === 'stream'
      ? streamCount(descriptor, request)
      : datagramCount(request, Math.max(descriptor.socket.nextBytes, 0));
  if (value < 0) return done(value);
  const expected = listedNumber(argument(call, 2));
  if (expected === null || expected === value) return done(0);
  return done(0, `expected ${request} value ${expected} but got ${value}`);
}

function streamCount(descriptor: StreamDescriptor, request: string): number {
  const { socket } = descriptor;
  if (socket.state === 'LISTEN') return -Errno.EINVAL;
  switch (request) {
    case 'SIOCINQ':
    case 'FIONREAD':
      return socket.readableBytes;
    case 'SIOCOUTQ':
    case 'TIOCOUTQ':
    case 'FIONWRITE':
      return socket.unsentBytes;
    default:
      throw new Unsupported(`ioctl ${request} is not known here`);
  }
}

function datagramCount(request: string, waitingBytes: number): number {
  if (request === 'SIOCINQ' || request === 'FIONREAD') return waitingBytes;
  if (request === 'SIOCOUTQ' || request === 'TIOCOUTQ') return 0;
  throw new Unsupported(`ioctl ${request} is not known here`);
}
