/**
 * Remote calls to a kernel: the frames. One protocol for all who use a kernel from elsewhere: sockets of other processes and
 * threads, control requests of tools, streams (ping, capture, routing events), system calls.
 *
 * Thread: both sides. A frame is a header of eight int32 (little-endian) and a payload:
 *
 *     length of payload | class, operation (16 bits each) | request | object | a | b | c | addresses | payload
 *
 * The payload ends with that many socket addresses of seven int32: family (4 or 6), four words, zone (interface index), port.
 * A REQUEST with a number gets one REPLY or ERROR with the same number; a REQUEST with number 0 gets nothing. An EVENT is
 * unasked for. Classes are those of NetBSD's sysproxy (rumpuser_sp.c). `object` is a socket, a stream or 0. Numbers of sockets
 * and streams are drawn by the side that opens them: odd by the client, even by the server.
 * The first frames are the handshake (handshake.ts): versions, features, authentication.
 * A session has one connection (`ROLE_BOTH`), or two: one for requests and replies, which its client reads blocking, and
 * one for events (`ROLE_CALLS`, `ROLE_EVENTS`).
 *
 * A session is a process of the kernel from its first `SYSCALL` on (kernel-process.ts): `object` numbers the calls that are
 * under way, and `COPYIN` and `COPYOUT` of the kernel say by it which call's memory they mean. Reserved, and offered by no server:
 * the feature `SHARED_REGION` (addresses of a call are offsets into a region that both sides map, and no COPYIN or COPYOUT is
 * sent) and the event `RAISE` (a signal for the process).
 * Read first: handshake.ts, host/contract.ts (carriers), server.ts.
 */

import { SocketAddress } from '../socket/socket.ts';
import { FrameReader } from './frame-reader.ts';

export const HEADER_BYTES = 32;
/** Longest payload of a frame. */
export const FRAME_BYTES_MAX = 4_194_304;
export const ADDRESS_BYTES = 28;
/** Addresses of one frame. */
export const ADDRESSES_MAX = 1024;

export const VERSION_MIN = 1;
export const VERSION_MAX = 1;
/** Bits of the features word. A session has the operations of those that both sides have; others are -EOPNOTSUPP. */
export const FEATURE_SOCKETS = 1;
export const FEATURE_CONTROL = 2;
export const FEATURE_SYSCALLS = 4;
/** Reserved: user memory lies in a region that both sides map. */
export const FEATURE_SHARED_REGION = 8;
/** Frames can go through rings in memory that both sides map. */
export const FEATURE_RINGS = 16;

export const REQUEST = 1;
export const REPLY = 2;
/** a: errno, positive. Payload: its code and a message (value-codec.ts). */
export const ERROR = 3;
export const EVENT = 4;

// ---- session: 1 to 9 ---------------------------------------------------------------------------------------------------
export const HELLO = 1;
export const PROOF = 2;
/**
 * In front of everything else, to a server that knows the way to kernels (a lab). Payload: the name of one. All that follows is between
 * that kernel and the client. No reply; an ERROR when the kernel cannot be reached.
 */
export const RELAY = 3;

/**
 * → a: bytes of memory for the frames of this session (mem/ring-pair.ts), b: capacity of each ring, payload: path of its file; or a:
 * -errno. Before the first socket.
 */
export const REGION = 4;
/** The client has mapped the memory → a: 0: all frames behind this reply are records there, and a byte of the connection says "look". */
export const MAPPED = 5;

export const ROLE_BOTH = 0;
export const ROLE_CALLS = 1;
export const ROLE_EVENTS = 2;

// ---- sockets: 10 to 39. Requests of the client ----------------------------------------------------------------------------
/** a: family. No reply. */
export const OPEN_STREAM = 10;
export const OPEN_DATAGRAM = 11;
/** Address → a result, local address. */
export const BIND = 12;
/** a: backlog → a result, local address. */
export const LISTEN = 13;
/** Address → a result, local address. A stream's may have no number: `EVENTS` follows with EVENT_CONNECTED. */
export const CONNECT = 14;
/** → a result. */
export const DISCONNECT = 15;
/** Payload: bytes for a stream. No reply; credit comes with `CREDIT`. */
export const SEND = 16;
/**
 * Payload: the datagram, address (none: to the peer) → a result, local address. Without a number: credit comes with `CREDIT`, an error with
 * `SEND_FAILED`.
 */
