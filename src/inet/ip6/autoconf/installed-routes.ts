/**
 * The routes that router discovery put into the table, kept apart from routes of other origin.
 *
 * Thread: the one that runs the kernel. A route for the same prefix that was configured by hand is left alone, in installing and
 * in removing.
 * Cold: autoconfiguration.
 */

import { Errno } from '../../../base/errors.ts';
import { makeRoute, type Route, RTF_CONNECTED, RTF_DYNAMIC, RTF_GATEWAY, RTF_UP } from '../../../net/route.ts';
import type * as ipv6 from '../../../wire/ipv6.ts';
import { maskWord } from '../../../wire/ipv6-address.ts';
import type { InetContext } from '../../ip/context.ts';
import type { Ip6 } from '../ip6.ts';

const HOST_PREFIX = 128;

/** The bits beyond a prefix are to be ignored (RFC 4861 4.6.2). */
export function maskedPrefix(prefix: ipv6.Address6, prefixLength: number): ipv6.Address6 {
  const masked = prefix.map((word, i) => word & maskWord(prefixLength, i));
  return masked as unknown as ipv6.Address6;
}

export class InstalledRoutes {
  readonly #context: InetContext;
  readonly #ip6: Ip6;
  readonly #routes: Map<string, Route> = new Map();

  constructor(context: InetContext, ip6: Ip6) {
    this.#context = context;
    this.#ip6 = ip6;
  }

  /**
   * `router` null: the prefix is on the link, which takes precedence over a router for it. Returns 0, also when a route of other
   * origin is there; or `-ENOBUFS`.
   */
  install(prefix: ipv6.Address6, prefixLength: number, router: ipv6.Address6 | null, interfaceIndex: number): number {
    const { interner } = this.#context.shared;
    const { routes, links } = this.#ip6;
    const iface = links.interfaceOf(interfaceIndex);
    const destination = interner.internAddress(prefix, 0);
    const gateway = router === null ? 0 : interner.internAddress(router, interfaceIndex);
    if (iface === null || destination === 0 || (router !== null && gateway === 0)) return -Errno.ENOBUFS;
    const key = keyOf(prefix, prefixLength);
    const known = routes.find(destination, prefixLength);
    if (known !== null) {
      const ours = known === this.#routes.get(key);
      if (!ours || (known.gateway === 0 && router !== null)) return 0;
      routes.remove(destination, prefixLength);
    }
    const kind = router === null ? RTF_CONNECTED : RTF_GATEWAY | RTF_DYNAMIC;
    const route = makeRoute(destination, prefixLength, gateway, iface, RTF_UP | kind, HOST_PREFIX);
    const added = routes.add(route);
    if (added === 0) this.#routes.set(key, route);
    return added;
  }

  /** Take the route to a router, or that to the link, out. */
  uninstall(prefix: ipv6.Address6, prefixLength: number, onLink: boolean): void {
    const key = keyOf(prefix, prefixLength);
    const route = this.#routes.get(key);
    if (route === undefined || (route.gateway === 0) !== onLink) return;
    this.#routes.delete(key);
    // An address configured by hand implies the on-link prefix, too.
    if (onLink && this.#hasManual(route)) return;
    const { routes } = this.#ip6;
    if (routes.find(route.destination, prefixLength) === route) routes.remove(route.destination, prefixLength);
  }

  /** Whether a route of ours for that prefix is in the table. */
  has(prefix: ipv6.Address6, prefixLength: number): boolean {
    const route = this.#routes.get(keyOf(prefix, prefixLength));
    return route !== undefined && this.#ip6.routes.find(route.destination, prefixLength) === route;
  }

  #hasManual({ iface, destination, prefixLength }: Route): boolean {
    const { addresses } = this.#ip6;
    return iface.addresses6.some(
      ({ address, origin, prefixLength: bits }) =>
        origin === 'manual' && bits === prefixLength && addresses.samePrefix(address, destination, bits),
    );
  }
}

function keyOf(prefix: ipv6.Address6, prefixLength: number): string {
  return `${prefix.join(' ')}/${prefixLength}`;
}
