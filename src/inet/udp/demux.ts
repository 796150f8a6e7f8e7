/**
 * Look-up of the UDP endpoint of a datagram: buckets by local port, each a chain of endpoints.
 *
 * Thread: the one that runs the CPU. Chains are short, so a lookup is a few comparisons; nothing is allocated.
 */

import { familyOf, matchScore } from '../ip/any-address.ts';
import { flowShare } from '../ip/flow-share.ts';
import type { UdpEndpoint } from './endpoint.ts';

const BUCKETS = 256;

export class UdpDemux {
  readonly #buckets: (UdpEndpoint | null)[] = new Array<UdpEndpoint | null>(BUCKETS).fill(null);
  count = 0;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** First endpoint of the chain of `port`, which holds endpoints of other ports too. Follow `next`. */
  chain(port: number): UdpEndpoint | null {
    return this.#buckets[port & (BUCKETS - 1)] as UdpEndpoint | null;
  }

  // cold: per request
  list(): UdpEndpoint[] {
    const found: UdpEndpoint[] = [];
    for (const first of this.#buckets) for (let one = first; one !== null; one = one.next) found.push(one);
    return found;
  }

  /** Put a bound endpoint in front of its chain. */
  insert(endpoint: UdpEndpoint): void {
    const bucket = endpoint.port & (BUCKETS - 1);
    endpoint.next = this.#buckets[bucket] as UdpEndpoint | null;
    this.#buckets[bucket] = endpoint;
    this.count++;
  }

  remove(endpoint: UdpEndpoint): void {
    const bucket = endpoint.port & (BUCKETS - 1);
    let before: UdpEndpoint | null = null;
    for (let one = this.#buckets[bucket] as UdpEndpoint | null; one !== null; before = one, one = one.next) {
      if (one !== endpoint) continue;
      if (before === null) this.#buckets[bucket] = one.next;
      else before.next = one.next;
      one.next = null;
      this.count--;
      return;
    }
  }

  /** The endpoint that matches best; among equals that share a port, one chosen by the sender (SO_REUSEPORT). */
  lookup(dst: number, port: number, src: number, srcPort: number): UdpEndpoint | null {
    let best: UdpEndpoint | null = null;
    let bestScore = 0;
    let equals = 0;
    const family = familyOf(dst);
    for (let one = this.chain(port); one !== null; one = one.next) {
      const score = scoreOf(one, dst, family, port, src, srcPort);
      if (score === 0 || score < bestScore) continue;
      equals = score === bestScore ? equals + 1 : 1;
      // The endpoint bound last stands first in the chain, and wins where nothing else decides.
      if (score > bestScore) best = one;
      bestScore = score;
    }
    if (best === null || equals === 1 || !best.reusePort) return best;
    let chosen = flowShare(this.#seed, src, srcPort, equals);
    for (let one: UdpEndpoint | null = best; one !== null; one = one.next) {
      if (scoreOf(one, dst, family, port, src, srcPort) === bestScore && chosen-- === 0) return one;
    }
    return best;
  }
}

/** 0: not for this endpoint; otherwise how well the local address fits, and 4 more for a matching peer. */
function scoreOf(
  endpoint: UdpEndpoint,
  dst: number,
  family: number,
  port: number,
  src: number,
  srcPort: number,
): number {
  if (endpoint.port !== port) return 0;
  let score = matchScore(endpoint.address, endpoint.anyFamilies, dst, family);
  if (score === 0) return 0;
  if (endpoint.peerPort !== 0) {
    if (endpoint.peerPort !== srcPort || endpoint.peerAddress !== src) return 0;
    score += 4;
  }
  return score;
}
