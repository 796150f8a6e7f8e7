/**
 * Name resolution: what `node:dns` calls in place of Node's native resolver. `lookup` answers from the
 * names of the lab (dns-resolver.ts); the host's resolver and its network are never asked.
 *
 * Thread: the program's. Answers come on a later turn of the event loop.
 * Read first: lib/dns.js, lib/internal/dns/utils.js.
 */

import { AsyncResource } from 'node:async_hooks';
import { SocketAddress } from '../socket/socket.ts';
import { canonicalText } from './address.ts';
import { caresWrap } from './bindings.ts';
import { callLater, face } from './face.ts';
import { UV_NONAME } from './uv-error.ts';

const AI_V4MAPPED = Number(caresWrap.AI_V4MAPPED ?? 8);
const AI_ADDRCONFIG = Number(caresWrap.AI_ADDRCONFIG ?? 32);
const AI_ALL = Number(caresWrap.AI_ALL ?? 16);

const { DNS_ORDER_IPV4_FIRST, DNS_ORDER_IPV6_FIRST } = caresWrap;

interface LookupRequest {
  oncomplete?: unknown;
}

function isV6(text: string): boolean {
  return text.includes(':');
}

/** AI_ADDRCONFIG: whether an interface other than loopback has an address of a family (RFC 3493 6.1). */
function configured(v6: boolean): boolean {
  const { interfaces } = face();
  if (interfaces === undefined) return true;
  return interfaces().some(({ address, internal }) => !internal && isV6(address) === v6);
}

/** In the kernel's order: reachable addresses first, and so on (RFC 6724 section 6). Texts of unknown zones come last. */
function inOrder(texts: readonly string[]): readonly string[] {
  if (texts.length < 2) return texts;
  const { sockets } = face();
  const parsed = texts.map((text) => SocketAddress.from(text, 0, sockets));
  const ordered = sockets.orderDestinations(parsed.filter((address) => address !== null));
  const unknown = texts.filter((_, index) => parsed[index] === null);
  return [...ordered.map((address) => texts[parsed.indexOf(address)] as string), ...unknown];
}

/**
 * Addresses of a name as `getaddrinfo` orders them; empty when there are none of that family. `order`: the numbers of
 * cares_wrap, from before them a boolean, "verbatim".
 */
export function lookupAddresses(name: string, family: number, hints: number, order: unknown = 0): string[] {
  const literal = canonicalText(name);
  const known = literal === undefined ? inOrder(face().names.lookup(name)) : [literal];
  const v4 = known.filter((text) => !isV6(text));
  const v6 = known.filter(isV6);
  if (family === 4) return v4;
  if (family === 6) {
    if ((hints & AI_V4MAPPED) === 0) return v6;
    return v6.length > 0 && (hints & AI_ALL) === 0 ? v6 : [...v6, ...v4.map((text) => `::ffff:${text}`)];
  }
  if (v4.length === 0 || v6.length === 0) return [...known];
  if ((hints & AI_ADDRCONFIG) !== 0) {
    // A machine with nothing but loopback speaks IPv4.
    if (!configured(true)) return v4;
    if (!configured(false)) return v6;
  }
  if (order === DNS_ORDER_IPV4_FIRST || order === false) return [...v4, ...v6];
  if (order === DNS_ORDER_IPV6_FIRST) return [...v6, ...v4];
  return [...known];
}

export function getaddrinfo(
  request: LookupRequest,
  hostname: string,
  family: number,
  hints: number,
  order?: number | boolean,
): number {
  const scope = new AsyncResource('GETADDRINFOREQWRAP', { requireManualDestroy: true });
  const addresses = lookupAddresses(hostname, family, hints, order);
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
  const canonical = canonicalText(ip);
  return canonical === undefined ? [] : face().names.reverse(canonical);
}

export function getnameinfo(request: LookupRequest & { callback?: unknown }, ip: string, port: number): number {
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
