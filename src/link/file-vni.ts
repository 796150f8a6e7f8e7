/**
 * vni between processes: an interface with a channel to each other participant of a network in a file (vni-file.ts), papers/003,
 * configuration 2.
 *
 * Thread: the kernel's. Frames go as between kernels of one arena (vni.ts): one writer and one reader per ring, no lock. A port is
 * held by a lock of the host that ends with its holder: whoever gets the lock may take over what the last holder left at any
 * instant. A sleeper says so in its port entry and is rung over the host. A dead holder
 * stays up until somebody waits for room in a ring to it: his lock is looked at then. Without a file, or with the media switched off,
 * the link is down. Everything in the head is every participant's to write: a port that holds its lock puts its own entry right
 * again. Missing: news of other ports reach a sleeper when it wakes.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { FileBell, PlacesFile } from '../host/contract.ts';
import type { Arena } from '../mem/arena.ts';
import { AWAKE, BLOCKED, SLEEPING } from '../mem/bell.ts';
import type { Bulk } from '../mem/bulk.ts';
import { loadCell, storeCell } from '../mem/cells.ts';
import { END_LIFE, END_OWNER, epochOf, markEndDead, nextLife } from '../mem/channel-end.ts';
import { Counters } from '../mem/counters.ts';
import { HEADER_BYTES } from '../wire/ethernet.ts';
import { MTU_BYTES_MIN } from '../wire/ipv4.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  type Device,
  type DeviceQueue,
  type FrameBatch,
  type FrameRuns,
  type MacAddress,
} from './device.ts';
import { ReceiveFilter } from './filter.ts';
import { PORT_BELL, portOffset, touchGeneration } from './network.ts';
import type { PeerRinger } from './port-map.ts';
import { VniDevice } from './vni.ts';
import { channelsOf, networkOfFile, VNI_FILE_FRAME_BYTES_MAX, VNI_FILE_PORTS, vniBellName } from './vni-file.ts';
import type { VniOptions } from './vni-port.ts';

const MTU_BYTES_DEFAULT = 1500;
/** Longest sleep of a thread that blocks. */
const LOOK_MS = 100;

/** Our port of a network in a file. */
class FilePort extends VniDevice {
  #asleep = false;
  /** It sleeps in a futex, not in an event loop. */
  blocks = false;

  /** Nobody takes it down: only the holder of the lock writes into its entry, and that is us. Writes of others are undone. */
  protected override stillUp(): boolean {
    const { words, portWord } = this;
    const isOurs = loadCell(words, portWord + END_LIFE) === this.life && words[portWord + END_OWNER] === this.owner;
    if (isOurs && this.shown) return true;
    this.show();
    storeCell(words, portWord + END_OWNER, this.owner);
    storeCell(words, portWord + END_LIFE, this.life);
    touchGeneration(this.arena, this.network);
    return true;
  }

  override receive(batch: FrameBatch): number {
    if (this.#asleep) this.#sleep(false);
    return super.receive(batch);
  }

  /** Says that we sleep before the last look. */
  override get pending(): boolean {
    this.#sleep(true);
    const found = super.pending;
    if (found) this.#sleep(false);
    return found;
  }

  #sleep(on: boolean): void {
    this.#asleep = on;
    storeCell(this.words, this.portWord + PORT_BELL, on ? (this.blocks ? BLOCKED : SLEEPING) : AWAKE);
  }

  /** Take the ports of those down who hold no lock any more. True while a ring has frames that were not taken. */
  // cold: while a ring is full
  bury(held: (port: number) => boolean): boolean {
    const { words, arena, network } = this;
    let waits = false;
    for (const peer of this.map.peers) {
      if (peer === null || !peer.up) continue;
      const word = arena.place(portOffset(network, peer.port)) >> 2;
      const owner = loadCell(words, word + END_OWNER);
      if (held(peer.port)) waits ||= peer.producer !== null && peer.producer.usedBytes() > 0;
      // The owner was read before the lock was looked at: a successor has another number.
      else if (markEndDead(words, word, owner)) touchGeneration(arena, network);
    }
    return waits;
  }

  override close(): void {
    this.#sleep(false);
    super.close();
  }
}

/** Options of a {@link FileVniDevice}. */
export interface FileVniOptions {
  /** Interface name. */
  name: string;
  /** Name of the counters. */
  countersName: string;
  /** Ethernet address. */
  mac: MacAddress;
  /** Default 1500. */
  mtuBytes?: number;
  /** `CAP_*` bits this side offers; default partial checksums and super-frames. */
  capabilities?: number;
}

