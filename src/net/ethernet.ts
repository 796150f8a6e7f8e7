/**
 * Ethernet input: frames of a batch go to the protocol that their type names.
 *
 * Thread: the one that runs the kernel. The device has taken out what is not for us unless it is promiscuous; the
 * destination is looked at again because the network layer wants to know whether we alone were meant. Frames of one length
 * in a row may be a run of segments that continue each other: the first is copied to private memory, where nobody can
 * change the header any more, and goes its way through the layers; the transport then compares the others with it.
 * Read first: link/device.ts (batches), RFC 894. Missing: VLAN tags, 802.3 length frames (dropped and counted).
 */

import type { FrameBatch } from '../link/device.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { Counters } from '../mem/counters.ts';
import * as ethernet from '../wire/ethernet.ts';
import type { Interface } from './interface.ts';

/** The group bit of a link-layer address, in its first 16 bits. */
const GROUP_BIT = 0x0100;

/** Fewer frames alike are not worth the copy of the first. */
const RUN_MIN = 3;
/** Room for that copy, and the longest frame it is made of: with the two bytes in front of it a block of the heap. */
export const RUN_FRAME_BYTES = 16382;

/** A transport that takes segments which continue the one before. */
export interface RunInput {
  /** The next packet may be the first of a run: remember whether segments that continue it need no more than a comparison. */
  begin(): void;
  /**
   * Frames like the first: at `at`, `strideBytes`, each `lengthBytes` long with metadata `meta`. Returns how many of them
   * continued it; they were taken.
   */
  take(at: number, strideBytes: number, lengthBytes: number, meta: number, count: number, nowUs: number): number;
}

/** What takes the packets of frames: `at` and `lengthBytes` exclude the Ethernet header. */
export interface PacketInput {
  readonly runs?: RunInput | null;
  input(iface: Interface, at: number, lengthBytes: number, meta: number, linkGroup: boolean, nowUs: number): void;
}

/** The same for ARP, which needs to know less. */
export interface ArpPacketInput {
  input(iface: Interface, at: number, lengthBytes: number, nowUs: number): void;
}

export class EthernetInput {
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #ipv4: PacketInput;
  readonly #ipv6: PacketInput;
  readonly #arp: ArpPacketInput;
  readonly #bulk: Bulk;
  /** `RUN_FRAME_BYTES` of private memory, as aligned as a slot of a ring. */
  readonly #firstAt: number;
  readonly #short: number;
  readonly #notOurs: number;
  readonly #unknownType: number;

  /** `scratchAt`: 2 + `RUN_FRAME_BYTES` of private memory, 8-aligned. */
  constructor(
    view: DataView,
    bulk: Bulk,
    scratchAt: number,
    counters: Counters,
    ipv4: PacketInput,
    ipv6: PacketInput,
    arp: ArpPacketInput,
  ) {
    this.#view = view;
    this.#bulk = bulk;
    this.#firstAt = scratchAt + 2;
    this.#counters = counters;
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
    this.#arp = arp;
    this.#short = counters.index('ether-in-short');
    this.#notOurs = counters.index('ether-in-not-ours');
    this.#unknownType = counters.index('ether-in-unknown-type');
  }

  /** Process the first `count` frames of a batch that `iface` received. Allocates nothing. */
  input(iface: Interface, batch: FrameBatch, count: number, nowUs: number): void {
    let bytes = 0;
    for (let i = 0; i < count; ) {
      const alike = this.#alike(batch, i, count);
      const lengthBytes = batch.length[i] as number;
      bytes += alike * lengthBytes;
      if (alike >= RUN_MIN && lengthBytes <= RUN_FRAME_BYTES) this.#run(iface, batch, i, alike, nowUs);
      else this.#frames(iface, batch, i, alike, nowUs);
      i += alike;
    }
    iface.inPackets += count;
    iface.inBytes += bytes;
  }

  /** How many frames from `i` on have one length, one metadata word, and one distance from each other. */
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
    for (let i = start; i < end; i++) {
      this.#frame(iface, batch.at[i] as number, batch.length[i] as number, batch.meta[i] as number, nowUs);
    }
  }

  /** Frames that may continue each other. Whatever does not goes its way by itself, and may be continued in turn. */
  #run(iface: Interface, batch: FrameBatch, start: number, count: number, nowUs: number): void {
    const runs = this.#ipv4.runs ?? null;
    const lengthBytes = batch.length[start] as number;
    const meta = batch.meta[start] as number;
    const stride = (batch.at[start + 1] as number) - (batch.at[start] as number);
    const end = start + count;
    let i = start;
    while (runs !== null && end - i >= RUN_MIN) {
      runs.begin();
      this.#bulk.copy(this.#firstAt, batch.at[i] as number, lengthBytes);
      this.#frame(iface, this.#firstAt, lengthBytes, meta, nowUs);
      i++;
      const taken = runs.take(batch.at[i] as number, stride, lengthBytes, meta, end - i, nowUs);
      if (taken === 0) break;
      i += taken;
    }
    this.#frames(iface, batch, i, end - i, nowUs);
  }

  #frame(iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): void {
    if (lengthBytes < ethernet.HEADER_BYTES) {
      this.#drop(iface, this.#short);
      return;
    }
    const view = this.#view;
    const dstHi = ethernet.dstHi(view, at);
    const group = (dstHi & GROUP_BIT) !== 0;
    if (!group && !iface.loopback && (dstHi !== iface.macHi || ethernet.dstLo(view, at) !== iface.macLo)) {
      this.#drop(iface, this.#notOurs);
      return;
    }
    const packetAt = at + ethernet.HEADER_BYTES;
    const packetBytes = lengthBytes - ethernet.HEADER_BYTES;
    const type = ethernet.type(view, at);
    if (type === ethernet.ETHERTYPE_IPV4) this.#ipv4.input(iface, packetAt, packetBytes, meta, group, nowUs);
    else if (type === ethernet.ETHERTYPE_IPV6) this.#ipv6.input(iface, packetAt, packetBytes, meta, group, nowUs);
    else if (type === ethernet.ETHERTYPE_ARP) this.#arp.input(iface, packetAt, packetBytes, nowUs);
    else this.#drop(iface, this.#unknownType);
  }

  #drop(iface: Interface, counter: number): void {
    this.#counters.add(counter, 1);
    iface.inDrops++;
  }
}
