/**
 * Networks that bridges join: each set is one segment, with one prefix and one MTU.
 *
 * Thread: the supervisor's. Read first: plan.ts.
 */

import type { NetworkConfig, NodeConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';

export interface NetworkSegment {
  /** Index of the first network of the segment. */
  segment: number;
  /** The bridges of the segment form a circle. */
  looped: boolean;
}

/** The segment of each network. Names of networks that are none are left out: others report them. */
export function segmentsOf(networks: readonly NetworkConfig[], nodes: readonly NodeConfig[]): NetworkSegment[] {
  const parents = networks.map((_network, index) => index);
  const first = (index: number): number => {
    while (parents[index] !== index) index = parents[index] as number;
    return index;
  };
  const looped = new Set<number>();
  for (const { kind, networks: names } of nodes) {
    if (kind !== 'bridge') continue;
    const joined = (names ?? []).map((name) => networks.findIndex((network) => network.name === name));
    const known = [...new Set(joined.filter((index) => index >= 0))];
    const [start] = known;
    if (start === undefined) continue;
    for (const other of known.slice(1)) {
      const [a, b] = [first(start), first(other)];
      // Joined already: there are two ways from one to the other.
      if (a === b) looped.add(other);
      parents[Math.max(a, b)] = Math.min(a, b);
    }
  }
  const circles = new Set([...looped].map(first));
  return networks.map((_network, index) => ({ segment: first(index), looped: circles.has(first(index)) }));
}

/** Networks of one segment have one MTU, and one prefix of each family, which one of them may name. */
export function reportDifferences(
  networks: readonly NetworkConfig[],
  segments: readonly NetworkSegment[],
  problem: (path: KeyPath, message: string) => void,
): void {
  networks.forEach((network, index) => {
    const { segment } = segments[index] as NetworkSegment;
    const others = networks.filter((_other, at) => at < index && segments[at]?.segment === segment);
    const mtu = others.find((other) => other.mtuBytes !== network.mtuBytes);
    if (mtu !== undefined) {
      const message = `a bridge joins it with ${mtu.name}, whose mtu is ${mtu.mtuBytes}`;
      problem(['networks', network.name, 'mtu'], message);
    }
    if (network.prefix === null) return;
    const named = others.find((other) => other.prefix !== null);
    if (named === undefined || String(named.prefix) === String(network.prefix)) return;
    const message = `a bridge joins it with ${named.name}, whose prefix is ${String(named.prefix)}`;
    problem(['networks', network.name, 'prefix'], message);
  });
}
