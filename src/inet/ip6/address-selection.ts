/**
 * The choice of a source address for a destination, and the order in which destinations are tried.
 *
 * Thread: the one that runs the kernel. Pure functions over words that allocate nothing, except sorting; asked when a path is looked up. IPv4
 * addresses take part as mapped ones (::ffff:a.b.c.d). Read first: RFC 6724, whose rule numbers the comments give.
 * Missing: rule 4 of both lists (mobile nodes).
 */

import {
  type Address6,
  equal,
  isLinkLocal,
  isMapped4,
  isMulticast,
  LOOPBACK,
  multicastScope,
  SCOPE_GLOBAL,
  SCOPE_LINK,
  SCOPE_SITE,
} from '../../wire/ipv6-address.ts';

/** One line of the policy table (RFC 6724 2.1). */
export interface Policy {
  readonly prefix: Address6;
  readonly prefixLength: number;
  readonly precedence: number;
  readonly label: number;
}

// cold: the table
function policy(words: Address6, prefixLength: number, precedence: number, label: number): Policy {
  return { prefix: words, prefixLength, precedence, label };
}

/** RFC 6724 2.1. */
export const DEFAULT_POLICIES: readonly Policy[] = [
  policy([0, 0, 0, 1], 128, 50, 0),
  policy([0, 0, 0, 0], 0, 40, 1),
  policy([0, 0, 0xffff, 0], 96, 35, 4),
  policy([0x20020000, 0, 0, 0], 16, 30, 2),
  policy([0x20010000, 0, 0, 0], 32, 5, 5),
  policy([0xfc000000 | 0, 0, 0, 0], 7, 3, 13),
  policy([0, 0, 0, 0], 96, 1, 3),
  policy([0xfec00000 | 0, 0, 0, 0], 10, 1, 11),
  policy([0x3ffe0000, 0, 0, 0], 16, 1, 12),
];

/** Longest match; a table always has ::/0, so that there is one. */
export function policyOf(address: Address6, table: readonly Policy[] = DEFAULT_POLICIES): Policy {
  let best = table[0] as Policy;
  let length = -1;
  for (let i = 0; i < table.length; i++) {
    const one = table[i] as Policy;
    if (one.prefixLength > length && commonPrefixLength(address, one.prefix) >= one.prefixLength) {
      best = one;
      length = one.prefixLength;
    }
  }
  return best;
}

/** Leading bits that two addresses share. */
export function commonPrefixLength(a: Address6, b: Address6): number {
  for (let i = 0; i < 4; i++) {
    const differ = (a[i] as number) ^ (b[i] as number);
    if (differ !== 0) return 32 * i + Math.clz32(differ);
  }
  return 128;
}

/** The scope of an address, unicast and multicast on one scale (RFC 6724 3.1 to 3.4). */
export function scopeOf(address: Address6): number {
  const word = address[0];
  if (isMulticast(word)) return multicastScope(word);
  if (isMapped4(address)) {
    const four = address[3];
    return four >>> 16 === 0xa9fe || four >>> 24 === 127 ? SCOPE_LINK : SCOPE_GLOBAL;
  }
  if (isLinkLocal(word) || equal(address, LOOPBACK)) return SCOPE_LINK;
  return word >>> 22 === 0x3fb ? SCOPE_SITE : SCOPE_GLOBAL;
}

/** An address of ours that may be a source: unicast, and found to be free. */
export interface SourceCandidate {
  readonly address: Address6;
  readonly prefixLength: number;
  readonly interfaceIndex: number;
  readonly deprecated: boolean;
  readonly temporary: boolean;
  /** Its prefix was advertised by the router that packets go to (rule 5.5). */
  readonly fromNextHop?: boolean;
}

export interface SelectionOptions {
  readonly policies?: readonly Policy[];
  /** Rule 7, or its reverse. */
  readonly preferTemporary?: boolean;
}

const DEFAULT_OPTIONS: SelectionOptions = {};

/**
 * The best source for packets to `destination` that leave by the interface of that index, or null. Destinations on the link
 * take only addresses of that interface (RFC 6724 4), and the link-local addresses of other links lead nowhere (RFC 4007 6).
 */
