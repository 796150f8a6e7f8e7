/**
 * NewReno's window arithmetic: congestion avoidance by bytes acknowledged.
 *
 * Thread: the one that runs the CPU. The recovery procedure itself is in tcp/recovery/recovery.ts.
 * Read first: RFC 5681 section 3.1, RFC 3465 (appropriate byte counting), RFC 6582.
 */

import { type CongestionControl, SSTHRESH_INITIAL, slowStart } from './control.ts';

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
    ackedBytes = slowStart(this, ackedBytes);
    if (ackedBytes === 0) return;
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
