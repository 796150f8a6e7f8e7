/**
 * Layers 2 to 4 of one kernel: the half that its CPUs share, with its configuration, and the CPUs' halves over it
 * (inet-cpu.ts). The only file that puts both families together.
 *
 * Thread: the one that runs the kernel. The first CPU owns the tables (ip/shared.ts); CPUs that are added run on its thread.
 * Configuration is by number here. Read first: ip/shared.ts, ip/family.ts.
 */

import { Errno } from '../base/errors.ts';
import type { CpuContext } from '../kern/context.ts';
import type { Sysctl } from '../kern/sysctl.ts';
import type { AddressDetails, Interface } from '../net/interface.ts';
import type { InterfaceTable } from '../net/interface-table.ts';
import type { Route } from '../net/route.ts';
import type { TableEvents } from '../net/table-events.ts';
import { MTU_BYTES_MIN } from '../wire/ipv4.ts';
import { InetCpu } from './inet-cpu.ts';
import { AddressBoundary } from './ip/address-boundary.ts';
import type { InetContext } from './ip/context.ts';
import type { Families, RouteDetails } from './ip/family.ts';
import type { IngressFilter } from './ip/ingress-filter.ts';
import { Ip } from './ip/ip.ts';
import { InetShared } from './ip/shared.ts';
import { Ip4 } from './ip4/ip4.ts';
import { Autoconfigurator } from './ip6/autoconf/autoconfiguration.ts';
import { Ip6 } from './ip6/ip6.ts';
import { ListenerTable } from './tcp/tables/listener-table.ts';

export interface InetOptions {
  /** Number 0. Its heap holds queues of sockets, packets that wait, fragments; its counters have room for about 300 names. */
  cpu: CpuContext;
  /** Whether IPv6 runs from the start; default no. `net.inet6.ip6.enable` switches it later. */
  ipv6?: boolean;
}

export class Inet {
  readonly shared: InetShared;
  readonly sysctl: Sysctl;
  readonly families: Families;
  readonly ip4: Ip4;
  readonly ip6: Ip6;
  readonly autoconfiguration: Autoconfigurator;
  readonly filter: IngressFilter;
  /** Translates between socket addresses and the int32 addresses of this folder. */
  readonly addresses: AddressBoundary;
  readonly tcpListeners: ListenerTable;
  readonly tableEvents: TableEvents;
  readonly interfaceTable: InterfaceTable;
  readonly #cpus: [InetCpu, ...InetCpu[]];

  constructor(options: InetOptions) {
    const shared = new InetShared(options.cpu);
    this.shared = shared;
    this.sysctl = shared.sysctl;
    this.families = shared.families;
    this.filter = shared.filter;
    this.tableEvents = shared.tableEvents;
    this.interfaceTable = shared.interfaces;
    this.addresses = new AddressBoundary(shared.interner, shared.interfaces.list);
    this.tcpListeners = new ListenerTable(options.cpu.rng);
    const owner = contextOf(options.cpu, shared);
    const ip = new Ip(owner);
    this.ip4 = new Ip4(owner, ip);
    this.ip6 = new Ip6(owner, options.ipv6 ?? false);
    shared.families.register(this.ip4, this.ip6);
    this.autoconfiguration = new Autoconfigurator(owner, this.ip6);
    this.ip6.autoconfiguration.register(this.autoconfiguration);
    const first = new InetCpu(owner, ip, this);
    this.#cpus = [first];
    this.ip4.neighbors.pending = first.ip4;
    this.ip6.neighbors.pending = first.ip6;
    shared.interfaces.listener = {
      attached: (iface) => {
        this.tableEvents.listener?.interfaceArrived(iface);
        for (const family of this.families.all) family.attach(iface);
      },
      detaching: (iface) => this.#detaching(iface),
      // To readers of routing messages one interface goes and another comes.
      renaming: (iface) => this.tableEvents.listener?.interfaceDeparted(iface),
      renamed: (iface) => this.tableEvents.listener?.interfaceArrived(iface),
    };
  }

