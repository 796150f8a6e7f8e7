/**
 * Retransmission queue and SACK scoreboard: the fate of each segment that was sent and not yet acknowledged.
 *
 * Thread: the one that runs the CPU. Records are ordered by sequence number in a ring of typed arrays; an index counts
 * up and is masked. A record remembers when it was last sent and what became of it; the totals give the `pipe`
 * of RFC 6675 without a walk: outstanding - sacked - lost + retransmitted. A record may be longer than a segment
 * (super-frames) and is split when only a part of it was selectively acknowledged or must be sent again smaller.
 * Read first: RFC 6675 sections 2 to 4, RFC 8985 section 6.
 */

import { seqGe, seqGt, seqLe, seqLt } from '../../../base/sequence.ts';
import { US_PER_MS } from '../../../base/units.ts';
import { DUP_THRESHOLD } from './loss-recovery.ts';
import { SentRecords } from './sent-records.ts';

const SACKED = 1;
const LOST = 2;
/** A retransmission of a lost record is in flight. */
const RETRANSMITTED = 4;
/** Was sent more than once: gives no round-trip sample (Karn). */
const EVER_RETRANSMITTED = 8;

export class Scoreboard extends SentRecords {
  /** Sequence space selectively acknowledged, presumed lost (and not sacked), and of retransmissions in flight. */
  sackedBytes: number = 0;
  lostBytes: number = 0;
  retransmittedBytes: number = 0;
  /** End of the highest sacked record, valid while `sackedBytes > 0`. */
  highSackedSeq: number = 0;
  /** Records before this index were looked at by `retransmitNext` in this recovery. */
  #hint: number = 0;
  /** Records before this one are known to be lost or sacked. */
  #lostEdge: number = 0;

  /**
   * RACK (RFC 8985 section 5.2): of the delivered segments, the one sent last: when, its end, its round trip. Below 0:
   * nothing delivered yet.
   */
  rackSentUs: number = -0.5;
  rackEndSeq: number = 0;
  rackRttUs: number = -0.5;
  /** A segment that was sent once arrived after one sent later: the network reorders. */
  reorderingSeen: boolean = false;
  /**
   * RACK.fack: the highest sequence sacked by earlier ACKs, while it lies above SND.UNA. The blocks of one ACK, in whatever
   * order, say nothing of the order of arrival.
   */
  #fackSeq: number = 0;
  #fackKnown: boolean = false;
  /** Data that was sent once was (selectively) acknowledged since this was last cleared. */
  originalDelivered: boolean = false;

  /**
   * Results of `acknowledge`: when the oldest record that gives a sample was sent (below 0: none), and whether one was
   * retransmitted.
   */
  sampleSentUs: number = -0.5;
  ackedRetransmitted: boolean = false;

  clear(): void {
    this.empties();
    this.#hint = this.#lostEdge = 0;
    this.sackedBytes = this.lostBytes = this.retransmittedBytes = 0;
    this.rackSentUs = this.rackRttUs = -1;
    this.#fackKnown = false;
  }

  /** The next ACK follows: before its `sack` and `acknowledge`. */
  beginAck(): void {
    if (this.sackedBytes === 0) return;
    this.#fackSeq = this.highSackedSeq;
    this.#fackKnown = true;
  }

