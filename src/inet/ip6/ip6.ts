/**
 * IPv6 of one kernel, put together: input, addresses, routes, neighbors, groups, and what configures them. Output and transports
 * are shared with IPv4 (inet/ip.ts), which hands over here whatever carries a number of the address table.
 *
 * Thread: the one that runs the kernel. IPv6 is off until `net.inet6.ip6.enable` is 1; switching it on gives every interface
 * that is up and carries 1280 bytes a link-local address. Nothing here keeps a timer while nothing happens.
 * Read first: ../ip/address-interner.ts, path.ts, input.ts. Seams for what lies beside: {@link Ip6.autoconfiguration},
 * `icmp.discovery`, `icmp.listener`, `groups.listener`, `addresses.selector`, `forwarder.redirects`, `neighborInput.routers`.
 */

import { Errno } from '../../base/errors.ts';
import { randomUnit } from '../../base/rng.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Address6Origin, Interface, InterfaceAddress6 } from '../../net/interface.ts';
import { type Neighbor, NeighborCache, type NeighborProtocol } from '../../net/neighbor-cache.ts';
import type { PathEpoch } from '../../net/path-epoch.ts';
import { makeRoute, type Route, RTF_CONNECTED, RTF_HOST, RTF_LOCAL, RTF_REJECT, RTF_UP } from '../../net/route.ts';
import { RouteTable6 } from '../../net/route-table6.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { maskWord } from '../../wire/ipv6-address.ts';
import { type AddressInterner, IP6_LOOPBACK } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { IngressFilter } from '../ip/ingress-filter.ts';
import { MulticastGroups } from '../ip/multicast.ts';
import type { IpOutput } from '../ip/output.ts';
import { IpPacket } from '../ip/packet.ts';
import type { PathTable } from '../ip/path.ts';
import type { PathMtu } from '../ip/path-mtu.ts';
import type { RawSockets } from '../ip/raw-sockets.ts';
import type { Refuser } from '../ip/reject.ts';
import type { Transmitter } from '../ip/transmit.ts';
import { AddressDetection } from './address-detection.ts';
import { Addresses6, isUsable } from './addresses.ts';
import { AddressLifetimes } from './autoconf/address-lifetimes.ts';
import { idFromMac } from './autoconf/interface-id.ts';
import { Forwarder6 } from './forward.ts';
import { groupFamily6 } from './groups.ts';
import { Icmp6 } from './icmp.ts';
import { Ip6Input } from './input.ts';
import { type Link6, Links6 } from './link.ts';
import { LinkOutput6 } from './link-output.ts';
import { NeighborInput6, NeighborOutput6 } from './neighbor-discovery.ts';
import { PathResolver6 } from './path.ts';

const HOST_PREFIX = 128;
const LINK_LOCAL_PREFIX = 64;
const LINK_LOCAL_WORD = 0xfe800000 | 0;
/** RFC 4861 6.3.2: a reachable time is a random part, from a half to three halves, of what is given. */
const MIN_RANDOM_FACTOR = 0.5;

/** What IPv6 shares with IPv4. */
export interface Ip6Parts {
  readonly interfaces: readonly Interface[];
  readonly epoch: PathEpoch;
  readonly paths: PathTable;
  readonly output: IpOutput;
  readonly transmitter: Transmitter;
  readonly pathMtu: PathMtu;
  readonly raw: RawSockets;
  readonly filter: IngressFilter;
  readonly refuser: Refuser;
}

/** Told what happens to links and addresses; makes addresses from what routers say (RFC 4862), and interface identifiers. */
export interface Autoconfiguration {
  /** Last two words of the link-local address of an interface, or null for the EUI-64 of its link-layer address. */
  interfaceIdentifier(iface: Interface): readonly [number, number] | null;
  /** IPv6 runs on the link from now on, or no more. */
  linkUp(link: Link6, nowUs: number): void;
  linkDown(link: Link6): void;
  /** An address came into use, or was found taken. */
  addressSettled(entry: InterfaceAddress6, free: boolean, nowUs: number): void;
  addressRemoved(entry: InterfaceAddress6): void;
  /** A route was taken out by hand. */
  routeRemoved(route: Route): void;
  /** A neighbor does not answer any more (RFC 4861 7.3.3): another router may have to do. */
  neighborLost(neighbor: Neighbor, nowUs: number): void;
}

