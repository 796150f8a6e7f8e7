/**
 * The machines of a world: kernels and bridges made from their plan, thrown away and made anew when they reboot.
 */

import type { Simulation } from '../../../src/host/sim/simulation.ts';
import { Kernel } from '../../../src/kernel/kernel.ts';
import { ImpairedDevice } from '../../../src/link/impair.ts';
import type { Impairment } from '../../../src/link/impairment.ts';
import { createNetwork, type NetworkDescriptor, VniDevice } from '../../../src/link/index.ts';
import { Arena } from '../../../src/mem/arena.ts';
import { type Bulk, createBulk } from '../../../src/mem/bulk.ts';
import { textControl } from '../../fixtures/text-control.ts';
import { Bridge } from './bridge.ts';
import { type FrameLog, LoggedDevice, OwnAddresses } from './frame-log.ts';
import type { WorldPlan } from './plan.ts';
import { type NodePlan, PREFIX_LENGTH, PREFIX_LENGTH6, type SegmentPlan } from './topology.ts';
import { WindowWatch } from './window-watch.ts';

const STORE_BYTES = 2 * 1024 * 1024;
const SPARE_BYTES = 16 * 1024 * 1024;
const CUT: Impairment = { loss: 1 };

/** What a kernel had when it had booted: what it must have again when all is over. */
export interface BootState {
  heapBytes: number;
  routes: string;
}

export class Machine {
  readonly node: NodePlan;
  readonly index: number;
  kernel: Kernel | null = null;
  bridge: Bridge | null = null;
  boot: BootState = { heapBytes: 0, routes: '' };
  reboots = 0;
  /** Of eth0, without its zone; the last one it had. */
  linkLocal = '';
  #advertised = '';
  readonly links: ImpairedDevice[] = [];
  readonly #network: Network;
  readonly #heapAt: number;
  readonly #storesAt: number[];
  /** By port: what it does now, and how many cuts hold it. */
  readonly #impairments: Impairment[];
  readonly #cuts: number[];

  constructor(network: Network, index: number) {
    const { plan, arena } = network;
    this.#network = network;
    this.index = index;
    this.node = plan.nodes[index] as NodePlan;
    this.#heapAt = this.node.kind === 'bridge' ? 0 : arena.allocate(plan.heapBytes, 4096);
    this.#storesAt = this.node.ports.map(() => arena.allocate(STORE_BYTES, 4096));
    this.#impairments = [...(plan.impairments[index] as Impairment[])];
    this.#cuts = this.node.ports.map(() => 0);
  }

  get up(): boolean {
    return this.kernel !== null || this.bridge !== null;
  }

