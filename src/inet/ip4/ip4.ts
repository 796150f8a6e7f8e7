/**
 * IPv4 of one kernel: the half that its CPUs share. Addresses, routes, neighbors, groups, and their keepers: address conflicts,
 * redirects, IGMP. A CPU's half is ip4-cpu.ts.
 *
 * Thread: the one that runs the kernel. Timers, counters and messages of its own are those of one CPU, the owner.
 * Read first: inet/ip/shared.ts, inet/ip/family.ts (the contract). Cold: assembly and configuration.
 */

import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import { ConnectedRoutes } from '../../net/connected-routes.ts';
import type { AddressDetails, Interface, InterfaceAddress } from '../../net/interface.ts';
import { NeighborCache } from '../../net/neighbor-cache.ts';
import { type Route, RTF_DYNAMIC } from '../../net/route.ts';
import { RouteTable } from '../../net/route-table.ts';
import type { InetContext } from '../ip/context.ts';
import type { ProtocolFamily } from '../ip/family.ts';
import { MulticastGroups } from '../ip/multicast.ts';
import type { InetShared } from '../ip/shared.ts';
import type { IpService } from '../ip/transport.ts';
import { AddressConflicts } from './address-conflict.ts';
import { Addresses4 } from './addresses.ts';
import { ArpOutput } from './arp-output.ts';
import { groupFamily4 } from './groups.ts';
import { Igmp } from './igmp.ts';
import { Redirects } from './redirect.ts';

const HOST_PREFIX = 32;

export class Ip4 implements ProtocolFamily {
  readonly hostPrefix: number = HOST_PREFIX;
  readonly addresses: Addresses4 = new Addresses4();
  readonly routes: RouteTable;
  readonly neighbors: NeighborCache;
  readonly groups: MulticastGroups;
  readonly conflicts: AddressConflicts;
  readonly redirects: Redirects;
  readonly igmp: Igmp;
  /** `net.inet.ip.forwarding`. */
  readonly forwarding: SysctlVariable;
  readonly #shared: InetShared;
  readonly #connected: ConnectedRoutes;

  /** `owner` is the context of the CPU that owns the tables; `ip` is how it sends. */
  constructor(owner: InetContext, ip: IpService) {
    const { shared, counters } = owner;
    const { addresses } = this;
    this.#shared = shared;
    this.forwarding = shared.sysctl.toggle('net.inet.ip.forwarding', false, 'act as a router');
    this.routes = makeRoutes(shared, counters);
    this.#connected = new ConnectedRoutes(this.routes, HOST_PREFIX);
    const arpOutput = new ArpOutput(owner, addresses);
    this.neighbors = new NeighborCache(owner, shared.epoch, {
      request: (neighbor, unicast) => arpOutput.request(neighbor, unicast),
    });
    this.redirects = new Redirects(owner, this.routes, addresses, this.forwarding);
    this.igmp = new Igmp(owner, ip);
    this.groups = makeGroups(shared, counters, this.igmp);
    this.conflicts = new AddressConflicts(owner, arpOutput, {
      deactivate: (iface, entry) => this.#deactivate(iface, entry),
      onResult: (iface, entry, free) => this.#probed(iface, entry, free),
    });
    this.routes.events = shared.tableEvents;
    addresses.events = shared.tableEvents;
    this.neighbors.events = shared.tableEvents;
  }

  // --- ProtocolFamily ---

  fingerprint(address: number): number {
    return address;
  }

  groupOn(group: number): number {
    return group;
  }

  /** With probing on ({@link AddressConflicts}) the address is tentative first; it and its subnet have routes at once, as in NetBSD. */
  addAddress(iface: Interface, address: number, prefixLength: number, details: AddressDetails = {}): number {
    const state = this.conflicts.probes(iface) ? 'tentative' : 'valid';
    const entry = this.addresses.add(iface, address, prefixLength, state, details);
    if (typeof entry === 'number') return entry;
    this.#addHostRoute(iface, entry);
    this.#addLinkRoute(iface, entry);
    this.#shared.epoch.bump();
    this.conflicts.watch(iface, entry);
    return 0;
  }

  removeAddress(iface: Interface, address: number): number {
    const entry = this.addresses.remove(iface, address);
    if (entry === null) return -Errno.EADDRNOTAVAIL;
    if (!iface.pointToPoint) this.conflicts.forget(address);
    this.#removeRoutes(iface, entry);
    this.#shared.epoch.bump();
    return 0;
  }

