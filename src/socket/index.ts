/**
 * The sockets of a kernel (`kernel.sockets`), in the terms of BSD: calls return a count or a negative errno and never block;
 * events come when the kernel's turn ends. Public subpath `multikernel/socket`.
 *
 * @module multikernel/socket
 */

export { Errno, type ErrnoName, errnoName } from '../base/errors.ts';
export {
  DatagramInfo,
  type DatagramSocket,
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_SENT,
  EVENT_URGENT,
  EVENT_WRITABLE,
  type Family,
  type RawSocket,
  SocketAddress,
  type SocketLayer,
  type SocketOptions,
  type StreamSocket,
  type ZoneNames,
} from './socket.ts';
