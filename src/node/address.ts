/**
 * Addresses as Node's handles take and give them (text) against the kernel's (int32 IPv4). Thread: any.
 *
 * The kernel has no IPv6 yet. Its programs do: a server without an address listens on `::`, and many name `::1`. So a
 * handle may be of family 6 and still be an IPv4 socket below: `::` is every address (dual stack), `::ffff:a.b.c.d` is
 * a.b.c.d, and `::1` is one address of 127/8 set aside for it, so that what listens on `::1` is not reached by way of
 * 127.0.0.1, nor the other way round. Every other IPv6 address is where a host without IPv6 has it: not here, no route.
 */

import { Errno } from '../base/errors.ts';
import { caresWrap } from './bindings.ts';

export type Family = 4 | 6;

export const ANY = 0;
export const LOOPBACK = 0x7f000001;
/** 127.6.0.1 stands for `::1`. */
export const LOOPBACK6 = 0x7f060001;

const DOT = 46;

/** Not the text of an address. */
export const NOT_AN_ADDRESS: unique symbol = Symbol('not an address');
/** An IPv6 address that this kernel does not have and cannot reach. */
export const NO_ROUTE: unique symbol = Symbol('no route');

/** Dotted decimal, strictly four numbers without leading zeros, as inet_pton takes it: an int32, or NaN. */
export function parseIpv4(text: string): number {
  let address = 0;
  let part = -1;
  let parts = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : DOT;
    if (code >= 48 && code <= 57) {
      if (part === 0) return Number.NaN;
      part = part < 0 ? code - 48 : part * 10 + code - 48;
      if (part > 255) return Number.NaN;
    } else {
      if (code !== DOT || part < 0) return Number.NaN;
      address = (address << 8) | part;
      parts++;
      part = -1;
    }
  }
  return parts === 4 ? address : Number.NaN;
}

// A program that sends or receives many datagrams mostly names one address.
let formatted = 0;
let formattedText = '0.0.0.0';
let parsedText = formattedText;
let parsedAddress = 0;

export function formatIpv4(address: number): string {
  if (address === formatted) return formattedText;
  formatted = address;
  formattedText = octets(address);
  return formattedText;
}

function octets(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

const MAPPED = '::ffff:';

/** The kernel's address for an IPv6 text. */
export function parseIpv6(text: string): number | typeof NOT_AN_ADDRESS | typeof NO_ROUTE {
  const zoneAt = text.indexOf('%');
  const canonical = text.includes(':')
    ? caresWrap.canonicalizeIP(zoneAt < 0 ? text : text.slice(0, zoneAt))
    : undefined;
  if (canonical === undefined) return NOT_AN_ADDRESS;
  if (canonical === '::') return ANY;
  if (canonical === '::1') return LOOPBACK6;
  if (canonical.startsWith(MAPPED)) {
    const address = parseIpv4(canonical.slice(MAPPED.length));
    if (!Number.isNaN(address)) return address;
  }
  return NO_ROUTE;
}

/** A kernel address in the words of a handle of `family`. */
export function formatAddress(address: number, family: Family): string {
  if (family === 4) return formatIpv4(address === LOOPBACK6 ? LOOPBACK : address);
  if (address === ANY) return '::';
  if (address === LOOPBACK6) return '::1';
  return MAPPED + formatIpv4(address);
}

/** What `getsockname` and `getpeername` fill. */
export interface NameObject {
  address?: string;
  family?: string;
  port?: number;
}

export function fillName(out: NameObject, address: number, port: number, family: Family): void {
  out.address = formatAddress(address, family);
  out.family = family === 4 ? 'IPv4' : 'IPv6';
  out.port = port;
}

/** Destination `0.0.0.0` and `::` mean this machine. */
export function destination(address: number, family: Family): number {
  if (address !== ANY) return address;
  return family === 4 ? LOOPBACK : LOOPBACK6;
}

/**
 * An address argument of a handle's method: the kernel's address, or `unreachable` (a positive errno, made negative)
 * for IPv6 addresses that are not here, `-EINVAL` for what is no address. Returned in `parsed`, see `parseInto`.
 */
export interface ParsedAddress {
  address: number;
  error: number;
}

export function parseInto(parsed: ParsedAddress, text: unknown, family: Family, unreachable: number): boolean {
  parsed.error = 0;
  if (family === 4 && text === parsedText) {
    parsed.address = parsedAddress;
    return true;
  }
  const found = family === 4 ? parseIpv4(String(text)) : parseIpv6(String(text));
  if (found === NOT_AN_ADDRESS || Number.isNaN(found)) parsed.error = -Errno.EINVAL;
  else if (found === NO_ROUTE) parsed.error = -unreachable;
  else parsed.address = found as number;
  if (family === 4 && parsed.error === 0) {
    parsedText = text as string;
    parsedAddress = parsed.address;
  }
  return parsed.error === 0;
}
