/**
 * A device whose received frames lie in guarded memory.
 *
 * What stands before and behind a frame is poison that differs from device to device; afterwards it must be untouched. With
 * `atEnd` the first frame of a batch ends where the arena ends, so that a read behind it leaves the memory. What `reserve`
 * gives is poisoned too: bytes that a sender forgets to write differ between two devices with different poison.
 */

import { Errno } from '../../src/base/errors.ts';
import {
  CAP_SUPER_FRAMES,
  type Device,
  type DeviceQueue,
  type FrameBatch,
  type MacAddress,
} from '../../src/link/device.ts';
import type { Arena } from '../../src/mem/arena.ts';
import { Counters } from '../../src/mem/counters.ts';
import { Chance } from './chance.ts';

const AREA_BYTES = 1 << 18;
const FRAME_BYTES_MAX = 65_536 + 64;
const GUARD_BYTES = 48;
const ALIGN = 8;
const PHASE = 2;

export interface DeviceFrame {
  bytes: Uint8Array;
  meta: number;
}

/** Memory of one target that its devices share: they are used one after the other. */
export class GuardedMemory {
  readonly arena: Arena;
  readonly rxAt: number;
  readonly txAt: number;
  /** Frames at the end of the arena end here; -1 when this memory does not lie there. */
  readonly endAt: number;
  readonly poison: Uint8Array = new Uint8Array(1 << 16);

  constructor(arena: Arena, atEnd: boolean, seed: number) {
    this.arena = arena;
    const chance = new Chance(seed);
    for (let i = 0; i < this.poison.length; i++) this.poison[i] = chance.next32();
    this.rxAt = arena.allocate(AREA_BYTES, 64);
    this.txAt = arena.allocate(FRAME_BYTES_MAX, 64) + PHASE;
    this.endAt = -1;
    if (atEnd) {
      arena.allocate(arena.byteLength - Math.ceil(arena.usedBytes / 64) * 64, 64);
      this.endAt = arena.byteLength;
    }
  }

  /** Poison `[from, to)`. */
  spoil(from: number, to: number): void {
    for (let at = from; at < to; at += this.poison.length) {
      this.arena.bytes.set(this.poison.subarray(0, Math.min(this.poison.length, to - at)), at);
    }
  }
}

export class GuardedDevice implements Device, DeviceQueue {
  readonly queues: readonly DeviceQueue[] = [this];
  doorbellAt = 0;
  readonly kind = 'fake';
  readonly linkType = 'ethernet';
  readonly name: string;
  readonly mac: MacAddress;
  readonly counters: Counters;
  mtuBytes = 1500;
  capabilities = 0;
  linkUp = true;
  downReason = '';
  /** Frames that `reserve` still accepts. */
  room: number = Number.POSITIVE_INFINITY;
  readonly sent: DeviceFrame[] = [];
  readonly #memory: GuardedMemory;
  readonly #waiting: DeviceFrame[] = [];
  /** Frames given out: offset and length, one after the other. */
  readonly #given: number[] = [];

  constructor(memory: GuardedMemory, name: string, mac: MacAddress) {
    this.name = name;
    this.mac = mac;
    this.#memory = memory;
    this.counters = Counters.open(memory.arena, `fuzz/${name}`, 4);
  }

  get maxFrameBytes(): number {
    return (this.capabilities & CAP_SUPER_FRAMES) !== 0 ? 65535 + 14 : this.mtuBytes + 14;
  }

  put(bytes: Uint8Array, meta: number): void {
    this.#waiting.push({ bytes, meta });
  }

  reserve(_hi: number, _lo: number, lengthBytes: number): number {
    if (!this.linkUp) return -Errno.ENETDOWN;
    if (lengthBytes > this.maxFrameBytes) return -Errno.EMSGSIZE;
    if (this.room <= 0) return -Errno.ENOBUFS;
    const { txAt } = this.#memory;
    this.#memory.spoil(txAt, txAt + lengthBytes);
    return txAt;
  }

  commit(lengthBytes: number, meta: number): void {
    const { arena, txAt } = this.#memory;
    this.room--;
    this.sent.push({ bytes: arena.bytes.slice(txAt, txAt + lengthBytes), meta });
  }

  cancel(): void {}
  flush(): void {}

  awaitRoom(): boolean {
    return this.room > 0;
  }

  receive(batch: FrameBatch): number {
    const { rxAt, endAt, arena } = this.#memory;
    let cursor = rxAt + GUARD_BYTES;
    let count = 0;
    while (count < batch.capacity && this.#waiting.length > 0) {
      const { bytes, meta } = this.#waiting[0] as DeviceFrame;
      let at = cursor + ((PHASE - cursor) & (ALIGN - 1));
      if (count === 0 && endAt >= 0) {
        at = endAt - bytes.length;
        at -= (at - PHASE) & (ALIGN - 1);
      } else {
        if (at + bytes.length + GUARD_BYTES > rxAt + AREA_BYTES) break;
        cursor = at + bytes.length + 2 * GUARD_BYTES;
      }
      this.#waiting.shift();
      this.#memory.spoil(at - GUARD_BYTES, at);
      arena.bytes.set(bytes, at);
      this.#memory.spoil(at + bytes.length, Math.min(at + bytes.length + GUARD_BYTES, arena.byteLength));
      batch.at[count] = at;
      batch.length[count] = bytes.length;
      batch.meta[count] = meta;
      this.#given.push(at, bytes.length);
      count++;
    }
    return count;
  }

  release(): void {
    for (let i = 0; i < this.#given.length; i += 2) {
      const at = this.#given[i] as number;
      const end = at + (this.#given[i + 1] as number);
      this.#untouched(at - GUARD_BYTES, at);
      this.#untouched(end, Math.min(end + GUARD_BYTES, this.#memory.arena.byteLength));
    }
    this.#given.length = 0;
  }

  #untouched(from: number, to: number): void {
    const { arena, poison } = this.#memory;
    for (let at = from; at < to; at++) {
      if (arena.bytes[at] !== poison[at - from]) throw new Error(`${this.name}: wrote beside a received frame`);
    }
  }

  get pending(): boolean {
    return this.#waiting.length > 0;
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
  }
}
