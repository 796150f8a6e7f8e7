/**
 * The system calls of scripts: life and death of sockets, and the table of all calls.
 *
 * Thread: the caller's. Read first: call.ts. A call on a descriptor of the wrong kind gives the errno Linux gives. Calls
 * outside the table are reported as not known here.
 */

import { Errno } from '../base/errors.ts';
import type { Family, StreamSocket } from '../socket/socket.ts';
import {
  addressNumber,
  argument,
  type CallContext,
  done,
  expectedDescriptor,
  flagsArgument,
  numberArgument,
  type PendingCall,
  retried,
  type ScriptCallHandler,
} from './call.ts';
import { fcntlCall, ioctlCall } from './control-calls.ts';
import { type StreamDescriptor, takeError } from './descriptors.ts';
import { Flow } from './flow.ts';
import { epollControlCall, epollCreateCall, epollWaitCall, pollCall } from './poll-calls.ts';
import { getSocketOptionCall, setSocketOptionCall } from './socket-options.ts';
import { symbolValue } from './symbols.ts';
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
const SHUT_RD = 0;
const SHUT_WR = 1;

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

function streamDescriptor(socket: StreamSocket, flow: Flow, nonBlocking: boolean): StreamDescriptor {
  return {
    kind: 'stream',
    socket,
    flow,
    nonBlocking,
    readShut: false,
    writeShut: false,
    reportsQueue: false,
    receiveTimeoutUs: 0,
    sendTimeoutUs: 0,
  };
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
  const { machine, descriptors } = context;
  const family = familyArgument(context, call);
  const type = numberArgument(call, 1);
  const protocol = flagsArgument(call, 2);
  if (protocol === IPPROTO_MPTCP) throw new Unsupported('MPTCP is not known here');
  const nonBlocking = (type & SOCK_NONBLOCK) !== 0;
  const { localAddress, remoteAddress, kernel } = machine;
  const expected = expectedDescriptor(call);
  const kind = type & SOCK_TYPE_MASK;
  if (kind === SOCK_STREAM) {
    const flow = new Flow('tcp', localAddress, remoteAddress);
    context.watch(flow);
    return done(descriptors.add(streamDescriptor(kernel.sockets.stream(family), flow, nonBlocking), expected));
  }
  if (kind !== SOCK_DGRAM || protocol === IPPROTO_ICMP) throw new Unsupported('sockets are TCP or UDP here');
  const flow = new Flow('udp', localAddress, remoteAddress);
  flow.remotePort = context.settings.connectPort;
  context.watch(flow);
  return done(
    descriptors.add({ kind: 'datagram', socket: kernel.sockets.datagram(family), flow, nonBlocking }, expected),
  );
}

function bindCall(context: CallContext, call: ScriptCall): PendingCall {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  if (descriptor.kind === 'epoll') return done(-Errno.ENOTSOCK);
  const given = socketAddressOf(argument(call, 1));
  const { localAddress, book } = context.machine;
  const address = given === null ? localAddress : addressNumber(context, given.address, book.any);
  const port = given === null ? context.settings.bindPort : given.port;
  const result = descriptor.socket.bind(context.machine.socketAddress(address, port));
  if (result === 0) descriptor.flow.localPort = descriptor.socket.local.port;
  return done(result);
}

function listenCall(context: CallContext, call: ScriptCall): PendingCall {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  if (descriptor.kind !== 'stream') return done(-Errno.EOPNOTSUPP);
  const result = descriptor.socket.listen(numberArgument(call, 1));
  if (result === 0) {
    descriptor.flow.state = 'listening';
    descriptor.flow.localPort = descriptor.socket.local.port;
  }
  return done(result);
}

