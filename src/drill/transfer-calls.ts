/**
 * read, recv, write, send and their relatives. All bytes of a script are zero, so only their number matters.
 *
 * Thread: the caller's. A blocking write returns when everything was taken, a blocking read when there is something.
 */

import { Errno } from '../base/errors.ts';
import type { SocketAddress } from '../socket/socket.ts';
import * as abi from '../sys/abi.ts';
import { type DatagramFile, StreamFile } from '../sys/socket-file.ts';
import { addressBytes } from '../sys/user-struct.ts';
import {
  addressNumber,
  argument,
  type CallContext,
  DATA,
  done,
  flagsArgument,
  type Judge,
  made,
  numberArgument,
  type PendingCall,
  ScriptMemory,
  type TransportFile,
} from './call.ts';
import { symbolValue } from './symbols.ts';
import type { Expression, ScriptCall } from './syntax.ts';
import { CallMistake, fieldOf, iovecLengths, numberOf, socketAddressOf, Unsupported, wordOf } from './values.ts';

/** Address of the structures of a call. */
const AT = 64;
const MSG_OOB = 0x1;
const MSG_PEEK = 0x2;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_WAITALL = 0x100;
const MSG_ERRQUEUE = 0x2000;
const MAX_TRANSFER_BYTES: number = 1 << 26;

/** Flags that change what goes over the wire and that this stack does not have. */
const UNKNOWN_SEND_FLAGS: readonly string[] = ['MSG_MORE', 'MSG_EOR', 'MSG_ZEROCOPY', 'MSG_FASTOPEN'];

/** Properties of a transfer call. */
interface Transfer {
  lengthBytes: number;
  flags: number;
}

function transferOf(call: ScriptCall): Transfer {
  const { name } = call;
  switch (name) {
    case 'readv':
    case 'writev':
      return { lengthBytes: total(iovecLengths(argument(call, 1))), flags: 0 };
    case 'recvmsg':
    case 'sendmsg': {
      const iov = fieldOf(argument(call, 1), 'msg_iov');
      if (iov === undefined) throw new CallMistake(`${name}() needs msg_iov`);
      return { lengthBytes: total(iovecLengths(iov)), flags: flagsArgument(call, 2) };
    }
    default:
      return { lengthBytes: numberArgument(call, 2), flags: flagsArgument(call, 3) };
  }
}

function total(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

export function receiveCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const file = context.process.socket(fd);
  if (file === null) return done(context.process.get(fd) === null ? -Errno.EBADF : -Errno.EINVAL);
  const transfer = transferOf(call);
  const { flags } = transfer;
  if (flags & MSG_ERRQUEUE) return receiveErrorQueue(call);
  if (flags & MSG_OOB) throw new Unsupported('MSG_OOB is not known here: urgent data is ordinary data (RFC 6093)');
  const lengthBytes = Math.min(transfer.lengthBytes, MAX_TRANSFER_BYTES);
  const memory = new ScriptMemory(lengthBytes);
  const args = [fd, DATA, lengthBytes, receiveFlags(flags), 0, 0];
  const judge = call.name === 'recvmsg' ? messageJudge(context, call, file) : undefined;
  return made(context, memory, 'recvfrom', args, judge);
}

/** Linux's flags of recv(2) as the kernel's. */
function receiveFlags(flags: number): number {
  return (
    (flags & MSG_PEEK ? abi.MSG_PEEK : 0) |
    (flags & MSG_TRUNC ? abi.MSG_TRUNC : 0) |
    (flags & MSG_WAITALL ? abi.MSG_WAITALL : 0) |
    (flags & MSG_DONTWAIT ? abi.MSG_DONTWAIT : 0)
  );
}

/** Nothing is ever in the error queue: no zero-copy notifications, no time stamps, no quoted ICMP errors. */
function receiveErrorQueue(call: ScriptCall): PendingCall {
  if (call.errno !== 'EAGAIN') throw new Unsupported('MSG_ERRQUEUE is not known here');
  return done(-Errno.EAGAIN);
}

