/**
 * The shared memory of a lab: one arena with a network per Ethernet segment, a region per kernel, doorbells, counters.
 *
 * Thread: the supervisor's, which lays everything out before a worker starts and afterwards only reads counters and marks
 * the ports of dead kernels. Sizes are generous: pages that nobody touches cost nothing.
 */

import { availableParallelism } from 'node:os';
import { MultikernelError } from '../base/errors.ts';
import { isGone, ownIdentity } from '../host/node/death-probe.ts';
import {
  createNetwork,
  markPortDead,
  type NetworkDescriptor,
  networkBytes,
  networkHolder,
  type VniNetworkOptions,
} from '../link/index.ts';
import {
  ARENA_BYTES_MAX,
  Arena,
  Counters,
  OWNER_THREAD,
  OwnerTable,
  SCRATCH_TOTAL_BYTES,
  SpinBudget,
  spinBudgetBytes,
} from '../mem/index.ts';
import { SESSION_BYTES } from '../rump/server.ts';
import { SHARING_NODES_MAX } from './default-placement.ts';
import { kernelBytes } from './kernel-bytes.ts';
import type { CounterBlock } from './operations.ts';
import type { LabPlan, NodePlan } from './plan.ts';

const MIB = 1024 * 1024;
/** Share of the 2 GiB an arena can have: for rings; kernel-bytes.ts has that of the kernels. */
const RINGS_BYTES_MAX = 1024 * MIB;
/** Sessions of one kernel whose frames go through memory: a program that is a process, and its children. */
const SESSIONS_PER_KERNEL = 8;
/** Frames that wait on one impaired interface; less when many interfaces share what is left. */
const STORE_BYTES_MAX = 8 * MIB;
const STORE_BYTES_MIN = MIB / 4;
const STORES_BYTES_MAX = 256 * MIB;
/** Counter blocks of one kernel, its interfaces and its program. */
const COUNTERS_BYTES = 128 * 1024;

export class LabMemory {
  readonly arena: Arena;
  /** By index of the network: those with wires of their own. */
  readonly #networks: ReadonlyMap<number, NetworkDescriptor>;
  readonly spinBudgetAt: number;
  /** Never more threads spin than there are cores. */
  readonly spinLimit: number = availableParallelism();
  /** The supervisor sees the threads of its process end, and buries them. */
  readonly #owners: OwnerTable;
  readonly #heaps: Map<string, number> = new Map();
  readonly #heapBytes: ReadonlyMap<string, number>;
  readonly #doorbells: Map<string, number> = new Map();
  readonly #scratches: Map<string, number> = new Map();
  readonly #sessions: Map<string, number> = new Map();
  /** Clients in other processes whose frames go through memory; more of them send theirs. */
  readonly sessionsPerKernel: number;

  /** Memory of each interface for frames that wait; 0: there is none to spare. */
  readonly storeBytes: number;
  readonly #stores: Map<string, number> = new Map();