/** A device on a vni network in a file, or on none yet. */
export class FileVniDevice implements Device, DeviceQueue, FrameRuns {
  readonly queues: readonly DeviceQueue[] = [this];
  readonly runs: FrameRuns = this;
  /** Not rung: the file calls back. */
  doorbellAt = 0;
  readonly name: string;
  readonly kind = 'vni';
  readonly linkType = 'ethernet';
  readonly mac: MacAddress;
  readonly counters: Counters;
  readonly #arena: Arena;
  readonly #bulk: Bulk;
  readonly #filter: ReceiveFilter;
  readonly #offered: number;
  #mtuBytes = 0;
  #mediaOn = true;
  #port: FilePort | null = null;
  #file: PlacesFile | null = null;
  #onRing: (() => void) | null = null;
  /** Ours, if the thread blocks. */
  #bell: FileBell | null = null;
  /** A look at the locks of others was asked for. */
  #looks = false;
  #closed = false;

  /** A device that is on no network yet. Throws EINVAL on an MTU that no network carries. */
  constructor(arena: Arena, bulk: Bulk, options: FileVniOptions) {
    this.#arena = arena;
    this.#bulk = bulk;
    this.name = options.name;
    this.#filter = new ReceiveFilter(options.mac);
    this.mac = this.#filter.mac;
    this.#offered = options.capabilities ?? CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;
    const { mtuBytes = MTU_BYTES_DEFAULT } = options;
    if (this.setMtu(mtuBytes) < 0) throw new MultikernelError('EINVAL', `${this.name}: mtu ${mtuBytes}`);
    this.counters = Counters.open(arena, options.countersName);
  }

  get linkUp(): boolean {
    return this.#mediaOn && this.#port?.linkUp === true;
  }

  get downReason(): string {
    return this.#port?.downReason ?? (this.#closed ? 'closed' : '');
  }

  /** It takes part in a network. */
  get connected(): boolean {
    return this.#port !== null;
  }

  /** Whether the media is on: without it there is no carrier, whatever the network says ({@link FileVniDevice.setMedia}). */
  get mediaOn(): boolean {
    return this.#mediaOn;
  }

  /** Media `none` and `auto` of ifconfig(8): without media there is no carrier. */
  setMedia(on: boolean): void {
    this.#mediaOn = on;
  }

  get mtuBytes(): number {
    return this.#mtuBytes;
  }

  get maxFrameBytes(): number {
    return this.#port?.maxFrameBytes ?? this.#mtuBytes + HEADER_BYTES;
  }

  get capabilities(): number {
    return this.#port?.capabilities ?? 0;
  }

