/**
 * A vni device's view of its peers: a private copy of the port entries, renewed when the network's generation
 * changes, and the lookup from destination address to the peers that get the frame.
 *
 * Thread: the device's. Entries are read from shared memory once per change, field by field, and checked here.
 */

import type { Arena } from '../mem/arena.ts';
import { AWAKE } from '../mem/bell.ts';
import { loadCell } from '../mem/cells.ts';
import { ChannelEnd } from '../mem/channel-end.ts';
import { GROUP_BIT } from '../wire/ethernet.ts';
import { DEVICE_ALL_MULTICAST, DEVICE_PROMISCUOUS } from './device.ts';
import { groupHash, isBroadcast } from './filter.ts';
import {
  FRAME_PAD_BYTES,
  generationOffset,
  type NetworkDescriptor,
  PORT_BELL,
  PORT_CAPABILITIES,
  PORT_FILTER,
  PORT_HASH_HI,
  PORT_HASH_LO,
  PORT_MAC_HI,
  PORT_MAC_LO,
  portOffset,
  ringOffset,
} from './network.ts';

/** Wakes a peer in another process, by what its bell says (mem/bell.ts). */
export type PeerRinger = (peer: Peer, state: number) => void;

/** One other port, as this device sees it: the peer end of the channel between the two. */
export class Peer extends ChannelEnd {
  readonly port: number;
  macHi = 0;
  macLo = 0;
  capabilities = 0;
  filter = 0;
  hashLo = 0;
  hashHi = 0;
  /** Committed frames wait for `flush`. */
  dirty = false;
  /** The cable to it is cut: what it sends is dropped here. */
  cut = false;

  /** The bell lies in the port entry: that of a network in a file. */
  readonly #ownBell: boolean;
  readonly #ringer: PeerRinger | null;

  constructor(arena: Arena, network: NetworkDescriptor, own: number, port: number, ringer: PeerRinger | null) {
    const places = {
      outAt: arena.place(ringOffset(network, own, port)),
      inAt: arena.place(ringOffset(network, port, own)),
      capacityBytes: network.ringBytes,
      padBytes: FRAME_PAD_BYTES,
      peerAt: arena.place(portOffset(network, port)),
    };
    super(arena, places);
    this.port = port;
    this.#ownBell = network.only !== undefined;
    this.#ringer = ringer;
  }

  /** Read the port entry again, field by field. Returns whether another kernel is there than before. */
  override look(): boolean {
    const isNew = super.look();
    if (!this.up) return isNew;
    const { words, peerWord: word } = this;
    if (this.#ownBell) this.bellAt = (word + PORT_BELL) << 2;
    this.macHi = (words[word + PORT_MAC_HI] as number) & 0xffff;
    this.macLo = words[word + PORT_MAC_LO] as number;
    this.capabilities = words[word + PORT_CAPABILITIES] as number;
    this.filter = words[word + PORT_FILTER] as number;
    this.hashLo = words[word + PORT_HASH_LO] as number;
    this.hashHi = words[word + PORT_HASH_HI] as number;
    return isNew;
  }

  override wake(): void {
    if (this.#ringer === null) super.wake();
    else if (this.bellAt !== 0) {
      const state = loadCell(this.words, this.bellAt >> 2);
      if (state !== AWAKE) this.#ringer(this, state);
    }
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
  readonly #generationIndex: number;
  readonly #mask: number;
  /** Open-addressed: hi, lo, port + 1 (0 = empty). */
  readonly #table: Int32Array;
  /** Address and result of the last lookup. */
  #lastHi = -1;
  #lastLo = 0;

  /** `ringer`: peers lie in other processes; default: they lie in this one. */
  constructor(arena: Arena, network: NetworkDescriptor, port: number, ringer: PeerRinger | null = null) {
    this.#arena = arena;
    this.#generationIndex = arena.place(generationOffset(network)) >> 2;
    this.peers = Array.from({ length: network.ports }, (_, i) =>
      i === port ? null : new Peer(arena, network, port, i, ringer),
    );
    this.targets = new Array<Peer | null>(network.ports).fill(null);
    let size = 8;
    while (size < 2 * network.ports) size *= 2;
    this.#mask = size - 1;
    this.#table = new Int32Array(3 * size);
  }

  /** Read all port entries again. */
  rescan(): void {
    this.generation = loadCell(this.#arena.words, this.#generationIndex);
    this.#table.fill(0);
    this.#lastHi = -1;
    this.commonCapabilities = -1;
    for (const peer of this.peers) {
      if (peer === null) continue;
      peer.look();
      if (!peer.up) continue;
      this.commonCapabilities &= peer.capabilities;
      if (peer.broken === '') this.#insert(peer);
    }
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
}
