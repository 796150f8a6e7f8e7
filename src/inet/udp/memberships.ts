/**
 * Group memberships of UDP endpoints: joining and leaving, of any source or of named ones.
 *
 * Thread: the one that runs the kernel. Read first: RFC 3678 (the calls), inet/multicast.ts (what interfaces do about it).
 */

import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import { isMulticast } from '../addresses.ts';
import type { Ip } from '../ip.ts';
import type { Sysctl, SysctlVariable } from '../sysctl.ts';
import type { Membership, UdpEndpoint } from './endpoint.ts';

export class Memberships {
  readonly #ip: Ip;
  readonly #maxMemberships: SysctlVariable;

  constructor(ip: Ip, sysctl: Sysctl) {
    this.#ip = ip;
    this.#maxMemberships = sysctl.integer('net.inet.udp.maxmemberships', 256, 1, 65536, 'groups of one socket');
  }

  /**
   * RFC 3678: join a group, of any source (`source` 0) or of one more. `iface` null lets the routes decide. Returns 0,
   * `-EINVAL` (no group; any-source and source-specific mixed), `-EADDRINUSE` (joined already), `-ENODEV`, `-ENOBUFS`.
   */
  join(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    if (!isMulticast(group) || endpoint.closed) return -Errno.EINVAL;
    const on = iface ?? this.#ip.multicastInterface(group);
    if (on === null) return -Errno.ENODEV;
    const known = endpoint.memberships.find((one) => one.group === group && one.iface === on);
    if (known !== undefined) {
      if (source === 0 && known.sources === null) return -Errno.EADDRINUSE;
      if (source === 0 || known.sources === null) return -Errno.EINVAL;
      if (known.sources.has(source)) return -Errno.EADDRNOTAVAIL;
      if (known.sources.size >= this.#maxMemberships.value) return -Errno.ENOBUFS;
      known.sources.add(source);
      return 0;
    }
    if (endpoint.memberships.length >= this.#maxMemberships.value) return -Errno.ENOBUFS;
    const joined = this.#ip.groups.join(on, group);
    if (joined < 0) return joined;
    const membership: Membership = { group, iface: on, sources: source === 0 ? null : new Set([source]) };
    endpoint.memberships.push(membership);
    return 0;
  }

  /** Undo `join`. Returns 0, `-EINVAL`, or `-EADDRNOTAVAIL` when there is no such membership. */
  leave(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    if (!isMulticast(group)) return -Errno.EINVAL;
    const index = endpoint.memberships.findIndex(
      (one) => one.group === group && (iface === null || one.iface === iface),
    );
    const known = endpoint.memberships[index];
    if (known === undefined) return -Errno.EADDRNOTAVAIL;
    if (source !== 0) {
      if (known.sources === null) return -Errno.EINVAL;
      if (!known.sources.delete(source)) return -Errno.EADDRNOTAVAIL;
      if (known.sources.size > 0) return 0;
    }
    endpoint.memberships.splice(index, 1);
    return this.#ip.groups.leave(known.iface, group);
  }

  /** The endpoint closes: leave all. */
  leaveAll(endpoint: UdpEndpoint): void {
    for (const { group, iface } of endpoint.memberships.splice(0)) this.#ip.groups.leave(iface, group);
  }
}
