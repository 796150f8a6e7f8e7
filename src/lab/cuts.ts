/**
 * Cuts between nodes of a lab: which kernel has to filter what.
 *
 * Thread: the supervisor's. A cut is made at the receiving kernels, by source address, so that it holds whatever the path: frames
 * between two nodes vanish although both still reach everybody else. On a network that both are on it is made by MAC address too,
 * so that it holds for link-local addresses and all others that the lab file does not give. Behind a router it holds for the
 * addresses that a node has when the cut is made, and for those that `ifconfig` gives it later. Read first: FilterRule in
 * ../tools/change-requests.ts. Missing: behind a router, addresses that a node makes for itself (SLAAC) after it was cut off.
 */

import { MultikernelError } from '../base/errors.ts';
import type { FilterRule } from '../tools/change-requests.ts';
import type { InterfaceInfo } from '../tools/interface-text.ts';
import type { CutInfo } from './operations.ts';

export interface LinkFilter {
  mac: string;
  all: boolean;
}

/** The ingress filter of a node's kernel. */
export interface NodeFilter {
  /** A rule of the same id is replaced. */
  add(rule: FilterRule): Promise<void>;
  remove(id: string): Promise<void>;
}

/** How the table reaches the kernels. */
export interface Kernels {
  exists(node: string): boolean;
  /** Those of the lab file. */
  addressesOf(node: string): string[];
  /** As they are now; none while the kernel is down. */
  interfacesOf(node: string): Promise<readonly InterfaceInfo[]>;
  /** Its interfaces; `all`: what they send is the node's own, because it forwards nothing. */
  linksOf(node: string): LinkFilter[];
  /** Null while the kernel is down. */
  filterOf(node: string): NodeFilter | null;
}

/** The cuts of a lab. A kernel that is down filters when it comes up again. */
export class CutTable {
  readonly #cuts: Map<string, CutInfo> = new Map();
  readonly #kernels: Kernels;
  #nextId = 1;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  list(): CutInfo[] {
    return [...this.#cuts.values()];
  }

  async add(wanted: Omit<CutInfo, 'id'>): Promise<CutInfo> {
    checkCut(wanted, (name) => this.#kernels.exists(name));
    const cut: CutInfo = { id: `cut${this.#nextId++}`, ...wanted };
    this.#cuts.set(cut.id, cut);
    await Promise.all([...cut.a, ...cut.b].map((name) => this.#apply(cut, name)));
    return cut;
  }

  /** By id, between two sets, or all: both null. Returns what was healed. */
  async heal(id: string | null, between: { a: string[]; b: string[] } | null): Promise<CutInfo[]> {
    const healed = this.list().filter(
      (cut) => (id === null || cut.id === id) && (between === null || isBetween(cut, between.a, between.b)),
    );
    for (const cut of healed) {
      this.#cuts.delete(cut.id);
      await Promise.all([...cut.a, ...cut.b].map((name) => this.#remove(cut, name)));
    }
    return healed;
  }

  /** A kernel came up: let it filter what it has to. */
  async applyTo(kernel: string): Promise<void> {
    for (const cut of this.#cuts.values()) await this.#apply(cut, kernel);
  }

  /** Whether a cut names this node. */
  names(node: string): boolean {
    return this.list().some(({ a, b }) => a.includes(node) || b.includes(node));
  }

  /** A node has got or lost addresses: the nodes on the other side of its cuts filter the new ones too. */
  async addressesChanged(node: string): Promise<void> {
    for (const cut of this.#cuts.values()) {
      const others = cut.a.includes(node) ? cut.b : cut.b.includes(node) ? cut.a : [];
      await Promise.all(others.map((name) => this.#apply(cut, name)));
    }
  }

  /** At once by what the lab file says, then by what the senders' kernels say: one whose program blocks it takes its time. */
  async #apply(cut: CutInfo, kernel: string): Promise<void> {
    if (cut.oneWay && !cut.b.includes(kernel)) return;
    const senders = cut.b.includes(kernel) ? cut.a : cut.b;
    const known = senders.flatMap((name) => this.#kernels.addressesOf(name));
    const [, now] = await Promise.all([this.#filter(cut, kernel, senders, known), this.#addressesNow(senders)]);
    const all = [...new Set([...known, ...now])];
    if (all.length > known.length) await this.#filter(cut, kernel, senders, all);
  }

  async #filter(cut: CutInfo, kernel: string, senders: readonly string[], from: string[]): Promise<void> {
    // Healed meanwhile.
    if (this.#cuts.get(cut.id) !== cut) return;
    const links = senders.flatMap((name) => this.#kernels.linksOf(name));
    const action = cut.how === 'reject' ? 'reject' : 'drop';
    await this.#kernels.filterOf(kernel)?.add({ id: cut.id, from, links, action });
  }

  /** Source addresses of packets that reach others through a router. */
  async #addressesNow(nodes: readonly string[]): Promise<string[]> {
    const interfaces = await Promise.all(nodes.map((name) => this.#kernels.interfacesOf(name)));
    return interfaces
      .flat()
      .filter(({ flagNames }) => !flagNames.includes('LOOPBACK'))
      .flatMap(({ addresses, addresses6 }) => [...addresses, ...addresses6])
      .map(({ address }) => address)
      .filter((address) => !address.includes('%'));
  }

  async #remove(cut: CutInfo, kernel: string): Promise<void> {
    if (cut.oneWay && cut.a.includes(kernel)) return;
    await this.#kernels.filterOf(kernel)?.remove(cut.id);
  }
}

/** Whether a cut is the one between these two sets, whichever was named first. */
export function isBetween(cut: CutInfo, a: readonly string[], b: readonly string[]): boolean {
  const same = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === y.length && x.every((node) => y.includes(node));
  return (same(cut.a, a) && same(cut.b, b)) || (same(cut.a, b) && same(cut.b, a));
}

/** Throws EINVAL for a cut that makes no sense; every node must be known to `exists`. */
export function checkCut(cut: Omit<CutInfo, 'id'>, exists: (node: string) => boolean): void {
  const all = [...cut.a, ...cut.b];
  const stranger = all.find((node) => !exists(node));
  if (stranger !== undefined) throw new MultikernelError('ENOENT', `no node ${stranger}`);
  if (cut.a.length === 0 || cut.b.length === 0) throw new MultikernelError('EINVAL', 'a cut needs two sides');
  const both = cut.a.find((node) => cut.b.includes(node));
  if (both !== undefined) throw new MultikernelError('EINVAL', `${both} cannot be cut from itself`);
}
