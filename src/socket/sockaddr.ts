/**
 * Socket addresses: family, address, zone and port, as `struct sockaddr_in` and `sockaddr_in6` have them, in an object that
 * is filled again and again.
 *
 * Thread: any; nothing here knows a kernel. Calls read the fields at once and keep no reference, so one object may serve for
 * every call of a caller. Text is for edges: names of zones need a resolver ({@link ZoneNames}).
 * Read first: RFC 3493 3.3 and 3.7, RFC 4007 section 11 (`fe80::1%eth0`), RFC 5952.
 */

import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6-address.ts';

/** Address family: 4 is `AF_INET`, 6 is `AF_INET6`. */
export type Family = 4 | 6;

/** Interface names and indexes, as if_nametoindex(3) and if_indextoname(3). */
export interface ZoneNames {
  /** By name or by decimal index; 0 when there is no such interface. */
  interfaceIndex(name: string): number;
  /** '' when there is no such interface. */
  interfaceName(index: number): string;
}

/** Words of `::` and the decimal of an index need no names. */
const NO_NAMES: ZoneNames = { interfaceIndex: (name) => Number(name) | 0, interfaceName: (index) => String(index) };

/** Family, address, zone and port of a socket. One object may be filled again and again. */
export class SocketAddress {
  /** Address family: IPv4 or IPv6. */
  family: Family = 4;
  /** First of four int32 words of the address, most significant first; 0 in family 4. */
  w0 = 0;
  /** Second word; 0 in family 4. */
  w1 = 0;
  /** Third word; 0 in family 4. */
  w2 = 0;
  /** Last word: the address, in family 4. */
  w3 = 0;
  /** Interface index of a link-local address or group (sin6_scope_id), else 0. */
  scopeId = 0;
  /** Port of the transport, in host order. */
  port = 0;

  /** `address` is an int32. */
  // cold: once per object
  static ipv4(address: number, port: number = 0): SocketAddress {
    return new SocketAddress().setIpv4(address, port);
  }

  /** The words of the address are int32s, most significant first. */
  // cold: once per object
  static ipv6(w0: number, w1: number, w2: number, w3: number, port: number = 0, scopeId: number = 0): SocketAddress {
    return new SocketAddress().setIpv6(w0, w1, w2, w3, port, scopeId);
  }

  /** `0.0.0.0` or `::`. */
  // cold: once per object
  static any(family: Family, port: number = 0): SocketAddress {
    return new SocketAddress().clear(family, port);
  }

  /** An address from text ({@link parse}), or null. */
  // cold: text is for edges
  static from(text: string, port: number = 0, zones: ZoneNames = NO_NAMES): SocketAddress | null {
    const address = new SocketAddress();
    address.port = port;
    return address.parse(text, zones) ? address : null;
  }

  /** Makes it an IPv4 address, an int32. */
  setIpv4(address: number, port: number): this {
    this.family = 4;
    this.w0 = 0;
    this.w1 = 0;
    this.w2 = 0;
    this.w3 = address | 0;
    this.scopeId = 0;
    this.port = port;
    return this;
  }

  /** Makes it an IPv6 address of four int32 words, most significant first. */
  setIpv6(w0: number, w1: number, w2: number, w3: number, port: number, scopeId: number): this {
    this.family = 6;
    this.w0 = w0 | 0;
    this.w1 = w1 | 0;
    this.w2 = w2 | 0;
    this.w3 = w3 | 0;
    this.scopeId = scopeId;
    this.port = port;
    return this;
  }

  /** Makes it `0.0.0.0` or `::`. */
  clear(family: Family, port: number = 0): this {
    this.setIpv4(0, port);
    this.family = family;
    return this;
  }

  /** Makes it equal to another. */
  copy(from: SocketAddress): this {
    this.family = from.family;
    this.w0 = from.w0;
    this.w1 = from.w1;
    this.w2 = from.w2;
    this.w3 = from.w3;
    this.scopeId = from.scopeId;
    this.port = from.port;
    return this;
  }

  /** A new object, equal to this one. */
  // cold: once per object
  clone(): SocketAddress {
    return new SocketAddress().copy(this);
  }

  /** Same family, address, zone and port. */
  equals(other: SocketAddress): boolean {
    return this.sameHost(other) && this.port === other.port;
  }

  /** {@link equals} without the port. */
  sameHost(other: SocketAddress): boolean {
    return (
      this.w3 === other.w3 &&
      this.w2 === other.w2 &&
      this.w1 === other.w1 &&
      this.w0 === other.w0 &&
      this.scopeId === other.scopeId &&
      this.family === other.family
    );
  }

  /** `0.0.0.0` or `::`. */
  get isAny(): boolean {
    return this.w3 === 0 && this.w2 === 0 && this.w1 === 0 && this.w0 === 0;
  }

  /** An IPv4 address, in either family. */
  get isIpv4(): boolean {
    return this.family === 4 || this.isMapped;
  }

  /** `::ffff:a.b.c.d`, by which a socket of IPv6 names an IPv4 peer. */
  get isMapped(): boolean {
    return this.family === 6 && this.w2 === ipv6.MAPPED_WORD && this.w1 === 0 && this.w0 === 0;
  }

  /** An address of one link that does not say which: fe80::/10, or a group of interface or link scope, without a zone. */
  get lacksZone(): boolean {
    return this.family === 6 && this.scopeId === 0 && isZoned(this.w0);
  }

  /** A group (224.0.0.0/4, ff00::/8), mapped ones too. */
  get isMulticast(): boolean {
    return this.isIpv4 ? ipv4.isMulticast(this.w3) : ipv6.isMulticast(this.w0);
  }

  /** Make a mapped address plain IPv4. */
  unmap(): this {
    return this.isMapped ? this.setIpv4(this.w3, this.port) : this;
  }

  /**
   * Read "10.0.0.1", "2001:db8::1", "fe80::1%eth0" or "fe80::1%2"; the port stays. False, and nothing is changed, when the
   * text is no address or its zone no interface. A zone on an address that has none is checked and dropped.
   */
  // cold: text is for edges
  parse(text: string, zones: ZoneNames = NO_NAMES): boolean {
    if (!text.includes(':')) {
      const address = ipv4.parseAddress(text);
      if (address === null) return false;
      this.setIpv4(address, this.port);
      return true;
    }
    const percent = text.indexOf('%');
    const words = ipv6.parseAddress(percent < 0 ? text : text.slice(0, percent));
    if (words === null) return false;
    const zone = percent < 0 ? 0 : zones.interfaceIndex(text.slice(percent + 1));
    if (percent >= 0 && zone <= 0) return false;
    this.setIpv6(...words, this.port, isZoned(words[0]) ? zone : 0);
    return true;
  }

  /** Text of the address without the port, with the zone when there is one. */
  // cold: text is for edges
  format(zones: ZoneNames = NO_NAMES): string {
    if (this.family === 4) return ipv4.formatAddress(this.w3);
    const text = ipv6.formatAddress([this.w0, this.w1, this.w2, this.w3]);
    if (this.scopeId === 0) return text;
    return `${text}%${zones.interfaceName(this.scopeId) || this.scopeId}`;
  }
}

/** Whether an address with this first word means something on one link only: fe80::/10, groups of interface or link scope. */
function isZoned(word0: number): boolean {
  return ipv6.isLinkLocal(word0) || (ipv6.isMulticast(word0) && ipv6.multicastScope(word0) <= 2);
}
