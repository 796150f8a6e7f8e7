/**
 * The way in: the steps of a frame from the device of its interface to the protocol that its EtherType names.
 *
 * Thread: the one that runs the CPU. One object per kernel. The order of the chain is fixed, its members are registered:
 *   1. taps (`Interface.addTap`): capture and bpf see every frame, also what nobody takes;
 *   2. hooks (`Interface.addHook`) by stage: STAGE_BRIDGE, then STAGE_VLAN; the first that takes a frame ends its way;
 *   3. the link reads its header (`LinkLayer.read`): length, whether the frame is for us, source, EtherType;
 *   4. the protocol of that EtherType (`register`).
 * Steps 2 and later are not reached on an interface that is down. A run, frames of one length in a row that may continue
 * each other, is tried where no hook stands: the first frame is copied to private memory, where nobody can change its
 * header any more, and goes its way through the layers; the transport then compares the others with it.
 * Read first: link-layer.ts, link/device.ts (batches). Missing: 802.3 length frames (dropped and counted).
 */

import { FrameBatch } from '../link/device.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { Counters } from '../mem/counters.ts';
import type { Interface } from './interface.ts';
import { LINK_NOT_OURS, LINK_SHORT, LinkPacket } from './link-layer.ts';

/** Below so many frames of one length a run does not pay for the copy of the first. */
const RUN_MIN = 3;
/** Private memory for that copy: a block of the heap. */
export const RUN_SCRATCH_BYTES = 16384;

export const STAGE_BRIDGE = 1;
export const STAGE_VLAN = 2;

/** Sees frames of one interface, link-layer header included, and takes none (bpf). */
export interface FrameTap {
  received(iface: Interface, batch: FrameBatch, count: number): void;
  /** A frame is complete and about to be handed to the device. */
  sent(iface: Interface, at: number, lengthBytes: number, meta: number): void;
  /** The frames sent since the last call were published. */
  flushed(iface: Interface): void;
  /** The interface is going. */
  detached(iface: Interface): void;
  /** The interface moved to another kernel, where it is this one. */
  moved(to: Interface): void;
}

/** May take frames of one interface before a protocol sees them (bridge, vlan). */
export interface FrameHook {
  readonly stage: number;
  /** True: the frame was taken. It stays valid during the call only. */
  input(iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): boolean;
  /** The interface is going. */
  detached(iface: Interface): void;
  /** The interface moved to another kernel, where it is this one. */
  moved(to: Interface): void;
}

/** A transport that takes segments which continue the one before. */
export interface RunInput {
  /** The next packet may be the first of a run: remember whether segments that continue it need no more than a comparison. */
  begin(): void;
  /**
   * Packets like the first: at `at`, `strideBytes` apart, each `lengthBytes` long with metadata `meta`. In front of each,
   * as in front of the first, lie `linkBytes` that must be equal too. Returns how many of them continued it; they were taken.
   */
  take(
    at: number,
    linkBytes: number,
    strideBytes: number,
    lengthBytes: number,
    meta: number,
    count: number,
    nowUs: number,
  ): number;
}

/** Input of the packets of one EtherType. */
export interface PacketInput {
  readonly runs?: RunInput | null;
  /** `packet` is filled anew for each; what is kept of it is copied. The bytes may be changed. */
  input(packet: LinkPacket, nowUs: number): void;
}

export class LinkInput {
  readonly #bulk: Bulk;
  readonly #counters: Counters;
  readonly #scratchAt: number;
  readonly #interfaces: readonly Interface[];
  readonly #protocols: Map<number, PacketInput> = new Map();
  /** The protocol of the frame before: most have the same. */
  #lastType = -1;
  #lastProtocol: PacketInput | null = null;
  readonly #packet: LinkPacket;
  readonly #one: FrameBatch = new FrameBatch(1);
  readonly #short: number;
  readonly #notOurs: number;
  readonly #unknownType: number;
  /** Has the CPU take a turn soon; set by the CPU. */
  wake: () => void = () => {};

  /** `scratchAt`: {@link RUN_SCRATCH_BYTES} of private memory, 8-aligned. `interfaces` is the kernel's list; `nowhere` stands for none. */
  constructor(bulk: Bulk, scratchAt: number, counters: Counters, interfaces: readonly Interface[], nowhere: Interface) {
    this.#bulk = bulk;
    this.#scratchAt = scratchAt;
    this.#counters = counters;
    this.#interfaces = interfaces;
    this.#packet = new LinkPacket(nowhere);
    this.#short = counters.index('ether-in-short');
    this.#notOurs = counters.index('ether-in-not-ours');
    this.#unknownType = counters.index('ether-in-unknown-type');
  }

  /** From now on packets of `etherType` are that protocol's. */
  register(etherType: number, protocol: PacketInput): void {
    this.#protocols.set(etherType, protocol);
    this.#lastType = -1;
  }

  /** Process the first `count` frames of a batch that the device of `iface` received. Allocates nothing. */
  batch(iface: Interface, batch: FrameBatch, count: number, nowUs: number): void {
    const { taps } = iface;
    for (let i = 0; i < taps.length; i++) (taps[i] as FrameTap).received(iface, batch, count);
    if (!iface.up) return;
    const hooked = iface.hooks.length > 0;
    let bytes = 0;
    for (let i = 0; i < count; ) {
      const alike = hooked ? 1 : this.#alike(batch, i, count);
      const lengthBytes = batch.length[i] as number;
      bytes += alike * lengthBytes;
      const isRun = alike >= RUN_MIN && ((batch.at[i] as number) & 7) + lengthBytes <= RUN_SCRATCH_BYTES;
      if (isRun) this.#run(iface, batch, i, alike, nowUs);
      else this.#frames(iface, batch, i, alike, nowUs);
      i += alike;
    }
    iface.inPackets += count;
    iface.inBytes += bytes;
  }

