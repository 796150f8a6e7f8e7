/**
 * Group memberships of UDP endpoints: joining and leaving, of any source, of all but some, or of named ones.
 *
 * Thread: the one that runs the CPU. Read first: RFC 3678 4.1 (the calls), inet/ip/multicast.ts (the groups of interfaces).
 */

import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Interface } from '../../net/interface.ts';
import type { SourceFilter } from '../../net/source-filter.ts';
import type { InetContext } from '../ip/context.ts';
import type { GroupService } from '../ip/transport.ts';
import type { Membership, UdpEndpoint } from './endpoint.ts';

export class Memberships {
  readonly #groups: GroupService;
  readonly #maxMemberships: SysctlVariable;
  readonly #maxSources: SysctlVariable;
  readonly #counters: Counters;
  readonly #refused: number;

  /** `endpoints` lists the bound ones. */
  constructor(groups: GroupService, context: InetContext, endpoints: () => readonly UdpEndpoint[]) {
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#groups = groups;
    this.#counters = counters;
    this.#refused = counters.index('udp-memberships-refused');
    this.#maxMemberships = sysctl.integer('net.inet.udp.maxmemberships', 256, 1, 65536, 'groups of one socket');
    this.#maxSources = sysctl.integer('net.inet.udp.maxsources', 128, 1, 65536, 'sources of one membership');
    const memberships = (): readonly Membership[] => endpoints().flatMap((one) => one.memberships);
    sysctl.limits.add({
      table: 'groups of one UDP socket',
      variable: this.#maxMemberships,
      counter: 'udp-memberships-refused',
      whenFull: 'joining fails with ENOBUFS',
      size: () => endpoints().reduce((most, one) => Math.max(most, one.memberships.length), 0),
    });
    sysctl.limits.add({
      table: 'sources of one membership of a UDP socket',
      variable: this.#maxSources,
      counter: 'udp-memberships-refused',
      whenFull: 'joining or blocking one more fails with ENOBUFS',
      size: () => memberships().reduce((most, one) => Math.max(most, one.filter.sources.size), 0),
    });
  }

  /**
   * RFC 3678: join a group, of any source (`source` 0) or of one more. `iface` null lets the routes decide. Returns 0,
   * `-EINVAL` (no group; any-source and source-specific mixed), `-EADDRINUSE` (joined already), `-EADDRNOTAVAIL` (that source
   * too), `-ENODEV`, `-ENOBUFS`.
   */
  // cold: memberships
  join(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    if (!this.#groups.isMulticast(group) || endpoint.closed) return -Errno.EINVAL;
    const on = iface ?? this.#groups.multicastInterface(group);
    if (on === null) return -Errno.ENODEV;
    group = this.#groups.groupOn(group, on);
    if (group === 0) return -Errno.ENOBUFS;
    const known = endpoint.memberships.find((one) => one.group === group && one.iface === on);
    if (known !== undefined) return this.#joinMore(known, source);
    if (endpoint.memberships.length >= this.#maxMemberships.value) return this.#refuse();
    const filter: SourceFilter =
      source === 0 ? { exclude: true, sources: new Set() } : { exclude: false, sources: new Set([source]) };
    const joined = this.#groups.joinGroup(on, group, filter);
    if (joined < 0) return joined;
    endpoint.memberships.push({ group, iface: on, filter });
    return 0;
  }

  #joinMore({ group, iface, filter }: Membership, source: number): number {
    if (source === 0 && filter.exclude) return -Errno.EADDRINUSE;
    if (source === 0 || filter.exclude) return -Errno.EINVAL;
    if (filter.sources.has(source)) return -Errno.EADDRNOTAVAIL;
    if (filter.sources.size >= this.#maxSources.value) return this.#refuse();
    filter.sources.add(source);
    this.#groups.updateGroup(iface, group);
    return 0;
  }

  /** Undo `join`. Returns 0, `-EINVAL`, or `-EADDRNOTAVAIL` when there is no such membership. */
  leave(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    if (!this.#groups.isMulticast(group)) return -Errno.EINVAL;
    const known = this.#find(endpoint, group, iface);
    if (known === undefined) return -Errno.EADDRNOTAVAIL;
    const { filter } = known;
    if (source !== 0) {
      if (filter.exclude) return -Errno.EINVAL;
      if (!filter.sources.has(source)) return -Errno.EADDRNOTAVAIL;
      if (filter.sources.size > 1) {
        filter.sources.delete(source);
        this.#groups.updateGroup(known.iface, known.group);
        return 0;
      }
    }
    endpoint.memberships.splice(endpoint.memberships.indexOf(known), 1);
    return this.#groups.leaveGroup(known.iface, known.group, filter);
  }

  /**
   * RFC 3678 4.1.3, IP_BLOCK_SOURCE and IP_UNBLOCK_SOURCE: block or unblock one source of an any-source membership.
   * Returns 0, `-EINVAL` (no membership, or one of named sources), `-EADDRNOTAVAIL` (it is so already), `-ENOBUFS`.
   */
  block(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null, blocked: boolean): number {
    const known = this.#find(endpoint, group, iface);
    if (known === undefined || !known.filter.exclude || source === 0) return -Errno.EINVAL;
    const { sources } = known.filter;
    if (sources.has(source) === blocked) return -Errno.EADDRNOTAVAIL;
    if (blocked && sources.size >= this.#maxSources.value) return this.#refuse();
    if (blocked) sources.add(source);
    else sources.delete(source);
    this.#groups.updateGroup(known.iface, known.group);
    return 0;
  }

  #refuse(): number {
    this.#counters.add(this.#refused, 1);
    return -Errno.ENOBUFS;
  }

  /** The endpoint closes: leave all. */
  leaveAll(endpoint: UdpEndpoint): void {
    for (const { group, iface, filter } of endpoint.memberships.splice(0))
      this.#groups.leaveGroup(iface, group, filter);
  }

  /** A group of link scope may be named without its link. */
  // cold: memberships
  #find(endpoint: UdpEndpoint, group: number, iface: Interface | null): Membership | undefined {
    return endpoint.memberships.find(
      (one) => (iface === null || one.iface === iface) && one.group === this.#groups.groupOn(group, one.iface),
    );
  }
}
