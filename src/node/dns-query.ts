/**
 * One question to DNS servers that the program named (`dns.setServers`, `new dns.Resolver`): asked over the kernel's own
 * UDP, and over its TCP when the answer is too long for that (RFC 7766), with retries.
 *
 * Thread: the program's. Read first: RFC 1035, RFC 5452; c-ares' error names (node:dns). Missing: EDNS, search domains.
 */

import { Buffer } from 'node:buffer';
import { Errno } from '../base/errors.ts';
import {
  DatagramInfo,
  type DatagramSocket,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  type Family,
  SocketAddress,
  type StreamSocket,
} from '../socket/socket.ts';
import { destination } from './address.ts';
import { type Answer, toAnswer } from './dns-answer.ts';
import { decodeReply, encodeName, encodeQuestion, TYPES } from './dns-message.ts';
import { face } from './face.ts';

// Taken before the program can replace the globals (fake timers do).
const startTimer = setTimeout;
const stopTimer = clearTimeout;

/** The longest message; one buffer serves all questions, because an answer is read in the call that received it. */
const MESSAGE_BYTES = 65535;
const LENGTH_BYTES = 2;
let received: Buffer | null = null;

export interface QueryOptions {
  readonly servers: readonly (readonly [string, number])[];
  /** For the first try; doubles with every round. */
  readonly timeoutMs: number;
  /** No try takes longer. */
  readonly maxTimeoutMs: number;
  readonly tries: number;
  /** Address to ask from, by the family of the server; none: any. */
  readonly localAddress: (family: Family) => string | undefined;
}

export class DnsQuery {
  readonly #name: string;
  readonly #type: string;
  readonly #options: QueryOptions;
  readonly #complete: (answer: Answer) => void;
  /** Null: there is no such name. */
  readonly #question: Buffer | null;
  #socket: DatagramSocket | StreamSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  /** An answer was truncated: from then on all servers are asked over TCP. */
  #overTcp = false;
  #done = false;
  /** The latest try's; at first the code that Node gives when there is no server. */
  #failure = 'UNKNOWN_ARES_ERROR';

  /** Asks soon; `complete` is called once, later. */
  constructor(name: string, type: string, options: QueryOptions, complete: (answer: Answer) => void) {
    this.#name = name;
    this.#type = type;
    this.#options = options;
    this.#complete = complete;
    const wireName = encodeName(name);
    const id = Math.floor(Math.random() * 65536);
    this.#question = wireName === null ? null : encodeQuestion(id, wireName, TYPES[type] as number);
    this.#timer = startTimer(() => this.#begin(), 0);
  }

