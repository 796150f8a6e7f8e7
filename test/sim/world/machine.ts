/**
 * The machines of a world: kernels made from their plan, thrown away and made anew when they reboot.
 *
 * Port p of a machine is its interface `ethP`: a device on a wire, or a vlan over one, whose device is then `wireN` and may carry others.
 */

import type { Simulation } from '../../../src/host/sim/simulation.ts';
import { Kernel } from '../../../src/kernel/kernel.ts';
import { ImpairedDevice } from '../../../src/link/impair.ts';
import type { Impairment } from '../../../src/link/impairment.ts';
import { createNetwork, type NetworkDescriptor, VniDevice } from '../../../src/link/index.ts';
import { Arena } from '../../../src/mem/arena.ts';
import { type Bulk, createBulk } from '../../../src/mem/bulk.ts';
import { IFBIF_STP, type IpAddress } from '../../../src/sys/control.ts';
import { NO_INTERFACES, parseAddress } from '../../../src/tools/address-text.ts';
import { textControl } from '../../fixtures/text-control.ts';
import { type FrameLog, LoggedDevice, OwnAddresses } from './frame-log.ts';
import type { WorldPlan } from './plan.ts';
import { type NodePlan, PREFIX_LENGTH, PREFIX_LENGTH6, type SegmentPlan } from './topology.ts';
import type { TunnelEnd } from './tunnels.ts';
import { WindowWatch } from './window-watch.ts';
import type { WirePlan } from './wires.ts';

const STORE_BYTES = 2 * 1024 * 1024;
const SPARE_BYTES = 16 * 1024 * 1024;
const CUT: Impairment = { loss: 1 };
const IFF_UP = 0x1;
const BRIDGE = 'bridge0';

/** What a kernel had when it had booted: what it must have again when all is over. */
export interface BootState {
  heapBytes: number;
  routes: string;
}

export class Machine {
  readonly node: NodePlan;
  readonly index: number;
  kernel: Kernel | null = null;
  boot: BootState = { heapBytes: 0, routes: '' };
  reboots = 0;
  /** Of eth0, without its zone; the last one it had. */
  linkLocal = '';
  #advertised = '';
  /** Its wires, in the order of its ports. */
  readonly wires: readonly number[];
  /** By wire. */
  readonly #links: ImpairedDevice[] = [];
  readonly #network: Network;
  readonly #heapAt: number;
  readonly #storesAt: number[];
  /** By port: what it does now; by wire: how many cuts hold it. */
  readonly #impairments: Impairment[];
  readonly #cuts: number[];

  constructor(network: Network, index: number) {
    const { plan, arena } = network;
    this.#network = network;
    this.index = index;
    this.node = plan.nodes[index] as NodePlan;
    this.wires = wiresOf(plan, this.node);
    this.#heapAt = arena.allocate(plan.heapBytes, 4096);
    this.#storesAt = this.wires.map(() => arena.allocate(STORE_BYTES, 4096));
    this.#impairments = [...(plan.impairments[index] as Impairment[])];
    this.#cuts = this.wires.map(() => 0);
  }

  get up(): boolean {
    return this.kernel !== null;
  }

  /** Boot; what was there before is gone. */
  start(): void {
    const { simulation, arena, plan } = this.#network;
    const host = simulation.host();
    const { node } = this;
    const heap = { at: this.#heapAt, bytes: plan.heapBytes };
    const kernel = Kernel.create({ name: node.name, arena, host, heap, ipv6: plan.families !== 'ipv4' });
    for (const [name, value] of Object.entries(plan.sysctls[this.index] as Record<string, number>)) {
      textControl(kernel, 'sysctl.set', { name, value });
    }
    if (node.kind === 'router') {
      textControl(kernel, 'sysctl.set', { name: 'net.inet.ip.forwarding', value: 1 });
      textControl(kernel, 'sysctl.set', { name: 'net.inet6.ip6.forwarding', value: 1 });
    }
    this.#attach(kernel, host);
    for (const [p, { address, address6 }] of node.ports.entries()) {
      this.#stack(kernel, p);
      addAddresses(kernel, `eth${p}`, address, address6);
    }
    const gifs = this.#openGifs(kernel);
    // Packets of theirs wait for neighbors as soon as they have addresses.
    const heapBytes = kernel.inet.cpus[0].context.heap.usedBytes;
    for (const { name, end } of gifs) addAddresses(kernel, name, end.address, end.address6);
    for (const route of node.routes) textControl(kernel, 'route.add', { ...route, kind: 'unicast' });
    this.kernel = kernel;
    const [eth0] = textControl(kernel, 'interfaces', {}).filter((one) => one.name === 'eth0');
    const link = eth0?.addresses6.find((one) => one.origin === 'link-local');
    this.linkLocal = link?.address.split('%')[0] ?? '';
    this.boot = { heapBytes, routes: routesOf(kernel) };
    this.#bridge(kernel);
    simulation.add(...kernel.cpus);
  }

  /** A device for each wire. */
  #attach(kernel: Kernel, host: ReturnType<Simulation['host']>): void {
    const { arena, plan, log } = this.#network;
    const { node } = this;
    const own = new OwnAddresses([...this.addresses4, ...this.addresses6], node.auto, node.bridge !== null);
    const windows = new WindowWatch();
    for (const [w, wire] of this.wires.entries()) {
      const link = this.#link(w, kernel.cpus[0].cpu.bulk, host);
      this.#links[w] = link;
      const { tagged } = plan.wires[wire] as WirePlan;
      const name = tagged ? `wire${w}` : `eth${this.#leads(w)}`;
      const index = this.#network.interfaceIndex(`${node.name}/${name}`);
      kernel.attach(new LoggedDevice(link, arena, log, index, own, windows, `${node.name}/${name}`), name);
    }
  }

