/**
 * Runs: segments that differ in sequence number and data only. Most of a bulk transfer is that, in both directions.
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. What is decided for one segment, its header and the
 * state it leaves behind, is decided for all of them; one loop (`Bulk.writeRun`, `readRun`) does what remains: numbers,
 * checksums, copies. Whatever is not plain is left to segment.ts and input.ts.
 * Read first: segment.ts, input.ts (`predicted`), net/ethernet.ts (`RunInput`).
 */

import { foldSum } from '../../base/checksum.ts';
import { META_CHECKSUM_KNOWN, META_CHECKSUM_PARTIAL } from '../../link/device.ts';
import type { RunInput } from '../../net/ethernet.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES } from '../../wire/ethernet.ts';
import { FLAG_ACK, HEADER_BYTES } from '../../wire/tcp.ts';
import type { InPacket, Path } from '../ip/transport.ts';
import { scheduleAck } from './arrive/data.ts';
import { type Connection, PROTOCOL_TCP } from './connection/connection.ts';
import { noteSent, writeHeader } from './send/segment-writer.ts';
import { TIMESTAMPS_BYTES } from './shared/options.ts';
import type { TcpStack } from './stack.ts';

const NUMBER_OFFSET = 4;
const CHECKSUM_OFFSET = 16;
/** Of the value in timestamps that stand alone and aligned. */
const TS_VALUE_OFFSET: number = HEADER_BYTES + 4;

/**
 * Send up to `want` segments of new data, each of `segmentMax` bytes, from `seq` on. Returns how many went; 0 when
 * `sendSegment` must decide. There is nothing to be reported by SACK.
 */
export function sendRun(c: Connection, seq: number, want: number, nowUs: number): number {
  const { stack, mss } = c;
  const { ring } = c.sendBuffer;
  if (c.ecn.ok || c.urgentOut || c.segmentMax !== mss) return 0;
  const most = Math.min(want, Math.floor(ring.contiguous(seq) / mss));
  if (most < 2) return 0;
  const { ip, view } = stack;
  const { ttl, tos } = c.options;
  const headerBytes = HEADER_BYTES + (c.tsOk ? TIMESTAMPS_BYTES : 0);
  const at = ip.beginRun(c.path as Path, PROTOCOL_TCP, headerBytes + mss, most, ttl, tos);
  if (at === 0) return 0;
  const pseudoSum = c.pseudoSum + headerBytes + mss;
  const sum = pseudoSum + writeHeader(c, at, seq, headerBytes, FLAG_ACK, nowUs);
  view.setInt32(at + CHECKSUM_OFFSET, foldSum(pseudoSum) << 16);
  const count = ip.runCount;
  if (c.checksumPartial) ip.endRun(headerBytes, ring.at(seq), mss, -1, META_CHECKSUM_PARTIAL);
  else ip.endRun(headerBytes, ring.at(seq), mss, sum, 0);
  noteSent(c, count, nowUs);
  return count;
}

/** Received segments that continue one that `predicted` took. */
export class SegmentRuns implements RunInput {
  /** The next packet may be the first of a run. */
  wanted: boolean = false;
  readonly #stack: TcpStack;
  #connection: Connection | null = null;
  /** The frame of the first segment, in private memory; how much of it comes before TCP's header, and before the data. */
  #frameAt = 0;
  #transportOffset = 0;
  #headerBytes = 0;
  #segmentBytes = 0;

  constructor(stack: TcpStack) {
    this.#stack = stack;
  }

  begin(): void {
    this.wanted = true;
    this.#connection = null;
  }

  /** `predicted` took `packet`, which has data. */
  remember(c: Connection, packet: InPacket, tcpHeaderBytes: number): void {
    this.wanted = false;
    if (!packet.plain) return;
    this.#connection = c;
    this.#frameAt = packet.headerAt - ETHERNET_HEADER_BYTES;
    this.#transportOffset = packet.at - this.#frameAt;
    this.#headerBytes = this.#transportOffset + tcpHeaderBytes;
    this.#segmentBytes = packet.lengthBytes - tcpHeaderBytes;
  }

  take(at: number, strideBytes: number, lengthBytes: number, meta: number, count: number, nowUs: number): number {
    const c = this.#connection;
    this.wanted = false;
    this.#connection = null;
    const n = this.#segmentBytes;
    // Padding behind the data, or a super-frame.
    if (c === null || this.#headerBytes + n !== lengthBytes || meta >>> 16 !== 0) return 0;
    const { receiveBuffer, rcvNxt } = c;
    const window = (c.rcvAdv - rcvNxt) | 0;
    let most = Math.min(count, Math.floor(window / n), this.#untilAck(c, n));
    if (most <= 0 || !receiveBuffer.ensure((rcvNxt + most * n) | 0, rcvNxt)) return 0;
    most = Math.min(most, Math.floor(receiveBuffer.ring.contiguous(rcvNxt) / n));
    const { bulk } = this.#stack;
    const numberAt = this.#transportOffset + NUMBER_OFFSET;
    const sum = (meta & META_CHECKSUM_KNOWN) !== 0 ? -1 : this.#sum(c, n);
    const to = receiveBuffer.ring.at(rcvNxt);
    const taken = bulk.readRun(to, at, strideBytes, this.#frameAt, this.#headerBytes, numberAt, n, most, sum);
    if (taken > 0) this.#accept(c, taken, n, nowUs);
    return taken;
  }

  /** Segments until an ACK is due in the middle of a batch, which goes out as it would without runs. */
  #untilAck(c: Connection, n: number): number {
    const owed = (c.rcvNxt - c.lastAckSent) | 0;
    return Math.ceil((c.stack.settings.ackBatchSegments.value * c.rcvMss - owed) / n);
  }

  /** Of all that a segment's checksum covers but number, checksum and data. */
  #sum(c: Connection, n: number): number {
    const { view, bulk } = this.#stack;
    const at = this.#frameAt + this.#transportOffset;
    const headerBytes = this.#headerBytes - this.#transportOffset;
    const number = view.getInt32(at + NUMBER_OFFSET);
    view.setInt32(at + NUMBER_OFFSET, 0);
    view.setUint16(at + CHECKSUM_OFFSET, 0);
    const sum = c.pseudoSum + headerBytes + n + bulk.sum(at, headerBytes);
    view.setInt32(at + NUMBER_OFFSET, number);
    return sum;
  }

  /** The data is in its place. Time, timestamps, ACK and window are those of the first segment. */
  #accept(c: Connection, segments: number, n: number, nowUs: number): void {
    const stack = this.#stack;
    const bytes = segments * n;
    if (c.tsOk && c.lastAckSent === c.rcvNxt) {
      // The first was acknowledged at once: the second spans Last.ACK.sent (RFC 7323 section 4.3), perhaps the first did not.
      c.tsRecent = stack.view.getInt32(this.#frameAt + this.#transportOffset + TS_VALUE_OFFSET);
      c.tsRecentUs = nowUs;
    }
    c.rcvNxt = (c.rcvNxt + bytes) | 0;
    c.sndWl1 = c.rcvNxt;
    c.bytesReceived += bytes;
    stack.receivedNow += segments;
    stack.predictedDataNow += segments;
    stack.predictedBytesNow += bytes;
    scheduleAck(c, n, nowUs);
    if (c.owner !== null) c.owner.onReadable();
  }
}