  /** From now on nothing that arrives is an answer; `complete` is called later. */
  cancel(): void {
    if (!this.#end()) return;
    startTimer(() => this.#complete('ECANCELLED'), 0);
  }

  #begin(): void {
    if (this.#question === null) this.#finish('EBADNAME');
    // RFC 7686: names that are none of DNS.
    else if (/[^.]\.onion\.?$/i.test(this.#name)) this.#finish('ENOTFOUND');
    else this.#try(this.#question);
  }

  #try(question: Buffer): void {
    const { servers, tries, timeoutMs, maxTimeoutMs } = this.#options;
    this.#close();
    if (this.#attempt >= servers.length * tries) {
      this.#finish(this.#failure);
      return;
    }
    const [text, port] = servers[this.#attempt % servers.length] as [string, number];
    const round = Math.floor(this.#attempt / servers.length);
    const address = SocketAddress.from(text, port, face().sockets);
    const waitMs = Math.min(timeoutMs * 2 ** round, maxTimeoutMs);
    const asked = address === null ? -Errno.EINVAL : this.#ask(question, destination(address));
    if (asked < 0) this.#fail(question, 'ECONNREFUSED', 0);
    else this.#fail(question, 'ETIMEOUT', waitMs);
  }

  /** The next try, after `waitMs` in which an answer may still come. */
  #fail(question: Buffer, failure: string, waitMs: number): void {
    if (waitMs === 0) this.#close();
    stopTimer(this.#timer);
    this.#timer = startTimer(() => {
      this.#failure = failure;
      this.#attempt++;
      this.#try(question);
    }, waitMs);
  }

  /** The errno of what cannot be sent; an answer may come otherwise. */
  #ask(question: Buffer, server: SocketAddress): number {
    const { family } = server;
    const { sockets } = face();
    const socket = this.#overTcp ? sockets.stream(family) : sockets.datagram(family);
    this.#socket = socket;
    const localText = this.#options.localAddress(family);
    const local = localText === undefined ? null : SocketAddress.from(localText, 0, sockets);
    const bound = local === null ? 0 : socket.bind(local);
    if (bound < 0) return bound;
    if ('accept' in socket) return this.#askStream(question, server, socket);
    socket.onEvents = (events) => this.#onDatagram(question, socket, events);
    return socket.connect(server) || Math.min(socket.send(question, 0, question.length, null), 0);
  }

  #askStream(question: Buffer, server: SocketAddress, socket: StreamSocket): number {
    const reply = new StreamReply();
    socket.onEvents = (events) => {
      if (socket !== this.#socket) return;
      if ((events & EVENT_CONNECTED) !== 0 && socket.error === 0) sendWhole(socket, question);
      this.#onStream(question, socket, reply);
    };
    const connected = socket.connect(server);
    return connected === -Errno.EINPROGRESS ? 0 : connected;
  }

  #onDatagram(question: Buffer, socket: DatagramSocket, events: number): void {
    if ((events & (EVENT_READABLE | EVENT_ERROR)) === 0) return;
    received ??= Buffer.allocUnsafeSlow(MESSAGE_BYTES);
    while (socket === this.#socket) {
      const count = socket.receive(received, 0, MESSAGE_BYTES, new DatagramInfo());
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.#fail(question, 'ECONNREFUSED', 0);
        return;
      }
      if (this.#onMessage(question, received.subarray(0, count))) return;
    }
  }

  #onStream(question: Buffer, socket: StreamSocket, reply: StreamReply): void {
    for (;;) {
      const count = reply.read(socket);
      if (count === -Errno.EAGAIN) return;
      if (count <= 0) {
        this.#fail(question, 'ECONNREFUSED', 0);
        return;
      }
      for (let message = reply.next(); message !== null; message = reply.next()) {
        if (this.#onMessage(question, message)) return;
      }
    }
  }

  /** True when the question is done with, or on its way once more. */
  #onMessage(question: Buffer, bytes: Buffer): boolean {
    const reply = decodeReply(bytes, question);
    if (reply === 'stranger') return false;
    if (reply === 'malformed') this.#fail(question, 'EBADRESP', 0);
    else if (reply.truncated && !this.#overTcp) {
      this.#overTcp = true;
      stopTimer(this.#timer);
      this.#try(question);
    } else this.#finish(toAnswer(reply, this.#name, this.#type));
    return true;
  }

  #close(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  #finish(answer: Answer): void {
    if (this.#end()) this.#complete(answer);
  }

  /** False when it had ended before. */
  #end(): boolean {
    if (this.#done) return false;
    this.#done = true;
    stopTimer(this.#timer);
    this.#close();
    return true;
  }
}

/** A new connection has room for a question. */
function sendWhole(socket: StreamSocket, question: Buffer): void {
  const bytes = Buffer.alloc(LENGTH_BYTES + question.length);
  bytes.writeUInt16BE(question.length, 0);
  question.copy(bytes, LENGTH_BYTES);
  socket.send(bytes, 0, bytes.length);
}

/** Messages of a stream, each behind its length (RFC 1035 section 4.2.2). */
class StreamReply {
  readonly #bytes: Buffer = Buffer.allocUnsafeSlow(LENGTH_BYTES + MESSAGE_BYTES);
  #filled = 0;
  #taken = 0;

  /** The result of `receive`. There is room for a message once `next` has given null. */
  read(socket: StreamSocket): number {
    this.#bytes.copyWithin(0, this.#taken, this.#filled);
    this.#filled -= this.#taken;
    this.#taken = 0;
    const count = socket.receive(this.#bytes, this.#filled, this.#bytes.length - this.#filled);
    if (count > 0) this.#filled += count;
    return count;
  }

  /** The next whole message, until `read` is called again. */
  next(): Buffer | null {
    const at = this.#taken + LENGTH_BYTES;
    if (at > this.#filled) return null;
    const end = at + this.#bytes.readUInt16BE(this.#taken);
    if (end > this.#filled) return null;
    this.#taken = end;
    return this.#bytes.subarray(at, end);
  }
}
