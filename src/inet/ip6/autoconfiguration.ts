/**
 * The registration point of autoconfiguration: the calls that IPv6 makes to it. Without one registered, a kernel
 * has the addresses and routes that were configured by hand, and link-local addresses.
 *
 * Thread: the one that runs the kernel. Implemented by autoconf/autoconfiguration.ts; registered by the assembly (inet/inet.ts).
 */

import type { Interface, InterfaceAddress6 } from '../../net/interface.ts';
import type { Neighbor } from '../../net/neighbor-cache.ts';
import type { Address6 } from '../../wire/ipv6-address.ts';
import type { InPacket } from '../ip/transport.ts';
import type { Link6 } from './link.ts';

export interface Autoconfiguration {
  /** IPv6 runs on the link from now on, or no more. */
  linkUp(link: Link6): void;
  linkDown(link: Link6): void;
  /** The interface is detached. */
  detached(iface: Interface): void;
  /** An address came into use (`free`), or was found taken. */
  addressSettled(entry: InterfaceAddress6, free: boolean): void;
  addressRemoved(entry: InterfaceAddress6): void;
  /** `net.inet6.ip6.forwarding` changed. */
  forwardingChanged(): void;
  /** A neighbor does not answer any more (RFC 4861 7.3.3): another router may have to do. */
  neighborLost(neighbor: Neighbor): void;
  /** A neighbor advertised that it is no router any more (RFC 4861 7.2.5). */
  routerGone(neighbor: Neighbor): void;
  /** Checksum, lengths, code, hop limit 255 and options of these messages were checked. */
  routerSolicitation(packet: InPacket, nowUs: number): void;
  routerAdvertisement(packet: InPacket, nowUs: number): void;
  /** The routers that advertised the prefix of an address of ours (RFC 6724 rule 5.5). */
  routersOf(entry: InterfaceAddress6): readonly Address6[];
}

const NO_ROUTERS: readonly Address6[] = [];

const NONE: Autoconfiguration = {
  linkUp: () => {},
  linkDown: () => {},
  detached: () => {},
  addressSettled: () => {},
  addressRemoved: () => {},
  forwardingChanged: () => {},
  neighborLost: () => {},
  routerGone: () => {},
  routerSolicitation: () => {},
  routerAdvertisement: () => {},
  routersOf: () => NO_ROUTERS,
};

export class AutoconfigurationPoint {
  #registered: Autoconfiguration = NONE;

  /** The one that is registered, or one that does nothing. */
  get registered(): Autoconfiguration {
    return this.#registered;
  }

  /** At most once, before the first interface is attached. */
  register(autoconfiguration: Autoconfiguration): void {
    this.#registered = autoconfiguration;
  }
}
