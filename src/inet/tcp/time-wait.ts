/**
 * TIME_WAIT: a few numbers for each connection that is over, answering for it for twice the segment lifetime.
 *
 * Thread: the one that runs the CPU. Entries are indices into typed arrays, in a doubly linked list by age; since all
 * stay equally long, the head of the list is the next to expire and one callout serves all.
 * Read first: RFC 9293 3.10.7.4 (TIME-WAIT), RFC 6191 (reuse), RFC 1337 (resets).
 */

import { seqLt } from '../../base/sequence.ts';
import { US_PER_MS } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN } from '../../wire/tcp.ts';
import type { Connection } from './connection/connection.ts';
import { sendControl } from './send/control-segments.ts';
import type { TcpContext } from './shared/context.ts';
import type { PortUse } from './shared/port-use.ts';
import type { Segment } from './shared/segment.ts';
import type { TcpTables } from './tables/tables.ts';

const MIN_ENTRIES = 64;
const NONE = -1;
/** Distance of a successor's first sequence number from the old connection's last: more than any window without scale. */
const SUCCESSOR_OFFSET = 65536 + 2;

export class TimeWaitTable {
  readonly #stack: TcpContext;
  readonly #tables: TcpTables;
  readonly #expiry: Callout;
  local: Int32Array = new Int32Array(MIN_ENTRIES);
  peer: Int32Array = new Int32Array(MIN_ENTRIES);
  ports: Int32Array = new Int32Array(MIN_ENTRIES);
  #sndNxt: Int32Array = new Int32Array(MIN_ENTRIES);
  #rcvNxt: Int32Array = new Int32Array(MIN_ENTRIES);
  #window: Int32Array = new Int32Array(MIN_ENTRIES);
  #tsRecent: Int32Array = new Int32Array(MIN_ENTRIES);
  #tsOffset: Int32Array = new Int32Array(MIN_ENTRIES);
  #tsOk: Uint8Array = new Uint8Array(MIN_ENTRIES);
  #sinceUs: Float64Array = new Float64Array(MIN_ENTRIES);
  #answeredUs: Float64Array = new Float64Array(MIN_ENTRIES);
  #next: Int32Array = new Int32Array(MIN_ENTRIES);
  #previous: Int32Array = new Int32Array(MIN_ENTRIES);
  readonly #portUses: (PortUse | null)[] = [];
  #free: number = NONE;
  #used: number = 0;
  #first: number = NONE;
  #last: number = NONE;
  count: number = 0;

  constructor(stack: TcpContext, tables: TcpTables) {
    this.#stack = stack;
    this.#tables = tables;
    this.#expiry = new Callout((nowUs) => this.#expire(nowUs));
  }

