/**
 * The description of a kernel, and the steps that make a new kernel match it: interfaces, addresses, routes, variables.
 *
 * Thread: the one that will run the kernel. Every text is checked; a wrong one is reported with its key, e.g.
 * `interfaces[0].addresses[1]: not an address: '10.0.0.300'`.
 * Read first: kernel.ts (`Kernel.create`), host/contract.ts. Missing: settings that can change later are changed by `control`.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Host } from '../host/contract.ts';
import type { Device } from '../link/device.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { IFF_UP } from '../net/interface.ts';
import { SocketAddress } from '../socket/socket.ts';
import { type IpAddress, ROUTE_UNICAST } from '../sys/control.ts';
import { ipAddressOf } from '../sys/control-address.ts';
import type { StoreMemory } from './impairments.ts';
import type { Kernel } from './kernel.ts';

/** Shared memory of a kernel, and bulk operations over it: devices are made of both. */
export interface KernelMemory {
  /** Arena that the rings and the heap lie in. */
  readonly arena: Arena;
  /** Copies and checksums over the arena. */
  readonly bulk: Bulk;
}

/** An interface of a new kernel. */
export interface InterfaceConfig {
  /** Default: `eth0`, `eth1`, ... in order. */
  name?: string;
  /** A device, or a function that makes it in the memory of the kernel; or one of the two below. */
  device?: Device | ((memory: KernelMemory) => Device);
  /** A vlan: its parent, by name, and its tag. The name is `vlanN` then. */
  vlan?: { on: string; id: number };
  /** A gif tunnel between two addresses of one family. The name is `gifN` then. */
  tunnel?: { source: string; destination: string };
  /** `address/prefixLength` of either family, e.g. `10.0.0.1/24`. An IPv6 address needs `ipv6` of the kernel. */
  addresses?: readonly string[];
  /** Default: the MTU of the device. */
  mtuBytes?: number;
  /** Default true. */
  up?: boolean;
  /** False: no IPv6 here even where the kernel has it. Default true. */
  ipv6?: boolean;
  /** Part of the arena, 64-aligned, for frames that wait when the interface is impaired. Default: 4 MiB, taken then. */
  impairmentStore?: StoreMemory;
}

/** A static route of a new kernel. */
export interface RouteConfig {
  /** `default` (of the family of the gateway) or `address/prefixLength`. */
  destination: string;
  /** An address on a link; a link-local one needs `interface`. */
  gateway: string;
  /** Name of the outgoing interface; default: the one whose link has the gateway. */
  interface?: string;
}

/** A new kernel. A wrong value is refused with a `MultikernelError`, EINVAL in most cases, with its key. */
export interface KernelConfig {
  /** Name of the host, which the kernel resolves to its addresses. */
  name: string;
  /** Clock, randomness, and the way to ask for a turn: `Simulation.host()`, an `EventLoop`, or an object of your own. */
  host: Host;
  /** Memory of the kernel and its devices. Default: an arena of its own, of `ARENA_BYTES_DEFAULT`. */
  arena?: Arena;
  /** Part of the arena for sockets and the loopback ring. Default 32 MiB. */
  heapBytes?: number;
  /** The same part, where it has been allocated already. */
  heap?: { at: number; bytes: number };
  /** Besides lo0, which every kernel has. */
  interfaces?: readonly InterfaceConfig[];
  /** Static routes besides those of the addresses. */
  routes?: readonly RouteConfig[];
  /** Names this kernel resolves, besides `localhost` and its own, to addresses of either family. */
  hosts?: Record<string, string[]>;
  /** Variables, e.g. `{ 'net.inet.ip.ttl': 32 }`; `mk sysctl -a` lists them. */
  sysctl?: Record<string, number>;
  /** A router, of both families. Default false. */
  forwarding?: boolean;
  /** Whether IPv6 runs; `net.inet6.ip6.enable` switches it later. Default false. */
  ipv6?: boolean;
}

/** Sparse: pages that nothing has written cost no memory. */
export const ARENA_BYTES_DEFAULT: number = 64 * 1024 * 1024;

function invalid(key: string, why: string, cause?: unknown): MultikernelError {
  const code = cause instanceof MultikernelError ? cause.code : 'EINVAL';
  return new MultikernelError(code, `${key}: ${why}`, cause === undefined ? undefined : { cause });
}