  /**
   * Take part in a network; `onRing`: somebody has frames for us, or room for ours, while we sleep. Null for a thread that blocks: it
   * sleeps in {@link sleep}. Throws EBUSY when all ports are taken, ENOMEM when the host maps no more, ENOSYS when it has no futex.
   */
  // cold: configuration
  connect(file: PlacesFile, onRing: (() => void) | null): void {
    this.disconnect();
    try {
      this.#port = this.#join(file, onRing);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    this.#onRing = onRing;
  }

  // cold: configuration
  #join(file: PlacesFile, onRing: (() => void) | null): FilePort {
    const arena = this.#arena;
    let port = 0;
    while (port < VNI_FILE_PORTS && !file.claim(port)) port++;
    if (port === VNI_FILE_PORTS)
      throw new MultikernelError('EBUSY', `all ${VNI_FILE_PORTS} places of the network are taken`);
    for (const { offset, placeOffset, byteLength } of channelsOf(port))
      file.map(offset, file.at + placeOffset, byteLength);
    const network = networkOfFile(arena, file.at, port);
    const head = arena.part(network.offset, network.byteLength);
    const word = arena.place(portOffset(network, port)) >> 2;
    const owner = epochOf(nextLife(loadCell(arena.words, word + END_LIFE)));
    this.#bell = onRing === null ? file.bell((word + PORT_BELL) << 2) : null;
    if (onRing !== null) file.listen(vniBellName(head, port, owner), onRing);
    const bells: (FileBell | undefined)[] = [];
    const ringer: PeerRinger = (peer, state) => {
      if (state === SLEEPING) file.ring(vniBellName(head, peer.port, peer.epoch));
      else if (state === BLOCKED) (bells[peer.port] ??= file.bell(peer.bellAt)).ring();
    };
    const options: VniOptions = {
      name: this.name,
      mac: this.mac,
      mtuBytes: this.#mtuBytes,
      capabilities: this.#offered,
      owner,
      // We hold the lock.
      isDead: () => true,
      counters: this.counters,
      filter: this.#filter,
      ringer,
    };
    const joined = new FilePort(arena, this.#bulk, network, port, options);
    joined.blocks = onRing === null;
    return joined;
  }

  /** Leave the network. */
  // cold: configuration
  disconnect(): void {
    const port = this.#port;
    if (port === null) return;
    port.flush();
    this.#port = null;
    port.close();
    this.#file?.close();
    this.#file = null;
    this.#looks = false;
  }

  get runAt(): number {
    return this.#port?.runAt ?? 0;
  }

  get runStrideBytes(): number {
    return this.#port?.runStrideBytes ?? 0;
  }

  reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    const port = this.#port;
    if (port === null || !this.#mediaOn) return -Errno.ENETDOWN;
    const at = port.reserve(dstHi, dstLo, lengthBytes);
    if (at === -Errno.ENOBUFS && !this.#looks) this.#lookSoon();
    return at;
  }

  commit(lengthBytes: number, meta: number): void {
    this.#port?.commit(lengthBytes, meta);
  }

  cancel(): void {
    this.#port?.cancel();
  }

  reserveRun(dstHi: number, dstLo: number, lengthBytes: number, count: number): number {
    const port = this.#port;
    return port === null || !this.#mediaOn ? 0 : port.reserveRun(dstHi, dstLo, lengthBytes, count);
  }

  commitRun(count: number, lengthBytes: number, meta: number): void {
    this.#port?.commitRun(count, lengthBytes, meta);
  }

  flush(): void {
    this.#port?.flush();
  }

  awaitRoom(dstHi: number, dstLo: number): boolean {
    const port = this.#port;
    if (port === null) return false;
    const isRoom = port.awaitRoom(dstHi, dstLo);
    if (!isRoom && !this.#looks) this.#lookSoon();
    return isRoom;
  }

  /** A ring is full: its reader may have died. */
  // cold: once per full ring
  #lookSoon(): void {
    this.#looks = true;
    this.#file?.soon(() => {
      this.#looks = false;
      const file = this.#file;
      if (file !== null && this.#port?.bury((port) => file.held(port))) this.#lookSoon();
      this.#onRing?.();
    });
  }

  receive(batch: FrameBatch): number {
    const port = this.#port;
    if (port === null) return 0;
    const count = port.receive(batch);
    if (count === 0 || this.#mediaOn) return count;
    port.release();
    return 0;
  }

  release(): void {
    this.#port?.release();
  }

  /**
   * Block until somebody has frames for us, at most so long, and a tenth of a second: who was to ring may have died before. For a thread
   * that connected without `onRing`, when nothing is `pending`.
   */
  // cold: once per sleep
  sleep(timeoutMs: number): void {
    this.#bell?.wait(Math.min(timeoutMs, LOOK_MS));
  }

  get pending(): boolean {
    return this.#port?.pending ?? false;
  }

  setFilter(flags: number): void {
    this.#filter.flags = flags;
    this.#port?.setFilter(flags);
  }

  joinMulticast(hi: number, lo: number): void {
    if (this.#port === null) this.#filter.join(hi, lo);
    else this.#port.joinMulticast(hi, lo);
  }

  leaveMulticast(hi: number, lo: number): void {
    if (this.#port === null) this.#filter.leave(hi, lo);
    else this.#port.leaveMulticast(hi, lo);
  }

  setMtu(mtuBytes: number): number {
    if (!(mtuBytes >= MTU_BYTES_MIN && mtuBytes + HEADER_BYTES <= VNI_FILE_FRAME_BYTES_MAX)) return -Errno.EINVAL;
    this.#mtuBytes = mtuBytes;
    this.#port?.setMtu(mtuBytes);
    return 0;
  }

  setMac(hi: number, lo: number): number {
    this.#filter.setMac(hi, lo);
    // Peers read the port entry again.
    this.#port?.setFilter(this.#filter.flags);
    return 0;
  }

  close(): void {
    this.disconnect();
    this.#closed = true;
  }
}
