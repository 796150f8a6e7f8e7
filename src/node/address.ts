/**
 * Addresses as Node's handles take and give them (text) against the kernel's numbers. Thread: any.
 *
 * IPv4 addresses are int32 and are read and written here. IPv6 addresses have numbers that only the kernel can tell, and only
 * until its next turn (socket/socket.ts): its `AddressText` is asked for them, right before a call and right after one.
 * A handle of family 6 over a dual-stack socket shows IPv4 addresses as `::ffff:a.b.c.d`.
 */

import { Errno } from '../base/errors.ts';
import { caresWrap } from './bindings.ts';
import { face } from './face.ts';

export type Family = 4 | 6;

export const ANY = 0;
export const LOOPBACK = 0x7f000001;
/** The kernel's fixed numbers of `::` and `::1`. */
export const ANY6: number = 0xf0000000 | 0;
export const LOOPBACK6: number = 0xf0000001 | 0;

const DOT = 46;
const IP6_BLOCK = 0xf0;

/** Whether a number stands for an IPv6 address. */
export function isIp6(address: number): boolean {
  return address >>> 24 === IP6_BLOCK;
}

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

/** The kernel's address for an IPv6 text, null when it is none. As on a host, a zone that does not exist is none. */
export function parseIpv6(text: string): number | null {
  if (!text.includes(':')) return null;
  const { addressText } = face().sockets;
  const zoneAt = text.indexOf('%');
  return addressText.parse(text) ?? (zoneAt < 0 ? null : addressText.parse(text.slice(0, zoneAt)));
}

/** The shortest text of an address of either family, without its zone; mapped ones as IPv4. Undefined when it is none. */
export function canonicalText(text: string): string | undefined {
  const zoneAt = text.indexOf('%');
  const canonical = caresWrap.canonicalizeIP(zoneAt < 0 ? text : text.slice(0, zoneAt));
  if (canonical?.startsWith(MAPPED) !== true) return canonical;
  const mapped = canonical.slice(MAPPED.length);
  return Number.isNaN(parseIpv4(mapped)) ? canonical : mapped;
}

/** A kernel address in the words of a handle of `family`. */
export function formatAddress(address: number, family: Family): string {
  if (isIp6(address)) return withoutGroupZone(face().sockets.addressText.format(address, 6));
  if (family === 4) return formatIpv4(address);
  return address === ANY ? '::' : MAPPED + formatIpv4(address);
}

/** Node names the zone of link-local addresses alone. */
function withoutGroupZone(text: string): string {
  return text.startsWith('ff') ? text.slice(0, text.indexOf('%') >>> 0) : text;
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
export function destination(address: number): number {
  return address === ANY ? LOOPBACK : address === ANY6 ? LOOPBACK6 : address;
}

/** An address argument of a handle's method, see `parseInto`. */
export interface ParsedAddress {
  address: number;
  error: number;
}

/**
 * Whether `text` is an address of `family`; its number then is in `parsed`, else the error: `-EINVAL`, or `unreachable` (a
 * positive errno, made negative) for IPv4 addresses whose numbers stand for IPv6 (240/8, which nobody has).
 */
export function parseInto(parsed: ParsedAddress, text: unknown, family: Family, unreachable: number): boolean {
  parsed.error = 0;
  if (family === 4 && text === parsedText) {
    parsed.address = parsedAddress;
    return true;
  }
  const found = family === 4 ? parseIpv4(String(text)) : (parseIpv6(String(text)) ?? Number.NaN);
  if (Number.isNaN(found)) parsed.error = -Errno.EINVAL;
  else if (family === 4 && isIp6(found)) parsed.error = -unreachable;
  else parsed.address = found;
  if (family === 4 && parsed.error === 0) {
    parsedText = text as string;
    parsedAddress = parsed.address;
  }
  return parsed.error === 0;
}
