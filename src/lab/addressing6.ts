/**
 * IPv6 addresses and prefixes of the lab file as unsigned numbers, and how addresses are handed out.
 *
 * Thread: any. A node has the same host part in both families of a network where that is free: 10.0.0.10 and fd00::a.
 * Read first: addressing.ts, RFC 4291 section 2, RFC 5952.
 */

import { ipv6 } from '../wire/index.ts';

const ADDRESS_BITS = 128;
/** Leaves two host addresses besides that of the routers of a subnet (RFC 4291 2.6.1). */
const LENGTH_MAX = 126;
const LENGTH_MIN = 16;
const FIRST_NODE = 10n;
const ROOMY = 64n;

export interface Prefix6 {
  /** First address of the network. */
  network: bigint;
  length: number;
}

/** Null when the text is no IPv6 address, or one with a zone. */
export function parseAddress6(text: string): bigint | null {
  const words = ipv6.parseAddress(text);
  return words === null ? null : words.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
}

export function formatAddress6(address: bigint): string {
  const word = (shift: bigint): number => Number(BigInt.asIntN(32, address >> shift));
  return ipv6.formatAddress([word(96n), word(64n), word(32n), word(0n)]);
}

export function formatPrefix6({ network, length }: Prefix6): string {
  return `${formatAddress6(network)}/${length}`;
}

function sizeOf6(prefix: Prefix6): bigint {
  return 1n << BigInt(ADDRESS_BITS - prefix.length);
}

function contains6(prefix: Prefix6, address: bigint): boolean {
  return address >= prefix.network && address < prefix.network + sizeOf6(prefix);
}

export function overlaps6(a: Prefix6, b: Prefix6): boolean {
  return contains6(a, b.network) || contains6(b, a.network);
}

/** A prefix that hosts can live in, or what is wrong with it. */
export function parsePrefix6(text: string): Prefix6 | string {
  const [addressText, lengthText, ...rest] = text.split('/');
  const address = parseAddress6(addressText as string);
  if (address === null || rest.length > 0) return `"${text}" is no IPv6 prefix; one looks like fd00:0:0:1::/64`;
  if (lengthText === undefined || !/^\d{1,3}$/.test(lengthText))
    return `"${text}": the length is missing, as in ${text}/64`;
  const length = Number(lengthText);
  if (length < LENGTH_MIN || length > LENGTH_MAX) return `"${text}": the length must be ${LENGTH_MIN} to ${LENGTH_MAX}`;
  const network = address - (address % (1n << BigInt(ADDRESS_BITS - length)));
  if (network !== address) {
    return `"${text}" has host bits set; did you mean ${formatPrefix6({ network, length })}?`;
  }
  const what = unfit(address);
  return what === null ? { network, length } : `"${text}" is ${what}: hosts cannot live there`;
}

/** Why no prefix of a lab begins so, or null. */
function unfit(address: bigint): string | null {
  if (address >> 120n === 0xffn) return 'multicast';
  if (address >> 118n === 0x3fan) return 'link-local';
  // ::/96 and ::ffff:0:0/96 stand for addresses of IPv4, :: and ::1 lie there too.
  if (address >> 48n === 0n) return 'reserved';
  return null;
}

/** The IPv6 addresses of one network. */
export class AddressPool6 {
  readonly prefix: Prefix6;
  readonly #taken: Map<bigint, string> = new Map();

  constructor(prefix: Prefix6) {
    this.prefix = prefix;
  }

  /** Fix an address for `owner`; a string says why that cannot be. */
  reserve(address: bigint, owner: string): string | null {
    if (!contains6(this.prefix, address)) return `${formatAddress6(address)} is not in ${formatPrefix6(this.prefix)}`;
    if (address === this.prefix.network) return `${formatAddress6(address)} is the address of the network's routers`;
    const other = this.#taken.get(address);
    if (other !== undefined) return `${formatAddress6(address)} is already taken by ${other}`;
    this.#taken.set(address, owner);
    return null;
  }

  /** The address with host part `wanted` (0: none is wished for) or else the next free one; null when the network is full. */
  allocate(owner: string, router: boolean, wanted: number): bigint | null {
    const size = sizeOf6(this.prefix);
    const { network } = this.prefix;
    if (wanted > 0 && this.#take(network + BigInt(wanted), owner)) return network + BigInt(wanted);
    const hosts = size - 1n;
    const first = !router && size >= ROOMY ? FIRST_NODE : 1n;
    // One more than are taken is free, or there is none.
    const tries = hosts < BigInt(this.#taken.size + 1) ? hosts : BigInt(this.#taken.size + 1);
    for (let i = 0n; i < tries; i++) {
      const address = network + 1n + ((first - 1n + i) % hosts);
      if (this.#take(address, owner)) return address;
    }
    return null;
  }

  #take(address: bigint, owner: string): boolean {
    if (!contains6(this.prefix, address) || this.#taken.has(address)) return false;
    this.#taken.set(address, owner);
    return true;
  }
}
