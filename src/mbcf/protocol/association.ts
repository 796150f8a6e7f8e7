/**
 * The way from the tasks of this node to another one: a {@link Pair}, or this node itself (local-pair.ts).
 *
 * Thread: that of the node. `reserve` → write the data in place → `commit`; what is committed is executed in that order.
 */

import type { AttachedGrant } from './attached-grant.ts';

export interface Association {
  /** Number of the other node. */
  readonly peer: number;
  /** Grants of this node's tasks that the other node has attached, by handle - 1. */
  readonly attachments: (AttachedGrant | null)[];
  /** Counts associations: a handle of an earlier one is none. */
  readonly association: number;
  /** Operations of this node that wait for a reply of the other. */
  awaiting: number;
  /** Longest data of one operation. */
  readonly maxDataBytes: number;
  /** Highest address of an operation. */
  readonly maxAddress: number;
  /** Bytes that operations of one packet may take, with their headers. */
  readonly maxOperationBytes: number;
  /** Place for the data of an operation, in the arena; -1 when there is no room now: `MbcfNode.awaitRoom`. */
  reserve(
    code: number,
    flags: number,
    handle: number,
    tag: number,
    address: number,
    dataBytes: number,
    replyBytes: number,
  ): number;
  commit(): void;
  /** The next operation begins a packet. */
  seal(): void;
}
