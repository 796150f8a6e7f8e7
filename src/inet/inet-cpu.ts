/**
 * Layers 2 to 4 on one CPU: its way in and its way out, paths, fragments, raw sockets, UDP and TCP, over the tables that the CPUs
 * of its kernel share (inet.ts). The only file that knows all of inet/ip, ip4, ip6, udp and tcp.
 *
 * Thread: the one that runs the CPU. `poll` takes one batch from every device of the CPU and runs each frame to completion;
 * `flush` publishes what was sent. Read first: ip/context.ts.
 */

import { assert } from '../base/assert.ts';
import type { InterfaceTable } from '../net/interface-table.ts';
import { LinkInput, RUN_SCRATCH_BYTES } from '../net/link-input.ts';
import { LinkPoller } from '../net/link-poller.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import type { AddressBoundary } from './ip/address-boundary.ts';
import type { AddressInterner } from './ip/address-interner.ts';
import type { InetContext } from './ip/context.ts';
import type { Ip } from './ip/ip.ts';
import { RawSockets } from './ip/raw-sockets.ts';
import { RejectPolicy } from './ip/reject.ts';
import type { Ip4 } from './ip4/ip4.ts';
import { Ip4Cpu } from './ip4/ip4-cpu.ts';
import { orderDestinations } from './ip6/destination-order.ts';
import type { Ip6 } from './ip6/ip6.ts';
import { Ip6Cpu } from './ip6/ip6-cpu.ts';
import { TcpStack } from './tcp/stack.ts';
import type { ListenerTable } from './tcp/tables/listener-table.ts';
import { Udp } from './udp/udp.ts';

/** The halves that the kernel's CPUs share. */
export interface InetKernelParts {
  readonly ip4: Ip4;
  readonly ip6: Ip6;
  readonly addresses: AddressBoundary;
  readonly tcpListeners: ListenerTable;
}

export class InetCpu {
  readonly context: InetContext;
  /** The kernel's, for sockets. */
  readonly addresses: AddressBoundary;
  readonly ip: Ip;
  readonly ip4: Ip4Cpu;
  readonly ip6: Ip6Cpu;
  readonly raw: RawSockets;
  readonly udp: Udp;
  readonly tcp: TcpStack;
  /** The way in of the CPU's interfaces. */
  readonly input: LinkInput;
  readonly #kernel: InetKernelParts;
  readonly #interfaces: InterfaceTable;
  /** On CPU 0, which sweeps it. */
  readonly #interner: AddressInterner | null;
  readonly #links: LinkPoller;

  constructor(context: InetContext, ip: Ip, kernel: InetKernelParts) {
    const { bulk, heap, counters, shared } = context;
    this.context = context;
    this.addresses = kernel.addresses;
    this.ip = ip;
    this.#kernel = kernel;
    this.#interfaces = shared.interfaces;
    this.#interner = context.number === 0 ? shared.interner : null;
    this.raw = new RawSockets(context, ip);
    const parts = { ip, raw: this.raw, reject: new RejectPolicy(context, ip) };
    this.ip4 = new Ip4Cpu(context, parts, kernel.ip4);
    this.ip6 = new Ip6Cpu(context, parts, kernel.ip6);
    ip.families.register(this.ip4, this.ip6);
    shared.interner.addHolder({ markAddresses: () => ip.paths.forgetTransient6() });
    this.udp = new Udp(context, ip, ip);
    this.tcp = new TcpStack(context, ip, kernel.tcpListeners);
    const scratchAt = heap.allocate(RUN_SCRATCH_BYTES);
    assert(scratchAt >= 0, 'the kernel has no memory for one frame');
    const input = new LinkInput(bulk, scratchAt, counters, shared.interfaces.list, shared.noInterface);
    input.register(ETHERTYPE_IPV4, this.ip4.input);
    input.register(ETHERTYPE_IPV6, this.ip6.input);
    input.register(ETHERTYPE_ARP, this.ip4.arp);
    this.input = input;
    this.#links = new LinkPoller(input);
    shared.interfaces.addPoller(this.#links);
  }

  /** Addresses of one peer, of both families, in the order in which to try them (RFC 6724 section 6). */
  orderDestinations(destinations: readonly number[]): number[] {
    return orderDestinations(this.ip.paths, this.#kernel.ip6.addresses, destinations);
  }

  /**
   * Receive and process at most one batch from each device. Returns how many frames there were. Packets sent meanwhile
   * leave with `flush`.
   */
  poll(nowUs: number): number {
    // No handle is in use between turns: the sweep may free those that no holder keeps.
    if (this.#interner?.sweepDue === true) this.#interner.sweep();
    const received = this.#links.poll(nowUs);
    if (this.ip.output.unfinished) this.ip.output.continueFragments();
    this.udp.serviceWaiting();
    return received;
  }

  /** Publish the frames that were sent since the last call. */
  flush(): void {
    this.#interfaces.flush();
  }

  /** Whether any device has frames; called before sleeping. */
  get pending(): boolean {
    return this.#links.pending;
  }
}
