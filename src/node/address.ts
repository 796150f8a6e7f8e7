/**
 * Addresses as Node's handles take and give them (text) against socket addresses. Thread: any.
 *
 * A handle of family 6 over a dual-stack socket shows IPv4 addresses as `::ffff:a.b.c.d`, as the socket does.
 */

import type { Family, SocketAddress } from '../socket/socket.ts';
import { caresWrap } from './bindings.ts';
import { face } from './face.ts';

export type { Family };

const LOOPBACK = 0x7f000001;
const DOT = 46;

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

/** The shortest text of an address of either family, without its zone; mapped ones as IPv4. Undefined when it is none. */
export function canonicalText(text: string): string | undefined {
  const zoneAt = text.includes(':') ? text.indexOf('%') : -1;
  if (zoneAt >= 0 && zoneAt === text.length - 1) return undefined;
  const canonical = caresWrap.canonicalizeIP(zoneAt < 0 ? text : text.slice(0, zoneAt));
  if (canonical?.startsWith(MAPPED) !== true) return canonical;
  const mapped = canonical.slice(MAPPED.length);
  return Number.isNaN(parseIpv4(mapped)) ? canonical : mapped;
}

/** Text of a socket's address, as Node shows it. */
export function formatAddress(address: SocketAddress): string {
  if (address.family === 4) return formatIpv4(address.w3);
  if (address.isMapped) return MAPPED + formatIpv4(address.w3);
  return withoutGroupZone(address.format(face().sockets));
}

/** Node names the zone of link-local addresses alone. */
function withoutGroupZone(text: string): string {
  return text.startsWith('ff') ? text.slice(0, text.indexOf('%') >>> 0) : text;
}

/** Object that `getsockname` and `getpeername` fill. */
export interface NameObject {
  address?: string;
  family?: string;
  port?: number;
}

export function fillName(out: NameObject, address: SocketAddress): void {
  out.address = formatAddress(address);
  out.family = address.family === 4 ? 'IPv4' : 'IPv6';
  out.port = address.port;
}

/** Destinations `0.0.0.0` and `::` mean this machine: replaced by the loopback address. */
export function destination(address: SocketAddress): SocketAddress {
  if (!address.isAny) return address;
  return address.family === 4 ? address.setIpv4(LOOPBACK, address.port) : address.setIpv6(0, 0, 0, 1, address.port, 0);
}

/**
 * Read the address and port arguments of a handle's method; false when `text` is no address of `family`. As on a host, a zone
 * that does not exist is none.
 */
export function parseInto(address: SocketAddress, text: unknown, family: Family, port: unknown = 0): boolean {
  if (family === 6) {
    address.port = Number(port) & 0xffff;
    return parseIpv6(address, String(text));
  }
  if (text !== parsedText) {
    const found = parseIpv4(String(text));
    if (Number.isNaN(found)) return false;
    parsedText = text as string;
    parsedAddress = found;
  }
  address.setIpv4(parsedAddress, Number(port) & 0xffff);
  return true;
}

function parseIpv6(address: SocketAddress, text: string): boolean {
  if (!text.includes(':')) return false;
  const { sockets } = face();
  const zoneAt = text.indexOf('%');
  return address.parse(text, sockets) || (zoneAt >= 0 && address.parse(text.slice(0, zoneAt), sockets));
}
