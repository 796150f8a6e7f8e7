/**
 * The two routes that an address of ours brings along: the address itself through the loopback interface, and the prefix that
 * is on its link. Written once for both families.
 *
 * Thread: the one that runs the kernel. Read first: route(4), RTF_LOCAL and RTF_CONNECTED.
 */

import type { Interface } from './interface.ts';
import { makeRoute, type Routes, RTF_CONNECTED, RTF_HOST, RTF_LOCAL, RTF_UP } from './route.ts';

export class ConnectedRoutes {
  readonly #routes: Routes;
  readonly #hostPrefix: number;

  /** `hostPrefix` is the prefix length of a single address: 32 or 128. */
  constructor(routes: Routes, hostPrefix: number) {
    this.#routes = routes;
    this.#hostPrefix = hostPrefix;
  }

  /** The host route of `address` through `loopback`. */
  addHost(address: number, loopback: Interface): void {
    const flags = RTF_UP | RTF_HOST | RTF_LOCAL;
    this.#routes.add(makeRoute(address, this.#hostPrefix, address, loopback, flags, this.#hostPrefix));
  }

  removeHost(address: number): void {
    const host = this.#routes.find(address, this.#hostPrefix);
    if (host !== null && (host.flags & RTF_LOCAL) !== 0) this.#routes.remove(address, this.#hostPrefix);
  }

  /** `other` is the other end of the point-to-point link of `iface`, whose address there is `own`. One that has a route keeps it. */
  addOtherEnd(other: number, own: number, iface: Interface): void {
    this.#routes.add(makeRoute(other, this.#hostPrefix, own, iface, RTF_UP | RTF_HOST, this.#hostPrefix));
  }

  removeOtherEnd(other: number, iface: Interface): void {
    const host = this.#routes.find(other, this.#hostPrefix);
    if (host?.iface === iface && host.flags === (RTF_UP | RTF_HOST)) this.#routes.remove(other, this.#hostPrefix);
  }

  /** The prefix `network` is on the link of `iface`. A prefix that has a route keeps it. */
  addPrefix(network: number, prefixLength: number, iface: Interface): void {
    const flags = RTF_UP | RTF_CONNECTED;
    this.#routes.add(makeRoute(network, prefixLength, 0, iface, flags, this.#hostPrefix));
  }

  /**
   * An address in `network` left `iface`. `heir` is an interface with another address there, which has the route from now
   * on, or null.
   */
  removePrefix(network: number, prefixLength: number, iface: Interface, heir: Interface | null): void {
    const connected = this.#routes.find(network, prefixLength);
    if (connected === null || connected.iface !== iface || (connected.flags & RTF_CONNECTED) === 0) return;
    if (heir === iface) return;
    this.#routes.remove(network, prefixLength);
    if (heir !== null) this.addPrefix(network, prefixLength, heir);
  }
}
