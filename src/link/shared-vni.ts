/**
 * vni over one shared packet buffer (Mint VNI, papers/003, buffer configuration 1): all ports fill and empty the slots of one
 * pool under one lock. Behind the same contract as vni.ts, so that both can be measured; chosen when the network is made.
 *
 * Thread: the kernel's. The lock is taken once per batch and direction: slots are taken in stock, filled without the lock,
 * queued at `flush`; received ones are given back at `release`. A receiver may hold up to half of all slots in its
 * queue, so that one that stops reading does not stop everybody. Memory grows with traffic, not with the square of
 * the ports; in exchange a bad port can spoil the whole network.
 */

import { Errno } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { SlotPool } from '../mem/slot-pool.ts';
import type { FrameBatch } from './device.ts';
import { type NetworkDescriptor, poolOffset, poolShape } from './network.ts';
import type { Peer } from './port-map.ts';
import { type VniOptions, VniPort } from './vni-port.ts';

/** Slots that a sender takes from the pool at a time, and keeps; all together keep at most a quarter of the pool. */
const STOCK_SLOTS = 32;
/** Frames queued before they are flushed anyway. */
const MAX_STAGED = 256;
const NO_SLOT = -1;

/**
 * A port of a network whose buffers all ports share: a frame is a slot that changes hands. {@link openVni} makes the device that
 * fits a network.
 */
export class SharedVniDevice extends VniPort {
  readonly #pool: SlotPool;
  /** Longest queue that a receiver may have. */
  readonly #queueLimit: number;
  readonly #stock: Int32Array;
  #stockCount = 0;
  /** The slot of the open reservation, and its receiver; `NO_SLOT` while the frame lies in the staging place. */
  #open: number = NO_SLOT;
  #openPeer: Peer | null = null;
  #discard = false;

  /** Committed frames, not yet in a queue. */
  readonly #stagedSlot: Int32Array = new Int32Array(MAX_STAGED);
  readonly #stagedLength: Int32Array = new Int32Array(MAX_STAGED);
  readonly #stagedMeta: Int32Array = new Int32Array(MAX_STAGED);
  readonly #stagedPort: Int32Array = new Int32Array(MAX_STAGED);
  #stagedCount = 0;
  readonly #dirty: Peer[] = [];
  #dirtyCount = 0;
  #sentFrames = 0;
  #sentBytes = 0;

  /** Slots that the last `receive` gave out. */
  #held: Int32Array = new Int32Array(64);
  #heldCount = 0;

  /** Join the network at `port`. Throws EBUSY when another kernel is up there, EPROTO when the network is none. */
  constructor(arena: Arena, bulk: Bulk, network: NetworkDescriptor, port: number, options: VniOptions) {
    super(arena, bulk, network, port, 'shared', options);
    const at = arena.place(poolOffset(network));
    this.#pool = new SlotPool(arena, at, poolShape(network), port, this.owner, options.isDead ?? null);
    this.#queueLimit = network.slots >> 1;
    const share = Math.floor(network.slots / (4 * network.ports));
    this.#stock = new Int32Array(Math.max(1, Math.min(STOCK_SLOTS, share)));
    this.join(options.doorbellAt ?? 0, () => this.#pool.reclaim(port, this.owner));
  }

  // cold: once per device
  #leaveBroken(): void {
    this.leave(`shared buffer: ${this.#pool.broken}`);
  }

  /**
   * Room for a frame of `lengthBytes`: a slot when one port has the address, a place of this port when none or several take it.
   * Returns the place, or `-ENOBUFS` (no slot is free, or the receiver has half of them), `-EMSGSIZE` or `-ENETDOWN` as {@link
   * DeviceQueue.reserve} says.
   */
  reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    this.#open = NO_SLOT;
    this.#discard = false;
    if (this.words[this.generationIndex] !== this.generation) this.rescan();
    if (this.#pool.broken !== '' && !this.left) this.#leaveBroken();
    if (!this.linkUp) return -Errno.ENETDOWN;
    if (lengthBytes > this.maxFrameBytes) return -Errno.EMSGSIZE;
    const map = this.map;
    map.lookup(dstHi, dstLo);
    if (map.targetCount !== 1) return this.stagingAt;
    const peer = map.targets[0] as Peer;
    const slot = this.#slotFor(peer);
    if (slot === NO_SLOT) {
      this.#discard = true;
      this.counters.add(this.dropWhenFull ? this.count.txFull : this.count.txBlocked, 1);
      return this.dropWhenFull ? this.stagingAt : -Errno.ENOBUFS;
    }
    this.#open = slot;
    this.#openPeer = peer;
    return this.#pool.contentAt(slot);
  }

