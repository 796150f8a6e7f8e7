/**
 * vni: the virtual network interface between kernels that share an arena (Mint VNI, papers/003), buffer configuration 2:
 * one SPSC ring per directed channel, full mesh.
 *
 * Thread: the kernel's. Unicast goes to the peer that has the address, unknown unicast to promiscuous peers only, group
 * addresses by copy to each peer that wants them. A frame for one peer is written straight into its ring; a frame for
 * none or for several is written to this port's staging place and copied at `commit`. A full ring refuses (`-ENOBUFS`,
 * back-pressure) or drops under a counter, as configured; frames to a dead or broken peer vanish under a counter.
 * Shared structures: docs/layouts/network.md. Missing: more than one queue per channel.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { exchangeCell, loadCell, orCell, storeCell } from '../mem/cells.ts';
import { Counters } from '../mem/counters.ts';
import { ringDoorbell } from '../mem/doorbell.ts';
import type { RingProducer } from '../mem/spsc-ring.ts';
import { CAP_SUPER_FRAMES, type Device, type FrameBatch, type MacAddress } from './device.ts';
import { ETHERNET_HEADER_BYTES, ReceiveFilter } from './filter.ts';
import {
  checkNetwork,
  DIRECT_POLL_PORTS,
  generationAt,
  type NetworkDescriptor,
  PORT_CAPABILITIES,
  PORT_DOORBELL,
  PORT_EPOCH,
  PORT_FILTER,
  PORT_FREE,
  PORT_HASH_HI,
  PORT_HASH_LO,
  PORT_MAC_HI,
  PORT_MAC_LO,
  PORT_MTU,
  PORT_PENDING,
  PORT_STATE,
  PORT_UP,
  portAt,
  stagingAt,
  touchGeneration,
} from './network.ts';
import { type Peer, PortMap } from './port-map.ts';

const VLAN_TAG_BYTES = 4;
/** With a pending map, all rings are looked at once in so many polls, and before each sleep. */
const LOOK_AROUND_MASK = 1023;

export interface VniOptions {
  /** Interface name, and the name of the counters unless they are given. */
  name: string;
  mac: MacAddress;
  /** Default 1500. */
  mtuBytes?: number;
  /** `CAP_*` bits this side offers; default none. */
  capabilities?: number;
  /** This kernel's doorbell (`arena.allocateDoorbell`); without one the kernel must poll. */
  doorbellAt?: number;
  /** What a full ring does: refuse (`wait`, the default) or swallow the frame (`drop`). */
  onFull?: 'wait' | 'drop';
  counters?: Counters;
}

export class VniDevice implements Device {
  readonly name: string;
  readonly kind = 'vni';
  readonly mac: MacAddress;
  readonly counters: Counters;
  linkUp = true;
  downReason = '';
  mtuBytes: number;
  maxFrameBytes: number;
  capabilities = 0;

  readonly #arena: Arena;
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #bulk: Bulk;
  readonly #network: NetworkDescriptor;
  readonly #port: number;
  readonly #portWord: number;
  readonly #generationIndex: number;
  readonly #stagingAt: number;
  readonly #filter: ReceiveFilter;
  readonly #map: PortMap;
  readonly #offered: number;
  readonly #dropWhenFull: boolean;
  readonly #direct: boolean;
  /** Closed, or taken down by the supervisor: for good. */
  #left = false;

  /** The ring in which the open reservation lies; null while it lies in the staging place. */
  #open: RingProducer | null = null;
  /** The open reservation is not to be copied anywhere. */
  #swallow = false;
  readonly #dirty: Peer[];
  #dirtyCount = 0;
  #wantedBytes = 0;
  /** The last destination with exactly one receiver; `#lastHi` -1 when none is remembered. */
  #lastHi = -1;
  #lastLo = 0;
  #lastPeer: Peer | null = null;
  #lastProducer: RingProducer | null = null;
  /** Generation of the port entries that `#map` holds. */
  #generation = 0;

  readonly #touched: Peer[];
  #touchedCount = 0;
  /** Senders whose pending bit was taken and whose ring was not empty yet. */
  readonly #active: Int32Array;
  #next = 0;
  #polls = 0;

  readonly #rxFrames: number;
  readonly #rxBytes: number;
  readonly #txFrames: number;
  readonly #txBytes: number;
  readonly #txNoPeer: number;
  readonly #txFull: number;
  readonly #rxFiltered: number;
  readonly #rxBadLength: number;
  readonly #brokenRings: number;
  #sentFrames = 0;
  #sentBytes = 0;

