/**
 * Makes one kernel from its boot message: region, devices, addresses, routes, sysctls.
 *
 * Thread: the worker that will run the kernel.
 */

import type { Host } from '../host/contract.ts';
import { isGone } from '../host/node/death-probe.ts';
import { Kernel } from '../kernel/kernel.ts';
import type { KernelBoot, RefusedVariable, WorkerBoot } from '../lab/messages.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES } from '../link/device.ts';
import { openVni } from '../link/open-vni.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { OwnerTable } from '../mem/owner.ts';
import { IFBIF_STP } from '../sys/control.ts';
import { parseMac } from '../wire/ethernet.ts';

/** The least that IEEE 802.1D allows. */
const FORWARD_DELAY_SEC = 4;
/** Stations of a lab that a bridge remembers. */
const MAX_ADDRESSES = 65_536;
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
  if (config.bridge !== null) bridgeAll(kernel, config.bridge.stp);
  return kernel;
}

/** bridge0 over all interfaces, up. A spanning tree forwards after twice its shortest forward delay. */
function bridgeAll(kernel: Kernel, stp: boolean): void {
  const { index } = kernel.control('interface.create', { name: 'bridge0' });
  const members = kernel.control('interface.list', {}).filter(({ kind }) => kind === 'vni');
  const mtuBytes = Math.min(...members.map((member) => member.mtuBytes));
  if (members.length > 0) kernel.control('interface.change', { index, mtuBytes });
  kernel.control('bridge.change', { index, forwardDelaySec: FORWARD_DELAY_SEC, maxAddresses: MAX_ADDRESSES });
  for (const { index: memberIndex } of members) {
    kernel.control('bridge.member.add', { index, memberIndex });
    if (stp) kernel.control('bridge.member.change', { index, memberIndex, setFlags: IFBIF_STP });
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
    interfaces: config.interfaces.map((wanted) => ({
      name: wanted.name,
      ipv6,
      ...(wanted.storeBytes === 0 ? {} : { impairmentStore: { at: wanted.storeAt, bytes: wanted.storeBytes } }),
      addresses: wanted.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
      device: ({ bulk }) =>
        openVni(arena, bulk, wanted.descriptor, wanted.port, {
          name: wanted.name,
          mac: parseMac(wanted.mac),
          mtuBytes: wanted.mtuBytes,
          capabilities: wanted.offload ? CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES : 0,
          owner: thread.owner,
          isDead: (owner) => owners.isDead(owner),
          onFull: wanted.full,
          counters: Counters.open(arena, `${config.name}/${wanted.name}`),
        }),
    })),
    routes: config.routes.map(({ destination, prefixLength, gateway }) => ({
      destination: `${destination}/${prefixLength}`,
      gateway,
    })),
  });
}
