/**
 * The length that segments may have: from the path, the peer's MSS and the options that go along.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing.
 * Read first: RFC 9293 3.7.1, RFC 6691, RFC 6928.
 */

import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES } from '../../../net/packet-meta.ts';
import { HEADER_BYTES } from '../../../wire/tcp.ts';
import type { Path } from '../../ip/transport.ts';
import { sackBlocksMax, TIMESTAMPS_BYTES } from '../shared/options.ts';
import type { Connection } from './connection.ts';
import { MSS_MIN } from './segment-sizes.ts';

/** Segment sizes from the path as it is now. Returns true when they became smaller. */
export function refreshMss(c: Connection): boolean {
  const path = c.path as Path;
  const { mtuBytes, maxPacketBytes, headerBytes } = path;
  if (mtuBytes === c.size.mtuBytes && maxPacketBytes === c.size.packetBytes) return false;
  const optionBytes = c.ts.ok ? TIMESTAMPS_BYTES : 0;
  const before = c.size.mss;
  const fits = mtuBytes - headerBytes - HEADER_BYTES;
  let most = Math.min(c.size.peerMss, fits);
  if (c.mtuSearch !== null) most = c.mtuSearch.bound(most);
  c.size.mss = Math.max(most - optionBytes, MSS_MIN);
  c.size.max = c.size.mss;
  c.size.checksumPartial = (path.capabilities & CAP_CHECKSUM_PARTIAL) !== 0;
  if (path.capabilities & CAP_SUPER_FRAMES && maxPacketBytes > mtuBytes && !c.urgent.sending) {
    const room = maxPacketBytes - headerBytes - HEADER_BYTES - optionBytes;
    const whole = Math.floor(room / c.size.mss) * c.size.mss;
    if (whole > c.size.mss) c.size.max = whole;
  }
  const known = c.size.mtuBytes !== 0;
  c.size.mtuBytes = mtuBytes;
  c.size.packetBytes = maxPacketBytes;
  return known && c.size.mss < before;
}

/** RFC 6928: the initial window, bytes. */
export function initialWindow(c: Connection): number {
  return c.rtx.synRetransmitted ? c.size.mss : c.stack.settings.initialWindowSegments.value * c.size.mss;
}

/** Most that the SACK option may take in the next segment: the payload must leave room for it. */
export function sackBytesMax(c: Connection): number {
  if (!c.sackOk) return 0;
  const blocks = (c.acks.dsackStart !== c.acks.dsackEnd ? 1 : 0) + c.reassembly.count;
  return blocks === 0 ? 0 : 4 + 8 * Math.min(blocks, sackBlocksMax(c.ts.ok));
}
