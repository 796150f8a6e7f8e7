/**
 * Common part of all vni devices: port entry, receive filter, peers, MTU, capabilities and
 * counters. Subclasses move the frames: rings per channel (vni.ts) or one shared buffer (shared-vni.ts).
 *
 * Thread: the kernel's. Members are `protected`, not `#`: the subclass's data path reads them.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { loadCell, storeCell } from '../mem/cells.ts';
import { claimEnd, END_BELL, END_LIFE, END_UP, leaveEnd, nextLife, stateOf } from '../mem/channel-end.ts';
import { Counters } from '../mem/counters.ts';
import { anonymousOwner } from '../mem/owner.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import { MTU_BYTES_MIN } from '../wire/ipv4.ts';
import { CAP_SUPER_FRAMES, type Device, type DeviceQueue, type FrameBatch, type MacAddress } from './device.ts';
import { ReceiveFilter } from './filter.ts';
import {
  checkNetwork,
  FRAME_PAD_BYTES,
  generationOffset,
  type NetworkDescriptor,
  PORT_CAPABILITIES,
  PORT_FILTER,
  PORT_HASH_HI,
  PORT_HASH_LO,
  PORT_MAC_HI,
  PORT_MAC_LO,
  PORT_MTU,
  portOffset,
  stagingOffset,
  touchGeneration,
} from './network.ts';
import { type Peer, type PeerRinger, PortMap } from './port-map.ts';

const VLAN_TAG_BYTES = 4;

/** Options of a port of a network. */
export interface VniOptions {
  /** Interface name, and the name of the counters unless they are given. */
  name: string;
  /** Ethernet address of the port. */
  mac: MacAddress;
  /** Default 1500. */
  mtuBytes?: number;
  /** `CAP_*` bits this side offers; default none. */
  capabilities?: number;
  /** This kernel's doorbell (`arena.allocateDoorbell`); without one the kernel must poll. */
  doorbellAt?: number;
  /** Id of the thread or process that holds the port (mem/owner.ts); default: an anonymous one. */
  owner?: number;
  /** Whether an owner is dead (`OwnerTable.isDead`): a dead one's port and lock can be taken. Default: nobody is. */
  isDead?: (owner: number) => boolean;
  /** A full ring refuses the frame (`wait`, the default) or drops it under a counter (`drop`). */
  onFull?: 'wait' | 'drop';
  /** Default: counters of its own. */
  counters?: Counters;
  /** Filter that outlives the port; default: one of its own for `mac`. */
  filter?: ReceiveFilter;
  /** Wakes the kernel behind a port, which lies in another process. Default: all lie in this one. */
  ringer?: PeerRinger;
}

/** Indices of the counters of a vni device. */
export interface VniCounters {
  readonly rxFrames: number;
  readonly rxBytes: number;
  readonly txFrames: number;
  readonly txBytes: number;
  /** Frames to an address that no port had. */
  readonly txNoPeer: number;
  /** `reserve` refused because there was no room. */
  readonly txBlocked: number;
  /** Frames, or copies of group frames, dropped because there was no room. */
  readonly txFull: number;
  readonly rxFiltered: number;
  readonly rxBadLength: number;
  /** Frames of ports whose cables are cut. */
  readonly rxCut: number;
  /** Channels given up because the peer wrote nonsense. */
  readonly brokenRings: number;
}

/** Common part of the devices on a network of ports that share an arena. */
export abstract class VniPort implements Device, DeviceQueue {
  readonly queues: readonly DeviceQueue[] = [this];
  readonly name: string;
  readonly kind = 'vni';
  readonly linkType = 'ethernet';
  readonly mac: MacAddress;
  readonly counters: Counters;
  linkUp = true;
  downReason = '';
  mtuBytes: number;
  maxFrameBytes: number;
  capabilities = 0;

