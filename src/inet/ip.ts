/**
 * IP of one kernel, put together: what transports see of both families ({@link IpService}), and what configures IPv4. What is
 * particular to IPv6 is `six` (inet/ip6/ip6.ts); output, paths, raw sockets and the filter are shared.
 *
 * Thread: the one that runs the kernel. Read first: inet/ip/transport.ts (the contract), then inet/ip/output.ts and inet/ip4/input.ts.
 */

import { Errno } from '../base/errors.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { Interface, InterfaceAddress } from '../net/interface.ts';
import { type Neighbor, NeighborCache } from '../net/neighbor-cache.ts';
import { PathEpoch } from '../net/path-epoch.ts';
import {
  makeRoute,
  type Route,
  RTF_CONNECTED,
  RTF_DYNAMIC,
  RTF_HOST,
  RTF_LOCAL,
  RTF_REJECT,
  RTF_UP,
} from '../net/route.ts';
import { RouteTable } from '../net/route-table.ts';
import * as icmpv4 from '../wire/icmpv4.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { isMulticast } from '../wire/ipv4.ts';
import { isIp6 } from './ip/address-interner.ts';
import type { InetContext } from './ip/context.ts';
import { IngressFilter } from './ip/ingress-filter.ts';
import { MulticastGroups } from './ip/multicast.ts';
import { IpOutput } from './ip/output.ts';
import { IpPacket } from './ip/packet.ts';
import { type IpPath, PathTable } from './ip/path.ts';
import { PathMtu } from './ip/path-mtu.ts';
import { RawSockets } from './ip/raw-sockets.ts';
import { Refuser } from './ip/reject.ts';
import { RunOutput } from './ip/run-output.ts';
import { Transmitter } from './ip/transmit.ts';
import { type InPacket, IP_ALLOW_BROADCAST, type IpService, type Path, type Transport } from './ip/transport.ts';
import { AddressConflicts } from './ip4/address-conflict.ts';
import { Addresses4 } from './ip4/addresses.ts';
import { ArpInput, ArpOutput } from './ip4/arp.ts';
import { Forwarder } from './ip4/forward.ts';
import { groupFamily4 } from './ip4/groups.ts';
import { Icmp } from './ip4/icmp.ts';
import { Igmp } from './ip4/igmp.ts';
import { IpInput } from './ip4/input.ts';
import { readPacket } from './ip4/packet.ts';
import { Redirects } from './ip4/redirect.ts';
import { Autoconfigurator } from './ip6/autoconf/autoconfiguration.ts';
import { orderDestinations } from './ip6/destination-order.ts';
import { Ip6 } from './ip6/ip6.ts';

const HOST_PREFIX = 32;

export class Ip implements IpService {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly bulk: Bulk;
  readonly epoch: PathEpoch = new PathEpoch();
  readonly routes: RouteTable;
  readonly addresses: Addresses4 = new Addresses4();
  readonly neighbors: NeighborCache;
  readonly paths: PathTable;
  readonly output: IpOutput;
  readonly input: IpInput;
  readonly arp: ArpInput;
  readonly icmp: Icmp;
  readonly raw: RawSockets;
  readonly groups: MulticastGroups;
  readonly filter: IngressFilter = new IngressFilter();
  readonly interfaces: readonly Interface[];
  readonly six: Ip6;
  readonly autoconfiguration: Autoconfigurator;
  readonly #conflicts: AddressConflicts;
  readonly #redirects: Redirects;
  readonly #runs: RunOutput;
  readonly #transmitter: Transmitter;
  readonly #pathMtu: PathMtu;
  readonly #scrap: IpPacket;

