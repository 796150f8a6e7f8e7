/**
 * Memory for the frames that wait in impaired lines of one device: blocks, each with one frame whose network header is aligned.
 *
 * Thread: the device's. The memory belongs to this device alone.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { Heap } from '../mem/heap.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, type } from '../wire/ethernet.ts';
import type { LinkType } from './device.ts';
import { ChecksumCompletion, SuperFrame } from './offload.ts';

const MIN_BLOCK_BYTES = 512;
const MAX_BLOCK_BYTES = 131_072;

export class FrameStore {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly bulk: Bulk;
  /** Frames that it has room for at most. */
  readonly capacity: number;
  readonly superFrame: SuperFrame;
  readonly checksum: ChecksumCompletion;
  /** Bytes in front of each packet. */
  readonly headerBytes: number;
  /** Offset of a frame in its block. */
  readonly frameOffset: number;
  /** A place for one frame, which belongs to no line. */
  readonly stagingAt: number;
  readonly #heap: Heap;

  /** Throws EINVAL when `byteLength` is too small for one frame. */
  constructor(arena: Arena, bulk: Bulk, linkType: LinkType, at: number, byteLength: number) {
    this.bytes = arena.bytes;
    this.view = arena.view;
    this.bulk = bulk;
    this.superFrame = new SuperFrame(arena.view, bulk);
    this.checksum = new ChecksumCompletion(arena.view, bulk);
    this.headerBytes = linkType === 'ip' ? 0 : ETHERNET_HEADER_BYTES;
    this.frameOffset = linkType === 'ip' ? 0 : 2;
    this.#heap = new Heap(at, byteLength, { minBytes: MIN_BLOCK_BYTES, maxBytes: MAX_BLOCK_BYTES });
    this.capacity = Math.floor(byteLength / MIN_BLOCK_BYTES);
    const staging = this.#heap.allocate(Math.min(MAX_BLOCK_BYTES, this.#heap.maxBytes));
    if (staging < 0) throw new MultikernelError('EINVAL', `store of ${byteLength} bytes is too small`);
    this.stagingAt = staging + this.frameOffset;
  }

  /** A block for a frame of `lengthBytes`, or -1. The frame goes to `frameOffset` in it. */
  allocate(lengthBytes: number): number {
    return this.#heap.allocate(lengthBytes + this.frameOffset);
  }

  /** The same with a copy of the frame at `at`. */
  hold(at: number, lengthBytes: number): number {
    const block = this.allocate(lengthBytes);
    if (block >= 0) this.bulk.copy(block + this.frameOffset, at, lengthBytes);
    return block;
  }

  free(block: number): void {
    this.#heap.free(block);
  }

  /** Whether the frame at `at` carries an IP packet behind its link-layer header. */
  carriesIp(at: number): boolean {
    if (this.headerBytes === 0) return true;
    const etherType = type(this.view, at);
    return etherType === ETHERTYPE_IPV4 || etherType === ETHERTYPE_IPV6;
  }
}