/** Runs a step; an error gets the key in front. */
function at<T>(key: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw invalid(key, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Both parts of `address/prefixLength`; the family's own checks are the kernel's. */
function splitPrefix(key: string, text: unknown): { address: string; prefixLength: number } {
  const [, address = '', length = ''] = (typeof text === 'string' && /^([^/]+)\/(\d{1,3})$/.exec(text)) || [];
  const prefixLength = Number(length);
  const most = address.includes(':') ? 128 : 32;
  if (address === '' || prefixLength > most) {
    throw invalid(key, `not an address and a prefix length of 0 to ${most}: '${text}'`);
  }
  return { address, prefixLength };
}

/** Throws EINVAL on what no kernel can be made of, before any memory is taken. */
export function checkConfig(config: KernelConfig): void {
  const { name, host, arena, heap, heapBytes, interfaces = [] } = config;
  if (typeof name !== 'string' || name === '') throw invalid('name', 'a kernel needs a name');
  if (typeof host?.nowUs !== 'function' || typeof host.rng?.next32 !== 'function') {
    throw invalid('host', 'nowUs() and rng.next32() are needed');
  }
  if (heap !== undefined && arena === undefined) throw invalid('heap', 'lies in no arena');
  if (heap !== undefined && heapBytes !== undefined) throw invalid('heapBytes', 'there is a heap already');
  if (heapBytes !== undefined && !(Number.isSafeInteger(heapBytes) && heapBytes > 0)) {
    throw invalid('heapBytes', `not a number of bytes: ${heapBytes}`);
  }
  const names = new Set(['lo0']);
  for (const [index, wanted] of interfaces.entries()) {
    const key = `interfaces[${index}]`;
    const own = wanted.name ?? `eth${index}`;
    if (names.has(own)) throw invalid(`${key}.name`, `there are two interfaces ${own}`);
    names.add(own);
    if (wanted.vlan !== undefined || wanted.tunnel !== undefined) continue;
    if (typeof wanted.device !== 'function' && typeof wanted.device?.name !== 'string') {
      throw invalid(`${key}.device`, 'neither a device nor a function that makes one');
    }
    if (typeof wanted.device !== 'function' && arena === undefined) {
      throw invalid('arena', `the one that ${key}.device lies in is needed`);
    }
  }
}

/** Attach the device, or make what has none; the if_index. */
function openInterface(kernel: Kernel, key: string, name: string, wanted: InterfaceConfig): number {
  const { device, vlan, tunnel } = wanted;
  if (device !== undefined) {
    const made =
      typeof device === 'function'
        ? at(`${key}.device`, () => device({ arena: kernel.arena, bulk: kernel.cpus[0].cpu.bulk }))
        : device;
    return at(key, () => kernel.attach(made, name)).index;
  }
  const { index } = at(key, () => kernel.control('interface.create', { name }));
  if (vlan !== undefined) {
    at(`${key}.vlan`, () => {
      kernel.control('vlan.set', { index, parentIndex: interfaceIndex(kernel, vlan.on), id: vlan.id });
    });
  }
  if (tunnel !== undefined) {
    at(`${key}.tunnel`, () => {
      const [source, destination] = [tunnel.source, tunnel.destination].map((text) => addressOf(kernel, text));
      kernel.control('tunnel.set', { index, source: source as IpAddress, destination: destination as IpAddress });
    });
  }
  return index;
}

function addInterface(kernel: Kernel, key: string, name: string, wanted: InterfaceConfig): void {
  const index = openInterface(kernel, key, name, wanted);
  if (wanted.impairmentStore !== undefined) kernel.impairments.giveStore(name, wanted.impairmentStore);
  const { mtuBytes } = wanted;
  if (mtuBytes !== undefined) at(`${key}.mtuBytes`, () => kernel.control('interface.change', { index, mtuBytes }));
  if (wanted.ipv6 === false) at(`${key}.ipv6`, () => kernel.control('interface.change', { index, ipv6: false }));
  const flags = wanted.up === false ? { clearFlags: IFF_UP } : { setFlags: IFF_UP };
  at(`${key}.up`, () => kernel.control('interface.change', { index, ...flags }));
  for (const [n, text] of (wanted.addresses ?? []).entries()) {
    const option = `${key}.addresses[${n}]`;
    const { address, prefixLength } = splitPrefix(option, text);
    at(option, () => kernel.control('address.add', { index, address: addressOf(kernel, address), prefixLength }));
  }
}

/** Zones are names of the kernel's interfaces. */
function addressOf(kernel: Kernel, text: string): IpAddress {
  const address = SocketAddress.from(text, 0, kernel.sockets);
  if (address === null) throw new MultikernelError('EINVAL', `not an address: '${text}'`);
  return ipAddressOf(address.unmap());
}

function interfaceIndex(kernel: Kernel, name: string): number {
  const iface = kernel.inet.interface(name);
  if (iface === null) throw new MultikernelError('ENXIO', `interface ${name} does not exist`);
  return iface.index;
}

function addRoute(kernel: Kernel, key: string, wanted: RouteConfig): void {
  const { destination, gateway } = wanted;
  if (typeof gateway !== 'string' || gateway === '') throw invalid(`${key}.gateway`, 'an address is needed');
  const everywhere = gateway.includes(':') ? '::/0' : '0.0.0.0/0';
  const { address, prefixLength } = splitPrefix(
    `${key}.destination`,
    destination === 'default' ? everywhere : destination,
  );
  at(`${key}: route ${address}/${prefixLength}`, () => {
    const request = {
      destination: addressOf(kernel, address),
      prefixLength,
      gateway: addressOf(kernel, gateway),
      interfaceIndex: wanted.interface === undefined ? 0 : interfaceIndex(kernel, wanted.interface),
      action: ROUTE_UNICAST,
    };
    kernel.control('route.add', request);
  });
}

/** Bring a new kernel to its description. Throws MultikernelError with the key that is wrong. */
export function configure(kernel: Kernel, config: KernelConfig): void {
  const setVariable = (key: string, name: string, value: number): void => {
    at(`${key}: sysctl ${name}`, () => kernel.control('sysctl.set', { name, value }));
  };
  for (const [name, value] of Object.entries(config.sysctl ?? {})) setVariable(`sysctl['${name}']`, name, value);
  if (config.forwarding === true) {
    setVariable('forwarding', 'net.inet.ip.forwarding', 1);
    setVariable('forwarding', 'net.inet6.ip6.forwarding', 1);
  }
  for (const [index, wanted] of (config.interfaces ?? []).entries()) {
    addInterface(kernel, `interfaces[${index}]`, wanted.name ?? `eth${index}`, wanted);
  }
  for (const [index, wanted] of (config.routes ?? []).entries()) addRoute(kernel, `routes[${index}]`, wanted);
}
