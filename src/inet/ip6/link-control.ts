/**
 * Links and addresses of IPv6: which links it runs on, and the life of our addresses there, from tentative to removed, with their
 * groups and routes.
 *
 * Thread: the one that runs the kernel. Read first: link.ts, addresses.ts; RFC 4862 sections 5.3 to 5.5.
 * Cold: configuration.
 */

import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { ConnectedRoutes } from '../../net/connected-routes.ts';
import type { Address6Origin, Interface, InterfaceAddress6 } from '../../net/interface.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { maskWord } from '../../wire/ipv6-address.ts';
import { type AddressInterner, IP6_LOOPBACK } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { MulticastGroups } from '../ip/multicast.ts';
import type { AddressDetection } from './address-detection.ts';
import { AddressLifetimes } from './address-lifetimes.ts';
import { type Addresses6, isUsable } from './addresses.ts';
import type { AutoconfigurationPoint } from './autoconfiguration.ts';
import { idFromMac } from './eui64.ts';
import type { Link6, Links6 } from './link.ts';
import type { Mld } from './mld.ts';

const HOST_PREFIX = 128;
const LINK_LOCAL_PREFIX = 64;
const LINK_LOCAL_WORD = 0xfe800000 | 0;

export interface LinkControlParts6 {
  readonly interfaces: readonly Interface[];
  readonly interner: AddressInterner;
  readonly links: Links6;
  readonly addresses: Addresses6;
  readonly groups: MulticastGroups;
  readonly connected: ConnectedRoutes;
  readonly mld: Mld;
  readonly autoconfiguration: AutoconfigurationPoint;
  /** `net.inet6.ip6.enable` and `net.inet6.ip6.auto_linklocal`. */
  readonly enable: SysctlVariable;
  readonly autoLinkLocal: SysctlVariable;
  /** Duplicate address detection that reports to `settled`. */
  detection(settled: (entry: InterfaceAddress6, free: boolean) => void): AddressDetection;
}

export class LinkControl6 {
  /** Lifetimes of addresses configured by hand. */
  readonly lifetimes: AddressLifetimes;
  readonly #context: InetContext;
  readonly #parts: LinkControlParts6;
  readonly #connected: ConnectedRoutes;
  readonly detection: AddressDetection;
  readonly #enable: SysctlVariable;
  readonly #autoLinkLocal: SysctlVariable;
  /** Addresses given to an interface that is down. As in NetBSD, nobody is asked for them when it comes up for the first time. */
  readonly #unasked: Set<InterfaceAddress6> = new Set();
  /** Addresses whose prefix has its route on their account: all on a link that IPv6 runs on, tentative ones too. */
  readonly #onLink: Set<InterfaceAddress6> = new Set();

  constructor(context: InetContext, parts: LinkControlParts6) {
    this.#context = context;
    this.#parts = parts;
    this.#connected = parts.connected;
    this.#enable = parts.enable;
    this.#autoLinkLocal = parts.autoLinkLocal;
    this.detection = parts.detection((entry, free) => this.#settled(entry, free));
    this.lifetimes = new AddressLifetimes(context, parts.interfaces, {
      setDeprecated: (entry, deprecated) => this.setDeprecated(entry, deprecated),
      removeAddress: (iface, address) => this.removeAddress(iface, address),
    });
    this.#enable.onChange = (value) => {
      // As on Linux, the switch of the machine overrides those of the interfaces.
      if (value !== 0) for (const link of parts.links.all()) link.disabled = false;
      this.refreshAll();
    };
    this.#autoLinkLocal.onChange = () => this.refreshAll();
  }

  /** Start or stop IPv6 on a link, after a change of the switches, the link or its MTU. */
  refresh(link: Link6): void {
    const { iface } = link;
    const runs = this.#enable.value !== 0 && !link.disabled && !iface.cutOff && iface.mtuBytes >= ipv6.MTU_BYTES_MIN;
    if (runs && !link.active) this.#start(link);
    else if (!runs && link.active) this.#stop(link);
  }

  /** Switch IPv6 off on one interface, or on again. Off, it has no link-local address that was made for it. */
  setDisabled(iface: Interface, disabled: boolean): void {
    const link = this.#parts.links.of(iface);
    if (link === null) return;
    link.disabled = disabled;
    this.refresh(link);
    if (!disabled) return;
    for (const { address, origin } of [...iface.addresses6]) {
      if (origin === 'link-local') this.removeAddress(iface, address);
    }
  }

