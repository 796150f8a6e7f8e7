/**
 * The interfaces by which a node is on its networks: an Ethernet interface for each time that it names a network, a vlan over one for each VLAN, a
 * gif for each tunnel.
 *
 * Thread: the supervisor's; pure functions. VLANs of one network share the first interface that the node has there; a node that does not name that
 * network has one without an address.
 */

import type { NetworkConfig, NetworkKind } from './config.ts';

const PREFIXES: Record<NetworkKind, string> = { ethernet: 'eth', vlan: 'vlan', tunnel: 'gif' };

/** An interface of a node, before it has addresses. */
export interface Attachment {
  /** eth0, vlan0, gif0, each kind by its own numbers. */
  name: string;
  /** Index of the network. */
  network: number;
  /** The node names the network. */
  listed: boolean;
  /** Name of the interface below a vlan. */
  parent: string | null;
}

/** `wanted`: indices of the networks that a node names, in its order. */
export function attachmentsOf(wanted: readonly number[], networks: readonly NetworkConfig[]): Attachment[] {
  const found: Attachment[] = [];
  /** Interfaces of networks that are named later, made for VLANs. */
  const early: number[] = [];
  const carrierOn = (network: number): Attachment => {
    const there = found.find((one) => one.network === network);
    if (there !== undefined) return there;
    const listed = wanted.includes(network);
    if (listed) early.push(network);
    return attach(network, listed);
  };
  const attach = (network: number, listed: boolean): Attachment => {
    const { kind, on } = networks[network] as NetworkConfig;
    const below = networks.findIndex(({ name }) => name === on);
    const parent = below < 0 ? null : carrierOn(below).name;
    const prefix = PREFIXES[kind];
    const number = found.filter(({ name }) => name.startsWith(prefix)).length;
    const made = { name: `${prefix}${number}`, network, listed, parent };
    found.push(made);
    return made;
  };
  for (const network of wanted) {
    const place = early.indexOf(network);
    if (place < 0) attach(network, true);
    else early.splice(place, 1);
  }
  return found;
}

/** Ethernet interfaces of a node on those networks. */
export function ethernetCount(names: readonly string[], networks: readonly NetworkConfig[]): number {
  const wanted = names.map((name) => networks.findIndex((network) => network.name === name));
  const known = wanted.filter((index) => index >= 0);
  return attachmentsOf(known, networks).filter(({ name }) => name.startsWith(PREFIXES.ethernet)).length;
}
