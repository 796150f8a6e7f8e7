/**
 * Options of a segment to be sent.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 section 3.2, RFC 7323 section 2 and 3, RFC 2018 section 2.
 */

import {
  OPTION_BYTES_MAX,
  OPTION_MSS,
  OPTION_NOP,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
} from '../../../wire/tcp.ts';

/** NOP, NOP, kind 8, length 10: the first word of the timestamps option as everybody sends it (RFC 7323 appendix A). */
export const TIMESTAMPS_WORD = 0x0101080a;
export const TIMESTAMPS_BYTES = 12;

/** SACK blocks that fit beside the other options. */
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