  /** Join the network at `port`. Throws EBUSY when another kernel is up there, EPROTO when the network is none. */
  constructor(arena: Arena, bulk: Bulk, network: NetworkDescriptor, port: number, options: VniOptions) {
    const why = checkNetwork(arena, network);
    if (why !== '') throw new MultikernelError('EPROTO', why);
    if (!(port >= 0 && port < network.ports)) throw new MultikernelError('EINVAL', `network has no port ${port}`);
    this.name = options.name;
    this.#arena = arena;
    this.#view = arena.view;
    this.#words = arena.words;
    this.#bulk = bulk;
    this.#network = network;
    this.#port = port;
    this.#portWord = portAt(network, port) >> 2;
    this.#generationIndex = generationAt(network) >> 2;
    this.#stagingAt = stagingAt(network, port) + 2;
    this.#filter = new ReceiveFilter(options.mac);
    this.mac = this.#filter.mac;
    this.#offered = options.capabilities ?? 0;
    this.#dropWhenFull = options.onFull === 'drop';
    this.#direct = network.ports <= DIRECT_POLL_PORTS;
    this.mtuBytes = Math.min(options.mtuBytes ?? 1500, network.maxFrameBytes - ETHERNET_HEADER_BYTES);
    this.maxFrameBytes = this.mtuBytes + ETHERNET_HEADER_BYTES;
    this.#map = new PortMap(arena, network, port);
    this.#dirty = [];
    this.#touched = [];
    this.#active = new Int32Array(Math.ceil(network.ports / 32));
    const counters = options.counters ?? Counters.open(arena, options.name);
    this.counters = counters;
    this.#rxFrames = counters.index('rxFrames');
    this.#rxBytes = counters.index('rxBytes');
    this.#txFrames = counters.index('txFrames');
    this.#txBytes = counters.index('txBytes');
    this.#txNoPeer = counters.index('txNoPeer');
    this.#txFull = counters.index('txFull');
    this.#rxFiltered = counters.index('rxFiltered');
    this.#rxBadLength = counters.index('rxBadLength');
    this.#brokenRings = counters.index('brokenRings');
    this.#join(options.doorbellAt ?? 0);
  }

  #join(doorbellAt: number): void {
    const words = this.#words;
    const word = this.#portWord;
    if (loadCell(words, word + PORT_STATE) === PORT_UP) {
      throw new MultikernelError('EBUSY', `${this.name}: port ${this.#port} is in use`);
    }
    words[word + PORT_EPOCH] = ((words[word + PORT_EPOCH] as number) + 1) | 0;
    words[word + PORT_DOORBELL] = doorbellAt;
    words[word + PORT_CAPABILITIES] = this.#offered;
    for (let i = 0; i < this.#active.length; i++) words[word + PORT_PENDING + i] = 0;
    for (const peer of this.#map.peers) if (peer !== null) this.#map.consumerFrom(peer, true);
    this.#show();
    storeCell(words, word + PORT_STATE, PORT_UP);
    touchGeneration(this.#arena, this.#network);
    this.#rescan();
  }

  /** Write what peers may know of this port. */
  #show(): void {
    const words = this.#words;
    const word = this.#portWord;
    words[word + PORT_MAC_HI] = this.mac.hi;
    words[word + PORT_MAC_LO] = this.mac.lo;
    words[word + PORT_MTU] = this.mtuBytes;
    words[word + PORT_FILTER] = this.#filter.flags;
    words[word + PORT_HASH_LO] = this.#filter.hashLo;
    words[word + PORT_HASH_HI] = this.#filter.hashHi;
  }

  #changed(): void {
    this.#show();
    touchGeneration(this.#arena, this.#network);
  }

  #rescan(): void {
    this.#map.rescan();
    this.#generation = this.#map.generation;
    this.#lastHi = -1;
    this.capabilities = this.#offered & this.#map.commonCapabilities;
    this.#sizes();
    if (loadCell(this.#words, this.#portWord + PORT_STATE) !== PORT_UP && !this.#left)
      this.#leave('port was taken down');
    this.#carrier();
  }

  #sizes(): void {
    this.maxFrameBytes =
      (this.capabilities & CAP_SUPER_FRAMES) !== 0
        ? this.#network.maxFrameBytes
        : this.mtuBytes + ETHERNET_HEADER_BYTES;
  }

  #leave(why: string): void {
    this.#left = true;
    this.#lastHi = -1;
    this.linkUp = false;
    this.downReason = why;
  }

  /** The link is down when no channel is left that could work. A new kernel behind a broken channel makes it sound again. */
  #carrier(): void {
    if (this.#left) return;
    let sound = 0;
    let broken: Peer | null = null;
    for (const peer of this.#map.peers) {
      if (peer === null) continue;
      if (peer.broken === '') sound++;
      else broken = peer;
    }
    this.linkUp = sound > 0;
    this.downReason = broken === null ? '' : `port ${broken.port}: ${broken.broken}`;
  }

