/**
 * The IPv6 routing table: longest prefix match over a binary trie without chains (a Patricia trie).
 *
 * Thread: the one that runs the kernel. Read when a path is looked up, not for each packet. Addresses are handles;
 * {@link AddressHandles} gives their words. A prefix of link scope belongs to the link of its zone, which the trie keeps in the
 * 16 bits that link-local prefixes leave free. One route per prefix. Missing: metrics, multipath.
 */

import { Errno } from '../base/errors.ts';
import { maskWord } from '../wire/ipv6-address.ts';
import type { PathEpoch } from './path-epoch.ts';
import type { Route, Routes } from './route.ts';
import type { TableEvents } from './table-events.ts';

const ADDRESS_BITS = 128;

/** The words behind the handle of an IPv6 address (inet/ip/address-interner.ts). */
export interface AddressHandles {
  /** Word 0 to 3. */
  word(address: number, index: number): number;
  /** Interface index of an address of link scope, else 0. */
  zone(address: number): number;
}

class Node {
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  /** Bits of the words that count; those behind them are 0. */
  readonly bits: number;
  route: Route | null = null;
  zero: Node | null = null;
  one: Node | null = null;

  constructor(w0: number, w1: number, w2: number, w3: number, bits: number) {
    this.w0 = w0 & maskWord(bits, 0);
    this.w1 = w1 & maskWord(bits, 1);
    this.w2 = w2 & maskWord(bits, 2);
    this.w3 = w3 & maskWord(bits, 3);
    this.bits = bits;
  }

  /** Leading bits that an address and the node's have in common. */
  common(w0: number, w1: number, w2: number, w3: number): number {
    if (w0 !== this.w0) return Math.clz32(w0 ^ this.w0);
    if (w1 !== this.w1) return 32 + Math.clz32(w1 ^ this.w1);
    if (w2 !== this.w2) return 64 + Math.clz32(w2 ^ this.w2);
    return 96 + Math.clz32(w3 ^ this.w3);
  }
}

export class RouteTable6 implements Routes {
  events: TableEvents | null = null;
  readonly #addresses: AddressHandles;
  readonly #epoch: PathEpoch;
  readonly #limit: () => number;
  /** A route found no room. */
  readonly #refused: () => void;
  #root: Node = new Node(0, 0, 0, 0, 0);
  #count = 0;

  constructor(addresses: AddressHandles, epoch: PathEpoch, limit: () => number, refused: () => void) {
    this.#addresses = addresses;
    this.#epoch = epoch;
    this.#limit = limit;
    this.#refused = refused;
  }

  get count(): number {
    return this.#count;
  }

  get room(): number {
    return this.#limit() - this.#count;
  }

  /** Call `mark` with every address kept. */
  markAddresses(mark: (address: number) => void): void {
    for (const { destination, gateway, source } of this.list()) {
      mark(destination);
      mark(gateway);
      mark(source);
    }
  }

  lookup(address: number): Route | null {
    const w0 = this.#key0(address);
    const w1 = this.#addresses.word(address, 1);
    const w2 = this.#addresses.word(address, 2);
    const w3 = this.#addresses.word(address, 3);
    let best: Route | null = null;
    let node: Node | null = this.#root;
    while (node !== null && node.common(w0, w1, w2, w3) >= node.bits) {
      if (node.route !== null) best = node.route;
      if (node.bits === ADDRESS_BITS) break;
      node = bitOf(w0, w1, w2, w3, node.bits) === 0 ? node.zero : node.one;
    }
    return best;
  }

  find(destination: number, prefixLength: number): Route | null {
    return this.#findNode(destination, prefixLength)?.route ?? null;
  }

