/**
 * Routes learned from ICMP redirects: which messages are believed, and when the routes end.
 *
 * Thread: the one that runs the kernel. Read first: RFC 1122 3.2.2.2 and 3.3.1.4. Missing: nothing of these.
 */

import { Callout } from '../kern/callout.ts';
import { type AddressTable, isUnicast } from './addresses.ts';
import type { InetContext } from './context.ts';
import {
  type Route,
  type RouteTable,
  RTF_DYNAMIC,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_MODIFIED,
  RTF_UP,
} from './route-table.ts';
import type { SysctlVariable } from './sysctl.ts';
import type { InPacket } from './transport.ts';

const US_PER_S = 1_000_000;
const HOST_PREFIX = 32;

export class Redirects {
  readonly #context: InetContext;
  readonly #routes: RouteTable;
  readonly #addresses: AddressTable;
  readonly #forwarding: SysctlVariable;
  readonly #accept: SysctlVariable;
  readonly #timeoutSec: SysctlVariable;
  readonly #maxRoutes: SysctlVariable;
  readonly #accepted: number;
  readonly #ignored: number;
  readonly #expiry: Callout;
  /** In the order they were made or renewed. */
  #learned: Route[] = [];

  constructor(context: InetContext, routes: RouteTable, addresses: AddressTable, forwarding: SysctlVariable) {
    this.#context = context;
    this.#routes = routes;
    this.#addresses = addresses;
    this.#forwarding = forwarding;
    const { sysctl, counters } = context;
    this.#accept = sysctl.toggle('net.inet.icmp.rediraccept', true, 'believe ICMP redirects');
    this.#timeoutSec = sysctl.integer('net.inet.icmp.redirtimeout', 600, 1, 86400, 'seconds such a route is kept');
    this.#maxRoutes = sysctl.integer('net.inet.icmp.redirmax', 256, 1, 65536, 'routes made by redirects');
    this.#accepted = counters.index('icmp-redirect-accepted');
    this.#ignored = counters.index('icmp-redirect-ignored');
    this.#expiry = new Callout((nowUs) => this.#expire(nowUs));
  }

  /** A redirect said: packets to `dst` go by way of `gateway`. Only our present first hop may say so. */
  input(packet: InPacket, dst: number, gateway: number, nowUs: number): void {
    if (!this.#believable(packet, dst, gateway)) {
      this.#context.counters.add(this.#ignored, 1);
      return;
    }
    const expiresUs = nowUs + this.#timeoutSec.value * US_PER_S;
    const known = this.#routes.find(dst, HOST_PREFIX);
    if (known !== null) {
      known.gateway = gateway;
      known.flags |= RTF_GATEWAY | RTF_MODIFIED;
      this.#routes.generation++;
      if ((known.flags & RTF_DYNAMIC) !== 0) this.#keep(known, expiresUs);
    } else {
      while (this.#learned.length >= this.#maxRoutes.value) this.#forget(this.#learned[0] as Route);
      const flags = RTF_UP | RTF_GATEWAY | RTF_HOST | RTF_DYNAMIC;
      const iface = packet.iface;
      const route: Route = {
        destination: dst,
        prefixLength: HOST_PREFIX,
        gateway,
        iface,
        flags,
        mtuBytes: 0,
        source: 0,
        uses: 0,
        expiresUs,
      };
      if (this.#routes.add(route) === 0) this.#keep(route, expiresUs);
    }
    this.#context.counters.add(this.#accepted, 1);
  }

  /** A route that a redirect made was removed by hand. */
  removed(route: Route): void {
    this.#learned = this.#learned.filter((one) => one !== route);
  }

  /** A next hop does not answer: routes through it that redirects made are given up (RFC 1122 3.3.1.5). */
  gatewayDown(gateway: number): void {
    if (this.#learned.length === 0) return;
    for (const route of [...this.#learned]) if (route.gateway === gateway) this.#forget(route);
  }

  #believable(packet: InPacket, dst: number, gateway: number): boolean {
    if (this.#accept.value === 0 || this.#forwarding.value !== 0) return false;
    if (!isUnicast(dst) || !isUnicast(gateway) || packet.broadcast) return false;
    if (this.#addresses.isLocal(dst) || this.#addresses.isLocal(gateway)) return false;
    if (packet.iface.addressFor(gateway) === null) return false;
    const route = this.#routes.lookup(dst);
    if (route === null || (route.flags & RTF_GATEWAY) === 0) return false;
    return route.gateway === packet.src && route.iface === packet.iface;
  }

  #keep(route: Route, expiresUs: number): void {
    route.expiresUs = expiresUs;
    this.removed(route);
    this.#learned.push(route);
    if (!this.#expiry.pending) this.#context.callouts.schedule(this.#expiry, expiresUs);
  }

  #forget(route: Route): void {
    this.removed(route);
    if (this.#routes.find(route.destination, HOST_PREFIX) === route) {
      this.#routes.remove(route.destination, HOST_PREFIX);
    }
  }

  #expire(nowUs: number): void {
    let nextUs = Infinity;
    for (const route of [...this.#learned]) {
      if (route.expiresUs <= nowUs) this.#forget(route);
      else if (route.expiresUs < nextUs) nextUs = route.expiresUs;
    }
    if (nextUs !== Infinity) this.#context.callouts.schedule(this.#expiry, nextUs);
  }
}
