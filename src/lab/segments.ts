/**
 * Networks that bridges join: each set is one segment, with one prefix and one MTU. A bridge passes tagged frames on, so that the VLANs of one
 * tag on networks of one segment are one segment, too.
 *
 * Thread: the supervisor's. Read first: plan.ts.
 */

import type { LabConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';
import type { CarriedNetwork } from './vlans.ts';

type Report = (path: KeyPath, message: string) => void;

export interface NetworkSegment {
  /** Index of the first network of the segment. */
  segment: number;
  /** The bridges of the segment form a circle. */
  looped: boolean;
}

/** Sets of networks, each known by its first. */
class NetworkSets {
  readonly #parents: number[];

  constructor(count: number) {
    this.#parents = Array.from({ length: count }, (_, index) => index);
  }

  first(index: number): number {
    let at = index;
    while (this.#parents[at] !== at) at = this.#parents[at] as number;
    return at;
  }

  /** False: they were joined already. */
  join(one: number, other: number): boolean {
    const [a, b] = [this.first(one), this.first(other)];
    this.#parents[Math.max(a, b)] = Math.min(a, b);
    return a !== b;
  }
}

/** The segment of each network. Names of networks that are none are left out: others report them. */
export function segmentsOf(
  networks: readonly CarriedNetwork[],
  nodes: LabConfig['nodes'],
  problem: Report,
): NetworkSegment[] {
  const sets = new NetworkSets(networks.length);
  const looped: number[] = [];
  for (const { kind, networks: names } of nodes) {
    if (kind !== 'bridge') continue;
    const joined = (names ?? []).map((name) => networks.findIndex((network) => network.name === name));
    const [start, ...others] = joined.filter((index) => index >= 0);
    if (start === undefined) continue;
    // Joined already: there are two ways from one to the other, or two ports on one.
    for (const other of others) if (!sets.join(start, other)) looped.push(other);
  }
  joinVlans(networks, sets, problem);
  const circles = new Set(looped.map((index) => sets.first(index)));
  return networks.map((_network, index) => ({ segment: sets.first(index), looped: circles.has(sets.first(index)) }));
}

/** VLANs of one tag on joined networks, and then those on them. */
function joinVlans(networks: readonly CarriedNetwork[], sets: NetworkSets, problem: Report): void {
  const below = networks.map(({ on }) => networks.findIndex(({ name }) => name === on));
  const met = new Set<string>();
  for (let again = true; again; ) {
    again = false;
    networks.forEach(({ vlan, name, path }, index) => {
      if (below[index] === -1) return;
      for (let before = 0; before < index; before++) {
        const other = networks[before] as CarriedNetwork;
        const pair = `${before} ${index}`;
        const isTwin =
          below[before] !== -1 &&
          other.vlan === vlan &&
          sets.first(below[before] as number) === sets.first(below[index] as number);
        if (!isTwin || met.has(pair)) continue;
        met.add(pair);
        // Spanning trees of a network and of a VLAN on it know nothing of each other.
        if (sets.join(before, index)) again = true;
        else if (!isMetBefore(met, before, index))
          problem(path, `bridges join ${name} with ${other.name}, and the networks below them, in a circle`);
      }
    });
  }
}

/** Whether both were joined with a third of their tag before. */
function isMetBefore(met: ReadonlySet<string>, one: number, other: number): boolean {
  for (let third = 0; third < one; third++) {
    if (met.has(`${third} ${one}`) && met.has(`${third} ${other}`)) return true;
  }
  return false;
}

/** Networks of one segment have one MTU, and one prefix of each family, which one of them may name. */
export function reportDifferences(
  networks: readonly CarriedNetwork[],
  segments: readonly NetworkSegment[],
  problem: Report,
): void {
  networks.forEach((network, index) => {
    const { segment } = segments[index] as NetworkSegment;
    const others = networks.filter((_other, at) => at < index && segments[at]?.segment === segment);
    const mtu = others.find((other) => other.mtuBytes !== network.mtuBytes);
    if (mtu !== undefined) {
      const message = `a bridge joins it with ${mtu.name}, whose mtu is ${mtu.mtuBytes}`;
      problem([...network.path, 'mtu'], message);
    }
    if (network.prefix === null) return;
    const named = others.find((other) => other.prefix !== null);
    if (named === undefined || String(named.prefix) === String(network.prefix)) return;
    const message = `a bridge joins it with ${named.name}, whose prefix is ${String(named.prefix)}`;
    problem([...network.path, 'prefix'], message);
  });
}
