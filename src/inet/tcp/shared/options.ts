/**
 * A received segment as it is processed, and the options of a segment to be sent.
 *
 * Thread: the one that runs the kernel. A received segment is read once into the stack's one {@link Segment}; nothing is
 * allocated. Malformed options end the list (RFC 9293 3.1, MUST-68: lengths are checked), the segment is still processed.
 * Read first: RFC 9293 section 3.1 and 3.2, RFC 7323 section 2 and 3, RFC 2018 section 3.
 */

import {
  OPTION_BYTES_MAX,
  OPTION_MSS,
  OPTION_NOP,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
  TcpOptions,
  WINDOW_SCALE_MAX,
} from '../../../wire/tcp.ts';
import type { TcpSettings } from './settings.ts';

/** NOP, NOP, kind 8, length 10: the first word of the timestamps option as everybody sends it (RFC 7323 appendix A). */
export const TIMESTAMPS_WORD = 0x0101080a;
export const TIMESTAMPS_BYTES = 12;

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

const IP6_HEADER_BYTES = 40;

/**
 * The largest payload the peer of a SYN takes: what it says, within reason, or what must be assumed of its family, which the
 * size of the IP header tells (RFC 9293 3.7.1).
 */
export function peerMssOf(segment: Segment, settings: TcpSettings, headerBytes: number): number {
  if (segment.mss > 0) return Math.max(segment.mss, settings.mssMin.value);
  return headerBytes === IP6_HEADER_BYTES ? settings.mssDefault6.value : settings.mssDefault.value;
}

/** How many SACK blocks fit beside the other options. */
export function sackBlocksMax(timestamps: boolean): number {
  return (OPTION_BYTES_MAX - (timestamps ? TIMESTAMPS_BYTES : 0) - 4) >> 3;
}

/** Options of a SYN or SYN-ACK, in the order everybody sends them. */
export class SynOptions {
  mss: number = 0;
  /** -1: not offered. */
  scale: number = -1;
  sackPermitted: boolean = false;
  timestamps: boolean = false;
  tsValue: number = 0;
  tsEcho: number = 0;

  get bytes(): number {
    const timestamps = this.timestamps || this.sackPermitted ? (this.timestamps ? TIMESTAMPS_BYTES : 4) : 0;
    return 4 + timestamps + (this.scale >= 0 ? 4 : 0);
  }

  write(view: DataView, at: number): void {
    view.setInt32(at, (OPTION_MSS << 24) | (4 << 16) | this.mss);
    at += 4;
    if (this.timestamps) {
      const sack = (OPTION_SACK_PERMITTED << 24) | (2 << 16) | (OPTION_TIMESTAMPS << 8) | 10;
      view.setInt32(at, this.sackPermitted ? sack : TIMESTAMPS_WORD);
      view.setInt32(at + 4, this.tsValue);
      view.setInt32(at + 8, this.tsEcho);
      at += TIMESTAMPS_BYTES;
    } else if (this.sackPermitted) {
      view.setInt32(at, (OPTION_NOP << 24) | (OPTION_NOP << 16) | (OPTION_SACK_PERMITTED << 8) | 2);
      at += 4;
    }
    if (this.scale >= 0) {
      view.setInt32(at, (OPTION_NOP << 24) | (OPTION_WINDOW_SCALE << 16) | (3 << 8) | this.scale);
    }
  }
}

/** The smallest scale with which a 16-bit window can say `bytes` (RFC 7323 section 2.2). */
export function scaleFor(bytes: number): number {
  let scale = 0;
  while (scale < WINDOW_SCALE_MAX && 65535 * 2 ** scale < bytes) scale++;
  return scale;
}

/**
 * What of a receive buffer may be offered: a scaled window can only be said rounded, and is rounded up so that its right
 * edge never moves back (RFC 7323 section 2.4); the buffer keeps that much in reserve.
 */
export function offerable(limitBytes: number, scale: number): number {
  return limitBytes - (1 << scale) + 1;
}

/** The window of a SYN, which is never scaled. */
export function synWindow(limitBytes: number, scale: number): number {
  return Math.min(offerable(limitBytes, scale), 65535);
}
