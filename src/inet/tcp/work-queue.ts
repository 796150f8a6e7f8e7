/**
 * Work that TCP has still to do: connections that may send, connections waiting for room on a link or for memory, rings that
 * may be idle.
 *
 * Thread: the one that runs the CPU. Segment arrival only puts connections here; `run` sends once per batch.
 */

import { Callout, type CalloutTable } from '../../kern/callout.ts';
import type { Heap } from '../../mem/heap.ts';
import type { IpService, Path } from '../ip/transport.ts';
import type { Connection, ConnectionQueue } from './connection/connection.ts';
import { DUE_OUTPUT } from './connection/due.ts';
import { dispatch } from './dispatch.ts';

/** Rings unused for this long give their memory back. */
const RECLAIM_US = 2_000_000;
/** Pause before memory is offered to connections that had to do without. */
const MEMORY_RETRY_US = 10_000;
/** Memory that one of them is counted to take. */
const MEMORY_RETRY_BYTES = 4096;

/** Destinations that one look at the waiting connections remembers, a power of two. */
const FULL_PLACES = 64;

/** Destinations to which the link has no room, for one look at the connections that wait. */
class FullPaths {
  readonly #dst: Int32Array = new Int32Array(FULL_PLACES);
  readonly #iface: Int32Array = new Int32Array(FULL_PLACES);
  readonly #look: Int32Array = new Int32Array(FULL_PLACES);
  #now = 0;

  forget(): void {
    this.#now = (this.#now + 1) | 0;
  }

  add(path: Path): void {
    const at = placeOf(path.dst);
    this.#dst[at] = path.dst;
    this.#iface[at] = path.iface.index;
    this.#look[at] = this.#now;
  }

  has(path: Path): boolean {
    const at = placeOf(path.dst);
    return this.#look[at] === this.#now && this.#dst[at] === path.dst && this.#iface[at] === path.iface.index;
  }
}

function placeOf(dst: number): number {
  return (Math.imul(dst, 0x9e3779b1) >>> 16) & (FULL_PLACES - 1);
}

/** Connections that wait for one thing. The arrays only grow: a shortened array gives its memory away. */
class ConnectionList {
  count: number = 0;
  #entries: (Connection | null)[] = [];
  #taken: (Connection | null)[] = [];

  add(c: Connection): void {
    if (this.count < this.#entries.length) this.#entries[this.count] = c;
    else this.#entries.push(c);
    this.count++;
  }

  /** The first `count` are the caller's, who sets them to null, until the next call; the list is empty. */
  take(): (Connection | null)[] {
    const taken = this.#entries;
    this.#entries = this.#taken;
    this.#taken = taken;
    this.count = 0;
    return taken;
  }
}

export class WorkQueue implements ConnectionQueue {
  readonly #ip: IpService;
  readonly #callouts: CalloutTable;
  readonly #ready: ConnectionList = new ConnectionList();
  readonly #blocked: ConnectionList = new ConnectionList();
  readonly #full: FullPaths = new FullPaths();
  /** Connections that have sent and wait again. */
  readonly #served: ConnectionList = new ConnectionList();
  readonly #holders: Connection[] = [];
  readonly #reclaim: Callout = new Callout((nowUs) => this.#reclaimRings(nowUs));
  readonly #heap: Heap;
  readonly #starving: ConnectionList = new ConnectionList();
  readonly #retryMemory: Callout = new Callout((nowUs) => this.#offerMemory(nowUs));

  constructor(ip: IpService, callouts: CalloutTable, heap: Heap) {
    this.#ip = ip;
    this.#callouts = callouts;
    this.#heap = heap;
  }

  /** Whether `run` has something to do although nothing arrived. */
  get pending(): boolean {
    return this.#ready.count > 0;
  }

  /** Something may be sent for this connection: look with the next `run`. */
  enqueue(c: Connection): void {
    if (c.queued) return;
    c.queued = true;
    this.#ready.add(c);
  }

  /** The link had no room: try again when the kernel is woken. */
  awaitRoom(c: Connection): void {
    if (c.path === null || this.#ip.awaitRoom(c.path)) {
      this.enqueue(c);
    } else if (!c.waiting) {
      c.waiting = true;
      this.#blocked.add(c);
    }
  }