  /** Arena in which the network lies. */
  protected readonly arena: Arena;
  /** View of the arena, for headers of frames. */
  protected readonly view: DataView;
  /** Words of the arena, for the entries of ports. */
  protected readonly words: Int32Array;
  /** Copies within the arena, for frames to several ports. */
  protected readonly bulk: Bulk;
  /** Network to which the port belongs. */
  protected readonly network: NetworkDescriptor;
  /** Number of the port, from 0. */
  protected readonly port: number;
  /** Id of the thread or process that holds the port (mem/owner.ts). */
  protected readonly owner: number;
  /** Whether an owner is dead; nobody is when it is left out. */
  protected readonly isDead: ((owner: number) => boolean) | undefined;
  /** Index in `words` of the entry of the port. */
  protected readonly portWord: number;
  /** Index in `words` of the generation of the network, which grows with each change of an entry. */
  protected readonly generationIndex: number;
  /** Place at which a frame for none or for several is written. */
  protected readonly stagingAt: number;
  /** Group addresses and flags by which frames are received. */
  protected readonly filter: ReceiveFilter;
  /** Peers, and which of them take a frame to a given address. */
  protected readonly map: PortMap;
  /** Whether a frame is dropped, and not refused, for want of room. */
  protected readonly dropWhenFull: boolean;
  /** Indices of the counters in `counters`. */
  protected readonly count: VniCounters;
  /** Generation of the port entries that `map` holds. */
  protected generation = 0;
  /** Life of this incarnation, as the port entry says it. */
  protected life = 0;
  /** Closed, or taken down by the supervisor: for good. */
  protected left = false;
  readonly #offered: number;
  #doorbellAt = 0;

  protected constructor(
    arena: Arena,
    bulk: Bulk,
    network: NetworkDescriptor,
    port: number,
    buffers: NetworkDescriptor['buffers'],
    options: VniOptions,
  ) {
    const why = checkNetwork(arena, network);
    if (why !== '') throw new MultikernelError('EPROTO', why);
    if (network.buffers !== buffers) throw new MultikernelError('EINVAL', `network has ${network.buffers} buffers`);
    if (!(port >= 0 && port < network.ports)) throw new MultikernelError('EINVAL', `network has no port ${port}`);
    this.name = options.name;
    this.arena = arena;
    this.view = arena.view;
    this.words = arena.words;
    this.bulk = bulk;
    this.network = network;
    this.port = port;
    this.owner = options.owner ?? anonymousOwner(port);
    this.isDead = options.isDead;
    this.portWord = arena.place(portOffset(network, port)) >> 2;
    this.generationIndex = arena.place(generationOffset(network)) >> 2;
    this.stagingAt = arena.place(stagingOffset(network, port)) + FRAME_PAD_BYTES;
    this.filter = options.filter ?? new ReceiveFilter(options.mac);
    this.mac = this.filter.mac;
    this.#offered = options.capabilities ?? 0;
    this.dropWhenFull = options.onFull === 'drop';
    this.mtuBytes = Math.min(options.mtuBytes ?? 1500, network.maxFrameBytes - ETHERNET_HEADER_BYTES);
    this.maxFrameBytes = this.mtuBytes + ETHERNET_HEADER_BYTES;
    this.map = new PortMap(arena, network, port, options.ringer);
    const counters = options.counters ?? Counters.open(arena, options.name);
    this.counters = counters;
    this.count = {
      rxFrames: counters.index('rxFrames'),
      rxBytes: counters.index('rxBytes'),
      txFrames: counters.index('txFrames'),
      txBytes: counters.index('txBytes'),
      txNoPeer: counters.index('txNoPeer'),
      txBlocked: counters.index('txBlocked'),
      txFull: counters.index('txFull'),
      rxFiltered: counters.index('rxFiltered'),
      rxBadLength: counters.index('rxBadLength'),
      rxCut: counters.index('rxCut'),
      brokenRings: counters.index('brokenRings'),
    };
  }

  /** Show this port to the network; `attach` runs before anybody sees it. Throws EBUSY when another kernel is up there. */
  // cold: once per port
  protected join(doorbellAt: number, attach: () => void): void {
    const words = this.words;
    const word = this.portWord;
    if (!claimEnd(words, word, this.owner, this.isDead)) {
      throw new MultikernelError('EBUSY', `${this.name}: port ${this.port} is in use`);
    }
    this.#doorbellAt = doorbellAt;
    attach();
    this.show();
    this.life = nextLife(loadCell(words, word + END_LIFE));
    storeCell(words, word + END_LIFE, this.life);
    touchGeneration(this.arena, this.network);
    this.rescan();
  }

  /** Write the part of the port entry that peers read. */
  protected show(): void {
    const words = this.words;
    const word = this.portWord;
    words[word + PORT_MAC_HI] = this.mac.hi;
    words[word + PORT_MAC_LO] = this.mac.lo;
    words[word + PORT_MTU] = this.mtuBytes;
    words[word + PORT_CAPABILITIES] = this.#offered;
    words[word + PORT_FILTER] = this.filter.flags;
    words[word + PORT_HASH_LO] = this.filter.hashLo;
    words[word + PORT_HASH_HI] = this.filter.hashHi;
    words[word + END_BELL] = this.#doorbellAt === 0 ? 0 : this.arena.offset(this.#doorbellAt);
  }

