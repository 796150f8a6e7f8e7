/**
 * The system calls of scripts: life and death of sockets, and the table of all calls.
 *
 * Thread: the caller's. Read first: call.ts. A call on a descriptor of the wrong kind gives the errno Linux gives. Calls
 * outside the table are reported as not known here.
 */

import { Errno } from '../base/errors.ts';
import type { Family } from '../socket/socket.ts';
import * as abi from '../sys/abi.ts';
import { StreamFile } from '../sys/socket-file.ts';
import { addressBytes } from '../sys/user-struct.ts';
import {
  addressNumber,
  argument,
  type CallContext,
  done,
  expectedDescriptor,
  flagsArgument,
  made,
  numberArgument,
  type PendingCall,
  type ScriptCallHandler,
  ScriptMemory,
} from './call.ts';
import { fcntlCall, ioctlCall } from './control-calls.ts';
import type { ScriptProcess } from './descriptors.ts';
import { Flow } from './flow.ts';
import { epollControlCall, epollCreateCall, epollWaitCall, pollCall } from './poll-calls.ts';
import { getSocketOptionCall, setSocketOptionCall } from './socket-options.ts';
import type { ScriptCall } from './syntax.ts';
import { receiveCall, sendCall } from './transfer-calls.ts';
import { socketAddressOf, Unsupported } from './values.ts';

const SOCK_NONBLOCK = 0o4000;
const SOCK_TYPE_MASK = 0xf;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_ICMP = 1;
const IPPROTO_MPTCP = 262;
/** Address of the structures of a call. */
const AT = 64;

const HANDLERS: Readonly<Record<string, ScriptCallHandler>> = {
  socket: socketCall,
  bind: bindCall,
  listen: listenCall,
  accept: acceptCall,
  accept4: acceptCall,
  connect: connectCall,
  shutdown: shutdownCall,
  close: closeCall,
  read: receiveCall,
  readv: receiveCall,
  recv: receiveCall,
  recvfrom: receiveCall,
  recvmsg: receiveCall,
  write: sendCall,
  writev: sendCall,
  send: sendCall,
  sendto: sendCall,
  sendmsg: sendCall,
  setsockopt: setSocketOptionCall,
  getsockopt: getSocketOptionCall,
  fcntl: fcntlCall,
  ioctl: ioctlCall,
  poll: pollCall,
  epoll_create: epollCreateCall,
  epoll_create1: epollCreateCall,
  epoll_ctl: epollControlCall,
  epoll_wait: epollWaitCall,
};

/** Throws Unsupported and CallMistake. */
export function beginCall(context: CallContext, call: ScriptCall): PendingCall {
  const handler = HANDLERS[call.name];
  if (handler === undefined) throw new Unsupported(`system call ${call.name} is not known here`);
  return handler(context, call);
}

/** `...` is the family that `--ip_version` names; IPv4 as IPv6 sockets see it is a matter of the socket alone. */
function familyArgument(context: CallContext, call: ScriptCall): Family {
  const expression = argument(call, 0);
  if (expression.kind === 'ellipsis') return context.settings.ipVersion === 'ipv4' ? 4 : 6;
  const family = numberArgument(call, 0);
  if (family !== AF_INET && family !== AF_INET6) throw new Unsupported('sockets are of AF_INET or AF_INET6 here');
  return family === AF_INET6 ? 6 : 4;
}

function socketCall(context: CallContext, call: ScriptCall): PendingCall {
  const family = familyArgument(context, call);
  const type = numberArgument(call, 1);
  const protocol = flagsArgument(call, 2);
  if (protocol === IPPROTO_MPTCP) throw new Unsupported('MPTCP is not known here');
  const { localAddress, remoteAddress } = context.machine;
  const kind = type & SOCK_TYPE_MASK;
  const stream = kind === SOCK_STREAM;
  if (!stream && (kind !== SOCK_DGRAM || protocol === IPPROTO_ICMP)) {
    throw new Unsupported('sockets are TCP or UDP here');
  }
  const flow = new Flow(stream ? 'tcp' : 'udp', localAddress, remoteAddress);
  if (!stream) flow.remotePort = context.settings.connectPort;
  context.watch(flow);
  const expected = expectedDescriptor(call);
  const domain = family === 4 ? abi.AF_INET : abi.AF_INET6;
  const args = [domain, kind | flagsOf(type), 0];
  return made(context, new ScriptMemory(), 'socket', args, (fd) => opened(context, fd, expected, flow));
}

