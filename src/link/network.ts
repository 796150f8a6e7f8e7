/**
 * A vni network: the shared structure through which the ports of one Ethernet segment meet (Mint VNI, papers/003), with its
 * packet buffers in either organisation: one ring per directed channel (configuration 2, vni.ts) or one shared pool
 * (configuration 1, shared-vni.ts).
 *
 * Thread: the lab's supervisor creates it and marks dead ports; each device (vni-port.ts) writes its own port entry and reads
 * the others'. Layout and the life cycle of a port: docs/layouts/network.md. The descriptor is plain JSON, handed to every
 * kernel by the network's maker; it is trusted, the contents of shared memory are not.
 */

import { assert } from '../base/assert.ts';
import type { Arena } from '../mem/arena.ts';
import { addCell, loadCell, replaceCell } from '../mem/cells.ts';
import { END_DEAD, END_LIFE, END_OWNER, END_UP, freeEnd, markEndDead, stateOf, withState } from '../mem/channel-end.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from '../mem/layout.ts';
import type { OwnerHolder } from '../mem/owner.ts';
import { formatSlotPool, SlotPool, type SlotPoolShape, slotBytes, slotPoolBytes } from '../mem/slot-pool.ts';
import { formatRing, RECORD_HEADER_BYTES, ringBytes, ringCapacity } from '../mem/spsc-ring.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';

export const NETWORK_MAGIC: number = magicOf('MKNW');
const VERSION = 2;

/** Most ports of a network. */
export const MAX_PORTS = 256;
/** Ring given to each direction when nothing else is said: 2-4 times the level 2 cache, so that lines stream through level 3. */
export const DEFAULT_RING_BYTES: number = 3 * 1024 * 1024;
const DEFAULT_BUDGET_BYTES: number = 512 * 1024 * 1024;
const MIN_RING_BYTES = 16384;
const DEFAULT_FRAME_BYTES: number = 1500 + ETHERNET_HEADER_BYTES;
/** The longest frame of all: a 64 KiB super-frame and its Ethernet header. */
const MAX_FRAME_BYTES: number = 65535 + ETHERNET_HEADER_BYTES;
/** Padding before each frame in a ring: the network header behind 14 bytes of Ethernet lies on a multiple of 8. */
export const FRAME_PAD_BYTES = 2;
/** Up to so many ports, a receiver looks at every ring; beyond, senders set bits in its pending map. */
export const DIRECT_POLL_PORTS = 8;

const HEADER_BYTES: number = 2 * LINE_BYTES;
const GENERATION_OFFSET: number = LINE_BYTES;
export const PORT_BYTES: number = 2 * LINE_BYTES;
/** Head of a network in a file: everything in front of its channels, as much as a host maps at least. */
export const FILE_HEAD_BYTES = 65_536;
/** Words of a port entry; it begins with the end record of all channels of that port (mem/channel-end.ts). */
export const PORT_MAC_HI = 4;
export const PORT_MAC_LO = 5;
export const PORT_MTU = 6;
export const PORT_CAPABILITIES = 7;
export const PORT_FILTER = 8;
/** 64-bit multicast hash filter. */
export const PORT_HASH_LO = 9;
export const PORT_HASH_HI = 10;
/** Bell of a port of a network in a file: AWAKE, SLEEPING or BLOCKED (mem/bell.ts); elsewhere a doorbell of the arena has it. */
export const PORT_BELL = 16;
/** Pending map: bit of each sending port, on a line of its own. */
export const PORT_PENDING: number = LINE_BYTES / 4;

/** Options of {@link createNetwork}. */
export interface VniNetworkOptions {
  /** Most kernels that can be on it at a time, 2 to 256. */
  ports: number;
  /** Buffer of each directed channel; default {@link defaultRingBytes}. */
  ringBytes?: number;
  /** Most bytes that all buffers together take when `ringBytes` is not given; default 512 MiB. */
  budgetBytes?: number;
  /**
   * Organisation of packet buffers (papers/003, section 3): `channels`, one per directed channel, no locks (the default);
   * `shared`, one for all ports under a lock, for many ports in little memory.
   */
  buffers?: 'channels' | 'shared';
  /** Shared: size of the one buffer, default 3 MiB. */
  bufferBytes?: number;
  /** Shared: the longest frame, default 1514; every slot has room for it. */
  frameBytes?: number;
}

/** Plain and JSON-able; `offset` counts from the base of the arena. */
export interface NetworkDescriptor {
  /** Discriminates descriptors. */
  readonly kind: 'vni';
  /** Organisation of packet buffers. */
  readonly buffers: 'channels' | 'shared';
  /** Place in the arena. */
  readonly offset: number;
  /** Most kernels that can be on it at a time. */
  readonly ports: number;
  /** Usable bytes of each ring; 0 with a shared buffer. */
  readonly ringBytes: number;
  /** Slots of the shared buffer; 0 with rings. */
  readonly slots: number;
  /** Longest frame. */
  readonly maxFrameBytes: number;
  /** Bytes of the arena that it takes. */
  readonly byteLength: number;
  /** The arena has the channels of this port alone, as parts of a file (vni-file.ts). */
  readonly only?: number;
}

