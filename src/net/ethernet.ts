/**
 * Ethernet input: frames of a batch go to the protocol that their type names.
 *
 * Thread: the one that runs the kernel. The device has taken out what is not for us unless it is promiscuous; the
 * destination is looked at again because the network layer wants to know whether we alone were meant.
 * Read first: link/device.ts (batches), RFC 894. Missing: VLAN tags, 802.3 length frames (dropped and counted).
 */

import type { FrameBatch } from '../link/device.ts';
import type { Counters } from '../mem/counters.ts';
import * as ethernet from '../wire/ethernet.ts';
import type { Interface } from './interface.ts';

/** The group bit of a link-layer address, in its first 16 bits. */
const GROUP_BIT = 0x0100;

/** What takes the packets of frames: `at` and `lengthBytes` exclude the Ethernet header. */
export interface PacketInput {
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
  readonly #short: number;
  readonly #notOurs: number;
  readonly #unknownType: number;

  constructor(view: DataView, counters: Counters, ipv4: PacketInput, ipv6: PacketInput, arp: ArpPacketInput) {
    this.#view = view;
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
    for (let i = 0; i < count; i++) {
      const lengthBytes = batch.length[i] as number;
      bytes += lengthBytes;
      this.#frame(iface, batch.at[i] as number, lengthBytes, batch.meta[i] as number, nowUs);
    }
    iface.inPackets += count;
    iface.inBytes += bytes;
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
