/**
 * VLANs of networks: what carries them, and how long their packets are.
 *
 * Thread: the supervisor's. Read first: attachments.ts.
 */

import type { LabConfig, NetworkConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';
import { unknownName } from './references.ts';

type Report = (path: KeyPath, message: string) => void;

const TAG_BYTES = 4;

/** A network with all that it has from the one that carries it. */
export type CarriedNetwork = NetworkConfig & { mtuBytes: number };

/**
 * The networks with MTUs, and VLANs with the rings of the wires below them. VLANs that are carried by nothing are reported, and are networks
 * of their own from then on.
 */
export function carriedNetworks({ networks }: Pick<LabConfig, 'networks'>, report: Report): CarriedNetwork[] {
  const names = networks.map(({ name }) => name);
  const sound = networks.map((network): NetworkConfig => {
    const { kind, on, path } = network;
    if (kind !== 'vlan' || on === null) return network;
    const why = !names.includes(on)
      ? unknownName([...path, 'on'], 'network', on, names).message
      : isInCircle(networks, network)
        ? 'VLANs that carry each other'
        : null;
    if (why === null) return network;
    report([...path, 'on'], why);
    return { ...network, kind: 'ethernet', on: null };
  });
  reportSameTags(sound, report);
  const done = new Map<string, CarriedNetwork>();
  const carried = (network: NetworkConfig): CarriedNetwork => {
    const known = done.get(network.name);
    if (known !== undefined) return known;
    const below = sound.find(({ name }) => name === network.on);
    const made = below === undefined ? withMtu(network) : over(network, carried(below), report);
    done.set(network.name, made);
    return made;
  };
  return sound.map(carried);
}

const MTU_BYTES_DEFAULT = 1500;

function withMtu(network: NetworkConfig): CarriedNetwork {
  return { ...network, mtuBytes: network.mtuBytes ?? MTU_BYTES_DEFAULT };
}

/** Wires that take packets of any length take a tag beside the longest. */
function over(network: NetworkConfig, below: CarriedNetwork, report: Report): CarriedNetwork {
  const mostBytes = below.kind === 'ethernet' && below.offload ? below.mtuBytes : below.mtuBytes - TAG_BYTES;
  const { mtuBytes } = network;
  if (mtuBytes !== null && mtuBytes > mostBytes) {
    report([...network.path, 'mtu'], `behind its tag on ${below.name} a packet has ${mostBytes} bytes at most`);
  }
  const { full, offload, ringBytes } = below;
  return { ...network, mtuBytes: Math.min(mtuBytes ?? mostBytes, mostBytes), full, offload, ringBytes };
}

function isInCircle(networks: readonly NetworkConfig[], start: NetworkConfig): boolean {
  const seen = new Set<string>();
  let on = start.on;
  while (on !== null) {
    if (seen.has(on)) return true;
    seen.add(on);
    const below = on;
    on = networks.find(({ name }) => name === below)?.on ?? null;
  }
  return false;
}

function reportSameTags(networks: readonly NetworkConfig[], report: Report): void {
  networks.forEach(({ on, vlan, path }, index) => {
    if (on === null) return;
    const other = networks.find((one, at) => at < index && one.on === on && one.vlan === vlan);
    if (other !== undefined) report([...path, 'vlan'], `${other.name} is VLAN ${vlan} of ${on} already`);
  });
}

/** Whether a network carries VLANs, and no machine with an address is on it by itself. */
export function isCarrierOnly({ name, prefix }: NetworkConfig, { networks, nodes }: LabConfig): boolean {
  if (prefix !== null || !networks.some(({ on }) => on === name)) return false;
  return !nodes.some((node) => node.kind !== 'bridge' && node.networks?.includes(name));
}
