/**
 * The device contract: something that takes and gives frames, of Ethernet or of IP.
 *
 * Thread: a device belongs to one kernel, each of its queues to one thread that runs it. State shared with its peers lies
 * in the arena and is reached through `mem/`.
 *
 * Frames are never objects. A frame is `(at, lengthBytes, meta)`: a byte offset into the arena's one `DataView`, a length
 * that counts the link-layer header and not the FCS, and a word of metadata ({@link META_CHECKSUM_PARTIAL} and friends).
 * Sending: `reserve` → write the frame in place → `commit`; `flush` once per batch. Receiving: `receive` fills a batch,
 * the frames are read in place, `release` gives all of them back. Implementations: vni, loopback; middleware wraps them.
 */

import type { Counters } from '../mem/counters.ts';

/** Transport checksum not computed: the field holds the pseudo-header sum, the memory path vouches for the bytes (as virtio does). */
export const META_CHECKSUM_PARTIAL = 1;
/** Transport checksum was verified by somebody before; no need to do it again. */
export const META_CHECKSUM_VERIFIED = 2;
/** Either: nobody has to look at the checksum. */
export const META_CHECKSUM_KNOWN: number = META_CHECKSUM_PARTIAL | META_CHECKSUM_VERIFIED;
/**
 * Upper 16 bits of the metadata: segment size (payload bytes of TCP, or of each datagram of UDP) of a super-frame, 0 for an
 * ordinary frame. A UDP super-frame has the header of its first datagram, with length and checksum as if it were one.
 */
export const META_SEGMENT_SHIFT = 16;

/**
 * Bits 4 to 15 of the metadata belong to the link layer. On a loopback device: if_index of the interface that a packet counts
 * as received by, 0 for none. On a {@link PortedDevice} that is asked to: the port that a frame came from, plus 1. Nothing is read out of
 * them when another kernel wrote them.
 */
export const META_ARRIVAL_SHIFT = 4;
/** Bits 4 to 15 of the metadata. */
export const META_ARRIVAL_MASK = 0xfff0;

/** Device takes and gives frames whose transport checksum is not filled in. */
export const CAP_CHECKSUM_PARTIAL = 1;
/** Device takes and gives super-frames, also longer than its MTU (up to `maxFrameBytes`). */
export const CAP_SUPER_FRAMES = 2;

/** Filter: every frame passes. */
export const DEVICE_PROMISCUOUS = 1;
/** Filter: every multicast frame passes. */
export const DEVICE_ALL_MULTICAST = 2;

/**
 * First header of a frame. `ethernet`: an Ethernet header; `ip`: the header of an IPv4 or IPv6 packet, told apart by its
 * version. Such a link has no addresses.
 */
export type LinkType = 'ethernet' | 'ip';

/** An Ethernet address in two numbers: `hi` the first 16 bits, `lo` the last 32 as int32. */
export interface MacAddress {
  /** First 16 bits. */
  readonly hi: number;
  /** Last 32 bits, as int32. */
  readonly lo: number;
}

/** Preallocated result of `Device.receive`; `meta` and `length` were copied out of shared memory and checked. */
export class FrameBatch {
  /** Offsets of the frames in the arena. */
  readonly at: Int32Array;
  /** Bytes of the frames, link-layer header included. */
  readonly length: Int32Array;
  /** `META_*` words of the frames. */
  readonly meta: Int32Array;
  /** Most frames that it takes. */
  readonly capacity: number;

  /** An empty batch for up to `capacity` frames; made once, filled by each `receive`. */
  constructor(capacity: number = 64) {
    this.capacity = capacity;
    this.at = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.meta = new Int32Array(capacity);
  }
}

/**
 * Frames of one length to one destination, reserved together and written by one loop: what segmentation offload gives to
 * hardware (Linux calls doing it this late GSO). Between `reserveRun` and `commitRun` nothing else is reserved.
 */
export interface FrameRuns {
  /** Set by `reserveRun`: where the first frame goes, and how far each other lies behind the one before. */
  readonly runAt: number;
  /** Bytes from the beginning of one frame to that of the next. */
  readonly runStrideBytes: number;
  /** Room for up to `count` frames: how many; 0 when `reserve` must decide. Allocates nothing. */
  reserveRun(dstHi: number, dstLo: number, lengthBytes: number, count: number): number;
  /** The first `count` of them are complete. */
  commitRun(count: number, lengthBytes: number, meta: number): void;
}

/**
 * One way out and one way in of a device, each used by one producer and one consumer: the unit that a CPU owns. A device
 * with one queue may be that queue itself.
 */
export interface DeviceQueue {
  /** For queues that take several frames at once. */
  readonly runs?: FrameRuns | undefined;
  /**
   * Doorbell of the thread that works on this queue (`arena.allocateDoorbell`), 0 while it polls: rung by senders when
   * frames wait, and by receivers when there is room that somebody asked for. Set it when another thread takes over.
   */
  doorbellAt: number;

