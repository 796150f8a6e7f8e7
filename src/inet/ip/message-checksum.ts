/**
 * The checksum of an ICMP or ICMPv6 message on its way out along a path.
 *
 * Thread: the one that runs the CPU. Read first: RFC 792, RFC 4443 2.3 (the pseudo-header, which ICMP has not).
 */

import { checksumOf } from '../../base/checksum.ts';
import { PROTOCOL_ICMPV6 } from '../../wire/icmpv6.ts';
import type { InetContext } from './context.ts';
import { IP6_HEADER_BYTES } from './path.ts';
import type { Path } from './transport.ts';

/** Compute and write it: the message of `bytes` at `at` is complete but for that. */
export function writeIcmpChecksum(context: InetContext, path: Path, at: number, bytes: number): void {
  const { view } = context.shared.arena;
  const pseudo = path.headerBytes === IP6_HEADER_BYTES ? path.addressSum + PROTOCOL_ICMPV6 + bytes : 0;
  view.setUint16(at + 2, 0);
  view.setUint16(at + 2, checksumOf(pseudo + context.bulk.sum(at, bytes)));
}
