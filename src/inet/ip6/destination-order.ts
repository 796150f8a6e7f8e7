/**
 * Several addresses of one peer, of both families, in the order in which they are to be tried.
 *
 * Thread: the one that runs the kernel. Each is looked up as a packet to it would be; the rules are those of
 * address-selection.ts. Read first: RFC 6724 section 6; RFC 8305 (the program's use of the list).
 * Cold: name look-ups of programs.
 */

import * as ipv6 from '../../wire/ipv6-address.ts';
import { isIp6 } from '../ip/address-interner.ts';
import type { IpPath } from '../ip/path.ts';
import type { PathTable } from '../ip/path-table.ts';
import { type SourceCandidate, sortDestinations } from './address-selection.ts';
import type { Addresses6 } from './addresses.ts';

const MAPPED_PREFIX = 96;

/** Addresses are int32 of either family. */
export function orderDestinations(paths: PathTable, addresses: Addresses6, destinations: readonly number[]): number[] {
  const wordsOf = (address: number): ipv6.Address6 => {
    return isIp6(address) ? addresses.interner.words(address) : ipv6.mapped4(address);
  };
  const list = destinations.map((number) => {
    const path = paths.transient(number, 0, 0, null);
    const source = typeof path === 'number' ? null : sourceOf(path, addresses, wordsOf(path.src));
    return { number, address: wordsOf(number), source };
  });
  return sortDestinations(list).map(({ number }) => number);
}

function sourceOf(path: IpPath, addresses: Addresses6, address: ipv6.Address6): SourceCandidate {
  const { src, iface } = path;
  const entry = isIp6(src) ? addresses.find(src) : null;
  const mapped = MAPPED_PREFIX + (iface.addressFor(src)?.prefixLength ?? 0);
  return {
    address,
    prefixLength: entry?.prefixLength ?? mapped,
    interfaceIndex: iface.index,
    deprecated: entry?.state === 'deprecated',
    temporary: entry?.origin === 'temporary',
  };
}
