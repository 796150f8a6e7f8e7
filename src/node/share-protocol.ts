/**
 * Frames between a process (or thread) that has a kernel and the ones that share it: socket calls one way, what happens
 * to the sockets the other way. Thread: both sides.
 *
 * Over a unix socket, two connections per session. *Calls* carries the client's frames in order; the client writes it
 * blocking, and where a call has a result at once it blocks until the reply, the only thing the server sends there.
 * *Events* carries everything else from the server. Every frame has a header of eight int32 (little-endian): payload length,
 * operation, socket, four arguments, and the number of socket addresses that end the payload. A socket address is seven int32:
 * family (4 or 6), four words, zone (interface index), port.
 */

import { FrameReader as ByteFrames, type FrameFault } from '../rump/frame-reader.ts';
import { SocketAddress } from '../socket/socket.ts';

export const HEADER_BYTES = 32;
export const ADDRESS_BYTES = 28;
/** Longest payload of a frame. */
export const FRAME_BYTES_MAX = 1_048_576;
/** Longest payload before a connection has said the secret. */
export const HELLO_BYTES_MAX = 128;

/** First frame of either connection: `a` is the role, payload the session's name. */
export const HELLO = 1;
export const ROLE_CALLS = 1;
export const ROLE_EVENTS = 2;

// Client to server. The socket number is chosen by the client, odd; the server's are even.
/** a family. */
export const OPEN_STREAM = 10;
export const OPEN_DATAGRAM = 11;
/** Address → result, local address. */
export const BIND = 12;
/** a backlog → result, local address. */
export const LISTEN = 13;
/** Address → result, local address. */
export const CONNECT = 14;
export const DISCONNECT = 15;
/** Payload: bytes for a stream. No reply; credit comes with `CREDIT`. */
export const SEND = 16;
/** Payload, address (none: to the peer) → result, local address. */
export const SEND_TO = 17;
export const SHUTDOWN = 18;
export const CLOSE = 19;
export const ABORT = 20;
/** a option index, b value → result. */
export const SET_OPTION = 21;
/** a option index → value. */
export const GET_OPTION = 22;
/** a interface index, b which call (`MEMBERSHIPS`), addresses: group, source → result. */
export const MEMBERSHIP = 23;
/** a bytes read by the client: as many more may come. */
export const CONSUMED = 24;
/** Payload: a token. → result, kind and family in the payload, local and peer addresses; the socket number is the client's now. */
export const ADOPT = 25;
/** → token in the payload: another session may adopt the socket. */
export const EXPORT = 26;
/** Addresses → the same in the order in which to try them. */
export const ORDER = 27;
/** Payload: a name; or an address; or a index → a index (0: none), payload: the name. */
export const INTERFACE = 28;

// Server to client.
export const REPLY = 50;
/** a event bits, b error, local address. */
export const EVENTS = 51;
/** Payload: bytes of a stream. */
export const DATA = 52;
export const END = 53;
/** a more bytes may be sent. */
export const CREDIT = 54;
/** a number of the new socket; addresses: local, peer. */
export const ACCEPTED = 55;
/** a full length, payload, address of the sender. */
export const DATAGRAM = 56;

/** Bytes of a stream that may be under way in either direction. */
export const WINDOW_BYTES = 262144;
/** Datagrams of a socket that may be under way to the client, in bytes. */
export const DATAGRAM_WINDOW_BYTES = 262144;

/** `MEMBERSHIP` d. */
export const MEMBERSHIPS = ['joinGroup', 'leaveGroup', 'joinSourceGroup', 'leaveSourceGroup'] as const;

/** Options by their number on the wire. */
export const OPTIONS = [
  'reuseAddress',
  'reusePort',
  'broadcast',
  'noDelay',
  'keepAlive',
  'keepIdleMs',
  'keepIntervalMs',
  'keepCount',
  'lingerMs',
  'sendBufferBytes',
  'receiveBufferBytes',
  'ttl',
  'tos',
  'multicastTtl',
  'multicastLoop',
  'multicastInterface',
  'userTimeoutMs',
  'oobInline',
  'ipv6Only',
] as const;

const BOOLEAN_OPTIONS: ReadonlySet<string> = new Set([
  'ipv6Only',
  'reuseAddress',
  'reusePort',
  'broadcast',
  'noDelay',
  'keepAlive',
  'multicastLoop',
  'oobInline',
]);

