/**
 * Frames between a process (or thread) that has a kernel and the ones that share it: socket calls one way, what happens
 * to the sockets the other way. Thread: both sides.
 *
 * Over a unix socket, two connections per session. *Calls* carries the client's frames in order; the client writes it
 * blocking, and where a call has a result at once it blocks until the reply, the only thing the server sends there.
 * *Events* carries everything else from the server. Every frame has a header of eight int32 (little-endian): payload length,
 * operation, socket, four arguments, and how many of the payload's last bytes are the texts of the IPv6 addresses among
 * the arguments, in order, with a space between: numbers of IPv6 mean something on one side only (socket/socket.ts).
 */

import { FrameReader as ByteFrames, type FrameFault } from '../rump/frame-reader.ts';
import { isIp6 } from './address.ts';

export const HEADER_BYTES = 32;
/** Longest payload of a frame. */
export const FRAME_BYTES_MAX = 1_048_576;
/** Longest payload before a connection has said the secret. */
export const HELLO_BYTES_MAX = 128;
/** The texts of a frame's addresses: four at most, of 64 characters with their zones. */
const TEXT_BYTES_MAX = 256;

/** First frame of either connection: `a` is the role, payload the session's name. */
export const HELLO = 1;
export const ROLE_CALLS = 1;
export const ROLE_EVENTS = 2;

// Client to server. The socket number is chosen by the client, odd; the server's are even.
/** a family. */
export const OPEN_STREAM = 10;
export const OPEN_DATAGRAM = 11;
/** a address, b port → result, then local address, port. */
export const BIND = 12;
/** a backlog → result, local. */
export const LISTEN = 13;
/** a address, b port → result, local. */
export const CONNECT = 14;
export const DISCONNECT = 15;
/** Payload: bytes for a stream. No reply; credit comes with `CREDIT`. */
export const SEND = 16;
/** a address, b port, payload → result. */
export const SEND_TO = 17;
export const SHUTDOWN = 18;
export const CLOSE = 19;
export const ABORT = 20;
/** a option index, b value → result. */
export const SET_OPTION = 21;
/** a option index → value. */
export const GET_OPTION = 22;
/** a group, b source, c interface, d what (`MEMBERSHIP`) → result. */
export const MEMBERSHIP = 23;
/** a bytes read by the client: as many more may come. */
export const CONSUMED = 24;
/** Payload: a token. → result, local, peer; the socket number is the client's for it from now on. */
export const ADOPT = 25;
/** → token in the payload: another session may adopt the socket. */
export const EXPORT = 26;
/** Payload: texts of addresses with a space between → the same in the order in which to try them. */
export const ORDER = 27;

// Server to client.
export const REPLY = 50;
/** a event bits, b error, c local address, d local port. */
export const EVENTS = 51;
/** Payload: bytes of a stream. */
export const DATA = 52;
export const END = 53;
/** a more bytes may be sent. */
export const CREDIT = 54;
/** a number of the new socket, b peer address, c peer port, d local address; local port in the payload (int32). */
export const ACCEPTED = 55;
/** a address, b port, c full length, payload. */
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
  /** Of IPv6 addresses, see above. */
  texts: string;
}

const NO_PAYLOAD: Uint8Array = new Uint8Array(0);

export function writeHeader(
  bytes: Uint8Array,
  length: number,
  operation: number,
  socket: number,
  a: number,
  b: number,
  c: number,
  d: number,
  textBytes = 0,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setInt32(0, length, true);
  view.setInt32(4, operation, true);
  view.setInt32(8, socket, true);
  view.setInt32(12, a, true);
  view.setInt32(16, b, true);
  view.setInt32(20, c, true);
  view.setInt32(24, d, true);
  view.setInt32(28, textBytes, true);
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
  texts = '',
): Uint8Array {
  const length = payload.length + texts.length;
  const bytes = new Uint8Array(HEADER_BYTES + length);
  writeHeader(bytes, length, operation, socket, a, b, c, d, texts.length);
  bytes.set(payload, HEADER_BYTES);
  writeTexts(bytes, HEADER_BYTES + payload.length, texts);
  return bytes;
}

/** Texts of addresses are ASCII. */
function writeTexts(bytes: Uint8Array, at: number, texts: string): void {
  for (let i = 0; i < texts.length; i++) bytes[at + i] = texts.charCodeAt(i);
}

/** `texts` of a frame with these addresses. */
export function textsOf(format: (address: number) => string, ...addresses: number[]): string {
  return addresses.filter(isIp6).map(format).join(' ');
}

/** The text of each of a frame's addresses, '' for those of IPv4. */
export function splitTexts(texts: string, ...addresses: number[]): string[] {
  const left = texts.split(' ');
  return addresses.map((address) => (isIp6(address) ? (left.shift() ?? '') : ''));
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
    const textBytes = view.getInt32(28, true);
    const payloadEnd = bytes.length - Math.min(Math.max(textBytes, 0), TEXT_BYTES_MAX, bytes.length - HEADER_BYTES);
    return {
      operation: view.getInt32(4, true),
      socket: view.getInt32(8, true),
      a: view.getInt32(12, true),
      b: view.getInt32(16, true),
      c: view.getInt32(20, true),
      d: view.getInt32(24, true),
      payload: bytes.subarray(HEADER_BYTES, payloadEnd),
      texts: payloadEnd === bytes.length ? '' : String.fromCharCode(...bytes.subarray(payloadEnd)),
    };
  }
}
