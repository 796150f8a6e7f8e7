/**
 * Readiness of a socket as poll(2) reports it, from the socket's state.
 *
 * Thread: the caller's. Read first: poll(2), tcp_poll() is what scripts were written against.
 */

import type { TcpStack } from '../inet/tcp/stack.ts';
import type { Descriptor, StreamDescriptor } from './descriptors.ts';

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLRDNORM = 0x40;
export const POLLWRNORM = 0x100;
export const POLLRDHUP = 0x2000;

/** States in which the peer's FIN has arrived. */
export const PEER_CLOSED: ReadonlySet<string> = new Set(['CLOSE_WAIT', 'CLOSING', 'LAST_ACK', 'TIME_WAIT']);
const WRITABLE: ReadonlySet<string> = new Set(['ESTABLISHED', 'CLOSE_WAIT']);

/** Connections that wait for accept. */
export function acceptable(tcp: TcpStack, port: number): number {
  let count = 0;
  for (const listener of tcp.tables.listeners.all()) if (listener.port === port) count += listener.acceptQueue.length;
  return count;
}

/** Events that are so, asked for or not. */
export function readiness(descriptor: Descriptor, tcp: TcpStack): number {
  if (descriptor.kind === 'epoll') return 0;
  if (descriptor.kind === 'stream') return streamReadiness(descriptor, tcp);
  const { socket } = descriptor;
  let events = POLLOUT | POLLWRNORM;
  if (socket.nextBytes >= 0) events |= POLLIN | POLLRDNORM;
  if (socket.error !== 0) events |= POLLERR;
  return events;
}

function streamReadiness(descriptor: StreamDescriptor, tcp: TcpStack): number {
  const { socket } = descriptor;
  const { state } = socket;
  if (state === 'LISTEN') return acceptable(tcp, socket.local.port) > 0 ? POLLIN | POLLRDNORM : 0;
  if (state === 'SYN_SENT' || state === 'SYN_RECEIVED') return 0;
  let events = 0;
  const peerClosed = PEER_CLOSED.has(state) || descriptor.readShut || state === 'CLOSED';
  const sendClosed = descriptor.writeShut || state === 'CLOSED';
  if (socket.error !== 0) events |= POLLERR;
  if (peerClosed && sendClosed) events |= POLLHUP;
  if (peerClosed) events |= POLLIN | POLLRDNORM | POLLRDHUP;
  if (socket.readableBytes > 0) events |= POLLIN | POLLRDNORM;
  if (sendClosed || (WRITABLE.has(state) && socket.writableBytes > 0)) events |= POLLOUT | POLLWRNORM;
  return events;
}
