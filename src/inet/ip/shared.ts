/**
 * State of layers 2 to 4 that all CPUs of one kernel share; made once per kernel (inet/inet.ts).
 *
 * Thread: the one that runs the kernel. Each table has a named owner: the CPU whose callouts time its entries, whose counters
 * count them and whose heap keeps packets that wait. A module that is given an {@link InetShared} keeps nothing that belongs to
 * a CPU; one that counts, waits or allocates is given an `InetContext` (context.ts), which leads to both halves. The tables of a
 * family are those of the {@link ProtocolFamily} that the assembly registers.
 * Missing, before CPUs on other threads can use it: locks or pserialize(9) for the tables, and their memory in the arena; until
 * then CPUs of one kernel run on one thread.
 */

import type { CpuContext, KernelShared } from '../../kern/context.ts';
import type { Sysctl } from '../../kern/sysctl.ts';
import type { Arena } from '../../mem/arena.ts';
import { Interface } from '../../net/interface.ts';
import { InterfaceTable } from '../../net/interface-table.ts';
import { NoLink } from '../../net/no-link.ts';
import { PathEpoch } from '../../net/path-epoch.ts';
import { TableEvents } from '../../net/table-events.ts';
import { AddressInterner } from './address-interner.ts';
import { Families } from './family.ts';
import { IngressFilter } from './ingress-filter.ts';
import { PathMtu } from './path-mtu.ts';
import { PortTable } from './ports.ts';

export class InetShared implements KernelShared {
  readonly arena: Arena;
  readonly sysctl: Sysctl;
  /** IPv6 addresses: int32 handle 0xf0nnnnnn for 128 bits and a zone. Swept by the owner, when no CPU is in a turn. */
  readonly interner: AddressInterner;
  readonly interfaces: InterfaceTable;
  /** Stands for the interface of packets that came by none. */
  readonly noInterface: Interface = new Interface('', 0, new NoLink());
  readonly epoch: PathEpoch = new PathEpoch();
  /** Addresses, routes, neighbors and groups of each family. */
  readonly families: Families = new Families();
  readonly pathMtu: PathMtu;
  readonly filter: IngressFilter = new IngressFilter();
  readonly tcpPorts: PortTable;
  readonly udpPorts: PortTable;
  /** Changes of interfaces, addresses and routes. */
  readonly tableEvents: TableEvents = new TableEvents();

  /** `owner` is the kernel's first CPU. */
  constructor(owner: CpuContext) {
    const { arena, sysctl } = owner.shared;
    this.arena = arena;
    this.sysctl = sysctl;
    this.interner = new AddressInterner({ counters: owner.counters, sysctl, rng: owner.rng });
    this.interfaces = new InterfaceTable(arena.view);
    this.pathMtu = new PathMtu(owner, this.epoch);
    this.tcpPorts = new PortTable(sysctl);
    this.udpPorts = new PortTable(sysctl);
    this.interner.addHolder(this.pathMtu);
    this.interner.addHolder(this.filter);
  }
}
