/**
 * DNS messages: a question written, a response read whole. A response with anything malformed in it, wanted or not, is none.
 *
 * Thread: the program's. Read first: RFC 1035 sections 4 and 5.1 (text of names), RFC 2782, RFC 3403, RFC 6698, RFC 8659.
 */

import { Buffer } from 'node:buffer';
import { formatIpv4 } from './address.ts';
import { caresWrap } from './bindings.ts';

export const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  TLSA: 52,
  ANY: 255,
  CAA: 257,
};

export const CLASS_IN = 1;
/** IN, CH, HS and NONE: a record of another class is malformed. */
const CLASSES: readonly number[] = [CLASS_IN, 3, 4, 254];

const HEADER_BYTES = 12;
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const OPCODE = 0x7800;

export interface DnsRecord {
  readonly type: number;
  readonly class: number;
  readonly ttlSec: number;
  /** In Node's shape; undefined for a type that Node has none for. */
  readonly data: unknown;
}

export interface DnsMessage {
  readonly truncated: boolean;
  readonly rcode: number;
  readonly answers: readonly DnsRecord[];
}

/** Letters of hosts, of services (`_tcp`), wildcards and the zones of RFC 2317. */
const NAME_LETTERS = /^[a-z0-9._/*-]*$/i;
const ESCAPES = /\\(?:(\d{3})|([^\d]))/y;
const SPECIAL = /[^ -~]|["$().;@\\]/g;

/** Labels of a name as text has it: `\.` is a dot within one, `\DDD` any byte. Null: no such name. */
function labelsOf(text: string): string[] | null {
  const labels = [''];
  for (let at = 0; at < text.length; at++) {
    let letter = text.charAt(at);
    if (letter === '.') {
      labels.push('');
      continue;
    }
    if (letter === '\\') {
      ESCAPES.lastIndex = at;
      const found = ESCAPES.exec(text);
      if (found === null) return null;
      letter = found[2] ?? String.fromCharCode(Number(found[1]));
      at += found[0].length - 1;
    }
    labels[labels.length - 1] += letter;
  }
  if (labels.length > 1 && labels.at(-1) === '') labels.pop();
  return labels;
}

/** A name on the wire, or null when it cannot be asked: a label that is empty or too long, too many, letters that no name has. */
export function encodeName(text: string): Buffer | null {
  const labels = text === '' || text === '.' ? [] : labelsOf(text);
  if (labels === null) return null;
  if (!labels.every((label) => label !== '' && label.length <= MAX_LABEL_BYTES && NAME_LETTERS.test(label)))
    return null;
  const bytes = Buffer.from(
    [...labels, ''].map((label) => String.fromCharCode(label.length) + label).join(''),
    'latin1',
  );
  return bytes.length > MAX_NAME_BYTES ? null : bytes;
}

/** One question, recursion desired. */
export function encodeQuestion(id: number, name: Buffer, type: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + name.length + 4);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(FLAG_RECURSION_DESIRED, 2);
  bytes.writeUInt16BE(1, 4);
  name.copy(bytes, HEADER_BYTES);
  bytes.writeUInt16BE(type, bytes.length - 4);
  bytes.writeUInt16BE(CLASS_IN, bytes.length - 2);
  return bytes;
}

/** A message that arrived, seen from a question. */
export type DnsReply = DnsMessage | 'stranger' | 'malformed';

/**
 * A response to `question`, which `encodeQuestion` made. A stranger has another number, is no response, or answers another question;
 * letters match in either case (RFC 1035 section 3.1).
 */
export function decodeReply(bytes: Buffer, question: Buffer): DnsReply {
  if (bytes.length < 2 || bytes.readUInt16BE(0) !== question.readUInt16BE(0)) return 'stranger';
  if (bytes.length < HEADER_BYTES) return 'malformed';
  const flags = bytes.readUInt16BE(2);
  if ((flags & FLAG_RESPONSE) === 0) return 'stranger';
  if ((flags & OPCODE) !== 0 || bytes.readUInt16BE(4) !== 1) return 'malformed';
  const reader = new MessageReader(bytes);
  try {
    if (!reader.sameQuestion(question)) return 'stranger';
    const answers = reader.records(bytes.readUInt16BE(6));
    reader.records(bytes.readUInt16BE(8) + bytes.readUInt16BE(10));
    return { truncated: (flags & FLAG_TRUNCATED) !== 0, rcode: flags & 15, answers };
  } catch (error) {
    if (error instanceof Malformed) return 'malformed';
    throw error;
  }
}

class Malformed extends Error {}

class MessageReader {
  readonly #bytes: Buffer;
  #at = HEADER_BYTES;
  /** End of the message, or of the record's data. */
  #end: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  sameQuestion(question: Buffer): boolean {
    const name = this.#name();
    const [type, classOf] = [this.#number(2), this.#number(2)];
    const asked = new MessageReader(question);
    const sameName = asked.#name().toLowerCase() === name.toLowerCase();
    return sameName && asked.#number(2) === type && asked.#number(2) === classOf;
  }