export const SEND_TO = 17;
/** No reply. */
export const SHUTDOWN = 18;
/** a: bytes read since the last `CONSUMED`; a stream with others under way is reset. No reply. */
export const CLOSE = 19;
/** No reply. */
export const ABORT = 20;
/** a: option, b: value → a result. */
export const SET_OPTION = 21;
/** a: option → a value. */
export const GET_OPTION = 22;
/** a: interface index, b: index in `MEMBERSHIPS` (socket-options.ts); addresses: group, source → a result. */
export const MEMBERSHIP = 23;
/** a: bytes read by the client: as many more may come. No reply. */
export const CONSUMED = 24;
/** Payload: a token → a result, b: `KIND_*`, c: family; local and peer address. The socket has the number of `object` from now on. */
export const ADOPT = 25;
/** a: family → payload: a token with which another session adopts the socket. */
export const EXPORT = 26;
/** Addresses → the same in the order in which to try them (RFC 6724). */
export const ORDER = 27;
/** Payload: a name; or an address; or a: an index → a: index (0: there is no such interface), payload: the name. */
export const INTERFACE = 28;
/** → local address. */
export const NAME = 29;
/** a: bytes read as by `CONSUMED`; the program reads no more of the stream for now, until the next `CONSUMED`. No reply. */
export const STALLED = 30;
export const SOCKETS_LAST = 39;

/** `ADOPT` b. */
export const KIND_STREAM = 1;
export const KIND_DATAGRAM = 2;

// ---- sockets: 40 to 59. Events of the server -----------------------------------------------------------------------------
/** a: EVENT_* bits, b: error; local address. */
export const EVENTS = 40;
/** Payload: bytes of a stream. */
export const DATA = 41;
/** The peer has sent FIN. */
export const END = 42;
/** a: so many more bytes may be sent. */
export const CREDIT = 43;
/** a: number of the new socket; local and peer address. */
export const ACCEPTED = 44;
/** a: full length. Payload: the datagram, address of the sender. */
export const DATAGRAM = 45;

/** A datagram that was sent without a number met an error. b: -errno. */
export const SEND_FAILED = 46;

// ---- control: 60 ---------------------------------------------------------------------------------------------------------
/**
 * A message of multiplexer.ts as a value (value-codec.ts): control requests, replies and streams. The client sends a REQUEST without
 * number, the server an EVENT. a of the server: 1 when the value goes on in the next frame.
 */
export const CONTROL = 60;

// ---- counters: 70 --------------------------------------------------------------------------------------------------------
/** Payload: pairs of int32, the number of a counter of the program and how much it has grown (count-service.ts). No reply. */
export const COUNT = 70;

// ---- system calls: 80 to 89 ----------------------------------------------------------------------------------------------
/** object: number of the call among the client's; a: which call; payload: arguments, one float64 each → a: count or -errno. */
export const SYSCALL = 80;
/** Request of the server, about the memory of the caller. object: that of the `SYSCALL`. a, b: address (low, high), c: length → the bytes. */
export const COPYIN = 81;
/** Request of the server. a, b: address, payload: bytes → nothing. */
export const COPYOUT = 82;
/** Reserved. Event of the server. a: signal for the process. */
export const RAISE = 83;

/** An address of 53 bits in two words, low first. */
export function splitAddress(address: number): [low: number, high: number] {
  return [address | 0, Math.floor(address / 0x1_0000_0000) | 0];
}

export function joinAddress(low: number, high: number): number {
  return (low >>> 0) + high * 0x1_0000_0000;
}

/** Bytes of a stream that the client may send before the kernel gives it credit. */
export const SEND_WINDOW_BYTES = 262_144;
/** Most credit that a client has. */
export const SEND_WINDOW_MAX_BYTES = 1_048_576;
/** Bytes of a stream that may be under way to the client. */
export const RECEIVE_WINDOW_BYTES = 1_048_576;
/** The client says `CONSUMED` when it has read that much. */
export const CONSUMED_BYTES: number = RECEIVE_WINDOW_BYTES / 4;
/** Datagrams of a socket that may be under way in either direction, in bytes. */
export const DATAGRAM_WINDOW_BYTES = 262_144;

/** Credit that a datagram sent ahead takes besides its bytes. */
export const DATAGRAM_COST_BYTES = 64;

export interface Frame {
  class: number;
  operation: number;
  request: number;
  object: number;
  a: number;
  b: number;
  c: number;
  payload: Uint8Array;
  addresses: readonly SocketAddress[];
}

export const NO_PAYLOAD: Uint8Array = new Uint8Array(0);
export const NO_ADDRESSES: readonly SocketAddress[] = [];

