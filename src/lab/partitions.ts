/**
 * Partitions between nodes of a lab: which kernel has to filter what.
 *
 * Thread: the supervisor's. A partition is made at the receiving kernels, by source address, so that it holds whatever the path: frames
 * between two nodes vanish although both still reach everybody else. On a network that both are on it is made by MAC address too,
 * so that it holds for link-local addresses and all others that the lab file does not give. Behind a router it holds for the
 * addresses that a node has when the partition is made, and for those that `ifconfig` gives it later. A bridge has no addresses: the cables
 * between it and the other side are cut, with all that it would pass on (cable-cuts.ts). Read first: FilterRule in ../tools/change-requests.ts. Missing: behind a router, addresses that a node makes for itself (SLAAC) after it was cut off.
 */

import { MultikernelError } from '../base/errors.ts';
import type { FilterRule } from '../tools/change-requests.ts';
import type { InterfaceInfo } from '../tools/interface-text.ts';
import { CableCuts, type Cables } from './cable-cuts.ts';
import type { PartitionInfo } from './operations.ts';

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

/** The way of the table to the kernels. */
export interface Kernels {
  exists(node: string): boolean;
  /** Addresses that the lab file gives the node. */
  addressesOf(node: string): string[];
  /** As they are now; none while the kernel is down. */
  interfacesOf(node: string): Promise<readonly InterfaceInfo[]>;
  /** Its interfaces; `all`: what they send is the node's own, because it forwards nothing. */
  linksOf(node: string): LinkFilter[];
  /** Null while the kernel is down. */
  filterOf(node: string): NodeFilter | null;
}

/** The partitions of a lab. A kernel that is down filters when it comes up again. */
export class PartitionTable {
  readonly #partitions: Map<string, PartitionInfo> = new Map();
  readonly #kernels: Kernels;
  readonly #cables: CableCuts;
  #nextId = 1;

  constructor(kernels: Kernels, cables: Cables) {
    this.#kernels = kernels;
    this.#cables = new CableCuts(cables, () => this.list());
  }

