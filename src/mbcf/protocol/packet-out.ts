/**
 * The way of packets to the wire.
 *
 * Thread: that of the node. Read first: wire/mbcf.ts.
 */

import * as mbcf from '../../wire/mbcf.ts';
import type { MbcfContext, Wire } from './context.ts';

/** Sends packets: a node. */
export interface PacketSender {
  readonly number: number;
  readonly context: MbcfContext;
  readonly wire: Wire;
  /** Place of a packet without operations. */
  readonly scratchAt: number;
}

/** Give a packet to the wire, with its checksum where it needs one. False: the wire has no room. */
export function sendPacket({ context, wire }: PacketSender, node: number, at: number, byteLength: number): boolean {
  if (wire.needsChecksum) {
    mbcf.setChecksum(context.arena.view, at, 0);
    const sum = ~context.bulk.sum(at, byteLength) & 0xffff;
    // 0 would say that there is none.
    mbcf.setChecksum(context.arena.view, at, sum === 0 ? 0xffff : sum);
  }
  return wire.send(node, at, byteLength);
}

/** Send a packet without operations. A hello is for whatever incarnation is there. */
export function sendBare(
  sender: PacketSender,
  node: number,
  type: number,
  flags: number,
  epochs: { readonly source: number; readonly destination: number },
  number: number,
  acknowledged: number,
): boolean {
  const { scratchAt } = sender;
  const { view } = sender.context.arena;
  const destination = type === mbcf.TYPE_HELLO ? 0 : epochs.destination;
  mbcf.writeHeader(view, scratchAt, type, flags, sender.number, node, epochs.source, destination, number, acknowledged);
  mbcf.setOperations(view, scratchAt, 0, 0);
  return sendPacket(sender, node, scratchAt, mbcf.HEADER_BYTES);
}