  /** `interfaces` is the kernel's list, which grows as devices are attached. `nowhere` stands for "no interface". */
  constructor(context: InetContext, interfaces: readonly Interface[], nowhere: Interface, ipv6: boolean) {
    const { counters } = context;
    const { arena, sysctl } = context.shared;
    this.view = arena.view;
    this.bytes = arena.bytes;
    this.bulk = context.bulk;
    this.interfaces = interfaces;
    const { addresses, epoch, filter } = this;
    const maxRoutes = sysctl.integer('net.inet.ip.maxroutes', 16384, 16, 1 << 20, 'routes at most');
    const forwarding = sysctl.toggle('net.inet.ip.forwarding', false, 'act as a router');
    const routesRefused = counters.index('ip-routes-refused');
    const routes = new RouteTable(epoch, maxRoutes.value, () => counters.add(routesRefused, 1));
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
    const arpOutput = new ArpOutput(context, addresses);
    const neighbors = new NeighborCache(context, epoch, {
      request: (neighbor, unicast) => arpOutput.request(neighbor, unicast),
      transmit: (neighbor, at, totalBytes, meta) => this.#transmitPending(neighbor, at, totalBytes, meta),
      undeliverable: (neighbor, at, totalBytes, nowUs) => this.#undeliverable(neighbor, at, totalBytes, nowUs),
    });
    const pathMtu = new PathMtu(context, epoch);
    const paths = new PathTable({ epoch, routes, addresses, neighbors, pathMtu, interfaces });
    const transmitter = new Transmitter(context);
    const output = new IpOutput(context, paths, neighbors, transmitter);
    const raw = new RawSockets(context, paths, output);
    const redirects = new Redirects(context, epoch, routes, addresses, forwarding);
    const icmp = new Icmp(context, {
      addresses,
      paths,
      output,
      pathMtu,
      redirects,
      raw,
      transport: (protocol) => this.input.transport(protocol),
    });
    const forwarder = new Forwarder(context, paths, neighbors, transmitter, icmp, forwarding);
    const refuser = new Refuser(context, paths, output, this);
    this.routes = routes;
    this.neighbors = neighbors;
    this.paths = paths;
    this.output = output;
    this.#runs = new RunOutput(context, paths, output);
    this.raw = raw;
    this.icmp = icmp;
    this.#transmitter = transmitter;
    this.#pathMtu = pathMtu;
    this.#redirects = redirects;
    this.#scrap = new IpPacket(nowhere);
    this.input = new IpInput(context, { addresses, routes, filter, forwarder, icmp, raw, refuser }, nowhere);
    const maxGroups = sysctl.integer('net.inet.igmp.maxgroups', 256, 1, 65536, 'groups of one interface');
    const groupsRefused = counters.index('igmp-groups-refused');
    this.groups = new MulticastGroups(groupFamily4, epoch, maxGroups, () => counters.add(groupsRefused, 1));
    sysctl.limits.add({
      table: 'IPv4 multicast groups of one interface',
      variable: maxGroups,
      counter: 'igmp-groups-refused',
      whenFull: 'joining fails with ENOBUFS',
      size: () => interfaces.reduce((most, iface) => Math.max(most, this.groups.count(iface)), 0),
    });
    this.#conflicts = new AddressConflicts(context, arpOutput);
    this.#conflicts.onResult = (iface, entry, free) => this.#probed(iface, entry, free);
    this.arp = new ArpInput(context, addresses, neighbors, this.#conflicts, filter, arpOutput);
    const igmp = new Igmp(context, paths, output);
    this.groups.listener = igmp;
    this.input.register(icmp);
    this.input.register(igmp);
    this.six = new Ip6(
      context,
      { interfaces, epoch, paths, output, transmitter, pathMtu, raw, filter, refuser },
      ipv6,
      nowhere,
    );
    this.autoconfiguration = new Autoconfigurator(context, this.six, interfaces, epoch);
  }

  /** Addresses of one peer, of both families, in the order in which to try them (RFC 6724 section 6). */
  orderDestinations(destinations: readonly number[]): number[] {
    return orderDestinations(this.paths, this.six.addresses, destinations);
  }

  // --- IpService ---

  register(transport: Transport): void {
    this.input.register(transport);
    this.six.input.register(transport);
  }

  openPath(dst: number, src: number, flags: number): Path | number {
    return this.paths.open(dst, src, flags, null);
  }

  closePath(path: Path): void {
    (path as IpPath).epoch = 0;
  }

  begin(path: Path, protocol: number, payloadBytes: number, ttl: number, tos: number, flags: number): number {
    return this.output.begin(path as IpPath, protocol, payloadBytes, ttl, tos, flags);
  }

  end(meta: number): void {
    this.output.end(meta);
  }

  cancel(): void {
    this.output.cancel();
  }

  beginRun(path: Path, protocol: number, payloadBytes: number, count: number, ttl: number, tos: number): number {
    return this.#runs.begin(path as IpPath, protocol, payloadBytes, count, ttl, tos);
  }

  get runCount(): number {
    return this.#runs.count;
  }

  endRun(headerBytes: number, src: number, segmentBytes: number, sum: number, meta: number): void {
    this.#runs.end(headerBytes, src, segmentBytes, sum, meta);
  }

  awaitRoom(path: Path): boolean {
    return this.output.awaitRoom(path as IpPath);
  }

  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    if (isIp6(packet.dst)) this.six.icmp.sendUnreachable(packet, code6Of(code), nowUs);
    else this.icmp.sendUnreachable(packet, code, nowUs);
  }