  /** Throws ENOMEM. */
  constructor(plan: LabPlan) {
    const nodes = plan.nodes.length;
    this.#heapBytes = kernelBytes(plan);
    const heaps = [...this.#heapBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.sessionsPerKernel = Math.min(SESSIONS_PER_KERNEL, Math.floor(SHARING_NODES_MAX / nodes));
    const sessionsBytes = this.sessionsPerKernel === 0 ? 0 : this.sessionsPerKernel * SESSION_BYTES + 65_536;
    const kernels = heaps + nodes * (COUNTERS_BYTES + sessionsBytes + 65_536);
    const options = networkOptions(plan, Math.min(RINGS_BYTES_MAX, ARENA_BYTES_MAX - 2 * MIB - kernels));
    const rings = [...options.values()].reduce((sum, option) => sum + networkBytes(option) + 4096, 0);
    const interfaces = plan.nodes.reduce((sum, node) => sum + wiredOf(plan, node).length, 0);
    this.storeBytes = storeBytes(interfaces, ARENA_BYTES_MAX - MIB - rings - kernels);
    const total = MIB + rings + kernels + interfaces * this.storeBytes;
    if (total > ARENA_BYTES_MAX) throw tooLarge(plan, options, total, kernels);
    this.arena = Arena.create(total, { doorbells: Math.max(512, nodes * 2), owners: Math.max(256, nodes * 2) });
    this.spinBudgetAt = this.arena.allocate(spinBudgetBytes(this.spinLimit));
    this.#networks = new Map([...options].map(([index, option]) => [index, createNetwork(this.arena, option)]));
    this.#owners = new OwnerTable(this.arena, isGone);
    const spinBudget = new SpinBudget(this.arena.words, this.spinBudgetAt, this.spinLimit);
    this.#owners.add({ bury: (owner) => spinBudget.evict(owner) });
    for (const network of this.#networks.values()) this.#owners.add(networkHolder(this.arena, network));
    for (const node of plan.nodes) {
      const { name } = node;
      for (const entry of wiredOf(plan, node)) {
        this.#stores.set(`${name}/${entry.name}`, this.arena.allocate(this.storeBytes, 65_536));
      }
      this.#heaps.set(name, this.arena.allocate(this.heapBytesOf(name), 65_536));
      this.#sessions.set(name, this.arena.allocate(this.sessionsPerKernel * SESSION_BYTES, 65_536));
    }
  }

  /** Place of a network with wires of its own. */
  networkAt(index: number): NetworkDescriptor {
    return this.#networks.get(index) as NetworkDescriptor;
  }

  heapBytesOf(node: string): number {
    return this.#heapBytes.get(node) as number;
  }

  heapAt(node: string): number {
    return this.#heaps.get(node) as number;
  }

  /** The doorbell of the thread of that name; a later thread of the same name has the same. */
  doorbellAt(thread: string): number {
    let at = this.#doorbells.get(thread);
    if (at === undefined) this.#doorbells.set(thread, (at = this.arena.allocateDoorbell()));
    return at;
  }

  /** Scratch memory of the thread of that name; a later thread of the same name has the same. */
  scratchAt(thread: string): number {
    let at = this.#scratches.get(thread);
    if (at === undefined) this.#scratches.set(thread, (at = this.arena.allocate(SCRATCH_TOTAL_BYTES)));
    return at;
  }

  /** Place of the store of an interface. */
  storeAt(node: string, iface: string): number {
    return this.#stores.get(`${node}/${iface}`) as number;
  }

  sessionsAt(node: string): number {
    return this.#sessions.get(node) as number;
  }

  /** The id of a thread that is about to start. Throws ENOMEM. */
  claimOwner(): number {
    return this.#owners.claim(ownIdentity(OWNER_THREAD));
  }

  /** The thread of that id has ended: what it held is free, its ports are dead, nobody waits for it any more. */
  threadGone(owner: number): void {
    this.#owners.bury(owner);
  }

  /** The kernel is gone: for its peers it is a machine without power. */
  markDead(node: NodePlan): void {
    for (const { network, port } of node.interfaces) {
      const descriptor = this.#networks.get(network);
      if (descriptor !== undefined) markPortDead(this.arena, descriptor, port);
    }
  }

  /** Counter blocks of one node, or of all. */
  counters(node: string | null): CounterBlock[] {
    return Counters.list(this.arena)
      .filter((block) => node === null || block.name === node || block.name.startsWith(`${node}/`))
      .map((block) => ({ name: block.name, values: block.snapshot() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** Bytes of each interface for frames that wait, when so many interfaces share `leftBytes`; whole pages. */
function storeBytes(interfaces: number, leftBytes: number): number {
  if (interfaces === 0) return 0;
  const shared = Math.floor(Math.min(STORES_BYTES_MAX, leftBytes) / interfaces / 65_536) * 65_536;
  return shared < STORE_BYTES_MIN ? 0 : Math.min(STORE_BYTES_MAX, shared);
}

/** One line: how much the lab would need, and what for. */
function tooLarge(
  plan: LabPlan,
  options: ReadonlyMap<number, VniNetworkOptions>,
  total: number,
  kernels: number,
): MultikernelError {
  const gib = (bytes: number): string => `${(bytes / (1024 * MIB)).toFixed(1)} GiB`;
  const sizes = new Map([...options].map(([index, option]) => [index, networkBytes(option)]));
  const [largest = -1] = [...sizes.keys()].sort((a, b) => (sizes.get(b) as number) - (sizes.get(a) as number));
  const network = plan.networks[largest];
  let what = `${gib(kernels)} for kernels`;
  if (network !== undefined) {
    const nodes = network.ports.length;
    const rings = nodes * (nodes - 1);
    const kib = Math.round((sizes.get(largest) as number) / rings / 1024);
    what +=
      `, ${gib(total - kernels)} for rings between them ` +
      `(${network.name}: ${nodes} nodes, ${rings} rings of ${kib} KiB; more networks of fewer nodes need fewer)`;
  }
  const needed = `${plan.nodes.length} nodes need ${gib(total)} of shared memory, and 2 GiB is the most`;
  return new MultikernelError('ENOMEM', `${plan.name}: ${needed}: ${what}`);
}

/** Interfaces with a ring; others stand on them. */
function wiredOf({ networks }: LabPlan, { interfaces }: NodePlan): NodePlan['interfaces'] {
  return interfaces.filter(({ network }) => networks[network]?.kind === 'ethernet');
}

/** Ring sizes as given, the others from what is left, shared alike; by index of the network. */
function networkOptions(plan: LabPlan, ringsBytes: number): Map<number, VniNetworkOptions> {
  const wired = plan.networks.flatMap((network, index) => (network.kind === 'ethernet' ? [{ network, index }] : []));
  const budgetBytes = Math.floor(ringsBytes / Math.max(2, wired.length));
  return new Map(
    wired.map(({ network: { ports: names, ringBytes }, index }) => {
      const ports = Math.max(2, names.length);
      return [index, ringBytes === null ? { ports, budgetBytes } : { ports, ringBytes }];
    }),
  );
}
