/**
 * Multicast groups of the interfaces: memberships, the device's filter, and reports to routers.
 *
 * Thread: the one that runs the kernel. The first member of a group opens the device's filter, the last one closes it. The
 * interface's source filter is the merger of all members' filters; the listener reports every change of it. Sockets filter by
 * themselves (inet/udp). One class for both families: {@link GroupFamily}.
 * Read first: RFC 1112, RFC 3376 section 3.
 */

import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import type { PathEpoch } from '../../net/path-epoch.ts';
import { ANY_SOURCE, mergeFilters, NO_SOURCE, type SourceFilter, sameFilter } from '../../net/source-filter.ts';

/** The differences between IPv4 and IPv6. */
export interface GroupFamily {
  /** Last 32 bits of the Ethernet address of all hosts (IPv4) or all nodes, which is always received. */
  readonly allHostsLinkLo: number;
  /** Whether a group needs no filter and is never reported: all hosts, all nodes, groups of interface scope. */
  isSilent(group: number): boolean;
  /** Whether an address is a group of this family. */
  isGroup(address: number): boolean;
  /** First 16 and last 32 bits of the group's Ethernet address. */
  readonly linkHi: number;
  linkLo(group: number): number;
}

/** Reports the source filter of a group on an interface; {@link NO_SOURCE} when it left. */
export interface GroupListener {
  changed(iface: Interface, group: number, filter: SourceFilter): void;
  detached(iface: Interface): void;
}

export class MulticastGroups {
  readonly #family: GroupFamily;
  readonly #epoch: PathEpoch;
  readonly #maxGroups: SysctlVariable;
  /** A group found no room. */
  readonly #refused: () => void;
  readonly #listener: GroupListener;
  /** Interfaces whose filter is open for the all-hosts group. */
  readonly #hosts: Set<Interface> = new Set();

  constructor(
    family: GroupFamily,
    epoch: PathEpoch,
    maxGroups: SysctlVariable,
    refused: () => void,
    listener: GroupListener,
  ) {
    this.#family = family;
    this.#epoch = epoch;
    this.#maxGroups = maxGroups;
    this.#refused = refused;
    this.#listener = listener;
  }

  /** Open the interface's filter for the all-hosts group, in which every host is (RFC 1112 4), unless it is open. */
  attach(iface: Interface): void {
    if (iface.loopback || this.#hosts.has(iface)) return;
    this.#hosts.add(iface);
    const { linkHi, allHostsLinkLo } = this.#family;
    iface.link.joinMulticast(linkHi, allHostsLinkLo);
  }

  /** The interface goes away: its link hears no group of this family any more. Members may leave later. */
  detach(iface: Interface): void {
    this.#listener.detached(iface);
    const family = this.#family;
    const { linkHi } = family;
    for (const group of iface.groups.keys()) {
      if (family.isGroup(group) && !family.isSilent(group)) iface.link.leaveMulticast(linkHi, family.linkLo(group));
    }
    if (this.#hosts.delete(iface)) iface.link.leaveMulticast(linkHi, family.allHostsLinkLo);
    this.#epoch.bump();
  }

  /** Groups of this family that an interface is in. */
  count(iface: Interface): number {
    let count = 0;
    for (const group of iface.groups.keys()) if (this.#family.isGroup(group)) count++;
    return count;
  }

  /**
   * One more membership; its filter is kept, and {@link update} must be called when it changed. Returns 0, `-EINVAL` (no
   * group), `-ENOBUFS` (too many groups).
   */
  // cold: once per membership
  join(iface: Interface, group: number, filter: SourceFilter = ANY_SOURCE): number {
    if (!this.#family.isGroup(group)) return -Errno.EINVAL;
    const known = iface.groups.get(group);
    if (known !== undefined) {
      known.members.push(filter);
      this.update(iface, group);
      return 0;
    }
    if (this.count(iface) >= this.#maxGroups.value) {
      this.#refused();
      return -Errno.ENOBUFS;
    }
    iface.groups.set(group, { members: [filter], state: NO_SOURCE });
    if (!this.#family.isSilent(group)) {
      iface.link.joinMulticast(this.#family.linkHi, this.#family.linkLo(group));
      this.#epoch.bump();
    }
    this.update(iface, group);
    return 0;
  }

  /** Undo {@link join} of the same filter. Returns 0, or `-EADDRNOTAVAIL` when there is no such membership. */
  leave(iface: Interface, group: number, filter: SourceFilter = ANY_SOURCE): number {
    const known = iface.groups.get(group);
    const index = known?.members.indexOf(filter) ?? -1;
    if (known === undefined || index < 0) return -Errno.EADDRNOTAVAIL;
    known.members.splice(index, 1);
    this.update(iface, group);
    if (known.members.length > 0) return 0;
    iface.groups.delete(group);
    if (this.#family.isSilent(group) || !iface.attached) return 0;
    iface.link.leaveMulticast(this.#family.linkHi, this.#family.linkLo(group));
    this.#epoch.bump();
    return 0;
  }

  /** A member's filter changed. */
  update(iface: Interface, group: number): void {
    const known = iface.groups.get(group);
    if (known === undefined || !iface.attached) return;
    const state = mergeFilters(known.members);
    if (sameFilter(state, known.state)) return;
    known.state = state;
    if (!iface.loopback && !this.#family.isSilent(group)) this.#listener.changed(iface, group, state);
  }
}
