/**
 * The checksum of an ICMPv6 message on its way out along a path. Thread: the one that runs the kernel.
 */

import { checksumOf } from '../../base/checksum.ts';
import { PROTOCOL_ICMPV6 } from '../../wire/icmpv6.ts';
import type { InetContext } from './context.ts';
import type { Path } from './transport.ts';

/** Compute and write it: the message of `bytes` at `at` is complete but for that. */
export function writeIcmpChecksum(context: InetContext, path: Path, at: number, bytes: number): void {
  const { view } = context.shared.arena;
  view.setUint16(at + 2, 0);
  view.setUint16(at + 2, checksumOf(path.addressSum + PROTOCOL_ICMPV6 + bytes + context.bulk.sum(at, bytes)));
}
