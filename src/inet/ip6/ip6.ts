/**
 * IPv6 of one kernel: the half that its CPUs share. Links, addresses, routes, neighbors, groups, and their keepers: duplicate
 * address detection, neighbor discovery, redirects, MLD. Autoconfiguration registers itself ({@link Ip6.autoconfiguration}).
 * A CPU's half is ip6-cpu.ts.
 *
 * Thread: the one that runs the kernel. Timers, counters, random numbers and messages of its own are those of one CPU, the
 * owner. IPv6 is off until `net.inet6.ip6.enable` is 1; switching it on gives every interface
 * that is up and carries 1280 bytes a link-local address. Nothing here keeps a timer while nothing happens.
 * Read first: inet/ip/shared.ts, inet/ip/family.ts (the contract), inet/ip/address-interner.ts.
 * Cold: assembly and configuration.
 */

import { randomUnit } from '../../base/rng.ts';
import type { Sysctl, SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import { ConnectedRoutes } from '../../net/connected-routes.ts';
import type { Address6Origin, Interface, InterfaceAddress6 } from '../../net/interface.ts';
import { type Neighbor, NeighborCache, type NeighborProtocol } from '../../net/neighbor-cache.ts';
import type { Route } from '../../net/route.ts';
import { RouteTable6 } from '../../net/route-table6.ts';
import { solicitedNode } from '../../wire/ipv6.ts';
import type { AddressInterner } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { ProtocolFamily } from '../ip/family.ts';
import { MulticastGroups } from '../ip/multicast.ts';
import type { InetShared } from '../ip/shared.ts';
import { AddressDetection } from './address-detection.ts';
import type { AddressLifetimes } from './address-lifetimes.ts';
import { Addresses6, isUsable } from './addresses.ts';
import { AutoconfigurationPoint } from './autoconfiguration.ts';
import { groupFamily6 } from './groups.ts';
import { type Link6, Links6 } from './link.ts';
import { LinkControl6 } from './link-control.ts';
import { LinkOutput6 } from './link-output.ts';
import { Mld } from './mld.ts';
import { NeighborInput6 } from './neighbor-discovery.ts';
import { NeighborOutput6 } from './neighbor-output.ts';
import { Redirects6 } from './redirect.ts';
import { SourceSelector } from './source-selector.ts';

const HOST_PREFIX = 128;
/** RFC 4861 6.3.2: a reachable time is a random part, from a half to three halves, of what is given. */
const MIN_RANDOM_FACTOR = 0.5;

export class Ip6 implements ProtocolFamily {
  readonly hostPrefix: number = HOST_PREFIX;
  readonly interner: AddressInterner;
  readonly links: Links6 = new Links6();
  readonly addresses: Addresses6;
  readonly sources: SourceSelector;
  readonly routes: RouteTable6;
  readonly neighbors: NeighborCache;
  readonly groups: MulticastGroups;
  readonly linkOutput: LinkOutput6;
  readonly neighborInput: NeighborInput6;
  readonly redirects: Redirects6;
  readonly mld: Mld;
  /** Autoconfiguration registers here. */
  readonly autoconfiguration: AutoconfigurationPoint = new AutoconfigurationPoint();
  /** `net.inet6.ip6.forwarding`. */
  readonly forwarding: SysctlVariable;
  readonly #owner: InetContext;
  readonly #neighborOutput: NeighborOutput6;
  readonly #control: LinkControl6;
  readonly #retransMs: SysctlVariable;

  /** `owner` is the context of the CPU that owns the tables. `enabled` is the first value of `net.inet6.ip6.enable`. */
  constructor(owner: InetContext, enabled: boolean) {
    const { shared, counters } = owner;
    const { sysctl, interner, epoch, tableEvents } = shared;
    const interfaces = shared.interfaces.list;
    const { autoconfiguration, links } = this;
    this.#owner = owner;
    this.interner = interner;
    const { enable, autoLinkLocal, forwarding } = makeSwitches(sysctl, enabled);
    this.forwarding = forwarding;
    const addresses = new Addresses6(interner);
    this.addresses = addresses;
    const routes = makeRoutes(shared, counters);
    this.routes = routes;
    const sources = new SourceSelector({ interner, interfaces, epoch, routes, autoconfiguration, sysctl });
    this.sources = sources;
    const linkOutput = new LinkOutput6(owner);
    this.linkOutput = linkOutput;
    const isRouter = (): boolean => forwarding.value !== 0;
    const neighborOutput = new NeighborOutput6(owner, { addresses, sources, output: linkOutput, forwarding: isRouter });
    this.#neighborOutput = neighborOutput;
    const neighbors = new NeighborCache(
      owner,
      epoch,
      {
        request: (neighbor, unicast) => neighborOutput.solicit(neighbor, unicast),
        lost: (neighbor) => this.#neighborLost(neighbor),
        published: (neighbor, on) => this.#neighborPublished(neighbor, on),
      },
      this.#neighborProtocol(),
    );
    this.neighbors = neighbors;
    this.#retransMs = sysctl.get('net.inet6.icmp6.nd6_retrans') as SysctlVariable;
    const mld = new Mld(owner, linkOutput, links);
    this.mld = mld;
    this.groups = makeGroups(shared, counters, mld);
    const retransMs = ({ iface }: InterfaceAddress6): number => this.#retrans(iface);
    this.#control = new LinkControl6(owner, {
      interfaces,
      interner,
      links,
      addresses,
      groups: this.groups,
      connected: new ConnectedRoutes(routes, HOST_PREFIX),
      mld,
      autoconfiguration,
      enable,
      autoLinkLocal,
      detection: (settled) => new AddressDetection(owner, neighborOutput, retransMs, settled),
    });
    this.neighborInput = new NeighborInput6(owner, {
      addresses,
      neighbors,
      output: neighborOutput,
      detection: this.#control.detection,
      routerGone: (neighbor) => this.#routerGone(neighbor),
    });
    this.redirects = new Redirects6(owner, {
      addresses,
      routes,
      links,
      linkOutput,
      neighborInput: this.neighborInput,
      forwarding,
    });
    routes.events = tableEvents;
    addresses.events = tableEvents;
    neighbors.events = tableEvents;
    this.#addHolders();
    forwarding.onChange = () => this.autoconfiguration.registered.forwardingChanged();
  }

  /** Lifetimes of addresses configured by hand. */
  get lifetimes(): AddressLifetimes {
    return this.#control.lifetimes;
  }

  /** Whether the link gets a link-local address when IPv6 starts there. */
  autoLinkLocal(link: Link6): boolean {
    return this.#control.autoLinkLocal(link);
  }

  /** Whether it does from now on, whatever the variable says; one that IPv6 runs on gets its address at once. */
  setAutoLinkLocal(link: Link6, on: boolean): void {
    this.#control.setAutoLinkLocal(link, on);
  }

  // --- ProtocolFamily ---

  fingerprint(address: number): number {
    return this.interner.fingerprint(address);
  }

  groupOn(group: number, iface: Interface): number {
    return this.addresses.onLink(group, iface);
  }

  /** The link that an address is on: by its zone, or by our addresses there; null when on none. */
  gatewayInterface(gateway: number): Interface | null {
    if (gateway === 0) return null;
    const zone = this.interner.zone(gateway);
    if (zone !== 0) return this.links.interfaceOf(zone);
    const own = this.addresses.find(gateway);
    if (own !== null) return own.iface;
    for (const { iface } of this.links.all()) {
      const on = iface.addresses6.some(
        (entry) =>
          entry.state !== 'duplicated' &&
          (entry.destination === 0
            ? this.addresses.samePrefix(entry.address, gateway, entry.prefixLength)
            : entry.destination === gateway),
      );
      if (on) return iface;
    }
    return null;
  }

  linkOf(address: number): Interface | null {
    return this.gatewayInterface(address);
  }

  sourceOn(iface: Interface, neighbor: number): number {
    return this.sources.select(neighbor, iface);
  }

  routeRemoved(route: Route): void {
    this.redirects.removed(route);
  }

  // --- Interfaces and addresses ---

  attach(iface: Interface): void {
    this.#control.refresh(this.links.add(iface));
  }

  detach(iface: Interface): void {
    this.autoconfiguration.registered.detached(iface);
    const link = this.links.of(iface);
    if (link === null) return;
    this.#control.detach(link);
    for (const route of this.routes.list()) {
      if (route.iface === iface) this.routes.remove(route.destination, route.prefixLength);
    }
    this.groups.detach(iface);
    this.neighbors.flush(iface, true);
    this.links.remove(iface);
  }

  interfaceChanged(iface: Interface): void {
    const link = this.links.of(iface);
    if (link === null) return;
    if (!iface.up) this.neighbors.flush(iface, false);
    this.#control.refresh(link);
    if (link.macHi === iface.macHi && link.macLo === iface.macLo) return;
    link.macHi = iface.macHi;
    link.macLo = iface.macLo;
    if (!link.active) return;
    // RFC 4861 7.2.6: neighbors are told of a new link-layer address.
    for (const entry of iface.addresses6)
      if (isUsable(entry) && !entry.anycast) this.#neighborOutput.advertise(iface, entry.address, null, 0, 0);
  }

  /** Switch IPv6 off on one interface, or on again. Off, it has no link-local address that was made for it. */
  setDisabled(iface: Interface, disabled: boolean): void {
    this.#control.setDisabled(iface, disabled);
  }

  /** As `LinkControl6.addAddress`. */
  addAddress(
    iface: Interface,
    address: number,
    prefixLength: number,
    origin: Address6Origin = 'manual',
    anycast: boolean = false,
    destination: number = 0,
  ): number {
    return this.#control.addAddress(iface, address, prefixLength, origin, anycast, destination);
  }

  removeAddress(iface: Interface, address: number): number {
    return this.#control.removeAddress(iface, address);
  }

  /** A preferred lifetime ended, or began anew. */
  setDeprecated(entry: InterfaceAddress6, deprecated: boolean): void {
    this.#control.setDeprecated(entry, deprecated);
  }

  // --- Neighbors ---

  /** Solicitations for an address that is answered for come to its group (RFC 4861 7.2.8). */
  #neighborPublished(neighbor: Neighbor, on: boolean): void {
    const { iface, address } = neighbor;
    const { interner, groups } = this;
    const group = interner.internAddress(solicitedNode(interner.words(address)), iface.index);
    if (group === 0) return;
    if (!on) {
      groups.leave(iface, group);
      return;
    }
    groups.join(iface, group);
    this.#neighborOutput.advertiseFor(neighbor, iface, null, 0, 0, 0);
  }

  #neighborLost(neighbor: Neighbor): void {
    this.autoconfiguration.registered.neighborLost(neighbor);
    this.redirects.gatewayDown(neighbor.address);
  }

  #routerGone(neighbor: Neighbor): void {
    this.autoconfiguration.registered.routerGone(neighbor);
    this.redirects.gatewayDown(neighbor.address);
  }

  #neighborProtocol(): NeighborProtocol {
    return {
      name: 'IPv6',
      sysctlPrefix: 'net.inet6.icmp6.nd6_',
      counterPrefix: 'nd6',
      groupTriesName: 'net.inet6.icmp6.nd6_mmaxtries',
      queueBytesName: 'net.inet6.icmp6.nd6_maxqueuebytes',
      keepName: 'net.inet6.icmp6.nd6_gctimer',
      downName: 'net.inet6.icmp6.nd6_down',
      maxEntriesName: 'net.inet6.icmp6.nd6_maxentries',
      thresholdName: 'net.inet6.ip6.neighborgcthresh',
      keepSec: 86_400,
      keptFromAnswer: false,
      reachableMs: (iface, defaultMs) => {
        const baseMs = this.links.of(iface)?.reachableMs || defaultMs;
        return baseMs * (MIN_RANDOM_FACTOR + randomUnit(this.#owner.rng));
      },
      retransMs: (iface, defaultMs) => this.links.of(iface)?.retransMs || defaultMs,
      probes: (iface) => this.links.of(iface)?.probesNeighbors !== false,
    };
  }

  #retrans(iface: Interface): number {
    return this.links.of(iface)?.retransMs || this.#retransMs.value;
  }

  /** The tables hold handles of the interner. */
  #addHolders(): void {
    const { interner, routes, neighbors } = this;
    const interfaces = this.#owner.shared.interfaces.list;
    interner.addHolder(routes);
    interner.addHolder(neighbors);
    interner.addHolder({
      markAddresses: (mark) => {
        for (const { groups } of interfaces) {
          for (const [group, { members }] of groups) {
            mark(group);
            for (const { sources } of members) for (const source of sources) mark(source);
          }
        }
      },
    });
  }
}