/** Write a header at the front of `bytes` for a payload of `length` bytes. */
export function writeHeader(
  bytes: Uint8Array,
  length: number,
  frameClass: number,
  operation: number,
  request: number,
  object: number,
  a = 0,
  b = 0,
  c = 0,
  addresses = 0,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  view.setInt32(0, length, true);
  view.setUint16(4, frameClass, true);
  view.setUint16(6, operation, true);
  view.setInt32(8, request, true);
  view.setInt32(12, object, true);
  view.setInt32(16, a, true);
  view.setInt32(20, b, true);
  view.setInt32(24, c, true);
  view.setInt32(28, addresses, true);
}

/** A header of its own, for a payload that follows. */
export function headerOf(
  payload: Uint8Array | null,
  frameClass: number,
  operation: number,
  request = 0,
  object = 0,
  a = 0,
  b = 0,
  c = 0,
  addresses = 0,
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  writeHeader(bytes, payload?.length ?? 0, frameClass, operation, request, object, a, b, c, addresses);
  return bytes;
}

/** Header and payload in bytes of their own; `fields` as for {@link headerOf}. */
export function frameOf(payload: Uint8Array, ...fields: FrameFields): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  bytes.set(headerOf(payload, ...fields), 0);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

type FrameFields = Parameters<typeof headerOf> extends [unknown, ...infer Fields] ? Fields : never;

/** Write an address behind a payload. */
export function writeAddress(
  view: DataView,
  at: number,
  { family, w0, w1, w2, w3, scopeId, port }: SocketAddress,
): void {
  view.setInt32(at, family, true);
  view.setInt32(at + 4, w0, true);
  view.setInt32(at + 8, w1, true);
  view.setInt32(at + 12, w2, true);
  view.setInt32(at + 16, w3, true);
  view.setInt32(at + 20, scopeId, true);
  view.setInt32(at + 24, port, true);
}

/** A payload with its addresses. */
export function payloadOf(bytes: Uint8Array, addresses: readonly SocketAddress[]): Uint8Array {
  if (addresses.length === 0) return bytes;
  const payload = new Uint8Array(bytes.length + addresses.length * ADDRESS_BYTES);
  payload.set(bytes);
  const view = new DataView(payload.buffer);
  let at = bytes.length;
  for (const address of addresses) {
    writeAddress(view, at, address);
    at += ADDRESS_BYTES;
  }
  return payload;
}

/** An address of another party; null when it is none. */
function newAddress(view: DataView, at: number): SocketAddress | null {
  const address = new SocketAddress();
  return readAddress(view, at, address) ? address : null;
}

/** Read an address of another party into `into`; false when it is none. */
export function readAddress(view: DataView, at: number, into: SocketAddress): boolean {
  const family = view.getInt32(at, true);
  const w0 = view.getInt32(at + 4, true);
  const w1 = view.getInt32(at + 8, true);
  const w2 = view.getInt32(at + 12, true);
  const w3 = view.getInt32(at + 16, true);
  const scopeId = view.getInt32(at + 20, true);
  const port = view.getInt32(at + 24, true);
  if (port < 0 || port > 65535 || scopeId < 0) return false;
  if (family === 4) into.setIpv4(w3, port);
  else if (family === 6) into.setIpv6(w0, w1, w2, w3, port, scopeId);
  return family === 4 || family === 6;
}

/** The frame in whole bytes of {@link FrameReader}, or null when its addresses are none; the payload shares the bytes. */
export function decodeFrame(bytes: Uint8Array): Frame | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getInt32(28, true);
  const payloadEnd = bytes.length - count * ADDRESS_BYTES;
  if (count < 0 || count > ADDRESSES_MAX || payloadEnd < HEADER_BYTES) return null;
  let addresses = NO_ADDRESSES;
  if (count > 0) {
    const read: SocketAddress[] = [];
    for (let at = payloadEnd; at < bytes.length; at += ADDRESS_BYTES) {
      const address = newAddress(view, at);
      if (address === null) return null;
      read.push(address);
    }
    addresses = read;
  }
  return {
    class: view.getUint16(4, true),
    operation: view.getUint16(6, true),
    request: view.getInt32(8, true),
    object: view.getInt32(12, true),
    a: view.getInt32(16, true),
    b: view.getInt32(20, true),
    c: view.getInt32(24, true),
    payload: bytes.subarray(HEADER_BYTES, payloadEnd),
    addresses,
  };
}

/** {@link decodeFrame} of bytes that another party cut: null too when their header tells another length. */
export function decodeWhole(bytes: Uint8Array): Frame | null {
  if (bytes.length < HEADER_BYTES) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true);
  return length === bytes.length - HEADER_BYTES ? decodeFrame(bytes) : null;
}

export function newFrameReader(limitBytes: number = FRAME_BYTES_MAX): FrameReader {
  return new FrameReader(HEADER_BYTES, limitBytes);
}