function acceptCall(context: CallContext, call: ScriptCall): PendingCall {
  const listener = context.descriptors.get(numberArgument(call, 0));
  if (typeof listener === 'number') return done(listener);
  if (listener.kind !== 'stream') return done(-Errno.EOPNOTSUPP);
  const nonBlocking = (flagsArgument(call, 3) & SOCK_NONBLOCK) !== 0;
  return retried(() => {
    if (listener.socket.state !== 'LISTEN') return -Errno.EINVAL;
    const socket = listener.socket.accept();
    if (socket === null) return listener.nonBlocking ? -Errno.EAGAIN : null;
    const { peer, local } = socket;
    const { machine } = context;
    let flow = context.flowOf(machine.numberOf(peer), peer.port);
    if (flow === null) {
      flow = new Flow('tcp', machine.numberOf(local), machine.numberOf(peer));
      flow.localPort = local.port;
      flow.remotePort = peer.port;
    }
    return context.descriptors.add(streamDescriptor(socket, flow, nonBlocking), expectedDescriptor(call));
  });
}

function connectCall(context: CallContext, call: ScriptCall): PendingCall {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  if (descriptor.kind === 'epoll') return done(-Errno.ENOTSOCK);
  const { machine, settings } = context;
  const given = socketAddressOf(argument(call, 1));
  if (given !== null && given.family === AF_UNSPEC) {
    if (descriptor.kind === 'stream') throw new Unsupported('connect() of AF_UNSPEC on a stream is not known here');
    return done(descriptor.socket.disconnect());
  }
  const address = addressNumber(context, given?.address ?? null, machine.remoteAddress);
  const port = given === null || given.port === 0 ? settings.connectPort : given.port;
  const { flow, socket } = descriptor;
  if (descriptor.kind === 'datagram') {
    const result = socket.connect(machine.socketAddress(address, port));
    flow.remoteAddress = address;
    flow.remotePort = port;
    flow.localPort = socket.local.port;
    return done(result);
  }
  return connectStream(context, descriptor, address, port);
}

function connectStream(context: CallContext, descriptor: StreamDescriptor, address: number, port: number): PendingCall {
  const { socket, flow, nonBlocking } = descriptor;
  let started = false;
  return retried(() => {
    if (!started) {
      started = true;
      if (socket.state === 'CLOSED') {
        flow.state = 'connecting';
        flow.remoteAddress = address;
        flow.remotePort = port;
        context.watch(flow);
      }
      const result = socket.connect(context.machine.socketAddress(address, port));
      return result === -Errno.EINPROGRESS && !nonBlocking ? null : result;
    }
    if (socket.state === 'SYN_SENT' || socket.state === 'SYN_RECEIVED') return null;
    return takeError(socket);
  });
}

function shutdownCall(context: CallContext, call: ScriptCall): PendingCall {
  const descriptor = context.descriptors.get(numberArgument(call, 0));
  if (typeof descriptor === 'number') return done(descriptor);
  if (descriptor.kind !== 'stream') return done(-Errno.ENOTCONN);
  const how = numberArgument(call, 1);
  const { socket } = descriptor;
  if (socket.state === 'LISTEN') throw new Unsupported('shutdown() of a listening socket is not known here');
  if (how !== SHUT_WR && how !== SHUT_RD && how !== (symbolValue('SHUT_RDWR') as number)) return done(-Errno.EINVAL);
  if (socket.state === 'CLOSED') return done(-Errno.ENOTCONN);
  if (how !== SHUT_WR) descriptor.readShut = true;
  if (how === SHUT_RD) return done(0);
  descriptor.writeShut = true;
  return done(socket.shutdown());
}

function closeCall(context: CallContext, call: ScriptCall): PendingCall {
  const fd = numberArgument(call, 0);
  const descriptor = context.descriptors.get(fd);
  if (typeof descriptor === 'number') return done(descriptor);
  for (const [, other] of context.descriptors.all()) if (other.kind === 'epoll') other.set.remove(fd);
  context.descriptors.remove(fd);
  if (descriptor.kind !== 'epoll') {
    if (descriptor.flow.state === 'listening') descriptor.flow.state = 'idle';
    descriptor.socket.close();
  }
  return done(0);
}