  list(): PartitionInfo[] {
    return [...this.#partitions.values()];
  }

  /** One that is there already, or one way of it, is not made twice: it is cut both ways then if either is, in the way that is wanted now. */
  async add(wanted: Omit<PartitionInfo, 'id'>): Promise<PartitionInfo> {
    checkPartition(wanted, (name) => this.#kernels.exists(name));
    this.#cables.check(wanted);
    const known = this.list().find((one) => isSame(one, wanted));
    if (known !== undefined && known.how === wanted.how && (wanted.oneWay || !known.oneWay)) return known;
    const partition = known ?? { id: `partition${this.#nextId++}`, ...wanted };
    partition.how = wanted.how;
    partition.oneWay &&= wanted.oneWay;
    this.#partitions.set(partition.id, partition);
    const all = [...partition.a, ...partition.b];
    await Promise.all([...all.map((name) => this.#apply(partition, name)), this.#cables.applyTo(all)]);
    return partition;
  }

  /** By id, between two sets, or all: both null. Returns what was healed. */
  async heal(id: string | null, between: { a: string[]; b: string[] } | null): Promise<PartitionInfo[]> {
    const healed = this.list().filter(
      (partition) =>
        (id === null || partition.id === id) && (between === null || isBetween(partition, between.a, between.b)),
    );
    for (const partition of healed) {
      this.#partitions.delete(partition.id);
      const all = [...partition.a, ...partition.b];
      await Promise.all([...all.map((name) => this.#remove(partition, name)), this.#cables.applyTo(all)]);
    }
    return healed;
  }

  /** A kernel came up: let it filter what it has to. */
  async applyTo(node: string): Promise<void> {
    for (const partition of this.#partitions.values()) await this.#apply(partition, node);
    await this.#cables.applyAnew(node);
  }

  /** Whether a partition names this node. */
  names(node: string): boolean {
    return this.list().some(({ a, b }) => a.includes(node) || b.includes(node));
  }

  /** A node has got or lost addresses: the nodes on the other side of its partitions filter the new ones too. */
  async addressesChanged(node: string): Promise<void> {
    for (const partition of this.#partitions.values()) {
      const others = partition.a.includes(node) ? partition.b : partition.b.includes(node) ? partition.a : [];
      await Promise.all(others.map((name) => this.#apply(partition, name)));
    }
  }

  /** At once by what the lab file says, then by what the senders' kernels say: one whose program blocks it takes its time. */
  async #apply(partition: PartitionInfo, node: string): Promise<void> {
    if (partition.oneWay && !partition.b.includes(node)) return;
    const senders = partition.b.includes(node) ? partition.a : partition.b;
    const known = senders.flatMap((name) => this.#kernels.addressesOf(name));
    const [, now] = await Promise.all([this.#filter(partition, node, senders, known), this.#addressesNow(senders)]);
    const all = [...new Set([...known, ...now])];
    if (all.length > known.length) await this.#filter(partition, node, senders, all);
  }

  async #filter(partition: PartitionInfo, node: string, senders: readonly string[], from: string[]): Promise<void> {
    // Healed meanwhile.
    if (this.#partitions.get(partition.id) !== partition) return;
    const links = senders.flatMap((name) => this.#kernels.linksOf(name));
    const action = partition.how === 'reject' ? 'reject' : 'drop';
    await this.#kernels.filterOf(node)?.add({ id: partition.id, from, links, action });
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

  async #remove(partition: PartitionInfo, node: string): Promise<void> {
    if (partition.oneWay && partition.a.includes(node)) return;
    await this.#kernels.filterOf(node)?.remove(partition.id);
  }
}

/**
 * The cuts that part several groups: each from every other. Throws EINVAL for fewer than two groups, for one way between more than two,
 * and for a node in two of them.
 */
export function pairsOf(
  groups: readonly (readonly string[])[],
  oneWay: boolean = false,
): { a: string[]; b: string[] }[] {
  if (groups.length < 2) throw new MultikernelError('EINVAL', 'a partition needs two sides');
  if (oneWay && groups.length > 2) throw new MultikernelError('EINVAL', 'one way is between two sides, and no more');
  const pairs = groups.flatMap((a, index) => groups.slice(index + 1).map((b) => ({ a: [...a], b: [...b] })));
  for (const { a, b } of pairs) checkApart(a, b);
  return pairs;
}

function checkApart(a: readonly string[], b: readonly string[]): void {
  const both = a.find((node) => b.includes(node));
  if (both !== undefined) throw new MultikernelError('EINVAL', `${both} cannot be cut from itself`);
}

/** Whether a partition is the one between these two sets, whichever was named first. */
function isBetween(partition: PartitionInfo, a: readonly string[], b: readonly string[]): boolean {
  const same = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === y.length && x.every((node) => y.includes(node));
  return (same(partition.a, a) && same(partition.b, b)) || (same(partition.a, b) && same(partition.b, a));
}

/** Whether the wanted one is that one, or differs from it in one way or both ways, or in how. */
function isSame(partition: PartitionInfo, wanted: Omit<PartitionInfo, 'id'>): boolean {
  if (!isBetween(partition, wanted.a, wanted.b)) return false;
  const reversed = !isBetween({ ...partition, b: partition.a }, wanted.a, wanted.a);
  // A cut of both ways and a rejection of one are two.
  if (!partition.oneWay && wanted.oneWay) return partition.how === wanted.how;
  return !(partition.oneWay && wanted.oneWay && reversed);
}

/** Throws EINVAL for a partition that makes no sense; every node must be known to `exists`. */
function checkPartition(partition: Omit<PartitionInfo, 'id'>, exists: (node: string) => boolean): void {
  const all = [...partition.a, ...partition.b];
  const stranger = all.find((node) => !exists(node));
  if (stranger !== undefined) throw new MultikernelError('ENOENT', `no node ${stranger}`);
  if (partition.a.length === 0 || partition.b.length === 0)
    throw new MultikernelError('EINVAL', 'a partition needs two sides');
  checkApart(partition.a, partition.b);
}
