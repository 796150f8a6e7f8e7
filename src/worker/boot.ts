/**
 * Makes one kernel from its boot message: region, devices, addresses, routes, sysctls.
 *
 * Thread: the worker that will run the kernel.
 */

import type { Host } from '../host/contract.ts';
import { isGone } from '../host/node/death-probe.ts';
import type { InterfaceConfig } from '../kernel/create.ts';
import { Kernel } from '../kernel/kernel.ts';
import type { BridgeBoot, KernelBoot, PortBoot, RefusedVariable, WorkerBoot } from '../lab/messages.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES } from '../link/device.ts';
import { openVni } from '../link/open-vni.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { OwnerTable } from '../mem/owner.ts';
import { IFBIF_DISCOVER, IFBIF_LEARNING, IFBIF_PROTECTED, IFBIF_STP } from '../sys/control.ts';
import { parseMac } from '../wire/ethernet.ts';

const IFF_UP = 0x1;

/** Names the variable that the kernel refused, if it did. */
function withVariable(error: unknown, { name: node, sysctl }: KernelBoot): unknown {
  const { message } = error as Error;
  const variable = sysctl.find(([name]) => message.startsWith(`sysctl['${name}']: `))?.[0];
  if (variable === undefined) return error;
  const reason = message.slice(message.indexOf(': ') + 2).replace(`sysctl ${variable}: `, '');
  return Object.assign(error as Error, { node, variable, reason } satisfies RefusedVariable);
}

/** Boot a kernel on the calling thread, whose id is given. Throws what `Kernel.create` throws, with a {@link RefusedVariable}. */
export function bootKernel(
  config: KernelBoot,
  hosts: Record<string, string[]>,
  arena: Arena,
  host: Host,
  thread: Pick<WorkerBoot, 'owner'>,
): Kernel {
  try {
    return createKernel(config, hosts, arena, host, thread);
  } catch (error) {
    throw withVariable(error, config);
  }
}

function createKernel(
  config: KernelBoot,
  hosts: Record<string, string[]>,
  arena: Arena,
  host: Host,
  thread: Pick<WorkerBoot, 'owner'>,
): Kernel {
  const kernel = makeKernel(config, hosts, arena, host, thread);
  if (config.bridge !== null) makeBridge(kernel, config.bridge);
  return kernel;
}

/** bridge0 over its members, up. */
function makeBridge(kernel: Kernel, { ports, static: stations, ...settings }: BridgeBoot): void {
  const { index } = kernel.control('interface.create', { name: 'bridge0' });
  const interfaces = kernel.control('interface.list', {});
  const members = new Map(interfaces.map((one) => [one.name, one]));
  const mtus = ports.map((port) => members.get(port.interface)?.mtuBytes as number);
  if (mtus.length > 0) kernel.control('interface.change', { index, mtuBytes: Math.min(...mtus) });
  kernel.control('bridge.change', { index, ...settings });
  for (const { interface: name, stp, learn, discover, protected: apart, ...values } of ports) {
    const memberIndex = members.get(name)?.index as number;
    kernel.control('bridge.member.add', { index, memberIndex });
    const setFlags = (stp ? IFBIF_STP : 0) | (apart ? IFBIF_PROTECTED : 0);
    const clearFlags = (learn ? 0 : IFBIF_LEARNING) | (discover ? 0 : IFBIF_DISCOVER);
    kernel.control('bridge.member.change', { index, memberIndex, setFlags, clearFlags, ...values });
  }
  for (const { mac, interface: name } of stations) {
    const linkAddress = mac.split(':').map((octet) => Number.parseInt(octet, 16));
    kernel.control('bridge.address.add', { index, memberIndex: members.get(name)?.index as number, linkAddress });
  }
  kernel.control('interface.change', { index, setFlags: IFF_UP });
}

function makeKernel(
  config: KernelBoot,
  hosts: Record<string, string[]>,
  arena: Arena,
  host: Host,
  thread: Pick<WorkerBoot, 'owner'>,
): Kernel {
  const owners = new OwnerTable(arena, isGone);
  const ipv6 = config.ipv6 || config.sysctl.some(([name]) => name === 'net.inet6.ip6.enable');
  return Kernel.create({
    name: config.name,
    arena,
    host,
    hosts,
    heap: { at: config.heapAt, bytes: config.heapBytes },
    // Every program finds `::1`; without IPv6 the interfaces stay without it.
    ipv6: true,
    sysctl: Object.fromEntries(config.sysctl),
    forwarding: config.forwarding,
    interfaces: config.interfaces.map(({ name, mtuBytes, addresses, link }) => ({
      name,
      ipv6,
      addresses: addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
      ...(link.kind === 'vlan' ? { mtuBytes, vlan: link } : {}),
      ...(link.kind === 'tunnel' ? { mtuBytes, tunnel: link } : {}),
      ...(link.kind === 'port' ? portOf(link, { name, mtuBytes }, { config, arena, thread, owners }) : {}),
    })),
    routes: config.routes.map(({ destination, prefixLength, gateway }) => ({
      destination: `${destination}/${prefixLength}`,
      gateway,
    })),
  });
}

interface PortParts {
  config: KernelBoot;
  arena: Arena;
  thread: Pick<WorkerBoot, 'owner'>;
  owners: OwnerTable;
}

function portOf(
  link: PortBoot,
  { name, mtuBytes }: { name: string; mtuBytes: number },
  { config, arena, thread, owners }: PortParts,
): Pick<InterfaceConfig, 'device' | 'impairmentStore'> {
  return {
    ...(link.storeBytes === 0 ? {} : { impairmentStore: { at: link.storeAt, bytes: link.storeBytes } }),
    device: ({ bulk }) =>
      openVni(arena, bulk, link.descriptor, link.port, {
        name,
        mac: parseMac(link.mac),
        mtuBytes,
        capabilities: link.offload ? CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES : 0,
        owner: thread.owner,
        isDead: (owner) => owners.isDead(owner),
        onFull: link.full,
        counters: Counters.open(arena, `${config.name}/${name}`),
      }),
  };
}