/** Bytes per directed channel that a budget allows: the default 3 MiB, less when many ports share the network. */
export function defaultRingBytes(ports: number, budgetBytes: number = DEFAULT_BUDGET_BYTES): number {
  const share = Math.floor(budgetBytes / (ports * (ports - 1)));
  return Math.max(MIN_RING_BYTES, Math.min(DEFAULT_RING_BYTES, share & -4096));
}

/** A quarter of the ring at most, so that a super-frame never waits for the ring to run empty. */
function maxFrameOf(capacity: number): number {
  return Math.min(MAX_FRAME_BYTES, (capacity >> 2) - RECORD_HEADER_BYTES - FRAME_PAD_BYTES);
}

export function stagingBytes(maxFrameBytes: number): number {
  return Math.ceil((maxFrameBytes + RECORD_HEADER_BYTES + FRAME_PAD_BYTES) / LINE_BYTES) * LINE_BYTES;
}

/** A network without its place. */
export type NetworkShape = Omit<NetworkDescriptor, 'offset' | 'byteLength'>;

// cold: once per network
export function shapeOf(options: VniNetworkOptions): NetworkShape {
  const { ports } = options;
  assert(Number.isInteger(ports) && ports >= 2 && ports <= MAX_PORTS, 'network: 2 to 256 ports');
  if (options.buffers === 'shared') {
    const maxFrameBytes = Math.min(MAX_FRAME_BYTES, options.frameBytes ?? DEFAULT_FRAME_BYTES);
    const slots = Math.floor((options.bufferBytes ?? DEFAULT_RING_BYTES) / slotBytes(maxFrameBytes));
    assert(slots >= 2 * ports, 'network: shared buffer of fewer than two slots per port');
    return { kind: 'vni', buffers: 'shared', ports, ringBytes: 0, slots, maxFrameBytes };
  }
  const ringBytes = ringCapacity(options.ringBytes ?? defaultRingBytes(ports, options.budgetBytes));
  assert(ringBytes >= 4096, 'network: ring below 4 KiB');
  return { kind: 'vni', buffers: 'channels', ports, ringBytes, slots: 0, maxFrameBytes: maxFrameOf(ringBytes) };
}

/** Bytes of port entries and staging places, before the buffers begin. */
function controlBytes(shape: NetworkShape): number {
  return HEADER_BYTES + shape.ports * (PORT_BYTES + stagingBytes(shape.maxFrameBytes));
}

function buffersBytes(shape: NetworkShape): number {
  if (shape.buffers === 'shared') return slotPoolBytes(poolShape(shape));
  return shape.ports * (shape.ports - 1) * ringBytes(shape.ringBytes);
}

/** Bytes of arena that `createNetwork` with these options takes. */
export function networkBytes(options: VniNetworkOptions): number {
  const shape = shapeOf(options);
  return controlBytes(shape) + buffersBytes(shape);
}

/** Lay out a network in the arena. Touches only the pages of headers; throws ENOMEM. */
// cold: once per network
export function createNetwork(arena: Arena, options: VniNetworkOptions): NetworkDescriptor {
  const shape = shapeOf(options);
  const byteLength = controlBytes(shape) + buffersBytes(shape);
  const at = arena.allocate(byteLength, 4096);
  const network: NetworkDescriptor = { ...shape, offset: arena.offset(at), byteLength };
  writeSizes(arena.words, at, shape);
  if (network.buffers === 'shared') {
    formatSlotPool(arena, arena.place(poolOffset(network)), poolShape(network));
  } else if (network.ports <= DIRECT_POLL_PORTS) {
    for (let from = 0; from < network.ports; from++) {
      for (let to = 0; to < network.ports; to++) {
        if (from === to) continue;
        formatRing(arena, arena.place(ringOffset(network, from, to)), network.ringBytes, FRAME_PAD_BYTES);
      }
    }
  }
  seal(arena.words, at, NETWORK_MAGIC, VERSION);
  return network;
}

function writeSizes(words: Int32Array, at: number, shape: NetworkShape): void {
  const word = at >> 2;
  words[word + 2] = shape.ports;
  words[word + 3] = shape.ringBytes;
  words[word + 4] = shape.maxFrameBytes;
  words[word + 5] = shape.slots;
}

/** Finish the head of a network whose rings lie in a file. */
// cold: once per network
export function sealNetwork(words: Int32Array, at: number, shape: NetworkShape): void {
  writeSizes(words, at, shape);
  seal(words, at, NETWORK_MAGIC, VERSION);
}

/** '' when the descriptor fits the network in the arena, otherwise why not. */
// cold: once per network
export function checkNetwork(arena: Arena, network: NetworkDescriptor): string {
  if (!arena.holds(network.offset, network.byteLength)) return 'network outside the arena';
  const why = checkHead(arena.words, arena.place(network.offset), network);
  return why === '' ? '' : `network: ${why}`;
}