  /** A slot out of the stock, refilled when it is empty; `NO_SLOT` when there is none or the receiver has its share. */
  #slotFor(peer: Peer): number {
    if (this.#pool.queued(peer.port) + this.#stagedCount >= this.#queueLimit) return NO_SLOT;
    if (this.#stockCount === 0) {
      this.#pool.lock();
      this.#stockCount = this.#pool.take(this.#stock, this.#stock.length);
      this.#pool.unlock();
      if (this.#stockCount === 0) return NO_SLOT;
    }
    return this.#stock[this.#stockCount - 1] as number;
  }

  /**
   * Complete the reserved frame; one for several ports is copied to a slot for each, and without a slot lost, counted as
   * `txFull`.
   */
  commit(lengthBytes: number, meta: number): void {
    if (this.#open !== NO_SLOT) {
      this.#stage(this.#open, this.#openPeer as Peer, lengthBytes, meta);
      this.#open = NO_SLOT;
      this.#sentFrames++;
      this.#sentBytes += lengthBytes;
      return;
    }
    if (this.#discard) return;
    const map = this.map;
    if (map.targetCount === 0) this.counters.add(this.count.txNoPeer, 1);
    let copies = 0;
    for (let i = 0; i < map.targetCount; i++) {
      const peer = map.targets[i] as Peer;
      const slot = this.#slotFor(peer);
      if (slot === NO_SLOT) {
        this.counters.add(this.count.txFull, 1);
        continue;
      }
      this.bulk.copy(this.#pool.contentAt(slot), this.stagingAt, lengthBytes);
      this.#stage(slot, peer, lengthBytes, meta);
      copies++;
    }
    if (copies === 0) return;
    this.#sentFrames++;
    this.#sentBytes += lengthBytes;
  }

  /** Take the slot out of the stock and remember its content until `flush`. */
  #stage(slot: number, peer: Peer, lengthBytes: number, meta: number): void {
    this.#stockCount--;
    const i = this.#stagedCount++;
    this.#stagedSlot[i] = slot;
    this.#stagedLength[i] = lengthBytes;
    this.#stagedMeta[i] = meta;
    this.#stagedPort[i] = peer.port;
    if (!peer.dirty) {
      peer.dirty = true;
      this.#dirty[this.#dirtyCount++] = peer;
    }
    if (this.#stagedCount === MAX_STAGED) this.flush();
  }

  /** Give the reservation back; no frame is sent. */
  cancel(): void {
    this.#open = NO_SLOT;
    this.#discard = true;
  }

  /** Put the committed frames into the queues of their receivers, under the lock, and ring the doorbells of those that sleep. */
  flush(): void {
    if (this.#stagedCount === 0) return;
    const pool = this.#pool;
    pool.lock();
    for (let i = 0; i < this.#stagedCount; i++) {
      pool.post(
        this.#stagedPort[i] as number,
        this.#stagedSlot[i] as number,
        this.#stagedLength[i] as number,
        this.#stagedMeta[i] as number,
      );
    }
    pool.unlock();
    this.#stagedCount = 0;
    for (let i = 0; i < this.#dirtyCount; i++) {
      const peer = this.#dirty[i] as Peer;
      peer.dirty = false;
      peer.wake();
    }
    this.#dirtyCount = 0;
    this.counters.add(this.count.txFrames, this.#sentFrames);
    this.counters.add(this.count.txBytes, this.#sentBytes);
    this.#sentFrames = 0;
    this.#sentBytes = 0;
  }

  /** Ask to be woken when slots come back. Returns true when there is a slot already, or no single receiver to wait for. */
  awaitRoom(dstHi: number, dstLo: number): boolean {
    if (!this.linkUp) return false;
    this.map.lookup(dstHi, dstLo);
    if (this.map.targetCount !== 1) return true;
    this.#pool.await();
    const queued = this.#pool.queued((this.map.targets[0] as Peer).port) + this.#stagedCount;
    return queued < this.#queueLimit && this.#stockCount + this.#pool.freeCount > 0;
  }

  /**
   * Fill the batch from this port's queue, under the lock; frames that the filter refuses are counted and left out. Returns how
   * many frames it holds.
   */
  // cold: the array grows once, to the capacity of the batch
  receive(batch: FrameBatch): number {
    if (this.words[this.generationIndex] !== this.generation) this.rescan();
    const pool = this.#pool;
    if (this.left || pool.queued(this.port) === 0) return 0;
    if (this.#held.length < batch.capacity) this.#held = new Int32Array(batch.capacity);
    pool.lock();
    const count = pool.pop(this.#held, batch.length, batch.meta, batch.capacity);
    pool.unlock();
    this.#heldCount = count;
    for (let i = 0; i < count; i++) batch.at[i] = pool.contentAt(this.#held[i] as number);
    if (count === 0) return 0;
    const kept = this.filterBatch(batch, count);
    if (kept === 0) this.release();
    return kept;
  }

  /** Give the slots of the last `receive` back, under the lock, and wake the ports that wait for room once there is plenty. */
  release(): void {
    if (this.#heldCount === 0) return;
    this.#pool.lock();
    this.#pool.giveBack(this.#held, 0, this.#heldCount);
    this.#pool.unlock();
    this.#heldCount = 0;
    // Not at every slot: a sender that is woken should find room for a batch.
    const isPlenty = this.#pool.freeCount >= this.network.slots >> 3;
    if (isPlenty || this.#pool.queued(this.port) === 0) this.#wakeWaiting();
  }

  /** Wake the ports that asked for room. */
  #wakeWaiting(): void {
    for (let word = 0; word * 32 < this.network.ports; word++) {
      let waiting = this.#pool.takeWaiting(word);
      while (waiting !== 0) {
        const bit = 31 - Math.clz32(waiting & -waiting);
        waiting &= waiting - 1;
        this.map.peers[32 * word + bit]?.wake();
      }
    }
  }

  /** Whether frames wait in this port's queue, after a fresh look at shared memory. */
  get pending(): boolean {
    return !this.left && this.#pool.pending;
  }

  /** Leave the network for good: the port is free for another kernel, and its slots go back to the pool. */
  override close(): void {
    const wasLeft = this.left;
    super.close();
    this.#stockCount = 0;
    this.#stagedCount = 0;
    this.#heldCount = 0;
    if (!wasLeft) this.#pool.reclaim(this.port, this.owner);
  }
}