/** Linux's flags of socket(2) and accept4(2) as the kernel's. */
function flagsOf(type: number): number {
  return (type & SOCK_NONBLOCK) === 0 ? 0 : abi.SOCK_NONBLOCK;
}

/** A new descriptor goes where the script expects it, and its packets are those of `flow`. */
function opened(context: CallContext, fd: number, expected: number, flow: Flow): number {
  const file = context.process.get(fd);
  if (file !== null) context.process.setFlow(file, flow);
  return context.process.place(fd, expected);
}

function bindCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const given = socketAddressOf(argument(call, 1));
  const { machine, settings, process } = context;
  const { localAddress, book } = machine;
  const number = given === null ? localAddress : addressNumber(context, given.address, book.any);
  const address = machine.book.socketAddress(number, given === null ? settings.bindPort : given.port);
  const memory = new ScriptMemory();
  memory.putAddress(AT, address);
  return made(context, memory, 'bind', [fd, AT, addressBytes(address)], (result) => {
    const file = process.socket(fd);
    if (result === 0 && file !== null) process.flow(file).localPort = file.socket.local.port;
    return result;
  });
}

function listenCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const { process } = context;
  return made(context, new ScriptMemory(), 'listen', [fd, numberArgument(call, 1)], (result) => {
    const file = process.socket(fd);
    if (result !== 0 || file === null) return notStream(process, fd, result);
    const flow = process.flow(file);
    flow.state = 'listening';
    flow.localPort = file.socket.local.port;
    return result;
  });
}

/** Linux has EOPNOTSUPP for stream calls on any other file. */
function notStream(process: ScriptProcess, fd: number, result: number): number {
  return result === -Errno.ENOTSOCK && process.get(fd) !== null ? -Errno.EOPNOTSUPP : result;
}

function acceptCall(context: CallContext, call: ScriptCall): PendingCall {
  const listener = numberArgument(call, 0);
  const expected = expectedDescriptor(call);
  const { machine, process } = context;
  const args = [listener, 0, 0, 0, flagsOf(flagsArgument(call, 3))];
  return made(context, new ScriptMemory(), 'paccept', args, (fd) => {
    const file = fd < 0 ? null : process.socket(fd);
    if (file === null) return notStream(process, listener, fd);
    const { peer, local } = file.socket;
    let flow = context.flowOf(machine.book.numberOf(peer), peer.port);
    if (flow === null) {
      flow = new Flow('tcp', machine.book.numberOf(local), machine.book.numberOf(peer));
      flow.localPort = local.port;
      flow.remotePort = peer.port;
    }
    return opened(context, fd, expected, flow);
  });
}

function connectCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const { machine, settings, process } = context;
  const file = process.socket(fd);
  if (file === null) return done(process.get(fd) === null ? -Errno.EBADF : -Errno.ENOTSOCK);
  const given = socketAddressOf(argument(call, 1));
  const memory = new ScriptMemory();
  if (given !== null && given.family === AF_UNSPEC) {
    if (file instanceof StreamFile) throw new Unsupported('connect() of AF_UNSPEC on a stream is not known here');
    return made(context, memory, 'connect', [fd, AT, 16]);
  }
  const number = addressNumber(context, given?.address ?? null, machine.remoteAddress);
  const port = given === null || given.port === 0 ? settings.connectPort : given.port;
  const address = machine.book.socketAddress(number, port);
  memory.putAddress(AT, address);
  const flow = process.flow(file);
  if (file instanceof StreamFile && file.socket.state === 'CLOSED') {
    flow.state = 'connecting';
    context.watch(flow);
  }
  if (!(file instanceof StreamFile) || flow.state === 'connecting') {
    flow.remoteAddress = number;
    flow.remotePort = port;
  }
  return made(context, memory, 'connect', [fd, AT, addressBytes(address)], (result) => {
    if (!(file instanceof StreamFile)) flow.localPort = file.socket.local.port;
    return result;
  });
}

function shutdownCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const file = context.process.socket(fd);
  if (file instanceof StreamFile && file.listening) {
    throw new Unsupported('shutdown() of a listening socket is not known here');
  }
  if (file === null && context.process.get(fd) !== null) return done(-Errno.ENOTCONN);
  return made(context, new ScriptMemory(), 'shutdown', [fd, numberArgument(call, 1)]);
}

function closeCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const file = context.process.socket(fd);
  if (file !== null) {
    const flow = context.process.flow(file);
    if (flow.state === 'listening') flow.state = 'idle';
  }
  return made(context, new ScriptMemory(), 'close', [fd]);
}
