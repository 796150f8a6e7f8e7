/**
 * Addresses of the control boundary as text: zones by interface name, link-layer addresses with colons.
 *
 * Thread: any; pure functions. Read first: sys/control.ts, RFC 4007 section 11 (`fe80::1%eth0`).
 */

import type { InterfaceName, IpAddress, LinkAddress } from '../sys/control.ts';
import { formatIp, parseIp } from '../wire/ip-address.ts';
import * as ipv6 from '../wire/ipv6-address.ts';

/** Address family: IPv4 or IPv6. */
export type AddressFamily = 'inet' | 'inet6';

const LINK_SCOPE = 2;
/** First four bits of 240.0.0.0/4, which no host has. */
const CLASS_E = 0xf;
const MAC = /^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i;

/** if_nametoindex(3) and if_indextoname(3) over what a kernel said once. */
export class InterfaceNames {
  readonly #list: readonly InterfaceName[];

  constructor(list: readonly InterfaceName[]) {
    this.#list = list;
  }

  /** Index by name or by decimal index; 0 when there is none. */
  index(name: string): number {
    return this.#list.find((one) => one.name === name || String(one.index) === name)?.index ?? 0;
  }

  /** The decimal index for an interface that is not known. */
  name(index: number): string {
    return this.#list.find((one) => one.index === index)?.name ?? String(index);
  }
}

export const NO_INTERFACES: InterfaceNames = new InterfaceNames([]);

export function familyName(address: IpAddress): AddressFamily {
  return address.family === 6 ? 'inet6' : 'inet';
}

export function familyNumber(family: AddressFamily): 4 | 6 {
  return family === 'inet6' ? 6 : 4;
}

export function formatAddress(address: IpAddress, names: InterfaceNames): string {
  const text = formatIp(address);
  return address.scopeId === 0 ? text : `${text}%${names.name(address.scopeId)}`;
}

/** "10.0.0.1", "2001:db8::1", "fe80::1%eth0"; null when it is no address of a host or its zone no interface. A mapped one is IPv4. */
export function parseAddress(text: string, names: InterfaceNames): IpAddress | null {
  const percent = text.indexOf('%');
  const words = parseIp(percent < 0 ? text : text.slice(0, percent));
  if (words === null) return null;
  const { family, w0, w1, w2, w3 } = words;
  if (family === 4 || ipv6.isMapped4([w0, w1, w2, w3])) {
    const reserved = w3 >>> 28 === CLASS_E && w3 !== -1;
    return percent < 0 && !reserved ? { family: 4, w0: 0, w1: 0, w2: 0, w3, scopeId: 0 } : null;
  }
  const zone = percent < 0 ? 0 : names.index(text.slice(percent + 1));
  if (percent >= 0 && zone === 0) return null;
  const scoped = ipv6.isLinkLocal(w0) || (ipv6.isMulticast(w0) && ipv6.multicastScope(w0) <= LINK_SCOPE);
  return { ...words, scopeId: scoped ? zone : 0 };
}

/** "02:6d:6b:00:00:0b". */
export function formatLinkAddress(bytes: LinkAddress): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Six hexadecimal numbers with colons between, or null. */
export function parseLinkAddress(text: string): LinkAddress | null {
  return MAC.test(text) ? text.split(':').map((part) => Number.parseInt(part, 16)) : null;
}
