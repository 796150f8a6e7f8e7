/**
 * IPv4 of one kernel, put together: input, addresses, routes, ARP, ICMP, IGMP, redirects. Output, paths and raw sockets are
 * shared with IPv6 (inet/ip).
 *
 * Thread: the one that runs the kernel. Read first: inet/ip/family.ts (the contract), then input.ts and path.ts.
 * Cold: assembly and configuration.
 */

import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import { ConnectedRoutes } from '../../net/connected-routes.ts';
import type { Interface, InterfaceAddress } from '../../net/interface.ts';
import { type Neighbor, NeighborCache } from '../../net/neighbor-cache.ts';
import { type Route, RTF_DYNAMIC } from '../../net/route.ts';
import { RouteTable } from '../../net/route-table.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
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
import { AddressConflicts } from './address-conflict.ts';
import { Addresses4 } from './addresses.ts';
import { ArpInput } from './arp.ts';
import { ArpOutput } from './arp-output.ts';
import { Forwarder } from './forward.ts';
import { groupFamily4 } from './groups.ts';
import { Icmp } from './icmp.ts';
import { Igmp } from './igmp.ts';
import { IpInput } from './input.ts';
import { readPacket } from './packet.ts';
import { PathResolver4 } from './path.ts';
import { Redirects } from './redirect.ts';

const HOST_PREFIX = 32;

export class Ip4 implements ProtocolFamily {
  readonly hostPrefix: number = HOST_PREFIX;
  readonly addresses: Addresses4 = new Addresses4();
  readonly routes: RouteTable;
  readonly neighbors: NeighborCache;
  readonly groups: MulticastGroups;
  readonly paths: PathResolver4;
  readonly input: IpInput;
  readonly arp: ArpInput;
  readonly icmp: Icmp;
  readonly #view: DataView;
  readonly #ip: Ip;
  readonly #protocols: Protocols = new Protocols();
  readonly #connected: ConnectedRoutes;
  readonly #conflicts: AddressConflicts;
  readonly #redirects: Redirects;
  /** Describes a packet that waited in vain for a neighbor. */
  readonly #undelivered: IpPacket;

  constructor(context: InetContext, parts: IpParts) {
    const { ip, filter, raw, reject } = parts;
    const { epoch, interfaces, pathMtu, transmitter } = ip;
    const { addresses } = this;
    const { sysctl } = context.shared;
    this.#ip = ip;
    this.#view = context.shared.arena.view;
    this.#undelivered = new IpPacket(ip.noInterface);
    const forwarding = sysctl.toggle('net.inet.ip.forwarding', false, 'act as a router');
    const routes = makeRoutes(context.shared, context.counters);
    const arpOutput = new ArpOutput(context, addresses);
    const neighbors = new NeighborCache(context, epoch, {
      request: (neighbor, unicast) => arpOutput.request(neighbor, unicast),
      transmit: (neighbor, at, totalBytes, meta) => this.#transmitPending(neighbor, at, totalBytes, meta),
      undeliverable: (neighbor, at, totalBytes, nowUs) => this.#undeliverable(neighbor, at, totalBytes, nowUs),
    });
    this.routes = routes;
    this.neighbors = neighbors;
    this.#connected = new ConnectedRoutes(routes, HOST_PREFIX);
    this.paths = new PathResolver4({ routes, addresses, neighbors, pathMtu, interfaces });
    const redirects = new Redirects(context, routes, addresses, forwarding);
    this.#redirects = redirects;
    const protocols = this.#protocols;
    const icmp = new Icmp(context, { addresses, ip, pathMtu, redirects, raw, protocols });
    this.icmp = icmp;
    const forwardOutput = new ForwardOutput(context, neighbors, transmitter, 'ip');
    const forwarder = new Forwarder(context, { paths: ip.paths, output: forwardOutput, icmp, forwarding });
    const { noInterface } = ip;
    this.input = new IpInput(context, {
      addresses,
      routes,
      filter,
      forwarder,
      icmp,
      raw,
      reject,
      protocols,
      noInterface,
    });
    const igmp = new Igmp(context, ip);
    this.groups = makeGroups(context.shared, context.counters, igmp);
    this.#conflicts = new AddressConflicts(context, arpOutput, (iface, entry, free) =>
      this.#probed(iface, entry, free),
    );
    this.arp = new ArpInput(context, addresses, neighbors, this.#conflicts, filter, arpOutput);
    protocols.register(icmp);
    protocols.register(igmp);
  }