  isLocal(address: number): boolean {
    return isIp6(address) ? this.six.addresses.isLocal(address) : this.addresses.isLocal(address);
  }

  isBroadcast(address: number): boolean {
    return this.addresses.isBroadcast(address);
  }

  fingerprint(address: number): number {
    return isIp6(address) ? this.six.table.fingerprint(address) : address;
  }

  confirm(path: Path, nowUs: number): void {
    const { neighbor } = path as IpPath;
    if (neighbor.address === 0) return;
    if (isIp6(neighbor.address)) this.six.neighbors.confirm(neighbor, nowUs);
    else this.neighbors.confirm(neighbor, nowUs);
  }

  // --- Within layers 3 and 4 ---

  /** `openPath` with the interface that broadcasts and multicasts leave through. */
  openPathVia(dst: number, src: number, flags: number, via: Interface | null): IpPath | number {
    return this.paths.open(dst, src, flags, via);
  }

  /** A path for one packet; not to be kept. */
  passingPath(dst: number, src: number, flags: number, via: Interface | null): IpPath | number {
    return this.paths.passing(dst, src, flags, via);
  }

  /** The interface on whose link an address is, by our addresses there; null when it is on none. */
  linkOf(address: number): Interface | null {
    if (isIp6(address)) return this.six.gatewayInterface(address);
    return this.interfaces.find((iface) => iface.addressFor(address) !== null) ?? null;
  }

  /** Whether an address is a group, of either family. */
  isMulticast(address: number): boolean {
    return isIp6(address) ? this.six.addresses.isGroup(address) : isMulticast(address);
  }

  /** The groups of the family of `group`. */
  groupsOf(group: number): MulticastGroups {
    return isIp6(group) ? this.six.groups : this.groups;
  }

  /** A group as it is known on an interface: with its zone, where it has one; 0 when there is no room for that. */
  groupOn(group: number, iface: Interface): number {
    return isIp6(group) ? this.six.addresses.onLink(group, iface) : group;
  }

  /** The interface on which a membership that names none is taken. */
  multicastInterface(group: number): Interface | null {
    const path = this.paths.passing(group, 0, IP_ALLOW_BROADCAST, null);
    return typeof path === 'number' ? null : path.iface;
  }

  // --- Configuration ---

  /**
   * Give an interface an address, with its host route through lo0 and the route to its subnet. With probing on, it is
   * tentative first. Returns 0, `-EEXIST`, `-EINVAL`, `-ENOBUFS`.
   */
  addAddress(iface: Interface, address: number, prefixLength: number): number {
    const state = this.#conflicts.probes(iface) ? 'tentative' : 'valid';
    const entry = this.addresses.add(iface, address, prefixLength, state);
    if (typeof entry === 'number') return entry;
    if (state === 'valid') this.#addRoutes(iface, entry);
    this.epoch.bump();
    this.#conflicts.watch(iface, entry);
    return 0;
  }

  /** Returns 0 or `-EADDRNOTAVAIL`. */
  removeAddress(iface: Interface, address: number): number {
    const entry = this.addresses.remove(iface, address);
    if (entry === null) return -Errno.EADDRNOTAVAIL;
    this.#conflicts.forget(address);
    this.#removeRoutes(iface, entry);
    this.epoch.bump();
    return 0;
  }

  /**
   * Add a route; 0, `-EEXIST`, `-EINVAL`, `-ENOBUFS`, or `-ENETUNREACH` when the gateway is on none of our subnets.
   */
  addRoute(destination: number, prefixLength: number, gateway: number, flags: number): number {
    // An address that is still being probed will do: the route is used when it is valid.
    const on = this.interfaces.find((iface) => iface.onLink(gateway)) ?? null;
    const own = this.addresses.owner(gateway);
    const iface = own ?? on ?? ((flags & RTF_REJECT) !== 0 ? this.addresses.loopback : null);
    if (iface === null) return -Errno.ENETUNREACH;
    return this.routes.add(makeRoute(destination, prefixLength, gateway, iface, flags | RTF_UP, HOST_PREFIX));
  }