export function optionValue(name: string, value: number): number | boolean {
  return BOOLEAN_OPTIONS.has(name) ? value !== 0 : value;
}

export interface Frame {
  operation: number;
  socket: number;
  a: number;
  b: number;
  c: number;
  d: number;
  payload: Uint8Array;
  readonly addresses: readonly SocketAddress[];
}

const NO_PAYLOAD: Uint8Array = new Uint8Array(0);
const NO_ADDRESSES: readonly SocketAddress[] = [];

export function writeHeader(
  bytes: Uint8Array,
  length: number,
  operation: number,
  socket: number,
  a: number,
  b: number,
  c: number,
  d: number,
  addresses = 0,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setInt32(0, length, true);
  view.setInt32(4, operation, true);
  view.setInt32(8, socket, true);
  view.setInt32(12, a, true);
  view.setInt32(16, b, true);
  view.setInt32(20, c, true);
  view.setInt32(24, d, true);
  view.setInt32(28, addresses, true);
}

/** A frame in bytes of its own. */
export function frameOf(
  operation: number,
  socket = 0,
  a = 0,
  b = 0,
  c = 0,
  d = 0,
  payload: Uint8Array = NO_PAYLOAD,
  ...addresses: SocketAddress[]
): Uint8Array {
  const length = payload.length + addresses.length * ADDRESS_BYTES;
  const bytes = new Uint8Array(HEADER_BYTES + length);
  writeHeader(bytes, length, operation, socket, a, b, c, d, addresses.length);
  bytes.set(payload, HEADER_BYTES);
  writeAddresses(bytes, HEADER_BYTES + payload.length, addresses);
  return bytes;
}

export function writeAddresses(bytes: Uint8Array, at: number, addresses: readonly SocketAddress[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (const [index, one] of addresses.entries()) {
    const to = at + index * ADDRESS_BYTES;
    const fields = [one.family, one.w0, one.w1, one.w2, one.w3, one.scopeId, one.port];
    for (const [word, value] of fields.entries()) view.setInt32(to + word * 4, value, true);
  }
}

/** The address at `at`: every value of the words means an address, and what is no family is IPv4. */
function readAddress(view: DataView, at: number): SocketAddress {
  const word = (index: number): number => view.getInt32(at + index * 4, true);
  const port = word(6) & 0xffff;
  if (word(0) !== 6) return SocketAddress.ipv4(word(4), port);
  return SocketAddress.ipv6(word(1), word(2), word(3), word(4), port, word(5));
}

function readAddresses(view: DataView, at: number, count: number): readonly SocketAddress[] {
  if (count === 0) return NO_ADDRESSES;
  return Array.from({ length: count }, (_, index) => readAddress(view, at + index * ADDRESS_BYTES));
}

/** Cuts a byte stream into frames. Payloads may share the bytes given to `push`. */
export class FrameReader {
  readonly #bytes: ByteFrames;

  /** `limitBytes`: the longest payload that is taken. */
  constructor(limitBytes: number = FRAME_BYTES_MAX) {
    this.#bytes = new ByteFrames(HEADER_BYTES, limitBytes);
  }

  get fault(): FrameFault | null {
    return this.#bytes.fault;
  }

  set limitBytes(bytes: number) {
    this.#bytes.limitBytes = bytes;
  }

  /** Call `next` until it returns null before the next `push`. */
  push(bytes: Uint8Array): void {
    this.#bytes.push(bytes);
  }

  /** The next frame; null until one is whole, and for ever after a `fault`. */
  next(): Frame | null {
    const bytes = this.#bytes.next();
    if (bytes === null) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const said = Math.max(view.getInt32(28, true), 0);
    const count = Math.min(said, Math.floor((bytes.length - HEADER_BYTES) / ADDRESS_BYTES));
    const payloadEnd = bytes.length - count * ADDRESS_BYTES;
    return {
      operation: view.getInt32(4, true),
      socket: view.getInt32(8, true),
      a: view.getInt32(12, true),
      b: view.getInt32(16, true),
      c: view.getInt32(20, true),
      d: view.getInt32(24, true),
      payload: bytes.subarray(HEADER_BYTES, payloadEnd),
      addresses: readAddresses(view, payloadEnd, count),
    };
  }
}
