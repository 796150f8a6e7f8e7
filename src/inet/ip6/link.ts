/**
 * The IPv6 state of a link: the variables of RFC 4861 section 6.3.2, which routers may set.
 *
 * Thread: the one that runs the kernel. One {@link Link6} for each interface, made when the interface is attached.
 */

import type { Interface } from '../../net/interface.ts';
import { MTU_BYTES_MIN } from '../../wire/ipv6.ts';

const DEFAULT_HOP_LIMIT = 64;

export class Link6 {
  readonly iface: Interface;
  /** Switched off for this interface alone (`ndp -i IF disabled`), or because its link-local address was taken. */
  disabled = false;
  /** Whether routers are heeded here where `net.inet6.ip6.accept_rtadv` says so, and whether also where it does not. */
  acceptRouters = true;
  overrideAccept = false;
  /** Whether neighbors that are in use are asked whether they are still there (RFC 4861 7.3). */
  probesNeighbors = true;
  /** Whether a link-local address is made; null: as `net.inet6.ip6.auto_linklocal` says. */
  autoLinkLocal: boolean | null = null;
  /** IPv6 runs here: switched on, and the link is up and carries 1280 bytes. */
  active = false;
  /** Our link-local address here, 0 while there is none that can be used. */
  linkLocal = 0;
  /** The link-layer address that neighbors know: first 16 and last 32 bits. */
  macHi: number;
  macLo: number;
  /** CurHopLimit: for packets whose sender does not say. */
  hopLimit: number = DEFAULT_HOP_LIMIT;
  /** LinkMTU as a router says; 0: the interface's. */
  advertisedMtuBytes = 0;
  /** BaseReachableTime and RetransTimer as a router says, milliseconds; 0: the variables hold. */
  reachableMs = 0;
  retransMs = 0;

  constructor(iface: Interface) {
    this.iface = iface;
    this.macHi = iface.macHi;
    this.macLo = iface.macLo;
  }

  /** Largest IPv6 packet that is sent here. */
  get mtuBytes(): number {
    const { mtuBytes } = this.iface;
    if (this.advertisedMtuBytes < MTU_BYTES_MIN || this.advertisedMtuBytes > mtuBytes) return mtuBytes;
    return this.advertisedMtuBytes;
  }
}

/** The links of one kernel, by interface. */
export class Links6 {
  readonly #links: Map<Interface, Link6> = new Map();
  /** By interface index, for zones. */
  readonly #byIndex: (Interface | undefined)[] = [];

  // cold: configuration
  add(iface: Interface): Link6 {
    const link = new Link6(iface);
    this.#links.set(iface, link);
    this.#byIndex[iface.index] = iface;
    return link;
  }

  remove(iface: Interface): void {
    this.#links.delete(iface);
    this.#byIndex[iface.index] = undefined;
  }

  of(iface: Interface): Link6 | null {
    return this.#links.get(iface) ?? null;
  }

  /** The interface that a zone means, or null. */
  interfaceOf(zone: number): Interface | null {
    return this.#byIndex[zone] ?? null;
  }

  isActive(iface: Interface): boolean {
    return this.#links.get(iface)?.active === true;
  }

  // cold: per request
  *all(): Generator<Link6> {
    yield* this.#links.values();
  }
}
