/**
 * The BSD socket layer's contract: what the Node face, remote system calls and the tools call.
 *
 * Thread: the one that runs the kernel. Calls never block and never throw for what a peer or a user may do: they return
 * a count or 0, or a negative errno (`-EAGAIN` where a blocking call would wait). Events are collected while the kernel
 * works and delivered at the end of `doWork`, never from inside a call, so a handler may call anything.
 * Addresses are {@link SocketAddress} objects of the caller, read or filled within the call. A socket of family 6 takes
 * IPv4 addresses plain or mapped and gives them mapped (RFC 3493 3.7); one of family 4 answers family 6 with `-EAFNOSUPPORT`.
 * An address that no packet can have (240.0.0.0/4), or a zone that is no interface, is `-EADDRNOTAVAIL` to bind and
 * `-ENETUNREACH` elsewhere; `-ENOBUFS` while the kernel's table of IPv6 addresses is full. `bytes` arguments are ordinary
 * arrays of the caller; data is copied.
 */

import { type Family, SocketAddress, type ZoneNames } from './sockaddr.ts';

export type { Family, ZoneNames };
export { SocketAddress };

/** No datagram is longer, of either family. */
export const DATAGRAM_BYTES_MAX = 65_535;

/** `receive` has data, or the end of the stream. */
export const EVENT_READABLE = 1;
/** `send` takes data again. */
export const EVENT_WRITABLE = 2;
/** connect() finished; `error` says how (0 or -errno). */
export const EVENT_CONNECTED = 4;
/** A listening socket has a connection to accept. */
export const EVENT_ACCEPTABLE = 8;
/** The peer reset, or an error that ends the socket: `error`. */
export const EVENT_ERROR = 16;
/** All that was sent, FIN included, has been acknowledged after `shutdown`. */
export const EVENT_SENT = 32;
/** The peer marked data as urgent: `urgentBytes`. */
export const EVENT_URGENT = 64;

/** Options by their POSIX names in camel case; sizes in bytes, times in milliseconds. */
export interface SocketOptions {
  /** SO_REUSEADDR. */
  reuseAddress: boolean;
  /** SO_REUSEPORT. */
  reusePort: boolean;
  /** SO_BROADCAST: without it, a broadcast is `-EACCES`. */
  broadcast: boolean;
  /** TCP_NODELAY: Nagle's algorithm (RFC 9293 3.7.4) is off. */
  noDelay: boolean;
  /** SO_KEEPALIVE (RFC 9293 3.8.4). */
  keepAlive: boolean;
  /** TCP_KEEPIDLE: idle time before the first probe. */
  keepIdleMs: number;
  /** TCP_KEEPINTVL: time between probes. */
  keepIntervalMs: number;
  /** TCP_KEEPCNT: unanswered probes that end the connection. */
  keepCount: number;
  /** Give up on an unanswered connection after this long (RFC 5482); 0: by the number of retransmissions. */
  userTimeoutMs: number;
  /** Urgent data stays in the stream: always so (RFC 6093 section 6). */
  oobInline: boolean;
  /** -1: off; 0: close is a reset; more: close does not wait for what is buffered, here as with a non-blocking socket (SO_LINGER). */
  lingerMs: number;
  /** SO_SNDBUF. */
  sendBufferBytes: number;
  /** SO_RCVBUF. */
  receiveBufferBytes: number;
  /** IP_TTL, and IPV6_UNICAST_HOPS. */
  ttl: number;
  /** IP_TOS, and IPV6_TCLASS. */
  tos: number;
  /** IP_MULTICAST_TTL, and IPV6_MULTICAST_HOPS. */
  multicastTtl: number;
  /** IP_MULTICAST_LOOP, and IPV6_MULTICAST_LOOP: own members hear what is sent. */
  multicastLoop: boolean;
  /** IP_MULTICAST_ALL and IPV6_MULTICAST_ALL of Linux: hear groups that another socket joined, too. */
  multicastAll: boolean;
  /** The same of IPv6. */
  multicastAll6: boolean;
  /** Index of the interface that multicast goes out of; 0: the routes decide. */
  multicastInterface: number;
  /** IPV6_V6ONLY: `::` is not for IPv4, and IPv4 addresses are refused. Before bind and connect; family 6 only. */
  ipv6Only: boolean;
}

