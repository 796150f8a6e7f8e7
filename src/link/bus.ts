/**
 * shmif: an interface on a bus, which all participants hear, in files that several processes map (mem/bus.ts).
 *
 * Thread: the kernel's. A frame is written in place into the lane of its sender and published with its batch; receivers copy the
 * frames that their filter passes, and check afterwards that the copy holds. Nobody waits for anybody: a receiver that was left behind
 * loses frames, counted as `rxLost`. Senders look for sleepers once per batch and wake those alone. Without a bus, or with the media
 * switched off, the link is down. Missing: super-frames, partial checksums.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { BusFile, FileBell, FileKind } from '../host/contract.ts';
import type { Arena } from '../mem/arena.ts';
import { AWAKE, BLOCKED, SLEEPING } from '../mem/bell.ts';
import type { Bulk } from '../mem/bulk.ts';
import {
  BUS_BYTES,
  BUS_FRAME_BYTES_MAX,
  BUS_LANES,
  BUS_MAGIC,
  BusMembers,
  BusReader,
  BusWriter,
  prepareBus,
} from '../mem/bus.ts';
import { Counters } from '../mem/counters.ts';
import { HEADER_BYTES } from '../wire/ethernet.ts';
import { MTU_BYTES_MIN } from '../wire/ipv4.ts';
import type { Device, DeviceQueue, FrameBatch, MacAddress } from './device.ts';
import { ReceiveFilter } from './filter.ts';

const MTU_BYTES_DEFAULT = 1500;
/** Longest sleep of a thread that blocks. */
const LOOK_MS = 100;
/** Place for the copies of one batch. */
const COPIES_BYTES: number = 256 * 1024;

/** Buses, as the host opens them. */
export const BUS_FILE: FileKind = {
  name: 'a bus',
  magic: BUS_MAGIC,
  fileBytes: BUS_BYTES,
  headBytes: BUS_BYTES,
  placeBytes: BUS_BYTES,
  prepare: prepareBus,
};

export interface BusDeviceOptions {
  /** Interface name, and the name of the counters. */
  name: string;
  countersName: string;
  mac: MacAddress;
  /** Wall-clock time in microseconds since 1970; asked once per batch. */
  timeUs(): number;
  /** 8-aligned place of {@link BusDevice.memoryBytes} in the arena, the device's as long as it lives. */
  memoryAt: number;
  /** Default 1500. */
  mtuBytes?: number;
}

/** A participant: what there is while the device has a bus. */
interface Membership {
  readonly file: BusFile;
  readonly members: BusMembers;
  readonly writer: BusWriter;
  /** By lane; the own lane is read by nobody here. */
  readonly readers: readonly BusReader[];
  /** By lane, of those that sleep in a futex: made when one is first rung. */
  readonly bells: (FileBell | undefined)[];
  /** Ours, if the thread blocks. */
  readonly ownBell: FileBell | null;
}

export class BusDevice implements Device, DeviceQueue {
  static readonly memoryBytes: number = COPIES_BYTES;
  readonly queues: readonly DeviceQueue[] = [this];
  /** Not rung: the bus file calls back. */
  doorbellAt = 0;
  readonly name: string;
  readonly kind = 'shmif';
  readonly linkType = 'ethernet';
  readonly mac: MacAddress;
  readonly counters: Counters;
  readonly capabilities = 0;
  mtuBytes = 0;
  maxFrameBytes = 0;

  readonly #arena: Arena;
  readonly #bulk: Bulk;
  readonly #filter: ReceiveFilter;
  readonly #timeUs: () => number;
  readonly #copiesAt: number;
  #bus: Membership | null = null;
  #mediaOn = true;
  #asleep = false;
  /** Time of the open batch; 0: none was asked for yet. */
  #batchUs = 0;
  #sentFrames = 0;
  #sentBytes = 0;
  /** The lane that is read first. */
  #first = 0;
  readonly #txFrames: number;
  readonly #txBytes: number;
  readonly #rxFrames: number;
  readonly #rxBytes: number;
  readonly #rxFiltered: number;
  readonly #rxLost: number;
  readonly #rxCorrupt: number;
  readonly #wakeUps: number;

