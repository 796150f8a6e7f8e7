/**
 * Multicast groups of the interfaces: who is in which, and what the device and the routers are told.
 *
 * Thread: the one that runs the kernel. Memberships are counted; the first one of a group opens the device's filter and
 * sends a report, the last one undoes both. Which socket hears which source is the socket's business (inet/udp).
 * Read first: RFC 1112. Missing: per-source state towards routers (reports always say "any source").
 */

import { Errno } from '../base/errors.ts';
import type { Interface } from '../net/interface.ts';
import { isMulticast } from './addresses.ts';
import type { InetContext } from './context.ts';
import type { RouteTable } from './route-table.ts';
import type { SysctlVariable } from './sysctl.ts';

const ALL_HOSTS: number = 0xe0000001 | 0;
/** RFC 1112 6.4: the group's last 23 bits follow 01-00-5e. */
const MULTICAST_HI = 0x0100;
const MULTICAST_LO = 0x5e000000;
const GROUP_BITS = 0x7fffff;

/** Told about changes, to report them (inet/igmp.ts). */
export interface GroupListener {
  joined(iface: Interface, group: number): void;
  left(iface: Interface, group: number): void;
}

export class MulticastGroups {
  readonly #routes: RouteTable;
  readonly #maxGroups: SysctlVariable;
  listener: GroupListener | null = null;

  constructor(context: InetContext, routes: RouteTable) {
    this.#routes = routes;
    this.#maxGroups = context.sysctl.integer('net.inet.igmp.maxgroups', 256, 1, 65536, 'groups of one interface');
  }

  /** Have the interface hear the all-hosts group, as every host does (RFC 1112 4). */
  attach(iface: Interface): void {
    if (!iface.loopback) iface.device.joinMulticast(MULTICAST_HI, MULTICAST_LO | (ALL_HOSTS & GROUP_BITS));
  }

  /** One more membership. Returns 0, `-EINVAL` (no group), `-ENOBUFS` (too many groups). */
  join(iface: Interface, group: number): number {
    if (!isMulticast(group)) return -Errno.EINVAL;
    const members = iface.groups.get(group) ?? 0;
    if (members === 0 && iface.groups.size >= this.#maxGroups.value) return -Errno.ENOBUFS;
    iface.groups.set(group, members + 1);
    if (members > 0 || group === ALL_HOSTS) return 0;
    iface.device.joinMulticast(MULTICAST_HI, MULTICAST_LO | (group & GROUP_BITS));
    this.#routes.generation++;
    this.listener?.joined(iface, group);
    return 0;
  }

  /** One membership less. Returns 0, or `-EADDRNOTAVAIL` when there was none. */
  leave(iface: Interface, group: number): number {
    const members = iface.groups.get(group) ?? 0;
    if (members === 0) return -Errno.EADDRNOTAVAIL;
    if (members > 1) {
      iface.groups.set(group, members - 1);
      return 0;
    }
    iface.groups.delete(group);
    if (group === ALL_HOSTS) return 0;
    if (!this.#shareAddress(iface, group)) {
      iface.device.leaveMulticast(MULTICAST_HI, MULTICAST_LO | (group & GROUP_BITS));
    }
    this.#routes.generation++;
    this.listener?.left(iface, group);
    return 0;
  }

  /** 32 groups share one link-layer address. */
  #shareAddress(iface: Interface, group: number): boolean {
    for (const other of iface.groups.keys()) if (((other ^ group) & GROUP_BITS) === 0) return true;
    return ((group ^ ALL_HOSTS) & GROUP_BITS) === 0;
  }
}