  /** Send what is due. Returns how many connections had work. */
  run(nowUs: number): number {
    let work = 0;
    if (this.#blocked.count > 0) work += this.#retryBlocked(nowUs);
    const { count } = this.#ready;
    if (count === 0) return work;
    const ready = this.#ready.take();
    for (let i = 0; i < count; i++) {
      const c = ready[i] as Connection;
      ready[i] = null;
      c.queued = false;
      c.due |= DUE_OUTPUT;
      dispatch(c, nowUs);
    }
    return work + count;
  }

  /**
   * In the order in which they came; one that sends and waits again goes to the end. Links differ, and one whose peer stopped reading
   * must not hold up the others, so that each destination is tried; a thousand connections to one cost one attempt while it has no room.
   */
  #retryBlocked(nowUs: number): number {
    const { count } = this.#blocked;
    const blocked = this.#blocked.take();
    this.#full.forget();
    let work = 0;
    for (let i = 0; i < count; i++) {
      const c = blocked[i] as Connection;
      blocked[i] = null;
      if (c.path !== null && this.#full.has(c.path)) this.#blocked.add(c);
      else if (this.#retry(c, nowUs)) work++;
    }
    const { count: servedCount } = this.#served;
    if (servedCount === 0) return work;
    const served = this.#served.take();
    for (let i = 0; i < servedCount; i++) {
      this.#blocked.add(served[i] as Connection);
      served[i] = null;
    }
    return work;
  }

  /** Returns whether it sent something, or waits no more. */
  #retry(c: Connection, nowUs: number): boolean {
    const sndNxt = c.snd.nxt;
    const ackNow = c.acks.now;
    const waited = this.#blocked.count;
    c.waiting = false;
    c.due |= DUE_OUTPUT;
    dispatch(c, nowUs);
    if (!c.waiting) return true;
    if (c.path !== null) this.#full.add(c.path);
    if (c.snd.nxt === sndNxt && c.acks.now === ackNow) return false;
    if (this.#blocked.count === waited + 1) {
      this.#blocked.count = waited;
      this.#served.add(c);
    }
    return true;
  }

  /**
   * A ring was given memory: look now and then whether the connection still needs it. Idle connections hold none, so that
   * ten thousand of them are cheap.
   */
  holdRings(c: Connection, nowUs: number): void {
    if (c.holderIndex >= 0) return;
    c.holderIndex = this.#holders.length;
    this.#holders.push(c);
    if (!this.#reclaim.pending) this.#callouts.schedule(this.#reclaim, nowUs + RECLAIM_US);
  }

  /** The connection has ended. Kept here until the next look, short connections would grow old on V8's heap. */
  forgetRings(c: Connection): void {
    const index = c.holderIndex;
    if (index < 0) return;
    const last = this.#holders.pop() as Connection;
    c.holderIndex = -1;
    if (last === c) return;
    this.#holders[index] = last;
    last.holderIndex = index;
  }

  #reclaimRings(nowUs: number): void {
    this.#releaseIdle(nowUs - RECLAIM_US);
    if (this.#holders.length > 0) this.#callouts.schedule(this.#reclaim, nowUs + RECLAIM_US);
  }

  #releaseIdle(sinceUs: number): void {
    for (let i = this.#holders.length - 1; i >= 0; i--) {
      const c = this.#holders[i] as Connection;
      if (c.releaseIdleRings(sinceUs)) this.forgetRings(c);
    }
  }

  /** There was no memory for what it wants to send or has received: its program or its peer are told when there is some. */
  awaitMemory(c: Connection, nowUs: number): void {
    if (c.awaitsMemory) return;
    c.awaitsMemory = true;
    this.#starving.add(c);
    if (!this.#retryMemory.pending) this.#callouts.schedule(this.#retryMemory, nowUs + MEMORY_RETRY_US);
  }

  /** To as many as there is memory for, in the order in which they came; those that get none come first the next time. */
  #offerMemory(nowUs: number): void {
    this.#releaseIdle(nowUs);
    const heap = this.#heap;
    let freeBytes = heap.limitBytes - heap.usedBytes;
    const { count } = this.#starving;
    const starving = this.#starving.take();
    for (let i = 0; i < count; i++) {
      const c = starving[i] as Connection;
      starving[i] = null;
      if (heap.shareBytes(0) === 0 || (i > 0 && freeBytes < MEMORY_RETRY_BYTES)) {
        this.#starving.add(c);
        continue;
      }
      freeBytes -= MEMORY_RETRY_BYTES;
      c.awaitsMemory = false;
      this.#tellOfMemory(c);
    }
    if (this.#starving.count > 0) this.#callouts.schedule(this.#retryMemory, nowUs + MEMORY_RETRY_US);
  }

  #tellOfMemory(c: Connection): void {
    const { receiveBuffer, sendBuffer } = c;
    if (receiveBuffer.denied) {
      receiveBuffer.denied = false;
      c.acks.now = true;
      this.enqueue(c);
    }
    if (!sendBuffer.starved) return;
    sendBuffer.starved = false;
    if (c.owner !== null) c.owner.onWritable();
  }
}
