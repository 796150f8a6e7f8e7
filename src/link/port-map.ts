/**
 * What one vni device knows of its peers: a private copy of the port entries, renewed when the network's generation
 * changes, and the lookup from destination address to the peers that get the frame.
 *
 * Thread: the device's. Entries are read from shared memory once per change, field by field, and checked here.
 */

import type { Arena } from '../mem/arena.ts';
import { loadCell } from '../mem/cells.ts';
import { formatRing, RingConsumer, RingProducer } from '../mem/spsc-ring.ts';
import { GROUP_BIT } from '../wire/ethernet.ts';
import { DEVICE_ALL_MULTICAST, DEVICE_PROMISCUOUS } from './device.ts';
import { groupHash, isBroadcast } from './filter.ts';
import {
  generationAt,
  type NetworkDescriptor,
  PORT_CAPABILITIES,
  PORT_DOORBELL,
  PORT_EPOCH,
  PORT_FILTER,
  PORT_HASH_HI,
  PORT_HASH_LO,
  PORT_MAC_HI,
  PORT_MAC_LO,
  PORT_STATE,
  PORT_UP,
  portAt,
  ringAt,
} from './network.ts';

/** One other port, as this device sees it. */
export class Peer {
  readonly port: number;
  up = false;
  epoch = 0;
  macHi = 0;
  macLo = 0;
  capabilities = 0;
  filter = 0;
  hashLo = 0;
  hashHi = 0;
  /** 0: none that could be rung. */
  doorbellAt = 0;
  producer: RingProducer | null = null;
  consumer: RingConsumer | null = null;
  /** Committed frames wait for `flush`. */
  dirty = false;
  /** '' or why this peer's channel was marked down. */
  broken = '';
  /** It was down, and another kernel is behind it now. */
  renewed = false;

  constructor(port: number) {
    this.port = port;
  }

  /** Whether the peer wants a frame to that group address. */
  wantsGroup(hi: number, lo: number): boolean {
    if ((this.filter & (DEVICE_PROMISCUOUS | DEVICE_ALL_MULTICAST)) !== 0 || isBroadcast(hi, lo)) return true;
    const bit = groupHash(hi, lo);
    return (((bit < 32 ? this.hashLo : this.hashHi) >>> (bit & 31)) & 1) !== 0;
  }
}

export class PortMap {
  /** All other ports, by their number; the own place holds null. */
  readonly peers: readonly (Peer | null)[];
  /** `CAP_*` bits that every peer that is up offers. */
  commonCapabilities = -1;
  /** The peers that get a frame to the address looked up last; the first `targetCount` count. */
  readonly targets: (Peer | null)[];
  targetCount = 0;
  generation = 0;

  readonly #arena: Arena;
  readonly #network: NetworkDescriptor;
  readonly #port: number;
  readonly #mask: number;
  /** Open-addressed: hi, lo, port + 1 (0 = empty). */
  readonly #table: Int32Array;
  /** Address and result of the last lookup. */
  #lastHi = -1;
  #lastLo = 0;

  constructor(arena: Arena, network: NetworkDescriptor, port: number) {
    this.#arena = arena;
    this.#network = network;
    this.#port = port;
    this.peers = Array.from({ length: network.ports }, (_, i) => (i === port ? null : new Peer(i)));
    this.targets = new Array<Peer | null>(network.ports).fill(null);
    let size = 8;
    while (size < 2 * network.ports) size *= 2;
    this.#mask = size - 1;
    this.#table = new Int32Array(3 * size);
  }

