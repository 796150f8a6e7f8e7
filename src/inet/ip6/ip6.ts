/**
 * IPv6 of one kernel, put together: input, addresses, routes, neighbors, groups, redirects. Output, paths and raw sockets are
 * shared with IPv4 (inet/ip). Autoconfiguration registers itself ({@link Ip6.autoconfiguration}).
 *
 * Thread: the one that runs the kernel. IPv6 is off until `net.inet6.ip6.enable` is 1; switching it on gives every interface
 * that is up and carries 1280 bytes a link-local address. Nothing here keeps a timer while nothing happens.
 * Read first: inet/ip/family.ts (the contract), inet/ip/address-interner.ts, path.ts, input.ts.
 * Cold: assembly and configuration.
 */

import { randomUnit } from '../../base/rng.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import { ConnectedRoutes } from '../../net/connected-routes.ts';
import type { Address6Origin, Interface, InterfaceAddress6 } from '../../net/interface.ts';
import { type Neighbor, NeighborCache, type NeighborProtocol } from '../../net/neighbor-cache.ts';
import type { Route } from '../../net/route.ts';
import { RouteTable6 } from '../../net/route-table6.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { AddressInterner } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { ProtocolFamily } from '../ip/family.ts';
import { ForwardOutput } from '../ip/forward-output.ts';
import type { Ip } from '../ip/ip.ts';
import { MulticastGroups } from '../ip/multicast.ts';
import { IpPacket } from '../ip/packet.ts';
import type { IpParts } from '../ip/parts.ts';
import { Protocols } from '../ip/protocols.ts';
import type { InetShared } from '../ip/shared.ts';
import type { InPacket, Transport } from '../ip/transport.ts';
import { AddressDetection } from './address-detection.ts';
import type { AddressLifetimes } from './address-lifetimes.ts';
import { Addresses6 } from './addresses.ts';
import { AutoconfigurationPoint } from './autoconfiguration.ts';
import { Forwarder6 } from './forward.ts';
import { groupFamily6 } from './groups.ts';
import { Icmp6 } from './icmp.ts';
import { Ip6Input } from './input.ts';
import { Links6 } from './link.ts';
import { LinkControl6 } from './link-control.ts';
import { LinkOutput6 } from './link-output.ts';
import { Mld } from './mld.ts';
import { NeighborInput6 } from './neighbor-discovery.ts';
import { NeighborOutput6 } from './neighbor-output.ts';
import { PathResolver6 } from './path.ts';
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
  readonly paths: PathResolver6;
  readonly linkOutput: LinkOutput6;
  readonly neighborInput: NeighborInput6;
  readonly icmp: Icmp6;
  readonly input: Ip6Input;
  /** Autoconfiguration registers here. */
  readonly autoconfiguration: AutoconfigurationPoint = new AutoconfigurationPoint();
  /** `net.inet6.ip6.forwarding`. */
  readonly forwarding: SysctlVariable;
  readonly #context: InetContext;
  readonly #ip: Ip;
  readonly #protocols: Protocols = new Protocols();
  readonly #control: LinkControl6;
  readonly #redirects: Redirects6;
  readonly #retransMs: SysctlVariable;
  /** Describes a packet that waited in vain for a neighbor. */
  readonly #undelivered: IpPacket;

  /** `enabled` is the first value of `net.inet6.ip6.enable`. */
  constructor(context: InetContext, parts: IpParts, enabled: boolean) {
    const { interner, rng } = context;
    const { sysctl } = context.shared;
    const { ip, filter, raw, reject } = parts;
    const { epoch, interfaces, noInterface, pathMtu, transmitter } = ip;
    this.#context = context;
    this.#ip = ip;
    this.interner = interner;
    this.#undelivered = new IpPacket(noInterface);
    const enable = sysctl.toggle(
      'net.inet6.ip6.enable',
      enabled,
      'IPv6 on this machine; setting it to 1 switches it on for every interface',
    );
    const autoLinkLocal = sysctl.toggle('net.inet6.ip6.auto_linklocal', true, 'make link-local addresses');
    const forwarding = sysctl.toggle('net.inet6.ip6.forwarding', false, 'act as a router for IPv6');
    this.forwarding = forwarding;
    const addresses = new Addresses6(interner);
    this.addresses = addresses;
    const routes = makeRoutes(context.shared, interner, context.counters);
    this.routes = routes;
    const { autoconfiguration, links } = this;
    const sources = new SourceSelector({ interner, interfaces, epoch, routes, autoconfiguration, sysctl });
    this.sources = sources;
    const linkOutput = new LinkOutput6(context);
    this.linkOutput = linkOutput;
    const isRouter = (): boolean => forwarding.value !== 0;
    const neighborOutput = new NeighborOutput6(context, {
      addresses,
      sources,
      output: linkOutput,
      forwarding: isRouter,
    });
    const neighbors = new NeighborCache(
      context,
      epoch,
      {
        request: (neighbor, unicast) => neighborOutput.solicit(neighbor, unicast),
        transmit: (neighbor, at, totalBytes, meta) => this.#transmitPending(neighbor, at, totalBytes, meta),
        undeliverable: (neighbor, at, totalBytes, nowUs) => this.#undeliverable(neighbor, at, totalBytes, nowUs),
        lost: (neighbor) => this.#neighborLost(neighbor),
      },
      this.#neighborProtocol(),
    );
    this.neighbors = neighbors;
    this.#retransMs = sysctl.get('net.inet6.icmp6.nd6_retrans') as SysctlVariable;
    const mld = new Mld(context, linkOutput, links);
    this.groups = makeGroups(context.shared, interner, context.counters, mld);
    const retransMs = ({ iface }: InterfaceAddress6): number => this.#retrans(iface);
    this.#control = new LinkControl6(context, {
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
      detection: (settled) => new AddressDetection(context, neighborOutput, retransMs, settled),
    });
    const { detection } = this.#control;
    const neighborInput = new NeighborInput6(context, {
      addresses,
      neighbors,
      output: neighborOutput,
      detection,
      routerGone: (neighbor) => this.#routerGone(neighbor),
    });
    this.neighborInput = neighborInput;
    const redirects = new Redirects6(context, {
      addresses,
      routes,
      links,
      linkOutput,
      neighborInput,
      forwarding,
    });
    this.#redirects = redirects;
    const protocols = this.#protocols;
    const icmp = new Icmp6(context, {
      addresses,
      sources,
      ip,
      pathMtu,
      raw,
      neighbors: neighborInput,
      redirects,
      mld,
      autoconfiguration,
      protocols,
    });
    this.icmp = icmp;
    const { paths } = ip;
    const forwarder = new Forwarder6(context, {
      addresses,
      paths,
      output: new ForwardOutput(context, neighbors, transmitter, 'ip6'),
      icmp,
      redirects,
      forwarding,
    });
    this.input = new Ip6Input(context, {
      addresses,
      links,
      filter,
      forwarder,
      icmp,
      raw,
      reject,
      protocols,
      noInterface,
    });
    protocols.register(icmp);
    const autoFlowLabel = sysctl.toggle('net.inet6.ip6.auto_flowlabel', true, 'give flows random labels');
    this.paths = new PathResolver6({
      routes,
      addresses,
      sourceAddresses: sources,
      links,
      neighbors,
      pathMtu,
      rng,
      autoFlowLabel,
    });
    this.#addHolders(parts);
    forwarding.onChange = () => this.autoconfiguration.registered.forwardingChanged();
  }

  /** Lifetimes of addresses configured by hand. */
  get lifetimes(): AddressLifetimes {
    return this.#control.lifetimes;
  }

  // --- ProtocolFamily ---

  register(transport: Transport): void {
    this.#protocols.register(transport);
  }

  /** `code` is one of ICMPv4. */
  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    this.icmp.sendUnreachable(packet, code6Of(code), nowUs);
  }

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
          entry.state !== 'duplicated' && this.addresses.samePrefix(entry.address, gateway, entry.prefixLength),
      );
      if (on) return iface;
    }
    return null;
  }

  linkOf(address: number): Interface | null {
    return this.gatewayInterface(address);
  }

  routeRemoved(route: Route): void {
    this.#redirects.removed(route);
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
  ): number {
    return this.#control.addAddress(iface, address, prefixLength, origin, anycast);
  }

  removeAddress(iface: Interface, address: number): number {
    return this.#control.removeAddress(iface, address);
  }

  /** A preferred lifetime ended, or began anew. */
  setDeprecated(entry: InterfaceAddress6, deprecated: boolean): void {
    this.#control.setDeprecated(entry, deprecated);
  }

  // --- Neighbors ---

  #neighborLost(neighbor: Neighbor): void {
    this.autoconfiguration.registered.neighborLost(neighbor);
    this.#redirects.gatewayDown(neighbor.address);
  }

  #routerGone(neighbor: Neighbor): void {
    this.autoconfiguration.registered.routerGone(neighbor);
    this.#redirects.gatewayDown(neighbor.address);
  }

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
    const src = this.interner.internAddress(ipv6.src(view, at), zone);
    const dst = this.interner.internAddress(ipv6.dst(view, at), zone);
    const ours = src !== 0 && dst !== 0 && this.addresses.isLocal(src);
    const mtuBytes = ours ? this.#ip.pathMtu.lookup(dst, linkMtuBytes) : linkMtuBytes;
    this.#ip.transmitter.send(iface, macHi, macLo, at, totalBytes, meta, mtuBytes);
  }

  /** RFC 4861 7.2.2: the sender is told, be it one of our transports or another host. */
  #undeliverable(neighbor: Neighbor, at: number, totalBytes: number, nowUs: number): void {
    const { view } = this.#context.shared.arena;
    const { iface } = neighbor;
    const src = this.interner.internAddress(ipv6.src(view, at), iface.index);
    const dst = this.interner.internAddress(ipv6.dst(view, at), iface.index);
    if (src === 0 || dst === 0) return;
    if (this.addresses.isLocal(src)) {
      this.icmp.reportLocally(src, dst, at, totalBytes, icmpv6.CODE_ADDRESS_UNREACHABLE, nowUs);
      return;
    }
    const packet = this.#undelivered;
    packet.headerAt = at;
    packet.at = at + ipv6.HEADER_BYTES;
    packet.lengthBytes = totalBytes - ipv6.HEADER_BYTES;
    packet.protocol = ipv6.nextHeader(view, at);
    packet.src = src;
    packet.dst = dst;
    packet.broadcast = false;
    // The arrival interface is not kept: the error's source is of the interface that it leaves by.
    const back = this.#ip.transientPath(src, 0, 0, null);
    packet.iface = typeof back === 'number' ? iface : back.iface;
    this.icmp.sendUnreachable(packet, icmpv6.CODE_ADDRESS_UNREACHABLE, nowUs);
  }

  /** The tables of layer 3 hold handles of the interner. */
  #addHolders({ filter }: IpParts): void {
    const { interner } = this;
    const { interfaces, paths, pathMtu } = this.#ip;
    interner.addHolder(this.routes);
    interner.addHolder(this.neighbors);
    interner.addHolder(pathMtu);
    interner.addHolder(filter);
    interner.addHolder({
      markAddresses: (mark) => {
        paths.forgetTransient6();
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

/** RFC 7915 section 4.2: the code of ICMPv6 that says what one of ICMPv4's destination unreachable says. */
function code6Of(code: number): number {
  switch (code) {
    case icmpv4.CODE_PORT_UNREACHABLE:
      return icmpv6.CODE_PORT_UNREACHABLE;
    case icmpv4.CODE_NET_UNREACHABLE:
      return icmpv6.CODE_NO_ROUTE;
    case icmpv4.CODE_HOST_UNREACHABLE:
      return icmpv6.CODE_ADDRESS_UNREACHABLE;
    default:
      return icmpv6.CODE_ADMIN_PROHIBITED;
  }
}

function makeRoutes(shared: InetShared, interner: AddressInterner, counters: Counters): RouteTable6 {
  const { sysctl, epoch } = shared;
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

function makeGroups(shared: InetShared, interner: AddressInterner, counters: Counters, listener: Mld): MulticastGroups {
  const { sysctl, epoch, interfaces } = shared;
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
