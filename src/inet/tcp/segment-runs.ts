/**
 * Receiving runs: segments that continue one that header prediction took, read many at a time.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing. The first segment's header decides for all of
 * them; one loop (`Bulk.readRun`) compares the headers, sums and copies.
 * Read first: input.ts (`predicted`), net/link-input.ts (`RunInput`), docs/notes/tcp-runs.md.
 */

import type { RunInput } from '../../net/link-input.ts';
import { META_CHECKSUM_KNOWN, META_SEGMENT_SHIFT } from '../../net/packet-meta.ts';
import { HEADER_BYTES } from '../../wire/tcp.ts';
import type { InPacket } from '../ip/transport.ts';
import { scheduleAck } from './arrive/data.ts';
import type { Connection } from './connection/connection.ts';
import { dispatch } from './dispatch.ts';
import type { TcpContext } from './shared/context.ts';

const NUMBER_OFFSET = 4;
const CHECKSUM_OFFSET = 16;
/** Offset of the value in timestamps that stand alone and aligned. */
const TS_VALUE_OFFSET: number = HEADER_BYTES + 4;

/** Received segments that continue one that `predicted` took. */
export class SegmentRuns implements RunInput {
  /** The next packet may be the first of a run. */
  wanted: boolean = false;
  readonly #stack: TcpContext;
  #connection: Connection | null = null;
  /** IP header of the first segment, in private memory; how far behind it TCP's header and the data begin. */
  #ipAt = 0;
  #transportOffset = 0;
  #headerBytes = 0;
  #segmentBytes = 0;

  constructor(stack: TcpContext) {
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
    this.#ipAt = packet.headerAt;
    this.#transportOffset = packet.at - packet.headerAt;
    this.#headerBytes = this.#transportOffset + tcpHeaderBytes;
    this.#segmentBytes = packet.lengthBytes - tcpHeaderBytes;
  }

  take(
    at: number,
    linkBytes: number,
    strideBytes: number,
    lengthBytes: number,
    meta: number,
    count: number,
    nowUs: number,
  ): number {
    const c = this.#connection;
    this.wanted = false;
    this.#connection = null;
    const n = this.#segmentBytes;
    // Padding behind the data, or a super-frame.
    if (c === null || this.#headerBytes + n !== lengthBytes || meta >>> META_SEGMENT_SHIFT !== 0) return 0;
    const { receiveBuffer } = c;
    const rcvNxt = c.rcv.nxt;
    const window = (c.rcv.adv - rcvNxt) | 0;
    // Within the memory that the ring has: a run may turn out shorter than it looks, and must not have grown the ring.
    const room = Math.min(window, receiveBuffer.roomFrom(rcvNxt), receiveBuffer.ring.contiguous(rcvNxt));
    const most = Math.min(count, Math.floor(room / n), this.#untilAck(c, n));
    if (most <= 0) return 0;
    const { bulk } = this.#stack;
    const headerBytes = linkBytes + this.#headerBytes;
    const numberAt = linkBytes + this.#transportOffset + NUMBER_OFFSET;
    const sum = (meta & META_CHECKSUM_KNOWN) !== 0 ? -1 : this.#sum(c, n);
    const to = receiveBuffer.ring.at(rcvNxt);
    const from = at - linkBytes;
    const first = this.#ipAt - linkBytes;
    const taken = bulk.readRun(to, from, strideBytes, first, headerBytes, numberAt, n, most, sum);
    if (taken > 0) this.#accept(c, taken, n, nowUs);
    return taken;
  }

  /** Segments until an ACK is due in the middle of a batch, which goes out as it would without runs. */
  #untilAck(c: Connection, n: number): number {
    const owed = (c.rcv.nxt - c.rcv.lastAckSent) | 0;
    return Math.ceil((c.stack.settings.ackBatchSegments.value * c.rcv.mss - owed) / n);
  }

  /** Sum of all that a segment's checksum covers but number, checksum and data. */
  #sum(c: Connection, n: number): number {
    const { view, bulk } = this.#stack;
    const at = this.#ipAt + this.#transportOffset;
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
    if (c.ts.ok && c.rcv.lastAckSent === c.rcv.nxt) {
      // The first was acknowledged at once: the second spans Last.ACK.sent (RFC 7323 section 4.3), perhaps the first did not.
      c.ts.recent = stack.view.getInt32(this.#ipAt + this.#transportOffset + TS_VALUE_OFFSET);
      c.ts.recentUs = nowUs;
    }
    if (segments > 1) {
      // All but the last as if they had come one by one: an ACK with the batch may be due before the one of the last.
      c.rcv.nxt = (c.rcv.nxt + bytes - n) | 0;
      scheduleAck(c, n, nowUs);
      c.rcv.nxt = (c.rcv.nxt + n) | 0;
    } else {
      c.rcv.nxt = (c.rcv.nxt + n) | 0;
    }
    c.snd.wl1 = c.rcv.nxt;
    c.totals.bytesReceived += bytes;
    stack.receivedNow += segments;
    stack.predictedDataNow += segments;
    stack.predictedBytesNow += bytes;
    scheduleAck(c, n, nowUs);
    if (c.due !== 0) dispatch(c, nowUs);
    if (c.owner !== null) c.owner.onReadable();
  }
}
