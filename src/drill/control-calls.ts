/** fcntl(2) and ioctl(2) of sockets, with Linux's names. Thread: the caller's. */

import { Errno } from '../base/errors.ts';
import * as abi from '../sys/abi.ts';
import type { OpenFile } from '../sys/file.ts';
import { bytesOf } from '../sys/file-calls.ts';
import { StreamFile } from '../sys/socket-file.ts';
import { argument, type CallContext, done, made, numberArgument, type PendingCall, ScriptMemory } from './call.ts';
import type { ScriptCall } from './syntax.ts';
import { listedNumber, Unsupported, wordOf } from './values.ts';

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;

export function fcntlCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const command = wordOf(argument(call, 1));
  const memory = new ScriptMemory();
  if (command === 'F_GETFL') {
    const judge = (flags: number): number =>
      flags < 0 ? flags : O_RDWR | ((flags & abi.O_NONBLOCK) === 0 ? 0 : O_NONBLOCK);
    return made(context, memory, 'fcntl', [fd, abi.F_GETFL, 0], judge);
  }
  if (command !== 'F_SETFL') throw new Unsupported(`fcntl ${command} is not known here`);
  const flags = (numberArgument(call, 2) & O_NONBLOCK) === 0 ? 0 : abi.O_NONBLOCK;
  return made(context, memory, 'fcntl', [fd, abi.F_SETFL, flags]);
}

export function ioctlCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const file = context.process.get(fd);
  if (file === null) return done(-Errno.EBADF);
  if (context.process.socket(fd) === null) return done(-Errno.EINVAL);
  const request = wordOf(argument(call, 1));
  if (request === 'FIONBIO') {
    file.nonBlocking = listedNumber(argument(call, 2)) !== 0;
    return done(0);
  }
  const value = countOf(file, request);
  if (value < 0) return done(value);
  const expected = listedNumber(argument(call, 2));
  if (expected === null || expected === value) return done(0);
  return done(0, `expected ${request} value ${expected} but got ${value}`);
}

function countOf(file: OpenFile, request: string): number {
  switch (request) {
    case 'SIOCINQ':
    case 'FIONREAD':
      return bytesOf(file, abi.FIONREAD);
    case 'SIOCOUTQ':
    case 'TIOCOUTQ':
      return bytesOf(file, abi.FIONWRITE);
    case 'FIONWRITE':
      if (file instanceof StreamFile) return bytesOf(file, abi.FIONWRITE);
  }
  throw new Unsupported(`ioctl ${request} is not known here`);
}
