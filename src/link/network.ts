/**
 * A vni network: the shared structure through which the ports of one Ethernet segment meet (Mint VNI, papers/003), with its
 * packet buffers in either organisation: one ring per directed channel (configuration 2, vni.ts) or one shared pool
 * (configuration 1, shared-vni.ts).
 *
 * Thread: the lab's supervisor creates it and marks dead ports; each device (vni-port.ts) writes its own port entry and reads
 * the others'. Layout and the life cycle of a port: docs/layouts/network.md. The descriptor is plain JSON, handed to every
 * kernel by whoever made the network; it is trusted, what lies in shared memory is not.
 */

import { assert } from '../base/assert.ts';
import type { Arena } from '../mem/arena.ts';
import { addCell, loadCell, storeCell } from '../mem/cells.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from '../mem/layout.ts';
import { formatSlotPool, SlotPool, type SlotPoolShape, slotBytes, slotPoolBytes } from '../mem/slot-pool.ts';
import { formatRing, RECORD_HEADER_BYTES, ringBytes, ringCapacity } from '../mem/spsc-ring.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';

const MAGIC = magicOf('MKNW');
const VERSION = 1;

export const MAX_PORTS = 256;
/** Ring given to each direction when nothing else is said: 2-4 times the level 2 cache, so that lines stream through level 3. */
export const DEFAULT_RING_BYTES: number = 3 * 1024 * 1024;
const DEFAULT_BUDGET_BYTES: number = 512 * 1024 * 1024;
const MIN_RING_BYTES = 16384;
const DEFAULT_FRAME_BYTES: number = 1500 + ETHERNET_HEADER_BYTES;
/** The longest frame of all: a 64 KiB super-frame and its Ethernet header. */
const MAX_FRAME_BYTES: number = 65535 + ETHERNET_HEADER_BYTES;
/** Up to so many ports, a receiver looks at every ring; beyond, senders set bits in its pending map. */
export const DIRECT_POLL_PORTS = 8;

export const PORT_FREE = 0;
export const PORT_UP = 1;
export const PORT_DEAD = 2;

const HEADER_BYTES: number = 2 * LINE_BYTES;
const GENERATION_OFFSET: number = LINE_BYTES;
export const PORT_BYTES: number = 2 * LINE_BYTES;
/** Words of a port entry. */
export const PORT_STATE = 0;
export const PORT_EPOCH = 1;
export const PORT_MAC_HI = 2;
export const PORT_MAC_LO = 3;
export const PORT_MTU = 4;
export const PORT_CAPABILITIES = 5;
export const PORT_FILTER = 6;
export const PORT_DOORBELL = 7;
/** 64-bit multicast hash filter. */
export const PORT_HASH_LO = 8;
export const PORT_HASH_HI = 9;
/** Pending map: bit of each sending port, on a line of its own. */
export const PORT_PENDING: number = LINE_BYTES / 4;

export interface NetworkOptions {
  /** Most kernels that can be on it at a time, 2 to 256. */
  ports: number;
  /** Buffer of each directed channel; default {@link defaultRingBytes}. */
  ringBytes?: number;
  /** Most bytes that all buffers together take when `ringBytes` is not given; default 512 MiB. */
  budgetBytes?: number;
  /**
   * How packet buffers are organised (papers/003, section 3): `channels`, one per directed channel, no locks (the default);
   * `shared`, one for all ports under a lock, for many ports in little memory.
   */
  buffers?: 'channels' | 'shared';
  /** Shared: size of the one buffer, default 3 MiB. */
  bufferBytes?: number;
  /** Shared: the longest frame, default 1514; every slot has room for it. */
  frameBytes?: number;
}

/** Plain and JSON-able; `at` is an offset in the arena. */
export interface NetworkDescriptor {
  readonly kind: 'vni';
  readonly buffers: 'channels' | 'shared';
  readonly at: number;
  readonly ports: number;
  /** Usable bytes of each ring; 0 with a shared buffer. */
  readonly ringBytes: number;
  /** Slots of the shared buffer; 0 with rings. */
  readonly slots: number;
  readonly maxFrameBytes: number;
  readonly byteLength: number;
}

/** Bytes per directed channel that a budget allows: the default 3 MiB, less when many ports share the network. */
export function defaultRingBytes(ports: number, budgetBytes: number = DEFAULT_BUDGET_BYTES): number {
  const share = Math.floor(budgetBytes / (ports * (ports - 1)));
  return Math.max(MIN_RING_BYTES, Math.min(DEFAULT_RING_BYTES, share & -4096));
}

/** A quarter of the ring at most, so that a super-frame never waits for the ring to run empty. */
function maxFrameOf(capacity: number): number {
  return Math.min(MAX_FRAME_BYTES, (capacity >> 2) - RECORD_HEADER_BYTES);
}

function stagingBytes(maxFrameBytes: number): number {
  return Math.ceil((maxFrameBytes + RECORD_HEADER_BYTES) / LINE_BYTES) * LINE_BYTES;
}

type Shape = Omit<NetworkDescriptor, 'at' | 'byteLength'>;

