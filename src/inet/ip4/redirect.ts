/**
 * Received ICMP redirects: the rules for believing one, and the route that follows from it. Expiry: inet/ip/learned-routes.ts.
 *
 * Thread: the one that runs the kernel. Read first: RFC 1122 3.2.2.2 and 3.3.1.4.
 */

import type { SysctlVariable } from '../../kern/sysctl.ts';
import { makeRoute, type Route, RTF_DYNAMIC, RTF_GATEWAY, RTF_HOST, RTF_MODIFIED, RTF_UP } from '../../net/route.ts';
import type { RouteTable } from '../../net/route-table.ts';
import { isUnicast } from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import { LearnedRoutes } from '../ip/learned-routes.ts';
import type { InPacket } from '../ip/transport.ts';
import type { Addresses4 } from './addresses.ts';

const HOST_PREFIX = 32;

export class Redirects {
  readonly #context: InetContext;
  readonly #routes: RouteTable;
  readonly #addresses: Addresses4;
  readonly #forwarding: SysctlVariable;
  readonly #accept: SysctlVariable;
  readonly #acceptAsRouter: SysctlVariable;
  readonly #accepted: number;
  readonly #ignored: number;
  readonly #learned: LearnedRoutes;

  constructor(context: InetContext, routes: RouteTable, addresses: Addresses4, forwarding: SysctlVariable) {
    this.#context = context;
    this.#routes = routes;
    this.#addresses = addresses;
    this.#forwarding = forwarding;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#accept = sysctl.toggle('net.inet.icmp.rediraccept', true, 'believe ICMP redirects');
    this.#acceptAsRouter = sysctl.toggle('net.inet.icmp.redirrouter', false, 'believe them while forwarding, too');
    const timeoutSec = sysctl.integer('net.inet.icmp.redirtimeout', 600, 1, 86400, 'seconds such a route is kept');
    const maxRoutes = sysctl.integer('net.inet.icmp.redirmax', 256, 1, 65536, 'routes made by redirects');
    const evicted = counters.index('icmp-redirect-evicted');
    const drop = (route: Route): void => {
      if (routes.find(route.destination, HOST_PREFIX) === route) routes.remove(route.destination, HOST_PREFIX);
    };
    const learned = new LearnedRoutes(context.callouts, timeoutSec, maxRoutes, drop, () => counters.add(evicted, 1));
    this.#learned = learned;
    sysctl.limits.add({
      table: 'routes made by ICMP redirects',
      variable: maxRoutes,
      counter: 'icmp-redirect-evicted',
      whenFull: 'the oldest one is removed',
      size: () => learned.count,
    });
    this.#accepted = counters.index('icmp-redirect-accepted');
    this.#ignored = counters.index('icmp-redirect-ignored');
  }

  /** A redirect: packets to `dst` go by way of `gateway`. Believed from our present first hop only. */
  input(packet: InPacket, dst: number, gateway: number, nowUs: number): void {
    if (!this.#believable(packet, dst, gateway)) {
      this.#context.counters.add(this.#ignored, 1);
      return;
    }
    const known = this.#routes.find(dst, HOST_PREFIX);
    if (known !== null) {
      known.gateway = gateway;
      known.flags |= RTF_GATEWAY | RTF_MODIFIED;
      this.#routes.events?.listener?.routeChanged(known);
      this.#context.shared.epoch.bump();
      if ((known.flags & RTF_DYNAMIC) !== 0) this.#learned.keep(known, nowUs);
    } else {
      this.#learned.makeRoom();
      const flags = RTF_UP | RTF_GATEWAY | RTF_HOST | RTF_DYNAMIC;
      const iface = packet.iface;
      const route = makeRoute(dst, HOST_PREFIX, gateway, iface, flags, HOST_PREFIX);
      if (this.#routes.add(route) === 0) this.#learned.keep(route, nowUs);
    }
    this.#routes.events?.listener?.redirected(dst, gateway, packet.iface);
    this.#context.counters.add(this.#accepted, 1);
  }

  /** A route that a redirect made was removed by hand. */
  removed(route: Route): void {
    this.#learned.removed(route);
  }

  /** A next hop does not answer: routes through it that redirects made are removed (RFC 1122 3.3.1.5). */
  gatewayDown(gateway: number): void {
    this.#learned.gatewayDown(gateway);
  }

  #believable(packet: InPacket, dst: number, gateway: number): boolean {
    if (this.#accept.value === 0) return false;
    if (this.#forwarding.value !== 0 && this.#acceptAsRouter.value === 0) return false;
    if (!isUnicast(dst) || !isUnicast(gateway) || packet.broadcast) return false;
    if (this.#addresses.isLocal(dst) || this.#addresses.isLocal(gateway)) return false;
    if (packet.iface.addressFor(gateway) === null) return false;
    const route = this.#routes.lookup(dst);
    if (route === null || (route.flags & RTF_GATEWAY) === 0) return false;
    return route.gateway === packet.src && route.iface === packet.iface;
  }
}
