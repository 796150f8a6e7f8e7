/**
 * Layers 2 to 4 of one kernel, put together: interfaces, IP with both families, UDP and TCP. The only file that knows all of
 * inet/ip, ip4, ip6, udp and tcp.
 *
 * Thread: the one that runs the kernel. `poll` takes one batch from every device and runs each frame to completion; `flush`
 * publishes what was sent. Configuration is by number here.
 */

import { assert } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import type { CpuContext } from '../kern/context.ts';
import type { Sysctl } from '../kern/sysctl.ts';
import { Interface } from '../net/interface.ts';
import type { InterfaceTable } from '../net/interface-table.ts';
import { LinkInput, RUN_SCRATCH_BYTES } from '../net/link-input.ts';
import { NoLink } from '../net/no-link.ts';
import type { Route } from '../net/route.ts';
import { TableEvents } from '../net/table-events.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import { AddressBoundary } from './ip/address-boundary.ts';
import { AddressInterner } from './ip/address-interner.ts';
import type { InetContext } from './ip/context.ts';
import { IngressFilter } from './ip/ingress-filter.ts';
import { Ip } from './ip/ip.ts';
import { RawSockets } from './ip/raw-sockets.ts';
import { RejectPolicy } from './ip/reject.ts';
import { InetShared } from './ip/shared.ts';
import { Ip4 } from './ip4/ip4.ts';
import { Autoconfigurator } from './ip6/autoconf/autoconfiguration.ts';
import { orderDestinations } from './ip6/destination-order.ts';
import { Ip6 } from './ip6/ip6.ts';
import { TcpStack } from './tcp/stack.ts';
import { Udp } from './udp/udp.ts';

const MIN_MTU_BYTES = 68;

export interface InetOptions {
  /** Its heap holds queues of sockets, packets that wait, fragments; its counters have room for about 300 names. */
  cpu: CpuContext;
  /** Whether IPv6 runs from the start; default no. `net.inet6.ip6.enable` switches it later. */
  ipv6?: boolean;
}

export class Inet {
  /** One per kernel. */
  readonly shared: InetShared;
  /** Context of its only CPU. */
  readonly context: InetContext;
  readonly sysctl: Sysctl;
  readonly ip: Ip;
  readonly ip4: Ip4;
  readonly ip6: Ip6;
  readonly autoconfiguration: Autoconfigurator;
  readonly filter: IngressFilter = new IngressFilter();
  readonly raw: RawSockets;
  readonly udp: Udp;
  readonly tcp: TcpStack;
  /** Translates between socket addresses and the int32 addresses of this folder. */
  readonly addresses: AddressBoundary;
  /** Changes of interfaces, addresses and routes. */
  readonly tableEvents: TableEvents = new TableEvents();
  readonly interfaceTable: InterfaceTable;
  /** The way in of all interfaces. */
  readonly input: LinkInput;

  constructor(options: InetOptions) {
    const { number, bulk, heap, callouts, softints, rng, counters } = options.cpu;
    const shared = new InetShared(options.cpu.shared);
    this.shared = shared;
    const { sysctl, interfaces: table } = shared;
    this.sysctl = sysctl;
    const nowUs = (): number => options.cpu.nowUs();
    const interner = new AddressInterner({ counters, sysctl, rng });
    this.interfaceTable = table;
    this.addresses = new AddressBoundary(interner, table.list);
    this.context = { number, shared, bulk, heap, callouts, softints, rng, counters, interner, nowUs };
    const { context, filter } = this;
    const noInterface = new Interface('', 0, new NoLink());
    const ip = new Ip(context, noInterface);
    this.ip = ip;
    this.raw = new RawSockets(context, ip);
    const parts = { ip, filter, raw: this.raw, reject: new RejectPolicy(context, ip) };
    this.ip4 = new Ip4(context, parts);
    this.ip6 = new Ip6(context, parts, options.ipv6 ?? false);
    ip.families.register(this.ip4, this.ip6);
    this.autoconfiguration = new Autoconfigurator(context, this.ip6);
    this.ip6.autoconfiguration.register(this.autoconfiguration);
    this.udp = new Udp(context, ip, ip);
    this.tcp = new TcpStack(context, ip);
    const { ip4, ip6 } = this;
    for (const table of [ip4.routes, ip4.addresses, ip6.routes, ip6.addresses]) table.events = this.tableEvents;
    const scratchAt = heap.allocate(RUN_SCRATCH_BYTES);
    assert(scratchAt >= 0, 'the kernel has no memory for one frame');
    this.input = new LinkInput(bulk, scratchAt, counters, table.list, noInterface);
    this.input.register(ETHERTYPE_IPV4, this.ip4.input);
    this.input.register(ETHERTYPE_IPV6, this.ip6.input);
    this.input.register(ETHERTYPE_ARP, this.ip4.arp);
    table.input = this.input;
    table.listener = {
      attached: (iface) => {
        this.tableEvents.listener?.interfaceArrived(iface);
        ip.attach(iface);
      },
      detaching: (iface) => {
        this.udp.detach(iface);
        ip.detach(iface);
        this.tableEvents.listener?.interfaceDeparted(iface);
      },
      // To readers of routing messages one interface goes and another comes.
      renaming: (iface) => this.tableEvents.listener?.interfaceDeparted(iface),
      renamed: (iface) => this.tableEvents.listener?.interfaceArrived(iface),
    };
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
    return this.ip.families.of(address).addresses.owner(address);
  }