/** A TCP socket. */
export interface StreamSocket {
  /** Set by the owner; called with `EVENT_*` bits. */
  onEvents: ((events: number) => void) | null;
  /** Pending error as -errno, 0 when none. */
  readonly error: number;
  /** RFC 9293 state name, 'CLOSED' before connect or listen, 'LISTEN'. */
  readonly state: string;
  /** A copy of the socket's own address (getsockname(2)): any address and port 0 before it has one. */
  readonly local: SocketAddress;
  /** A copy of the peer's address (getpeername(2)); port 0: there is none. */
  readonly peer: SocketAddress;
  /** In-order bytes that `receive` can give now. */
  readonly readableBytes: number;
  /** Bytes that `send` takes now. */
  readonly writableBytes: number;
  /** Bytes taken by `send` and not yet acknowledged. */
  readonly unsentBytes: number;
  /** Times any segment of this connection was retransmitted. */
  readonly retransmits: number;
  /** Connections that wait for `accept`. */
  readonly acceptable: number;
  /** Bytes to read until the end of the urgent data, 0 when there is none: `sockatmark` is `urgentBytes === 0`. */
  readonly urgentBytes: number;

  /** bind(2): 0, `-EADDRINUSE`, `-EADDRNOTAVAIL`, `-EINVAL`. */
  bind(address: SocketAddress): number;
  /** listen(2): 0 or a negative errno. `backlog`: connections that wait for `accept` at most. */
  listen(backlog: number): number;
  /** `-EINPROGRESS` when the handshake started (EVENT_CONNECTED follows), or another negative errno at once. */
  connect(address: SocketAddress): number;
  /** The next established connection, or null when there is none. */
  accept(): StreamSocket | null;
  /** Takes what fits in the send buffer: the count, `-EAGAIN` when nothing fits, `-EPIPE`, `-ECONNRESET`, `-ENOTCONN`. */
  send(bytes: Uint8Array, offset: number, lengthBytes: number): number;
  /** `send` with MSG_OOB: the bytes taken end the urgent data (RFC 6093). */
  sendUrgent(bytes: Uint8Array, offset: number, lengthBytes: number): number;
  /** The count, 0 at end of stream, `-EAGAIN`, `-ECONNRESET`, `-ETIMEDOUT`, ... */
  receive(into: Uint8Array, offset: number, lengthBytes: number): number;
  /**
   * `receive` of bytes that lie in a buffer of their own, which becomes the caller's, all of it; null: there is none at hand, and
   * `receive` says what there is.
   */
  receiveBuffer(): Uint8Array<ArrayBuffer> | null;
  /** `receive` that leaves the bytes where they are (MSG_PEEK). */
  peek(into: Uint8Array, offset: number, lengthBytes: number): number;
  /** Half-close: no more sending; FIN goes after what is buffered. */
  shutdown(): number;
  /** Orderly close; unread received data makes it a reset (RFC 9293 3.6.1, RFC 2525 2.17), `lingerMs` 0 too. */
  close(): void;
  /** Close with a reset. */
  abort(): void;
  /** setsockopt(2): 0 or a negative errno. */
  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number;
  /** getsockopt(2). */
  getOption<K extends keyof SocketOptions>(name: K): SocketOptions[K];
}

/** Filled by `DatagramSocket.receive` and `receiveSegments`. */
export class DatagramInfo {
  /** Sender. */
  readonly from: SocketAddress = new SocketAddress();
  /** Length of the datagram as it arrived; more than was copied when it was truncated. */
  fullBytes = 0;
  /** It was a broadcast, or went to a group. Known where the kernel is in this thread. */
  broadcast = false;
}

/** A UDP socket. */
export interface DatagramSocket {
  /** Set by the owner; called with `EVENT_*` bits. */
  onEvents: ((events: number) => void) | null;
  /** Pending error as -errno, 0 when none. */
  readonly error: number;
  /** A copy of the socket's own address (getsockname(2)): any address and port 0 before it has one. */
  readonly local: SocketAddress;
  /** A copy of the peer's address (getpeername(2)); port 0: there is none. */
  readonly peer: SocketAddress;
  /** Whether it has a peer. */
  readonly connected: boolean;
  /** Length of the next datagram, -1 when none waits. */
  readonly nextBytes: number;
  /** Bytes of all datagrams that wait. */
  readonly queuedBytes: number;