  /**
   * Room for one frame of `lengthBytes` to the given destination.
   * Returns the byte offset where the frame goes (`at % 8 === 2` for Ethernet, `at % 4 === 0` for IP, so that the network
   * header is 4-aligned), or
   * `-ENOBUFS` when the ring is full, `-EMSGSIZE` when longer than `maxFrameBytes`, `-ENETDOWN` when down.
   * At most one reservation is open at a time; `cancel` or `commit` ends it. Allocates nothing.
   */
  reserve(dstHi: number, dstLo: number, lengthBytes: number): number;
  /** The reserved frame is complete; `lengthBytes` may be less than reserved. Multicast and broadcast are copied to each channel here. */
  commit(lengthBytes: number, meta: number): void;
  /** Gives the reservation back; no frame is sent. */
  cancel(): void;
  /** Publish what was committed and ring the doorbells of sleeping receivers. Once per batch. */
  flush(): void;
  /**
   * Ask to be woken (through this queue's doorbell) when room for a frame to that destination appears. Called after
   * `reserve` returned `-ENOBUFS`. Returns true when there is room again already.
   */
  awaitRoom(dstHi: number, dstLo: number): boolean;

  /** Up to `batch.capacity` received frames; they stay valid until `release`. Returns the count. */
  receive(batch: FrameBatch): number;
  /** All frames of the last `receive` were consumed. */
  release(): void;
  /** Whether frames wait; called with the doorbell armed, so it must look at shared memory afresh. */
  readonly pending: boolean;
}

/** A device, as an interface of a kernel has it. */
export interface Device {
  /** Name of the device, for people. */
  readonly name: string;
  /** Driver, e.g. "vni", "loopback". */
  readonly kind: string;
  /** First header of its frames. */
  readonly linkType: LinkType;
  /** Zero where frames have no addresses. */
  readonly mac: MacAddress;
  /** Largest network-layer packet, link-layer header not counted. */
  readonly mtuBytes: number;
  /** Largest frame `reserve` accepts: `mtuBytes` and the link-layer header (14 or 0), or more with {@link CAP_SUPER_FRAMES}. */
  readonly maxFrameBytes: number;
  /** `CAP_*` bits in force (negotiated with the peers and switched on). */
  readonly capabilities: number;
  /** Counters of the device. */
  readonly counters: Counters;
  /** False when the link has no carrier or was marked down; `downReason` says why. */
  readonly linkUp: boolean;
  /** Reason of a link that was marked down; empty otherwise. */
  readonly downReason: string;
  /**
   * At least one; their number never changes. All packets of a flow leave by one queue, which keeps their order: a CPU sends by
   * `queues[number % queues.length]`, flows being bound to CPUs; a kernel of one CPU sends by the first. The device chooses the
   * queue that a frame arrives by, the same for all frames of a flow. Frames of different queues have no order.
   */
  readonly queues: readonly DeviceQueue[];

  /** Receive filter: `DEVICE_*` bits. Own unicast and broadcast always pass. */
  setFilter(flags: number): void;
  /** Memberships are counted: as many `leaveMulticast` as `joinMulticast` end one. */
  joinMulticast(hi: number, lo: number): void;
  /** Ends one membership of `joinMulticast`. */
  leaveMulticast(hi: number, lo: number): void;
  /** Returns 0, or `-EINVAL` below 68 bytes (RFC 791) or above what the device can carry. */
  setMtu(mtuBytes: number): number;
  /** Another address in `mac`, for devices whose peers need not be told. Returns 0 or `-EOPNOTSUPP`. */
  setMac?(hi: number, lo: number): number;
  /** The link is down from now on. May be called twice. */
  close(): void;
}

/** The only queue of a device that has one. */
// cold: once per device
export function onlyQueue(device: Device): DeviceQueue {
  const [queue, other] = device.queues;
  if (queue === undefined || other !== undefined)
    throw new RangeError(`${device.name}: ${device.queues.length} queues`);
  return queue;
}

/** A device on a network of numbered ports, each of which sends to it by a channel of its own. */
export interface PortedDevice extends Device {
  /** Whether `META_ARRIVAL_MASK` of the frames that it gives out holds the port that they came from, plus 1. */
  marksPorts: boolean;
  /** Nothing is received from these ports any more, and again from the others. Returns 0, or `-EINVAL` for a port that there is not. */
  cutPorts(ports: readonly number[]): number;
}

/** A device that does something by itself as time passes (an impaired link). */
export interface TimedDevice extends Device {
  /** Bring time forward; call at or before `nextDeadlineUs`. Returns the amount of work done. */
  tick(nowUs: number): number;
  /** `Infinity` when nothing waits for time. */
  nextDeadlineUs(): number;
}
