/**
 * IPv4 addresses and prefixes of the lab file (IPv6: addressing6.ts) as unsigned numbers, and how addresses are handed out.
 *
 * Thread: any. Allocation goes by file order alone, so that a lab has the same addresses on every machine and a node
 * added at the end moves nobody.
 */

import ipaddr from 'ipaddr.js';

export interface Prefix {
  /** First address of the network, unsigned. */
  network: number;
  length: number;
}

/** Unsigned, or null when the text is no dotted IPv4 address. */
export function parseAddress(text: string): number | null {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return null;
  return ipaddr.IPv4.parse(text).octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

function sizeOf(prefix: Prefix): number {
  return 2 ** (32 - prefix.length);
}

function contains(prefix: Prefix, address: number): boolean {
  return address >= prefix.network && address < prefix.network + sizeOf(prefix);
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, b.network) || contains(b, a.network);
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.network)}/${prefix.length}`;
}

/** A prefix that hosts can live in, or what is wrong with it. */
export function parsePrefix(text: string): Prefix | string {
  const [addressText, lengthText, ...rest] = text.split('/');
  const address = parseAddress(addressText as string);
  if (address === null || rest.length > 0) return `"${text}" is no IPv4 prefix; one looks like 10.0.0.0/24`;
  if (lengthText === undefined || !/^\d{1,2}$/.test(lengthText))
    return `"${text}": the length is missing, as in ${text}/24`;
  const length = Number(lengthText);
  if (length < 8 || length > 30) return `"${text}": the length must be 8 to 30`;
  const prefix = { network: address - (address % 2 ** (32 - length)), length };
  if (prefix.network !== address) return `"${text}" has host bits set; did you mean ${formatPrefix(prefix)}?`;
  const range = ipaddr.parse(formatAddress(address)).range();
  if (range === 'loopback' || range === 'multicast' || range === 'broadcast' || range === 'unspecified') {
    return `"${text}" is ${range}: hosts cannot live there`;
  }
  return prefix;
}

/** Routers take the first addresses of a network; other nodes start here where there is room, as people expect. */
const FIRST_NODE = 10;
const ROOMY = 64;

/** The addresses of one network. */
export class AddressPool {
  readonly prefix: Prefix;
  readonly #taken: Map<number, string> = new Map();

  constructor(prefix: Prefix) {
    this.prefix = prefix;
  }

  /** Fix an address for `owner`; a string says why that cannot be. */
  reserve(address: number, owner: string): string | null {
    const { network } = this.prefix;
    if (!contains(this.prefix, address)) return `${formatAddress(address)} is not in ${formatPrefix(this.prefix)}`;
    if (address === network) return `${formatAddress(address)} is the network's own address`;
    if (address === network + sizeOf(this.prefix) - 1) return `${formatAddress(address)} is the broadcast address`;
    const other = this.#taken.get(address);
    if (other !== undefined) return `${formatAddress(address)} is already taken by ${other}`;
    this.#taken.set(address, owner);
    return null;
  }

  /** The next free address, or null when the network is full. */
  allocate(owner: string, router: boolean): number | null {
    const size = sizeOf(this.prefix);
    const first = !router && size >= ROOMY ? FIRST_NODE : 1;
    for (let i = 0; i < size - 2; i++) {
      const host = 1 + ((first - 1 + i) % (size - 2));
      const address = this.prefix.network + host;
      if (this.#taken.has(address)) continue;
      this.#taken.set(address, owner);
      return address;
    }
    return null;
  }
}

/** Prefixes for networks that name none: 10.0.0.0/24, 10.0.1.0/24, ... around those that are taken. */
export function allocatePrefix(taken: readonly Prefix[]): Prefix {
  for (let network = 0x0a00_0000; ; network += 256) {
    const prefix = { network, length: 24 };
    if (!taken.some((other) => overlaps(prefix, other))) return prefix;
  }
}

/** Locally administered, "mk" in the middle: 02:6d:6b, two octets for the node, one for the interface. Stable. */
export function macAddress(nodeIndex: number, interfaceIndex: number): string {
  const octets = [0x02, 0x6d, 0x6b, ((nodeIndex + 1) >> 8) & 255, (nodeIndex + 1) & 255, interfaceIndex & 255];
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}
