/**
 * Names of links: what "api and db", "api and lan" or "api:eth1" stand for in a lab.
 *
 * Thread: any; pure functions.
 */

import { MultikernelError } from '../base/errors.ts';
import type { LabPlan, LinkPlace, NodePlan } from './plan.ts';
import { nearest } from './suggest.ts';

type Places = Pick<LabPlan, 'nodes' | 'networks'>;

/** `reversed`: `a` is the second of the endpoints that were named. */
export interface NamedPlace extends LinkPlace {
  reversed: boolean;
}

/**
 * The links between two endpoints: two nodes (on all networks that both are on, or that of the interfaces named), or a node and a network or
 * an interface of it; `b` null: all attachments of a node. Throws ENOENT for a name that there is not, EINVAL for two that have no link.
 */
export function placesOf(lab: Places, a: string, b: string | null): NamedPlace[] {
  if (b === null) return attachmentsOf(lab, a);
  const [first, second] = [nodeNamed(lab, a), nodeNamed(lab, b)];
  if (first === null && second !== null && lab.networks.some(({ name }) => name === a)) {
    return placesOf(lab, b, a).map((place) => ({ ...place, reversed: true }));
  }
  if (first === null) throw unknown(lab, a);
  if (second === null) return [{ ...attachment(lab, first.node, b), reversed: false }];
  return between(lab, first, second);
}

interface NamedNode {
  node: NodePlan;
  /** Name of one of its interfaces; null: all. */
  interface: string | null;
}

function nodeNamed(lab: Places, text: string): NamedNode | null {
  const [name, iface = null] = text.split(':') as [string, string?];
  const node = lab.nodes.find((candidate) => candidate.name === name);
  return node === undefined ? null : { node, interface: iface };
}

function unknown(lab: Places, text: string): MultikernelError {
  const name = text.split(':')[0] as string;
  const names = [...lab.nodes, ...lab.networks].map((one) => one.name);
  const near = nearest(name, names);
  const hint = near === null ? `there are ${names.join(', ')}` : `did you mean ${near}?`;
  return new MultikernelError('ENOENT', `no node or network ${name}; ${hint}`);
}

function networkOf(node: NodePlan, name: string): number {
  const entry = node.interfaces.find((one) => one.name === name);
  if (entry !== undefined) return entry.network;
  const names = node.interfaces.map((one) => one.name).join(', ');
  throw new MultikernelError(
    'ENOENT',
    `${node.name} has no interface ${name}; it has ${names === '' ? 'none' : names}`,
  );
}

function attachmentsOf(lab: Places, text: string): NamedPlace[] {
  const named = nodeNamed(lab, text);
  if (named === null) throw unknown(lab, text);
  const { node, interface: iface } = named;
  const networks = iface === null ? node.interfaces.map(({ network }) => network) : [networkOf(node, iface)];
  if (networks.length === 0) throw new MultikernelError('EINVAL', `${node.name} is on no network`);
  return networks.map((network) => ({ a: node.name, b: null, network, reversed: false }));
}

/** `text`: a network that the node is on, or an interface of it. */
function attachment(lab: Places, node: NodePlan, text: string): LinkPlace {
  const network = lab.networks.findIndex(({ name }) => name === text);
  if (network < 0 && !/^eth\d+$/.test(text)) throw unknown(lab, text);
  if (network < 0) return { a: node.name, b: null, network: networkOf(node, text) };
  if (node.interfaces.some((entry) => entry.network === network)) return { a: node.name, b: null, network };
  const names = node.interfaces.map((entry) => lab.networks[entry.network]?.name).join(', ');
  throw new MultikernelError('EINVAL', `${node.name} is not on ${text}; it is on ${names}`);
}

function between(lab: Places, a: NamedNode, b: NamedNode): NamedPlace[] {
  if (a.node === b.node) throw new MultikernelError('EINVAL', `${a.node.name} has no link to itself`);
  const sides = [a, b].map(({ node, interface: iface }) =>
    iface === null ? node.interfaces.map(({ network }) => network) : [networkOf(node, iface)],
  );
  const [ours, theirs] = sides as [number[], number[]];
  const shared = ours.filter((network) => theirs.includes(network));
  const place = { a: a.node.name, b: b.node.name, reversed: false };
  if (shared.length > 0) return shared.map((network) => ({ ...place, network }));
  throw new MultikernelError(
    'EINVAL',
    `${a.node.name} and ${b.node.name} are on no network together; name the attachment of one of them, as ${a.node.name} and ${lab.networks[ours[0] ?? 0]?.name}`,
  );
}
