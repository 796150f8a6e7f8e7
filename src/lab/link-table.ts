/**
 * Impairments of the links of a running lab: which kernel has to impair what.
 *
 * Thread: the supervisor's. The path between two nodes is impaired at the receiving kernel, by the source of each frame, so that it holds for
 * these two alone; an attachment at the kernel of its node, both ways. A kernel that is down impairs when it comes up again.
 * Read first: link-places.ts, link/impair.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Impairment } from '../link/impairment.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { IMPAIR_IN, IMPAIR_OUT, type LinkAddress } from '../sys/control.ts';
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
  from: LinkAddress | null;
}

/** Interface of a node on a network. */
function interfaceOn(plan: LabPlan, node: string, network: number): InterfacePlan {
  const { interfaces } = plan.nodes.find(({ name }) => name === node) as NodePlan;
  return interfaces.find((entry) => entry.network === network) as InterfacePlan;
}

function directionsOf(plan: LabPlan, link: Link): Direction[] {
  const { a, b, network } = link;
  const own = interfaceOn(plan, a, network);
  if (b === null) {
    const at = { link, node: a, interface: own.name, from: null };
    return [
      { ...at, way: 'up', direction: IMPAIR_OUT },
      { ...at, way: 'down', direction: IMPAIR_IN },
    ];
  }
  const other = interfaceOn(plan, b, network);
  const bytes = ({ mac }: InterfacePlan): LinkAddress => mac.split(':').map((octet) => Number.parseInt(octet, 16));
  return [
    { link, way: 'up', node: b, interface: other.name, direction: IMPAIR_IN, from: bytes(own) },
    { link, way: 'down', node: a, interface: own.name, direction: IMPAIR_IN, from: bytes(other) },
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

  #change(place: LinkPlace, ways: Ways | null): Link {
    const { a, b, network } = place;
    const key = `${[a, b ?? ''].sort().join(':')}@${network}`;
    const known = this.#links.get(key) ?? { a, b, network, up: {}, down: {} };
    const isSwapped = b !== null && known.a !== a;
    const [up, down] = isSwapped ? [ways?.down, ways?.up] : [ways?.up, ways?.down];
    // One object for as long as it is impaired: requests on their way read it when they leave.
    known.up = ways === null ? {} : merged(known.up, up as Impairment);
    known.down = ways === null ? {} : merged(known.down, down as Impairment);
    if (isNothing(known.up) && isNothing(known.down)) this.#links.delete(key);
    else this.#links.set(key, known);
    return known;
  }

  #info({ a, b, network, up, down }: Link): LinkInfo {
    return { a, b, network: (this.#plan.networks[network] as NetworkPlan).name, up: { ...up }, down: { ...down } };
  }

  async #applyAll(links: readonly Link[]): Promise<void> {
    const directions = links.flatMap((link) => directionsOf(this.#plan, link));
    await Promise.all(directions.map((one) => this.#apply(one)));
  }

  #name({ link, way }: Direction): string {
    const { a, b, network } = link;
    return `${way === 'up' ? `${a}>${b ?? ''}` : `${b ?? ''}>${a}`}@${network}`;
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
    const { direction, from } = one;
    await client.control('impairment.set', { index, direction, from, values, seed: seedOf(this.#seed, name) });
  }
}