export function selectSource<T extends SourceCandidate>(
  destination: Address6,
  interfaceIndex: number,
  candidates: readonly T[],
  options: SelectionOptions = DEFAULT_OPTIONS,
): T | null {
  const confined = scopeOf(destination) <= SCOPE_LINK || isMulticast(destination[0]);
  let best: T | null = null;
  for (let i = 0; i < candidates.length; i++) {
    const one = candidates[i] as T;
    const isElsewhere = one.interfaceIndex !== interfaceIndex;
    if (isElsewhere && (confined || scopeOf(one.address) <= SCOPE_LINK)) continue;
    if (best === null || compareSources(one, best, destination, interfaceIndex, options) > 0) best = one;
  }
  return best;
}

/** Above 0 when `a` is the better source, below 0 when `b` is, 0 when no rule tells (RFC 6724 5). */
function compareSources(
  a: SourceCandidate,
  b: SourceCandidate,
  destination: Address6,
  interfaceIndex: number,
  options: SelectionOptions,
): number {
  const same = Number(equal(a.address, destination)) - Number(equal(b.address, destination));
  if (same !== 0) return same; // 1
  const scopeA = scopeOf(a.address);
  const scopeB = scopeOf(b.address);
  const scopeD = scopeOf(destination);
  if (scopeA < scopeB) return scopeA < scopeD ? -1 : 1; // 2
  if (scopeB < scopeA) return scopeB < scopeD ? 1 : -1;
  if (a.deprecated !== b.deprecated) return a.deprecated ? -1 : 1; // 3
  const outgoing = Number(a.interfaceIndex === interfaceIndex) - Number(b.interfaceIndex === interfaceIndex);
  if (outgoing !== 0) return outgoing; // 5
  const advertised = Number(a.fromNextHop === true) - Number(b.fromNextHop === true);
  if (advertised !== 0) return advertised; // 5.5
  const policies = options.policies ?? DEFAULT_POLICIES;
  const label = policyOf(destination, policies).label;
  const labels =
    Number(policyOf(a.address, policies).label === label) - Number(policyOf(b.address, policies).label === label);
  if (labels !== 0) return labels; // 6
  if (a.temporary !== b.temporary) return a.temporary === (options.preferTemporary ?? true) ? 1 : -1; // 7
  return matchLength(a, destination) - matchLength(b, destination); // 8
}

/** RFC 6724 2.2: the interface identifier does not count. */
function matchLength(source: SourceCandidate, destination: Address6): number {
  return Math.min(commonPrefixLength(source.address, destination), source.prefixLength);
}

/** A destination, the source that would speak to it (null: there is no way), and whether that goes through a tunnel. */
export interface Destination {
  readonly address: Address6;
  readonly source: SourceCandidate | null;
  readonly encapsulated?: boolean;
}

/** The destinations in the order in which they are to be tried (RFC 6724 6); equal ones keep their order. */
// cold: name look-ups of programs
export function sortDestinations<T extends Destination>(
  destinations: readonly T[],
  policies: readonly Policy[] = DEFAULT_POLICIES,
): T[] {
  return [...destinations].sort((a, b) => compareDestinations(a, b, policies));
}

/** Below 0 when `a` comes first. */
// cold: once per name that is looked up
function compareDestinations(a: Destination, b: Destination, policies: readonly Policy[]): number {
  const [sourceA, sourceB] = [a.source, b.source];
  if (sourceA === null || sourceB === null) return Number(sourceA === null) - Number(sourceB === null); // 1
  const [scopeA, scopeB] = [scopeOf(a.address), scopeOf(b.address)];
  const scopes = Number(scopeB === scopeOf(sourceB.address)) - Number(scopeA === scopeOf(sourceA.address));
  if (scopes !== 0) return scopes; // 2
  const deprecated = Number(sourceA.deprecated) - Number(sourceB.deprecated);
  if (deprecated !== 0) return deprecated; // 3
  const [policyA, policyB] = [policyOf(a.address, policies), policyOf(b.address, policies)];
  const matchA = policyOf(sourceA.address, policies).label === policyA.label;
  const matchB = policyOf(sourceB.address, policies).label === policyB.label;
  if (matchA !== matchB) return Number(matchB) - Number(matchA); // 5
  if (policyA.precedence !== policyB.precedence) return policyB.precedence - policyA.precedence; // 6
  const encapsulated = Number(a.encapsulated === true) - Number(b.encapsulated === true);
  if (encapsulated !== 0) return encapsulated; // 7
  if (scopeA !== scopeB) return scopeA - scopeB; // 8
  if (isMapped4(a.address) !== isMapped4(b.address)) return 0;
  return matchLength(sourceB, b.address) - matchLength(sourceA, a.address); // 9
}