  /** Whether the link gets a link-local address when IPv6 starts there. */
  autoLinkLocal(link: Link6): boolean {
    return link.autoLinkLocal ?? this.#autoLinkLocal.value !== 0;
  }

  /** Whether it does from now on, whatever the variable says; one that IPv6 runs on gets its address at once. */
  setAutoLinkLocal(link: Link6, on: boolean): void {
    link.autoLinkLocal = on;
    if (link.active && !link.iface.loopback) this.#makeLinkLocal(link);
  }

  /** {@link refresh} of every link: a switch of the machine changed. */
  refreshAll(): void {
    for (const link of this.#parts.links.all()) this.refresh(link);
  }

  /** The interface of a link is detached: its addresses go. */
  detach(link: Link6): void {
    const { iface } = link;
    if (link.active) this.#stop(link);
    for (const entry of [...iface.addresses6]) this.removeAddress(iface, entry.address);
    this.lifetimes.run(this.#context.nowUs());
  }

  #start(link: Link6): void {
    const { iface } = link;
    link.active = true;
    this.#context.shared.epoch.bump();
    if (iface.loopback) {
      if (this.#parts.addresses.find(IP6_LOOPBACK) === null)
        this.addAddress(iface, IP6_LOOPBACK, HOST_PREFIX, 'manual', false);
      return;
    }
    this.#parts.groups.attach(iface);
    // Addresses from before the link went down are probed again (RFC 4862 5.4).
    for (const entry of iface.addresses6) if (entry.state !== 'duplicated') this.#begin(entry, true);
    this.#makeLinkLocal(link);
    this.#parts.autoconfiguration.registered.linkUp(link);
  }

  #stop(link: Link6): void {
    const { iface } = link;
    link.active = false;
    this.#context.shared.epoch.bump();
    if (iface.loopback) return;
    for (const entry of iface.addresses6) {
      this.detection.stop(entry);
      this.#withdraw(entry);
    }
    link.linkLocal = 0;
    this.#parts.autoconfiguration.registered.linkDown(link);
  }

  /** RFC 4862 5.3: fe80::/64 and the interface identifier. */
  #makeLinkLocal(link: Link6): void {
    const { iface } = link;
    const known = iface.addresses6.some((entry) => this.#parts.addresses.isLinkLocal(entry.address));
    if (known || !this.autoLinkLocal(link)) return;
    const [high, low] = idFromMac(iface.macHi, iface.macLo);
    const address = this.#parts.interner.intern(LINK_LOCAL_WORD, 0, high, low, iface.index);
    if (address !== 0) this.addAddress(iface, address, LINK_LOCAL_PREFIX, 'link-local', false);
  }

  // --- Addresses ---

  /**
   * Give an interface an address, with its host route through lo0 and the route to its prefix. While IPv6 does not run
   * there, or duplicate address detection does, it is tentative. Returns 0, `-EEXIST`, `-EINVAL`, `-ENOBUFS`.
   */
  addAddress(
    iface: Interface,
    address: number,
    prefixLength: number,
    origin: Address6Origin,
    anycast: boolean,
    destination: number = 0,
  ): number {
    const entry = this.#parts.addresses.add(iface, address, prefixLength, origin, anycast, destination);
    if (typeof entry === 'number') return entry;
    if (this.#parts.links.isActive(iface)) this.#begin(entry, origin !== 'manual');
    else if (!iface.up) this.#unasked.add(entry);
    return 0;
  }

  /** Returns 0 or `-EADDRNOTAVAIL`. */
  removeAddress(iface: Interface, address: number): number {
    const entry = this.#parts.addresses.find(address);
    if (entry === null || entry.iface !== iface) return -Errno.EADDRNOTAVAIL;
    this.detection.stop(entry);
    this.#unasked.delete(entry);
    this.#withdraw(entry);
    this.#parts.addresses.remove(entry);
    this.#context.shared.epoch.bump();
    this.#parts.autoconfiguration.registered.addressRemoved(entry);
    return 0;
  }

  /** A preferred lifetime ended, or began anew. */
  setDeprecated(entry: InterfaceAddress6, deprecated: boolean): void {
    if (!isUsable(entry)) return;
    entry.state = deprecated ? 'deprecated' : 'preferred';
    this.#context.shared.epoch.bump();
  }

  /** Join the solicited-node group and probe the address, which is tentative until the result. Its prefix has a route meanwhile. */
  #begin(entry: InterfaceAddress6, delayed: boolean): void {
    entry.state = 'tentative';
    this.#addLinkRoute(entry);
    const group = this.#solicitedNode(entry);
    if (group !== 0 && !entry.iface.loopback) this.#parts.groups.join(entry.iface, group);
    // RFC 4862 5.4: an anycast address may be on several hosts.
    if (this.#unasked.delete(entry) || entry.anycast) this.#settled(entry, true);
    else this.detection.start(entry, delayed);
  }

  /** The address is not in use any more, for now or for good. */
  #withdraw(entry: InterfaceAddress6): void {
    const { iface } = entry;
    const group = this.#solicitedNode(entry);
    if (group !== 0 && !iface.loopback) this.#parts.groups.leave(iface, group);
    const link = this.#parts.links.of(iface);
    if (link !== null && link.linkLocal === entry.address) link.linkLocal = 0;
    this.#removeLinkRoute(entry);
    if (!isUsable(entry)) return;
    this.#connected.removeHost(entry.address);
    this.#parts.interner.setLocal(entry.address, false);
    entry.state = 'tentative';
  }

  #solicitedNode({ address, iface }: InterfaceAddress6): number {
    return this.#parts.interner.internAddress(ipv6.solicitedNode(this.#parts.interner.words(address)), iface.index);
  }

