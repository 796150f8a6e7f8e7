/** The words of a packet's metadata and of a link's capabilities, for layers above net/: those of the device contract. */

export {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_ARRIVAL_MASK,
  META_CHECKSUM_KNOWN,
  META_CHECKSUM_PARTIAL,
  META_CHECKSUM_VERIFIED,
  META_SEGMENT_SHIFT,
} from '../link/device.ts';