/** '' when the head at a place is one of that shape. */
// cold: once per network
export function checkHead(words: Int32Array, at: number, shape: NetworkShape): string {
  const why = checkSeal(words, at, NETWORK_MAGIC, VERSION);
  if (why !== '') return why;
  const word = at >> 2;
  const same =
    words[word + 2] === shape.ports && words[word + 3] === shape.ringBytes && words[word + 5] === shape.slots;
  return same ? '' : 'other sizes';
}

export function generationOffset(network: NetworkDescriptor): number {
  return network.offset + GENERATION_OFFSET;
}

export function portOffset(network: NetworkDescriptor, port: number): number {
  return network.offset + HEADER_BYTES + port * PORT_BYTES;
}

/** Offset at which a port writes frames that go to nobody or to several. */
export function stagingOffset(network: NetworkDescriptor, port: number): number {
  if (network.only !== undefined) return network.offset + FILE_HEAD_BYTES + (network.ports - 1) * pairBytes(network);
  return portOffset(network, network.ports) + port * stagingBytes(network.maxFrameBytes);
}

/** Both rings of a channel between two ports. */
export function pairBytes(network: NetworkShape): number {
  return 2 * ringBytes(network.ringBytes);
}

/** The ring of the directed channel between two different ports. */
export function ringOffset(network: NetworkDescriptor, from: number, to: number): number {
  const { only } = network;
  if (only !== undefined) {
    const other = from === only ? to : from;
    const pairAt = network.offset + FILE_HEAD_BYTES + (other < only ? other : other - 1) * pairBytes(network);
    return from < to ? pairAt : pairAt + ringBytes(network.ringBytes);
  }
  const channel = from * (network.ports - 1) + (to > from ? to - 1 : to);
  return stagingOffset(network, network.ports) + channel * ringBytes(network.ringBytes);
}

/** Offset of the shared buffer. */
export function poolOffset(network: NetworkDescriptor): number {
  return stagingOffset(network, network.ports);
}

// cold: once per network
export function poolShape(network: NetworkShape): SlotPoolShape {
  return { slots: network.slots, contentBytes: network.maxFrameBytes, queues: network.ports };
}

/** Tell every device that a port entry changed. */
export function touchGeneration(arena: Arena, network: NetworkDescriptor): void {
  addCell(arena.words, arena.place(generationOffset(network)) >> 2, 1);
}

function portWord(arena: Arena, network: NetworkDescriptor, port: number): number {
  return arena.place(portOffset(network, port)) >> 2;
}

/** Take the port from `owner`, who is dead: peers stop writing to it, frames to it vanish, its slots are free again. */
// cold: once per death of an owner
function buryPort(arena: Arena, network: NetworkDescriptor, port: number, owner: number): void {
  const word = portWord(arena, network, port);
  if (!markEndDead(arena.words, word, owner)) return;
  touchGeneration(arena, network);
  if (network.buffers === 'shared') {
    const stillHeld = (): boolean => loadCell(arena.words, word + END_OWNER) === owner;
    new SlotPool(arena, arena.place(poolOffset(network)), poolShape(network), port).reclaim(port, owner, stillHeld);
  }
  freeEnd(arena.words, word, owner);
}

/** The kernel behind a port is gone, says the caller: its peers stop writing to it and frames to it vanish. */
export function markPortDead(arena: Arena, network: NetworkDescriptor, port: number): void {
  const word = portWord(arena, network, port);
  const life = loadCell(arena.words, word + END_LIFE);
  const owner = loadCell(arena.words, word + END_OWNER);
  if (owner !== 0) buryPort(arena, network, port, owner);
  else if (replaceCell(arena.words, word + END_LIFE, life, withState(life, END_DEAD))) touchGeneration(arena, network);
}

/** Takes the ports of dead owners from them; for `OwnerTable.add` in a process that outlives them. */
// cold: once per death of an owner
export function networkHolder(arena: Arena, network: NetworkDescriptor): OwnerHolder {
  return {
    bury(owner: number): void {
      for (let port = 0; port < network.ports; port++) buryPort(arena, network, port, owner);
    },
  };
}

/** State of a port of a network. */
export interface PortInfo {
  /** Number, from 0. */
  port: number;
  /** dead: its kernel ended without closing it. */
  state: 'free' | 'up' | 'dead';
  /** First 16 bits of its Ethernet address. */
  macHi: number;
  /** Last 32 bits of its Ethernet address, as int32. */
  macLo: number;
  /** Largest IP packet that its kernel takes. */
  mtuBytes: number;
  /** Whether it takes every frame. */
  promiscuous: boolean;
}

/** Entries of the ports, for tools. */
// cold: for tools
export function listPorts(arena: Arena, network: NetworkDescriptor): PortInfo[] {
  return Array.from({ length: network.ports }, (_, port) => {
    const word = portWord(arena, network, port);
    const state = stateOf(loadCell(arena.words, word + END_LIFE));
    return {
      port,
      state: state === END_UP ? 'up' : state === END_DEAD ? 'dead' : 'free',
      macHi: (arena.words[word + PORT_MAC_HI] as number) & 0xffff,
      macLo: arena.words[word + PORT_MAC_LO] as number,
      mtuBytes: arena.words[word + PORT_MTU] as number,
      promiscuous: ((arena.words[word + PORT_FILTER] as number) & 1) !== 0,
    };
  });
}
