/**
 * read, recv, write, send and their relatives. All bytes of a script are zero, so only their number matters.
 *
 * Thread: the caller's. A blocking write returns when everything was taken, a blocking read when there is something.
 */

import { Errno } from '../base/errors.ts';
import { DatagramInfo } from '../socket/socket.ts';
import {
  addressNumber,
  argument,
  type CallContext,
  done,
  flagsArgument,
  numberArgument,
  type PendingCall,
  retried,
} from './call.ts';
import type { DatagramDescriptor, Descriptor, StreamDescriptor } from './descriptors.ts';
import { PEER_CLOSED } from './readiness.ts';
import { symbolValue } from './symbols.ts';
import type { Expression, ScriptCall } from './syntax.ts';
import { CallMistake, fieldOf, iovecLengths, numberOf, socketAddressOf, Unsupported, wordOf } from './values.ts';

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
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  if (descriptor.kind === 'epoll') return done(-Errno.EINVAL);
  const transfer = transferOf(call);
  const { flags } = transfer;
  if (flags & MSG_ERRQUEUE) return receiveErrorQueue(call);
  if (flags & MSG_OOB) throw new Unsupported('MSG_OOB is not known here: urgent data is ordinary data (RFC 6093)');
  const lengthBytes = Math.min(transfer.lengthBytes, MAX_TRANSFER_BYTES);
  const wait = !descriptor.nonBlocking && (flags & MSG_DONTWAIT) === 0;
  const pending =
    descriptor.kind === 'stream'
      ? receiveStream(context, descriptor, lengthBytes, flags, wait)
      : receiveDatagram(descriptor, lengthBytes, flags, wait);
  return call.name === 'recvmsg' ? checkedMessage(call, descriptor, pending) : pending;
}

/** Nothing is ever in the error queue: no zero-copy notifications, no time stamps, no quoted ICMP errors. */
function receiveErrorQueue(call: ScriptCall): PendingCall {
  if (call.errno !== 'EAGAIN') throw new Unsupported('MSG_ERRQUEUE is not known here');
  return done(-Errno.EAGAIN);
}

function receiveStream(
  context: CallContext,
  descriptor: StreamDescriptor,
  lengthBytes: number,
  flags: number,
  wait: boolean,
): PendingCall {
  const { socket } = descriptor;
  const into = new Uint8Array(lengthBytes);
  const needBytes = flags & MSG_WAITALL ? lengthBytes : 1;
  const { receiveTimeoutUs } = descriptor;
  const deadlineUs = receiveTimeoutUs > 0 && wait ? context.machine.nowUs + receiveTimeoutUs : Infinity;
  let received = 0;
  const attempt = (): number | null => {
    if (flags & MSG_PEEK && socket.readableBytes > 0) return Math.min(lengthBytes, socket.readableBytes);
    while (received < lengthBytes || lengthBytes === 0) {
      if (descriptor.readShut && socket.readableBytes === 0) return received;
      if (lengthBytes === 0 && socket.readableBytes > 0) return 0;
      const result = socket.receive(into, received, lengthBytes - received);
      if (result === -Errno.EAGAIN) break;
      if (result <= 0) return received > 0 ? received : result;
      received += result;
    }
    if (received >= needBytes && received > 0) return received;
    if (wait && context.machine.nowUs < deadlineUs) return null;
    return received > 0 ? received : -Errno.EAGAIN;
  };
  return { ...retried(attempt), deadlineUs };
}

function receiveDatagram(
  descriptor: DatagramDescriptor,
  lengthBytes: number,
  flags: number,
  wait: boolean,
): PendingCall {
  const into = new Uint8Array(lengthBytes);
  const info = new DatagramInfo();
  return retried(() => {
    const { socket } = descriptor;
    if (flags & MSG_PEEK && socket.nextBytes >= 0) return Math.min(socket.nextBytes, lengthBytes);
    const result = socket.receive(into, 0, lengthBytes, info);
    if (result === -Errno.EAGAIN && wait) return null;
    return result >= 0 && flags & MSG_TRUNC ? info.fullBytes : result;
  });
}

