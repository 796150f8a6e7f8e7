/**
 * Addresses as text and as the numbers that the stack carries, of both families, with zones by interface name.
 *
 * Thread: the one that runs the kernel. Never on the data path. A number of IPv6 means its address only until the next turn
 * unless something in the kernel keeps it (inet/ip/address-interner.ts): callers parse right before a call, and format right
 * after one.
 * Read first: RFC 4007 section 11 (`fe80::1%eth0`), RFC 4291 2.2, RFC 5952.
 * Cold: text of addresses, for control and programs.
 */

import type { Interface } from '../../net/interface.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6-address.ts';
import { type AddressInterner, isIp6, isZoned } from './address-interner.ts';

export type Family = 4 | 6;

const CLASS_E = 0xf;

export class AddressText {
  readonly #table: AddressInterner;
  readonly #interfaces: readonly Interface[];

  constructor(table: AddressInterner, interfaces: readonly Interface[]) {
    this.#table = table;
    this.#interfaces = interfaces;
  }

  /**
   * The number of "10.0.0.1", "2001:db8::1", "fe80::1%eth0" (or "%2", the interface's index) or "::ffff:10.0.0.1", which is
   * 10.0.0.1. Null when it is none, or names no interface of this kernel, or is of 240.0.0.0/8, which nobody has; also when
   * the table of addresses is full.
   */
  parse(text: string): number | null {
    if (!text.includes(':')) {
      const address = ipv4.parseAddress(text);
      return address === null || (address >>> 28 === CLASS_E && address !== -1) ? null : address;
    }
    const percent = text.indexOf('%');
    const words = ipv6.parseAddress(percent < 0 ? text : text.slice(0, percent));
    if (words === null) return null;
    if (ipv6.isMapped4(words)) return this.parse(ipv4.formatAddress(words[3]));
    const zone = percent < 0 ? 0 : this.#zoneOf(text.slice(percent + 1));
    if (zone < 0) return null;
    const address = this.#table.internAddress(words, isZoned(words[0]) ? zone : 0);
    return address === 0 ? null : address;
  }

  /** Text of a number. `family` 6 writes IPv4 addresses as a socket of IPv6 shows them: mapped, and "any" as "::". */
  format(address: number, family: Family = 4): string {
    if (isIp6(address)) {
      const zone = this.#table.zone(address);
      const text = ipv6.formatAddress(this.#table.words(address));
      return zone === 0 ? text : `${text}%${this.#nameOf(zone)}`;
    }
    if (family === 4) return ipv4.formatAddress(address);
    return address === 0 ? '::' : ipv6.formatAddress(ipv6.mapped4(address));
  }

  #zoneOf(name: string): number {
    const index = Number(name);
    const found = this.#interfaces.find((iface) => iface.name === name || iface.index === index);
    return found === undefined ? -1 : found.index;
  }

  #nameOf(zone: number): string {
    return this.#interfaces.find((iface) => iface.index === zone)?.name ?? String(zone);
  }
}