  // --- ProtocolFamily ---

  register(transport: Transport): void {
    this.#protocols.register(transport);
  }

  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    this.icmp.sendUnreachable(packet, code, nowUs);
  }

  fingerprint(address: number): number {
    return address;
  }

  groupOn(group: number): number {
    return group;
  }

  /** With probing on ({@link AddressConflicts}) the address is tentative first. */
  addAddress(iface: Interface, address: number, prefixLength: number): number {
    const state = this.#conflicts.probes(iface) ? 'tentative' : 'valid';
    const entry = this.addresses.add(iface, address, prefixLength, state);
    if (typeof entry === 'number') return entry;
    if (state === 'valid') this.#addRoutes(iface, entry);
    this.#ip.epoch.bump();
    this.#conflicts.watch(iface, entry);
    return 0;
  }

  removeAddress(iface: Interface, address: number): number {
    const entry = this.addresses.remove(iface, address);
    if (entry === null) return -Errno.EADDRNOTAVAIL;
    this.#conflicts.forget(address);
    this.#removeRoutes(iface, entry);
    this.#ip.epoch.bump();
    return 0;
  }

  gatewayInterface(gateway: number): Interface | null {
    // A subnet whose address is still being probed counts: the route is used once the address is valid.
    return this.addresses.owner(gateway) ?? this.#ip.interfaces.find((iface) => iface.onLink(gateway)) ?? null;
  }

  linkOf(address: number): Interface | null {
    return this.#ip.interfaces.find((iface) => iface.addressFor(address) !== null) ?? null;
  }

  routeRemoved(route: Route): void {
    if ((route.flags & RTF_DYNAMIC) !== 0) this.#redirects.removed(route);
  }

  attach(iface: Interface): void {
    this.groups.attach(iface);
  }

  /** An interface that came up announces its addresses again. */
  interfaceChanged(iface: Interface, cameUp: boolean): void {
    if (!iface.up) this.neighbors.flush(iface, false);
    if (cameUp) this.#conflicts.announceAll(iface);
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

  #addRoutes(iface: Interface, { address, network, prefixLength }: InterfaceAddress): void {
    this.#connected.addHost(address, this.addresses.loopback ?? iface);
    if (prefixLength < HOST_PREFIX) this.#connected.addPrefix(network, prefixLength, iface);
  }

  /** A subnet that another address is on too keeps a route. */
  #removeRoutes(iface: Interface, { address, network, prefixLength }: InterfaceAddress): void {
    this.#connected.removeHost(address);
    const heir = this.#ip.interfaces.find((other) =>
      other.addresses.some(
        (one) => one.state === 'valid' && one.network === network && one.prefixLength === prefixLength,
      ),
    );
    this.#connected.removePrefix(network, prefixLength, iface, heir ?? null);
  }

  #probed(iface: Interface, entry: InterfaceAddress, free: boolean): void {
    if (free) {
      this.addresses.activate(iface, entry);
      this.#addRoutes(iface, entry);
    } else {
      entry.state = 'duplicated';
    }
    this.#ip.epoch.bump();
  }

  // --- Packets that waited for a neighbor ---

  #transmitPending(neighbor: Neighbor, at: number, totalBytes: number, meta: number): void {
    const { iface, macHi, macLo } = neighbor;
    const mtuBytes = this.#ip.pathMtu.lookup(ipv4.dst(this.#view, at), iface.mtuBytes);
    this.#ip.transmitter.send(iface, macHi, macLo, at, totalBytes, meta, mtuBytes);
  }

  /** RFC 1122 2.3.2.2, RFC 1812 5.3.3.3: the sender is told, be it one of our transports or another host. */
  #undeliverable(neighbor: Neighbor, at: number, totalBytes: number, nowUs: number): void {
    this.#redirects.gatewayDown(neighbor.address);
    const view = this.#view;
    const src = ipv4.src(view, at);
    if (this.addresses.isLocal(src)) {
      this.icmp.reportLocally(at, totalBytes, icmpv4.CODE_HOST_UNREACHABLE, nowUs);
      return;
    }
    // The arrival interface is not kept: the error's source is of the interface that it leaves by (RFC 1812 4.3.2.4).
    const back = this.#ip.transientPath(src, 0, 0, null);
    readPacket(this.#undelivered, view, at, typeof back === 'number' ? neighbor.iface : back.iface);
    this.icmp.sendUnreachable(this.#undelivered, icmpv4.CODE_HOST_UNREACHABLE, nowUs);
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
