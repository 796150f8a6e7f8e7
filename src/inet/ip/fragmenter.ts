/**
 * Sending a packet in fragments, of either family.
 *
 * Thread: the one that runs the CPU. A packet that is itself a fragment keeps its place in the whole. When the link has no
 * room amid the fragments, the {@link Fragmentation} says what is left, and may be sent later.
 * Read first: RFC 791 3.2, RFC 8200 4.5.
 */

import { checksumOf } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import { META_ARRIVAL_MASK } from '../../net/packet-meta.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { copiedOptions } from '../../wire/ipv4-options.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { InetContext } from './context.ts';

/** Counters of the fragments of IPv6, chosen by a hash of the destination (RFC 7739 5.3). */
const IDENTIFIERS6 = 256;

/** A packet that leaves in fragments: where it lies and goes, and how far it has come. */
export class Fragmentation {
  /** Null: none. */
  iface: Interface | null = null;
  dstHi = 0;
  dstLo = 0;
  at = 0;
  totalBytes = 0;
  /** Metadata of each fragment. */
  meta = 0;
  mtuBytes = 0;
  /** Payload bytes that have been sent. */
  offset = 0;
  /** Identification of IPv6; IPv4's is in the header. */
  identification = 0;
}

export class Fragmenter {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #fragmented: number;
  readonly #fragments: number;
  readonly #fragmented6: number;
  readonly #fragments6: number;
  readonly #identifiers6: Int32Array = new Int32Array(IDENTIFIERS6);
  readonly #identifierKey: number;

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#fragmented = context.counters.index('ip-fragmented');
    this.#fragments = context.counters.index('ip-fragments-sent');
    this.#fragmented6 = context.counters.index('ip6-fragmented');
    this.#fragments6 = context.counters.index('ip6-fragments-sent');
    for (let i = 0; i < IDENTIFIERS6; i++) this.#identifiers6[i] = context.rng.next32();
    this.#identifierKey = context.rng.next32() | 1;
  }

  /** `packet` describes a packet no fragment of which has been sent. Returns as {@link send}. */
  begin(packet: Fragmentation): number {
    packet.offset = 0;
    packet.meta &= META_ARRIVAL_MASK;
    const isIpv6 = ipv4.version(this.#view, packet.at) === 6;
    packet.identification = isIpv6 ? this.#nextIdentification6(packet.at) : 0;
    const sent = this.send(packet);
    if (sent !== -Errno.EMSGSIZE) this.#context.counters.add(isIpv6 ? this.#fragmented6 : this.#fragmented, 1);
    return sent;
  }

  /** Send all fragments that are left. Returns 0, `-EMSGSIZE` when the MTU has no room for one, or the error of the link. */
  send(packet: Fragmentation): number {
    const { at, totalBytes, mtuBytes } = packet;
    const isIpv6 = ipv4.version(this.#view, at) === 6;
    const headerBytes = isIpv6 ? ipv6.HEADER_BYTES : ipv4.headerBytes(this.#view, at);
    const payloadBytes = totalBytes - headerBytes;
    const pieceBytes = (mtuBytes - headerBytes - (isIpv6 ? ipv6.FRAGMENT_HEADER_BYTES : 0)) & ~7;
    if (pieceBytes <= 0) return -Errno.EMSGSIZE;
    while (packet.offset < payloadBytes) {
      const leftBytes = payloadBytes - packet.offset;
      const more = leftBytes > pieceBytes;
      const bytes = more ? pieceBytes : leftBytes;
      const sent = isIpv6 ? this.#sendPiece6(packet, bytes, more) : this.#sendPiece4(packet, headerBytes, bytes, more);
      if (sent < 0) return sent;
      packet.offset += bytes;
    }
    return 0;
  }

  #sendPiece4(packet: Fragmentation, headerBytes: number, bytes: number, more: boolean): number {
    const view = this.#view;
    const { bulk, counters } = this.#context;
    const { at, dstHi, dstLo, offset } = packet;
    const { link } = packet.iface as Interface;
    const ipAt = link.reserveTo(dstHi, dstLo, ETHERTYPE_IPV4, headerBytes + bytes);
    if (ipAt < 0) return ipAt;
    bulk.copy(ipAt, at, headerBytes);
    // Options that are not to be copied go in the first fragment only (RFC 791 3.1).
    const keptBytes = offset === 0 ? headerBytes : ipv4.HEADER_BYTES + copiedOptions(view, ipAt, headerBytes);
    bulk.copy(ipAt + keptBytes, at + headerBytes + offset, bytes);
    view.setUint8(ipAt, 0x40 | (keptBytes >> 2));
    view.setUint16(ipAt + 2, keptBytes + bytes);
    const word = view.getUint16(at + 6);
    const moreFlag = more ? ipv4.FLAG_MORE_FRAGMENTS : word & ipv4.FLAG_MORE_FRAGMENTS;
    view.setUint16(ipAt + 6, moreFlag | ((word + (offset >> 3)) & ipv4.FRAGMENT_OFFSET_MASK));
    view.setUint16(ipAt + 10, 0);
    view.setUint16(ipAt + 10, checksumOf(bulk.sum(ipAt, keptBytes)));
    link.commit(keptBytes + bytes, packet.meta);
    counters.add(this.#fragments, 1);
    return 0;
  }

  /** RFC 8200 4.5: the header of each fragment is that of the packet; nothing of ours stands between it and the payload. */
  #sendPiece6(packet: Fragmentation, bytes: number, more: boolean): number {
    const view = this.#view;
    const { bulk, counters } = this.#context;
    const { at, dstHi, dstLo, offset } = packet;
    const { link } = packet.iface as Interface;
    const packetBytes = ipv6.HEADER_BYTES + ipv6.FRAGMENT_HEADER_BYTES + bytes;
    const ipAt = link.reserveTo(dstHi, dstLo, ETHERTYPE_IPV6, packetBytes);
    if (ipAt < 0) return ipAt;
    const fragmentAt = ipAt + ipv6.HEADER_BYTES;
    bulk.copy(ipAt, at, ipv6.HEADER_BYTES);
    ipv6.setPayloadBytes(view, ipAt, ipv6.FRAGMENT_HEADER_BYTES + bytes);
    ipv6.setNextHeader(view, ipAt, ipv6.NEXT_FRAGMENT);
    view.setInt32(fragmentAt, (ipv6.nextHeader(view, at) << 24) | offset | (more ? 1 : 0));
    view.setInt32(fragmentAt + 4, packet.identification);
    bulk.copy(fragmentAt + ipv6.FRAGMENT_HEADER_BYTES, at + ipv6.HEADER_BYTES + offset, bytes);
    link.commit(packetBytes, packet.meta);
    counters.add(this.#fragments6, 1);
    return 0;
  }

  #nextIdentification6(at: number): number {
    const view = this.#view;
    const slot = Math.imul(ipv6.dstWord(view, at, 3) ^ ipv6.dstWord(view, at, 1), this.#identifierKey) >>> 24;
    const next = ((this.#identifiers6[slot] as number) + 1) | 0;
    this.#identifiers6[slot] = next;
    return next;
  }
}
