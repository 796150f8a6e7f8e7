/**
 * Names of links: what "api and db", "api and lan" or "api:eth1" stand for in a lab.
 *
 * Thread: any; pure functions. A link is one of wires: what is named by a VLAN is the link of the interface below, and all VLANs of it.
 */

import { MultikernelError } from '../base/errors.ts';
import type { InterfacePlan, LabPlan, LinkPlace, NodePlan } from './plan.ts';
import { nearest } from './suggest.ts';

const INTERFACE = /^(eth|vlan|gif)\d+$/;

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
  if (second === null) return attachment(lab, first.node, b);
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

/** The interface on wires that an interface is, or stands on. */
function wired(node: NodePlan, name: string): InterfacePlan {
  const entry = node.interfaces.find((one) => one.name === name);
  if (entry?.tunnel)
    throw new MultikernelError('EINVAL', `${node.name}:${name} is a tunnel; name the links it goes over`);
  if (entry !== undefined) return entry.parent === null ? entry : wired(node, entry.parent);
  const names = node.interfaces.map((one) => one.name).join(', ');
  throw new MultikernelError(
    'ENOENT',
    `${node.name} has no interface ${name}; it has ${names === '' ? 'none' : names}`,
  );
}

/** Interfaces on wires: that one, or all. */
function wiredOf({ node, interface: iface }: NamedNode): InterfacePlan[] {
  if (iface !== null) return [wired(node, iface)];
  return node.interfaces.filter(({ parent, tunnel }) => parent === null && tunnel === null);
}

function placeOf(node: NodePlan, { name, network }: InterfacePlan): NamedPlace {
  return { a: node.name, b: null, aInterface: name, bInterface: null, network, reversed: false };
}

function attachmentsOf(lab: Places, text: string): NamedPlace[] {
  const named = nodeNamed(lab, text);
  if (named === null) throw unknown(lab, text);
  const found = wiredOf(named).map((entry) => placeOf(named.node, entry));
  if (found.length === 0) throw new MultikernelError('EINVAL', `${named.node.name} is on no network`);
  return found;
}

/** `text`: a network that the node is on, or an interface of it. */
function attachment(lab: Places, node: NodePlan, text: string): NamedPlace[] {
  const network = lab.networks.findIndex(({ name }) => name === text);
  if (network < 0 && !INTERFACE.test(text)) throw unknown(lab, text);
  if (network < 0) return [placeOf(node, wired(node, text))];
  const found = node.interfaces.filter((entry) => entry.network === network);
  if (found.length > 0) return found.map(({ name }) => placeOf(node, wired(node, name)));
  const names = node.interfaces.map((entry) => lab.networks[entry.network]?.name).join(', ');
  throw new MultikernelError('EINVAL', `${node.name} is not on ${text}; it is on ${names}`);
}

function between(lab: Places, a: NamedNode, b: NamedNode): NamedPlace[] {
  if (a.node === b.node) throw new MultikernelError('EINVAL', `${a.node.name} has no link to itself`);
  const [ours, theirs] = [wiredOf(a), wiredOf(b)];
  const found = ours.flatMap((own) =>
    theirs
      .filter(({ network }) => network === own.network)
      .map((other) => ({ ...placeOf(a.node, own), b: b.node.name, bInterface: other.name })),
  );
  if (found.length > 0) return found;
  throw new MultikernelError(
    'EINVAL',
    `${a.node.name} and ${b.node.name} are on no network together; name the attachment of one of them, as ${a.node.name} and ${lab.networks[ours[0]?.network ?? 0]?.name}`,
  );
}