  /** Returns the route taken out, or null when that prefix has none (or, with `gateway` not 0, another gateway). */
  removeRoute(destination: number, prefixLength: number, gateway: number): Route | null {
    const route = this.routes.find(destination, prefixLength);
    if (route === null || (gateway !== 0 && route.gateway !== gateway)) return null;
    this.routes.remove(destination, prefixLength);
    if ((route.flags & RTF_DYNAMIC) !== 0) this.#redirects.removed(route);
    return route;
  }

  /** An interface went up or down, or changed its MTU: nothing looked up before holds. */
  interfaceChanged(iface: Interface): void {
    this.epoch.bump();
    if (!iface.up) this.neighbors.flush(iface, false);
    this.six.interfaceChanged(iface);
  }

  /** An interface that was down is up: say again which addresses are here. */
  announce(iface: Interface): void {
    this.#conflicts.announceAll(iface);
  }

  /** Before an interface is detached. */
  detach(iface: Interface): void {
    this.autoconfiguration.detached(iface);
    this.six.detach(iface);
    for (const { address } of [...iface.addresses]) this.removeAddress(iface, address);
    for (const route of this.routes.list()) {
      if (route.iface === iface) this.removeRoute(route.destination, route.prefixLength, 0);
    }
    this.groups.detach(iface);
    this.neighbors.flush(iface, true);
  }

  #addRoutes(iface: Interface, entry: InterfaceAddress): void {
    const lo = this.addresses.loopback ?? iface;
    const flags = RTF_UP | RTF_HOST | RTF_LOCAL;
    this.routes.add(makeRoute(entry.address, HOST_PREFIX, entry.address, lo, flags, HOST_PREFIX));
    if (entry.prefixLength < HOST_PREFIX) {
      this.routes.add(makeRoute(entry.network, entry.prefixLength, 0, iface, RTF_UP | RTF_CONNECTED, HOST_PREFIX));
    }
  }

  /** A subnet that another address is on too keeps a route. */
  #removeRoutes(iface: Interface, entry: InterfaceAddress): void {
    const host = this.routes.find(entry.address, HOST_PREFIX);
    if (host !== null && (host.flags & RTF_LOCAL) !== 0) this.routes.remove(entry.address, HOST_PREFIX);
    const subnet = this.routes.find(entry.network, entry.prefixLength);
    if (subnet === null || subnet.iface !== iface || (subnet.flags & RTF_CONNECTED) === 0) return;
    this.routes.remove(entry.network, entry.prefixLength);
    const { network, prefixLength } = entry;
    for (const other of this.interfaces) {
      const still = other.addresses.some(
        (one) => one.state === 'valid' && one.network === network && one.prefixLength === prefixLength,
      );
      if (!still) continue;
      this.routes.add(makeRoute(network, prefixLength, 0, other, RTF_UP | RTF_CONNECTED, HOST_PREFIX));
      return;
    }
  }

  #probed(iface: Interface, entry: InterfaceAddress, free: boolean): void {
    if (free) {
      this.addresses.activate(iface, entry);
      this.#addRoutes(iface, entry);
    } else {
      entry.state = 'duplicated';
    }
    this.epoch.bump();
  }

  #transmitPending(neighbor: Neighbor, at: number, totalBytes: number, meta: number): void {
    const { iface, macHi, macLo } = neighbor;
    const mtuBytes = this.#pathMtu.lookup(ipv4.dst(this.view, at), iface.mtuBytes);
    this.#transmitter.send(iface, macHi, macLo, at, totalBytes, meta, mtuBytes);
  }

  /** RFC 1122 2.3.2.2, RFC 1812 5.3.3.3: the sender is told, be it one of our transports or another host. */
  #undeliverable(neighbor: Neighbor, at: number, totalBytes: number, nowUs: number): void {
    this.#redirects.gatewayDown(neighbor.address);
    const src = ipv4.src(this.view, at);
    if (this.addresses.isLocal(src)) {
      this.icmp.reportLocally(at, totalBytes, icmpv4.CODE_HOST_UNREACHABLE, nowUs);
      return;
    }
    // Where it came in is forgotten: the error's source is of the interface that it leaves by (RFC 1812 4.3.2.4).
    const back = this.paths.passing(src, 0, 0, null);
    readPacket(this.#scrap, this.view, at, typeof back === 'number' ? neighbor.iface : back.iface);
    this.icmp.sendUnreachable(this.#scrap, icmpv4.CODE_HOST_UNREACHABLE, nowUs);
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