  /** What a peer wrote makes no sense: give up that one channel, both ways. */
  #breakPeer(peer: Peer, why: string): void {
    peer.broken = why;
    this.counters.add(this.#brokenRings, 1);
    this.#rescan();
  }

  reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    // The destination of the frame before, nothing changed in between: straight to its ring.
    if (dstLo === this.#lastLo && dstHi === this.#lastHi && this.#words[this.#generationIndex] === this.#generation) {
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

  #reserveAnew(dstHi: number, dstLo: number, lengthBytes: number): number {
    this.#open = null;
    this.#swallow = false;
    if (!this.linkUp) return -Errno.ENETDOWN;
    const map = this.#map;
    if (this.#words[this.#generationIndex] !== this.#generation) this.#rescan();
    if (lengthBytes > this.maxFrameBytes) return -Errno.EMSGSIZE;
    map.lookup(dstHi, dstLo);
    if (map.targetCount !== 1) return this.#stagingAt;
    const peer = map.targets[0] as Peer;
    const producer = map.producerTo(peer);
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
    this.#swallow = true;
    if (producer.broken !== '') {
      this.#breakPeer(peer, producer.broken);
      return this.linkUp ? this.#stagingAt : -Errno.ENETDOWN;
    }
    this.counters.add(this.#txFull, 1);
    return this.#dropWhenFull ? this.#stagingAt : -Errno.ENOBUFS;
  }

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
    if (this.#swallow) return;
    const map = this.#map;
    if (map.targetCount === 0) this.counters.add(this.#txNoPeer, 1);
    let copies = 0;
    for (let i = 0; i < map.targetCount; i++) {
      const peer = map.targets[i] as Peer;
      const producer = peer.producer === null ? map.producerTo(peer) : peer.producer;
      const at = producer.reserve(lengthBytes);
      if (at < 0) {
        this.counters.add(this.#txFull, 1);
        continue;
      }
      this.#bulk.copy(at, this.#stagingAt, lengthBytes);
      producer.commit(lengthBytes, meta);
      if (!peer.dirty) this.#markDirty(peer);
      copies++;
    }
    if (copies === 0) return;
    this.#sentFrames++;
    this.#sentBytes += lengthBytes;
  }

  cancel(): void {
    this.#open = null;
    this.#swallow = true;
  }

  flush(): void {
    if (this.#dirtyCount === 0) return;
    const words = this.#words;
    for (let i = 0; i < this.#dirtyCount; i++) {
      const peer = this.#dirty[i] as Peer;
      peer.dirty = false;
      if (peer.producer === null || !peer.producer.publish()) continue;
      if (!this.#direct) {
        const index = (portAt(this.#network, peer.port) >> 2) + PORT_PENDING + (this.#port >> 5);
        const bit = 1 << (this.#port & 31);
        if ((loadCell(words, index) & bit) === 0) orCell(words, index, bit);
      }
      if (peer.doorbellAt !== 0) ringDoorbell(words, peer.doorbellAt);
    }
    this.#dirtyCount = 0;
    this.counters.add(this.#txFrames, this.#sentFrames);
    this.counters.add(this.#txBytes, this.#sentBytes);
    this.#sentFrames = 0;
    this.#sentBytes = 0;
  }

  awaitRoom(dstHi: number, dstLo: number): boolean {
    if (!this.linkUp) return false;
    this.#map.lookup(dstHi, dstLo);
    if (this.#map.targetCount !== 1) return true;
    const peer = this.#map.targets[0] as Peer;
    return this.#map.producerTo(peer).awaitRoom(Math.max(this.#wantedBytes, this.mtuBytes + ETHERNET_HEADER_BYTES));
  }

  receive(batch: FrameBatch): number {
    if (this.#words[this.#generationIndex] !== this.#generation) this.#rescan();
    if (this.#left) return 0;
    const count = this.#direct ? this.#receiveDirect(batch) : this.#receivePending(batch);
    return count === 0 ? 0 : this.#filterBatch(batch, count);
  }

  /** Few ports: look at every ring, beginning with another one each time. */
  #receiveDirect(batch: FrameBatch): number {
    const peers = this.#map.peers;
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

  /** Many ports: only the rings whose senders set their bit, and those that were not emptied last time. */
  #receivePending(batch: FrameBatch): number {
    const words = this.#words;
    const active = this.#active;
    if ((++this.#polls & LOOK_AROUND_MASK) === 0) this.#lookAround();
    let count = 0;
    for (let i = 0; i < active.length; i++) {
      const index = this.#portWord + PORT_PENDING + i;
      let bits = active[i] as number;
      if (words[index] !== 0) bits |= exchangeCell(words, index, 0);
      let left = bits;
      while (left !== 0 && count < batch.capacity) {
        const bit = 31 - Math.clz32(left & -left);
        left &= left - 1;
        const peer = this.#map.peers[32 * i + bit];
        if (peer == null || peer.broken !== '') {
          bits &= ~(1 << bit);
          continue;
        }
        count = this.#receiveFrom(peer, batch, count);
        if (peer.consumer === null || !peer.consumer.pending) bits &= ~(1 << bit);
      }
      active[i] = bits;
    }
    return count;
  }

  #receiveFrom(peer: Peer, batch: FrameBatch, count: number): number {
    const consumer = peer.consumer === null ? this.#map.consumerFrom(peer, false) : peer.consumer;
    if (consumer === null) return count;
    const end = consumer.receive(batch.at, batch.length, batch.meta, count, batch.capacity);
    if (end > count) this.#touched[this.#touchedCount++] = peer;
    if (consumer.broken !== '') this.#breakPeer(peer, consumer.broken);
    return end;
  }

  /** Leave out what this port does not take, and count. */
  #filterBatch(batch: FrameBatch, count: number): number {
    const view = this.#view;
    const macHi = this.mac.hi;
    const macLo = this.mac.lo;
    const longest = this.maxFrameBytes + VLAN_TAG_BYTES;
    let kept = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const length = batch.length[i] as number;
      if (length < ETHERNET_HEADER_BYTES || length > longest) {
        this.counters.add(this.#rxBadLength, 1);
        continue;
      }
      const hi = view.getUint16(at);
      const lo = view.getInt32(at + 2);
      if ((lo !== macLo || hi !== macHi) && !this.#filter.passes(hi, lo)) {
        this.counters.add(this.#rxFiltered, 1);
        continue;
      }
      if (kept !== i) {
        batch.at[kept] = at;
        batch.length[kept] = length;
        batch.meta[kept] = batch.meta[i] as number;
      }
      kept++;
      bytes += length;
    }
    this.counters.add(this.#rxFrames, kept);
    this.counters.add(this.#rxBytes, bytes);
    if (kept === 0) this.release();
    return kept;
  }

  release(): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const peer = this.#touched[i] as Peer;
      if (peer.consumer?.release() && peer.doorbellAt !== 0) ringDoorbell(this.#words, peer.doorbellAt);
    }
    this.#touchedCount = 0;
  }

  get pending(): boolean {
    if (this.#left) return false;
    if (this.#direct) {
      for (const peer of this.#map.peers) {
        if (peer !== null && peer.broken === '' && this.#map.consumerFrom(peer, false)?.pending) return true;
      }
      return false;
    }
    for (let i = 0; i < this.#active.length; i++) {
      if (this.#active[i] !== 0 || loadCell(this.#words, this.#portWord + PORT_PENDING + i) !== 0) return true;
    }
    return this.#lookAround();
  }

  /** The pending map is everybody's: look at all rings themselves now and then, in case a bad peer wiped bits out. */
  #lookAround(): boolean {
    let found = false;
    for (const peer of this.#map.peers) {
      if (peer === null || peer.broken !== '' || !this.#map.consumerFrom(peer, false)?.pending) continue;
      (this.#active[peer.port >> 5] as number) |= 1 << (peer.port & 31);
      found = true;
    }
    return found;
  }

  setFilter(flags: number): void {
    this.#filter.flags = flags;
    this.#changed();
  }

  joinMulticast(hi: number, lo: number): void {
    this.#filter.join(hi, lo);
    this.#changed();
  }

  leaveMulticast(hi: number, lo: number): void {
    this.#filter.leave(hi, lo);
    this.#changed();
  }

  /** Throws EINVAL when the network's rings are too small for it, or below 68 (RFC 791). */
  setMtu(mtuBytes: number): void {
    if (!(mtuBytes >= 68 && mtuBytes + ETHERNET_HEADER_BYTES <= this.#network.maxFrameBytes)) {
      throw new MultikernelError(
        'EINVAL',
        `${this.name}: mtu ${mtuBytes}: 68 to ${this.#network.maxFrameBytes - ETHERNET_HEADER_BYTES}`,
      );
    }
    this.mtuBytes = mtuBytes;
    this.#sizes();
    this.#changed();
  }

  close(): void {
    if (loadCell(this.#words, this.#portWord + PORT_STATE) === PORT_UP)
      storeCell(this.#words, this.#portWord + PORT_STATE, PORT_FREE);
    touchGeneration(this.#arena, this.#network);
    this.#leave('closed');
  }
}
