/**
 * Answers to segments that a connection does not accept: challenge ACKs, and ACKs for what lies outside the window.
 *
 * Thread: the one that runs the CPU. Both are limited: globally per second (shared/rate-limits.ts), so that a flood of
 * forged segments costs little, and per connection in time, so that two ends that misunderstand each other do not answer for
 * ever. Read first: RFC 5961 sections 3 to 7, RFC 9293 3.10.7.1.
 */

import { US_PER_MS } from '../../../base/units.ts';
import type { Connection } from '../connection/connection.ts';
import { DUE_ACK } from '../connection/due.ts';

/** RFC 5961: an ACK tells the peer our numbers, so that only the real peer can reset or go on. */
export function challengeAck(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (!stack.rateLimits.challengeAcks.allow(nowUs)) return;
  stack.counters.add(stack.count.challengeAcksSent, 1);
  c.due |= DUE_ACK;
}

/**
 * An unacceptable segment is answered by an ACK (RFC 9293 3.10.7.4, first); one without data not endlessly, since two
 * ends that disagree would answer each other's ACKs.
 */
export function answerUnacceptable(c: Connection, withData: boolean, nowUs: number): void {
  const { stack } = c;
  if (withData) {
    c.due |= DUE_ACK;
    return;
  }
  if (c.acks.invalidUs >= 0 && nowUs - c.acks.invalidUs < stack.settings.invalidAckIntervalMs.value * US_PER_MS) return;
  c.acks.invalidUs = nowUs;
  c.due |= DUE_ACK;
}