  /** Boot; what was there before is gone. */
  start(): void {
    const { simulation, arena, bulk, plan } = this.#network;
    const host = simulation.host();
    const { node } = this;
    if (node.kind === 'bridge') {
      for (const p of node.ports.keys()) this.links[p] = this.#link(p, bulk, host);
      this.bridge = new Bridge(arena, bulk, this.links);
      simulation.add(this.bridge);
      return;
    }
    const heap = { at: this.#heapAt, bytes: plan.heapBytes };
    const kernel = Kernel.create({ name: node.name, arena, host, heap, ipv6: plan.families !== 'ipv4' });
    // A day otherwise, longer than a world lives (FORGET_US of world.ts).
    textControl(kernel, 'sysctl.set', { name: 'net.inet6.icmp6.nd6_gctimer', value: 1200 });
    for (const [name, value] of Object.entries(plan.sysctls[this.index] as Record<string, number>)) {
      textControl(kernel, 'sysctl.set', { name, value });
    }
    if (node.kind === 'router') {
      textControl(kernel, 'sysctl.set', { name: 'net.inet.ip.forwarding', value: 1 });
      textControl(kernel, 'sysctl.set', { name: 'net.inet6.ip6.forwarding', value: 1 });
    }
    const own = new OwnAddresses(
      node.ports.flatMap((port) => [port.address, port.address6]),
      node.auto,
    );
    const windows = new WindowWatch();
    for (const [p, { address, address6 }] of node.ports.entries()) {
      const link = this.#link(p, kernel.cpus[0].cpu.bulk, host);
      this.links[p] = link;
      const name = `eth${p}`;
      const index = this.#network.interfaceIndex(`${node.name}/${name}`);
      const logged = new LoggedDevice(link, arena, this.#network.log, index, own, windows, `${node.name}/${name}`);
      kernel.attach(logged, name);
      if (address !== '') {
        textControl(kernel, 'interface.set', { name, addAddress: { address, prefixLength: PREFIX_LENGTH } });
      }
      if (address6 !== '') {
        const prefixLength = PREFIX_LENGTH6;
        textControl(kernel, 'interface.set', { name, addAddress: { address: address6, prefixLength } });
      }
    }
    for (const route of node.routes) textControl(kernel, 'route.add', { ...route, kind: 'unicast' });
    this.kernel = kernel;
    const [eth0] = textControl(kernel, 'interfaces', {}).filter((one) => one.name === 'eth0');
    const link = eth0?.addresses6.find((one) => one.origin === 'link-local');
    this.linkLocal = link?.address.split('%')[0] ?? '';
    this.boot = { heapBytes: kernel.inet.cpus[0].context.heap.usedBytes, routes: routesOf(kernel) };
    simulation.add(...kernel.cpus);
  }

  #link(p: number, bulk: Bulk, host: ReturnType<Simulation['host']>): ImpairedDevice {
    const { arena, plan, networks, ports } = this.#network;
    const port = this.node.ports[p] as NodePlan['ports'][number];
    const segment = plan.segments[port.segment] as SegmentPlan;
    const at = (ports[this.index] as number[])[p] as number;
    const device = new VniDevice(arena, bulk, networks[port.segment] as NetworkDescriptor, at, {
      name: `${this.node.name}/eth${p}`,
      mac: { hi: 0x026d, lo: (this.index << 8) | p },
      mtuBytes: segment.mtuBytes,
      capabilities: segment.capabilities,
      onFull: port.full,
    });
    const options = { clock: host, rng: host.rng, storeBytes: STORE_BYTES, storeAt: this.#storesAt[p] as number };
    const link = new ImpairedDevice(device, arena, bulk, options);
    link.impair('out', this.#now(p));
    return link;
  }

  /** Its address of IPv6: of its plan, or the last one known that it has made; empty before there is one. */
  get address6(): string {
    if (!this.node.auto) return this.node.ports[0]?.address6 ?? '';
    const [eth0] =
      this.kernel === null ? [] : textControl(this.kernel, 'interfaces', {}).filter((one) => one.name === 'eth0');
    const made = eth0?.addresses6.find((one) => one.origin === 'autoconf' && one.state === 'preferred');
    this.#advertised = made?.address ?? this.#advertised;
    return this.#advertised;
  }

  /** Power fails: nothing is said to anybody. */
  stop(): void {
    const { bridge, kernel } = this;
    if (bridge === null && kernel === null) return;
    this.#network.simulation.remove(...(kernel?.cpus ?? []), ...(bridge === null ? [] : [bridge]));
    (kernel ?? bridge)?.close();
    this.kernel = null;
    this.bridge = null;
    this.reboots++;
  }

  cut(port: number): void {
    this.#cuts[port] = (this.#cuts[port] as number) + 1;
    this.#apply(port);
  }

  heal(port: number): void {
    this.#cuts[port] = (this.#cuts[port] as number) - 1;
    this.#apply(port);
  }

  change(port: number, impairment: Impairment): void {
    this.#impairments[port] = impairment;
    this.#apply(port);
  }

  /** Switch an interface off or on, as its administrator would. */
  switchInterface(port: number, up: boolean): void {
    if (this.kernel !== null) textControl(this.kernel, 'interface.set', { name: `eth${port}`, up });
  }

  #now(port: number): Impairment {
    return (this.#cuts[port] as number) > 0 ? CUT : (this.#impairments[port] as Impairment);
  }

  #apply(port: number): void {
    if (this.up) this.links[port]?.impair('out', this.#now(port));
  }
}

export function routesOf(kernel: Kernel): string {
  const rows = [
    ...textControl(kernel, 'routes', { family: 'inet' }),
    ...textControl(kernel, 'routes', { family: 'inet6' }),
  ];
  return rows
    .map((row) => `${row.destination}/${row.prefixLength} ${row.gateway} ${row.flags}`)
    .sort()
    .join('\n');
}

/** Memory, segments and machines of one world. */
export class Network {
  readonly plan: WorldPlan;
  readonly simulation: Simulation;
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly log: FrameLog;
  readonly networks: NetworkDescriptor[];
  readonly machines: Machine[];
  /** Place of each node's ports on their segments. */
  readonly ports: number[][];
  readonly #interfaces: Map<string, number> = new Map();

  constructor(plan: WorldPlan, simulation: Simulation, log: FrameLog) {
    this.plan = plan;
    this.simulation = simulation;
    this.log = log;
    const taken = plan.segments.map(() => 0);
    this.ports = plan.nodes.map((node) =>
      node.ports.map(({ segment }) => {
        const place = taken[segment] as number;
        taken[segment] = place + 1;
        return place;
      }),
    );
    const counts = taken.map((count) => Math.max(2, count));
    const ringBytes = (i: number): number => (plan.segments[i] as SegmentPlan).ringBytes;
    const rings = counts.reduce((sum, count, i) => sum + count * count * (ringBytes(i) + 4096), 0);
    const links = plan.nodes.reduce((sum, node) => sum + node.ports.length, 0);
    this.arena = Arena.create(
      SPARE_BYTES + plan.nodes.length * (plan.heapBytes + 256 * 1024) + rings + links * (STORE_BYTES + 64 * 1024),
    );
    this.bulk = createBulk(this.arena);
    this.networks = counts.map((ports, i) => createNetwork(this.arena, { ports, ringBytes: ringBytes(i) }));
    this.machines = plan.nodes.map((_, index) => new Machine(this, index));
    for (const machine of this.machines) machine.start();
  }

  machine(index: number): Machine {
    return this.machines[index] as Machine;
  }

  /** The same again after a reboot. */
  interfaceIndex(name: string): number {
    let index = this.#interfaces.get(name);
    if (index === undefined) {
      index = this.log.openInterface(name);
      this.#interfaces.set(name, index);
    }
    return index;
  }
}
