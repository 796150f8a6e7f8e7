/**
 * Autoconfiguration of hosts and routers, put together: routers found and believed, addresses made of prefixes, this kernel
 * advertised as a router.
 *
 * Thread: the one that runs the kernel. Read first: ../autoconfiguration.ts (the contract); then router-listener.ts (hosts),
 * router-service.ts (routers).
 * Cold: autoconfiguration.
 */

import type { Interface, InterfaceAddress6 } from '../../../net/interface.ts';
import type { Neighbor } from '../../../net/neighbor-cache.ts';
import type { Address6 } from '../../../wire/ipv6-address.ts';
import type { InetContext } from '../../ip/context.ts';
import type { InPacket } from '../../ip/transport.ts';
import type { Autoconfiguration } from '../autoconfiguration.ts';
import type { Ip6 } from '../ip6.ts';
import type { Link6 } from '../link.ts';
import { RouterListener } from './router-listener.ts';
import { RouterService } from './router-service.ts';

export class Autoconfigurator implements Autoconfiguration {
  readonly listener: RouterListener;
  readonly service: RouterService;
  readonly #ip6: Ip6;

  constructor(context: InetContext, ip6: Ip6) {
    this.#ip6 = ip6;
    this.listener = new RouterListener(context, { ip6, forwarding: ip6.forwarding });
    this.service = new RouterService(context, ip6, ip6.forwarding);
  }

  // --- Links and addresses ---

  linkUp(link: Link6): void {
    if (link.linkLocal !== 0) this.#usable(link);
  }

  linkDown(link: Link6): void {
    this.listener.stopped(link.iface);
    this.service.changed(link.iface);
  }

  detached(iface: Interface): void {
    this.listener.detached(iface);
    this.service.detached(iface);
  }

  addressSettled({ iface, address }: InterfaceAddress6, free: boolean): void {
    const link = this.#ip6.links.of(iface);
    if (!free) this.listener.duplicate(iface, address);
    else if (link !== null && link.linkLocal === address) this.#usable(link);
    else if (!iface.loopback) this.service.changed(iface);
  }

  addressRemoved({ iface }: InterfaceAddress6): void {
    if (!iface.loopback) this.service.changed(iface);
  }

  routersOf(entry: InterfaceAddress6): readonly Address6[] {
    return this.listener.routersOf(entry);
  }

  #usable(link: Link6): void {
    this.listener.started(link);
    this.service.changed(link.iface);
  }

  // --- Neighbors and forwarding ---

  neighborLost(neighbor: Neighbor): void {
    this.listener.lost(neighbor);
  }

  routerGone(neighbor: Neighbor): void {
    this.listener.routerGone(neighbor);
  }

  forwardingChanged(): void {
    this.listener.forwardingChanged();
    this.service.changed(null);
  }

  // --- Messages ---

  routerSolicitation(packet: InPacket, nowUs: number): void {
    this.service.solicitation(packet, nowUs);
  }

  routerAdvertisement(packet: InPacket, nowUs: number): void {
    this.listener.advertisement(packet, nowUs);
  }
}
