/**
 * What IPv6 does by itself around its core: routers found and believed, addresses made, routers advertised, redirects, reports
 * of groups, the choice of source addresses. This file puts the parts together and hands events to them.
 *
 * Thread: the one that runs the kernel. Read first: ip6.ts (the core and its seams); then router-listener.ts (hosts),
 * router-service.ts (routers), redirect.ts, mld.ts, source-selector.ts.
 */

import type { Interface, InterfaceAddress6 } from '../../../net/interface.ts';
import type { Neighbor } from '../../../net/neighbor-cache.ts';
import type { PathEpoch } from '../../../net/path-epoch.ts';
import type { Route } from '../../../net/route.ts';
import type { InetContext } from '../../ip/context.ts';
import type { InPacket } from '../../ip/transport.ts';
import type { RouterDiscovery } from '../icmp.ts';
import type { Autoconfiguration, Ip6 } from '../ip6.ts';
import type { Link6 } from '../link.ts';
import { Mld } from '../mld.ts';
import type { RouterListener as RouterWatcher } from '../neighbor-discovery.ts';
import { Redirects6 } from '../redirect.ts';
import { RuleSelector } from '../source-selector.ts';
import { RouterListener } from './router-listener.ts';
import { RouterService } from './router-service.ts';

export class Autoconfigurator implements Autoconfiguration, RouterDiscovery, RouterWatcher {
  readonly listener: RouterListener;
  readonly service: RouterService;
  readonly redirects: Redirects6;
  readonly mld: Mld;
  readonly #ip6: Ip6;

  /** Takes its places in `ip6`. `interfaces` is the kernel's list. */
  constructor(context: InetContext, ip6: Ip6, interfaces: readonly Interface[], epoch: PathEpoch) {
    const { sysctl } = context.shared;
    this.#ip6 = ip6;
    const forwarding = sysctl.toggle('net.inet6.ip6.forwarding', false, 'act as a router for IPv6');
    this.listener = new RouterListener(context, { ip6, epoch, forwarding });
    this.service = new RouterService(context, ip6, forwarding);
    this.redirects = new Redirects6(context, ip6, epoch, forwarding);
    this.mld = new Mld(context, ip6.linkOutput, ip6.links);
    forwarding.onChange = () => {
      this.listener.forwardingChanged();
      this.service.changed(null);
    };
    ip6.autoconfiguration = this;
    ip6.icmp.discovery = this;
    ip6.icmp.listener = this.mld;
    ip6.groups.listener = this.mld;
    const { table, routes } = ip6;
    ip6.addresses.selector = new RuleSelector(table, interfaces, epoch, routes, this.listener, sysctl);
    ip6.forwarder.redirects = this.redirects;
    ip6.neighborInput.routers = this;
  }

  // --- Links and addresses ---

  /** Link-local addresses come from the link-layer address: who reads a capture knows them again. */
  interfaceIdentifier(): null {
    return null;
  }

  linkUp(link: Link6): void {
    if (link.linkLocal !== 0) this.#usable(link);
  }

  linkDown(link: Link6): void {
    this.listener.stopped(link.iface);
    this.service.changed(link.iface);
  }

  addressSettled(entry: InterfaceAddress6, free: boolean): void {
    const { iface, address } = entry;
    const link = this.#ip6.links.of(iface);
    if (!free) {
      this.listener.duplicate(iface, address);
    } else if (link !== null && link.linkLocal === address) {
      this.mld.linkLocalReady(iface);
      this.#usable(link);
    } else if (!iface.loopback) {
      this.service.changed(iface);
    }
  }

  addressRemoved({ iface }: InterfaceAddress6): void {
    if (!iface.loopback) this.service.changed(iface);
  }

  detached(iface: Interface): void {
    this.listener.detached(iface);
    this.service.detached(iface);
  }

  #usable(link: Link6): void {
    this.listener.started(link);
    this.service.changed(link.iface);
  }

  // --- Neighbors and routes ---

  neighborLost(neighbor: Neighbor): void {
    this.listener.lost(neighbor);
    this.redirects.gatewayDown(neighbor.address);
  }

  noRouter(neighbor: Neighbor): void {
    this.listener.noRouter(neighbor);
    this.redirects.gatewayDown(neighbor.address);
  }

  /** A route was taken out of the table by hand. */
  routeRemoved(route: Route): void {
    this.redirects.removed(route);
  }

  // --- Messages ---

  routerSolicitation(packet: InPacket, nowUs: number): void {
    this.service.solicitation(packet, nowUs);
  }

  routerAdvertisement(packet: InPacket, nowUs: number): void {
    this.listener.advertisement(packet, nowUs);
  }

  redirect(packet: InPacket, nowUs: number): void {
    this.redirects.input(packet, nowUs);
  }
}
