/** The addresses of a kernel as `os.networkInterfaces` shows them to its program. Thread: the one that runs the kernel. */

import type { Kernel } from '../kernel/kernel.ts';
import type { HostInterfaceAddress } from '../node/face.ts';
import { IN6_IFF_DUPLICATED, type LinkAddress } from '../sys/control.ts';
import { formatIp } from '../wire/ip-address.ts';

const NO_LINK_ADDRESS: LinkAddress = [0, 0, 0, 0, 0, 0];

function macText(bytes: LinkAddress): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export function interfaceAddresses(kernel: Kernel): HostInterfaceAddress[] {
  const found: HostInterfaceAddress[] = [];
  for (const { name, kind, linkAddress, addresses } of kernel.control('interface.list', {})) {
    const about = { name, mac: macText(linkAddress ?? NO_LINK_ADDRESS), internal: kind === 'loopback' };
    for (const { address, prefixLength, flags } of addresses) {
      if (address.family === 6 && (flags & IN6_IFF_DUPLICATED) !== 0) continue;
      found.push({ ...about, address: formatIp(address), prefixLength, scopeId: address.scopeId });
    }
  }
  return found;
}