  /** Whether the port entry says what peers are to read. */
  protected get shown(): boolean {
    const { words, portWord: word, filter, mac } = this;
    return (
      words[word + PORT_MAC_HI] === mac.hi &&
      words[word + PORT_MAC_LO] === mac.lo &&
      words[word + PORT_CAPABILITIES] === this.#offered &&
      words[word + PORT_FILTER] === filter.flags &&
      words[word + PORT_HASH_LO] === filter.hashLo &&
      words[word + PORT_HASH_HI] === filter.hashHi
    );
  }

  #changed(): void {
    this.show();
    touchGeneration(this.arena, this.network);
  }

  /** Some port entry changed: learn all of them again. */
  protected rescan(): void {
    this.map.rescan();
    this.generation = this.map.generation;
    this.capabilities = this.#offered & this.map.commonCapabilities;
    this.#sizes();
    if (!this.left && !this.stillUp()) this.leave('port was taken down');
    this.#carrier();
  }

  /** Whether nobody took the port down. */
  protected stillUp(): boolean {
    return stateOf(loadCell(this.words, this.portWord + END_LIFE)) === END_UP;
  }

  #sizes(): void {
    const isSuper = (this.capabilities & CAP_SUPER_FRAMES) !== 0;
    this.maxFrameBytes = isSuper ? this.network.maxFrameBytes : this.mtuBytes + ETHERNET_HEADER_BYTES;
  }

  /** The link is down for good. */
  protected leave(why: string): void {
    this.left = true;
    this.linkUp = false;
    this.downReason = why;
  }

  /** The link is down when no channel is left that could work. A new kernel behind a broken channel makes it sound again. */
  // cold: once per change of a port
  #carrier(): void {
    if (this.left) return;
    let sound = 0;
    let broken: Peer | null = null;
    for (const peer of this.map.peers) {
      if (peer === null) continue;
      if (peer.broken === '') sound++;
      else broken = peer;
    }
    this.linkUp = sound > 0;
    this.downReason = broken === null ? '' : `port ${broken.port}: ${broken.broken}`;
  }

  /** Gives up one channel, both ways, after its peer wrote nonsense. */
  protected breakPeer(peer: Peer, why: string): void {
    peer.broken = why;
    this.counters.add(this.count.brokenRings, 1);
    this.rescan();
  }

  /** Drop the frames that this port does not take, and count. Returns how many frames are left in the batch. */
  protected filterBatch(batch: FrameBatch, count: number): number {
    const view = this.view;
    const macHi = this.mac.hi;
    const macLo = this.mac.lo;
    const longest = this.maxFrameBytes + VLAN_TAG_BYTES;
    let kept = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const length = batch.length[i] as number;
      if (length < ETHERNET_HEADER_BYTES || length > longest) {
        this.counters.add(this.count.rxBadLength, 1);
        continue;
      }
      const hi = view.getUint16(at);
      const lo = view.getInt32(at + 2);
      if ((lo !== macLo || hi !== macHi) && !this.filter.passes(hi, lo)) {
        this.counters.add(this.count.rxFiltered, 1);
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
    this.counters.add(this.count.rxFrames, kept);
    this.counters.add(this.count.rxBytes, bytes);
    return kept;
  }

  setFilter(flags: number): void {
    this.filter.flags = flags;
    this.#changed();
  }

  joinMulticast(hi: number, lo: number): void {
    this.filter.join(hi, lo);
    this.#changed();
  }

  leaveMulticast(hi: number, lo: number): void {
    this.filter.leave(hi, lo);
    this.#changed();
  }

  setMtu(mtuBytes: number): number {
    const most = this.network.maxFrameBytes - ETHERNET_HEADER_BYTES;
    if (!(mtuBytes >= MTU_BYTES_MIN && mtuBytes <= most)) return -Errno.EINVAL;
    this.mtuBytes = mtuBytes;
    this.#sizes();
    this.#changed();
    return 0;
  }

  close(): void {
    if (!this.left) leaveEnd(this.words, this.portWord, this.owner);
    touchGeneration(this.arena, this.network);
    this.leave('closed');
  }

  get doorbellAt(): number {
    return this.#doorbellAt;
  }

  set doorbellAt(at: number) {
    this.#doorbellAt = at;
    this.#changed();
  }

  abstract reserve(dstHi: number, dstLo: number, lengthBytes: number): number;
  abstract commit(lengthBytes: number, meta: number): void;
  abstract cancel(): void;
  abstract flush(): void;
  abstract awaitRoom(dstHi: number, dstLo: number): boolean;
  abstract receive(batch: FrameBatch): number;
  abstract release(): void;
  abstract readonly pending: boolean;
}
