/**
 * Name resolution: what `node:dns` calls in place of Node's native resolver. `lookup` and `resolve*` answer from the
 * names of the lab; the host's resolver and its network are never asked.
 *
 * Thread: the program's. Answers come on a later turn of the event loop.
 * Read first: lib/dns.js, lib/internal/dns/utils.js. Missing: record types other than A and PTR exist for no name.
 */

import { AsyncResource } from 'node:async_hooks';
import { formatIpv4, LOOPBACK, LOOPBACK6, parseIpv4, parseIpv6 } from './address.ts';
import { caresWrap } from './bindings.ts';
import { callLater, face } from './face.ts';
import { uvCode } from './uv-error.ts';

const UV_NONAME = uvCode('EAI_NONAME');
const UV_EINVAL = uvCode('EINVAL');
const AI_V4MAPPED = Number(caresWrap.AI_V4MAPPED ?? 8);
const AI_ALL = Number(caresWrap.AI_ALL ?? 16);
/** Node's own number for "There are pending queries". */
const PENDING_QUERIES = -1000;

interface Request {
  oncomplete?: unknown;
}

/** Addresses of a name as `getaddrinfo` orders them; empty when there are none of that family. */
export function lookupAddresses(name: string, family: number, hints: number): string[] {
  const literal = parseIpv4(name);
  const known = Number.isNaN(literal) ? face().names.lookup(name) : [literal];
  const v4 = known.map(formatIpv4);
  if (family === 4 || family === 0) return v4;
  const v6 = known.includes(LOOPBACK) ? ['::1'] : [];
  const mapped = v4.map((text) => `::ffff:${text}`);
  if ((hints & AI_V4MAPPED) === 0) return v6;
  return v6.length > 0 && (hints & AI_ALL) === 0 ? v6 : [...v6, ...mapped];
}

export function getaddrinfo(request: Request, hostname: string, family: number, hints: number): number {
  const scope = new AsyncResource('GETADDRINFOREQWRAP', { requireManualDestroy: true });
  const addresses = lookupAddresses(hostname, family, hints);
  callLater(scope, request.oncomplete, request, addresses.length === 0 ? UV_NONAME : 0, addresses);
  return 0;
}

/** Ports that have a name in every services(5). */
const SERVICES: Readonly<Record<number, string>> = {
  20: 'ftp-data',
  21: 'ftp',
  22: 'ssh',
  23: 'telnet',
  25: 'smtp',
  53: 'domain',
  80: 'http',
  110: 'pop3',
  123: 'ntp',
  143: 'imap2',
  389: 'ldap',
  443: 'https',
  993: 'imaps',
};

function namesOf(ip: string): readonly string[] {
  const v6 = ip.includes(':') ? parseIpv6(ip) : parseIpv4(ip);
  if (typeof v6 !== 'number') return [];
  return face().names.reverse(v6 === LOOPBACK6 ? LOOPBACK : v6);
}

export function getnameinfo(request: Request & { callback?: unknown }, ip: string, port: number): number {
  const scope = new AsyncResource('GETNAMEINFOREQWRAP', { requireManualDestroy: true });
  const name = namesOf(ip)[0];
  const complete = request.oncomplete;
  const answer = (): unknown =>
    typeof complete !== 'function'
      ? undefined
      : name === undefined
        ? complete.call(request, UV_NONAME, null, null)
        : complete.call(request, 0, name, SERVICES[port] ?? String(port));
  callLater(scope, answer, request);
  return 0;
}

type Answer = { records: unknown[]; ttls: number[] } | string;

/** How long an answer of the lab's table may be kept: not at all. */
const TTL_SEC = 0;

function addressAnswer(name: string): Answer {
  const addresses = face().names.lookup(name);
  if (addresses.length === 0) return 'ENOTFOUND';
  return { records: addresses.map(formatIpv4), ttls: addresses.map(() => TTL_SEC) };
}

function noSuchRecord(name: string): Answer {
  return face().names.lookup(name).length === 0 ? 'ENOTFOUND' : 'ENODATA';
}

function anyAnswer(name: string): Answer {
  const found = addressAnswer(name);
  if (typeof found === 'string') return found;
  return { records: found.records.map((address) => ({ address, ttl: TTL_SEC, type: 'A' })), ttls: [] };
}

const ARPA = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa\.?$/i;

function pointerAnswer(name: string): Answer {
  const match = ARPA.exec(name);
  if (match === null) return 'ENOTFOUND';
  const names = namesOf(`${match[4]}.${match[3]}.${match[2]}.${match[1]}`);
  return names.length === 0 ? 'ENOTFOUND' : { records: [...names], ttls: [] };
}

/** A resolver (`dns.Resolver`, and the default one). */
export class LabResolver {
  #servers: [string, number][] = [['127.0.0.1', 53]];
  #pending = new Set<{ cancelled: boolean }>();

  getServers(): [string, number][] {
    return this.#servers.map(([address, port]) => [address, port]);
  }

  setServers(servers: readonly (readonly [number, string, number])[]): number {
    if (this.#pending.size > 0) return PENDING_QUERIES;
    this.#servers = servers.map(([, address, port]) => [address, port]);
    return 0;
  }

  setLocalAddress(first: string, second?: string): void {
    const families = [first, second].filter((text) => text !== undefined).map(familyOf);
    if (families.includes(0)) throw invalidArgument('Invalid IP address.');
    if (families.length === 2 && families[0] === families[1])
      throw invalidArgument(`Cannot specify two IPv${families[0]} addresses.`);
  }

  cancel(): void {
    for (const query of this.#pending) query.cancelled = true;
  }

  #answer(request: Request, find: () => Answer): number {
    const scope = new AsyncResource('QUERYWRAP', { requireManualDestroy: true });
    const query = { cancelled: false };
    this.#pending.add(query);
    const complete = (): void => {
      this.#pending.delete(query);
      if (typeof request.oncomplete !== 'function') return;
      const answer = query.cancelled ? 'ECANCELLED' : find();
      if (typeof answer === 'string') request.oncomplete(answer);
      else request.oncomplete(null, answer.records, answer.ttls);
    };
    callLater(scope, complete, request);
    return 0;
  }

  queryA(request: Request, name: string): number {
    return this.#answer(request, () => addressAnswer(name));
  }

  queryAny(request: Request, name: string): number {
    return this.#answer(request, () => anyAnswer(name));
  }

  queryPtr(request: Request, name: string): number {
    return this.#answer(request, () => pointerAnswer(name));
  }

  getHostByAddr(request: Request, ip: string): number {
    if (familyOf(ip) === 0) return UV_EINVAL;
    return this.#answer(request, () => {
      const names = namesOf(ip);
      return names.length === 0 ? 'ENOTFOUND' : { records: [...names], ttls: [] };
    });
  }

  /** Queries for records that no name of a lab has. */
  queryOther(request: Request, name: string): number {
    return this.#answer(request, () => noSuchRecord(name));
  }
}

for (const type of ['Aaaa', 'Caa', 'Cname', 'Mx', 'Ns', 'Txt', 'Srv', 'Naptr', 'Soa', 'Tlsa'])
  Object.defineProperty(LabResolver.prototype, `query${type}`, {
    value: LabResolver.prototype.queryOther,
    configurable: true,
    writable: true,
  });
Object.defineProperty(LabResolver, 'name', { value: 'ChannelWrap' });

function familyOf(text: string): 0 | 4 | 6 {
  if (!Number.isNaN(parseIpv4(text))) return 4;
  return text.includes(':') && caresWrap.canonicalizeIP(text) !== undefined ? 6 : 0;
}

function invalidArgument(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}