  /** The vlans of a port, one on the other, over the device of its wire. */
  #stack(kernel: Kernel, p: number): void {
    const { segments } = this.#network.plan;
    const { mtuBytes, tags, wire } = segments[this.node.ports[p]?.segment ?? -1] as SegmentPlan;
    let parentIndex = indexOf(kernel, tags.length === 0 ? `eth${p}` : `wire${this.wires.indexOf(wire)}`);
    for (const [depth, id] of tags.entries()) {
      const { index } = kernel.control('interface.create', { name: 'vlan' });
      kernel.control('vlan.set', { index, parentIndex, id });
      kernel.control('interface.change', { index, setFlags: IFF_UP });
      if (depth === tags.length - 1) {
        kernel.control('interface.change', { index, mtuBytes });
        kernel.control('interface.rename', { index, name: `eth${p}` });
      }
      parentIndex = index;
    }
  }

  #ends(): { end: TunnelEnd; other: TunnelEnd; mtuBytes: number }[] {
    return this.#network.plan.tunnels.flatMap(({ ends: [a, b], mtuBytes }) => [
      ...(a.node === this.index ? [{ end: a, other: b, mtuBytes }] : []),
      ...(b.node === this.index ? [{ end: b, other: a, mtuBytes }] : []),
    ]);
  }

  #openGifs(kernel: Kernel): { name: string; end: TunnelEnd }[] {
    return this.#ends().map(({ end, other, mtuBytes }) => {
      const { index, name } = kernel.control('interface.create', { name: 'gif' });
      const [source, destination] = [end, other].map(({ outer }) => parseAddress(outer, NO_INTERFACES));
      kernel.control('tunnel.set', { index, source: source as IpAddress, destination: destination as IpAddress });
      kernel.control('interface.change', { index, mtuBytes });
      return { name, end };
    });
  }

  #bridge(kernel: Kernel): void {
    const { bridge, ports } = this.node;
    if (bridge === null) return;
    const { segments, wires } = this.#network.plan;
    const { tree, raw } = bridge;
    const { index } = kernel.control('interface.create', { name: BRIDGE });
    const { mtuBytes, wire, tags } = segments[ports[0]?.segment ?? -1] as SegmentPlan;
    const tagged = raw && tags.length > 0;
    kernel.control('interface.change', { index, mtuBytes: tagged ? (wires[wire] as WirePlan).mtuBytes : mtuBytes });
    kernel.control('bridge.change', {
      index,
      ...(tree === null
        ? {}
        : {
            helloTimeSec: tree.helloSec,
            forwardDelaySec: tree.forwardDelaySec,
            maxAgeSec: tree.maxAgeSec,
          }),
    });
    for (const name of tagged ? this.wires.map((_, w) => `wire${w}`) : ports.map((_, p) => `eth${p}`)) {
      const memberIndex = indexOf(kernel, name);
      kernel.control('bridge.member.add', { index, memberIndex });
      if (tree !== null) kernel.control('bridge.member.change', { index, memberIndex, setFlags: IFBIF_STP });
    }
    kernel.control('interface.change', { index, setFlags: IFF_UP });
  }

  /** The bridge is no more, nor are its timers. */
  unbridge(): void {
    if (this.kernel !== null && this.node.bridge !== null) this.kernel.control('interface.destroy', { name: BRIDGE });
  }

  /** The first port on a wire. */
  #leads(w: number): number {
    const { segments } = this.#network.plan;
    return this.node.ports.findIndex(({ segment }) => segments[segment]?.wire === this.wires[w]);
  }

  #link(w: number, bulk: Bulk, host: ReturnType<Simulation['host']>): ImpairedDevice {
    const { arena, plan, networks, ports } = this.#network;
    const index = this.wires[w] as number;
    const wire = plan.wires[index] as WirePlan;
    const at = (ports[this.index] as number[])[w] as number;
    const device = new VniDevice(arena, bulk, networks[index] as NetworkDescriptor, at, {
      name: `${this.node.name}/wire${w}`,
      mac: { hi: 0x026d, lo: (this.index << 8) | w },
      mtuBytes: wire.mtuBytes,
      capabilities: wire.capabilities,
      onFull: this.node.ports[this.#leads(w)]?.full ?? 'wait',
    });
    const options = { clock: host, rng: host.rng, storeBytes: STORE_BYTES, storeAt: this.#storesAt[w] as number };
    const link = new ImpairedDevice(device, arena, bulk, options);
    link.impair('out', this.#now(w));
    return link;
  }

  /** Addresses of its plan. */
  get addresses4(): string[] {
    return [...this.node.ports, ...this.#ends().map(({ end }) => end)].map(({ address }) => address);
  }

  get addresses6(): string[] {
    return [...this.node.ports, ...this.#ends().map(({ end }) => end)].map(({ address6 }) => address6);
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
    const { kernel } = this;
    if (kernel === null) return;
    this.#network.simulation.remove(...kernel.cpus);
    kernel.close();
    this.kernel = null;
    this.reboots++;
  }

  cut(port: number): void {
    const w = this.#wireOf(port);
    this.#cuts[w] = (this.#cuts[w] as number) + 1;
    this.#apply(w);
  }

  heal(port: number): void {
    const w = this.#wireOf(port);
    this.#cuts[w] = (this.#cuts[w] as number) - 1;
    this.#apply(w);
  }

  change(port: number, impairment: Impairment): void {
    const w = this.#wireOf(port);
    this.#impairments[this.#leads(w)] = impairment;
    this.#apply(w);
  }

  /** Switch an interface off or on, as its administrator would. */
  switchInterface(port: number, up: boolean): void {
    if (this.kernel !== null) textControl(this.kernel, 'interface.set', { name: `eth${port}`, up });
  }

  #wireOf(port: number): number {
    const { segments } = this.#network.plan;
    return this.wires.indexOf(segments[this.node.ports[port]?.segment ?? -1]?.wire ?? -1);
  }

  #now(w: number): Impairment {
    return (this.#cuts[w] as number) > 0 ? CUT : (this.#impairments[this.#leads(w)] as Impairment);
  }

  #apply(w: number): void {
    if (this.up) this.#links[w]?.impair('out', this.#now(w));
  }
}

/** Wires of a node, each once. */
function wiresOf({ segments }: WorldPlan, { ports }: NodePlan): number[] {
  return [...new Set(ports.map(({ segment }) => (segments[segment] as SegmentPlan).wire))];
}

function indexOf(kernel: Kernel, name: string): number {
  return kernel.control('interface.names', {}).find((one) => one.name === name)?.index ?? 0;
}

function addAddresses(kernel: Kernel, name: string, address: string, address6: string): void {
  if (address !== '') {
    textControl(kernel, 'interface.set', { name, addAddress: { address, prefixLength: PREFIX_LENGTH } });
  }
  if (address6 !== '') {
    textControl(kernel, 'interface.set', { name, addAddress: { address: address6, prefixLength: PREFIX_LENGTH6 } });
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

/** Memory, wires and machines of one world. */
export class Network {
  readonly plan: WorldPlan;
  readonly simulation: Simulation;
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly log: FrameLog;
  readonly networks: NetworkDescriptor[];
  readonly machines: Machine[];
  /** Place of each node on its wires. */
  readonly ports: number[][];
  readonly #interfaces: Map<string, number> = new Map();

  constructor(plan: WorldPlan, simulation: Simulation, log: FrameLog) {
    this.plan = plan;
    this.simulation = simulation;
    this.log = log;
    const taken = plan.wires.map(() => 0);
    this.ports = plan.nodes.map((node) =>
      wiresOf(plan, node).map((wire) => {
        const place = taken[wire] as number;
        taken[wire] = place + 1;
        return place;
      }),
    );
    const counts = taken.map((count) => Math.max(2, count));
    const ringBytes = (i: number): number => (plan.wires[i] as WirePlan).ringBytes;
    const rings = counts.reduce((sum, count, i) => sum + count * count * (ringBytes(i) + 4096), 0);
    const links = this.ports.reduce((sum, own) => sum + own.length, 0);
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
