/**
 * Cables: links between two interfaces, `["api:eth1", "db:eth1"]`, each a network of two that the file does not name.
 *
 * Thread: the supervisor's. The networks of a node come first: a cable has a number behind theirs.
 */

import { ethernetCount } from './attachments.ts';
import type { LabConfig, LinkConfig, NetworkConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';
import { unknownName } from './references.ts';

const NETWORK_NAME_CHARACTERS_MAX = 32;

/** A network that the file does not name. */
export const UNNAMED: Omit<NetworkConfig, 'name' | 'path' | 'prefix' | 'mtuBytes'> = {
  kind: 'ethernet',
  vlan: 0,
  on: null,
  ringBytes: null,
  full: 'wait',
  offload: true,
  domain: null,
};

type ReportAt = (path: KeyPath, message: string) => void;

/** One end of a cable. */
interface CableEnd {
  node: string;
  number: number;
  network: string;
  path: KeyPath;
}

function isCable({ endpoints }: LinkConfig): boolean {
  return endpoints.every((endpoint) => endpoint.includes(':eth'));
}

/** The same lab with its cables as networks. */
export function withCables(config: LabConfig, problem: ReportAt): LabConfig {
  const networks: NetworkConfig[] = [...config.networks];
  const ends: CableEnd[] = [];
  config.links.forEach((link, index) => {
    const { endpoints, prefix, mtuBytes } = link;
    if (!isCable(link)) {
      for (const key of ['prefix', 'mtu'] as const) {
        if (key === 'prefix' ? prefix !== null : mtuBytes !== 1500)
          problem(['links', index, key], 'only a cable has one: endpoints NODE:ethN and NODE:ethN');
      }
      return;
    }
    const network = cableName(endpoints, networks);
    networks.push({ ...UNNAMED, name: network, path: ['links', index], prefix, mtuBytes });
    endpoints.forEach((endpoint, end) => {
      const [node, iface] = endpoint.split(':') as [string, string];
      ends.push({ node, number: Number(iface.slice(3)), network, path: ['links', index, 'endpoints', end] });
    });
  });
  if (ends.length === 0) return config;
  const names = config.nodes.map(({ name }) => name);
  for (const { node, path } of ends) {
    if (!names.includes(node)) problem(path, unknownName(path, 'node', node, names).message);
  }
  const nodes = config.nodes.map((node) => {
    const own = ends.filter((end) => end.node === node.name).sort((a, b) => a.number - b.number);
    // Its default is meant among the networks of the file.
    if (own.length === 0) return { ...node, networks: node.networks ?? defaultNetworks(config, own) };
    const given = node.networks ?? defaultNetworks(config, own);
    if (given === null) return node;
    const before = ethernetCount(given, config.networks);
    own.forEach(({ number, path }, i) => {
      if (number === before + i) return;
      const behind = given.length === 0 ? '' : `, behind ${given.join(', ')}`;
      problem(path, `the next interface of ${node.name} is eth${before + i}${behind}`);
    });
    return { ...node, networks: [...given, ...own.map(({ network }) => network)] };
  });
  return { ...config, networks, nodes };
}

/** Networks of a node that names none: the only one, or none when a cable is its eth0; null: it must name them. */
function defaultNetworks({ networks }: LabConfig, cables: readonly CableEnd[]): string[] | null {
  if (cables[0]?.number === 0) return [];
  return networks.length === 1 ? [(networks[0] as NetworkConfig).name] : null;
}

/** `api-db`, or with a number where there is such a network. */
export function cableName(endpoints: readonly string[], networks: readonly NetworkConfig[]): string {
  const base = endpoints.map((endpoint) => endpoint.split(':')[0]).join('-');
  for (let n = 1; ; n++) {
    const tail = n === 1 ? '' : `-${n}`;
    const name = `${base.slice(0, NETWORK_NAME_CHARACTERS_MAX - tail.length)}${tail}`;
    if (!networks.some((network) => network.name === name)) return name;
  }
}
