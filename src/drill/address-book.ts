/**
 * Addresses of both families as text, as words, and as the numbers by which the kernel under test knows them.
 *
 * Thread: the caller's. Numbers of IPv6 addresses are the kernel's table's: those handed out here are kept alive.
 */

import { type AddressHolder, type AddressInterner, IP6_ANY } from '../inet/ip/address-interner.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';

export class AddressBook implements AddressHolder {
  readonly ip6: boolean;
  readonly #table: AddressInterner;
  readonly #kept: Set<number> = new Set();

  /** `ip6`: the family of the wire. */
  constructor(table: AddressInterner, ip6: boolean) {
    this.ip6 = ip6;
    this.#table = table;
    table.addHolder(this);
  }

  markAddresses(mark: (address: number) => void): void {
    for (const address of this.#kept) mark(address);
  }

  /** The number of an address of either family; null when the text is none. */
  parse(text: string): number | null {
    if (!text.includes(':')) return ipv4.parseAddress(text);
    const words = ipv6.parseAddress(text);
    if (words === null) return null;
    return ipv6.isMapped4(words) ? words[3] : this.number(words);
  }

  number(words: ipv6.Address6): number {
    const address = this.#table.internAddress(words, 0);
    this.#kept.add(address);
    return address;
  }

  words(address: number): ipv6.Address6 {
    return this.#table.words(address);
  }

  /** "Any" of the family of the wire. */
  get any(): number {
    return this.ip6 ? IP6_ANY : ipv4.ADDRESS_ANY;
  }
}
