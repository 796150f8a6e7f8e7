/**
 * Cables that partitions cut: those between a bridge and the nodes of the other side, on the networks that both are on.
 *
 * Thread: the supervisor's. A kernel at the end of a cable receives nothing from the port at its other end (`interface.cut`), whoever sent the
 * frames first. Read first: partitions.ts, link/device.ts (PortedDevice).
 */

import { MultikernelError } from '../base/errors.ts';
import type { PartitionInfo } from './operations.ts';

/** The end of a cable at one node, and the port of the network at its other end. */
export interface Cable {
  interface: string;
  port: number;
}

export interface Cables {
  isBridge(node: string): boolean;
  /** From one node to another. */
  between(from: string, to: string): Cable[];
  /** Names of the networks of a node, for messages. */
  networksOf(node: string): string[];
  /** Ports from which the interfaces of a node receive nothing; those of others are heard. Nothing happens while the kernel is down. */
  cut(node: string, cables: readonly Cable[]): Promise<void>;
}

type Wanted = Omit<PartitionInfo, 'id'>;

export class CableCuts {
  readonly #cables: Cables;
  readonly #partitions: () => readonly PartitionInfo[];
  /** Nodes whose kernels were told of cuts. */
  readonly #told: Set<string> = new Set();
  /** Requests to the kernel of each node, one after the other. */
  readonly #requests: Map<string, Promise<void>> = new Map();

  constructor(cables: Cables, partitions: () => readonly PartitionInfo[]) {
    this.#cables = cables;
    this.#partitions = partitions;
  }

  /** Throws EINVAL for a bridge without a cable to the other side, and for one that would have to answer. */
  check({ a, b, how }: Wanted): void {
    for (const [side, others] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const node of side.filter((name) => this.#cables.isBridge(name))) {
        if (how === 'reject') throw new MultikernelError('EINVAL', `${node} is a bridge, which rejects nothing`);
        if (others.some((other) => this.#cables.between(node, other).length > 0)) continue;
        const networks = this.#cables.networksOf(node).join(', ');
        const what = `no cable leads from ${node} to ${others.join(', ')}; it is a bridge between ${networks}`;
        throw new MultikernelError('EINVAL', what);
      }
    }
  }

  /** Partitions changed: let the kernels of these nodes drop what they have to. */
  async applyTo(nodes: readonly string[]): Promise<void> {
    await Promise.all(nodes.map((node) => this.#apply(node)));
  }

  /** A kernel came up, which was told nothing. */
  applyAnew(node: string): Promise<void> {
    this.#told.delete(node);
    return this.#apply(node);
  }

  #apply(node: string): Promise<void> {
    const before = this.#requests.get(node) ?? Promise.resolve();
    const request = before.catch(() => {}).then(() => this.#tell(node));
    this.#requests.set(node, request);
    return request;
  }

  async #tell(node: string): Promise<void> {
    const cables = this.#partitions().flatMap((partition) => this.#cutAt(node, partition));
    if (cables.length === 0 && !this.#told.has(node)) return;
    this.#told.add(node);
    await this.#cables.cut(node, cables);
  }

  #cutAt(node: string, { a, b, oneWay }: PartitionInfo): Cable[] {
    const others = b.includes(node) ? a : a.includes(node) && !oneWay ? b : [];
    return others
      .filter((other) => this.#cables.isBridge(node) || this.#cables.isBridge(other))
      .flatMap((other) => this.#cables.between(node, other));
  }
}
