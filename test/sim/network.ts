/**
 * A network of real kernels on the simulated host: one thread, a virtual clock, a seed.
 *
 * Every kernel has `eth0` on one Ethernet segment, behind a link that can be made bad. Equal seeds give equal packets.
 */

import { Simulation } from '../../src/host/sim/simulation.ts';
import type { KernelMemory } from '../../src/kernel/create.ts';
import { Kernel } from '../../src/kernel/kernel.ts';
import type { Device } from '../../src/link/device.ts';
import { ImpairedDevice } from '../../src/link/impair.ts';
import type { Impairment } from '../../src/link/impairment.ts';
import { createNetwork, type NetworkDescriptor, VniDevice } from '../../src/link/index.ts';
import { Arena } from '../../src/mem/arena.ts';

export interface SimNetworkOptions {
  seed: number;
  kernels: readonly string[];
  /** What is wrong with what each kernel sends. */
  impairment?: Impairment;
  ringBytes?: number;
  mtuBytes?: number;
  /** What a full ring does: back-pressure (default) or a counted drop. */
  full?: 'wait' | 'drop';
  /** Put something between the kernel of that index and its end of the segment. */
  wrap?: (device: Device, index: number) => Device;
  /** Memory to build it in; many small networks can share one arena, which is never given back. */
  arena?: Arena;
  /** Ports of the segment for whoever is no kernel, after those of the kernels. */
  strangers?: number;
  /** Memory of each kernel for socket buffers. */
  heapBytes?: number;
  /** Run IPv6 too: each kernel gets 2001:db8::n. */
  ipv6?: boolean;
}

const HEAP_BYTES = 32 * 1024 * 1024;
let networks = 0;

export class SimNetwork {
  readonly simulation: Simulation;
  readonly arena: Arena;
  readonly segment: NetworkDescriptor;
  readonly kernels: Map<string, Kernel> = new Map();
  readonly links: Map<string, ImpairedDevice> = new Map();

  constructor(options: SimNetworkOptions) {
    const { seed, kernels } = options;
    this.simulation = new Simulation(seed);
    const heapBytes = options.heapBytes ?? HEAP_BYTES;
    this.arena = options.arena ?? Arena.create(64 * 1024 * 1024 + kernels.length * (heapBytes + 8 * 1024 * 1024));
    const id = networks++;
    const ports = Math.max(2, kernels.length + (options.strangers ?? 0));
    const ringBytes = options.ringBytes ?? 512 * 1024;
    this.segment = createNetwork(this.arena, { ports, ringBytes });
    const wrap = options.wrap ?? ((device) => device);
    const ipv6 = options.ipv6 ?? false;
    const hosts = Object.fromEntries(
      kernels.map((name, i) => [
        name,
        ipv6 ? [SimNetwork.address(i), SimNetwork.address6(i)] : [SimNetwork.address(i)],
      ]),
    );
    kernels.forEach((name, index) => {
      const host = this.simulation.host();
      const heap = { at: this.arena.allocate(heapBytes, 4096), bytes: heapBytes };
      const device = ({ bulk }: KernelMemory): Device => {
        const vni = new VniDevice(this.arena, bulk, this.segment, index, {
          name: `${name}#${id}/eth0`,
          mac: { hi: 0x026d, lo: index + 1 },
          onFull: options.full ?? 'wait',
          ...(options.mtuBytes === undefined ? {} : { mtuBytes: options.mtuBytes }),
        });
        const link = new ImpairedDevice(wrap(vni, index), this.arena, bulk, { clock: host, rng: host.rng });
        this.links.set(name, link);
        return link;
      };
      const addresses = [`${SimNetwork.address(index)}/24`, ...(ipv6 ? [`${SimNetwork.address6(index)}/64`] : [])];
      const interfaces = [{ device, addresses }];
      const kernel = Kernel.create({ name: `${name}#${id}`, arena: this.arena, host, hosts, heap, ipv6, interfaces });
      if (options.impairment !== undefined) this.links.get(name)?.impair('out', options.impairment);
      this.kernels.set(name, kernel);
      this.simulation.add(...kernel.cpus);
    });
  }

  /** Address of the n-th kernel. */
  static address(index: number): string {
    return `10.0.0.${index + 1}`;
  }

  static address6(index: number): string {
    return `2001:db8::${(index + 1).toString(16)}`;
  }

  kernel(name: string): Kernel {
    return this.kernels.get(name) as Kernel;
  }

  /** Cut (or join again) what `name` sends. */
  cut(name: string, impairment: Impairment | null): void {
    this.links.get(name)?.impair('out', impairment ?? {});
  }
}