  /** Whether earlier ACKs reported what lies above `end` (RFC 8985 section 6.2, step 3). */
  #passedOver(end: number): boolean {
    return this.#fackKnown && seqLt(end, this.#fackSeq);
  }

  /**
   * Everything before `ack` has arrived. Sets `sampleSentUs` and `ackedRetransmitted`. `echoUs` is the time the echoed
   * timestamp was made, rounded down to its tick, below 0 without one; `minRttUs` the smallest round trip so far.
   */
  acknowledge(ack: number, nowUs: number, echoUs: number, minRttUs: number): void {
    this.sampleSentUs = -1;
    this.ackedRetransmitted = false;
    let latest = -1;
    let latestEnd = 0;
    while (this.head !== this.tail) {
      const i = this.head & this.mask;
      const seq = this.seqs[i] as number;
      const covered = (ack - seq) | 0;
      if (covered <= 0) break;
      const length = this.lengths[i] as number;
      const flags = this.flags[i] as number;
      const taken = covered < length ? covered : length;
      const end = (seq + taken) | 0;
      if (flags === 0 || flags === LOST) {
        const sentUs = this.times[i] as number;
        if (this.sampleSentUs < 0) this.sampleSentUs = sentUs;
        latest = sentUs;
        latestEnd = end;
        this.originalDelivered = true;
        if (this.#passedOver(end)) this.reorderingSeen = true;
      }
      if (flags !== 0) {
        this.#discount(flags, taken);
        if (flags & EVER_RETRANSMITTED) {
          this.ackedRetransmitted = true;
          if ((flags & SACKED) === 0) this.#deliveredAgain(this.times[i] as number, end, nowUs, echoUs, minRttUs);
        }
      }
      if (taken < length) {
        this.seqs[i] = ack;
        this.lengths[i] = length - taken;
        break;
      }
      this.head++;
    }
    if (latest >= 0) this.#delivered(latest, latestEnd, nowUs);
    if (this.#fackKnown && seqGe(ack, this.#fackSeq)) this.#fackKnown = false;
    if (this.head === this.tail) {
      this.head = this.tail = this.#hint = this.#lostEdge = 0;
      return;
    }
    if (this.#hint < this.head) this.#hint = this.head;
    if (this.#lostEdge < this.head) this.#lostEdge = this.head;
  }

  /** RACK step 2: `sentUs` and `end` of a delivered segment, if it was sent after the others. */
  #delivered(sentUs: number, end: number, nowUs: number): void {
    if (sentUs < this.rackSentUs || (sentUs === this.rackSentUs && seqLe(end, this.rackEndSeq))) return;
    this.rackSentUs = sentUs;
    this.rackEndSeq = end;
    this.rackRttUs = nowUs - sentUs;
  }

  /** The same for a record that was sent again: it counts only when the retransmission can be the copy that arrived. */
  #deliveredAgain(sentUs: number, end: number, nowUs: number, echoUs: number, minRttUs: number): void {
    if (echoUs >= 0 && echoUs < Math.floor(sentUs / US_PER_MS) * US_PER_MS) return;
    if (nowUs - sentUs < minRttUs) return;
    this.#delivered(sentUs, end, nowUs);
  }

  /** A SACK block within the outstanding data. Returns how much of it is news. */
  sack(startSeq: number, endSeq: number, nowUs: number, echoUs: number, minRttUs: number): number {
    let news = 0;
    for (let n = this.indexAt(startSeq); n < this.tail; n++) {
      let i = n & this.mask;
      const before = (startSeq - (this.seqs[i] as number)) | 0;
      if (seqLe(endSeq, this.seqs[i] as number)) break;
      if (before > 0) {
        // Starts inside this record: the rest after the split is a record of its own.
        if ((this.flags[i] as number) & SACKED) continue;
        this.split(n, before);
        continue;
      }
      const inside = (endSeq - (this.seqs[i] as number)) | 0;
      if ((this.flags[i] as number) & SACKED) continue;
      if (inside < (this.lengths[i] as number)) {
        this.split(n, inside);
        i = n & this.mask;
      }
      const length = this.lengths[i] as number;
      const flags = this.flags[i] as number;
      this.#discount(flags, length);
      this.flags[i] = (flags & EVER_RETRANSMITTED) | SACKED;
      const end = ((this.seqs[i] as number) + length) | 0;
      const sentUs = this.times[i] as number;
      if (flags & EVER_RETRANSMITTED) {
        this.#deliveredAgain(sentUs, end, nowUs, echoUs, minRttUs);
      } else {
        this.#delivered(sentUs, end, nowUs);
        this.originalDelivered = true;
        if (this.#passedOver(end)) this.reorderingSeen = true;
      }
      if (this.sackedBytes === 0 || seqGt(end, this.highSackedSeq)) this.highSackedSeq = end;
      this.sackedBytes += length;
      news += length;
    }
    return news;
  }

  /**
   * Whether the first outstanding record was sacked: the receiver then threw away what it had reported (RFC 2018 section
   * 8).
   */
  get headSacked(): boolean {
    return this.head !== this.tail && ((this.flags[this.head & this.mask] as number) & SACKED) !== 0;
  }

  /** Forget all selective acknowledgements. */
  forgetSacks(): void {
    for (let n = this.head; n < this.tail; n++) {
      const i = n & this.mask;
      this.flags[i] = (this.flags[i] as number) & ~SACKED;
    }
    this.sackedBytes = 0;
    this.#lostEdge = this.head;
  }

  /**
   * IsLost of RFC 6675 section 4 for all records: those below which at least DupThresh discontiguous ranges or more than
   * (DupThresh - 1) * SMSS bytes were sacked become lost. Returns whether any did.
   */
  detectLost(mss: number): boolean {
    if (this.sackedBytes === 0) return false;
    let bytes = 0;
    let ranges = 0;
    let inRange = false;
    let n = this.indexAt((this.highSackedSeq - 1) | 0);
    for (; n >= this.#lostEdge; n--) {
      const i = n & this.mask;
      if ((this.flags[i] as number) & SACKED) {
        bytes += this.lengths[i] as number;
        if (!inRange) ranges++;
        inRange = true;
        if (ranges >= DUP_THRESHOLD || bytes > (DUP_THRESHOLD - 1) * mss) break;
      } else {
        inRange = false;
      }
    }
    return n < this.#lostEdge ? false : this.#markLostBefore(n);
  }

  /**
   * RACK's detection (RFC 8985 section 6.2, step 5): a segment sent before the last delivered one is lost when a round
   * trip and `reorderUs` have passed since. Returns the time until the next could be, 0 when there is none.
   */
  detectLostByTime(nowUs: number, reorderUs: number): number {
    if (this.rackSentUs < 0) return 0;
    let remainingUs = 0;
    for (let n = this.head; n < this.tail; n++) {
      const i = n & this.mask;
      const flags = this.flags[i] as number;
      if (flags & SACKED || (flags & (LOST | RETRANSMITTED)) === LOST) continue;
      const sentUs = this.times[i] as number;
      const end = ((this.seqs[i] as number) + (this.lengths[i] as number)) | 0;
      const before = sentUs < this.rackSentUs || (sentUs === this.rackSentUs && seqLt(end, this.rackEndSeq));
      if (!before) {
        // Records that were sent once lie in the order of their times.
        if ((flags & EVER_RETRANSMITTED) === 0) break;
        continue;
      }
      const waitUs = sentUs + this.rackRttUs + reorderUs - nowUs;
      if (waitUs > 0) {
        if (waitUs > remainingUs) remainingUs = waitUs;
        continue;
      }
      const length = this.lengths[i] as number;
      if (flags & RETRANSMITTED) this.retransmittedBytes -= length;
      if ((flags & LOST) === 0) this.lostBytes += length;
      this.flags[i] = (flags & EVER_RETRANSMITTED) | LOST;
      if (n < this.#hint) this.#hint = n;
    }
    return remainingUs;
  }

  /** Sacked records, up to `limit`. */
  sackedCount(limit: number): number {
    let count = 0;
    if (this.sackedBytes === 0) return 0;
    for (let n = this.head; n < this.tail && count < limit; n++) {
      if ((this.flags[n & this.mask] as number) & SACKED) count++;
    }
    return count;
  }

  /** Nothing counts as lost any more: what was taken for lost was late. */
  forgetLost(): void {
    for (let n = this.head; n < this.tail; n++) {
      const i = n & this.mask;
      const flags = this.flags[i] as number;
      if (flags & SACKED) continue;
      if (flags & LOST) this.lostBytes -= this.lengths[i] as number;
      if (flags & RETRANSMITTED) this.retransmittedBytes -= this.lengths[i] as number;
      this.flags[i] = flags & EVER_RETRANSMITTED;
    }
    this.#hint = this.head;
    this.#lostEdge = this.head;
  }

  /** The first outstanding record is lost (NewReno: three duplicate ACKs, or a partial ACK). */
  markHeadLost(): void {
    if (this.head === this.tail) return;
    const i = this.head & this.mask;
    const flags = this.flags[i] as number;
    if (flags & (SACKED | LOST)) return;
    this.flags[i] = flags | LOST;
    this.lostBytes += this.lengths[i] as number;
    this.#hint = this.head;
  }

  /** Records longer than `length` cannot have passed: lost. Returns whether there were any. */
  markLonger(length: number): boolean {
    const before = this.lostBytes;
    for (let n = this.head; n < this.tail; n++) {
      const i = n & this.mask;
      const flags = this.flags[i] as number;
      if (flags & SACKED || (this.lengths[i] as number) <= length) continue;
      if (flags & RETRANSMITTED) this.retransmittedBytes -= this.lengths[i] as number;
      if ((flags & LOST) === 0) this.lostBytes += this.lengths[i] as number;
      this.flags[i] = (flags & EVER_RETRANSMITTED) | LOST;
      if (n < this.#hint) this.#hint = n;
    }
    return this.lostBytes > before;
  }

  /** A timeout: everything not sacked is lost, retransmissions too. */
  markAllLost(): void {
    this.lostBytes = 0;
    this.retransmittedBytes = 0;
    for (let n = this.head; n < this.tail; n++) {
      const i = n & this.mask;
      const flags = this.flags[i] as number;
      if (flags & SACKED) continue;
      this.flags[i] = (flags & EVER_RETRANSMITTED) | LOST;
      this.lostBytes += this.lengths[i] as number;
    }
    this.#hint = this.head;
    this.#lostEdge = this.tail;
  }

  /** Index of the first lost record without a retransmission in flight, -1 when there is none. NextSeg rule (1). */
  nextLost(): number {
    if (this.lostBytes === 0) return -1;
    for (; this.#hint < this.tail; this.#hint++) {
      if (((this.flags[this.#hint & this.mask] as number) & (LOST | RETRANSMITTED)) === LOST) return this.#hint;
    }
    return -1;
  }

  /**
   * Index of the first record that is neither sacked nor lost nor retransmitted, below the highest sacked. NextSeg rule
   * (3).
   */
  nextUnsacked(): number {
    if (this.sackedBytes === 0) return -1;
    for (let n = this.head; n < this.tail; n++) {
      const i = n & this.mask;
      if (seqGe(this.seqs[i] as number, this.highSackedSeq)) return -1;
      if (((this.flags[i] as number) & (SACKED | LOST | RETRANSMITTED)) === 0) return n;
    }
    return -1;
  }

  everRetransmitted(index: number): boolean {
    return ((this.flags[index & this.mask] as number) & EVER_RETRANSMITTED) !== 0;
  }

  /**
   * Record `index`, lost, takes in the lost ones that follow it, up to `most` of sequence space: many small segments go again
   * as one (RFC 1122 4.2.2.15 calls it repacketization).
   */
  joinLost(index: number, most: number): void {
    const i = index & this.mask;
    let flags = this.flags[i] as number;
    if ((flags & (SACKED | LOST | RETRANSMITTED)) !== LOST) return;
    let length = this.lengths[i] as number;
    let n = index + 1;
    for (; n < this.tail; n++) {
      const next = this.flags[n & this.mask] as number;
      if ((next & (SACKED | LOST | RETRANSMITTED)) !== LOST) break;
      length += this.lengths[n & this.mask] as number;
      if (length > most) break;
      flags |= next;
    }
    const count = n - index - 1;
    if (count === 0) return;
    this.join(index, count);
    this.flags[i] = flags;
    if (this.#hint > index) this.#hint = index;
    if (this.#lostEdge > index) this.#lostEdge = Math.max(index + 1, this.#lostEdge - count);
  }

  /** Record `index` was sent again. */
  retransmitted(index: number, nowUs: number): void {
    const i = index & this.mask;
    const flags = this.flags[i] as number;
    if ((flags & RETRANSMITTED) === 0) this.retransmittedBytes += this.lengths[i] as number;
    this.flags[i] = flags | RETRANSMITTED | EVER_RETRANSMITTED;
    this.times[i] = nowUs;
  }

  #discount(flags: number, length: number): void {
    if (flags & SACKED) this.sackedBytes -= length;
    else if (flags & LOST) this.lostBytes -= length;
    if (flags & RETRANSMITTED) this.retransmittedBytes -= length;
  }

  #markLostBefore(end: number): boolean {
    const before = this.lostBytes;
    for (let n = this.#lostEdge; n < end; n++) {
      const i = n & this.mask;
      const flags = this.flags[i] as number;
      if (flags & (SACKED | LOST)) continue;
      this.flags[i] = flags | LOST;
      this.lostBytes += this.lengths[i] as number;
      if (n < this.#hint) this.#hint = n;
    }
    if (end > this.#lostEdge) this.#lostEdge = end;
    return this.lostBytes > before;
  }

  override split(index: number, length: number): void {
    super.split(index, length);
    if (this.#hint > index) this.#hint++;
    if (this.#lostEdge > index) this.#lostEdge++;
  }
}
