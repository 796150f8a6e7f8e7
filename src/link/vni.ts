/**
 * vni: the virtual network interface between kernels that share an arena (Mint VNI, papers/003), buffer configuration 2:
 * one SPSC ring per directed channel, full mesh. Configuration 1, one shared buffer: shared-vni.ts.
 *
 * Thread: the kernel's. Unicast goes to the peer that has the address, unknown unicast to promiscuous peers only, group
 * addresses by copy to each peer that wants them. A frame for one peer is written straight into its ring; a frame for
 * none or for several is written to this port's staging place and copied at `commit`. A full ring refuses (`-ENOBUFS`,
 * back-pressure) or drops under a counter, as configured; frames to a dead or broken peer vanish under a counter.
 * Shared structures: docs/layouts/network.md. Missing: more than one queue per channel.
 */

import { Errno } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { exchangeCell, loadCell, orCell } from '../mem/cells.ts';
import type { RingProducer } from '../mem/ring-producer.ts';
import { recordBytes } from '../mem/spsc-ring.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import { type FrameBatch, type FrameRuns, META_ARRIVAL_MASK, META_ARRIVAL_SHIFT, type PortedDevice } from './device.ts';
import { DIRECT_POLL_PORTS, FRAME_PAD_BYTES, type NetworkDescriptor, PORT_PENDING, portOffset } from './network.ts';
import type { Peer } from './port-map.ts';
import { type VniOptions, VniPort } from './vni-port.ts';

/** With a pending map, all rings are looked at once in so many polls, and before each sleep. */
const LOOK_AROUND_MASK = 1023;

/**
 * A port of a network with a ring for each directed pair of ports: a frame is written into the ring of its receiver. {@link
 * openVni} makes the device that fits a network.
 */
export class VniDevice extends VniPort implements FrameRuns, PortedDevice {
  marksPorts: boolean = false;
  /** The device itself. */
  readonly runs: FrameRuns = this;
  runAt: number = 0;
  runStrideBytes: number = 0;
  /** Few ports: look at every ring. Many: only at those whose bit is set in the pending map. */
  readonly #direct: boolean;

  /** The ring in which the open reservation lies; null while it lies in the staging place. */
  #open: RingProducer | null = null;
  /** `commit` drops the open reservation: its ring is full, and `onFull` says drop. */
  #discard = false;
  /** The last destination with exactly one receiver; `#lastHi` -1 when none is remembered. */
  #lastHi = -1;
  #lastLo = 0;
  #lastPeer: Peer | null = null;
  #lastProducer: RingProducer | null = null;
  #wantedBytes = 0;

  /** Peers with committed frames that are not published yet; the first `#dirtyCount` count. */
  readonly #dirty: Peer[] = [];
  #dirtyCount = 0;
  #sentFrames = 0;
  #sentBytes = 0;

  /** Peers whose frames the last `receive` gave out. */
  readonly #touched: Peer[] = [];
  #touchedCount = 0;
  /** Senders whose pending bit was taken and whose ring was not empty yet. */
  readonly #active: Int32Array;
  /** The port that comes first in the next `receive`. */
  #next = 0;
  #polls = 0;

  /** Join the network at `port`. Throws EBUSY when another kernel is up there, EPROTO when the network is none. */
  constructor(arena: Arena, bulk: Bulk, network: NetworkDescriptor, port: number, options: VniOptions) {
    super(arena, bulk, network, port, 'channels', options);
    this.#direct = network.ports <= DIRECT_POLL_PORTS;
    this.#active = new Int32Array(Math.ceil(network.ports / 32));
    this.join(options.doorbellAt ?? 0, () => {
      for (let i = 0; i < this.#active.length; i++) this.words[this.portWord + PORT_PENDING + i] = 0;
      for (const peer of this.map.peers) if (peer !== null) peer.in(true);
    });
  }

  protected override rescan(): void {
    this.#lastHi = -1;
    super.rescan();
  }

  /**
   * Room for a frame of `lengthBytes`, in the ring of the port that has the address; in a place of this port when none or several
   * take it. Returns the place, or `-ENOBUFS`, `-EMSGSIZE` or `-ENETDOWN` as {@link DeviceQueue.reserve} says.
   */
  reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    // The destination of the frame before, nothing changed in between: straight to its ring.
    if (dstLo === this.#lastLo && dstHi === this.#lastHi && this.words[this.generationIndex] === this.generation) {
      const producer = this.#lastProducer as RingProducer;
      if (lengthBytes <= this.maxFrameBytes) {
        const at = producer.reserve(lengthBytes);
        if (at >= 0) {
          this.#open = producer;
          return at;
        }
      }
    }
    return this.#reserveAnew(dstHi, dstLo, lengthBytes);
  }

