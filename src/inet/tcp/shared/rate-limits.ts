/**
 * The rate limits of TCP: answers that a flood of forged segments asks for.
 *
 * Thread: the one that runs the CPU. Read first: RFC 5961 section 7, RFC 4987 section 3.
 */

import { RateLimit } from '../../../kern/rate-limit.ts';
import type { Sysctl } from '../../../kern/sysctl.ts';
import type { Counters } from '../../../mem/counters.ts';

export class TcpRateLimits {
  /** ACKs that a segment with a wrong number asks for (RFC 5961). */
  readonly challengeAcks: RateLimit;
  /** Resets in answer to segments that belong to no connection. */
  readonly resets: RateLimit;
  /** SYN-ACKs by cookie, and to repeated SYNs. */
  readonly synAcks: RateLimit;

  constructor(sysctl: Sysctl, counters: Counters) {
    this.challengeAcks = new RateLimit(sysctl, counters, {
      name: 'net.inet.tcp.challenge_ack_limit',
      perSecond: 1000,
      description: 'challenge ACKs per second (RFC 5961); -1: any',
      what: 'challenge ACKs (RFC 5961)',
      counter: 'tcp-challenge-acks-limited',
    });
    this.resets = new RateLimit(sysctl, counters, {
      name: 'net.inet.tcp.rstppslimit',
      perSecond: 1000,
      description: 'resets per second to nobody; -1: any',
      what: 'TCP resets to nobody',
      counter: 'tcp-resets-limited',
    });
    this.synAcks = new RateLimit(sysctl, counters, {
      name: 'net.inet.tcp.synackppslimit',
      perSecond: 10_000,
      description: 'SYN-ACKs per second while the SYN queue is full, and to repeated SYNs; -1: any',
      what: 'SYN-ACKs while the SYN queue is full, and to SYNs that come again',
      counter: 'tcp-syn-acks-limited',
    });
  }
}