  // cold: configuration
  add(route: Route): number {
    const { destination, prefixLength } = route;
    const w0 = this.#key0(destination);
    const w1 = this.#addresses.word(destination, 1);
    const w2 = this.#addresses.word(destination, 2);
    const w3 = this.#addresses.word(destination, 3);
    const wanted = new Node(w0, w1, w2, w3, prefixLength);
    if (wanted.w0 !== w0 || wanted.w1 !== w1 || wanted.w2 !== w2 || wanted.w3 !== w3) return -Errno.EINVAL;
    if (this.find(destination, prefixLength) !== null) return -Errno.EEXIST;
    if (this.#count >= this.#limit()) {
      this.#refused();
      return -Errno.ENOBUFS;
    }
    this.#insert(wanted).route = route;
    this.#count++;
    this.#epoch.bump();
    this.events?.listener?.routeAdded(route);
    return 0;
  }

  remove(destination: number, prefixLength: number): Route | null {
    const node = this.#findNode(destination, prefixLength);
    const route = node?.route ?? null;
    if (node === null || route === null) return null;
    node.route = null;
    this.#prune(node);
    this.#count--;
    this.#epoch.bump();
    this.events?.listener?.routeDeleted(route);
    return route;
  }

  // cold: control
  list(): Route[] {
    const found: Route[] = [];
    const visit = (node: Node | null): void => {
      if (node === null) return;
      if (node.route !== null) found.push(node.route);
      visit(node.zero);
      visit(node.one);
    };
    visit(this.#root);
    return found;
  }

  /** First word with the zone of link-local prefixes where their zeros are. */
  #key0(address: number): number {
    return this.#addresses.word(address, 0) ^ this.#addresses.zone(address);
  }

  #findNode(destination: number, prefixLength: number): Node | null {
    const w0 = this.#key0(destination);
    const w1 = this.#addresses.word(destination, 1);
    const w2 = this.#addresses.word(destination, 2);
    const w3 = this.#addresses.word(destination, 3);
    let node: Node | null = this.#root;
    while (node !== null && node.bits < prefixLength && node.common(w0, w1, w2, w3) >= node.bits) {
      node = bitOf(w0, w1, w2, w3, node.bits) === 0 ? node.zero : node.one;
    }
    if (node === null || node.bits !== prefixLength) return null;
    return node.common(w0, w1, w2, w3) >= prefixLength ? node : null;
  }

  /** The node of a prefix, made where it is missing. */
  // cold: configuration
  #insert(wanted: Node): Node {
    let above = this.#root;
    for (;;) {
      if (above.bits === wanted.bits) return above;
      const side = bitOf(wanted.w0, wanted.w1, wanted.w2, wanted.w3, above.bits);
      const below = side === 0 ? above.zero : above.one;
      if (below === null) {
        attach(above, wanted);
        return wanted;
      }
      const common = Math.min(below.common(wanted.w0, wanted.w1, wanted.w2, wanted.w3), wanted.bits);
      if (common >= below.bits) {
        above = below;
        continue;
      }
      const fork = common === wanted.bits ? wanted : new Node(wanted.w0, wanted.w1, wanted.w2, wanted.w3, common);
      attach(above, fork);
      attach(fork, below);
      if (fork !== wanted) attach(fork, wanted);
      return wanted;
    }
  }

  /** Take out a node that holds nothing, and its parent when that only forked. The root stays. */
  #prune(node: Node): void {
    if (node === this.#root || node.route !== null || (node.zero !== null && node.one !== null)) return;
    let parent = this.#root;
    for (;;) {
      const next = bitOf(node.w0, node.w1, node.w2, node.w3, parent.bits) === 0 ? parent.zero : parent.one;
      if (next === node || next === null) break;
      parent = next;
    }
    const child = node.zero ?? node.one;
    if (parent.zero === node) parent.zero = child;
    else parent.one = child;
    if (child === null) this.#prune(parent);
  }
}

function attach(above: Node, below: Node): void {
  if (bitOf(below.w0, below.w1, below.w2, below.w3, above.bits) === 0) above.zero = below;
  else above.one = below;
}

/** Bit number `bit` of an address, 0 the first. */
function bitOf(w0: number, w1: number, w2: number, w3: number, bit: number): number {
  const word = bit < 32 ? w0 : bit < 64 ? w1 : bit < 96 ? w2 : w3;
  return (word >>> (31 - (bit & 31))) & 1;
}
