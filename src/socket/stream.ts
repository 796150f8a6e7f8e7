/**
 * Stream sockets: the BSD face of TCP.
 *
 * Thread: the one that runs the CPU. A socket is unbound, bound, listening, or has a connection; the work is done in
 * inet/tcp. Events are posted while segments are processed and delivered by the kernel afterwards (events.ts).
 * Read first: socket.ts, inet/tcp/user.ts, inet/tcp/transfer.ts; bind(2), listen(2), connect(2), accept(2), socket(7) of Linux for the errors.
 */

import { Errno } from '../base/errors.ts';
import { TCP_STATE_NAMES } from '../base/tcp-state-names.ts';
import { type AddressBoundary, NO_ADDRESS } from '../inet/ip/address-boundary.ts';
import { abortConnection, closeConnection, shutdownWrite } from '../inet/tcp/close.ts';
import type { Connection, ConnectionOwner } from '../inet/tcp/connection/connection.ts';
import type { ConnectionOptions } from '../inet/tcp/connection/connection-options.ts';
import { startKeepAlive } from '../inet/tcp/connection/timers.ts';
import { urgentBytes } from '../inet/tcp/connection/urgent.ts';
import { push } from '../inet/tcp/dispatch.ts';
import type { PortUse } from '../inet/tcp/shared/port-use.ts';
import type { TcpStack } from '../inet/tcp/stack.ts';
import type { Listener, ListenerOwner } from '../inet/tcp/tables/listener.ts';
import * as transfer from '../inet/tcp/transfer.ts';
import * as user from '../inet/tcp/user.ts';
import type { EventTarget, SocketContext } from './events.ts';
import { refusedFamily, refusedLocal, unnamedErrno, unnamedLocalErrno } from './family.ts';
import { type Family, SocketAddress } from './sockaddr.ts';
import {
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_SENT,
  EVENT_URGENT,
  EVENT_WRITABLE,
  type SocketOptions,
  type StreamSocket,
} from './socket.ts';

export class TcpSocket implements StreamSocket, EventTarget, ConnectionOwner, ListenerOwner {
  onEvents: ((events: number) => void) | null = null;
  pendingEvents: number = 0;

  readonly #stack: TcpStack;
  readonly #addresses: AddressBoundary;
  readonly #context: SocketContext;
  readonly #options: ConnectionOptions;
  #reuseAddress: boolean = false;
  #reusePort: boolean = false;
  #use: PortUse | null = null;
  #listener: Listener | null = null;
  #connection: Connection | null = null;
  #closed: boolean = false;
  readonly #family: Family;
  #only6: boolean;

  constructor(
    stack: TcpStack,
    addresses: AddressBoundary,
    context: SocketContext,
    family: Family,
    accepted: Connection | null = null,
  ) {
    this.#stack = stack;
    this.#addresses = addresses;
    this.#context = context;
    this.#family = family;
    this.#only6 = family === 6 && stack.only6.value !== 0;
    this.#connection = accepted;
    this.#options = accepted === null ? stack.newOptions() : accepted.options;
  }

  get error(): number {
    return this.#connection === null ? 0 : this.#connection.error;
  }

  get state(): string {
    if (this.#listener !== null) return 'LISTEN';
    return this.#connection === null ? 'CLOSED' : (TCP_STATE_NAMES[this.#connection.state] as string);
  }

  get local(): SocketAddress {
    const c = this.#connection;
    if (c !== null) return this.#named(c.localAddress, c.localPort);
    return this.#use === null ? this.#named(0, 0) : this.#named(this.#use.address, this.#use.port);
  }

  get peer(): SocketAddress {
    const c = this.#connection;
    return c === null ? this.#named(0, 0) : this.#named(c.peerAddress, c.peerPort);
  }

  // cold: once per question for a name
  #named(number: number, port: number): SocketAddress {
    const name = new SocketAddress();
    this.#addresses.wordsOf(number, this.#family, name);
    name.port = port;
    return name;
  }

  get readableBytes(): number {
    return this.#connection === null ? 0 : this.#connection.readableBytes;
  }

  get writableBytes(): number {
    return this.#connection === null ? 0 : transfer.writable(this.#connection, this.#context.nowUs());
  }

  get unsentBytes(): number {
    return this.#connection === null ? 0 : this.#connection.sendBuffer.usedBytes;
  }

  get retransmits(): number {
    return this.#connection === null ? 0 : this.#connection.totals.retransmits;
  }

  get acceptable(): number {
    return this.#listener === null ? 0 : this.#listener.acceptQueue.length;
  }

  get urgentBytes(): number {
    return this.#connection === null ? 0 : urgentBytes(this.#connection);
  }

