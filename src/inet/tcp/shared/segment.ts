/**
 * A received segment: header fields and options, read once into the stack's one {@link Segment}.
 *
 * Thread: the one that runs the CPU. Nothing is allocated per segment. A malformed option ends the list
 * (RFC 9293 3.1, MUST-68: lengths are checked); the segment itself is still processed.
 * Read first: RFC 9293 section 3.1.
 */

import { META_SEGMENT_SHIFT } from '../../../net/packet-meta.ts';
import { HEADER_BYTES as IP6_HEADER_BYTES } from '../../../wire/ipv6.ts';
import * as tcp from '../../../wire/tcp.ts';
import { TcpOptions } from '../../../wire/tcp.ts';
import type { InPacket } from '../../ip/transport.ts';
import type { TcpSettings } from './settings.ts';

/** A received segment, filled anew for each: header, and options as `parseOptions` of wire/tcp-options.ts reads them. */
export class Segment extends TcpOptions {
  seq: number = 0;
  ack: number = 0;
  flags: number = 0;
  /** Type of service of the packet it came in. */
  tos: number = 0;
  /** As it stands in the header, not scaled. */
  window: number = 0;
  /** Payload. `dataBytes` may be trimmed to the window while the segment is processed. */
  dataAt: number = 0;
  dataBytes: number = 0;
  /** Payload of one segment on the wire: less than `dataBytes` for a super-frame. */
  segmentBytes: number = 0;
  /** End of the urgent data by the pointer, valid with URG (RFC 6093 section 3). */
  urgentSeq: number = 0;
}

/**
 * The largest payload that the peer of a SYN takes: its MSS option, within reason, or the default of its family, which the
 * size of the IP header tells (RFC 9293 3.7.1).
 */
export function peerMssOf(segment: Segment, settings: TcpSettings, headerBytes: number): number {
  if (segment.mss > 0) return Math.max(segment.mss, settings.mssMin.value);
  return headerBytes === IP6_HEADER_BYTES ? settings.mssDefault6.value : settings.mssDefault.value;
}

/** Read the segment in `packet`, whose TCP header and options take `headerBytes`. */
export function readSegment(view: DataView, packet: InPacket, headerBytes: number, into: Segment): void {
  const { at } = packet;
  into.seq = tcp.seq(view, at);
  into.ack = tcp.ack(view, at);
  into.flags = tcp.flags(view, at);
  into.window = tcp.window(view, at);
  into.tos = packet.tos;
  into.dataAt = at + headerBytes;
  into.dataBytes = packet.lengthBytes - headerBytes;
  into.segmentBytes = packet.meta >>> META_SEGMENT_SHIFT || into.dataBytes;
  into.urgentSeq = (into.seq + view.getUint16(at + 18)) | 0;
  tcp.parseOptions(view, at + tcp.HEADER_BYTES, at + headerBytes, into);
}
