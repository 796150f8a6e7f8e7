/**
 * The IPv4 routing table: longest prefix match.
 *
 * Thread: the one that runs the kernel. A multibit trie with strides of eight bits and, inside each node, the complete
 * binary tree of an allotment routing table: a lookup reads at most eight words, an insertion repaints only the part of
 * one node that the new prefix covers. Nodes lie in one Int32Array, so a later many-CPU kernel can put them in shared
 * memory. One route per prefix, as in NetBSD.
 * Read first: Hariguchi, "Allotment Routing Table" (2002). Missing: metrics, multipath.
 *
 *   node:  word 0        number of routes and children here (0: the node can go)
 *          word 1..511   route of base index k: k = 2^len + the top `len` bits of this byte; painted from above
 *          word 512..767 child for each value of the byte, 0 none
 */

import { Errno } from '../base/errors.ts';
import { PathEpoch } from './path-epoch.ts';
import type { Route, Routes } from './route.ts';
import type { TableEvents } from './table-events.ts';

const STRIDE = 8;
const FRINGE = 1 << STRIDE;
const CHILDREN = 2 * FRINGE;
const NODE_WORDS = 3 * FRINGE;

/** Network mask of a prefix length, int32. */
export function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
}

export class RouteTable implements Routes {
  limit: number;
  events: TableEvents | null = null;
  readonly #epoch: PathEpoch;
  /** A route found no room. */
  readonly #refused: () => void;
  readonly #routes: (Route | null)[] = [null];
  readonly #freeIds: number[] = [];
  readonly #freeNodes: number[] = [];
  #nodes: Int32Array = new Int32Array(NODE_WORDS * 4);
  #nodesEnd = NODE_WORDS;
  #count = 0;

  constructor(epoch: PathEpoch = new PathEpoch(), limit: number = 16384, refused: () => void = () => {}) {
    this.#epoch = epoch;
    this.limit = limit;
    this.#refused = refused;
  }

  get count(): number {
    return this.#count;
  }

  get room(): number {
    return this.limit - this.#count;
  }

  lookup(address: number): Route | null {
    const nodes = this.#nodes;
    let best = nodes[1] as number;
    let node = 0;
    for (let shift = 24; shift >= 0; shift -= STRIDE) {
      const byte = (address >>> shift) & 0xff;
      const painted = nodes[node + FRINGE + byte] as number;
      if (painted !== 0) best = painted;
      const child = nodes[node + CHILDREN + byte] as number;
      if (child === 0) break;
      node = child;
    }
    return this.#routes[best] as Route | null;
  }

  find(destination: number, prefixLength: number): Route | null {
    let node = 0;
    for (let level = 0; level < levelOf(prefixLength); level++) {
      node = this.#nodes[node + CHILDREN + byteAt(destination, level)] as number;
      if (node === 0) return null;
    }
    const route = this.#routes[this.#nodes[node + baseIndex(destination, prefixLength)] as number] as Route | null;
    return route !== null && route.prefixLength === prefixLength ? route : null;
  }

  add(route: Route): number {
    const { destination, prefixLength } = route;
    if ((destination & ~maskOf(prefixLength)) !== 0) return -Errno.EINVAL;
    if (this.find(destination, prefixLength) !== null) return -Errno.EEXIST;
    if (this.#count >= this.limit) {
      this.#refused();
      return -Errno.ENOBUFS;
    }
    const node = this.#descend(destination, levelOf(prefixLength));
    const id = this.#freeIds.pop() ?? this.#routes.length;
    this.#routes[id] = route;
    this.#count++;
    (this.#nodes[node] as number)++;
    const k = baseIndex(destination, prefixLength);
    this.#paint(node, k, this.#nodes[node + k] as number, id);
    this.#epoch.bump();
    this.events?.listener?.routeAdded(route);
    return 0;
  }

  remove(destination: number, prefixLength: number): Route | null {
    const route = this.find(destination, prefixLength);
    if (route === null) return null;
    const level = levelOf(prefixLength);
    let node = 0;
    for (let i = 0; i < level; i++) node = this.#nodes[node + CHILDREN + byteAt(destination, i)] as number;
    const k = baseIndex(destination, prefixLength);
    const id = this.#nodes[node + k] as number;
    this.#paint(node, k, id, k > 1 ? (this.#nodes[node + (k >> 1)] as number) : 0);
    (this.#nodes[node] as number)--;
    this.#routes[id] = null;
    this.#freeIds.push(id);
    this.#count--;
    this.#prune(destination, level);
    this.#epoch.bump();
    this.events?.listener?.routeDeleted(route);
    return route;
  }

  // cold: control
  list(): Route[] {
    const found = this.#routes.filter((route) => route !== null);
    return found.sort((a, b) => (a.destination >>> 0) - (b.destination >>> 0) || a.prefixLength - b.prefixLength);
  }

  /** The node at `level` on the way to `destination`, made where it is missing. */
  #descend(destination: number, level: number): number {
    let node = 0;
    for (let i = 0; i < level; i++) {
      const slot = node + CHILDREN + byteAt(destination, i);
      let child = this.#nodes[slot] as number;
      if (child === 0) {
        child = this.#newNode();
        this.#nodes[slot] = child;
        (this.#nodes[node] as number)++;
      }
      node = child;
    }
    return node;
  }

  // cold: configuration
  #newNode(): number {
    const free = this.#freeNodes.pop();
    if (free !== undefined) return free;
    const node = this.#nodesEnd;
    this.#nodesEnd += NODE_WORDS;
    if (this.#nodesEnd > this.#nodes.length) {
      const grown = new Int32Array(this.#nodes.length * 2);
      grown.set(this.#nodes);
      this.#nodes = grown;
    }
    return node;
  }

  /** Replace `before` by `after` in the subtree of base index `k`, stopping where a longer prefix has painted. */
  #paint(node: number, k: number, before: number, after: number): void {
    if (this.#nodes[node + k] !== before) return;
    this.#nodes[node + k] = after;
    if (k >= FRINGE) return;
    this.#paint(node, 2 * k, before, after);
    this.#paint(node, 2 * k + 1, before, after);
  }

  /** Give back the nodes on the way to `destination` that hold nothing, deepest first. The root stays. */
  #prune(destination: number, level: number): void {
    for (let depth = level; depth > 0; depth--) {
      let parent = 0;
      for (let i = 0; i < depth - 1; i++) parent = this.#nodes[parent + CHILDREN + byteAt(destination, i)] as number;
      const slot = parent + CHILDREN + byteAt(destination, depth - 1);
      const node = this.#nodes[slot] as number;
      if (this.#nodes[node] !== 0) return;
      this.#nodes[slot] = 0;
      (this.#nodes[parent] as number)--;
      this.#freeNodes.push(node);
    }
  }
}

function levelOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (prefixLength - 1) >> 3;
}

function byteAt(address: number, level: number): number {
  return (address >>> (24 - STRIDE * level)) & 0xff;
}

function baseIndex(destination: number, prefixLength: number): number {
  const level = levelOf(prefixLength);
  const bits = prefixLength - STRIDE * level;
  return (1 << bits) + (byteAt(destination, level) >> (STRIDE - bits));
}
