/** The addresses of a kernel as `os.networkInterfaces` shows them to its program. Thread: the one that runs the kernel. */

import type { Kernel } from '../kernel/kernel.ts';
import type { InterfaceAddress } from '../node/face.ts';

const NO_MAC = '00:00:00:00:00:00';

export function interfaceAddresses(kernel: Kernel): InterfaceAddress[] {
  const rows: InterfaceAddress[] = [];
  for (const { name, index, kind, mac, addresses, addresses6 } of kernel.control('interfaces', {})) {
    const about = { name, mac: mac ?? NO_MAC, internal: kind === 'loopback' };
    for (const { address, prefixLength } of addresses) rows.push({ ...about, address, prefixLength, scopeId: 0 });
    for (const { address, prefixLength, state } of addresses6) {
      if (state === 'duplicated') continue;
      const zoneAt = address.indexOf('%');
      const text = zoneAt < 0 ? address : address.slice(0, zoneAt);
      rows.push({ ...about, address: text, prefixLength, scopeId: zoneAt < 0 ? 0 : index });
    }
  }
  return rows;
}