  /** Add an address to an interface. Errors as `ProtocolFamily.addAddress`. */
  configure(iface: Interface, address: number, prefixLength: number): number {
    return this.ip.families.of(address).addAddress(iface, address, prefixLength);
  }

  /** Returns 0 or `-EADDRNOTAVAIL`. */
  unconfigure(iface: Interface, address: number): number {
    return this.ip.families.of(address).removeAddress(iface, address);
  }

  /** Errors as `Families.addRoute`; `flags` are `RTF_*` of the caller's, RTF_GATEWAY among them. */
  addRoute(
    destination: number,
    prefixLength: number,
    gateway: number,
    flags: number,
    via: Interface | null = null,
  ): number {
    return this.ip.families.addRoute(destination, prefixLength, gateway, flags, via);
  }

  /** Errors as `Families.removeRoute`. */
  removeRoute(destination: number, prefixLength: number, gateway: number): Route | null {
    return this.ip.families.removeRoute(destination, prefixLength, gateway);
  }

  /** Addresses of one peer, of both families, in the order in which to try them (RFC 6724 section 6). */
  orderDestinations(destinations: readonly number[]): number[] {
    return orderDestinations(this.ip.paths, this.ip6.addresses, destinations);
  }

  /** Set and clear `IFF_*`. */
  changeFlags(iface: Interface, set: number, clear: number): void {
    const wasUp = iface.up;
    iface.changeFlags(set, clear);
    this.tableEvents.listener?.interfaceChanged(iface);
    this.ip.interfaceChanged(iface, iface.up && !wasUp);
  }

  /** Returns 0 or `-EINVAL` (below 68 bytes, RFC 791, or more than the link carries). */
  setMtu(iface: Interface, mtuBytes: number): number {
    if (mtuBytes < MIN_MTU_BYTES || mtuBytes > 65535) return -Errno.EINVAL;
    const error = iface.link.setMtu(mtuBytes);
    if (error < 0) return error;
    this.tableEvents.listener?.interfaceChanged(iface);
    this.ip.interfaceChanged(iface, false);
    return 0;
  }

  /**
   * Receive and process at most one batch from each device. Returns how many frames there were. Packets sent meanwhile
   * leave with `flush`.
   */
  poll(nowUs: number): number {
    // No handle is in use between turns: the sweep may free those that no holder keeps.
    if (this.context.interner.sweepDue) this.context.interner.sweep();
    const received = this.interfaceTable.poll(nowUs);
    if (this.ip.output.unfinished) this.ip.output.continueFragments();
    this.udp.serviceWaiting();
    return received;
  }

  /** Publish the frames that were sent since the last call. */
  flush(): void {
    this.interfaceTable.flush();
  }

  /** Whether any device has frames; called before sleeping. */
  get pending(): boolean {
    return this.interfaceTable.pending;
  }

  /** Close every link. Peers and neighbors are not told. */
  close(): void {
    this.interfaceTable.close();
  }
}
