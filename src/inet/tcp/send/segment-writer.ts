/**
 * Writing segments: header, options and payload straight into the place IP gives, which is the outgoing ring's slot
 * when the next hop is known.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing. The header's part of the checksum is summed from
 * the words as they are written; the payload's comes from the copy.
 * Read first: RFC 9293 section 3.1, transport.ts.
 */

import { checksumOf, foldSum, sumView } from '../../../base/checksum.ts';
import { META_CHECKSUM_PARTIAL, META_SEGMENT_SHIFT } from '../../../net/packet-meta.ts';
import { PROTOCOL_TCP } from '../../../wire/ipv4.ts';
import { FLAG_URG, HEADER_BYTES, OPTION_NOP, OPTION_SACK } from '../../../wire/tcp.ts';
import { IP_DONT_FRAGMENT, type Path } from '../../ip/transport.ts';
import type { Connection } from '../connection/connection.ts';
import { capableTos, ecnFlags } from '../connection/ecn.ts';
import { blockEnd, blockStart } from '../connection/reassembly.ts';
import { urgentPointer } from '../connection/urgent.ts';
import { offerWindow } from '../connection/window.ts';
import { sackBlocksMax, TIMESTAMPS_BYTES, TIMESTAMPS_WORD } from '../shared/options.ts';

/** Both halves of a word. */
function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

/** Bytes the SACK option takes in the next segment, 0 when there is nothing to report. Chooses the blocks. */
function chooseSackBlocks(c: Connection): number {
  const duplicate = c.acks.dsackStart !== c.acks.dsackEnd ? 1 : 0;
  if (duplicate === 0 && c.reassembly.count === 0) return 0;
  const blocks = duplicate + c.reassembly.report(sackBlocksMax(c.ts.ok) - duplicate);
  return blocks === 0 ? 0 : 4 + 8 * blocks;
}

function writeSack(c: Connection, view: DataView, at: number, optionBytes: number): number {
  const blocks = (optionBytes - 4) >> 3;
  view.setInt32(at, (OPTION_NOP << 24) | (OPTION_NOP << 16) | (OPTION_SACK << 8) | (2 + 8 * blocks));
  let written = 0;
  if (c.acks.dsackStart !== c.acks.dsackEnd) {
    // RFC 2883: the duplicate is reported once, first.
    view.setInt32(at + 4, c.acks.dsackStart);
    view.setInt32(at + 8, c.acks.dsackEnd);
    c.acks.dsackStart = c.acks.dsackEnd;
    written = 1;
  }
  for (let b = 0; written < blocks; b++, written++) {
    view.setInt32(at + 4 + 8 * written, blockStart[b] as number);
    view.setInt32(at + 8 + 8 * written, blockEnd[b] as number);
  }
  c.stack.counters.add(c.stack.count.sackBlocksSent, blocks);
  return foldSum(sumView(view, at, optionBytes));
}

/**
 * The header of a segment with these `flags` but its checksum, its urgent pointer and SACK: these follow. Returns the sum of
 * what was written, the sequence number left out.
 */
export function writeHeader(
  c: Connection,
  at: number,
  seq: number,
  headerBytes: number,
  flags: number,
  nowUs: number,
): number {
  const { stack, ports } = c;
  const rcvNxt = c.rcv.nxt;
  const { view } = stack;
  const last = (headerBytes << 26) | (flags << 16) | (offerWindow(c) >> c.rcv.scale);
  view.setInt32(at, ports);
  view.setInt32(at + 4, seq);
  view.setInt32(at + 8, rcvNxt);
  view.setInt32(at + 12, last);
  const sum = halves(ports) + halves(rcvNxt) + halves(last);
  if (!c.ts.ok) return sum;
  const optionAt = at + HEADER_BYTES;
  const value = (stack.tsNow(nowUs) + c.ts.offset) | 0;
  view.setInt32(optionAt, TIMESTAMPS_WORD);
  view.setInt32(optionAt + 4, value);
  view.setInt32(optionAt + 8, c.ts.recent);
  return sum + halves(TIMESTAMPS_WORD) + halves(value) + halves(c.ts.recent);
}

/**
 * Send a segment of a synchronized connection, with `dataBytes` from the send buffer at `seq`. Returns 0 or what
 * `IpService.begin` refused with. Preconditions: `dataBytes` is at most `size.max - sackBytesMax(c)`.
 */
export function sendSegment(c: Connection, seq: number, dataBytes: number, flags: number, nowUs: number): number {
  const { stack } = c;
  const { ip, view } = stack;
  const sackBytes = c.sackOk ? chooseSackBlocks(c) : 0;
  const plainBytes = HEADER_BYTES + (c.ts.ok ? TIMESTAMPS_BYTES : 0);
  const headerBytes = plainBytes + sackBytes;
  const path = c.path as Path;
  const { ttl } = c.options;
  let { tos } = c.options;
  if (c.ecn.ok) {
    // Only data that goes out for the first time is ECN-capable (RFC 3168 sections 6.1.4 and 6.1.5).
    const newData = dataBytes > 0 && seq === c.snd.nxt;
    flags |= ecnFlags(c, newData);
    if (newData) tos = capableTos(tos);
  }
  const urgent = c.urgent.sending ? urgentPointer(c, seq) : 0;
  if (urgent > 0) flags |= FLAG_URG;
  const at = ip.begin(path, PROTOCOL_TCP, headerBytes + dataBytes, ttl, tos, IP_DONT_FRAGMENT);
  if (at < 0) return at;
  const pseudoSum = c.pseudoSum + headerBytes + dataBytes;
  let sum = writeHeader(c, at, seq, headerBytes, flags, nowUs);
  if (sackBytes > 0) sum += writeSack(c, view, at + plainBytes, sackBytes);
  const segmentBytes = c.size.mss - sackBytes;
  let meta = dataBytes > segmentBytes ? segmentBytes << META_SEGMENT_SHIFT : 0;
  if (c.size.checksumPartial) {
    view.setInt32(at + 16, (foldSum(pseudoSum) << 16) | urgent);
    if (dataBytes > 0) c.sendBuffer.ring.read(seq, at + headerBytes, dataBytes);
    meta |= META_CHECKSUM_PARTIAL;
  } else {
    if (dataBytes > 0) sum += c.sendBuffer.ring.readSum(seq, at + headerBytes, dataBytes);
    sum += pseudoSum + halves(seq) + urgent;
    view.setInt32(at + 16, (checksumOf(sum) << 16) | urgent);
  }
  ip.end(meta);
  noteSent(c, 1, nowUs);
  return 0;
}

/** Every segment carries an acknowledgement: none is owed any more. */
export function noteSent(c: Connection, segments: number, nowUs: number): void {
  const { stack } = c;
  c.rcv.lastAckSent = c.rcv.nxt;
  c.acks.now = false;
  if (c.ackTimer.pending) stack.callouts.stop(c.ackTimer);
  c.times.sentUs = nowUs;
  stack.sentNow += segments;
}
