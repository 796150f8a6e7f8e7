/**
 * Devices: they take and give packets, of Ethernet or of IP. Public subpath `multikernel/link`.
 *
 * @module multikernel/link
 */

export * from './device.ts';
export { FileVniDevice, type FileVniOptions } from './file-vni.ts';
export { ImpairedDevice, type ImpairOptions } from './impair.ts';
export type { Impairment } from './impairment.ts';
export { LOOPBACK_MTU_BYTES, LoopbackDevice, type LoopbackOptions } from './loopback.ts';
export {
  createNetwork,
  DEFAULT_RING_BYTES,
  defaultRingBytes,
  listPorts,
  MAX_PORTS,
  markPortDead,
  type NetworkDescriptor,
  networkBytes,
  networkHolder,
  type PortInfo,
  type VniNetworkOptions,
} from './network.ts';
export { openVni } from './open-vni.ts';
export { type FrameHandler, RawDevice, type RawDeviceOptions } from './raw-device.ts';
export { SharedVniDevice } from './shared-vni.ts';
export { VniDevice } from './vni.ts';
export { VNI_FILE } from './vni-file.ts';
export type { VniOptions } from './vni-port.ts';