  /**
   * A frame that came to an interface by software: out of a vlan tag, a tunnel, a bridge. It must stay valid during the call.
   * The other end of the link may be in another kernel, whose turn this is: `wake` is called.
   */
  frame(iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): void {
    const one = this.#one;
    one.at[0] = at;
    one.length[0] = lengthBytes;
    one.meta[0] = meta;
    this.batch(iface, one, 1, nowUs);
    this.wake();
  }

  /**
   * A frame goes on as one of `iface`, behind the hooks of `stage`: it came by another member of the bridge of that interface. Counted
   * and shown to taps by the interface that it came by.
   */
  pass(iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number, stage: number): void {
    const { hooks } = iface;
    for (let i = 0; i < hooks.length; i++) {
      const hook = hooks[i] as FrameHook;
      if (hook.stage > stage && hook.input(iface, at, lengthBytes, meta, nowUs)) return;
    }
    this.#frame(iface, at, lengthBytes, meta, nowUs);
  }

  /** Number of frames from `i` on that have one length, one metadata word, and one distance from each other. */
  #alike(batch: FrameBatch, i: number, count: number): number {
    const { at, length, meta } = batch;
    let end = i + 1;
    if (end === count) return 1;
    const stride = (at[end] as number) - (at[i] as number);
    for (let before = at[i] as number; end < count; end++) {
      const next = at[end] as number;
      if (length[end] !== length[i] || meta[end] !== meta[i] || next - before !== stride) break;
      before = next;
    }
    return end - i;
  }

  #frames(iface: Interface, batch: FrameBatch, start: number, count: number, nowUs: number): void {
    const end = start + count;
    const hooked = iface.hooks.length > 0;
    for (let i = start; i < end; i++) {
      const at = batch.at[i] as number;
      const lengthBytes = batch.length[i] as number;
      const meta = batch.meta[i] as number;
      if (!hooked || !this.#taken(iface, at, lengthBytes, meta, nowUs))
        this.#frame(iface, at, lengthBytes, meta, nowUs);
    }
  }

  /** Frames that may continue each other. One that does not goes its way by itself, and may be continued in turn. */
  #run(iface: Interface, batch: FrameBatch, start: number, count: number, nowUs: number): void {
    const firstAt = batch.at[start] as number;
    const lengthBytes = batch.length[start] as number;
    const meta = batch.meta[start] as number;
    const runs = this.#runsOf(iface, firstAt, lengthBytes, meta);
    const stride = (batch.at[start + 1] as number) - firstAt;
    const copyAt = this.#scratchAt + (firstAt & 7);
    const packetMeta = this.#packet.meta;
    const linkBytes = iface.link.headerBytes;
    const packetBytes = lengthBytes - linkBytes;
    const end = start + count;
    let i = start;
    while (runs !== null && end - i >= RUN_MIN) {
      runs.begin();
      this.#bulk.copy(copyAt, batch.at[i] as number, lengthBytes);
      this.#frame(iface, copyAt, lengthBytes, meta, nowUs);
      i++;
      const at = (batch.at[i] as number) + linkBytes;
      const taken = runs.take(at, linkBytes, stride, packetBytes, packetMeta, end - i, nowUs);
      if (taken === 0) break;
      if (this.#packet.group) iface.inMulticasts += taken;
      i += taken;
    }
    this.#frames(iface, batch, i, end - i, nowUs);
  }

  /** The protocol's input for runs of frames like that one, or null. */
  #runsOf(iface: Interface, at: number, lengthBytes: number, meta: number): RunInput | null {
    const packet = this.#packet;
    packet.meta = meta;
    const type = iface.link.read(packet, at, lengthBytes);
    return type < 0 ? null : (this.#protocolOf(type)?.runs ?? null);
  }

  /** Whether a hook takes the frame. */
  #taken(iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): boolean {
    const { hooks } = iface;
    for (let i = 0; i < hooks.length; i++) {
      if ((hooks[i] as FrameHook).input(iface, at, lengthBytes, meta, nowUs)) return true;
    }
    return false;
  }

  #frame(iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): void {
    const packet = this.#packet;
    // A store of an object costs a write barrier.
    if (packet.iface !== iface) packet.iface = iface;
    packet.meta = meta;
    const type = iface.link.read(packet, at, lengthBytes);
    if (type < 0) {
      this.#drop(iface, type);
      return;
    }
    if (packet.group) iface.inMulticasts++;
    const protocol = type === this.#lastType ? this.#lastProtocol : this.#protocolOf(type);
    if (protocol === null) this.#drop(iface, 0);
    else protocol.input(packet, nowUs);
  }

  #protocolOf(type: number): PacketInput | null {
    this.#lastType = type;
    this.#lastProtocol = this.#protocols.get(type) ?? null;
    return this.#lastProtocol;
  }

  /** The interface of that if_index; null for 0, and for one that is gone. */
  interfaceAt(index: number): Interface | null {
    if (index === 0) return null;
    for (let i = 0; i < this.#interfaces.length; i++) {
      const iface = this.#interfaces[i] as Interface;
      if (iface.index === index) return iface;
    }
    return null;
  }

  #drop(iface: Interface, reason: number): void {
    const named = reason === LINK_NOT_OURS ? this.#notOurs : this.#unknownType;
    this.#counters.add(reason === LINK_SHORT ? this.#short : named, 1);
    iface.inDrops++;
  }
}
