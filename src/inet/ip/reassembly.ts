/**
 * Reassembly of fragments, in a bounded piece of private memory. One class for both families ({@link ReassemblyFamily}).
 *
 * Thread: the one that runs the CPU. Each incomplete datagram has one block of the heap, into which fragments are copied
 * at their place, and a list of the byte ranges that are there. An overlap that says something else than what came before
 * drops the whole datagram (RFC 5722, for IPv4 in its spirit); repetition is harmless. Limits: datagrams, bytes, datagrams per
 * source, ranges per datagram. Fragments beyond them are dropped and counted; the oldest datagram goes first.
 * A mark of congestion on one fragment is one on the whole (RFC 3168 5.3).
 * Read first: RFC 791 3.2, RFC 815, RFC 1122 3.3.2, RFC 8200 4.5. Missing: nothing of these.
 *
 *   block:  header of the first fragment, spare bytes up to `payloadOffset`, payload from there on
 */

import { US_PER_MS } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { AddressHolder } from './address-interner.ts';
import type { InetContext } from './context.ts';

const MAX_BYTES = 65535;
const FIRST_BLOCK_BYTES = 4096;
/** Pieces of one datagram with holes between them that there is memory for. */
const MAX_RANGES = 64;

/** Sets of ECN codepoints: bit n stands for codepoint n. */
const SEEN_NOT_CAPABLE: number = 1 << 0;
const SEEN_CONGESTION: number = 1 << 3;

const CONFLICT = -1;
const TOO_MANY_RANGES = -2;

/**
 * A datagram timed out whose first fragment had come (RFC 1122 3.3.2): its header, followed by at least 8 bytes. Called before
 * the memory is freed.
 */
export type ReassemblyTimeout = (
  headerAt: number,
  quotedBytes: number,
  src: number,
  dst: number,
  nowUs: number,
) => void;

/** The differences between IPv4 and IPv6. */
export interface ReassemblyFamily {
  /** "IPv4". */
  readonly name: string;
  /** Beginnings of the names of variables and counters. */
  readonly sysctlPrefix: string;
  readonly counterPrefix: string;
  readonly timeoutMs: number;
  /** Room in front of the payload; no header is longer. */
  readonly payloadOffset: number;
  /** Bytes of the header that count towards the 65535 that a packet may have. */
  countedBytes(headerBytes: number): number;
  /** The two bits of congestion notification in the header at `at`; {@link mark} sets both. */
  ecn(at: number): number;
  mark(at: number): void;
  /** Make the header at `at` that of a whole packet. `note` is what {@link Reassembly.add} was given with the first fragment. */
  finish(at: number, headerBytes: number, payloadBytes: number, note: number): void;
}

/** A received fragment, as {@link Reassembly.add} takes it. One object per family and kernel. */
class Fragment {
  src = 0;
  dst = 0;
  /** Names the datagram together with the addresses: identification and protocol. */
  key = 0;
  headerAt = 0;
  headerBytes = 0;
  /** For {@link ReassemblyFamily.finish}. */
  note = 0;
  dataAt = 0;
  payloadBytes = 0;
  /** Offset of `payloadBytes` in the payload of the datagram. */
  offset = 0;
  more = false;
}

/** An incomplete datagram. The objects are made once and used again. */
class Incomplete {
  src = 0;
  dst = 0;
  /** Identification and protocol. */
  key = 0;
  blockAt = 0;
  blockBytes = 0;
  headerBytes = 0;
  note = 0;
  /** ECN codepoints of its fragments, as bits. */
  codepoints = 0;
  /** Payload length, -1 until the last fragment came. */
  payloadBytes = -1;
  presentBytes = 0;
  deadlineUs = 0;
  /** Byte ranges that are there: start, end, start, end, ... in order, never touching. */
  readonly ranges: Int32Array = new Int32Array(2 * MAX_RANGES);
  rangeCount = 0;
}

/** Results of {@link Reassembly.add} that are no offset. */
const REASSEMBLY_WAITS = 0;
const REASSEMBLY_DROPPED = -1;

export class Reassembly implements AddressHolder {
  /** The argument of {@link add}. */
  readonly fragment: Fragment = new Fragment();
  readonly #context: InetContext;
  readonly #family: ReassemblyFamily;
  /** In the order they were begun, which is the order they expire. */
  readonly #datagrams: Incomplete[] = [];
  readonly #spare: Incomplete[] = [];
  readonly #timer: Callout;
  readonly #maxPackets: SysctlVariable;
  readonly #maxBytes: SysctlVariable;
  readonly #maxPerSource: SysctlVariable;
  readonly #maxPieces: SysctlVariable;
  readonly #timeoutMs: SysctlVariable;
  readonly #reassembled: number;
  readonly #timedOut: number;
  readonly #overlapping: number;
  readonly #malformed: number;
  readonly #refused: number;
  readonly #evicted: number;
  #bytes = 0;
  readonly #onTimeout: ReassemblyTimeout;