  reserveRun(dstHi: number, dstLo: number, lengthBytes: number, count: number): number {
    const sameDestination = dstLo === this.#lastLo && dstHi === this.#lastHi;
    if (!sameDestination || this.words[this.generationIndex] !== this.generation) return 0;
    if (lengthBytes > this.maxFrameBytes) return 0;
    const producer = this.#lastProducer as RingProducer;
    const reserved = producer.reserveRun(lengthBytes, count);
    this.runAt = producer.runAt;
    this.runStrideBytes = recordBytes(lengthBytes, FRAME_PAD_BYTES);
    return reserved;
  }

  commitRun(count: number, lengthBytes: number, meta: number): void {
    (this.#lastProducer as RingProducer).commitRun(count, lengthBytes, meta);
    const peer = this.#lastPeer as Peer;
    if (!peer.dirty) this.#markDirty(peer);
    this.#sentFrames += count;
    this.#sentBytes += count * lengthBytes;
  }

  #reserveAnew(dstHi: number, dstLo: number, lengthBytes: number): number {
    this.#open = null;
    this.#discard = false;
    if (!this.linkUp) return -Errno.ENETDOWN;
    const map = this.map;
    if (this.words[this.generationIndex] !== this.generation) this.rescan();
    if (lengthBytes > this.maxFrameBytes) return -Errno.EMSGSIZE;
    map.lookup(dstHi, dstLo);
    if (map.targetCount !== 1) return this.stagingAt;
    const peer = map.targets[0] as Peer;
    const producer = peer.out();
    this.#lastHi = dstHi;
    this.#lastLo = dstLo;
    this.#lastPeer = peer;
    this.#lastProducer = producer;
    const at = producer.reserve(lengthBytes);
    if (at < 0) return this.#refused(peer, producer, lengthBytes);
    this.#open = producer;
    return at;
  }

