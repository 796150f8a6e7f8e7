/**
 * Routes that redirects made, of either family: their number and their expiry.
 *
 * Thread: the one that runs the kernel. Read first: RFC 1122 3.3.1.4, RFC 4861 8.3. The rules for believing a redirect are
 * in inet/ip4/redirect.ts and inet/ip6/redirect.ts.
 * Cold: redirects.
 */

import { US_PER_S } from '../../base/units.ts';
import { Callout, type CalloutTable } from '../../kern/callout.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Route } from '../../net/route.ts';

export class LearnedRoutes {
  readonly #callouts: CalloutTable;
  readonly #timeoutSec: SysctlVariable;
  readonly #maxRoutes: SysctlVariable;
  /** Takes a route out of its table. */
  readonly #drop: (route: Route) => void;
  /** A route was removed to make room. */
  readonly #evicted: () => void;
  readonly #expiry: Callout;
  /** In the order they were made or renewed. */
  #routes: Route[] = [];

  constructor(
    callouts: CalloutTable,
    timeoutSec: SysctlVariable,
    maxRoutes: SysctlVariable,
    drop: (route: Route) => void,
    evicted: () => void,
  ) {
    this.#callouts = callouts;
    this.#timeoutSec = timeoutSec;
    this.#maxRoutes = maxRoutes;
    this.#drop = drop;
    this.#evicted = evicted;
    this.#expiry = new Callout((nowUs) => this.#expire(nowUs));
  }

  get count(): number {
    return this.#routes.length;
  }

  /** Remove the oldest ones until one more may be made. */
  makeRoom(): void {
    while (this.#routes.length >= this.#maxRoutes.value) {
      this.#forget(this.#routes[0] as Route);
      this.#evicted();
    }
  }

  /** The route was made, or a further redirect renewed it. */
  keep(route: Route, nowUs: number): void {
    route.expiresUs = nowUs + this.#timeoutSec.value * US_PER_S;
    this.removed(route);
    this.#routes.push(route);
    if (route.expiresUs < this.#expiry.deadlineUs) this.#callouts.schedule(this.#expiry, route.expiresUs);
  }

  /** The route was removed from its table by other code. */
  removed(route: Route): void {
    this.#routes = this.#routes.filter((one) => one !== route);
  }

  /** A next hop does not answer: the routes through it are removed (RFC 1122 3.3.1.5). */
  gatewayDown(gateway: number): void {
    if (this.#routes.length === 0) return;
    for (const route of [...this.#routes]) if (route.gateway === gateway) this.#forget(route);
  }

  #forget(route: Route): void {
    this.removed(route);
    this.#drop(route);
  }

  #expire(nowUs: number): void {
    let nextUs = Infinity;
    for (const route of [...this.#routes]) {
      if (route.expiresUs <= nowUs) this.#forget(route);
      else if (route.expiresUs < nextUs) nextUs = route.expiresUs;
    }
    if (nextUs !== Infinity) this.#callouts.schedule(this.#expiry, nextUs);
  }
}