/** recvmsg() gives back `msg_flags` and control messages. */
function messageJudge(context: CallContext, call: ScriptCall, file: TransportFile): Judge {
  const message = argument(call, 1);
  const flags = fieldOf(message, 'msg_flags');
  const control = fieldOf(message, 'msg_control');
  const expected = control !== undefined && control.kind === 'list' ? control.items.map(controlOf) : [];
  return (value) => {
    if (value < 0) return value;
    const wanted = flags === undefined || flags.kind === 'ellipsis' ? 0 : numberOf(flags);
    if (wanted !== 0) return { value, mismatch: `expected msg_flags ${wanted} but got 0` };
    return { value, mismatch: controlMismatch(context, file, expected) };
  };
}

/** The one control message known: TCP_CM_INQ. Throws Unsupported for others. */
function controlOf(item: Expression): number {
  const type = fieldOf(item, 'cmsg_type');
  const data = fieldOf(item, 'cmsg_data');
  if (type === undefined || data === undefined || wordOf(type) !== 'TCP_CM_INQ') {
    throw new Unsupported('control messages other than TCP_CM_INQ are not known here');
  }
  return numberOf(data);
}

function controlMismatch(context: CallContext, file: TransportFile, expected: readonly number[]): string | null {
  const reports = file instanceof StreamFile && context.process.reportsQueue.has(file);
  if (!reports) return expected.length === 0 ? null : 'expected a control message but got none';
  const { readableBytes } = file.socket;
  // The end of the stream counts as a byte when it is all there is.
  const left = readableBytes === 0 && file.peerClosed ? 1 : readableBytes;
  const wrong = expected.find((value) => value !== left);
  return wrong === undefined ? null : `expected TCP_CM_INQ ${wrong} but got ${left}`;
}

export function sendCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const file = context.process.socket(fd);
  if (file === null) return done(context.process.get(fd) === null ? -Errno.EBADF : -Errno.EINVAL);
  const transfer = transferOf(call);
  for (const name of UNKNOWN_SEND_FLAGS) {
    if ((transfer.flags & (symbolValue(name) as number)) !== 0) throw new Unsupported(`${name} is not known here`);
  }
  const lengthBytes = Math.min(transfer.lengthBytes, MAX_TRANSFER_BYTES);
  const { flags } = transfer;
  const given = (flags & MSG_DONTWAIT ? abi.MSG_DONTWAIT : 0) | (flags & MSG_OOB ? abi.MSG_OOB : 0);
  const memory = new ScriptMemory(lengthBytes);
  if (file instanceof StreamFile) return made(context, memory, 'sendto', [fd, DATA, lengthBytes, given, 0, 0]);
  const to = destinationOf(context, call, file);
  if (to !== null) memory.putAddress(AT, to);
  const name = to === null ? [0, 0] : [AT, addressBytes(to)];
  return made(context, memory, 'sendto', [fd, DATA, lengthBytes, given, ...name], (result) => {
    if (result !== -Errno.EAGAIN) context.process.flow(file).localPort = file.socket.local.port;
    return result;
  });
}

/** Destination of a datagram: the script's address or the remote end; null: the connected peer. */
function destinationOf(context: CallContext, call: ScriptCall, file: DatagramFile): SocketAddress | null {
  const { machine, settings } = context;
  const named = call.name === 'sendto' ? call.args[4] : call.name === 'sendmsg' ? messageName(call) : undefined;
  if (named === undefined || (named.kind === 'word' && named.name === 'NULL')) return null;
  const given = socketAddressOf(named);
  if (given === null && file.socket.connected) return null;
  const number = addressNumber(context, given?.address ?? null, machine.remoteAddress);
  const port = given?.port || settings.connectPort;
  const flow = context.process.flow(file);
  flow.remoteAddress = number;
  flow.remotePort = port;
  return machine.book.socketAddress(number, port);
}

function messageName(call: ScriptCall): ScriptCall['args'][number] | undefined {
  return fieldOf(argument(call, 1), 'msg_name');
}
