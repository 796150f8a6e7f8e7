/** The addresses of a kernel as `os.networkInterfaces` shows them to its program. Thread: the one that runs the kernel. */

import type { Kernel } from '../kernel/kernel.ts';
import type { InterfaceAddress } from '../node/face.ts';

const NO_MAC = '00:00:00:00:00:00';

export function interfaceAddresses(kernel: Kernel): InterfaceAddress[] {
  const rows: InterfaceAddress[] = [];
  for (const { name, kind, mac, addresses } of kernel.control('interfaces', {})) {
    const internal = kind === 'loopback';
    for (const { address, prefixLength } of addresses)
      rows.push({ name, address, prefixLength, mac: mac ?? NO_MAC, internal });
    // Handles know ::1 (node/address.ts).
    if (internal) rows.push({ name, address: '::1', prefixLength: 128, mac: NO_MAC, internal });
  }
  return rows;
}
