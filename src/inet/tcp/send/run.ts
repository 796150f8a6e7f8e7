/**
 * Sending runs: segments that differ in sequence number and data only. Most of a bulk transfer is that.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing. The header is written once; one loop
 * (`Bulk.writeRun`) does the rest: numbers, checksums, copies. A segment with options of its own is left to
 * segment-writer.ts.
 * Read first: segment-writer.ts, docs/notes/tcp-runs.md.
 */

import { foldSum } from '../../../base/checksum.ts';
import { META_CHECKSUM_PARTIAL } from '../../../net/packet-meta.ts';
import { PROTOCOL_TCP } from '../../../wire/ipv4.ts';
import { FLAG_ACK, HEADER_BYTES } from '../../../wire/tcp.ts';
import type { Path } from '../../ip/transport.ts';
import type { Connection } from '../connection/connection.ts';
import { TIMESTAMPS_BYTES } from '../shared/options.ts';
import { noteSent, writeHeader } from './segment-writer.ts';

const CHECKSUM_OFFSET = 16;

/**
 * Send up to `want` segments of new data, each of `size.max` bytes, from `seq` on. Returns how many went; 0 when
 * `sendSegment` must decide. There is nothing to be reported by SACK.
 */
export function sendRun(c: Connection, seq: number, want: number, nowUs: number): number {
  const { stack } = c;
  const mss = c.size.mss;
  const { ring } = c.sendBuffer;
  if (c.ecn.ok || c.urgent.sending || c.size.max !== mss) return 0;
  const most = Math.min(want, Math.floor(ring.contiguous(seq) / mss));
  if (most < 2) return 0;
  const { ip, view } = stack;
  const { ttl, tos } = c.options;
  const headerBytes = HEADER_BYTES + (c.ts.ok ? TIMESTAMPS_BYTES : 0);
  const at = ip.beginRun(c.path as Path, PROTOCOL_TCP, headerBytes + mss, most, ttl, tos);
  if (at === 0) return 0;
  const pseudoSum = c.pseudoSum + headerBytes + mss;
  const sum = pseudoSum + writeHeader(c, at, seq, headerBytes, FLAG_ACK, nowUs);
  view.setInt32(at + CHECKSUM_OFFSET, foldSum(pseudoSum) << 16);
  const count = ip.runCount;
  if (c.size.checksumPartial) ip.endRun(headerBytes, ring.at(seq), mss, -1, META_CHECKSUM_PARTIAL);
  else ip.endRun(headerBytes, ring.at(seq), mss, sum, 0);
  noteSent(c, count, nowUs);
  return count;
}
