/**
 * Makes one kernel from its boot message: region, devices, addresses, routes, sysctls.
 *
 * Thread: the worker that will run the kernel.
 */

import type { Host } from '../host/contract.ts';
import { Kernel } from '../kernel/kernel.ts';
import type { KernelBoot } from '../lab/messages.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES } from '../link/device.ts';
import { VniDevice } from '../link/vni.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { parseMac } from '../wire/ethernet.ts';

/** Boot a kernel on the calling thread, whose doorbell is at `doorbellAt`. */
export function bootKernel(
  config: KernelBoot,
  hosts: Record<string, string[]>,
  arena: Arena,
  host: Host,
  doorbellAt: number,
): Kernel {
  const kernel = new Kernel({
    name: config.name,
    arena,
    host,
    hosts,
    heap: { at: config.heapAt, bytes: config.heapBytes },
    // Every program finds `::1`; without IPv6 the interfaces stay without it.
    ipv6: true,
  });
  for (const [name, value] of config.sysctl) kernel.control('sysctl.set', { name, value });
  if (config.forwarding) {
    kernel.control('sysctl.set', { name: 'net.inet.ip.forwarding', value: 1 });
    kernel.control('sysctl.set', { name: 'net.inet6.ip6.forwarding', value: 1 });
  }
  const ipv6 = config.ipv6 || config.sysctl.some(([name]) => name === 'net.inet6.ip6.enable');
  for (const wanted of config.interfaces) {
    const device = new VniDevice(arena, kernel.bulk, wanted.descriptor, wanted.port, {
      name: wanted.name,
      mac: parseMac(wanted.mac),
      mtuBytes: wanted.mtuBytes,
      capabilities: wanted.offload ? CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES : 0,
      doorbellAt,
      onFull: wanted.full,
      counters: Counters.open(arena, `${config.name}/${wanted.name}`),
    });
    kernel.attach(device, wanted.name);
    if (!ipv6) kernel.control('interface.set', { name: wanted.name, ipv6 });
    for (const address of wanted.addresses) {
      kernel.control('interface.set', { name: wanted.name, addAddress: address });
    }
  }
  for (const route of config.routes) kernel.control('route.add', { ...route, kind: 'unicast' });
  return kernel;
}
