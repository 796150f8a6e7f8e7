/**
 * State of layers 2 to 4 that all CPUs of one kernel share; made once per kernel by `Inet` (inet/inet.ts). A module that is
 * given an {@link InetShared} keeps nothing that belongs to a CPU; one that also counts, waits or allocates is given the CPU
 * beside it, or an `InetContext` (context.ts), which leads to both.
 *
 * Thread: the one that runs the kernel. Missing, before a second CPU can use it: the lists of polled links and the batch
 * leave the interface table; the tables get lock or pserialize(9); IPv6 addresses in the tables of ports, path MTUs, routes and
 * neighbors are handles of one CPU's interner. Route tables, neighbor caches and path MTUs are still made by the
 * families and by `Ip`, because they count, wait and send on a CPU.
 */

import type { KernelShared } from '../../kern/context.ts';
import type { Sysctl } from '../../kern/sysctl.ts';
import type { Arena } from '../../mem/arena.ts';
import { InterfaceTable } from '../../net/interface-table.ts';
import { PathEpoch } from '../../net/path-epoch.ts';
import { PortTable } from './ports.ts';

export class InetShared implements KernelShared {
  readonly arena: Arena;
  readonly sysctl: Sysctl;
  readonly interfaces: InterfaceTable;
  readonly epoch: PathEpoch = new PathEpoch();
  readonly tcpPorts: PortTable;
  readonly udpPorts: PortTable;

  constructor(kernel: KernelShared) {
    this.arena = kernel.arena;
    this.sysctl = kernel.sysctl;
    this.interfaces = new InterfaceTable(kernel.arena.view);
    this.tcpPorts = new PortTable(kernel.sysctl);
    this.udpPorts = new PortTable(kernel.sysctl);
  }
}