  records(count: number): DnsRecord[] {
    const found: DnsRecord[] = [];
    for (let i = 0; i < count; i++) found.push(this.#record());
    return found;
  }

  #record(): DnsRecord {
    this.#name();
    const type = this.#number(2);
    const classOf = this.#number(2);
    const ttlSec = this.#number(4);
    const length = this.#number(2);
    const end = this.#at + length;
    if (end > this.#end) throw new Malformed();
    const isRecord = type !== TYPE_OPT;
    if (isRecord && !CLASSES.includes(classOf)) throw new Malformed();
    this.#end = end;
    const data = isRecord ? this.#data(type) : undefined;
    this.#at = end;
    this.#end = this.#bytes.length;
    return { type, class: classOf, ttlSec, data };
  }

  #data(type: number): unknown {
    switch (type) {
      case TYPES.A:
        return formatIpv4(this.#number(4) | 0);
      case TYPES.AAAA:
        return this.#ipv6();
      case TYPES.NS:
      case TYPES.CNAME:
      case TYPES.PTR:
        return this.#name();
      case TYPES.MX: {
        const priority = this.#number(2);
        return { exchange: this.#name(), priority };
      }
      case TYPES.SRV: {
        const [priority, weight, port] = [this.#number(2), this.#number(2), this.#number(2)];
        return { name: this.#name(), port, priority, weight };
      }
      case TYPES.TXT:
        return this.#texts();
      case TYPES.NAPTR:
        return this.#naptr();
      case TYPES.SOA:
        return this.#soa();
      case TYPES.CAA:
        return this.#caa();
      case TYPES.TLSA:
        return this.#tlsa();
      default:
        return undefined;
    }
  }

  #number(byteCount: 1 | 2 | 4): number {
    const at = this.#take(byteCount);
    return this.#bytes.readUIntBE(at, byteCount);
  }

  /** Passes the next bytes and gives their offset. */
  #take(byteCount: number): number {
    const at = this.#at;
    this.#at += byteCount;
    if (this.#at > this.#end) throw new Malformed();
    return at;
  }

  #rest(): Buffer {
    if (this.#at >= this.#end) throw new Malformed();
    return this.#bytes.subarray(this.#take(this.#end - this.#at), this.#end);
  }

  /** A character-string, byte by byte. */
  #text(): string {
    const length = this.#number(1);
    const at = this.#take(length);
    return this.#bytes.toString('latin1', at, at + length);
  }

  #printable(): string {
    const text = this.#text();
    if (!/^[ -~]*$/.test(text)) throw new Malformed();
    return text;
  }

  #texts(): string[] {
    const texts = [this.#text()];
    while (this.#at < this.#end) texts.push(this.#text());
    return texts;
  }

  #ipv6(): string {
    const groups = Array.from({ length: 8 }, () => this.#number(2).toString(16));
    return caresWrap.canonicalizeIP(groups.join(':')) as string;
  }

  #naptr(): object {
    const [order, preference] = [this.#number(2), this.#number(2)];
    const [flags, service, regexp] = [this.#printable(), this.#printable(), this.#printable()];
    return { flags, service, regexp, replacement: this.#name(), order, preference };
  }

  #soa(): object {
    const [nsname, hostmaster, serial] = [this.#name(), this.#name(), this.#number(4)];
    const [refresh, retry] = [this.#number(4), this.#number(4)];
    return { nsname, hostmaster, serial, refresh, retry, expire: this.#number(4), minttl: this.#number(4) };
  }

  #caa(): object {
    const critical = this.#number(1);
    const tag = this.#printable();
    if (tag === '') throw new Malformed();
    return { critical, [tag]: this.#rest().toString('latin1') };
  }

  #tlsa(): object {
    const [certUsage, selector, match] = [this.#number(1), this.#number(1), this.#number(1)];
    return { certUsage, selector, match, data: new Uint8Array(this.#rest()).buffer };
  }

  /** Text of a name. Pointers go backwards, each before the one that led to it; so none leads in a circle. */
  #name(): string {
    const labels: string[] = [];
    let at = this.#at;
    let first = at;
    let end = -1;
    let byteCount = 1;
    for (;;) {
      if (at >= this.#end) throw new Malformed();
      const length = this.#bytes[at++] as number;
      if (length === 0) break;
      if (length > MAX_LABEL_BYTES) {
        if (length < 0xc0 || at >= this.#end) throw new Malformed();
        const target = ((length & 0x3f) << 8) | (this.#bytes[at++] as number);
        if (target >= first || target < HEADER_BYTES) throw new Malformed();
        if (end < 0) end = at;
        first = target;
        at = target;
        continue;
      }
      byteCount += length + 1;
      if (byteCount > MAX_NAME_BYTES || at + length > this.#end) throw new Malformed();
      labels.push(this.#bytes.toString('latin1', at, at + length).replace(SPECIAL, escaped));
      at += length;
    }
    this.#at = end < 0 ? at : end;
    return labels.join('.');
  }
}

/** The pseudo-record of EDNS, whose class is a size. */
const TYPE_OPT = 41;

function escaped(letter: string): string {
  const printable = letter > ' ' && letter <= '~';
  return `\\${printable ? letter : String(letter.charCodeAt(0)).padStart(3, '0')}`;
}
