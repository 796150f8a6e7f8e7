/**
 * Routes that routers advertise of themselves: default routers (the prefix ::/0) and more specific ones, with preferences.
 *
 * Thread: the one that runs the kernel. For each prefix one router is chosen: one that answers before one that is suspect,
 * then by preference, then the one in use, then the one known longest. When all are suspect they take turns, so that each is
 * probed. A state machine over times that are arguments: the owner calls `run` at `deadlineUs`.
 * Read first: RFC 4861 sections 6.3.4 to 6.3.6, RFC 4191 section 3 (a host of type C).
 * Cold: autoconfiguration.
 */

import { type Address6, equal } from '../../../wire/ipv6-address.ts';

export const PREFERENCE_LOW = -1;
export const PREFERENCE_MEDIUM = 0;
export const PREFERENCE_HIGH = 1;

export interface AdvertisedRoute {
  readonly prefix: Address6;
  readonly prefixLength: number;
  /** Link-local address of the router on that interface. */
  readonly router: Address6;
  readonly interfaceIndex: number;
  preference: number;
  untilUs: number;
  /** Whether the router has other hosts ask DHCPv6, for addresses and for the rest. */
  managed: boolean;
  otherConfig: boolean;
  /** The router does not answer, and no advertisement of it has come since. */
  suspect: boolean;
  /** The route of its prefix that is used. */
  chosen: boolean;
}

/** Receiver of the decisions. */
export interface AdvertisedRouteSink {
  /** Packets for the prefix go to that router from now on. */
  use(route: AdvertisedRoute): void;
  /** No router is left for the prefix. */
  drop(prefix: Address6, prefixLength: number): void;
}

export interface AdvertisedRouteLimits {
  /** Default routers, and more specific routes. */
  maxRouters(): number;
  maxRoutes(): number;
}

export type RouteVerdict = 'used' | 'ignored' | 'too-many';

export class AdvertisedRoutes {
  readonly #sink: AdvertisedRouteSink;
  readonly #limits: AdvertisedRouteLimits;
  #routes: AdvertisedRoute[] = [];
  deadlineUs: number = Infinity;

  constructor(sink: AdvertisedRouteSink, limits: AdvertisedRouteLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  get list(): readonly AdvertisedRoute[] {
    return this.#routes;
  }

  /** The entry of `router` in the list of default routers (RFC 4861 5.1), or null. */
  defaultRouter(router: Address6, interfaceIndex: number): AdvertisedRoute | null {
    return this.#routes.find((one) => one.prefixLength === 0 && isBy(one, router, interfaceIndex)) ?? null;
  }

  /** Whether `router` is in that list. */
  isDefaultRouter(router: Address6, interfaceIndex: number): boolean {
    return this.defaultRouter(router, interfaceIndex) !== null;
  }

  /** A router advertises a route to a prefix with a lifetime; 0 withdraws it. */
  advertise(
    prefix: Address6,
    prefixLength: number,
    router: Address6,
    interfaceIndex: number,
    lifetimeUs: number,
    preference: number,
    nowUs: number,
  ): RouteVerdict {
    const known = this.#routes.find((one) => isFor(one, prefix, prefixLength) && isBy(one, router, interfaceIndex));
    if (lifetimeUs === 0) {
      if (known === undefined) return 'ignored';
      this.#remove([known]);
      return 'used';
    }
    const untilUs = nowUs + lifetimeUs;
    if (known !== undefined) {
      known.untilUs = untilUs;
      known.preference = preference;
      known.suspect = false;
    } else {
      const isDefault = prefixLength === 0;
      const count = this.#routes.filter((one) => (one.prefixLength === 0) === isDefault).length;
      if (count >= (isDefault ? this.#limits.maxRouters() : this.#limits.maxRoutes())) return 'too-many';
      const fresh = {
        prefix,
        prefixLength,
        router,
        interfaceIndex,
        preference,
        untilUs,
        managed: false,
        otherConfig: false,
        suspect: false,
        chosen: false,
      };
      this.#routes.push(fresh);
    }
    this.#choose(prefix, prefixLength);
    this.#renewDeadline();
    return 'used';
  }

  /** Neighbor unreachability detection gave the router up. */
  unreachable(router: Address6, interfaceIndex: number): void {
    this.#judge(router, interfaceIndex, true);
  }

  /** The router answers. */
  reachable(router: Address6, interfaceIndex: number): void {
    this.#judge(router, interfaceIndex, false);
  }

  #judge(router: Address6, interfaceIndex: number, suspect: boolean): void {
    for (const one of [...this.#routes]) {
      if (!isBy(one, router, interfaceIndex)) continue;
      one.suspect = suspect;
      const wasChosen = one.chosen;
      this.#choose(one.prefix, one.prefixLength);
      if (suspect && wasChosen && one.chosen) this.#takeTurns(one);
    }
  }

  /** Remove the routes of an interface, or of one router there that is no router any more. */
  forget(interfaceIndex: number, router: Address6 | null = null): void {
    const gone = this.#routes.filter(
      (one) => one.interfaceIndex === interfaceIndex && (router === null || equal(one.router, router)),
    );
    if (gone.length > 0) this.#remove(gone);
  }

  run(nowUs: number): void {
    const expired = this.#routes.filter((one) => one.untilUs <= nowUs);
    if (expired.length > 0) this.#remove(expired);
    else this.#renewDeadline();
  }

  #remove(gone: readonly AdvertisedRoute[]): void {
    this.#routes = this.#routes.filter((one) => !gone.includes(one));
    for (const { prefix, prefixLength, chosen } of gone) if (chosen) this.#choose(prefix, prefixLength);
    this.#renewDeadline();
  }

  #choose(prefix: Address6, prefixLength: number): void {
    const candidates = this.#routes.filter((one) => isFor(one, prefix, prefixLength));
    let best: AdvertisedRoute | null = null;
    for (const one of candidates) if (best === null || isBetter(one, best)) best = one;
    if (best === null) this.#sink.drop(prefix, prefixLength);
    else if (!best.chosen) this.#use(best, candidates);
  }

  #use(route: AdvertisedRoute, candidates: readonly AdvertisedRoute[]): void {
    for (const one of candidates) one.chosen = one === route;
    this.#sink.use(route);
  }

  /** RFC 4861 6.3.6, rule 2: the next one in the list. */
  #takeTurns(current: AdvertisedRoute): void {
    const candidates = this.#routes.filter((one) => isFor(one, current.prefix, current.prefixLength));
    const next = candidates[(candidates.indexOf(current) + 1) % candidates.length] as AdvertisedRoute;
    if (next !== current) this.#use(next, candidates);
  }

  #renewDeadline(): void {
    let deadlineUs = Infinity;
    for (const { untilUs } of this.#routes) if (untilUs < deadlineUs) deadlineUs = untilUs;
    this.deadlineUs = deadlineUs;
  }
}

function isFor(route: AdvertisedRoute, prefix: Address6, prefixLength: number): boolean {
  return route.prefixLength === prefixLength && equal(route.prefix, prefix);
}

function isBy(route: AdvertisedRoute, router: Address6, interfaceIndex: number): boolean {
  return route.interfaceIndex === interfaceIndex && equal(route.router, router);
}

function isBetter(a: AdvertisedRoute, b: AdvertisedRoute): boolean {
  if (a.suspect !== b.suspect) return b.suspect;
  if (a.preference !== b.preference) return a.preference > b.preference;
  return a.chosen && !b.chosen;
}