  constructor(arena: Arena, bulk: Bulk, options: BusDeviceOptions) {
    this.#arena = arena;
    this.#bulk = bulk;
    this.name = options.name;
    this.#filter = new ReceiveFilter(options.mac);
    this.mac = this.#filter.mac;
    this.#timeUs = options.timeUs;
    this.#copiesAt = options.memoryAt;
    const { mtuBytes = MTU_BYTES_DEFAULT } = options;
    if (this.setMtu(mtuBytes) < 0) throw new MultikernelError('EINVAL', `${this.name}: mtu ${mtuBytes}`);
    this.counters = Counters.open(arena, options.countersName);
    this.#txFrames = this.counters.index('txFrames');
    this.#txBytes = this.counters.index('txBytes');
    this.#rxFrames = this.counters.index('rxFrames');
    this.#rxBytes = this.counters.index('rxBytes');
    this.#rxFiltered = this.counters.index('rxFiltered');
    this.#rxLost = this.counters.index('rxLost');
    this.#rxCorrupt = this.counters.index('rxCorrupt');
    this.#wakeUps = this.counters.index('wakeUps');
  }

  get linkUp(): boolean {
    return this.#bus !== null && this.#mediaOn;
  }

  get downReason(): string {
    return '';
  }

  get connected(): boolean {
    return this.#bus !== null;
  }

  get mediaOn(): boolean {
    return this.#mediaOn;
  }

  /** Media `none` and `auto` of ifconfig(8): without media there is no carrier. */
  setMedia(on: boolean): void {
    this.#mediaOn = on;
  }

  /**
   * Take part in a bus; `onRing`: somebody has frames for us while we sleep. Null for a thread that blocks: it sleeps in
   * {@link sleep} and hears nothing else. Throws EBUSY when all lanes are taken, ENOSYS when the host has no futex.
   */
  // cold: configuration
  connect(file: BusFile, onRing: (() => void) | null): void {
    this.disconnect();
    const region = this.#arena.part(this.#arena.offset(file.at), BUS_BYTES);
    let lane = 0;
    while (lane < BUS_LANES && !file.claim(lane)) lane++;
    if (lane === BUS_LANES) {
      file.close();
      throw new MultikernelError('EBUSY', `all ${BUS_LANES} places of the bus are taken`);
    }
    const members = new BusMembers(region);
    const readers: BusReader[] = [];
    for (let other = 0; other < BUS_LANES; other++) readers.push(new BusReader(region, other));
    const writer = new BusWriter(region, lane);
    const ownBell = onRing === null ? file.bell(members.bellAt(lane)) : null;
    if (onRing !== null) file.listen(members.bellName(lane, writer.holder), onRing);
    writer.join(region);
    this.#bus = { file, members, writer, readers, bells: [], ownBell };
  }

  /** Leave the bus. */
  // cold: configuration
  disconnect(): void {
    const bus = this.#bus;
    if (bus === null) return;
    this.flush();
    this.#bus = null;
    this.#asleep = false;
    bus.writer.leave();
    bus.file.close();
  }

