/**
 * One question to DNS servers that the program named (`dns.setServers`, `new dns.Resolver`): asked over the kernel's own
 * UDP, with retries, and answered in the shapes of `dns.resolve*`.
 *
 * Thread: the program's. Read first: RFC 1035; c-ares' error names (node:dns). Missing: TCP for truncated answers, EDNS,
 * search domains.
 */

import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { Errno } from '../base/errors.ts';
import { DatagramInfo, type DatagramSocket, EVENT_ERROR, EVENT_READABLE, SocketAddress } from '../socket/socket.ts';
import { face } from './face.ts';

export type Answer = { records: unknown[]; ttls: number[] } | string;

interface DnsRecord {
  type: string;
  name: string;
  ttl: number;
  data: unknown;
}

interface DnsPacket {
  id: number;
  type: string;
  rcode: string;
  answers: DnsRecord[];
}

interface DnsCodec {
  encode(packet: object): Uint8Array;
  decode(bytes: Uint8Array): DnsPacket;
  RECURSION_DESIRED: number;
}

let codec: DnsCodec | null = null;

/** Loaded when the first question is asked: few programs ask any. */
function dns(): DnsCodec {
  codec ??= createRequire(import.meta.url)('dns-packet') as DnsCodec;
  return codec;
}

/** Response codes as Node's error codes. */
const RCODES: Readonly<Record<string, string>> = {
  FORMERR: 'EFORMERR',
  SERVFAIL: 'ESERVFAIL',
  NXDOMAIN: 'ENOTFOUND',
  NOTIMP: 'ENOTIMP',
  REFUSED: 'EREFUSED',
};

function naptr(data: Record<string, unknown>): object {
  const { flags, services, regexp, replacement, order, preference } = data;
  return { flags, service: services, regexp, replacement, order, preference };
}

function soa(data: Record<string, unknown>): object {
  const { mname, rname, serial, refresh, retry, expire, minimum } = data;
  return { nsname: mname, hostmaster: rname, serial, refresh, retry, expire, minttl: minimum };
}

/** A record in Node's shape; in an ANY answer all are objects with their type. */
function shape(record: DnsRecord, any: boolean): unknown {
  const data = record.data as Record<string, unknown>;
  const { type } = record;
  const typed = (value: object): object => (any ? { ...value, type } : value);
  switch (type) {
    case 'A':
    case 'AAAA':
      return any ? { address: record.data, ttl: record.ttl, type } : record.data;
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return any ? { value: record.data, type } : record.data;
    case 'MX':
      return typed({ exchange: data.exchange, priority: data.preference });
    case 'SRV':
      return typed({ name: data.target, port: data.port, priority: data.priority, weight: data.weight });
    case 'TXT': {
      const entries = (Array.isArray(record.data) ? record.data : [record.data]).map(String);
      return any ? { entries, type } : entries;
    }
    case 'NAPTR':
      return typed(naptr(data));
    case 'SOA':
      return typed(soa(data));
    case 'CAA':
      return typed({ critical: Number(data.flags), [String(data.tag)]: data.value });
    default:
      return undefined;
  }
}

function toAnswer(packet: DnsPacket, type: string): Answer {
  const failed = RCODES[packet.rcode];
  if (failed !== undefined) return failed;
  const any = type === 'ANY';
  const found = packet.answers.filter((record) => any || record.type === type);
  const shaped = found.map((record) => shape(record, any)).filter((value) => value !== undefined);
  if (shaped.length === 0) return 'ENODATA';
  if (type === 'SOA') return { records: shaped[0] as unknown[], ttls: [] };
  return { records: shaped, ttls: found.map((record) => record.ttl) };
}

// Taken before the program can replace the globals (fake timers do).
const startTimer = setTimeout;
const stopTimer = clearTimeout;

const RECEIVE_BYTES = 4096;

export interface QueryOptions {
  readonly servers: readonly (readonly [string, number])[];
  /** For the first try; doubles with every round. */
  readonly timeoutMs: number;
  readonly tries: number;
}

export class DnsQuery {
  readonly #type: string;
  readonly #options: QueryOptions;
  readonly #complete: (answer: Answer) => void;
  readonly #id: number = Math.floor(Math.random() * 65536);
  readonly #question: Uint8Array;
  #socket: DatagramSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #done = false;
  #failure = 'ETIMEOUT';

  /** Asks at once; `complete` is called once, later. */
  constructor(name: string, type: string, options: QueryOptions, complete: (answer: Answer) => void) {
    this.#type = type;
    this.#options = options;
    this.#complete = complete;
    this.#question = dns().encode({
      type: 'query',
      id: this.#id,
      flags: dns().RECURSION_DESIRED,
      questions: [{ type, name, class: 'IN' }],
    });
    this.#timer = startTimer(() => this.#try(), 0);
  }

  /** From now on nothing that arrives is an answer; `complete` is called later. */
  cancel(): void {
    if (!this.#end()) return;
    startTimer(() => this.#complete('ECANCELLED'), 0);
  }

  #try(): void {
    const { servers, tries, timeoutMs } = this.#options;
    this.#close();
    if (this.#attempt >= servers.length * tries) {
      this.#finish(this.#failure);
      return;
    }
    const [text, port] = servers[this.#attempt % servers.length] as [string, number];
    const round = Math.floor(this.#attempt++ / servers.length);
    const v6 = text.includes(':');
    const socket = face().sockets.datagram(v6 ? 6 : 4);
    this.#socket = socket;
    socket.onEvents = (events) => this.#onEvents(socket, events);
    const address = SocketAddress.from(text, port, face().sockets);
    const connected = address === null ? -Errno.EINVAL : socket.connect(address);
    const sent = connected || socket.send(this.#question, 0, this.#question.length, null);
    // No way there: the next server, at once.
    this.#timer = startTimer(() => this.#try(), sent < 0 ? 0 : timeoutMs * 2 ** round);
    if (sent < 0) this.#failure = 'ECONNREFUSED';
  }

  #onEvents(socket: DatagramSocket, events: number): void {
    if ((events & (EVENT_READABLE | EVENT_ERROR)) === 0 || socket !== this.#socket) return;
    const bytes = Buffer.allocUnsafe(RECEIVE_BYTES);
    const count = socket.receive(bytes, 0, RECEIVE_BYTES, new DatagramInfo());
    if (count === -Errno.EAGAIN) return;
    if (count < 0) {
      this.#failure = 'ECONNREFUSED';
      stopTimer(this.#timer);
      this.#try();
      return;
    }
    const packet = this.#decode(bytes.subarray(0, count));
    if (packet !== null) this.#finish(toAnswer(packet, this.#type));
  }

  /** The response to this question, null when it is none. */
  #decode(bytes: Uint8Array): DnsPacket | null {
    try {
      const packet = dns().decode(bytes);
      return packet.type === 'response' && packet.id === this.#id ? packet : null;
    } catch {
      return null;
    }
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