export class Ip6 {
  readonly table: AddressInterner;
  readonly links: Links6 = new Links6();
  readonly addresses: Addresses6;
  /** Of addresses configured by hand. */
  readonly lifetimes: AddressLifetimes;
  readonly routes: RouteTable6;
  readonly neighbors: NeighborCache;
  readonly groups: MulticastGroups;
  readonly linkOutput: LinkOutput6;
  readonly neighborOutput: NeighborOutput6;
  readonly neighborInput: NeighborInput6;
  readonly icmp: Icmp6;
  readonly forwarder: Forwarder6;
  readonly input: Ip6Input;
  autoconfiguration: Autoconfiguration | null = null;
  readonly #context: InetContext;
  readonly #parts: Ip6Parts;
  readonly #detection: AddressDetection;
  readonly #enable: SysctlVariable;
  readonly #autoLinkLocal: SysctlVariable;
  readonly #retransMs: SysctlVariable;
  readonly #scrap: IpPacket;

  /** `enabled` is the first value of `net.inet6.ip6.enable`; `nowhere` stands for "no interface". */
  constructor(context: InetContext, parts: Ip6Parts, enabled: boolean, nowhere: Interface) {
    const { counters, interner: table } = context;
    const { sysctl } = context.shared;
    const { paths, output, transmitter, pathMtu, raw, filter, refuser } = parts;
    this.#context = context;
    this.#parts = parts;
    this.table = table;
    this.#enable = sysctl.toggle(
      'net.inet6.ip6.enable',
      enabled,
      'IPv6 on this machine; setting it to 1 switches it on for every interface',
    );
    this.#autoLinkLocal = sysctl.toggle('net.inet6.ip6.auto_linklocal', true, 'make link-local addresses');
    const forwarding = sysctl.toggle('net.inet6.ip6.forwarding', false, 'act as a router for IPv6');
    const maxRoutes = sysctl.integer('net.inet6.ip6.maxroutes', 4096, 16, 1 << 20, 'IPv6 routes at most');
    const routesRefused = counters.index('ip6-routes-refused');
    const groupsRefused = counters.index('mld-groups-refused');
    this.addresses = new Addresses6(table);
    this.lifetimes = new AddressLifetimes(context, parts.interfaces, this);
    this.routes = new RouteTable6(
      table,
      parts.epoch,
      () => maxRoutes.value,
      () => counters.add(routesRefused, 1),
    );
    this.linkOutput = new LinkOutput6(context);
    const isRouter = (): boolean => forwarding.value !== 0;
    this.neighborOutput = new NeighborOutput6(context, this.addresses, this.linkOutput, isRouter);
    this.neighbors = new NeighborCache(
      context,
      parts.epoch,
      {
        request: (neighbor, unicast) => this.neighborOutput.solicit(neighbor, unicast),
        transmit: (neighbor, at, totalBytes, meta) => this.#transmitPending(neighbor, at, totalBytes, meta),
        undeliverable: (neighbor, at, totalBytes, nowUs) => this.#undeliverable(neighbor, at, totalBytes, nowUs),
        lost: (neighbor, nowUs) => this.autoconfiguration?.neighborLost(neighbor, nowUs),
      },
      this.#neighborProtocol(),
    );
    this.#retransMs = sysctl.get('net.inet6.icmp6.nd6_retrans') as SysctlVariable;
    this.#detection = new AddressDetection(context, this.neighborOutput, ({ iface }) => this.#retrans(iface));
    this.#detection.onResult = (entry, free) => this.#settled(entry, free);
    this.neighborInput = new NeighborInput6(
      context,
      this.addresses,
      this.neighbors,
      this.neighborOutput,
      this.#detection,
    );
    this.icmp = new Icmp6(context, {
      addresses: this.addresses,
      paths,
      output,
      pathMtu,
      raw,
      transport: (protocol) => this.input.transport(protocol),
    });
    this.icmp.neighbors = this.neighborInput;
    this.forwarder = new Forwarder6(context, this.addresses, paths, this.neighbors, transmitter, this.icmp, forwarding);
    const { addresses, links, routes, neighbors, forwarder, icmp } = this;
    this.input = new Ip6Input(context, { addresses, links, filter, forwarder, icmp, raw, refuser }, nowhere);
    this.input.register(icmp);
    const maxGroups = sysctl.integer('net.inet6.mld.maxgroups', 256, 1, 65536, 'IPv6 groups of one interface');
    this.groups = new MulticastGroups(groupFamily6(table), parts.epoch, maxGroups, () => {
      counters.add(groupsRefused, 1);
    });
    this.#declareLimits(maxRoutes, maxGroups);
    const autoFlowLabel = sysctl.toggle('net.inet6.ip6.auto_flowlabel', true, 'give flows random labels');
    const { rng } = context;
    paths.resolver6 = new PathResolver6({
      paths,
      routes,
      addresses,
      links,
      neighbors,
      pathMtu,
      rng,
      autoFlowLabel,
    });
    this.#scrap = new IpPacket(nowhere);
    this.#hold();
    this.#enable.onChange = (value) => {
      // As on Linux, the switch of the machine goes before those of the interfaces.
      if (value !== 0) for (const link of this.links.all()) link.disabled = false;
      this.#refreshAll();
    };
    this.#autoLinkLocal.onChange = () => this.#refreshAll();
  }

  #declareLimits(maxRoutes: SysctlVariable, maxGroups: SysctlVariable): void {
    const { limits } = this.#context.shared.sysctl;
    limits.add({
      table: 'IPv6 routes',
      variable: maxRoutes,
      counter: 'ip6-routes-refused',
      whenFull: 'adding one fails with ENOBUFS',
      size: () => this.routes.count,
    });
    limits.add({
      table: 'IPv6 multicast groups of one interface',
      variable: maxGroups,
      counter: 'mld-groups-refused',
      whenFull: 'joining fails with ENOBUFS',
      size: () => this.#parts.interfaces.reduce((most, iface) => Math.max(most, this.groups.count(iface)), 0),
    });
  }

  // --- Links ---

  /** A device was attached. */
  attach(iface: Interface): void {
    this.refresh(this.links.add(iface));
  }

  /** Before an interface is detached. */
  detach(iface: Interface): void {
    const link = this.links.of(iface);
    if (link === null) return;
    if (link.active) this.#stop(link);
    for (const entry of [...iface.addresses6]) this.removeAddress(iface, entry.address);
    for (const route of this.routes.list()) {
      if (route.iface === iface) this.routes.remove(route.destination, route.prefixLength);
    }
    this.groups.detach(iface);
    this.neighbors.flush(iface, true);
    this.links.remove(iface);
  }

  /** An interface went up or down, or changed its MTU. */
  interfaceChanged(iface: Interface): void {
    const link = this.links.of(iface);
    if (link === null) return;
    if (!iface.up) this.neighbors.flush(iface, false);
    this.refresh(link);
  }

  /** Start or stop IPv6 on a link, as switches, link and MTU say now. */
  refresh(link: Link6): void {
    const { iface } = link;
    const runs = this.#enable.value !== 0 && !link.disabled && iface.up && iface.mtuBytes >= ipv6.MTU_BYTES_MIN;
    if (runs && !link.active) this.#start(link);
    else if (!runs && link.active) this.#stop(link);
  }

  /** Switch IPv6 off on one interface, or on again. Off, it has no link-local address that was made for it. */
  setDisabled(iface: Interface, disabled: boolean): void {
    const link = this.links.of(iface);
    if (link === null) return;
    link.disabled = disabled;
    this.refresh(link);
    if (!disabled) return;
    for (const { address, origin } of [...iface.addresses6]) {
      if (origin === 'link-local') this.removeAddress(iface, address);
    }
  }

  #refreshAll(): void {
    for (const link of this.links.all()) this.refresh(link);
  }

  #start(link: Link6): void {
    const { iface } = link;
    link.active = true;
    this.#parts.epoch.bump();
    if (iface.loopback) {
      if (this.addresses.find(IP6_LOOPBACK) === null) this.addAddress(iface, IP6_LOOPBACK, HOST_PREFIX, 'manual');
      return;
    }
    this.groups.attach(iface);
    // What was there before the link went down has to be asked for again (RFC 4862 5.4).
    for (const entry of iface.addresses6) if (entry.state !== 'duplicated') this.#begin(entry);
    this.#makeLinkLocal(link);
    this.autoconfiguration?.linkUp(link, this.#context.nowUs());
  }

  #stop(link: Link6): void {
    const { iface } = link;
    link.active = false;
    this.#parts.epoch.bump();
    if (iface.loopback) return;
    for (const entry of iface.addresses6) {
      this.#detection.stop(entry);
      this.#withdraw(entry);
    }
    link.linkLocal = 0;
    this.autoconfiguration?.linkDown(link);
  }

  /** RFC 4862 5.3: fe80::/64 and the interface identifier. */
  #makeLinkLocal(link: Link6): void {
    const { iface } = link;
    const known = iface.addresses6.some((entry) => this.addresses.isLinkLocal(entry.address));
    if (known || this.#autoLinkLocal.value === 0) return;
    const [high, low] = this.autoconfiguration?.interfaceIdentifier(iface) ?? idFromMac(iface.macHi, iface.macLo);
    const address = this.table.intern(LINK_LOCAL_WORD, 0, high, low, iface.index);
    if (address !== 0) this.addAddress(iface, address, LINK_LOCAL_PREFIX, 'link-local');
  }

  // --- Addresses ---

  /**
   * Give an interface an address, with its host route through lo0 and the route to its prefix. While IPv6 does not run
   * there, or duplicate address detection does, it is tentative. Returns 0, `-EEXIST`, `-EINVAL`, `-ENOBUFS`.
   */
  addAddress(
    iface: Interface,
    address: number,
    prefixLength: number,
    origin: Address6Origin = 'manual',
    anycast: boolean = false,
  ): number {
    const entry = this.addresses.add(iface, address, prefixLength, origin, anycast);
    if (typeof entry === 'number') return entry;
    if (this.links.isActive(iface)) this.#begin(entry);
    return 0;
  }

  /** Returns 0 or `-EADDRNOTAVAIL`. */
  removeAddress(iface: Interface, address: number): number {
    const entry = this.addresses.find(address);
    if (entry === null || entry.iface !== iface) return -Errno.EADDRNOTAVAIL;
    this.#detection.stop(entry);
    this.#withdraw(entry);
    this.addresses.remove(entry);
    this.#parts.epoch.bump();
    this.autoconfiguration?.addressRemoved(entry);
    return 0;
  }

  /** A preferred lifetime ended, or began anew. */
  setDeprecated(entry: InterfaceAddress6, deprecated: boolean): void {
    if (!isUsable(entry)) return;
    entry.state = deprecated ? 'deprecated' : 'preferred';
    this.#parts.epoch.bump();
  }

  /** From tentative on: hear the solicited-node group, ask whether the address is free, then use it. */
  #begin(entry: InterfaceAddress6): void {
    entry.state = 'tentative';
    const group = this.#solicitedNode(entry);
    if (group !== 0 && !entry.iface.loopback) this.groups.join(entry.iface, group);
    // RFC 4862 5.4: of an anycast address there may be several.
    if (entry.anycast) this.#settled(entry, true);
    else this.#detection.start(entry);
  }

  /** The address is used no more, for now or for good. */
  #withdraw(entry: InterfaceAddress6): void {
    const { iface } = entry;
    const group = this.#solicitedNode(entry);
    if (group !== 0 && !iface.loopback) this.groups.leave(iface, group);
    const link = this.links.of(iface);
    if (link !== null && link.linkLocal === entry.address) link.linkLocal = 0;
    if (!isUsable(entry)) return;
    this.#removeRoutes(entry);
    this.table.setLocal(entry.address, false);
    entry.state = 'tentative';
  }

  #solicitedNode({ address, iface }: InterfaceAddress6): number {
    return this.table.internAddress(ipv6.solicitedNode(this.table.words(address)), iface.index);
  }

  #settled(entry: InterfaceAddress6, free: boolean): void {
    const link = this.links.of(entry.iface);
    if (free) {
      this.addresses.activate(entry);
      this.#addRoutes(entry);
      if (entry.preferredUntilUs !== Infinity) this.lifetimes.run(this.#context.nowUs());
      if (link !== null && !entry.anycast && this.addresses.isLinkLocal(entry.address))
        link.linkLocal ||= entry.address;
    } else {
      entry.state = 'duplicated';
      // RFC 4862 5.4.5: two of the same link-layer address; nothing good comes of going on.
      if (link !== null && entry.origin === 'link-local') {
        link.disabled = true;
        this.refresh(link);
      }
    }
    this.#parts.epoch.bump();
    this.autoconfiguration?.addressSettled(entry, free, this.#context.nowUs());
  }

  // --- Routes ---

  /**
   * Add a route; 0, `-EEXIST`, `-EINVAL`, `-ENOBUFS`, or `-ENETUNREACH` when the gateway is on no link of ours. A link-local
   * gateway is on the link of its zone. Without a gateway (0) `iface` is the link that the prefix is on.
   */
  addRoute(destination: number, prefixLength: number, gateway: number, flags: number, iface: Interface | null): number {
    const via =
      iface ?? this.gatewayInterface(gateway) ?? ((flags & RTF_REJECT) !== 0 ? this.addresses.loopback : null);
    if (via === null) return -Errno.ENETUNREACH;
    return this.routes.add(makeRoute(destination, prefixLength, gateway, via, flags | RTF_UP, HOST_PREFIX));
  }

  /** Returns the route taken out, or null when that prefix has none (or, with `gateway` not 0, another gateway). */
  removeRoute(destination: number, prefixLength: number, gateway: number): Route | null {
    const route = this.routes.find(destination, prefixLength);
    if (route === null || (gateway !== 0 && route.gateway !== gateway)) return null;
    this.autoconfiguration?.routeRemoved(route);
    return this.routes.remove(destination, prefixLength);
  }

  /** The link that an address is on: by its zone, or by our addresses there; null when on none. */
  gatewayInterface(gateway: number): Interface | null {
    if (gateway === 0) return null;
    const zone = this.table.zone(gateway);
    if (zone !== 0) return this.links.interfaceOf(zone);
    const own = this.addresses.find(gateway);
    if (own !== null) return own.iface;
    for (const { iface } of this.links.all()) {
      const on = iface.addresses6.some(
        (entry) =>
          entry.state !== 'duplicated' && this.addresses.samePrefix(entry.address, gateway, entry.prefixLength),
      );
      if (on) return iface;
    }
    return null;
  }

  /** An address made of an advertised prefix says nothing of what is on the link (RFC 5942 section 4). */
  #addRoutes({ address, prefixLength, iface, origin }: InterfaceAddress6): void {
    const lo = this.addresses.loopback ?? iface;
    this.routes.add(makeRoute(address, HOST_PREFIX, address, lo, RTF_UP | RTF_HOST | RTF_LOCAL, HOST_PREFIX));
    const onLink = prefixLength < HOST_PREFIX && impliesPrefix(origin);
    const network = onLink ? this.prefixOf(address, prefixLength) : 0;
    if (network !== 0) this.routes.add(makeRoute(network, prefixLength, 0, iface, RTF_UP | RTF_CONNECTED, HOST_PREFIX));
  }

  /** A prefix that another address is in too keeps its route. */
  #removeRoutes({ address, prefixLength, iface, origin }: InterfaceAddress6): void {
    const host = this.routes.find(address, HOST_PREFIX);
    if (host !== null && (host.flags & RTF_LOCAL) !== 0) this.routes.remove(address, HOST_PREFIX);
    const network = impliesPrefix(origin) ? this.prefixOf(address, prefixLength) : 0;
    const connected = network === 0 ? null : this.routes.find(network, prefixLength);
    if (connected === null || connected.iface !== iface || (connected.flags & RTF_CONNECTED) === 0) return;
    const still = iface.addresses6.some(
      (other) =>
        other.address !== address &&
        isUsable(other) &&
        impliesPrefix(other.origin) &&
        other.prefixLength === prefixLength &&
        this.addresses.samePrefix(other.address, address, prefixLength),
    );
    if (!still) this.routes.remove(network, prefixLength);
  }

  /** The number of a prefix: the address with all bits behind it 0; 0 when the table is full. */
  prefixOf(address: number, prefixLength: number): number {
    const [w0, w1, w2, w3] = this.table.words(address);
    return this.table.intern(
      w0 & maskWord(prefixLength, 0),
      w1 & maskWord(prefixLength, 1),
      w2 & maskWord(prefixLength, 2),
      w3 & maskWord(prefixLength, 3),
      this.table.zone(address),
    );
  }

  // --- Neighbors ---

  #neighborProtocol(): NeighborProtocol {
    return {
      name: 'IPv6',
      sysctlPrefix: 'net.inet6.icmp6.nd6_',
      counterPrefix: 'nd6',
      groupTriesName: 'net.inet6.icmp6.nd6_mmaxtries',
      queueBytesName: 'net.inet6.icmp6.nd6_maxqueuebytes',
      keepName: 'net.inet6.icmp6.nd6_keep',
      downName: 'net.inet6.icmp6.nd6_down',
      maxEntriesName: 'net.inet6.icmp6.nd6_maxentries',
      reachableMs: (iface, defaultMs) => {
        const baseMs = this.links.of(iface)?.reachableMs || defaultMs;
        return baseMs * (MIN_RANDOM_FACTOR + randomUnit(this.#context.rng));
      },
      retransMs: (iface, defaultMs) => this.links.of(iface)?.retransMs || defaultMs,
    };
  }

  #retrans(iface: Interface): number {
    return this.links.of(iface)?.retransMs || this.#retransMs.value;
  }

  #transmitPending(neighbor: Neighbor, at: number, totalBytes: number, meta: number): void {
    const { iface, macHi, macLo } = neighbor;
    const { view } = this.#context.shared.arena;
    const linkMtuBytes = this.links.of(iface)?.mtuBytes ?? iface.mtuBytes;
    const zone = iface.index;
    const src = this.table.internAddress(ipv6.src(view, at), zone);
    const dst = this.table.internAddress(ipv6.dst(view, at), zone);
    const ours = src !== 0 && dst !== 0 && this.addresses.isLocal(src);
    const mtuBytes = ours ? this.#parts.pathMtu.lookup(dst, linkMtuBytes) : linkMtuBytes;
    this.#parts.transmitter.send(iface, macHi, macLo, at, totalBytes, meta, mtuBytes);
  }

  /** RFC 4861 7.2.2: the sender is told, be it one of our transports or another host. */
  #undeliverable(neighbor: Neighbor, at: number, totalBytes: number, nowUs: number): void {
    const { view } = this.#context.shared.arena;
    const { iface } = neighbor;
    const src = this.table.internAddress(ipv6.src(view, at), iface.index);
    const dst = this.table.internAddress(ipv6.dst(view, at), iface.index);
    if (src === 0 || dst === 0) return;
    if (this.addresses.isLocal(src)) {
      this.icmp.reportLocally(src, dst, at, totalBytes, icmpv6.CODE_ADDRESS_UNREACHABLE, nowUs);
      return;
    }
    const packet = this.#scrap;
    packet.headerAt = at;
    packet.at = at + ipv6.HEADER_BYTES;
    packet.lengthBytes = totalBytes - ipv6.HEADER_BYTES;
    packet.protocol = ipv6.nextHeader(view, at);
    packet.src = src;
    packet.dst = dst;
    packet.broadcast = false;
    // Where it came in is forgotten: the error's source is of the interface that it leaves by.
    const back = this.#parts.paths.passing(src, 0, 0, null);
    packet.iface = typeof back === 'number' ? iface : back.iface;
    this.icmp.sendUnreachable(packet, icmpv6.CODE_ADDRESS_UNREACHABLE, nowUs);
  }

  /** What layer 3 keeps numbers of. */
  #hold(): void {
    const { table } = this;
    const { interfaces, filter, paths, pathMtu } = this.#parts;
    table.addHolder(this.routes);
    table.addHolder(this.neighbors);
    table.addHolder(pathMtu);
    table.addHolder(filter);
    table.addHolder({
      markAddresses: (mark) => {
        paths.forgetPassing6();
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

function impliesPrefix(origin: Address6Origin): boolean {
  return origin === 'manual' || origin === 'link-local';
}
