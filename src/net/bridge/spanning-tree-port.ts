/**
 * A port of the spanning tree: its state, what it heard last, and its timers.
 *
 * Thread: the one that runs the kernel. Read first: IEEE 802.1D-1998 8.5.5, spanning-tree.ts.
 */

import { Callout } from '../../kern/callout.ts';

/** `BSTP_IFSTATE_*`. */
export const STATE_DISABLED = 0;
export const STATE_LISTENING = 1;
export const STATE_LEARNING = 2;
export const STATE_FORWARDING = 3;
export const STATE_BLOCKING = 4;

const PORT_PRIORITY_DEFAULT = 0x80;
const PATH_COST_DEFAULT = 55;

/** Identifier of a bridge: priority and first 16 bits of its address, last 32 bits; both unsigned. */
export interface BridgeId {
  hi: number;
  lo: number;
}

export function compareIds(aHi: number, aLo: number, bHi: number, bLo: number): number {
  return aHi === bHi ? aLo - bLo : aHi - bHi;
}

/** Handlers of the timers of a port. */
export interface PortTimers {
  messageAgeExpired(port: TreePort): void;
  forwardDelayExpired(port: TreePort): void;
  holdExpired(port: TreePort): void;
}

export class TreePort {
  /** From 1. */
  readonly number: number;
  priority: number = PORT_PRIORITY_DEFAULT;
  pathCost: number = PATH_COST_DEFAULT;
  state: number = STATE_DISABLED;
  /** The best information of this LAN: root, its cost, and who says so (8.5.5.4 to 8.5.5.7). */
  rootHi = 0;
  rootLo = 0;
  designatedCost = 0;
  designatedHi = 0;
  designatedLo = 0;
  designatedPort = 0;
  /** Age of that information when it was heard, 1/256 s. */
  heardAge = 0;
  heardUs = 0;
  acknowledge = false;
  configPending = false;
  readonly messageAge: Callout;
  readonly forwardDelay: Callout;
  readonly hold: Callout;

  constructor(number: number, timers: PortTimers) {
    this.number = number;
    this.messageAge = new Callout(() => timers.messageAgeExpired(this));
    this.forwardDelay = new Callout(() => timers.forwardDelayExpired(this));
    this.hold = new Callout(() => timers.holdExpired(this));
  }

  /** Port identifier: priority and number. */
  get id(): number {
    return (this.priority << 8) | (this.number & 0xff);
  }

  /** Whether frames are forwarded. */
  get forwards(): boolean {
    return this.state === STATE_FORWARDING;
  }

  /** Whether addresses are learned. */
  get learns(): boolean {
    return this.state === STATE_FORWARDING || this.state === STATE_LEARNING;
  }
}
