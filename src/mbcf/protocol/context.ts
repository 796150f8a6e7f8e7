/**
 * The surroundings of an MBCF node: memory, clock, chance, and a wire to other nodes. The CPU of a kernel has all but the wire.
 *
 * Thread: that of the node.
 */

import type { Rng } from '../../base/rng.ts';
import type { CalloutTable } from '../../kern/callout.ts';
import type { Arena } from '../../mem/arena.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Heap } from '../../mem/heap.ts';

export interface MbcfContext {
  /** The region of packets. */
  readonly arena: Arena;
  readonly bulk: Bulk;
  /** Memory for packets that are not acknowledged. */
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  readonly rng: Rng;
  readonly counters: Counters;
  nowUs(): number;
}

/** Carries packets between nodes. It may lose, double, delay and reorder them. */
export interface Wire {
  /** Longest packet, bytes; at most 65,000. */
  readonly maxBytes: number;
  /** Whether packets need a checksum of their own. */
  readonly needsChecksum: boolean;
  /** Take a packet, which may be overwritten afterwards. False: there is no room, `MbcfNode.resume` will be called when there is. */
  send(node: number, at: number, byteLength: number): boolean;
  /** Publish what was sent; once per turn. */
  flush(): void;
}

/** The packets that may be on their way to a node that has not acknowledged them. */
export interface InFlightLimit {
  /** At first, and after a long silence. */
  readonly first: number;
  /** After losses, at least. */
  readonly min: number;
  /** At most. */
  readonly max: number;
  /** Grows by acknowledgments and is halved by losses; otherwise it stays at `first`. */
  readonly adaptive: boolean;
}

/** Limits by the speed of the link, as the last driver of the paper has them. */
export const IN_FLIGHT: Readonly<Record<'100M' | '1G' | '10G' | '100G', InFlightLimit>> = {
  '100M': { first: 4, min: 1, max: 16, adaptive: true },
  '1G': { first: 8, min: 1, max: 64, adaptive: true },
  '10G': { first: 32, min: 1, max: 256, adaptive: true },
  '100G': { first: 128, min: 1, max: 1024, adaptive: true },
};

/** Limits and times of the protocol. */
export interface MbcfSettings {
  /** Packets on their way to one node; {@link IN_FLIGHT} by speed of the link. */
  readonly inFlight: InFlightLimit;
  /** After so many packets an acknowledgment of their own follows; 0: they are acknowledged by packets the other way, or when the sender asks. */
  readonly ackEvery: number;
  /** An acknowledgment that nobody took along is sent after so long, microseconds. */
  readonly ackDelayUs: number;
  /** A packet that is not acknowledged is sent again after this time at least, microseconds. */
  readonly rtoMinUs: number;
  /** The longest such time, after many in vain. */
  readonly rtoMaxUs: number;
  /** A node that acknowledges nothing for so long, microseconds, is unreachable. */
  readonly giveUpUs: number;
  /** Addresses have 64 bits. */
  readonly wide: boolean;
}

export const DEFAULT_SETTINGS: MbcfSettings = {
  inFlight: IN_FLIGHT['10G'],
  ackEvery: 0,
  ackDelayUs: 1_000,
  rtoMinUs: 10_000,
  rtoMaxUs: 1_000_000,
  giveUpUs: 10_000_000,
  wide: true,
};