  /** Read all port entries again. */
  rescan(): void {
    const words = this.#arena.words;
    this.generation = loadCell(words, generationAt(this.#network) >> 2);
    this.#table.fill(0);
    this.#lastHi = -1;
    this.commonCapabilities = -1;
    for (const peer of this.peers) {
      if (peer === null) continue;
      const word = portAt(this.#network, peer.port) >> 2;
      peer.up = loadCell(words, word + PORT_STATE) === PORT_UP;
      if (!peer.up) continue;
      peer.macHi = (words[word + PORT_MAC_HI] as number) & 0xffff;
      peer.macLo = words[word + PORT_MAC_LO] as number;
      peer.capabilities = words[word + PORT_CAPABILITIES] as number;
      peer.filter = words[word + PORT_FILTER] as number;
      peer.hashLo = words[word + PORT_HASH_LO] as number;
      peer.hashHi = words[word + PORT_HASH_HI] as number;
      const doorbellAt = words[word + PORT_DOORBELL] as number;
      peer.doorbellAt = this.#arena.isDoorbell(doorbellAt) ? doorbellAt : 0;
      const epoch = words[word + PORT_EPOCH] as number;
      if (epoch !== peer.epoch) this.#renew(peer, epoch);
      this.commonCapabilities &= peer.capabilities;
      if (peer.broken === '') this.#insert(peer);
    }
  }

  /** Another kernel took that port: what was wrong with the last one is forgotten. */
  #renew(peer: Peer, epoch: number): void {
    peer.epoch = epoch;
    if (peer.broken === '') return;
    peer.broken = '';
    peer.producer = null;
    peer.consumer = null;
    peer.renewed = true;
  }

  #insert(peer: Peer): void {
    const table = this.#table;
    let slot = this.#slotOf(peer.macHi, peer.macLo);
    for (; table[slot + 2] !== 0; slot = slot + 3 === table.length ? 0 : slot + 3) {
      // The first port that claims an address keeps it.
      if (table[slot] === peer.macHi && table[slot + 1] === peer.macLo) return;
    }
    table[slot] = peer.macHi;
    table[slot + 1] = peer.macLo;
    table[slot + 2] = peer.port + 1;
  }

  #slotOf(hi: number, lo: number): number {
    return 3 * ((Math.imul(lo ^ Math.imul(hi, 0x85ebca6b), 0x9e3779b1) >>> 16) & this.#mask);
  }

  /** Fill `targets` for a destination; does nothing when it is the one of the last call. */
  lookup(hi: number, lo: number): void {
    if (hi === this.#lastHi && lo === this.#lastLo) return;
    this.#lastHi = hi;
    this.#lastLo = lo;
    this.targetCount = 0;
    if ((hi & GROUP_BIT) !== 0) {
      for (const peer of this.peers) {
        if (peer?.up && peer.broken === '' && peer.wantsGroup(hi, lo)) this.targets[this.targetCount++] = peer;
      }
      return;
    }
    const table = this.#table;
    let slot = this.#slotOf(hi, lo);
    for (; table[slot + 2] !== 0; slot = slot + 3 === table.length ? 0 : slot + 3) {
      if (table[slot] !== hi || table[slot + 1] !== lo) continue;
      this.targets[this.targetCount++] = this.peers[(table[slot + 2] as number) - 1] as Peer;
      return;
    }
    for (const peer of this.peers) {
      if (peer?.up && peer.broken === '' && (peer.filter & DEVICE_PROMISCUOUS) !== 0)
        this.targets[this.targetCount++] = peer;
    }
  }

  /** The ring to a peer, formatted on first use so that unused channels take no memory. */
  producerTo(peer: Peer): RingProducer {
    if (peer.producer !== null) return peer.producer;
    const at = ringAt(this.#network, this.#port, peer.port);
    const used = this.#arena.words[at >> 2] !== 0;
    if (!used) formatRing(this.#arena, at, this.#network.ringBytes);
    peer.producer = new RingProducer(this.#arena, at, this.#network.ringBytes);
    if (used) peer.producer.takeOver();
    return peer.producer;
  }

  /**
   * The ring from a peer, or null while nothing ever came that way. `takeOver`: this kernel is a new one at its port, so
   * what was sent to the last one is dropped.
   */
  consumerFrom(peer: Peer, takeOver: boolean): RingConsumer | null {
    if (peer.consumer !== null) return peer.consumer;
    const at = ringAt(this.#network, peer.port, this.#port);
    if (this.#arena.words[at >> 2] === 0) return null;
    peer.consumer = new RingConsumer(this.#arena, at, this.#network.ringBytes);
    if (takeOver || peer.renewed) peer.consumer.takeOver();
    peer.renewed = false;
    return peer.consumer;
  }
}
