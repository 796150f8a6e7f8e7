/**
 * Segmentation and checksums in software: the work that an Ethernet card does for a kernel that left it to the link.
 *
 * Thread: the one that works on the packet. As a card does it, each piece of a super-frame gets a copy of the headers with its own
 * length, sequence number, identification and checksum; FIN and PSH stay for the last one, CWR goes with the first (RFC 3168 6.1.2).
 * For IPv6 the transport's header must follow the IP header at once, as it does in our own.
 * Missing: urgent data (URG is kept on every piece, as cards do; inet/tcp sends none in super-frames).
 */

import { checksumOf, foldSum, pseudoSum4 } from '../base/checksum.ts';
import type { Bulk } from '../mem/bulk.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';

const FLAGS_OFFSET = 13;
const LAST_ONLY: number = tcp.FLAG_FIN | tcp.FLAG_PSH;
const UDP_CHECKSUM_OFFSET = 6;
const TCP_CHECKSUM_OFFSET = 16;
/** Datagrams in one super-frame. */
export const DATAGRAMS_MAX = 128;

export class SuperFrame {
  readonly #view: DataView;
  readonly #bulk: Bulk;
  /** Length of the IP and transport headers of the packet that `read` took, and of the rest of it. */
  headerBytes = 0;
  payloadBytes = 0;
  /** Its payload are datagrams; false: TCP segments. */
  datagrams = false;
  #at = 0;
  #isIpv6 = false;
  #ipBytes = 0;
  #flags = 0;
  #seq = 0;
  #identification = 0;
  /** Sum of the pseudo-header without the length. */
  #pseudo = 0;

  constructor(view: DataView, bulk: Bulk) {
    this.#view = view;
    this.#bulk = bulk;
  }

  /** Read the headers of the packet at `at`; false when it is neither a sound TCP nor a sound UDP packet. */
  read(at: number, totalBytes: number): boolean {
    const view = this.#view;
    const isIpv6 = isIp6Packet(view, at);
    const ipBytes = isIpv6 ? ipv6.HEADER_BYTES : ipv4.headerBytes(view, at);
    const segmentAt = at + ipBytes;
    const protocol = isIpv6 ? ipv6.nextHeader(view, at) : ipv4.protocol(view, at);
    this.datagrams = protocol === ipv4.PROTOCOL_UDP;
    if (!this.datagrams && protocol !== ipv4.PROTOCOL_TCP) return false;
    const least = this.datagrams ? udp.HEADER_BYTES : tcp.HEADER_BYTES;
    if (totalBytes < ipBytes + least) return false;
    const segmentHeaderBytes = this.datagrams ? least : tcp.headerBytes(view, segmentAt);
    if (segmentHeaderBytes < least || totalBytes < ipBytes + segmentHeaderBytes) return false;
    this.#at = at;
    this.#isIpv6 = isIpv6;
    this.#ipBytes = ipBytes;
    this.headerBytes = ipBytes + segmentHeaderBytes;
    this.payloadBytes = totalBytes - this.headerBytes;
    this.#flags = this.datagrams ? 0 : tcp.flags(view, segmentAt);
    this.#seq = tcp.seq(view, segmentAt);
    this.#identification = ipv4.identification(view, at);
    this.#pseudo = isIpv6
      ? ipv6.pseudoSum(view, at, protocol, 0)
      : pseudoSum4(ipv4.src(view, at), ipv4.dst(view, at), protocol, 0);
    return true;
  }

  /**
   * Write the piece of `bytes` at `offset` of the payload as a packet at `ipAt`, pieces in their order. `partial`: its transport
   * checksum is left to the link.
   */
  write(ipAt: number, offset: number, bytes: number, partial: boolean): void {
    const view = this.#view;
    const bulk = this.#bulk;
    const segmentAt = ipAt + this.#ipBytes;
    const segmentBytes = this.headerBytes - this.#ipBytes + bytes;
    bulk.copy(ipAt, this.#at, this.headerBytes);
    bulk.copy(ipAt + this.headerBytes, this.#at + this.headerBytes + offset, bytes);
    if (this.#isIpv6) ipv6.setPayloadBytes(view, ipAt, segmentBytes);
    else this.#finishHeader4(ipAt, this.headerBytes + bytes);
    if (this.datagrams) {
      this.#finishDatagram(segmentAt, segmentBytes, partial);
      return;
    }
    let flags = this.#flags;
    if (offset + bytes < this.payloadBytes) flags &= ~LAST_ONLY;
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
    const checksum = checksumOf(this.#bulk.sum(at, lengthBytes));
    udp.setChecksum(view, at, checksum === 0 ? 0xffff : checksum);
  }

  #finishHeader4(ipAt: number, totalBytes: number): void {
    const view = this.#view;
    view.setUint16(ipAt + 2, totalBytes);
    view.setUint16(ipAt + 4, this.#identification);
    view.setUint16(ipAt + 10, 0);
    view.setUint16(ipAt + 10, checksumOf(this.#bulk.sum(ipAt, this.#ipBytes)));
    this.#identification = (this.#identification + 1) & 0xffff;
  }
}

/** Turns partial transport checksums (pseudo-header sum in the field) into real ones. */
export class ChecksumCompletion {
  readonly #view: DataView;
  readonly #bulk: Bulk;
  readonly #walk: ipv6.HeaderWalk = new ipv6.HeaderWalk();

  constructor(view: DataView, bulk: Bulk) {
    this.#view = view;
    this.#bulk = bulk;
  }

  /** The packet at `at`, in place. */
  complete(at: number, totalBytes: number): void {
    const view = this.#view;
    let headerBytes = ipv4.headerBytes(view, at);
    let protocol = ipv4.protocol(view, at);
    if (isIp6Packet(view, at)) {
      const walk = this.#walk;
      const reason = walk.walk(view, at + ipv6.HEADER_BYTES, at + totalBytes, ipv6.nextHeader(view, at));
      if (reason !== 0 || walk.fragmentAt !== 0) return;
      headerBytes = walk.payloadAt - at;
      protocol = walk.protocol;
    }
    const isTcp = protocol === ipv4.PROTOCOL_TCP;
    if (!isTcp && protocol !== ipv4.PROTOCOL_UDP) return;
    const offset = headerBytes + (isTcp ? TCP_CHECKSUM_OFFSET : UDP_CHECKSUM_OFFSET);
    // The sender may have left nothing there to complete.
    if (offset + 2 > totalBytes) return;
    const checksum = checksumOf(this.#bulk.sum(at + headerBytes, totalBytes - headerBytes));
    view.setUint16(at + offset, checksum === 0 && !isTcp ? 0xffff : checksum);
  }
}

function isIp6Packet(view: DataView, at: number): boolean {
  return view.getUint8(at) >> 4 === 6;
}
