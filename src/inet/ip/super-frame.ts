/**
 * Cutting a super-frame into TCP segments or UDP datagrams, for a link that does not take it whole.
 *
 * Thread: the one that runs the CPU. As in the segmentation offload of a network card, each piece gets a copy of the
 * headers with its own length, sequence number, identification and checksum; FIN and PSH stay for the last one, CWR goes
 * with the first (RFC 3168 6.1.2). For IPv6 the transport's header must follow the IP header at once, as it does in our own.
 * Missing: urgent data (URG is kept on every piece, as cards do; inet/tcp sends none in super-frames).
 */

import { checksumOf, foldSum, pseudoSum4 } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  META_ARRIVAL_MASK,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import type { InetContext } from './context.ts';

const FLAGS_OFFSET = 13;
const LAST_ONLY: number = tcp.FLAG_FIN | tcp.FLAG_PSH;
/** Datagrams in one super-frame. */
export const DATAGRAMS_MAX = 128;

export class Segmenter {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #segments: number;
  readonly #noRoom: number;
  readonly #malformed: number;
  /** The super-frame being cut: where it lies, and the fields that differ between its pieces. */
  #at = 0;
  #isIpv6 = false;
  #udp = false;
  #ipBytes = 0;
  #headerBytes = 0;
  #flags = 0;
  #seq = 0;
  #identification = 0;
  /** Sum of the pseudo-header without the length. */
  #pseudo = 0;

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#segments = context.counters.index('ip-segments-cut');
    this.#noRoom = context.counters.index('ip-segments-no-room');
    this.#malformed = context.counters.index('ip-segments-malformed');
  }

  /**
   * Send the packet at `at` in segments, or datagrams, as long as its metadata says. Returns 0, `-EMSGSIZE` when a segment would not
   * fit the MTU either, or the error of the link; pieces without room are lost, as on any full queue.
   */
  send(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    totalBytes: number,
    meta: number,
    mtuBytes: number,
  ): number {
    const { counters } = this.#context;
    const segmentBytes = meta >>> META_SEGMENT_SHIFT;
    if (!this.#read(at, totalBytes)) {
      counters.add(this.#malformed, 1);
      return 0;
    }
    const payloadBytes = totalBytes - this.#headerBytes;
    if (this.#udp && payloadBytes > DATAGRAMS_MAX * segmentBytes) {
      counters.add(this.#malformed, 1);
      return 0;
    }
    if (this.#headerBytes + segmentBytes > mtuBytes) return -Errno.EMSGSIZE;
    const { link } = iface;
    const etherType = this.#isIpv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
    for (let offset = 0; offset < payloadBytes; offset += segmentBytes) {
      const last = offset + segmentBytes >= payloadBytes;
      const bytes = last ? payloadBytes - offset : segmentBytes;
      const packetBytes = this.#headerBytes + bytes;
      const ipAt = link.reserveTo(dstHi, dstLo, etherType, packetBytes);
      if (ipAt < 0) {
        counters.add(this.#noRoom, 1);
        iface.outDrops++;
        return ipAt;
      }
      const partial = (link.capabilities & CAP_CHECKSUM_PARTIAL) !== 0;
      this.#write(ipAt, offset, bytes, last, partial);
      link.commit(packetBytes, (partial ? META_CHECKSUM_PARTIAL : 0) | (meta & META_ARRIVAL_MASK));
      counters.add(this.#segments, 1);
    }
    return 0;
  }

  /** Whether the packet is UDP. */
  holdsDatagrams(at: number): boolean {
    return protocolOf(this.#view, at) === ipv4.PROTOCOL_UDP;
  }

  /** Read the headers of a super-frame; false when it is neither a sound TCP nor a sound UDP packet. */
  #read(at: number, totalBytes: number): boolean {
    const view = this.#view;
    const isIpv6 = ipv4.version(view, at) === 6;
    const ipBytes = isIpv6 ? ipv6.HEADER_BYTES : ipv4.headerBytes(view, at);
    const segmentAt = at + ipBytes;
    const protocol = protocolOf(view, at);
    this.#udp = protocol === ipv4.PROTOCOL_UDP;
    if (!this.#udp && protocol !== ipv4.PROTOCOL_TCP) return false;
    const least = this.#udp ? udp.HEADER_BYTES : tcp.HEADER_BYTES;
    if (totalBytes < ipBytes + least) return false;
    const segmentHeaderBytes = this.#udp ? least : tcp.headerBytes(view, segmentAt);
    if (segmentHeaderBytes < least || totalBytes < ipBytes + segmentHeaderBytes) return false;
    this.#at = at;
    this.#isIpv6 = isIpv6;
    this.#ipBytes = ipBytes;
    this.#headerBytes = ipBytes + segmentHeaderBytes;
    this.#flags = this.#udp ? 0 : tcp.flags(view, segmentAt);
    this.#seq = tcp.seq(view, segmentAt);
    this.#identification = ipv4.identification(view, at);
    this.#pseudo = isIpv6
      ? ipv6.pseudoSum(view, at, protocol, 0)
      : pseudoSum4(ipv4.src(view, at), ipv4.dst(view, at), protocol, 0);
    return true;
  }

  /** Write the piece of `bytes` at `offset` of the payload as a packet at `ipAt`. */
  #write(ipAt: number, offset: number, bytes: number, last: boolean, partial: boolean): void {
    const view = this.#view;
    const { bulk } = this.#context;
    const segmentAt = ipAt + this.#ipBytes;
    const segmentBytes = this.#headerBytes - this.#ipBytes + bytes;
    bulk.copy(ipAt, this.#at, this.#headerBytes);
    bulk.copy(ipAt + this.#headerBytes, this.#at + this.#headerBytes + offset, bytes);
    if (this.#isIpv6) ipv6.setPayloadBytes(view, ipAt, segmentBytes);
    else this.#finishHeader4(ipAt, this.#headerBytes + bytes);
    if (this.#udp) {
      this.#finishDatagram(segmentAt, segmentBytes, partial);
      return;
    }
    let flags = this.#flags;
    if (!last) flags &= ~LAST_ONLY;
    if (offset > 0) flags &= ~tcp.FLAG_CWR;
    view.setInt32(segmentAt + 4, (this.#seq + offset) | 0);
    view.setUint8(segmentAt + FLAGS_OFFSET, flags);
    tcp.setChecksum(view, segmentAt, foldSum(this.#pseudo + segmentBytes));
    if (!partial) tcp.setChecksum(view, segmentAt, checksumOf(bulk.sum(segmentAt, segmentBytes)));
  }

  #finishDatagram(at: number, lengthBytes: number, partial: boolean): void {
    const view = this.#view;
    const unchecked = udp.checksum(view, at) === 0 && !this.#isIpv6;
    udp.setLength(view, at, lengthBytes);
    if (unchecked) return;
    udp.setChecksum(view, at, foldSum(this.#pseudo + lengthBytes));
    if (partial) return;
    const checksum = checksumOf(this.#context.bulk.sum(at, lengthBytes));
    udp.setChecksum(view, at, checksum === 0 ? 0xffff : checksum);
  }

  #finishHeader4(ipAt: number, totalBytes: number): void {
    const view = this.#view;
    view.setUint16(ipAt + 2, totalBytes);
    view.setUint16(ipAt + 4, this.#identification);
    view.setUint16(ipAt + 10, 0);
    view.setUint16(ipAt + 10, checksumOf(this.#context.bulk.sum(ipAt, this.#ipBytes)));
    this.#identification = (this.#identification + 1) & 0xffff;
  }
}

function protocolOf(view: DataView, at: number): number {
  return ipv4.version(view, at) === 6 ? ipv6.nextHeader(view, at) : ipv4.protocol(view, at);
}
