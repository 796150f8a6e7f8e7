/**
 * The IPv4 addresses of one kernel: local addresses, broadcast addresses, and the choice of a source address.
 *
 * Thread: the one that runs the kernel. The weak host model of RFC 1122 3.3.4.2: a packet for any of our addresses is
 * ours, whichever interface it came in by. All of 127/8 is ours once a loopback interface has an address there.
 * Missing: address selection rules beyond "same subnet as the next hop, else the primary".
 * Cold: configuration of addresses; look-ups allocate nothing.
 */

import { Errno } from '../../base/errors.ts';
import type { AddressDetails, Interface, InterfaceAddress } from '../../net/interface.ts';
import { maskOf } from '../../net/route-table.ts';
import type { TableEvents } from '../../net/table-events.ts';
import { ADDRESS_BROADCAST, isLoopback, isMulticast, isUnicast } from '../../wire/ipv4.ts';
import type { LocalAddresses } from '../ip/family.ts';

export class Addresses4 implements LocalAddresses {
  /** Told of every change. */
  events: TableEvents | null = null;
  /** Addresses of all interfaces, in whatever state, and who has them. */
  readonly #holders: Map<number, Interface[]> = new Map();
  readonly #local: Map<number, Interface> = new Map();
  readonly #broadcasts: Map<number, Interface> = new Map();
  #loopback: Interface | null = null;

  /** The loopback interface, null before one has an address of 127/8; the first of several. */
  get loopback(): Interface | null {
    return this.#loopback;
  }

  /**
   * Add an address to an interface. It counts as ours only when `state` is 'valid' ({@link activate}). A point-to-point link with
   * another end may share the address with another interface (RFC 1812 2.2.7).
   * Returns the entry, or `-EEXIST` (some interface has it), `-EINVAL` (no unicast address, a bad prefix length, or an other end
   * where there is none).
   */
  add(
    iface: Interface,
    address: number,
    prefixLength: number,
    state: InterfaceAddress['state'],
    { broadcast, destination = 0 }: AddressDetails = {},
  ): InterfaceAddress | number {
    if (!Number.isInteger(prefixLength) || prefixLength < 1 || prefixLength > 32) return -Errno.EINVAL;
    if (!isUnicast(address) || (isLoopback(address) && !iface.loopback)) return -Errno.EINVAL;
    const holders = this.#holders.get(address) ?? [];
    const borrows = iface.pointToPoint && destination !== 0;
    const clashes = (other: Interface): boolean => !borrows && (iface.pointToPoint || !other.pointToPoint);
    if (holders.includes(iface) || holders.some(clashes)) return -Errno.EEXIST;
    const mask = maskOf(prefixLength);
    const hasBroadcast = prefixLength <= 30 && !iface.loopback && !iface.pointToPoint;
    if (destination !== 0 && !(iface.pointToPoint && isUnicast(destination))) return -Errno.EINVAL;
    if (broadcast !== undefined && (iface.loopback || iface.pointToPoint)) return -Errno.EINVAL;
    const entry: InterfaceAddress = {
      destination,
      address,
      prefixLength,
      mask,
      network: address & mask,
      broadcast: broadcast ?? (hasBroadcast ? address | ~mask : 0),
      state: 'tentative',
    };
    if (entry.broadcast === address || (hasBroadcast && entry.network === address)) return -Errno.EINVAL;
    iface.addresses.push(entry);
    this.#holders.set(address, [...holders, iface]);
    if (state === 'valid') this.activate(iface, entry);
    else {
      entry.state = state;
      this.events?.listener?.addressAdded(iface, address, prefixLength);
    }
    return entry;
  }

  /** A tentative address has been found free: it is ours from now on. */
  activate(iface: Interface, entry: InterfaceAddress): void {
    entry.state = 'valid';
    if (!iface.pointToPoint || !this.#local.has(entry.address)) this.#local.set(entry.address, iface);
    if (entry.broadcast !== 0) this.#broadcasts.set(entry.broadcast, iface);
    if (isLoopback(entry.address)) this.#loopback ??= iface;
    if (iface.primary === 0) iface.primary = entry.address;
    this.events?.listener?.addressAdded(iface, entry.address, entry.prefixLength);
  }

  /** An address in use is to be probed again: it is not ours until it has been found free. */
  deactivate(iface: Interface, entry: InterfaceAddress): void {
    entry.state = 'tentative';
    this.#forget(iface, entry);
  }

  /** Take an address from an interface. Returns the entry, or null when it has no such address. */
  remove(iface: Interface, address: number): InterfaceAddress | null {
    const index = iface.addresses.findIndex((one) => one.address === address);
    if (index < 0) return null;
    const [entry] = iface.addresses.splice(index, 1) as [InterfaceAddress];
    const others = (this.#holders.get(address) ?? []).filter((holder) => holder !== iface);
    if (others.length > 0) this.#holders.set(address, others);
    else this.#holders.delete(address);
    this.#forget(iface, entry);
    this.events?.listener?.addressDeleted(iface, address, entry.prefixLength);
    return entry;
  }

  /** An address, in the list of its interface or not any more, is not ours. */
  #forget(iface: Interface, { address, broadcast }: InterfaceAddress): void {
    if (this.#local.get(address) === iface) {
      const heir = this.#holders.get(address)?.find((holder) => hasValid(holder, address));
      if (heir === undefined) this.#local.delete(address);
      else this.#local.set(address, heir);
    }
    iface.primary = iface.addresses.find((one) => one.state === 'valid')?.address ?? 0;
    const isShared = iface.addresses.some((one) => one.state === 'valid' && one.broadcast === broadcast);
    if (broadcast !== 0 && !isShared && this.#broadcasts.get(broadcast) === iface) this.#broadcasts.delete(broadcast);
    if (this.#loopback === iface && isLoopback(address)) this.#loopback = this.#loopbackOwner();
  }

  /** The first interface with a usable address of 127/8. */
  #loopbackOwner(): Interface | null {
    for (const [address, iface] of this.#local) if (isLoopback(address)) return iface;
    return null;
  }

  /** Whether some interface has the address, in whatever state. */
  isHeld(address: number): boolean {
    return this.#holders.has(address);
  }

  isLocal(address: number): boolean {
    return this.#local.has(address) || (address >>> 24 === 127 && this.#loopback !== null);
  }

  /** The interface that has `address`, or null. */
  owner(address: number): Interface | null {
    return this.#local.get(address) ?? (isLoopback(address) ? this.#loopback : null);
  }

  /** Limited broadcast, or the directed broadcast of a subnet we are on. */
  isBroadcast(address: number): boolean {
    return address === ADDRESS_BROADCAST || this.#broadcasts.has(address);
  }

  isMulticast(address: number): boolean {
    return isMulticast(address);
  }

  /** The interface whose subnet has that directed broadcast address, or null. */
  broadcastInterface(address: number): Interface | null {
    return this.#broadcasts.get(address) ?? null;
  }

  /** Our address for packets that leave through `iface` towards `nextHop`: 0 when the interface has none. */
  sourceFor(iface: Interface, nextHop: number): number {
    const onLink = iface.addressFor(nextHop);
    return onLink !== null ? onLink.address : iface.primary;
  }
}

function hasValid(iface: Interface, address: number): boolean {
  return iface.addresses.some((entry) => entry.address === address && entry.state === 'valid');
}