  reserve(_dstHi: number, _dstLo: number, lengthBytes: number): number {
    const bus = this.#bus;
    if (bus === null || !this.#mediaOn) return -Errno.ENETDOWN;
    if (lengthBytes > this.maxFrameBytes) return -Errno.EMSGSIZE;
    return bus.writer.reserve(lengthBytes);
  }

  commit(lengthBytes: number, _meta: number): void {
    const bus = this.#bus;
    if (bus === null) return;
    if (this.#batchUs === 0) this.#batchUs = this.#timeUs();
    bus.writer.commit(lengthBytes, this.#batchUs);
    this.#sentFrames++;
    this.#sentBytes += lengthBytes;
  }

  cancel(): void {}

  flush(): void {
    const bus = this.#bus;
    if (this.#sentFrames === 0 || bus === null) return;
    bus.writer.publish();
    this.#batchUs = 0;
    this.counters.add(this.#txFrames, this.#sentFrames);
    this.counters.add(this.#txBytes, this.#sentBytes);
    this.#sentFrames = 0;
    this.#sentBytes = 0;
    const { members, writer } = bus;
    const used = members.used;
    for (let lane = 0; lane < used; lane++) {
      const state = members.sleep(lane);
      if (state !== AWAKE && lane !== writer.lane) this.#wake(bus, lane, state);
    }
  }

  // cold: once per sleep
  #wake({ file, members, bells }: Membership, lane: number, state: number): void {
    const holder = members.holder(lane);
    if (holder < 0) return;
    this.counters.add(this.#wakeUps, 1);
    if (state === SLEEPING) {
      file.ring(members.bellName(lane, holder));
    } else if (state === BLOCKED) {
      const bell = bells[lane] ?? file.bell(members.bellAt(lane));
      bells[lane] = bell;
      bell.ring();
    }
  }

  /**
   * Block until somebody has frames for us, at most so long, and a tenth of a second: who was to ring may have died before. For a thread
   * that connected without `onRing`, when nothing is `pending`.
   */
  // cold: once per sleep
  sleep(timeoutMs: number): void {
    this.#bus?.ownBell?.wait(Math.min(timeoutMs, LOOK_MS));
  }

  /** Send frames that were made elsewhere, whole with their Ethernet headers; those that no frame of this link is are left out. */
  // cold: for tools
  inject(frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      if (frame.length < HEADER_BYTES) continue;
      const at = this.reserve(0, 0, frame.length);
      if (at < 0) continue;
      this.#arena.bytes.set(frame, at);
      this.commit(frame.length, 0);
    }
    this.flush();
  }

  /** Nobody makes a sender wait. */
  awaitRoom(_dstHi: number, _dstLo: number): boolean {
    return true;
  }

  receive(batch: FrameBatch): number {
    const bus = this.#bus;
    if (bus === null) return 0;
    if (this.#asleep) {
      this.#asleep = false;
      bus.writer.disarm();
    }
    const { readers, members, writer } = bus;
    const used = members.used;
    let count = 0;
    let lane = this.#first < used ? this.#first : 0;
    for (let i = 0; i < used && count < batch.capacity; i++) {
      if (lane !== writer.lane) count = this.#receiveFrom(readers[lane] as BusReader, batch, count);
      lane = lane + 1 >= used ? 0 : lane + 1;
    }
    this.#first = this.#first + 1 >= used ? 0 : this.#first + 1;
    if (count === 0) return 0;
    this.counters.add(this.#rxFrames, count);
    return count;
  }

  /** Copies what the filter passes; returns the number of frames in the batch. */
  #receiveFrom(reader: BusReader, batch: FrameBatch, count: number): number {
    if (!reader.begin()) return count;
    const { bytes, view } = this.#arena;
    let end = count;
    let copyAt = this.#copiesAt;
    if (count > 0) {
      const last = (batch.at[count - 1] as number) + (batch.length[count - 1] as number);
      copyAt = (last + 15) & -16;
    }
    let received = 0;
    let filtered = 0;
    while (end < batch.capacity && copyAt + BUS_FRAME_BYTES_MAX + 2 <= this.#copiesAt + COPIES_BYTES) {
      const at = reader.next();
      if (at < 0) break;
      const { lengthBytes } = reader;
      const hi = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      if (lengthBytes > this.maxFrameBytes || !this.#filter.passes(hi, view.getInt32(at + 2)) || !this.#mediaOn) {
        filtered++;
        continue;
      }
      this.#bulk.copy(copyAt + 2, at, lengthBytes);
      batch.at[end] = copyAt + 2;
      batch.length[end] = lengthBytes;
      batch.meta[end] = 0;
      received += lengthBytes;
      end++;
      copyAt = (copyAt + 2 + lengthBytes + 15) & -16;
    }
    const holds = reader.end();
    if (reader.lost !== 0) this.counters.add(this.#rxLost, reader.lost);
    if (reader.corrupt !== 0) this.counters.add(this.#rxCorrupt, reader.corrupt);
    reader.lost = 0;
    reader.corrupt = 0;
    if (!holds) return count;
    if (filtered !== 0) this.counters.add(this.#rxFiltered, filtered);
    this.counters.add(this.#rxBytes, received);
    return end;
  }

  release(): void {}

  get pending(): boolean {
    const bus = this.#bus;
    if (bus === null) return false;
    bus.writer.arm(bus.ownBell !== null);
    this.#asleep = true;
    const used = bus.members.used;
    for (let lane = 0; lane < used; lane++) {
      if (lane !== bus.writer.lane && (bus.readers[lane] as BusReader).pending) {
        this.#asleep = false;
        bus.writer.disarm();
        return true;
      }
    }
    return false;
  }

  setFilter(flags: number): void {
    this.#filter.flags = flags;
  }

  joinMulticast(hi: number, lo: number): void {
    this.#filter.join(hi, lo);
  }

  leaveMulticast(hi: number, lo: number): void {
    this.#filter.leave(hi, lo);
  }

  setMtu(mtuBytes: number): number {
    if (!(mtuBytes >= MTU_BYTES_MIN && mtuBytes + HEADER_BYTES <= BUS_FRAME_BYTES_MAX)) return -Errno.EINVAL;
    this.mtuBytes = mtuBytes;
    this.maxFrameBytes = mtuBytes + HEADER_BYTES;
    return 0;
  }

  setMac(hi: number, lo: number): number {
    this.#filter.setMac(hi, lo);
    return 0;
  }

  close(): void {
    this.disconnect();
    this.#mediaOn = false;
  }
}