  /** bind(2): 0, `-EADDRINUSE`, `-EADDRNOTAVAIL`, `-EINVAL`. */
  bind(address: SocketAddress): number;
  /** connect(2): datagrams and ICMP errors of this peer only. 0 or a negative errno. */
  connect(address: SocketAddress): number;
  /** connect(2) to no address: the peer is taken away. 0 or a negative errno. */
  disconnect(): number;
  /** To `to`, or null: to the connected peer. The count, `-EAGAIN` (no room on the link), `-EMSGSIZE`, `-EACCES`, `-ECONNREFUSED`, ... */
  send(bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): number;
  /**
   * Answer a datagram that was received from `from`, and was no broadcast, as if the port were closed: ICMP port unreachable. 0, `-EMSGSIZE`, `-ENOBUFS`,
   * `-ENETUNREACH`, ... Absent where the kernel is not in this thread.
   */
  refuse?(bytes: Uint8Array, from: SocketAddress, nowUs: number): number;
  /**
   * `send` of several datagrams: `segmentBytes` each, the last perhaps shorter, 128 at most (as UDP_SEGMENT). Returns the bytes
   * of those sent; `-EMSGSIZE` when one alone would have to be fragmented.
   */
  sendSegments(
    bytes: Uint8Array,
    offset: number,
    lengthBytes: number,
    segmentBytes: number,
    to: SocketAddress | null,
  ): number;
  /** The bytes copied, `-EAGAIN` when none waits, or a pending error (ICMP, connected sockets). Longer datagrams are truncated. */
  receive(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number;
  /** `receive` that leaves the datagram where it is (MSG_PEEK). */
  peek(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number;
  /**
   * `receive` of several datagrams of one sender and one size (the last perhaps shorter), one after the other in `into` (as
   * UDP_GRO). `info.fullBytes` is the size of the first, which is truncated only when it alone is longer than `into`.
   */
  receiveSegments(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number;
  /** On one interface; index 0: the routes decide. `-ENODEV` (joining) or `-EADDRNOTAVAIL` (leaving) when there is none. */
  joinGroup(group: SocketAddress, interfaceIndex: number): number;
  /** Ends a membership of `joinGroup`. */
  leaveGroup(group: SocketAddress, interfaceIndex: number): number;
  /** Source-specific membership (RFC 3678): only datagrams from `source`. */
  joinSourceGroup(group: SocketAddress, source: SocketAddress, interfaceIndex: number): number;
  /** Ends a membership of `joinSourceGroup`. */
  leaveSourceGroup(group: SocketAddress, source: SocketAddress, interfaceIndex: number): number;
  /** close(2): datagrams that wait are discarded. */
  close(): void;
  /** setsockopt(2): 0 or a negative errno. */
  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number;
  /** getsockopt(2). */
  getOption<K extends keyof SocketOptions>(name: K): SocketOptions[K];
}

/** Raw ICMP (ping, traceroute): sends whole ICMP messages, receives IP packets with their header. */
export interface RawSocket {
  /** Set by the owner; called with `EVENT_*` bits. */
  onEvents: ((events: number) => void) | null;
  /** Length of the next packet, -1 when none waits. */
  readonly nextBytes: number;
  /** The count, or a negative errno. */
  send(bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress): number;
  /** bind(2): an own address, which packets have as source and are heard by; any address undoes it. `-EADDRNOTAVAIL`, `-EAFNOSUPPORT`. */
  bind(local: SocketAddress): number;
  /** IP_OPTIONS, at most 40 bytes and a multiple of 4, and DF, of IPv4 headers that are sent. `-EINVAL`, `-ENOPROTOOPT` (IPv6). */
  setHeaderOptions(bytes: Uint8Array, dontFragment: boolean): number;
  /** The bytes copied, or `-EAGAIN` when none waits. Longer packets are truncated. */
  receive(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number;
  /** close(2): packets that wait are discarded. */
  close(): void;
  /** setsockopt(2): 0 or a negative errno. */
  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number;
}

/** The sockets of one kernel. */
export interface SocketLayer extends ZoneNames {
  /** Index of the interface that has an address; 0 when none has. */
  interfaceWithAddress(address: SocketAddress): number;
  /**
   * Addresses of one peer, of both families, in the order in which to try them (RFC 6724 section 6). Addresses that this
   * kernel cannot name come last, in their order.
   */
  orderDestinations(addresses: readonly SocketAddress[]): SocketAddress[];
  /** Default family 4. */
  stream(family?: Family): StreamSocket;
  /** Default family 4. */
  datagram(family?: Family): DatagramSocket;
  /** A raw socket. In family 6 the checksum of ICMPv6 is filled in. */
  raw(protocol: number, family?: Family): RawSocket;
}
