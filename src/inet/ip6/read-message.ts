/**
 * An ICMPv6 message as an object, for the rare ones that configure this kernel: advertisements, redirects, queries.
 *
 * Thread: the one that runs the CPU. Allocates: not for messages that come with every packet.
 * Cold: messages that configure this kernel.
 */

import type { KernelShared } from '../../kern/context.ts';
import { GROUP_BIT } from '../../wire/ethernet.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import type { InPacket } from '../ip/transport.ts';

/** Copied first, because the sender could still write to the slot; then checked, then read. Null when it is malformed. */
export function readMessage(shared: KernelShared, packet: InPacket): icmpv6.Repr | null {
  const { at, lengthBytes } = packet;
  const bytes = shared.arena.bytes.slice(at, at + lengthBytes);
  return icmpv6.parse(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, lengthBytes);
}

/** The link-layer address that a message of discovery gives for its source or target; null without one that a station has. */
export function linkAddress(
  options: readonly icmpv6.NeighborOption[],
  kind: 'source-link-address' | 'target-link-address',
): { readonly hi: number; readonly lo: number } | null {
  for (const option of options) {
    if (option.kind === kind && 'hi' in option) return (option.hi & GROUP_BIT) === 0 ? option : null;
  }
  return null;
}
