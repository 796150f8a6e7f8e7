/**
 * Datagrams of one size that travel in one frame (UDP_SEGMENT, UDP_GRO).
 *
 * Thread: the one that runs the CPU. Read first: udp(7) of Linux.
 */

import { Errno } from '../../base/errors.ts';
import { CAP_SUPER_FRAMES } from '../../net/packet-meta.ts';
import { HEADER_BYTES } from '../../wire/udp.ts';
import type { Path } from '../ip/transport.ts';

/** Number of datagrams of `segmentBytes` that a payload is (0: it is one). */
export function datagramsIn(payloadBytes: number, segmentBytes: number): number {
  return segmentBytes === 0 || segmentBytes >= payloadBytes ? 1 : Math.ceil(payloadBytes / segmentBytes);
}

/** Whether datagrams, `payloadBytes` in all, go as one frame: 1; 0 one by one; `-EMSGSIZE`, one alone is too long. */
export function goTogether(path: Path, payloadBytes: number, segmentBytes: number): number {
  const headerBytes = path.headerBytes + HEADER_BYTES;
  if (headerBytes + Math.min(segmentBytes, payloadBytes) > path.mtuBytes) return -Errno.EMSGSIZE;
  if (payloadBytes <= segmentBytes || (path.capabilities & CAP_SUPER_FRAMES) === 0) return 0;
  if (path.loops || path.discards) return 0;
  return headerBytes + payloadBytes <= path.maxPacketBytes ? 1 : 0;
}
