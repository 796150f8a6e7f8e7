/**
 * Impairments of the links of a running lab: which kernel has to impair what.
 *
 * Thread: the supervisor's. The path between two nodes is impaired at the receiving kernel, by the port of the network that each frame came from,
 * so that it holds for these two alone, and for what a bridge passes on; an attachment at the kernel of its node, both ways. A kernel that is down impairs when it comes up again.
 * Read first: link-places.ts, link/impair.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Impairment } from '../link/impairment.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { IMPAIR_IN, IMPAIR_OUT } from '../sys/control.ts';
import { isNothing, merged, requestOf, seedOf, type Ways } from './impairment-values.ts';
import { placesOf } from './link-places.ts';
import type { LinkInfo } from './operations.ts';
import type { InterfacePlan, LabPlan, LinkPlace, NetworkPlan, NodePlan } from './plan.ts';

interface Link extends LinkPlace, Ways {}

/** One direction of a link, as the kernel of `node` impairs it. */
interface Direction {
  link: Link;
  way: keyof Ways;
  node: string;
  interface: string;
  direction: number;
  /** Port of the network that the frames come from; null: all. */
  fromPort: number | null;
}

function interfaceOf(plan: LabPlan, node: string, name: string): InterfacePlan {
  const { interfaces } = plan.nodes.find((one) => one.name === node) as NodePlan;
  return interfaces.find((entry) => entry.name === name) as InterfacePlan;
}

/** Interfaces of a node on a network. */
function portsOf(plan: LabPlan, node: string, network: number): number {
  const { interfaces } = plan.nodes.find((one) => one.name === node) as NodePlan;
  return interfaces.filter((entry) => entry.network === network).length;
}

function directionsOf(plan: LabPlan, link: Link): Direction[] {
  const { a, b, aInterface, bInterface } = link;
  if (b === null || bInterface === null) {
    const at = { link, node: a, interface: aInterface, fromPort: null };
    return [
      { ...at, way: 'up', direction: IMPAIR_OUT },
      { ...at, way: 'down', direction: IMPAIR_IN },
    ];
  }
  const direction = IMPAIR_IN;
  const port = (node: string, name: string): number => interfaceOf(plan, node, name).port;
  return [
    { link, way: 'up', node: b, interface: bInterface, direction, fromPort: port(a, aInterface) },
    { link, way: 'down', node: a, interface: aInterface, direction, fromPort: port(b, bInterface) },
  ];
}

export interface LinkKernels {
  up(node: string): boolean;
  client(node: string): KernelClient;
}

export class LinkTable {
  readonly #plan: LabPlan;
  readonly #seed: number;
  readonly #kernels: LinkKernels;
  /** By `#key`. */
  readonly #links: Map<string, Link> = new Map();
  /** Directions that their kernels were told to impair. */
  readonly #told: Set<string> = new Set();
  /** Requests to the kernel of each node, one after the other. */
  readonly #requests: Map<string, Promise<void>> = new Map();

  /** `seed`: of all chances. */
  constructor(plan: LabPlan, seed: number, kernels: LinkKernels) {
    this.#plan = plan;
    this.#seed = seed;
    this.#kernels = kernels;
    for (const { up, down, ...place } of plan.links) this.#change(place, { up, down });
  }

  list(): LinkInfo[] {
    return [...this.#links.values()].map((link) => this.#info(link));
  }

  /**
   * Change the values that are given of the links between two endpoints (link-places.ts); null resets both ways. Returns the links as they are
   * now, in the order in which they were named. Throws ENOENT, EINVAL, and what kernels refuse.
   */
  async impair(a: string, b: string | null, ways: Ways | null): Promise<LinkInfo[]> {
    const links = placesOf(this.#plan, a, b).map(({ reversed, ...place }) => {
      const asNamed = ways === null || !reversed ? ways : { up: ways.down, down: ways.up };
      return this.#change(place, asNamed);
    });
    await this.#applyAll(links);
    return links.map((link) => this.#info(link));
  }

  /** Reset every link. Returns those that were impaired. */
  async reset(): Promise<LinkInfo[]> {
    const before = this.list();
    const links = [...this.#links.values()];
    for (const link of links) this.#change(link, null);
    await this.#applyAll(links);
    return before;
  }

  /** A kernel came up, as new. */
  async applyTo(node: string): Promise<void> {
    const links = [...this.#links.values()];
    const own = links.flatMap((link) => directionsOf(this.#plan, link)).filter((one) => one.node === node);
    for (const one of own) this.#told.delete(this.#name(one));
    await Promise.all(own.map((one) => this.#apply(one)));
  }

  #change({ a, b, aInterface, bInterface, network }: LinkPlace, ways: Ways | null): Link {
    const ends = [`${a}:${aInterface}`, b === null ? '' : `${b}:${bInterface}`];
    const key = `${ends.sort().join(' ')}@${network}`;
    const known = this.#links.get(key) ?? { a, b, aInterface, bInterface, network, up: {}, down: {} };
    const isSwapped = b !== null && known.a !== a;
    const [up, down] = isSwapped ? [ways?.down, ways?.up] : [ways?.up, ways?.down];
    // One object for as long as it is impaired: requests on their way read it when they leave.
    known.up = ways === null ? {} : merged(known.up, up as Impairment);
    known.down = ways === null ? {} : merged(known.down, down as Impairment);
    if (isNothing(known.up) && isNothing(known.down)) this.#links.delete(key);
    else this.#links.set(key, known);
    return known;
  }

  #info({ a, b, aInterface, bInterface, network, up, down }: Link): LinkInfo {
    const { name } = this.#plan.networks[network] as NetworkPlan;
    return { a, b, aInterface, bInterface, network: name, up: { ...up }, down: { ...down } };
  }

  async #applyAll(links: readonly Link[]): Promise<void> {
    const directions = links.flatMap((link) => directionsOf(this.#plan, link));
    await Promise.all(directions.map((one) => this.#apply(one)));
  }

  #name({ link, way }: Direction): string {
    const { a, b, aInterface, bInterface, network } = link;
    const [from, to] = way === 'up' ? [a, b ?? ''] : [b ?? '', a];
    const path = `${from}>${to}@${network}`;
    const several = [a, b].some((node) => node !== null && portsOf(this.#plan, node, network) > 1);
    return several ? `${path}:${aInterface}:${bInterface ?? ''}` : path;
  }

  /** Tell the kernel of one direction, behind what it was told before. */
  #apply(one: Direction): Promise<void> {
    const before = this.#requests.get(one.node) ?? Promise.resolve();
    const request = before.catch(() => {}).then(() => this.#tell(one));
    this.#requests.set(one.node, request);
    return request;
  }

  async #tell(one: Direction): Promise<void> {
    const name = this.#name(one);
    const line = one.link[one.way];
    if (!this.#kernels.up(one.node) || (isNothing(line) && !this.#told.has(name))) return;
    const client = this.#kernels.client(one.node);
    const names = await client.control('interface.names', {});
    const index = names.find((entry) => entry.name === one.interface)?.index;
    if (index === undefined)
      throw new MultikernelError('ENXIO', `${one.node} has no interface ${one.interface} any more`);
    const values = isNothing(line) ? null : requestOf(line);
    if (values === null) this.#told.delete(name);
    else this.#told.add(name);
    const { direction, fromPort } = one;
    const seed = seedOf(this.#seed, name);
    await client.control('impairment.set', { index, direction, from: null, fromPort, values, seed });
  }
}