  #refused(peer: Peer, producer: RingProducer, lengthBytes: number): number {
    this.#wantedBytes = lengthBytes;
    this.#discard = true;
    if (producer.broken !== '') {
      this.breakPeer(peer, producer.broken);
      return this.linkUp ? this.stagingAt : -Errno.ENETDOWN;
    }
    this.counters.add(this.dropWhenFull ? this.count.txFull : this.count.txBlocked, 1);
    return this.dropWhenFull ? this.stagingAt : -Errno.ENOBUFS;
  }

  /**
   * Complete the reserved frame; one for several ports is copied to each that has room, the others lose it, counted as `txFull`.
   */
  commit(lengthBytes: number, meta: number): void {
    const producer = this.#open;
    if (producer === null) {
      this.#commitStaged(lengthBytes, meta);
      return;
    }
    producer.commit(lengthBytes, meta);
    this.#open = null;
    const peer = this.#lastPeer as Peer;
    if (!peer.dirty) this.#markDirty(peer);
    this.#sentFrames++;
    this.#sentBytes += lengthBytes;
  }

  #markDirty(peer: Peer): void {
    peer.dirty = true;
    this.#dirty[this.#dirtyCount++] = peer;
  }

  /** Copy the staged frame to every target that has room. */
  #commitStaged(lengthBytes: number, meta: number): void {
    if (this.#discard) return;
    const map = this.map;
    if (map.targetCount === 0) this.counters.add(this.count.txNoPeer, 1);
    let copies = 0;
    for (let i = 0; i < map.targetCount; i++) {
      const peer = map.targets[i] as Peer;
      const producer = peer.producer === null ? peer.out() : peer.producer;
      const at = producer.reserve(lengthBytes);
      if (at < 0) {
        this.counters.add(this.count.txFull, 1);
        continue;
      }
      this.bulk.copy(at, this.stagingAt, lengthBytes);
      producer.commit(lengthBytes, meta);
      if (!peer.dirty) this.#markDirty(peer);
      copies++;
    }
    if (copies === 0) return;
    this.#sentFrames++;
    this.#sentBytes += lengthBytes;
  }

  /** Give the reservation back; no frame is sent. */
  cancel(): void {
    this.#open = null;
    this.#discard = true;
  }

  /** Publish the committed frames, and ring the doorbells of receivers that sleep. */
  flush(): void {
    if (this.#dirtyCount === 0) return;
    const words = this.words;
    for (let i = 0; i < this.#dirtyCount; i++) {
      const peer = this.#dirty[i] as Peer;
      peer.dirty = false;
      if (peer.producer === null || !peer.producer.publish()) continue;
      if (!this.#direct) {
        const index = (this.arena.place(portOffset(this.network, peer.port)) >> 2) + PORT_PENDING + (this.port >> 5);
        const bit = 1 << (this.port & 31);
        if ((loadCell(words, index) & bit) === 0) orCell(words, index, bit);
      }
      peer.wake();
    }
    this.#dirtyCount = 0;
    this.counters.add(this.count.txFrames, this.#sentFrames);
    this.counters.add(this.count.txBytes, this.#sentBytes);
    this.#sentFrames = 0;
    this.#sentBytes = 0;
  }

  /**
   * Ask the receiver to ring this port's doorbell when there is room in its ring. Returns true when there is room already, or no
   * ring to wait for.
   */
  awaitRoom(dstHi: number, dstLo: number): boolean {
    if (!this.linkUp) return false;
    this.map.lookup(dstHi, dstLo);
    if (this.map.targetCount !== 1) return true;
    const peer = this.map.targets[0] as Peer;
    return peer.out().awaitRoom(Math.max(this.#wantedBytes, this.mtuBytes + ETHERNET_HEADER_BYTES));
  }

  /**
   * Fill the batch from the rings of all ports, each in its turn; frames that the filter refuses are counted and left out.
   * Returns how many frames it holds.
   */
  receive(batch: FrameBatch): number {
    if (this.words[this.generationIndex] !== this.generation) this.rescan();
    if (this.left) return 0;
    const count = this.#direct ? this.#receiveDirect(batch) : this.#receivePending(batch);
    if (count === 0) {
      // Frames of ports that are cut off.
      if (this.#touchedCount > 0) this.release();
      return 0;
    }
    const kept = this.filterBatch(batch, count);
    if (kept === 0) this.release();
    return kept;
  }

  /** Few ports: look at every ring, beginning with another one each time. */
  #receiveDirect(batch: FrameBatch): number {
    const peers = this.map.peers;
    const ports = peers.length;
    let count = 0;
    let port = this.#next;
    for (let i = 0; i < ports && count < batch.capacity; i++) {
      const peer = peers[port];
      port = port + 1 === ports ? 0 : port + 1;
      if (peer != null && peer.broken === '') count = this.#receiveFrom(peer, batch, count);
    }
    this.#next = this.#next + 1 === ports ? 0 : this.#next + 1;
    return count;
  }

  /** Many ports: only rings whose senders set their bit, and rings that were not emptied last time. */
  #receivePending(batch: FrameBatch): number {
    if ((++this.#polls & LOOK_AROUND_MASK) === 0) this.#lookAround();
    const active = this.#active;
    let any = 0;
    for (let i = 0; i < active.length; i++) {
      const index = this.portWord + PORT_PENDING + i;
      if (this.words[index] !== 0) (active[i] as number) |= exchangeCell(this.words, index, 0);
      any |= active[i] as number;
    }
    if (any === 0) return 0;
    // From `#next` to the end and round, so that no port waits for ever behind a busy one.
    const first = this.#next >> 5;
    const mask = -1 << (this.#next & 31);
    let count = this.#receiveActive(first, mask, batch, 0);
    for (let i = first + 1; i < active.length; i++) count = this.#receiveActive(i, -1, batch, count);
    for (let i = 0; i < first; i++) count = this.#receiveActive(i, -1, batch, count);
    return this.#receiveActive(first, ~mask, batch, count);
  }

  /** Read from the active ports of one word of the map, as far as the batch goes. */
  #receiveActive(word: number, mask: number, batch: FrameBatch, count: number): number {
    let left = (this.#active[word] as number) & mask;
    while (left !== 0 && count < batch.capacity) {
      const bit = 31 - Math.clz32(left & -left);
      left &= left - 1;
      const port = 32 * word + bit;
      const peer = this.map.peers[port];
      if (peer != null && peer.broken === '') {
        count = this.#receiveFrom(peer, batch, count);
        this.#next = port + 1 === this.network.ports ? 0 : port + 1;
        if (peer.consumer?.pending) continue;
      }
      (this.#active[word] as number) &= ~(1 << bit);
    }
    return count;
  }

  #receiveFrom(peer: Peer, batch: FrameBatch, count: number): number {
    const consumer = peer.consumer === null ? peer.in(false) : peer.consumer;
    if (consumer === null) return count;
    const end = consumer.receive(batch.at, batch.length, batch.meta, count, batch.capacity);
    if (end > count) this.#touched[this.#touchedCount++] = peer;
    else if (consumer.owes && consumer.release()) peer.wake();
    if (consumer.broken !== '') this.breakPeer(peer, consumer.broken);
    if (peer.cut) {
      this.counters.add(this.count.rxCut, end - count);
      return count;
    }
    if (this.marksPorts) {
      const mark = (peer.port + 1) << META_ARRIVAL_SHIFT;
      for (let i = count; i < end; i++) batch.meta[i] = ((batch.meta[i] as number) & ~META_ARRIVAL_MASK) | mark;
    }
    return end;
  }

  // cold: control
  cutPorts(ports: readonly number[]): number {
    const { peers } = this.map;
    if (ports.some((port) => port === this.port || peers[port] == null)) return -Errno.EINVAL;
    for (const peer of peers) if (peer !== null) peer.cut = ports.includes(peer.port);
    return 0;
  }

  /** Give the frames of the last `receive` back to their senders, and wake those that wait for room. */
  release(): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const peer = this.#touched[i] as Peer;
      const { consumer } = peer;
      if (consumer === null) continue;
      // A ring that is looked at in every poll is settled by the first poll that finds it empty.
      const woken = this.#direct ? consumer.releaseMuch() : consumer.release();
      if (woken) peer.wake();
    }
    this.#touchedCount = 0;
  }

  /** Whether frames wait in any ring, after a fresh look at shared memory. */
  get pending(): boolean {
    if (this.left) return false;
    if (this.#direct) {
      for (const peer of this.map.peers) {
        if (peer !== null && peer.broken === '' && peer.in(false)?.pending) return true;
      }
      return false;
    }
    for (let i = 0; i < this.#active.length; i++) {
      if (this.#active[i] !== 0 || loadCell(this.words, this.portWord + PORT_PENDING + i) !== 0) return true;
    }
    return this.#lookAround();
  }

  /** The pending map is everybody's: look at all rings themselves now and then, in case a bad peer wiped bits out. */
  #lookAround(): boolean {
    let found = false;
    for (const peer of this.map.peers) {
      if (peer === null || peer.broken !== '' || !peer.in(false)?.pending) continue;
      (this.#active[peer.port >> 5] as number) |= 1 << (peer.port & 31);
      found = true;
    }
    return found;
  }
}
