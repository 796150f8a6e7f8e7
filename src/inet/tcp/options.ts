/**
 * Header options: reading those of a received segment, writing those of a segment to be sent.
 *
 * Thread: the one that runs the kernel. A received segment is read once into the stack's one {@link Segment}; nothing is
 * allocated. Malformed options end the list (RFC 9293 3.1, MUST-68: lengths are checked), the segment is still processed.
 * Read first: RFC 9293 section 3.1 and 3.2, RFC 7323 section 2 and 3, RFC 2018 section 3.
 */

import {
  HEADER_BYTES,
  OPTION_BYTES_MAX,
  OPTION_END,
  OPTION_MSS,
  OPTION_NOP,
  OPTION_SACK,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
  SACK_BLOCKS_MAX,
  WINDOW_SCALE_MAX,
} from '../../wire/tcp.ts';

/** NOP, NOP, kind 8, length 10: the first word of the timestamps option as everybody sends it (RFC 7323 appendix A). */
export const TIMESTAMPS_WORD = 0x0101080a;
export const TIMESTAMPS_BYTES = 12;

/** A received segment, filled anew for each. */
export class Segment {
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

  /** 0: absent. */
  mss: number = 0;
  /** -1: absent. */
  scale: number = -1;
  sackPermitted: boolean = false;
  timestamps: boolean = false;
  tsValue: number = 0;
  tsEcho: number = 0;
  sackCount: number = 0;
  readonly sackStart: Int32Array = new Int32Array(SACK_BLOCKS_MAX);
  readonly sackEnd: Int32Array = new Int32Array(SACK_BLOCKS_MAX);
}

/** Read the options between the fixed header at `at` and its end. */
export function parseOptions(view: DataView, at: number, headerBytes: number, into: Segment): void {
  into.mss = 0;
  into.scale = -1;
  into.sackPermitted = false;
  into.timestamps = false;
  into.sackCount = 0;
  const end = at + headerBytes;
  for (let o = at + HEADER_BYTES; o < end; ) {
    const kind = view.getUint8(o);
    if (kind === OPTION_END) return;
    if (kind === OPTION_NOP) {
      o++;
      continue;
    }
    if (o + 1 >= end) return;
    const length = view.getUint8(o + 1);
    if (length < 2 || o + length > end) return;
    parseOption(view, o, kind, length, into);
    o += length;
  }
}

function parseOption(view: DataView, o: number, kind: number, length: number, into: Segment): void {
  switch (kind) {
    case OPTION_MSS:
      if (length === 4) into.mss = view.getUint16(o + 2);
      break;
    case OPTION_WINDOW_SCALE:
      if (length === 3) into.scale = Math.min(view.getUint8(o + 2), WINDOW_SCALE_MAX);
      break;
    case OPTION_SACK_PERMITTED:
      if (length === 2) into.sackPermitted = true;
      break;
    case OPTION_TIMESTAMPS:
      if (length !== 10) break;
      into.timestamps = true;
      into.tsValue = view.getInt32(o + 2);
      into.tsEcho = view.getInt32(o + 6);
      break;
    case OPTION_SACK:
      if (length < 10 || (length - 2) % 8 !== 0) break;
      into.sackCount = (length - 2) >> 3;
      for (let b = 0; b < into.sackCount; b++) {
        into.sackStart[b] = view.getInt32(o + 2 + 8 * b);
        into.sackEnd[b] = view.getInt32(o + 6 + 8 * b);
      }
      break;
  }
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
