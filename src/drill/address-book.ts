/**
 * Addresses of both families as text, as words, and as numbers by which scripts and packets are compared.
 *
 * Thread: the caller's. An IPv4 address is its own int32; an IPv6 address has a number from 2^32 on, for as long as the book.
 */

import { SocketAddress } from '../socket/socket.ts';
import type { IpAddress } from '../sys/control.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';

const FIRST_IP6 = 2 ** 32;

export function isIp6(address: number): boolean {
  return address >= FIRST_IP6;
}

export class AddressBook {
  readonly ip6: boolean;
  readonly #words: ipv6.Address6[] = [];
  readonly #numbers: Map<string, number> = new Map();

  /** `ip6`: the family of the wire. */
  constructor(ip6: boolean) {
    this.ip6 = ip6;
  }

  /** The number of an address of either family; null when the text is none. */
  parse(text: string): number | null {
    if (!text.includes(':')) return ipv4.parseAddress(text);
    const words = ipv6.parseAddress(text);
    if (words === null) return null;
    return ipv6.isMapped4(words) ? words[3] : this.number(words);
  }

  number(words: ipv6.Address6): number {
    const key = words.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = FIRST_IP6 + this.#words.push(words) - 1;
    this.#numbers.set(key, number);
    return number;
  }

  words(address: number): ipv6.Address6 {
    return this.#words[address - FIRST_IP6] as ipv6.Address6;
  }

  /** "Any" of the family of the wire. */
  get any(): number {
    return this.ip6 ? this.number(ipv6.UNSPECIFIED) : ipv4.ADDRESS_ANY;
  }

  socketAddress(address: number, port: number): SocketAddress {
    if (!isIp6(address)) return SocketAddress.ipv4(address, port);
    return SocketAddress.ipv6(...this.words(address), port);
  }

  numberOf(address: SocketAddress): number {
    if (address.isIpv4) return address.w3;
    return this.number([address.w0, address.w1, address.w2, address.w3]);
  }

  /** For control requests. */
  ipAddress(address: number): IpAddress {
    const { family, w0, w1, w2, w3, scopeId } = this.socketAddress(address, 0);
    return { family, w0, w1, w2, w3, scopeId };
  }
}
