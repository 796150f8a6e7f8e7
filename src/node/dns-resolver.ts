/**
 * A resolver as `node:dns` drives it (`dns.resolve*`, `dns.Resolver`). With the servers it starts with, it answers from
 * the names of the lab; with servers that the program set, it asks those over the kernel.
 *
 * Thread: the program's.
 */

import { AsyncResource } from 'node:async_hooks';
import { parseIpv4 } from './address.ts';
import { caresWrap } from './bindings.ts';
import { asciiName, namesOf } from './dns.ts';
import type { Answer } from './dns-answer.ts';
import { encodeName } from './dns-message.ts';
import { DnsQuery, type QueryOptions } from './dns-query.ts';
import { callProgram, face } from './face.ts';
import { UV_EINVAL } from './uv-error.ts';

/** Node's own number for "There are pending queries". */
const PENDING_QUERIES = -1000;
/** As c-ares has it. */
const TIMEOUT_MS = 2000;
const TRIES = 4;
/** Lifetime of an answer of the lab's table: none. */
const TTL_SEC = 0;

interface QueryRequest {
  oncomplete?: unknown;
}

interface PendingQuery {
  cancel(): void;
}

const immediate = setImmediate;

/** An answer out of the table, which still comes later. */
class TableQuery implements PendingQuery {
  #cancelled = false;

