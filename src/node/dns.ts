/**
 * Name resolution: what `node:dns` calls in place of Node's native resolver. `lookup` answers from the
 * names of the lab (dns-resolver.ts); the host's resolver and its network are never asked.
 *
 * Thread: the program's. Answers come on a later turn of the event loop.
 * Read first: lib/dns.js, lib/internal/dns/utils.js.
 */

import { AsyncResource } from 'node:async_hooks';
import { domainToASCII } from 'node:url';
import { parseInetAton } from '../base/inet-aton.ts';
import { SocketAddress } from '../socket/socket.ts';
import { canonicalText, formatIpv4 } from './address.ts';
import { caresWrap } from './bindings.ts';
import { callLater, face } from './face.ts';
import { serviceName } from './services.ts';
import { UV_ADDRFAMILY, UV_EINVAL, UV_NONAME } from './uv-error.ts';

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

/** Whether an interface has an address of a family besides 127.0.0.1 and `::1` (glibc's AI_ADDRCONFIG). */
function configured(v6: boolean): boolean {
  const { interfaces } = face();
  if (interfaces === undefined) return true;
  return interfaces().some(({ address }) => isV6(address) === v6 && address !== '127.0.0.1' && address !== '::1');
}

function isLoopback(text: string): boolean {
  return text === '::1' || text.startsWith('127.');
}

/**
 * The addresses that AI_ADDRCONFIG lets through. Loopback addresses are among them, unlike in glibc: `listen` looks its name up
 * without the flag and `connect` with it, and a server on `localhost` is to be reached by that name.
 */
function throughConfigured(texts: readonly string[], family: number): readonly string[] {
  if (texts.every(isLoopback)) return texts;
  const v4 = configured(false);
  const v6 = configured(true);
  // A machine with nothing but loopback has the addresses of both families.
  if (family === 0 && v4 === v6) return texts;
  const spoken = (text: string): boolean => ((family === 0 ? isV6(text) : family === 6) ? v6 : v4);
  return texts.filter((text) => isLoopback(text) || spoken(text));
}

/** A name as it is asked for: of ASCII letters, and, as a C string, up to its first NUL. Null: IDNA has no such name. */
export function asciiName(name: string): string | null {
  const end = name.indexOf('\0');
  const text = end < 0 ? name : name.slice(0, end);
  if (/^[\0-\x7f]*$/.test(text)) return text;
  // A name that ends in a number would be read as an address.
  const ascii = domainToASCII(`${text}.a`);
  return ascii === '' ? null : ascii.slice(0, -2);
}

/** The address that a text is, in any form that getaddrinfo takes (AI_NUMERICHOST). */
function literalAddress(text: string): string | undefined {
  const address = parseInetAton(text);
  return Number.isNaN(address) ? canonicalText(text) : formatIpv4(address);
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
  const host = asciiName(name);
  if (host === null) return [];
  const literal = literalAddress(host);
  const all = literal === undefined ? inOrder(face().names.lookup(host)) : [literal];
  const known = (hints & AI_ADDRCONFIG) === 0 ? all : throughConfigured(all, family);
  const v4 = known.filter((text) => !isV6(text));
  const v6 = known.filter(isV6);
  if (family === 4) return v4;
  if (family === 6) {
    if ((hints & AI_V4MAPPED) === 0) return v6;
    return v6.length > 0 && (hints & AI_ALL) === 0 ? v6 : [...v6, ...v4.map((text) => `::ffff:${text}`)];
  }
  if (v4.length === 0 || v6.length === 0) return [...known];
  if (order === DNS_ORDER_IPV4_FIRST || order === false) return [...v4, ...v6];
  if (order === DNS_ORDER_IPV6_FIRST) return [...v6, ...v4];
  return [...known];
}

/** The longest name that libuv looks up. */
const MAX_NAME_LETTERS = 255;

/** Why there is no address: a literal is of the other family, unless AI_ADDRCONFIG lets none of this one through. */
function failure(name: string, family: number, hints: number): number {
  const excluded = family !== 0 && (hints & AI_ADDRCONFIG) !== 0 && !configured(family === 6);
  return literalAddress(asciiName(name) ?? '') === undefined || excluded ? UV_NONAME : UV_ADDRFAMILY;
}

export function getaddrinfo(
  request: LookupRequest,
  hostname: string,
  family: number,
  hints: number,
  order?: number | boolean,
): number {
  if ((asciiName(hostname)?.length ?? 0) > MAX_NAME_LETTERS) return UV_EINVAL;
  const scope = new AsyncResource('GETADDRINFOREQWRAP', { requireManualDestroy: true });
  const addresses = lookupAddresses(hostname, family, hints, order);
  const status = addresses.length === 0 ? failure(hostname, family, hints) : 0;
  callLater(scope, request.oncomplete, request, status, addresses);
  return 0;
}

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
        : complete.call(request, 0, name, serviceName(port));
  callLater(scope, answer, request);
  return 0;
}
