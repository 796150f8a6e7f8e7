/**
 * Multicast groups of IPv4, for inet/ip/multicast.ts.
 *
 * Thread: the one that runs the kernel. Read first: RFC 1112 section 4 (memberships), 6.4 (link-layer addresses).
 */

import type { Interface } from '../../net/interface.ts';
import { ADDRESS_ALL_HOSTS, isMulticast } from '../../wire/ipv4.ts';
import type { GroupFamily } from '../ip/multicast.ts';

/** RFC 1112 6.4: the last 23 bits of the group follow 01-00-5e. */
export const MULTICAST_MAC_HI = 0x0100;
const MULTICAST_MAC_LO = 0x5e000000;
const GROUP_BITS = 0x7fffff;

/** Last 32 bits of the Ethernet address of a group. */
export function groupMacLo(group: number): number {
  return MULTICAST_MAC_LO | (group & GROUP_BITS);
}

/** Whether an interface is in a group; every one is in that of all hosts (RFC 1112 4). */
export function isMember(iface: Interface, group: number): boolean {
  return group === ADDRESS_ALL_HOSTS || iface.groups.has(group);
}

export const groupFamily4: GroupFamily = {
  allHostsLinkLo: groupMacLo(ADDRESS_ALL_HOSTS),
  isSilent: (group) => group === ADDRESS_ALL_HOSTS,
  isGroup: isMulticast,
  linkHi: MULTICAST_MAC_HI,
  linkLo: groupMacLo,
};