/** `enabled` is the first value of `net.inet6.ip6.enable`. */
function makeSwitches(
  sysctl: Sysctl,
  enabled: boolean,
): Record<'enable' | 'autoLinkLocal' | 'forwarding', SysctlVariable> {
  const enableText = 'IPv6 on this machine; setting it to 1 switches it on for every interface';
  return {
    enable: sysctl.toggle('net.inet6.ip6.enable', enabled, enableText),
    autoLinkLocal: sysctl.toggle('net.inet6.ip6.auto_linklocal', true, 'make link-local addresses'),
    forwarding: sysctl.toggle('net.inet6.ip6.forwarding', false, 'act as a router for IPv6'),
  };
}

function makeRoutes(shared: InetShared, counters: Counters): RouteTable6 {
  const { sysctl, epoch, interner } = shared;
  const maxRoutes = sysctl.integer('net.inet6.ip6.maxroutes', 4096, 16, 1 << 20, 'IPv6 routes at most');
  const refused = counters.index('ip6-routes-refused');
  const routes = new RouteTable6(
    interner,
    epoch,
    () => maxRoutes.value,
    () => counters.add(refused, 1),
  );
  sysctl.limits.add({
    table: 'IPv6 routes',
    variable: maxRoutes,
    counter: 'ip6-routes-refused',
    whenFull: 'adding one fails with ENOBUFS',
    size: () => routes.count,
  });
  return routes;
}

function makeGroups(shared: InetShared, counters: Counters, listener: Mld): MulticastGroups {
  const { sysctl, epoch, interfaces, interner } = shared;
  const maxGroups = sysctl.integer('net.inet6.mld.maxgroups', 256, 1, 65536, 'IPv6 groups of one interface');
  const refused = counters.index('mld-groups-refused');
  const family = groupFamily6(interner);
  const groups = new MulticastGroups(family, epoch, maxGroups, () => counters.add(refused, 1), listener);
  sysctl.limits.add({
    table: 'IPv6 multicast groups of one interface',
    variable: maxGroups,
    counter: 'mld-groups-refused',
    whenFull: 'joining fails with ENOBUFS',
    size: () => interfaces.list.reduce((most, iface) => Math.max(most, groups.count(iface)), 0),
  });
  return groups;
}