  /** Duplicate address detection found an address free, or taken. */
  #settled(entry: InterfaceAddress6, free: boolean): void {
    const link = this.#parts.links.of(entry.iface);
    if (free) {
      this.#parts.addresses.activate(entry);
      this.#connected.addHost(entry.address, this.#parts.addresses.loopback ?? entry.iface);
      if (entry.preferredUntilUs !== Infinity) this.lifetimes.run(this.#context.nowUs());
      if (link !== null && !entry.anycast && this.#parts.addresses.isLinkLocal(entry.address))
        link.linkLocal ||= entry.address;
    } else {
      entry.state = 'duplicated';
      // RFC 4862 5.4.5: two stations have one link-layer address; IPv6 stops on the interface.
      if (link !== null && entry.origin === 'link-local') {
        link.disabled = true;
        this.refresh(link);
      }
    }
    this.#context.shared.epoch.bump();
    if (free && link !== null && link.linkLocal === entry.address) this.#parts.mld.linkLocalReady(entry.iface);
    this.#parts.autoconfiguration.registered.addressSettled(entry, free);
  }

  // --- Routes of our addresses ---

  /** An address made of an advertised prefix implies no on-link prefix (RFC 5942 section 4). */
  #addLinkRoute(entry: InterfaceAddress6): void {
    const { address, destination, prefixLength, iface, origin } = entry;
    this.#onLink.add(entry);
    if (destination !== 0) {
      this.#connected.addOtherEnd(destination, address, iface);
      return;
    }
    const onLink = prefixLength < HOST_PREFIX && impliesPrefix(origin);
    const network = onLink ? this.#prefixOf(address, prefixLength) : 0;
    if (network !== 0) this.#connected.addPrefix(network, prefixLength, iface);
  }

  /** A prefix that another address of the interface is in too keeps its route. */
  #removeLinkRoute(entry: InterfaceAddress6): void {
    const { address, destination, prefixLength, iface, origin } = entry;
    if (!this.#onLink.delete(entry)) return;
    if (destination !== 0) {
      this.#connected.removeOtherEnd(destination, iface);
      return;
    }
    const network = impliesPrefix(origin) ? this.#prefixOf(address, prefixLength) : 0;
    if (network === 0) return;
    const keeps = iface.addresses6.some(
      (other) =>
        this.#onLink.has(other) &&
        other.destination === 0 &&
        impliesPrefix(other.origin) &&
        other.prefixLength === prefixLength &&
        this.#parts.addresses.samePrefix(other.address, address, prefixLength),
    );
    this.#connected.removePrefix(network, prefixLength, iface, keeps ? iface : null);
  }

  /** The handle of a prefix: the address with all bits behind it 0; 0 when the interner is full. */
  #prefixOf(address: number, prefixLength: number): number {
    const [w0, w1, w2, w3] = this.#parts.interner.words(address);
    return this.#parts.interner.intern(
      w0 & maskWord(prefixLength, 0),
      w1 & maskWord(prefixLength, 1),
      w2 & maskWord(prefixLength, 2),
      w3 & maskWord(prefixLength, 3),
      this.#parts.interner.zone(address),
    );
  }
}

function impliesPrefix(origin: Address6Origin): boolean {
  return origin === 'manual' || origin === 'link-local';
}