/** recvmsg() gives back `msg_flags` and control messages. */
function checkedMessage(call: ScriptCall, descriptor: Descriptor, pending: PendingCall): PendingCall {
  const message = argument(call, 1);
  const flags = fieldOf(message, 'msg_flags');
  const control = fieldOf(message, 'msg_control');
  const expected = control !== undefined && control.kind === 'list' ? control.items.map(controlOf) : [];
  const attempt: PendingCall['attempt'] = () => {
    const result = pending.attempt();
    if (result === null || result.value < 0) return result;
    const wanted = flags === undefined || flags.kind === 'ellipsis' ? 0 : numberOf(flags);
    if (wanted !== 0) return { ...result, mismatch: `expected msg_flags ${wanted} but got 0` };
    return { ...result, mismatch: controlMismatch(descriptor, expected) };
  };
  return { attempt, deadlineUs: pending.deadlineUs };
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

function controlMismatch(descriptor: Descriptor, expected: readonly number[]): string | null {
  const reports = descriptor.kind === 'stream' && descriptor.reportsQueue;
  if (!reports) return expected.length === 0 ? null : 'expected a control message but got none';
  const { readableBytes, state } = descriptor.socket;
  // The end of the stream counts as a byte when it is all there is.
  const left = readableBytes === 0 && PEER_CLOSED.has(state) ? 1 : readableBytes;
  const wrong = expected.find((value) => value !== left);
  return wrong === undefined ? null : `expected TCP_CM_INQ ${wrong} but got ${left}`;
}

export function sendCall(context: CallContext, call: ScriptCall): PendingCall {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  if (descriptor.kind === 'epoll') return done(-Errno.EINVAL);
  const transfer = transferOf(call);
  for (const name of UNKNOWN_SEND_FLAGS) {
    if ((transfer.flags & (symbolValue(name) as number)) !== 0) throw new Unsupported(`${name} is not known here`);
  }
  const lengthBytes = Math.min(transfer.lengthBytes, MAX_TRANSFER_BYTES);
  const wait = !descriptor.nonBlocking && (transfer.flags & MSG_DONTWAIT) === 0;
  return descriptor.kind === 'stream'
    ? sendStream(context, descriptor, lengthBytes, wait, (transfer.flags & MSG_OOB) !== 0)
    : sendDatagram(context, call, descriptor, lengthBytes, wait);
}

function sendStream(
  context: CallContext,
  descriptor: StreamDescriptor,
  lengthBytes: number,
  wait: boolean,
  urgent: boolean,
): PendingCall {
  const { socket, sendTimeoutUs } = descriptor;
  const from = new Uint8Array(lengthBytes);
  const deadlineUs = sendTimeoutUs > 0 && wait ? context.machine.nowUs + sendTimeoutUs : Infinity;
  let sent = 0;
  const attempt = (): number | null => {
    do {
      if (descriptor.writeShut) return sent > 0 ? sent : -Errno.EPIPE;
      const left = lengthBytes - sent;
      const result = urgent ? socket.sendUrgent(from, sent, left) : socket.send(from, sent, left);
      if (result === -Errno.EAGAIN || (result === 0 && lengthBytes > 0)) break;
      if (result < 0) return sent > 0 ? sent : result;
      sent += result;
    } while (sent < lengthBytes);
    if (sent === lengthBytes) return sent;
    if (wait && context.machine.nowUs < deadlineUs) return null;
    return sent > 0 ? sent : -Errno.EAGAIN;
  };
  return { ...retried(attempt), deadlineUs };
}

function sendDatagram(
  context: CallContext,
  call: ScriptCall,
  descriptor: DatagramDescriptor,
  lengthBytes: number,
  wait: boolean,
): PendingCall {
  const { address, port } = destinationOf(context, call, descriptor);
  const from = new Uint8Array(lengthBytes);
  const to = port === 0 ? null : context.machine.socketAddress(address, port);
  return retried(() => {
    const result = descriptor.socket.send(from, 0, lengthBytes, to);
    if (result === -Errno.EAGAIN && wait) return null;
    descriptor.flow.localPort = descriptor.socket.local.port;
    return result;
  });
}

/** Where a datagram goes: the connected peer (port 0), the script's address, or the remote end. */
function destinationOf(
  context: CallContext,
  call: ScriptCall,
  descriptor: Descriptor & { kind: 'datagram' },
): { address: number; port: number } {
  const { machine, settings } = context;
  const named = call.name === 'sendto' ? call.args[4] : call.name === 'sendmsg' ? messageName(call) : undefined;
  if (named === undefined || (named.kind === 'word' && named.name === 'NULL')) return { address: 0, port: 0 };
  const given = socketAddressOf(named);
  if (given === null && descriptor.socket.connected) return { address: 0, port: 0 };
  const address = addressNumber(context, given?.address ?? null, machine.remoteAddress);
  const port = given?.port || settings.connectPort;
  descriptor.flow.remoteAddress = address;
  descriptor.flow.remotePort = port;
  return { address, port };
}

function messageName(call: ScriptCall): ScriptCall['args'][number] | undefined {
  return fieldOf(argument(call, 1), 'msg_name');
}
