/**
 * Multicast groups of IPv6, for inet/ip/multicast.ts.
 *
 * Thread: the one that runs the kernel. Read first: RFC 4291 2.7, RFC 2464 section 7, RFC 3810 section 6 (reports).
 * Cold: configuration.
 */

import * as ipv6 from '../../wire/ipv6-address.ts';
import { type AddressInterner, isIp6 } from '../ip/address-interner.ts';
import type { GroupFamily } from '../ip/multicast.ts';

const ALL_NODES_LINK_LO = 1;

/** Whether a group is ff02::1, whatever its zone. */
export function isAllNodes(interner: AddressInterner, group: number): boolean {
  const rest = interner.word(group, 1) | interner.word(group, 2);
  return interner.word(group, 0) === ipv6.ALL_NODES[0] && rest === 0 && interner.word(group, 3) === 1;
}

export function groupFamily6(interner: AddressInterner): GroupFamily {
  return {
    linkHi: ipv6.MULTICAST_MAC_HI,
    allHostsLinkLo: ALL_NODES_LINK_LO,
    isGroup: (address) => isIp6(address) && ipv6.isMulticast(interner.word(address, 0)),
    // ff02::1, and groups of interface scope.
    isSilent: (group) =>
      ipv6.multicastScope(interner.word(group, 0)) <= ipv6.SCOPE_INTERFACE || isAllNodes(interner, group),
    linkLo: (group) => interner.word(group, 3),
  };
}
