/**
 * The addresses that a socket of a family takes. Thread: the one that runs the kernel. Read first: RFC 3493 sections 3.7 and 5.3.
 */

import { Errno } from '../base/errors.ts';
import type { AddressBoundary } from '../inet/ip/address-boundary.ts';
import type { Family, SocketAddress } from './sockaddr.ts';

/**
 * 0 when a socket of `family` may be given that address; `-EAFNOSUPPORT` for IPv6 on one of IPv4, and `-ipv4Errno` for IPv4
 * on one that wants IPv6 alone.
 */
export function refusedFamily(family: Family, only6: boolean, address: SocketAddress, ipv4Errno: number): number {
  if (family === 4) return address.family === 4 ? 0 : -Errno.EAFNOSUPPORT;
  return only6 && address.isIpv4 ? -ipv4Errno : 0;
}

/** As {@link refusedFamily} for bind; `-EINVAL` also for an address of a link without its zone (ipv6(7), RFC 4007 section 6). */
export function refusedLocal(family: Family, only6: boolean, address: SocketAddress): number {
  const refused = refusedFamily(family, only6, address, Errno.EINVAL);
  if (refused !== 0) return refused;
  return address.lacksZone ? -Errno.EINVAL : 0;
}

/** {@link unnamedErrno} for bind: `-ENODEV` for a zone that is no interface, else `-EADDRNOTAVAIL`. */
export function unnamedLocalErrno(addresses: AddressBoundary, address: SocketAddress): number {
  return unnamedErrno(addresses, address, address.isIpv4 ? Errno.EADDRNOTAVAIL : Errno.ENODEV);
}

/** The error for an address without a number: `-ENOBUFS` while the table is full, else `-errno`. */
export function unnamedErrno(addresses: AddressBoundary, address: SocketAddress, errno: number): number {
  return addresses.isFull(address) ? -Errno.ENOBUFS : -errno;
}
