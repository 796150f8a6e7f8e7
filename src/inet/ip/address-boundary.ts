/**
 * The border of the interned addresses: words, family and zone outside, int32 addresses inside inet/.
 *
 * Thread: the one that runs the kernel. Sockets and control requests translate here, at the call. A handle never leaves inet/:
 * it is valid until the next sweep only (address-interner.ts).
 * Read first: RFC 3493 3.3 (sockaddr_in6) and 3.7 (mapped addresses), RFC 4007 section 6 (zones).
 */

import type { Interface } from '../../net/interface.ts';
import { MAPPED_WORD } from '../../wire/ipv6-address.ts';
import { type AddressInterner, IP6_ANY, isIp6, isZoned } from './address-interner.ts';

/** {@link AddressBoundary.numberOf} of an address that this kernel cannot name. */
export const NO_ADDRESS: number = 0xf0ffffff | 0;

const CLASS_E = 0xf;

/** An address as a program names it: int32 words, most significant first; an IPv4 address is `w3`. */
export interface AddressWords {
  /** 4 or 6. */
  family: number;
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  /** Interface index of a link-local address or group, else 0. */
  scopeId: number;
}

export class AddressBoundary {
  readonly #interner: AddressInterner;
  readonly #interfaces: readonly Interface[];
  /** The number that was given last; whether it still stands for its address is asked. */
  #last: number = IP6_ANY;

  constructor(interner: AddressInterner, interfaces: readonly Interface[]) {
    this.#interner = interner;
    this.#interfaces = interfaces;
  }

  /**
   * The number of an address; a mapped address has the number of its IPv4 address. {@link NO_ADDRESS} for 240.0.0.0/4 without
   * the broadcast address, for a zone that is no interface, and while the interner is full. Allocates nothing.
   */
  numberOf(address: AddressWords): number {
    const { w3 } = address;
    if (address.family === 4) return w3 >>> 28 === CLASS_E && w3 !== -1 ? NO_ADDRESS : w3;
    const { w0, w1, w2 } = address;
    if (w0 === 0 && w1 === 0 && w2 === MAPPED_WORD) return w3 >>> 28 === CLASS_E && w3 !== -1 ? NO_ADDRESS : w3;
    const zone = isZoned(w0) ? address.scopeId : 0;
    if (zone !== 0 && !this.#isInterface(zone)) return NO_ADDRESS;
    // A program mostly names one address.
    if (this.#interner.isNumberOf(this.#last, w0, w1, w2, w3, zone)) return this.#last;
    const number = this.#interner.intern(w0, w1, w2, w3, zone);
    if (number === 0) return NO_ADDRESS;
    this.#last = number;
    return number;
  }

  /** Whether {@link numberOf} fails because the interner is full, and not because of the address. */
  isFull(address: AddressWords): boolean {
    if (address.family === 4 || (address.w0 === 0 && address.w1 === 0 && address.w2 === MAPPED_WORD)) return false;
    return !isZoned(address.w0) || address.scopeId === 0 || this.#isInterface(address.scopeId);
  }

  /**
   * Write the address of a number. `family` 6 writes IPv4 addresses as a socket of IPv6 shows them: mapped, and "any" as
   * `::`. Allocates nothing.
   */
  wordsOf(number: number, family: number, into: AddressWords): void {
    if (isIp6(number)) {
      into.family = 6;
      this.#interner.read(number, into);
      return;
    }
    into.family = family;
    into.w0 = 0;
    into.w1 = 0;
    into.w2 = family === 6 && number !== 0 ? MAPPED_WORD : 0;
    into.w3 = number;
    into.scopeId = 0;
  }

  /** Family of a number: 4 or 6. */
  familyOf(number: number): number {
    return isIp6(number) ? 6 : 4;
  }

  /** The number of "any" in a family. */
  any(family: number): number {
    return family === 6 ? IP6_ANY : 0;
  }

  #isInterface(index: number): boolean {
    for (let i = 0; i < this.#interfaces.length; i++) {
      if ((this.#interfaces[i] as Interface).index === index) return true;
    }
    return false;
  }
}