  gatewayInterface(gateway: number): Interface | null {
    // A subnet whose address is still being probed counts: the route is used once the address is valid.
    return this.addresses.owner(gateway) ?? this.#shared.interfaces.list.find((iface) => iface.onLink(gateway)) ?? null;
  }

  linkOf(address: number): Interface | null {
    return this.#shared.interfaces.list.find((iface) => iface.addressFor(address) !== null) ?? null;
  }

  sourceOn(iface: Interface, neighbor: number): number {
    return this.addresses.sourceFor(iface, neighbor);
  }

  routeRemoved(route: Route): void {
    if ((route.flags & RTF_DYNAMIC) !== 0) this.redirects.removed(route);
  }

  attach(iface: Interface): void {
    this.groups.attach(iface);
  }

  /** Addresses of an interface that goes down are detached; when it comes back they are probed and announced again. */
  interfaceChanged(iface: Interface, cameUp: boolean): void {
    if (!iface.up) this.neighbors.flush(iface, false);
    if (iface.cutOff) this.conflicts.detachAll(iface);
    else if (cameUp) this.conflicts.resume(iface);
  }

  detach(iface: Interface): void {
    for (const { address } of [...iface.addresses]) this.removeAddress(iface, address);
    for (const route of this.routes.list()) {
      if (route.iface !== iface) continue;
      this.routes.remove(route.destination, route.prefixLength);
      this.routeRemoved(route);
    }
    this.groups.detach(iface);
    this.neighbors.flush(iface, true);
  }

  // --- Routes of our addresses ---

  #addHostRoute(iface: Interface, { address }: InterfaceAddress): void {
    this.#connected.addHost(address, this.addresses.loopback ?? iface);
  }

  #addLinkRoute(iface: Interface, { address, destination, network, prefixLength }: InterfaceAddress): void {
    if (destination !== 0) this.#connected.addOtherEnd(destination, address, iface);
    else if (prefixLength < HOST_PREFIX) this.#connected.addPrefix(network, prefixLength, iface);
  }

  /** A subnet that another address is on too keeps a route. */
  #removeRoutes(iface: Interface, { address, destination, network, prefixLength }: InterfaceAddress): void {
    if (!this.addresses.isHeld(address)) this.#connected.removeHost(address);
    if (destination !== 0) {
      this.#connected.removeOtherEnd(destination, iface);
      return;
    }
    const heir = this.#shared.interfaces.list.find((other) =>
      other.addresses.some(
        (one) => one.destination === 0 && one.network === network && one.prefixLength === prefixLength,
      ),
    );
    this.#connected.removePrefix(network, prefixLength, iface, heir ?? null);
  }

  #deactivate(iface: Interface, entry: InterfaceAddress): void {
    this.addresses.deactivate(iface, entry);
    this.#shared.epoch.bump();
  }

  #probed(iface: Interface, entry: InterfaceAddress, free: boolean): void {
    if (free) {
      this.addresses.activate(iface, entry);
    } else {
      entry.state = 'duplicated';
    }
    this.#shared.epoch.bump();
  }
}

function makeRoutes(shared: InetShared, counters: Counters): RouteTable {
  const { sysctl, epoch } = shared;
  const maxRoutes: SysctlVariable = sysctl.integer('net.inet.ip.maxroutes', 16384, 16, 1 << 20, 'routes at most');
  const refused = counters.index('ip-routes-refused');
  const routes = new RouteTable(epoch, maxRoutes.value, () => counters.add(refused, 1));
  maxRoutes.onChange = (value) => {
    routes.limit = value;
  };
  sysctl.limits.add({
    table: 'IPv4 routes',
    variable: maxRoutes,
    counter: 'ip-routes-refused',
    whenFull: 'adding one fails with ENOBUFS',
    size: () => routes.count,
  });
  return routes;
}

function makeGroups(shared: InetShared, counters: Counters, listener: Igmp): MulticastGroups {
  const { sysctl, epoch, interfaces } = shared;
  const maxGroups = sysctl.integer('net.inet.igmp.maxgroups', 256, 1, 65536, 'groups of one interface');
  const refused = counters.index('igmp-groups-refused');
  const groups = new MulticastGroups(groupFamily4, epoch, maxGroups, () => counters.add(refused, 1), listener);
  sysctl.limits.add({
    table: 'IPv4 multicast groups of one interface',
    variable: maxGroups,
    counter: 'igmp-groups-refused',
    whenFull: 'joining fails with ENOBUFS',
    size: () => interfaces.list.reduce((most, iface) => Math.max(most, groups.count(iface)), 0),
  });
  return groups;
}