  /** The connection's place in the tables goes to a new entry. */
  enter(c: Connection, nowUs: number): void {
    const { settings, counters, count } = this.#stack;
    if (this.count >= settings.timeWaitMax.value) {
      counters.add(count.timeWaitOverflows, 1);
      if (this.count === 0) return;
      this.remove(this.#first);
    }
    const entry = this.#take();
    this.local[entry] = c.localAddress;
    this.peer[entry] = c.peerAddress;
    this.ports[entry] = c.ports;
    this.#sndNxt[entry] = c.snd.nxt;
    this.#rcvNxt[entry] = c.rcv.nxt;
    this.#window[entry] = Math.min(c.receiveBuffer.limitBytes >> c.rcv.scale, 65535);
    this.#tsOk[entry] = c.ts.ok ? 1 : 0;
    this.#tsRecent[entry] = c.ts.recent;
    this.#tsOffset[entry] = c.ts.offset;
    this.#answeredUs[entry] = Number.NEGATIVE_INFINITY;
    this.#portUses[entry] = c.portUse;
    if (c.portUse !== null) c.portUse.users++;
    this.count++;
    this.#append(entry, nowUs);
    this.#tables.enterTimeWait(entry, c.localAddress, c.peerAddress, c.ports);
    counters.add(count.timeWaitEntered, 1);
  }

  /**
   * A segment for an entry, its checksum verified. Returns true when it is a SYN that may open a new connection in its
   * place.
   */
  arrives(entry: number, segment: Segment, nowUs: number): boolean {
    const { counters, count } = this.#stack;
    const offset = (segment.seq - (this.#rcvNxt[entry] as number)) | 0;
    if (segment.flags & FLAG_RST) {
      this.#onReset(entry, offset, nowUs);
      return false;
    }
    if ((segment.flags & (FLAG_SYN | FLAG_ACK)) === FLAG_SYN && this.#mayReopen(entry, segment, offset)) {
      counters.add(count.timeWaitReused, 1);
      return true;
    }
    if (segment.flags & FLAG_SYN) {
      this.#challenge(entry, nowUs);
      return false;
    }
    if ((segment.flags & FLAG_ACK) === 0) {
      counters.add(count.droppedNoAck, 1);
      return false;
    }
    const old =
      this.#tsOk[entry] === 1 && segment.timestamps && seqLt(segment.tsValue, this.#tsRecent[entry] as number);
    if (old) counters.add(count.droppedOldTimestamp, 1);
    const fin = (segment.flags & FLAG_FIN) !== 0;
    // The peer's FIN again: our ACK was lost, so the wait starts again.
    if (fin && !old && offset + segment.dataBytes === -1) {
      this.#unlink(entry);
      this.#append(entry, nowUs);
    }
    if (segment.dataBytes > 0) counters.add(count.packetsAfterClose, 1);
    if (fin || segment.dataBytes > 0 || ((old || offset !== 0) && this.#mayAnswer(entry, nowUs))) {
      this.#answer(entry, nowUs);
    }
    return false;
  }

  /** A reset counts as in the other states (RFC 5961 section 3.2), unless RFC 1337 is to be followed. */
  #onReset(entry: number, offset: number, nowUs: number): void {
    const { settings, counters, count } = this.#stack;
    if (offset < 0 || offset > (this.#window[entry] as number)) {
      counters.add(count.resetsIgnored, 1);
      return;
    }
    counters.add(count.resetsReceived, 1);
    if (offset > 0) this.#challenge(entry, nowUs);
    else if (settings.rfc1337.value === 0) this.remove(entry);
  }

  #challenge(entry: number, nowUs: number): void {
    const { counters, count } = this.#stack;
    if (!this.#stack.rateLimits.challengeAcks.allow(nowUs)) return;
    counters.add(count.challengeAcksSent, 1);
    this.#answer(entry, nowUs);
  }

  /** An empty segment that should not be is not answered again at once: the peer's end might do the same with our answer. */
  #mayAnswer(entry: number, nowUs: number): boolean {
    const sinceUs = nowUs - (this.#answeredUs[entry] as number);
    if (sinceUs < this.#stack.settings.invalidAckIntervalMs.value * US_PER_MS) return false;
    this.#answeredUs[entry] = nowUs;
    return true;
  }

  /** RFC 6191: newer by timestamp, or by sequence number. */
  #mayReopen(entry: number, segment: Segment, offset: number): boolean {
    if (this.#tsOk[entry] === 1 && segment.timestamps) {
      const newer = (segment.tsValue - (this.#tsRecent[entry] as number)) | 0;
      if (newer !== 0) return newer > 0;
    }
    return offset > 0;
  }

  /** First sequence number for a connection that takes the place of the entry. */
  successorIss(entry: number): number {
    return ((this.#sndNxt[entry] as number) + SUCCESSOR_OFFSET) | 0;
  }

  /**
   * Whether `connect` may take the place of the entry (RFC 6191 section 2): timestamps, which with the higher first sequence
   * number prove the SYN newer. A port that we choose ourselves waits until the entry is old enough: another may be free. A port
   * that the program bound does not (Linux: `tcp_twsk_unique`).
   */
  mayReplace(entry: number, bound: boolean, nowUs: number): boolean {
    if (this.#tsOk[entry] === 0) return false;
    return bound || nowUs - (this.#sinceUs[entry] as number) >= this.#stack.settings.timeWaitReuseMs.value * US_PER_MS;
  }

  remove(entry: number): void {
    this.#unlink(entry);
    this.#tables.leaveTimeWait(this.local[entry] as number, this.peer[entry] as number, this.ports[entry] as number);
    const use = this.#portUses[entry];
    this.#portUses[entry] = null;
    if (use != null) this.#stack.releasePort(use);
    this.#next[entry] = this.#free;
    this.#free = entry;
    this.count--;
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const entry of this.entries()) {
      mark(this.local[entry] as number);
      mark(this.peer[entry] as number);
    }
  }

  /** Every entry, oldest first. */
  // cold: per request
  *entries(): Generator<number> {
    for (let entry = this.#first; entry !== NONE; entry = this.#next[entry] as number) yield entry;
  }

  #answer(entry: number, nowUs: number): void {
    const stack = this.#stack;
    const { control, ip } = stack;
    const path = ip.openPath(this.peer[entry] as number, this.local[entry] as number, 0);
    if (typeof path === 'number') return;
    control.begin(this.local[entry] as number, this.peer[entry] as number, this.ports[entry] as number);
    control.seq = this.#sndNxt[entry] as number;
    control.ack = this.#rcvNxt[entry] as number;
    control.flags = FLAG_ACK;
    control.window = this.#window[entry] as number;
    control.timestamps = this.#tsOk[entry] === 1;
    control.tsValue = (stack.tsNow(nowUs) + (this.#tsOffset[entry] as number)) | 0;
    control.tsEcho = this.#tsRecent[entry] as number;
    sendControl(stack, path);
    ip.closePath(path);
  }

  #expire(nowUs: number): void {
    const stayUs = 2000 * this.#stack.settings.mslMs.value;
    // The same sum as the deadline's, so that rounding cannot make the callout fire for nothing, again and again.
    while (this.#first !== NONE && (this.#sinceUs[this.#first] as number) + stayUs <= nowUs) this.remove(this.#first);
    if (this.#first !== NONE) {
      this.#stack.callouts.schedule(this.#expiry, (this.#sinceUs[this.#first] as number) + stayUs);
    }
  }

  #append(entry: number, nowUs: number): void {
    this.#sinceUs[entry] = nowUs;
    this.#next[entry] = NONE;
    this.#previous[entry] = this.#last;
    if (this.#last === NONE) this.#first = entry;
    else this.#next[this.#last] = entry;
    this.#last = entry;
    if (!this.#expiry.pending) {
      this.#stack.callouts.schedule(this.#expiry, nowUs + 2000 * this.#stack.settings.mslMs.value);
    }
  }

  #unlink(entry: number): void {
    const next = this.#next[entry] as number;
    const previous = this.#previous[entry] as number;
    if (previous === NONE) this.#first = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#last = previous;
    else this.#previous[next] = previous;
    if (this.#first === NONE) this.#stack.callouts.stop(this.#expiry);
  }

  #take(): number {
    if (this.#free !== NONE) {
      const entry = this.#free;
      this.#free = this.#next[entry] as number;
      return entry;
    }
    if (this.#used === this.local.length) this.#grow();
    return this.#used++;
  }

  // cold: the table doubles.
  #grow(): void {
    const size = this.local.length * 2;
    const grown = (old: Int32Array): Int32Array => {
      const array = new Int32Array(size);
      array.set(old);
      return array;
    };
    this.local = grown(this.local);
    this.peer = grown(this.peer);
    this.ports = grown(this.ports);
    this.#sndNxt = grown(this.#sndNxt);
    this.#rcvNxt = grown(this.#rcvNxt);
    this.#window = grown(this.#window);
    this.#tsRecent = grown(this.#tsRecent);
    this.#tsOffset = grown(this.#tsOffset);
    this.#next = grown(this.#next);
    this.#previous = grown(this.#previous);
    const tsOk = new Uint8Array(size);
    tsOk.set(this.#tsOk);
    this.#tsOk = tsOk;
    const times = (old: Float64Array): Float64Array => {
      const array = new Float64Array(size);
      array.set(old);
      return array;
    };
    this.#sinceUs = times(this.#sinceUs);
    this.#answeredUs = times(this.#answeredUs);
  }
}
