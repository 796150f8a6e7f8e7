/**
 * How long a segment may be: from the path, the peer's MSS and the options that go along.
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing.
 * Read first: RFC 9293 3.7.1, RFC 6691, RFC 6928.
 */

import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES } from '../../../link/device.ts';
import { HEADER_BYTES } from '../../../wire/tcp.ts';
import type { Path } from '../../ip/transport.ts';
import { sackBlocksMax, TIMESTAMPS_BYTES } from '../shared/options.ts';
import type { Connection } from './connection.ts';

/** Smallest MSS we work with, whatever is advertised or learned (as Linux's min_snd_mss of 48 leaves for data). */
const MSS_MIN = 32;

/** Segment sizes from the path as it is now. Returns true when they became smaller. */
export function refreshMss(c: Connection): boolean {
  const path = c.path as Path;
  const { mtuBytes, maxPacketBytes, headerBytes } = path;
  if (mtuBytes === c.mssMtuBytes && maxPacketBytes === c.mssPacketBytes) return false;
  const optionBytes = c.tsOk ? TIMESTAMPS_BYTES : 0;
  const before = c.mss;
  const fits = mtuBytes - headerBytes - HEADER_BYTES;
  let most = Math.min(c.peerMss, fits);
  if (c.mtuSearch !== null) most = c.mtuSearch.bound(most);
  c.mss = Math.max(most - optionBytes, MSS_MIN);
  c.segmentMax = c.mss;
  c.checksumPartial = (path.capabilities & CAP_CHECKSUM_PARTIAL) !== 0;
  if (path.capabilities & CAP_SUPER_FRAMES && maxPacketBytes > mtuBytes && !c.urgentOut) {
    const room = maxPacketBytes - headerBytes - HEADER_BYTES - optionBytes;
    const whole = Math.floor(room / c.mss) * c.mss;
    if (whole > c.mss) c.segmentMax = whole;
  }
  const known = c.mssMtuBytes !== 0;
  c.mssMtuBytes = mtuBytes;
  c.mssPacketBytes = maxPacketBytes;
  return known && c.mss < before;
}

/** RFC 6928: the initial window, bytes. */
export function initialWindow(c: Connection): number {
  return c.synRetransmitted ? c.mss : c.stack.settings.initialWindowSegments.value * c.mss;
}

/** Most that the SACK option may take in the next segment: the payload must leave room for it. */
export function sackBytesMax(c: Connection): number {
  if (!c.sackOk) return 0;
  const blocks = (c.dsackStart !== c.dsackEnd ? 1 : 0) + c.reassembly.count;
  return blocks === 0 ? 0 : 4 + 8 * Math.min(blocks, sackBlocksMax(c.tsOk));
}
