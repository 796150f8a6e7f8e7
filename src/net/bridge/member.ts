/**
 * A member of a bridge: the interface, its flags, its port of the spanning tree. Hook of what its interface receives, and output of
 * what its interface sends.
 *
 * Thread: the one that runs the kernel. Read first: bridge.ts, brconfig(8).
 */

import { PslistEntry } from '../../kern/pslist.ts';
import type { Interface } from '../interface.ts';
import { type FrameHook, STAGE_BRIDGE } from '../link-input.ts';
import type { FrameOutput } from '../link-layer.ts';
import { type PortTimers, TreePort } from './spanning-tree-port.ts';

/** `IFBIF_*`. */
export const IFBIF_LEARNING = 0x01;
export const IFBIF_DISCOVER = 0x02;
export const IFBIF_STP = 0x04;
export const IFBIF_PROTECTED = 0x08;

/** The bridge of a member. */
export interface MemberBridge {
  readonly running: boolean;
  input(member: BridgeMember, at: number, lengthBytes: number, meta: number, nowUs: number): boolean;
  reserve(from: BridgeMember | null, dstHi: number, dstLo: number, frameBytes: number): number;
  commit(from: BridgeMember | null, frameBytes: number, meta: number): void;
  cancel(): void;
  awaitRoom(dstHi: number, dstLo: number): boolean;
  /** The interface is going, or has gone to another kernel. */
  memberGone(member: BridgeMember): void;
}

export class BridgeMember implements FrameHook, FrameOutput {
  readonly stage: number = STAGE_BRIDGE;
  readonly iface: Interface;
  readonly port: TreePort;
  /** `IFBIF_*`. */
  flags: number = IFBIF_LEARNING | IFBIF_DISCOVER;
  readonly place: PslistEntry<BridgeMember> = new PslistEntry<BridgeMember>(this);
  readonly #bridge: MemberBridge;

  /** Port numbers are if_indexes, as in NetBSD. */
  constructor(bridge: MemberBridge, iface: Interface, timers: PortTimers) {
    this.#bridge = bridge;
    this.iface = iface;
    this.port = new TreePort(iface.index, timers);
  }

  get stp(): boolean {
    return (this.flags & IFBIF_STP) !== 0;
  }

  /** Whether frames may leave by it. */
  get open(): boolean {
    return this.iface.up && this.iface.link.linkUp && (!this.stp || this.port.forwards);
  }

  // --- FrameHook ---

  input(_iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): boolean {
    return this.#bridge.input(this, at, lengthBytes, meta, nowUs);
  }

  detached(_iface: Interface): void {
    this.#bridge.memberGone(this);
  }

  moved(to: Interface): void {
    to.removeHook(this);
    this.#bridge.memberGone(this);
  }

  // --- FrameOutput ---

  get active(): boolean {
    return this.#bridge.running;
  }

  reserveFrame(dstHi: number, dstLo: number, frameBytes: number): number {
    return this.#bridge.reserve(this, dstHi, dstLo, frameBytes);
  }

  commitFrame(frameBytes: number, meta: number): void {
    this.#bridge.commit(this, frameBytes, meta);
  }

  cancelFrame(): void {
    this.#bridge.cancel();
  }

  awaitRoom(dstHi: number, dstLo: number): boolean {
    return this.#bridge.awaitRoom(dstHi, dstLo);
  }
}
