/**
 * The kernel's only interface: a device whose other end is the script.
 *
 * Thread: the caller's. Frames injected are received at the next turn; frames sent are kept with the time of their
 * sending. No capability is offered, so that every segment crosses the wire as it would cross a real one. Never full.
 */

import { Errno } from '../base/errors.ts';
import type { Device, DeviceQueue, FrameBatch, MacAddress } from '../link/device.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';

const SLOT_BYTES: number = 65536 + 64;
/** Frames one turn receives. */
const SLOTS = 8;

export interface WireFrame {
  timeUs: number;
  direction: 'in' | 'out';
  bytes: Uint8Array;
}

export class WireEnd implements Device, DeviceQueue {
  readonly queues: readonly DeviceQueue[] = [this];
  doorbellAt = 0;
  readonly name = 'tun0';
  readonly kind = 'packetdrill';
  readonly linkType = 'ethernet';
  readonly mac: MacAddress = { hi: 0x026d, lo: 0x6b000001 };
  readonly counters: Counters;
  readonly capabilities = 0;
  mtuBytes: number;
  linkUp = true;
  downReason = '';
  /** Frames of the kernel are lost on their way to the script. */
  dropping = false;
  /** Everything that crossed the wire, oldest first, as long as somebody asked for it. */
  trace: WireFrame[] | null = null;
  readonly #arena: Arena;
  readonly #nowUs: () => number;
  readonly #txAt: number;
  readonly #rxAt: number;
  readonly #arriving: Uint8Array[] = [];
  readonly #sent: WireFrame[] = [];

  constructor(arena: Arena, mtuBytes: number, nowUs: () => number) {
    this.#arena = arena;
    this.#nowUs = nowUs;
    this.mtuBytes = mtuBytes;
    this.counters = Counters.open(arena, 'tun0', 4);
    this.#txAt = arena.allocate(SLOT_BYTES, 64) + 2;
    this.#rxAt = arena.allocate(SLOT_BYTES * SLOTS, 64) + 2;
  }

  get maxFrameBytes(): number {
    return this.mtuBytes + ETHERNET_HEADER_BYTES;
  }

  /** A frame from the script to the kernel. */
  inject(bytes: Uint8Array): void {
    this.#arriving.push(bytes);
    this.trace?.push({ timeUs: this.#nowUs(), direction: 'in', bytes });
  }

  /** The oldest frame the kernel sent that was not taken yet. */
  take(): WireFrame | null {
    return this.#sent.shift() ?? null;
  }

  /** Whether `take` has one. */
  get waiting(): boolean {
    return this.#sent.length > 0;
  }

  reserve(_hi: number, _lo: number, lengthBytes: number): number {
    if (!this.linkUp) return -Errno.ENETDOWN;
    return lengthBytes > this.maxFrameBytes ? -Errno.EMSGSIZE : this.#txAt;
  }

  commit(lengthBytes: number, _meta: number): void {
    if (this.dropping) return;
    const bytes = this.#arena.bytes.slice(this.#txAt, this.#txAt + lengthBytes);
    const frame: WireFrame = { timeUs: this.#nowUs(), direction: 'out', bytes };
    this.#sent.push(frame);
    this.trace?.push(frame);
  }

  cancel(): void {}

  flush(): void {}

  awaitRoom(): boolean {
    return true;
  }

  receive(batch: FrameBatch): number {
    const most = Math.min(batch.capacity, SLOTS, this.#arriving.length);
    for (let i = 0; i < most; i++) {
      const bytes = this.#arriving.shift() as Uint8Array;
      const at = this.#rxAt + i * SLOT_BYTES;
      this.#arena.bytes.set(bytes, at);
      batch.at[i] = at;
      batch.length[i] = bytes.length;
      batch.meta[i] = 0;
    }
    return most;
  }

  release(): void {}

  get pending(): boolean {
    return this.#arriving.length > 0;
  }

  setFilter(): void {}
  joinMulticast(): void {}
  leaveMulticast(): void {}

  setMtu(mtuBytes: number): number {
    this.mtuBytes = mtuBytes;
    return 0;
  }

  close(): void {
    this.linkUp = false;
    this.downReason = 'closed';
  }
}