function shapeOf(options: NetworkOptions): Shape {
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
function controlBytes(shape: Shape): number {
  return HEADER_BYTES + shape.ports * (PORT_BYTES + stagingBytes(shape.maxFrameBytes));
}

function buffersBytes(shape: Shape): number {
  if (shape.buffers === 'shared') return slotPoolBytes(poolShape(shape));
  return shape.ports * (shape.ports - 1) * ringBytes(shape.ringBytes);
}

/** Bytes of arena that `createNetwork` with these options takes. */
export function networkBytes(options: NetworkOptions): number {
  const shape = shapeOf(options);
  return controlBytes(shape) + buffersBytes(shape);
}

/** Lay out a network in the arena. Touches only the pages of headers; throws ENOMEM. */
export function createNetwork(arena: Arena, options: NetworkOptions): NetworkDescriptor {
  const shape = shapeOf(options);
  const byteLength = controlBytes(shape) + buffersBytes(shape);
  const at = arena.allocate(byteLength, 4096);
  const network: NetworkDescriptor = { ...shape, at, byteLength };
  const word = at >> 2;
  arena.words[word + 2] = network.ports;
  arena.words[word + 3] = network.ringBytes;
  arena.words[word + 4] = network.maxFrameBytes;
  arena.words[word + 5] = network.slots;
  if (network.buffers === 'shared') {
    formatSlotPool(arena, poolAt(network), poolShape(network));
  } else if (network.ports <= DIRECT_POLL_PORTS) {
    for (let from = 0; from < network.ports; from++) {
      for (let to = 0; to < network.ports; to++) {
        if (from !== to) formatRing(arena, ringAt(network, from, to), network.ringBytes);
      }
    }
  }
  seal(arena.words, at, MAGIC, VERSION);
  return network;
}

/** '' when the descriptor fits what lies in the arena, otherwise why not. */
export function checkNetwork(arena: Arena, network: NetworkDescriptor): string {
  const word = network.at >> 2;
  if (network.at < 0 || network.at + network.byteLength > arena.byteLength) return 'network outside the arena';
  const why = checkSeal(arena.words, network.at, MAGIC, VERSION);
  if (why !== '') return `network: ${why}`;
  if (
    arena.words[word + 2] !== network.ports ||
    arena.words[word + 3] !== network.ringBytes ||
    arena.words[word + 5] !== network.slots
  )
    return 'network: other sizes';
  return '';
}

export function generationAt(network: NetworkDescriptor): number {
  return network.at + GENERATION_OFFSET;
}

export function portAt(network: NetworkDescriptor, port: number): number {
  return network.at + HEADER_BYTES + port * PORT_BYTES;
}

/** Where a port writes frames that go to nobody or to several. */
export function stagingAt(network: NetworkDescriptor, port: number): number {
  return portAt(network, network.ports) + port * stagingBytes(network.maxFrameBytes);
}

/** The ring of the directed channel between two different ports. */
export function ringAt(network: NetworkDescriptor, from: number, to: number): number {
  const channel = from * (network.ports - 1) + (to > from ? to - 1 : to);
  return stagingAt(network, network.ports) + channel * ringBytes(network.ringBytes);
}

/** Where the shared buffer lies. */
export function poolAt(network: NetworkDescriptor): number {
  return stagingAt(network, network.ports);
}

export function poolShape(network: Shape): SlotPoolShape {
  return { slots: network.slots, contentBytes: network.maxFrameBytes, queues: network.ports };
}

/** Tell every device that a port entry changed. */
export function touchGeneration(arena: Arena, network: NetworkDescriptor): void {
  addCell(arena.words, generationAt(network) >> 2, 1);
}

/** The kernel behind a port is gone: its peers stop writing to it and frames to it vanish. Supervisor. */
export function markPortDead(arena: Arena, network: NetworkDescriptor, port: number): void {
  storeCell(arena.words, (portAt(network, port) >> 2) + PORT_STATE, PORT_DEAD);
  touchGeneration(arena, network);
  if (network.buffers === 'shared') new SlotPool(arena, poolAt(network), poolShape(network), port).reclaim(port);
}

export interface PortInfo {
  port: number;
  state: 'free' | 'up' | 'dead';
  macHi: number;
  macLo: number;
  mtuBytes: number;
  promiscuous: boolean;
}

/** What the ports say of themselves, for tools. */
export function listPorts(arena: Arena, network: NetworkDescriptor): PortInfo[] {
  return Array.from({ length: network.ports }, (_, port) => {
    const word = portAt(network, port) >> 2;
    const state = loadCell(arena.words, word + PORT_STATE);
    return {
      port,
      state: state === PORT_UP ? 'up' : state === PORT_DEAD ? 'dead' : 'free',
      macHi: (arena.words[word + PORT_MAC_HI] as number) & 0xffff,
      macLo: arena.words[word + PORT_MAC_LO] as number,
      mtuBytes: arena.words[word + PORT_MTU] as number,
      promiscuous: ((arena.words[word + PORT_FILTER] as number) & 1) !== 0,
    };
  });
}
