/**
 * Changes of a kernel's interfaces, addresses, routes and neighbors, for one listener (sys/routing-messages.ts).
 *
 * Thread: the one that runs the kernel. The writer of a table calls `events.listener?.…` after the change; without a listener
 * that is one comparison. Addresses are numbers of inet/, valid during the call.
 */

import type { Interface } from './interface.ts';
import type { NeighborListener } from './neighbor-cache.ts';
import type { Route } from './route.ts';

export interface TableListener extends NeighborListener {
  routeAdded(route: Route): void;
  routeDeleted(route: Route): void;
  /** Gateway or flags of a route changed in place. */
  routeChanged(route: Route): void;
  /** An ICMP redirect was believed. */
  redirected(destination: number, gateway: number, iface: Interface): void;
  /** A lookup found no route. */
  missed(destination: number): void;
  /** Also when a tentative address becomes usable. */
  addressAdded(iface: Interface, address: number, prefixLength: number): void;
  addressDeleted(iface: Interface, address: number, prefixLength: number): void;
  /** Flags or MTU. */
  interfaceChanged(iface: Interface): void;
  interfaceArrived(iface: Interface): void;
  interfaceDeparted(iface: Interface): void;
}

export class TableEvents {
  listener: TableListener | null = null;
}
