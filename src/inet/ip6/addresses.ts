/**
 * The IPv6 addresses of one kernel and their states.
 *
 * Thread: the one that runs the kernel. A packet for any of our addresses is ours, whichever interface it came in by, except
 * that link-local addresses mean the link of their zone. An address is ours when it is preferred or deprecated; a tentative
 * one is known to duplicate address detection only (inet/ip6/address-detection.ts).
 * Read first: RFC 4291 2.8, RFC 4862 section 2 (states). Choosing among several: source-selector.ts.
 */

import { Errno } from '../../base/errors.ts';
import type { Address6Origin, Interface, InterfaceAddress6 } from '../../net/interface.ts';
import type { TableEvents } from '../../net/table-events.ts';
import * as ipv6 from '../../wire/ipv6-address.ts';
import { maskWord } from '../../wire/ipv6-address.ts';
import { type AddressHolder, type AddressInterner, IP6_ANY, IP6_LOOPBACK } from '../ip/address-interner.ts';
import type { LocalAddresses } from '../ip/family.ts';

const ADDRESS_BITS = 128;

export class Addresses6 implements AddressHolder, LocalAddresses {
  /** Told of every change. */
  events: TableEvents | null = null;
  readonly interner: AddressInterner;
  readonly #entries: Map<number, InterfaceAddress6> = new Map();
  #loopback: Interface | null = null;

  constructor(interner: AddressInterner) {
    this.interner = interner;
    interner.addHolder(this);
  }

  /** The loopback interface, null before one has `::1`. */
  get loopback(): Interface | null {
    return this.#loopback;
  }

  markAddresses(mark: (address: number) => void): void {
    for (const { address, destination } of this.#entries.values()) {
      mark(address);
      mark(destination);
    }
  }

  /**
   * Add an address to an interface, tentative. It is ours after {@link activate}. Returns the entry, or `-EEXIST` (this
   * kernel has it), `-EINVAL` (no unicast address, one of another zone, a bad prefix length, or an other end where there is none).
   */
  // cold: once per address
  add(
    iface: Interface,
    address: number,
    prefixLength: number,
    origin: Address6Origin,
    anycast: boolean = false,
    destination: number = 0,
  ): InterfaceAddress6 | number {
    if (!Number.isInteger(prefixLength) || prefixLength < 1 || prefixLength > ADDRESS_BITS) return -Errno.EINVAL;
    const zone = this.interner.zone(address);
    const unicast = !this.isMulticast(address) && address !== IP6_ANY;
    if (!unicast || (zone !== 0 && zone !== iface.index)) return -Errno.EINVAL;
    if (address === IP6_LOOPBACK && !iface.loopback) return -Errno.EINVAL;
    if (zone === 0 && this.isLinkLocal(address)) return -Errno.EINVAL;
    if (destination !== 0 && (!iface.pointToPoint || this.isMulticast(destination))) return -Errno.EINVAL;
    if (this.#entries.has(address)) return -Errno.EEXIST;
    const entry: InterfaceAddress6 = {
      iface,
      address,
      prefixLength,
      destination,
      origin,
      anycast,
      state: 'tentative',
      preferredUntilUs: Infinity,
      validUntilUs: Infinity,
    };
    iface.addresses6.push(entry);
    this.#entries.set(address, entry);
    this.events?.listener?.addressAdded(iface, address, prefixLength);
    return entry;
  }

  /** The address can be used from now on. */
  activate(entry: InterfaceAddress6): void {
    entry.state = 'preferred';
    this.interner.setLocal(entry.address, true);
    if (entry.address === IP6_LOOPBACK) this.#loopback = entry.iface;
    this.events?.listener?.addressAdded(entry.iface, entry.address, entry.prefixLength);
  }

  /** Take an address away. */
  remove(entry: InterfaceAddress6): void {
    const { iface, address } = entry;
    if (this.#entries.get(address) !== entry) return;
    this.#entries.delete(address);
    iface.addresses6.splice(iface.addresses6.indexOf(entry), 1);
    this.interner.setLocal(address, false);
    if (address === IP6_LOOPBACK) this.#loopback = null;
    this.events?.listener?.addressDeleted(iface, address, entry.prefixLength);
  }

  /** The entry of an address of ours, tentative ones too, or null. */
  find(address: number): InterfaceAddress6 | null {
    return this.#entries.get(address) ?? null;
  }

  isLocal(address: number): boolean {
    return this.interner.isLocal(address);
  }

  /** The interface that has `address`, usable, or null. */
  owner(address: number): Interface | null {
    const entry = this.#entries.get(address);
    return entry !== undefined && isUsable(entry) ? entry.iface : null;
  }

  /** IPv6 has no broadcast. */
  isBroadcast(): boolean {
    return false;
  }

  isMulticast(address: number): boolean {
    return ipv6.isMulticast(this.interner.word(address, 0));
  }

  isLinkLocal(address: number): boolean {
    return ipv6.isLinkLocal(this.interner.word(address, 0));
  }

  /** The first link-local address of an interface that can be used, 0 when there is none. */
  linkLocalOf(iface: Interface): number {
    for (const entry of iface.addresses6) if (isSource(entry) && this.isLinkLocal(entry.address)) return entry.address;
    return 0;
  }

  /** The same address with the zone of an interface, where it needs one: 0 when the table is full. */
  onLink(address: number, iface: Interface): number {
    if (this.interner.zone(address) !== 0) return address;
    return this.interner.internAddress(this.interner.words(address), iface.index);
  }

  /** Whether the first `bits` bits of two addresses are the same. */
  samePrefix(a: number, b: number, bits: number): boolean {
    const { interner } = this;
    for (let i = 0; i < 4; i++) {
      if (((interner.word(a, i) ^ interner.word(b, i)) & maskWord(bits, i)) !== 0) return false;
    }
    return true;
  }
}

/** Whether packets may come to and from an address. */
export function isUsable(entry: InterfaceAddress6): boolean {
  return entry.state === 'preferred' || entry.state === 'deprecated';
}

/** Whether an address may be chosen as a source. */
export function isSource(entry: InterfaceAddress6): boolean {
  return isUsable(entry) && !entry.anycast;
}
