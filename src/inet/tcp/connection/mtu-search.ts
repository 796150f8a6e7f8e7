/**
 * Packetization layer path MTU discovery of one connection: the interval that is searched, and the probe that is out.
 *
 * Thread: the one that runs the CPU. Sizes are those of an MSS: payload and options. The procedure is in
 * recovery/mtu-probe.ts.
 * Read first: RFC 4821 section 7.
 */

import { assert } from '../../../base/assert.ts';
import { seqLe, seqLt } from '../../../base/sequence.ts';
import type { SendSequence } from './send-sequence.ts';

/** Invariants: 0 < `low` <= `high` <= `pathMss`; a probe that is out covers numbers below SND.NXT. */
export class MtuSearch {
  /** Passes; may pass. */
  low: number;
  high: number;
  /** MSS that the path's MTU alone would allow. */
  pathMss: number;
  /** Size of the probe that is out, 0 without one; the numbers it covers. */
  probe: number = 0;
  probeSeq: number = 0;
  probeEndSeq: number = 0;
  /** No probe yet: the first tries `high`. */
  fresh: boolean = true;
  /** When to look for more after all; below 0: not at rest. */
  restUntilUs: number = -0.5;

  constructor(low: number, pathMss: number) {
    this.low = low;
    this.high = pathMss;
    this.pathMss = pathMss;
  }

  /** The path's MTU, from a route or an ICMP message, allows `pathMss`: the MSS that is left to the search to give out. */
  bound(pathMss: number): number {
    if (pathMss !== this.pathMss) {
      this.pathMss = pathMss;
      this.high = pathMss;
      this.low = Math.min(this.low, pathMss);
      this.restUntilUs = -1;
    }
    return this.low;
  }
}

export function checkMtuSearch(search: MtuSearch, snd: SendSequence): void {
  const { low, high, pathMss, probe, probeSeq, probeEndSeq } = search;
  assert(low > 0 && low <= high && high <= pathMss, '0 < low <= high <= pathMss');
  assert(probe >= 0, 'size of the probe');
  if (probe === 0) return;
  assert(seqLt(probeSeq, probeEndSeq) && seqLe(probeEndSeq, snd.nxt), 'the probe covers numbers below SND.NXT');
}