  constructor(context: InetContext, family: ReassemblyFamily, onTimeout: ReassemblyTimeout) {
    this.#onTimeout = onTimeout;
    this.#context = context;
    this.#family = family;
    const { counters } = context;
    const { interner } = context.shared;
    const { sysctl } = context.shared;
    const { sysctlPrefix, counterPrefix, timeoutMs } = family;
    this.#maxPackets = sysctl.integer(`${sysctlPrefix}maxfragpackets`, 200, 0, 65535, 'incomplete datagrams kept');
    this.#maxBytes = sysctl.integer(`${sysctlPrefix}maxfragbytes`, 1 << 20, 65536, 1 << 28, 'memory for them');
    this.#maxPerSource = sysctl.integer(
      `${sysctlPrefix}maxfragspersource`,
      64,
      1,
      65535,
      'incomplete ones of one sender',
    );
    this.#maxPieces = sysctl.integer(`${sysctlPrefix}maxfragpieces`, MAX_RANGES, 1, MAX_RANGES, 'pieces between holes');
    this.#timeoutMs = sysctl.integer(
      `${sysctlPrefix}fragttl`,
      timeoutMs,
      100,
      120000,
      'ms an incomplete datagram is kept',
    );
    this.#reassembled = counters.index(`${counterPrefix}-reassembled`);
    this.#timedOut = counters.index(`${counterPrefix}-fragment-timeouts`);
    this.#overlapping = counters.index(`${counterPrefix}-fragment-overlaps`);
    this.#malformed = counters.index(`${counterPrefix}-fragment-malformed`);
    this.#refused = counters.index(`${counterPrefix}-fragment-no-room`);
    this.#evicted = counters.index(`${counterPrefix}-fragment-evicted`);
    this.#timer = new Callout((nowUs) => this.#expire(nowUs));
    interner.addHolder(this);
    this.#declareLimits();
  }

  // cold: assembly
  #declareLimits(): void {
    const { sysctl } = this.#context.shared;
    const { name, counterPrefix } = this.#family;
    sysctl.limits.add({
      table: `incomplete ${name} datagrams`,
      variable: this.#maxPackets,
      counter: `${counterPrefix}-fragment-evicted`,
      whenFull: 'the oldest one is forgotten',
      size: () => this.count,
    });
    sysctl.limits.add({
      table: `memory of incomplete ${name} datagrams, bytes`,
      variable: this.#maxBytes,
      counter: `${counterPrefix}-fragment-evicted`,
      whenFull: 'the oldest one is forgotten',
      size: () => this.#bytes,
    });
    sysctl.limits.add({
      table: `incomplete ${name} datagrams of one sender`,
      variable: this.#maxPerSource,
      counter: `${counterPrefix}-fragment-no-room`,
      whenFull: 'the fragment is dropped',
      size: () => this.#mostOfOneSource(),
    });
    sysctl.limits.add({
      table: `separate pieces of one incomplete ${name} datagram`,
      variable: this.#maxPieces,
      counter: `${counterPrefix}-fragment-no-room`,
      whenFull: 'the datagram is forgotten',
      size: () => this.#datagrams.reduce((most, one) => Math.max(most, one.rangeCount), 0),
    });
  }

  markAddresses(mark: (address: number) => void): void {
    for (const { src, dst } of this.#datagrams) {
      mark(src);
      mark(dst);
    }
  }

  /** Incomplete datagrams, and the memory they take. */
  get count(): number {
    return this.#datagrams.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Take {@link fragment}, filled in and checked by the caller. Returns the offset of a whole packet, which the caller gives
   * back with {@link release} after use; 0 while pieces are missing, or -1 when the fragment or its datagram was dropped.
   */
  add(nowUs: number): number {
    const { src, dst, key, headerAt, headerBytes, note, dataAt, payloadBytes, offset, more } = this.fragment;
    const { payloadOffset } = this.#family;
    const end = offset + payloadBytes;
    const tooLong = headerBytes > payloadOffset || end + this.#family.countedBytes(headerBytes) > MAX_BYTES;
    if (payloadBytes === 0 || (more && (payloadBytes & 7) !== 0) || tooLong) return this.#drop(this.#malformed);
    const datagram = this.#find(src, dst, key) ?? this.#begin(src, dst, key, nowUs);
    if (datagram === null) return this.#drop(this.#refused);
    const total = datagram.payloadBytes;
    const beyond = total >= 0 && (end > total || (!more && end !== total));
    if (beyond || (!more && this.#lastEnd(datagram) > end)) return this.#abandon(datagram, this.#malformed);
    const fresh = this.#insertRange(datagram, dataAt, offset, end);
    if (fresh < 0) return this.#abandon(datagram, fresh === CONFLICT ? this.#overlapping : this.#refused);
    if (fresh > 0) {
      if (!this.#ensureBlock(datagram, payloadOffset + end)) return this.#abandon(datagram, this.#refused);
      this.#context.bulk.copy(datagram.blockAt + payloadOffset + offset, dataAt, payloadBytes);
      datagram.presentBytes += payloadBytes;
    }
    datagram.codepoints |= 1 << this.#family.ecn(headerAt);
    if (!more) datagram.payloadBytes = end;
    if (offset === 0 && datagram.headerBytes === 0) {
      datagram.headerBytes = headerBytes;
      datagram.note = note;
      this.#context.bulk.copy(datagram.blockAt, headerAt, headerBytes);
    }
    return datagram.presentBytes === datagram.payloadBytes ? this.#complete(datagram) : REASSEMBLY_WAITS;
  }

  /** The packet that `add` returned was consumed. */
  release(): void {
    const datagram = this.#datagrams.pop() as Incomplete;
    this.#free(datagram);
  }

  #find(src: number, dst: number, key: number): Incomplete | null {
    const datagrams = this.#datagrams;
    for (let i = datagrams.length - 1; i >= 0; i--) {
      const one = datagrams[i] as Incomplete;
      if (one.key === key && one.src === src && one.dst === dst) return one;
    }
    return null;
  }

  #begin(src: number, dst: number, key: number, nowUs: number): Incomplete | null {
    if (this.#maxPackets.value === 0) return null;
    let ofSource = 0;
    for (let i = 0; i < this.#datagrams.length; i++) if ((this.#datagrams[i] as Incomplete).src === src) ofSource++;
    if (ofSource >= this.#maxPerSource.value) return null;
    while (this.#datagrams.length >= this.#maxPackets.value) this.#evictOldest();
    // cold: objects are used again
    const datagram = this.#spare.pop() ?? new Incomplete();
    datagram.src = src;
    datagram.dst = dst;
    datagram.key = key;
    datagram.headerBytes = 0;
    datagram.codepoints = 0;
    datagram.payloadBytes = -1;
    datagram.presentBytes = 0;
    datagram.rangeCount = 0;
    datagram.deadlineUs = nowUs + this.#timeoutMs.value * US_PER_MS;
    this.#datagrams.push(datagram);
    if (!this.#timer.pending) this.#context.callouts.schedule(this.#timer, datagram.deadlineUs);
    return datagram;
  }

  // cold: control
  #mostOfOneSource(): number {
    const counts = new Map<number, number>();
    for (const { src } of this.#datagrams) counts.set(src, (counts.get(src) ?? 0) + 1);
    return Math.max(0, ...counts.values());
  }

  #lastEnd(datagram: Incomplete): number {
    return datagram.rangeCount === 0 ? 0 : (datagram.ranges[2 * datagram.rangeCount - 1] as number);
  }

  /** Enter [start, end). Returns 1 when it is new, 0 when all of it was there with the same bytes, or a reason to give up. */
  #insertRange(datagram: Incomplete, dataAt: number, start: number, end: number): number {
    const { ranges } = datagram;
    let i = 0;
    while (i < datagram.rangeCount && (ranges[2 * i + 1] as number) < start) i++;
    // Range i is the first that ends at or after our start.
    const touchesBefore = i < datagram.rangeCount && (ranges[2 * i + 1] as number) === start;
    const next = touchesBefore ? i + 1 : i;
    if (next < datagram.rangeCount && (ranges[2 * next] as number) < end) {
      const inside = (ranges[2 * next] as number) <= start && (ranges[2 * next + 1] as number) >= end;
      return inside && this.#same(datagram, dataAt, start, end) ? 0 : CONFLICT;
    }
    const touchesAfter = next < datagram.rangeCount && (ranges[2 * next] as number) === end;
    if (touchesBefore && touchesAfter) {
      ranges[2 * i + 1] = ranges[2 * next + 1] as number;
      ranges.copyWithin(2 * next, 2 * next + 2, 2 * datagram.rangeCount);
      datagram.rangeCount--;
    } else if (touchesBefore) {
      ranges[2 * i + 1] = end;
    } else if (touchesAfter) {
      ranges[2 * next] = start;
    } else {
      if (datagram.rangeCount >= this.#maxPieces.value) return TOO_MANY_RANGES;
      ranges.copyWithin(2 * next + 2, 2 * next, 2 * datagram.rangeCount);
      ranges[2 * next] = start;
      ranges[2 * next + 1] = end;
      datagram.rangeCount++;
    }
    return 1;
  }

  #same(datagram: Incomplete, dataAt: number, start: number, end: number): boolean {
    const { bytes } = this.#context.shared.arena;
    const there = datagram.blockAt + this.#family.payloadOffset;
    for (let i = start; i < end; i++) if (bytes[there + i] !== bytes[dataAt + i - start]) return false;
    return true;
  }

  /** Have a block of at least that many bytes; what it holds moves along. */
  #ensureBlock(datagram: Incomplete, wantedBytes: number): boolean {
    if (wantedBytes <= datagram.blockBytes) return true;
    const { heap, bulk } = this.#context;
    const blockBytes = heap.blockBytes(Math.max(wantedBytes, FIRST_BLOCK_BYTES));
    while (this.#bytes + blockBytes > this.#maxBytes.value && this.#datagrams[0] !== datagram) this.#evictOldest();
    if (this.#bytes + blockBytes > this.#maxBytes.value + datagram.blockBytes) return false;
    const blockAt = heap.allocateSpare(blockBytes);
    if (blockAt < 0) return false;
    if (datagram.blockBytes > 0) {
      bulk.copy(blockAt, datagram.blockAt, datagram.blockBytes);
      heap.free(datagram.blockAt);
      this.#bytes -= datagram.blockBytes;
    }
    datagram.blockAt = blockAt;
    datagram.blockBytes = blockBytes;
    this.#bytes += blockBytes;
    return true;
  }

  /** Put the header right before the payload and make it that of a whole packet. The datagram goes to the end of the list. */
  #complete(datagram: Incomplete): number {
    const { headerBytes, payloadBytes, codepoints } = datagram;
    const marked = (codepoints & SEEN_CONGESTION) !== 0;
    // RFC 3168 5.3: fragments of one datagram disagree about ECN; the sender would not learn of the congestion.
    if (marked && (codepoints & SEEN_NOT_CAPABLE) !== 0) return this.#abandon(datagram, this.#malformed);
    if (this.#family.countedBytes(headerBytes) + payloadBytes > MAX_BYTES) {
      return this.#abandon(datagram, this.#malformed);
    }
    const at = datagram.blockAt + this.#family.payloadOffset - headerBytes;
    this.#context.bulk.copy(at, datagram.blockAt, headerBytes);
    if (marked) this.#family.mark(at);
    this.#family.finish(at, headerBytes, payloadBytes, datagram.note);
    this.#context.counters.add(this.#reassembled, 1);
    this.#takeOut(datagram);
    this.#datagrams.push(datagram);
    return at;
  }

  #drop(counter: number): number {
    this.#context.counters.add(counter, 1);
    return REASSEMBLY_DROPPED;
  }

  #abandon(datagram: Incomplete, counter: number): number {
    this.#takeOut(datagram);
    this.#free(datagram);
    return this.#drop(counter);
  }

  /** Out of the list, keeping its order; `splice` would make an array. */
  #takeOut(datagram: Incomplete): void {
    const datagrams = this.#datagrams;
    for (let i = datagrams.indexOf(datagram); i + 1 < datagrams.length; i++) {
      datagrams[i] = datagrams[i + 1] as Incomplete;
    }
    datagrams.pop();
  }

  #evictOldest(): void {
    this.#free(this.#datagrams.shift() as Incomplete);
    this.#context.counters.add(this.#evicted, 1);
  }

  #free(datagram: Incomplete): void {
    if (datagram.blockBytes > 0) {
      this.#context.heap.free(datagram.blockAt);
      this.#bytes -= datagram.blockBytes;
      datagram.blockBytes = 0;
    }
    this.#spare.push(datagram);
  }

  #expire(nowUs: number): void {
    for (;;) {
      const oldest = this.#datagrams[0];
      if (oldest === undefined) return;
      if (oldest.deadlineUs > nowUs) {
        this.#context.callouts.schedule(this.#timer, oldest.deadlineUs);
        return;
      }
      this.#context.counters.add(this.#timedOut, 1);
      if (oldest.headerBytes > 0) this.#reportTimeout(oldest, nowUs);
      this.#datagrams.shift();
      this.#free(oldest);
    }
  }

  #reportTimeout(datagram: Incomplete, nowUs: number): void {
    const { headerBytes } = datagram;
    const at = datagram.blockAt + this.#family.payloadOffset - headerBytes;
    const { src, dst, ranges } = datagram;
    this.#context.bulk.copy(at, datagram.blockAt, headerBytes);
    this.#onTimeout(at, headerBytes + (ranges[1] as number), src, dst, nowUs);
  }
}
