/**
 * Which addresses a socket of a family takes. Thread: any; a pure function. Read first: RFC 3493 sections 3.7 and 5.3.
 */

import { Errno } from '../base/errors.ts';
import { isIp6 } from '../inet/ip/address-interner.ts';
import type { Family } from './socket.ts';

/**
 * 0 when a socket of `family` may be given that address; `-EAFNOSUPPORT` for IPv6 on one of IPv4, and `-ipv4Errno` for IPv4
 * on one that wants IPv6 alone.
 */
export function refusedFamily(family: Family, only6: boolean, address: number, ipv4Errno: number): number {
  if (family === 4) return isIp6(address) ? -Errno.EAFNOSUPPORT : 0;
  return only6 && !isIp6(address) ? -ipv4Errno : 0;
}
