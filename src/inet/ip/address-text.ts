/**
 * Text of addresses of both families, with zones by interface name.
 *
 * Thread: the one that runs the kernel. A handle of IPv6 is valid within a turn (address-interner.ts): callers parse right
 * before a call, and format right after one.
 * Read first: RFC 4007 section 11 (`fe80::1%eth0`), RFC 4291 2.2, RFC 5952.
 * Cold: text of addresses, for control and programs.
 */

import type { Interface } from '../../net/interface.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6-address.ts';
import { type AddressInterner, isIp6, isZoned } from './address-interner.ts';

const CLASS_E = 0xf;

export class AddressText {
  readonly #interner: AddressInterner;
  readonly #interfaces: readonly Interface[];

  constructor(interner: AddressInterner, interfaces: readonly Interface[]) {
    this.#interner = interner;
    this.#interfaces = interfaces;
  }

  /**
   * The address of "10.0.0.1", "2001:db8::1", "fe80::1%eth0" (or "%2", the interface's index) or "::ffff:10.0.0.1", which is
   * 10.0.0.1. Null for text that is no address, an interface that this kernel does not have, 240.0.0.0/8, and while the
   * interner is full.
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
    const address = this.#interner.internAddress(words, isZoned(words[0]) ? zone : 0);
    return address === 0 ? null : address;
  }

  /** Text of an address. `family` 6 writes IPv4 addresses as a socket of IPv6 shows them: mapped, and "any" as "::". */
  format(address: number, family: 4 | 6 = 4): string {
    if (isIp6(address)) {
      const zone = this.#interner.zone(address);
      const text = ipv6.formatAddress(this.#interner.words(address));
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