  bind(address: SocketAddress): number {
    if (this.#closed || this.#use !== null || this.#connection !== null) return -Errno.EINVAL;
    const refused = refusedLocal(this.#family, this.#only6, address);
    if (refused !== 0) return refused;
    // Linux takes a group of IPv4 and refuses one of IPv6.
    if (address.isMulticast && !address.isIpv4) return -Errno.EINVAL;
    const number = this.#addresses.numberOf(address);
    if (number === NO_ADDRESS) return unnamedLocalErrno(this.#addresses, address);
    return this.#take(number, address.port);
  }

  // cold: once per socket
  #take(number: number, port: number): number {
    const options = { only6: this.#only6, reuseAddress: this.#reuseAddress, reusePort: this.#reusePort };
    const use = user.bindPort(this.#stack, number, port, options);
    if (typeof use === 'number') return use;
    this.#use = use;
    return 0;
  }

  listen(backlog: number): number {
    if (this.#closed || this.#connection !== null) return -Errno.EINVAL;
    if (this.#listener !== null) {
      this.#listener.backlog = Math.min(Math.max(backlog, 0), this.#stack.settings.backlogMax.value);
      return 0;
    }
    if (this.#use === null) {
      const error = this.#take(this.#addresses.any(this.#family), 0);
      if (error < 0) return error;
    }
    const listener = user.listenOn(this.#stack, this.#use as PortUse, this.#options, backlog, this);
    if (typeof listener === 'number') return listener;
    this.#listener = listener;
    // The end of a turn tells the watchers of ports.
    this.#context.requestWork();
    return 0;
  }

  connect(address: SocketAddress): number {
    if (this.#closed) return -Errno.EBADF;
    if (this.#listener !== null) return -Errno.EISCONN;
    if (this.#connection !== null) {
      if (this.#connection.state === 0) return -Errno.EISCONN;
      return this.state === 'SYN_SENT' || this.state === 'SYN_RECEIVED' ? -Errno.EALREADY : -Errno.EISCONN;
    }
    const refused = refusedFamily(this.#family, this.#only6, address, Errno.ENETUNREACH);
    if (refused !== 0) return refused;
    const number = this.#addresses.numberOf(address);
    if (number === NO_ADDRESS) return unnamedErrno(this.#addresses, address, Errno.ENETUNREACH);
    const { port } = address;
    const c = user.connectTo(this.#stack, this.#use, number, port, this.#options, this, this.#context.nowUs());
    if (typeof c === 'number') return c;
    this.#connection = c;
    this.#context.requestWork();
    return -Errno.EINPROGRESS;
  }

  // cold: once per connection
  accept(): StreamSocket | null {
    if (this.#listener === null) return null;
    let socket: TcpSocket | null = null;
    const c = user.acceptFrom(this.#listener, (connection) => {
      socket = new TcpSocket(this.#stack, this.#addresses, this.#context, this.#family, connection);
      return socket;
    });
    if (c === null) return null;
    // Events of the time before the socket existed.
    const accepted = socket as unknown as TcpSocket;
    if (c.readableBytes > 0 || c.rcv.finReceived) accepted.onReadable();
    if (urgentBytes(c) > 0) accepted.onUrgent();
    if (c.error !== 0) accepted.onError();
    else startKeepAlive(c, this.#context.nowUs());
    if (this.#listener.acceptQueue.length > 0) this.onAcceptable();
    return accepted;
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.#closed) return -Errno.EBADF;
    if (this.#connection === null) return -Errno.EPIPE;
    const result = transfer.send(this.#connection, bytes, offset, lengthBytes, this.#context.nowUs());
    if (result > 0) this.#context.requestWork();
    return result;
  }

  sendUrgent(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.#closed) return -Errno.EBADF;
    if (this.#connection === null) return -Errno.EPIPE;
    const result = transfer.sendUrgent(this.#connection, bytes, offset, lengthBytes, this.#context.nowUs());
    if (result > 0) this.#context.requestWork();
    return result;
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.#closed) return -Errno.EBADF;
    if (this.#connection === null) return -Errno.ENOTCONN;
    const result = transfer.receive(this.#connection, into, offset, lengthBytes, this.#context.nowUs());
    if (this.#connection.acks.now) this.#context.requestWork();
    return result;
  }

  /** Null always: bytes that arrive share memory with other segments. */
  receiveBuffer(): null {
    return null;
  }

  peek(into: Uint8Array, offset: number, lengthBytes: number): number {
    const c = this.#connection;
    if (c === null || c.readableBytes <= 0) return this.receive(into, offset, lengthBytes);
    const count = Math.min(c.readableBytes, lengthBytes);
    c.receiveBuffer.ring.copyOut(c.receiveBuffer.readSeq, into, offset, count);
    return count;
  }

  shutdown(): number {
    if (this.#connection === null) return -Errno.ENOTCONN;
    const result = shutdownWrite(this.#connection, this.#context.nowUs());
    this.#context.requestWork();
    return result;
  }

  close(): void {
    this.#end(false);
  }

  abort(): void {
    this.#end(true);
  }

  #end(reset: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onEvents = null;
    if (this.#listener !== null) {
      user.closeListener(this.#stack, this.#listener);
      this.#listener = null;
      this.#use = null;
    }
    if (this.#use !== null) this.#stack.releasePort(this.#use);
    this.#use = null;
    if (this.#connection !== null) {
      this.#stack.tables.releaseAddresses(this.#connection);
      if (reset) abortConnection(this.#connection);
      else closeConnection(this.#connection, this.#context.nowUs());
    }
    this.#context.requestWork();
  }

  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    const options = this.#options;
    const c = this.#connection;
    switch (name as keyof SocketOptions) {
      case 'reuseAddress':
        this.#reuseAddress = value as boolean;
        if (this.#use !== null) this.#use.reuseAddress = this.#reuseAddress;
        return 0;
      case 'ipv6Only':
        if (this.#family !== 6 || this.#use !== null || this.#connection !== null) return -Errno.EINVAL;
        this.#only6 = value as boolean;
        return 0;
      case 'reusePort':
        this.#reusePort = value as boolean;
        if (this.#use !== null) this.#use.reusePort = this.#reusePort;
        return 0;
      case 'noDelay':
        options.noDelay = value as boolean;
        if (options.noDelay && c !== null) {
          push(c, this.#context.nowUs());
          this.#context.requestWork();
        }
        return 0;
      case 'keepAlive':
        options.keepAlive = value as boolean;
        break;
      case 'keepIdleMs':
      case 'keepIntervalMs':
      case 'keepCount':
        if (!((value as number) >= 1)) return -Errno.EINVAL;
        options[name as 'keepIdleMs'] = value as number;
        break;
      case 'lingerMs':
        options.lingerMs = value as number;
        return 0;
      case 'userTimeoutMs':
        if (!((value as number) >= 0)) return -Errno.EINVAL;
        options.userTimeoutMs = value as number;
        return 0;
      case 'oobInline':
        return value ? 0 : -Errno.EINVAL;
      case 'ttl':
      case 'tos':
        if (!((value as number) >= (name === 'ttl' ? 1 : 0) && (value as number) <= 255)) return -Errno.EINVAL;
        options[name as 'ttl'] = value as number;
        return 0;
      case 'sendBufferBytes':
      case 'receiveBufferBytes':
        return this.#setBuffer(name as 'sendBufferBytes' | 'receiveBufferBytes', value as number);
      default:
        return -Errno.ENOPROTOOPT;
    }
    if (c !== null) startKeepAlive(c, this.#context.nowUs());
    return 0;
  }

  #setBuffer(name: 'sendBufferBytes' | 'receiveBufferBytes', value: number): number {
    const { settings } = this.#stack;
    const send = name === 'sendBufferBytes';
    const most = (send ? settings.sendSpaceMaxBytes : settings.receiveSpaceMaxBytes).value;
    if (!(value >= 0)) return -Errno.EINVAL;
    const size = Math.max(user.MIN_BUFFER_BYTES, Math.min(Math.floor(value), most));
    this.#options[name] = size;
    if (this.#connection !== null) user.setBufferSize(this.#connection, send ? 'send' : 'receive', size);
    return 0;
  }

  getOption<K extends keyof SocketOptions>(name: K): SocketOptions[K] {
    return this.#read(name) as SocketOptions[K];
  }

  #read(name: keyof SocketOptions): boolean | number {
    const { settings } = this.#stack;
    const c = this.#connection;
    switch (name) {
      case 'reuseAddress':
        return this.#reuseAddress;
      case 'reusePort':
        return this.#reusePort;
      case 'ipv6Only':
        return this.#only6;
      case 'noDelay':
      case 'keepAlive':
      case 'keepIdleMs':
      case 'keepIntervalMs':
      case 'keepCount':
      case 'lingerMs':
      case 'userTimeoutMs':
      case 'ttl':
      case 'tos':
        return this.#options[name];
      case 'oobInline':
        return true;
      case 'sendBufferBytes':
        return c !== null ? c.sendBuffer.limitBytes : this.#options[name] || settings.sendBytes;
      case 'receiveBufferBytes':
        return c !== null ? c.receiveBuffer.limitBytes : this.#options[name] || settings.receiveBytes;
      case 'broadcast':
      case 'multicastLoop':
      case 'multicastAll':
      case 'multicastAll6':
        return false;
      case 'multicastTtl':
      case 'multicastInterface':
        return 0;
    }
  }

  // Reports of the protocol.

  onReadable(): void {
    this.#context.events.post(this, EVENT_READABLE);
  }

  onWritable(): void {
    this.#context.events.post(this, EVENT_WRITABLE);
  }

  onConnected(): void {
    this.#context.events.post(this, EVENT_CONNECTED);
  }

  onSent(): void {
    this.#context.events.post(this, EVENT_SENT);
  }

  onUrgent(): void {
    this.#context.events.post(this, EVENT_URGENT);
  }

  onError(): void {
    this.#context.events.post(this, EVENT_ERROR);
  }

  onAcceptable(): void {
    this.#context.events.post(this, EVENT_ACCEPTABLE);
  }
}
