/**
 * NewReno's window arithmetic: slow start, congestion avoidance by bytes acknowledged.
 *
 * Thread: the one that runs the kernel. The recovery procedure itself is in tcp/recovery/recovery.ts.
 * Read first: RFC 5681 section 3.1, RFC 3465 (appropriate byte counting), RFC 6582.
 */

import type { CongestionControl } from './control.ts';

/** Larger than any window: "arbitrarily high" (RFC 5681 section 3.1). */
export const SSTHRESH_INITIAL = 0x3fff_ffff;

export class NewReno implements CongestionControl {
  readonly name: string = 'newreno';
  cwnd: number = 0;
  ssthresh: number = SSTHRESH_INITIAL;
  /** Bytes acknowledged in congestion avoidance and not yet turned into window. */
  #credit: number = 0;

  reset(cwnd: number): void {
    this.cwnd = cwnd;
    this.#credit = 0;
  }

  onAck(ackedBytes: number, mss: number, _rttUs: number, _nowUs: number): void {
    if (this.cwnd < this.ssthresh) {
      // No limit L on stretch ACKs: one ACK may cover a whole poll batch, and the receiver is not an attacker's tool
      // here as RFC 3465 section 2.3 feared, since bytes are counted.
      const room = this.ssthresh - this.cwnd;
      if (ackedBytes <= room) {
        this.cwnd += ackedBytes;
        return;
      }
      this.cwnd = this.ssthresh;
      ackedBytes -= room;
    }
    this.#credit += ackedBytes;
    while (this.#credit >= this.cwnd) {
      this.#credit -= this.cwnd;
      this.cwnd += mss;
    }
  }

  onLoss(flightBytes: number, mss: number): void {
    this.ssthresh = Math.max(flightBytes >> 1, 2 * mss);
    this.#credit = 0;
  }

  remember(): void {}

  restore(): void {}

  onIdle(_idleUs: number): void {}
}