  /** `cpus[i].context.number` is i; the first owns the tables. */
  get cpus(): readonly [InetCpu, ...InetCpu[]] {
    return this.#cpus;
  }

  /** One more CPU over the same tables: number 1 and so on. */
  // cold: assembly
  addCpu(cpu: CpuContext): InetCpu {
    const context = contextOf(cpu, this.shared);
    const added = new InetCpu(context, new Ip(context), this);
    this.#cpus.push(added);
    return added;
  }

  /** In the order in which they were attached. */
  list(): readonly Interface[] {
    return this.interfaceTable.list;
  }

  interface(name: string): Interface | null {
    return this.interfaceTable.named(name);
  }

  // cold: configuration, group membership
  interfaceAt(index: number): Interface | null {
    return this.interfaceTable.at(index);
  }

  /** The interface that has an address, or null. */
  interfaceWithAddress(address: number): Interface | null {
    return this.families.of(address).addresses.owner(address);
  }

  /** Add an address to an interface. Errors as `ProtocolFamily.addAddress`. `details` are of IPv4 alone. */
  // cold: configuration
  configure(iface: Interface, address: number, prefixLength: number, details: AddressDetails = {}): number {
    const family = this.families.of(address);
    return family === this.ip4
      ? this.ip4.addAddress(iface, address, prefixLength, details)
      : family.addAddress(iface, address, prefixLength);
  }

  /** Returns 0 or `-EADDRNOTAVAIL`. */
  unconfigure(iface: Interface, address: number): number {
    return this.families.of(address).removeAddress(iface, address);
  }

  /** Errors as `Families.addRoute`; `flags` are `RTF_*` of the caller's, RTF_GATEWAY among them. */
  // cold: configuration
  addRoute(
    destination: number,
    prefixLength: number,
    gateway: number,
    flags: number,
    via: Interface | null = null,
    details: RouteDetails = {},
  ): number {
    return this.families.addRoute(destination, prefixLength, gateway, flags, via, details);
  }

  /** A route was changed in place. */
  routeChanged(route: Route): void {
    this.tableEvents.listener?.routeChanged(route);
    this.shared.epoch.bump();
  }

  /** Errors as `Families.removeRoute`. */
  removeRoute(destination: number, prefixLength: number, gateway: number): Route | null {
    return this.families.removeRoute(destination, prefixLength, gateway);
  }

  /** Set and clear `IFF_*`. */
  changeFlags(iface: Interface, set: number, clear: number): void {
    const wasUp = iface.up;
    iface.changeFlags(set, clear);
    this.interfaceChanged(iface, iface.up && !wasUp);
  }

  /** Returns 0 or `-EINVAL` (below 68 bytes, RFC 791, or more than the link carries). */
  setMtu(iface: Interface, mtuBytes: number): number {
    if (mtuBytes < MTU_BYTES_MIN || mtuBytes > 65535) return -Errno.EINVAL;
    const error = iface.link.setMtu(mtuBytes);
    if (error < 0) return error;
    this.interfaceChanged(iface, false);
    return 0;
  }

  /** An interface went up or down, or changed its MTU or device: nothing looked up before holds. */
  interfaceChanged(iface: Interface, cameUp: boolean): void {
    this.tableEvents.listener?.interfaceChanged(iface);
    this.shared.epoch.bump();
    for (const family of this.families.all) family.interfaceChanged(iface, cameUp);
  }

  /** Close every link. Peers and neighbors are not told. */
  close(): void {
    this.interfaceTable.close();
  }

  #detaching(iface: Interface): void {
    for (const { udp } of this.cpus) udp.detach(iface);
    for (const family of this.families.all) family.detach(iface);
    for (const { ip } of this.cpus) ip.detach(iface);
    this.tableEvents.listener?.interfaceDeparted(iface);
  }
}

// cold: once per CPU
function contextOf(cpu: CpuContext, shared: InetShared): InetContext {
  const { number, bulk, heap, callouts, softints, rng, counters } = cpu;
  return { number, shared, bulk, heap, callouts, softints, rng, counters, nowUs: () => cpu.nowUs() };
}
