/**
 * The vni device that fits a network: rings per channel or one shared buffer, as the network was made.
 *
 * Thread: the kernel's.
 */

import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { NetworkDescriptor } from './network.ts';
import { SharedVniDevice } from './shared-vni.ts';
import { VniDevice } from './vni.ts';
import type { VniOptions, VniPort } from './vni-port.ts';

/** Join the network at `port`. Throws EBUSY when another kernel is up there, EPROTO when the network is none. */
// cold: once per device
export function openVni(
  arena: Arena,
  bulk: Bulk,
  network: NetworkDescriptor,
  port: number,
  options: VniOptions,
): VniPort {
  const Device = network.buffers === 'shared' ? SharedVniDevice : VniDevice;
  return new Device(arena, bulk, network, port, options);
}
