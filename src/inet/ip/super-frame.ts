/**
 * Sending a super-frame as TCP segments or UDP datagrams, through a link that does not take it whole.
 *
 * Thread: the one that runs the CPU. Read first: link/offload.ts, which cuts.
 */

import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import { DATAGRAMS_MAX, SuperFrame } from '../../net/offload.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  META_ARRIVAL_MASK,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { InetContext } from './context.ts';

export class Segmenter {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #frame: SuperFrame;
  readonly #segments: number;
  readonly #noRoom: number;
  readonly #malformed: number;

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#frame = new SuperFrame(this.#view, context.bulk);
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
    const frame = this.#frame;
    const segmentBytes = meta >>> META_SEGMENT_SHIFT;
    if (!frame.read(at, totalBytes)) {
      counters.add(this.#malformed, 1);
      return 0;
    }
    const { payloadBytes, headerBytes } = frame;
    if (frame.datagrams && payloadBytes > DATAGRAMS_MAX * segmentBytes) {
      counters.add(this.#malformed, 1);
      return 0;
    }
    if (headerBytes + segmentBytes > mtuBytes) return -Errno.EMSGSIZE;
    const { link } = iface;
    const etherType = ipv4.version(this.#view, at) === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
    for (let offset = 0; offset < payloadBytes; offset += segmentBytes) {
      const bytes = Math.min(segmentBytes, payloadBytes - offset);
      const packetBytes = headerBytes + bytes;
      const ipAt = link.reserveTo(dstHi, dstLo, etherType, packetBytes);
      if (ipAt < 0) {
        counters.add(this.#noRoom, 1);
        iface.outDrops++;
        return ipAt;
      }
      const partial = (link.capabilities & CAP_CHECKSUM_PARTIAL) !== 0;
      frame.write(ipAt, offset, bytes, partial);
      link.commit(packetBytes, (partial ? META_CHECKSUM_PARTIAL : 0) | (meta & META_ARRIVAL_MASK));
      counters.add(this.#segments, 1);
    }
    return 0;
  }

  /** Whether the packet is UDP. */
  holdsDatagrams(at: number): boolean {
    const view = this.#view;
    const protocol = ipv4.version(view, at) === 6 ? ipv6.nextHeader(view, at) : ipv4.protocol(view, at);
    return protocol === ipv4.PROTOCOL_UDP;
  }
}
