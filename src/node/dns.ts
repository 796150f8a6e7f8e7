/**
 * Name resolution: what `node:dns` calls in place of Node's native resolver. `lookup` answers from the
 * names of the lab (dns-resolver.ts); the host's resolver and its network are never asked.
 *
 * Thread: the program's. Answers come on a later turn of the event loop.
 * Read first: lib/dns.js, lib/internal/dns/utils.js.
 */

import { AsyncResource } from 'node:async_hooks';
import { formatIpv4, LOOPBACK, LOOPBACK6, parseIpv4, parseIpv6 } from './address.ts';
import { caresWrap } from './bindings.ts';
import { callLater, face } from './face.ts';
import { uvCode } from './uv-error.ts';

const UV_NONAME = uvCode('EAI_NONAME');
const AI_V4MAPPED = Number(caresWrap.AI_V4MAPPED ?? 8);
const AI_ALL = Number(caresWrap.AI_ALL ?? 16);

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

export function namesOf(ip: string): readonly string[] {
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
