/**
 * IPv6 addresses: four int32 words, their text, their kinds.
 *
 * Thread: any. Reached through `ipv6.ts`, which re-exports it. The predicates take words, so that the data path can ask
 * without making an array; text is for tools, tests and configuration.
 * Read first: RFC 4291 2.2 to 2.7, RFC 5952 (text). Missing: zones ("%eth0" is not part of an address).
 */

import { formatAddress as formatAddress4, parseAddress as parseAddress4 } from './ipv4.ts';

/** Most significant word first, each int32. */
export type Address6 = readonly [number, number, number, number];

/** Length of an address in a packet. */
export const ADDRESS_BYTES = 16;

/** ::, no address yet, or any local one (RFC 4291 2.5.2). */
export const UNSPECIFIED: Address6 = [0, 0, 0, 0];
/** ::1, the host itself (RFC 4291 2.5.3). */
export const LOOPBACK: Address6 = [0, 0, 0, 1];
/** ff02::1, all hosts of the link (RFC 4291 2.7.1). */
export const ALL_NODES: Address6 = [0xff020000 | 0, 0, 0, 1];
/** ff02::2, all routers of the link (RFC 4291 2.7.1). */
export const ALL_ROUTERS: Address6 = [0xff020000 | 0, 0, 0, 2];
/** ff02::16, where version 2 reports go (RFC 3810 5.2.14). */
export const ALL_MLDV2_ROUTERS: Address6 = [0xff020000 | 0, 0, 0, 0x16];

/** First 16 bits of the Ethernet address of every IPv6 group; the other 32 are the group's last word (RFC 2464 7). */
export const MULTICAST_MAC_HI = 0x3333;

/** Word 2 of a mapped address; words 0 and 1 are 0 (RFC 4291 2.5.5.2). */
export const MAPPED_WORD = 0xffff;

/** Scope of a multicast group: one interface, for loopback of packets (RFC 4291 2.7). */
export const SCOPE_INTERFACE = 1;
/** Scope of a multicast group: the link; routers forward nothing to it. */
export const SCOPE_LINK = 2;
/** Scope of a multicast group: a site. */
export const SCOPE_SITE = 5;
/** Scope of a multicast group: everywhere. */
export const SCOPE_GLOBAL = 14;

/** The 16 bytes at `at`. Allocates: the data path compares words. */
// cold: for messages of control protocols
export function readAddress(view: DataView, at: number): Address6 {
  return [view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12)];
}

/** Write the 16 bytes of the address at `at`. */
export function writeAddress(address: Address6, view: DataView, at: number): void {
  view.setInt32(at, address[0]);
  view.setInt32(at + 4, address[1]);
  view.setInt32(at + 8, address[2]);
  view.setInt32(at + 12, address[3]);
}

/** Whether two addresses are the same, word by word; {@link sameAddress} compares them within a packet. */
export function equal(a: Address6, b: Address6): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}

/** ff00::/8; `word0` is an address's first word, as in the predicates below. */
export function isMulticast(word0: number): boolean {
  return word0 >>> 24 === 0xff;
}

/** fe80::/10. */
export function isLinkLocal(word0: number): boolean {
  return word0 >>> 22 === 0x3fa;
}

/** fc00::/7. */
export function isUniqueLocal(word0: number): boolean {
  return word0 >>> 25 === 0x7e;
}

/** The scope of a multicast group (`SCOPE_*`). */
export function multicastScope(word0: number): number {
  return (word0 >>> 16) & 15;
}

/** ::ffff:0:0/96: an IPv4 address, which is the last word. */
export function isMapped4(address: Address6): boolean {
  return address[0] === 0 && address[1] === 0 && address[2] === MAPPED_WORD;
}

/** The mapped address ::ffff:a.b.c.d of an IPv4 address, int32 (RFC 4291 2.5.5.2). */
// cold: for sockets and the choice of addresses
export function mapped4(address: number): Address6 {
  return [0, 0, MAPPED_WORD, address];
}

/** The solicited-node group of an address (RFC 4291 2.7.1): ff02::1:ff and its last 24 bits. */
// cold: once per address
export function solicitedNode(address: Address6): Address6 {
  return [0xff020000 | 0, 0, 1, 0xff000000 | (address[3] & 0x00ffffff)];
}

/** "2001:db8::1" or "::ffff:10.0.0.1" → words, or null when it is none (RFC 4291 2.2). */
export function parseAddress(text: string): Address6 | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1] as string, true);
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group (RFC 5952 4.2.2 says two, but readers take one).
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return [word(groups, 0), word(groups, 2), word(groups, 4), word(groups, 6)];
}

/** Groups of 16 bits; in the last place, when `last`, a dotted IPv4 address stands for two. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes('.')) {
      const address = parseAddress4(part);
      if (address === null) return null;
      groups.push(address >>> 16, address & 0xffff);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return null;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function word(groups: readonly number[], index: number): number {
  return ((groups[index] as number) << 16) | (groups[index + 1] as number);
}

/** Words → text as RFC 5952 has it: lower case, the longest run of zero groups as "::", mapped addresses dotted. */
export function formatAddress(address: Address6): string {
  if (isMapped4(address)) return `::ffff:${formatAddress4(address[3])}`;
  const groups: number[] = [];
  for (const one of address) groups.push(one >>> 16, one & 0xffff);
  const { start, length } = longestZeros(groups);
  const digits = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return length < 2 ? digits(0, 8) : `${digits(0, start)}::${digits(start + length, 8)}`;
}

/** The first of the longest runs (RFC 5952 4.2.3). */
// cold: text
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}

/** Mask over word 0 to 3 of an address, for a prefix of `bits` bits. */
export function maskWord(bits: number, index: number): number {
  const left = bits - 32 * index;
  if (left <= 0) return 0;
  return left >= 32 ? -1 : -1 << (32 - left);
}
