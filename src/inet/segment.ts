/**
 * Cutting a TCP super-frame into segments, for a link that does not take it whole.
 *
 * Thread: the one that runs the kernel. What a network card does as TCP segmentation offload: each piece gets a copy of the
 * headers with its own length, sequence number, identification and checksum; FIN and PSH stay for the last one, CWR goes
 * with the first (RFC 3168 6.1.2). Missing: urgent data (URG is kept on every piece, as cards do).
 */

import { checksumOf, foldSum, pseudoSum4 } from '../base/checksum.ts';
import { Errno } from '../base/errors.ts';
import { CAP_CHECKSUM_PARTIAL, META_CHECKSUM_PARTIAL } from '../link/device.ts';
import type { Interface } from '../net/interface.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as tcp from '../wire/tcp.ts';
import type { InetContext } from './context.ts';

const FLAGS_OFFSET = 13;
const LAST_ONLY: number = tcp.FLAG_FIN | tcp.FLAG_PSH;

export class Segmenter {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #segments: number;
  readonly #noRoom: number;
  readonly #malformed: number;

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.arena.view;
    this.#segments = context.counters.index('ip-segments-cut');
    this.#noRoom = context.counters.index('ip-segments-no-room');
    this.#malformed = context.counters.index('ip-segments-malformed');
  }

  /**
   * Send the TCP packet at `at` in segments of `segmentBytes` of payload. Returns 0, `-EMSGSIZE` when a segment would not
   * fit the MTU either, or the error of the device; what had no room is lost, as on any full queue.
   */
  send(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    totalBytes: number,
    segmentBytes: number,
    mtuBytes: number,
  ): number {
    const view = this.#view;
    const { bulk, counters } = this.#context;
    const ipBytes = ipv4.headerBytes(view, at);
    const tcpAt = at + ipBytes;
    const room = totalBytes - ipBytes - tcp.HEADER_BYTES;
    const tcpBytes = room >= 0 ? tcp.headerBytes(view, tcpAt) : 0;
    const payloadBytes = totalBytes - ipBytes - tcpBytes;
    if (ipv4.protocol(view, at) !== ipv4.PROTOCOL_TCP || tcpBytes < tcp.HEADER_BYTES || payloadBytes < 0) {
      counters.add(this.#malformed, 1);
      return 0;
    }
    const headerBytes = ipBytes + tcpBytes;
    if (headerBytes + segmentBytes > mtuBytes) return -Errno.EMSGSIZE;
    const flags = tcp.flags(view, tcpAt);
    const seq = tcp.seq(view, tcpAt);
    const identification = ipv4.identification(view, at);
    const pseudo = pseudoSum4(ipv4.src(view, at), ipv4.dst(view, at), ipv4.PROTOCOL_TCP, 0);
    const partial = (iface.device.capabilities & CAP_CHECKSUM_PARTIAL) !== 0;
    let index = 0;
    for (let offset = 0; offset < payloadBytes; offset += segmentBytes) {
      const bytes = Math.min(segmentBytes, payloadBytes - offset);
      const last = offset + bytes === payloadBytes;
      const packetBytes = headerBytes + bytes;
      const frameAt = iface.device.reserve(dstHi, dstLo, packetBytes + ethernet.HEADER_BYTES);
      if (frameAt < 0) {
        counters.add(this.#noRoom, 1);
        iface.outDrops++;
        return frameAt;
      }
      ethernet.setDst(view, frameAt, dstHi, dstLo);
      ethernet.setSrc(view, frameAt, iface.macHi, iface.macLo);
      ethernet.setType(view, frameAt, ethernet.ETHERTYPE_IPV4);
      const ipAt = frameAt + ethernet.HEADER_BYTES;
      const segmentAt = ipAt + ipBytes;
      bulk.copy(ipAt, at, headerBytes);
      bulk.copy(ipAt + headerBytes, at + headerBytes + offset, bytes);
      view.setUint16(ipAt + 2, packetBytes);
      view.setUint16(ipAt + 4, (identification + index) & 0xffff);
      view.setUint16(ipAt + 10, 0);
      view.setUint16(ipAt + 10, checksumOf(bulk.sum(ipAt, ipBytes)));
      view.setInt32(segmentAt + 4, (seq + offset) | 0);
      view.setUint8(segmentAt + FLAGS_OFFSET, flags & ~(last ? 0 : LAST_ONLY) & ~(offset === 0 ? 0 : tcp.FLAG_CWR));
      tcp.setChecksum(view, segmentAt, foldSum(pseudo + packetBytes - ipBytes));
      if (!partial) tcp.setChecksum(view, segmentAt, checksumOf(bulk.sum(segmentAt, packetBytes - ipBytes)));
      iface.device.commit(packetBytes + ethernet.HEADER_BYTES, partial ? META_CHECKSUM_PARTIAL : 0);
      iface.dirty = true;
      iface.outPackets++;
      iface.outBytes += packetBytes + ethernet.HEADER_BYTES;
      index++;
    }
    counters.add(this.#segments, index);
    return 0;
  }
}