  constructor(find: () => Answer, complete: (answer: Answer) => void) {
    immediate(() => complete(this.#cancelled ? 'ECANCELLED' : find()));
  }

  cancel(): void {
    this.#cancelled = true;
  }
}

const ARPA = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa\.?$/i;
const NIBBLES = 32;
const ARPA6 = /^([0-9a-f]\.){32}ip6\.arpa\.?$/i;

/** As gethostbyaddr has it: why a host was not found does not matter. */
function hostAnswer(answer: Answer): Answer {
  return typeof answer === 'string' && answer !== 'ECANCELLED' ? 'ENOTFOUND' : answer;
}

function names(found: readonly string[]): Answer {
  return found.length === 0 ? 'ENOTFOUND' : { records: [...found], ttls: [] };
}

/** The address that a name under ip6.arpa stands for, undefined when it is none. */
function arpa6Address(name: string): string | undefined {
  if (!ARPA6.test(name)) return undefined;
  const nibbles = name.slice(0, NIBBLES * 2).replaceAll('.', '');
  const digits = [...nibbles].reverse().join('');
  return digits.match(/.{4}/g)?.join(':');
}

/** Answer of the lab's table to a question. */
function tableAnswer(name: string, type: string): Answer {
  const arpa = type === 'PTR' ? ARPA.exec(name) : null;
  if (arpa !== null) return names(namesOf(`${arpa[4]}.${arpa[3]}.${arpa[2]}.${arpa[1]}`));
  const arpa6 = type === 'PTR' ? arpa6Address(name) : undefined;
  if (arpa6 !== undefined) return names(namesOf(arpa6));
  const known = face().names.lookup(name);
  if (known.length === 0) return 'ENOTFOUND';
  if (type === 'ANY')
    return { records: known.map((address) => ({ address, ttl: TTL_SEC, type: recordType(address) })), ttls: [] };
  const addresses = known.filter((address) => recordType(address) === type);
  return addresses.length === 0 ? 'ENODATA' : { records: addresses, ttls: addresses.map(() => TTL_SEC) };
}

function recordType(address: string): 'A' | 'AAAA' {
  return address.includes(':') ? 'AAAA' : 'A';
}

function arpaName(ip: string): string {
  const address = parseIpv4(ip);
  if (Number.isNaN(address)) return arpa6Name(ip);
  return `${address & 255}.${(address >>> 8) & 255}.${(address >>> 16) & 255}.${address >>> 24}.in-addr.arpa`;
}

function arpa6Name(ip: string): string {
  const canonical = caresWrap.canonicalizeIP(ip.split('%', 1)[0] as string) ?? '::';
  const [front = '', back] = canonical.split('::');
  const first = front === '' ? [] : front.split(':');
  const last = back === undefined || back === '' ? [] : back.split(':');
  const mapped = parseIpv4(last.at(-1) ?? '');
  if (!Number.isNaN(mapped)) last.splice(-1, 1, (mapped >>> 16).toString(16), (mapped & 0xffff).toString(16));
  const groups = [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
  const digits = groups.map((group) => group.padStart(4, '0')).join('');
  return `${[...digits].reverse().join('.')}.ip6.arpa`;
}

export class DnsResolver {
  #servers: [string, number][] = [['127.0.0.1', 53]];
  #ownServers = false;
  readonly #timeoutMs: number;
  readonly #tries: number;
  readonly #maxTimeoutMs: number;
  /** By family. */
  #localAddresses: Readonly<Partial<Record<4 | 6, string>>> = {};
  readonly #pending = new Set<PendingQuery>();

  constructor(timeoutMs: number = -1, tries: number = TRIES, maxTimeoutMs: number = 0) {
    this.#timeoutMs = timeoutMs <= 0 ? TIMEOUT_MS : timeoutMs;
    this.#tries = tries;
    this.#maxTimeoutMs = maxTimeoutMs > 0 ? maxTimeoutMs : Number.POSITIVE_INFINITY;
  }

  getServers(): [string, number][] {
    return this.#servers.map(([address, port]) => [address, port]);
  }

  setServers(servers: readonly (readonly [number, string, number])[]): number {
    if (this.#pending.size > 0) return PENDING_QUERIES;
    // Each once, and as c-ares shows it.
    const unique = new Map(
      servers.map(([, text, port]) => [`${canonicalServer(text)} ${port & 0xffff}`, { text, port }]),
    );
    this.#servers = [...unique.values()].map(({ text, port }) => [canonicalServer(text), port & 0xffff]);
    this.#ownServers = true;
    return 0;
  }

  /** One address of a family or one of each; servers of another family are asked from any. */
  setLocalAddress(first: string, second?: string): void {
    const given = [first, second].filter((text) => text !== undefined);
    const families = given.map(familyOf);
    if (families.includes(0)) throw invalidArgument('Invalid IP address.');
    if (families.length === 2 && families[0] === families[1])
      throw invalidArgument(`Cannot specify two IPv${families[0]} addresses.`);
    this.#localAddresses = Object.fromEntries(families.map((family, index) => [family, given[index]]));
  }

  cancel(): void {
    for (const query of [...this.#pending]) query.cancel();
  }

  getHostByAddr(request: QueryRequest, ip: string): number {
    const family = familyOf(ip);
    if (family === 0) return UV_EINVAL;
    const known = namesOf(ip);
    if (!this.#ownServers || known.length > 0) return this.#table(request, () => names(known));
    const make = (complete: (answer: Answer) => void): DnsQuery =>
      new DnsQuery(arpaName(ip), 'PTR', this.#options(), (answer) => complete(hostAnswer(answer)));
    return this.#start(request, make);
  }

  query(request: QueryRequest, name: string, type: string): number {
    const ascii = asciiName(name)?.toLowerCase() ?? null;
    if (ascii === null || encodeName(ascii) === null) return this.#table(request, () => 'EBADNAME');
    if (!this.#ownServers) return this.#table(request, () => tableAnswer(ascii, type));
    return this.#start(request, (complete) => new DnsQuery(ascii, type, this.#options(), complete));
  }

  #options(): QueryOptions {
    return {
      servers: this.#servers,
      timeoutMs: this.#timeoutMs,
      maxTimeoutMs: this.#maxTimeoutMs,
      tries: this.#tries,
      localAddress: (family) => this.#localAddresses[family],
    };
  }

  #table(request: QueryRequest, find: () => Answer): number {
    return this.#start(request, (complete) => new TableQuery(find, complete));
  }

  #start(request: QueryRequest, make: (complete: (answer: Answer) => void) => PendingQuery): number {
    const scope = new AsyncResource('QUERYWRAP', { requireManualDestroy: true });
    const query = make((answer) => {
      this.#pending.delete(query);
      if (typeof answer === 'string') callProgram(scope, request.oncomplete, request, answer);
      else callProgram(scope, request.oncomplete, request, null, answer.records, answer.ttls);
      scope.emitDestroy();
    });
    this.#pending.add(query);
    return 0;
  }
}

for (const type of ['A', 'Aaaa', 'Any', 'Caa', 'Cname', 'Mx', 'Ns', 'Txt', 'Srv', 'Ptr', 'Naptr', 'Soa', 'Tlsa'])
  Object.defineProperty(DnsResolver.prototype, `query${type}`, {
    value(this: DnsResolver, request: QueryRequest, name: string): number {
      return this.query(request, name, type.toUpperCase());
    },
    configurable: true,
    writable: true,
  });
Object.defineProperty(DnsResolver, 'name', { value: 'ChannelWrap' });

/** The shortest text of an address; the zone that it is asked in stays. */
function canonicalServer(text: string): string {
  const [address, ...zone] = text.split('%') as [string, ...string[]];
  return [caresWrap.canonicalizeIP(address) ?? address, ...zone].join('%');
}

function familyOf(text: string): 0 | 4 | 6 {
  if (!Number.isNaN(parseIpv4(text))) return 4;
  return text.includes(':') && caresWrap.canonicalizeIP(text) !== undefined ? 6 : 0;
}

function invalidArgument(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}
