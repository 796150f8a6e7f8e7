/**
 * Answers to segments that should not be, or are too many: challenge ACKs, duplicates outside the window, resets, SYN-ACKs.
 *
 * Thread: the one that runs the kernel. All are limited: globally per second, so that a flood of forged segments costs
 * little, and per connection in time, so that two ends that misunderstand each other do not answer for ever.
 * Read first: RFC 5961 sections 3 to 7, RFC 9293 3.10.7.1.
 */

import { US_PER_MS } from '../../../base/units.ts';
import type { Connection } from '../connection/connection.ts';
import { DUE_ACK } from '../connection/due.ts';
import type { TcpContext } from '../shared/context.ts';

/** Rate limit for challenge ACKs. */
export function mayChallenge(stack: TcpContext, nowUs: number): boolean {
  if (stack.challengeLimit.allow(stack.settings.challengeAckLimit.value, nowUs)) return true;
  stack.counters.add(stack.count.challengeAcksLimited, 1);
  return false;
}

/** Rate limit for SYN-ACKs by cookie and for repeated SYNs. */
export function maySynAck(stack: TcpContext, nowUs: number): boolean {
  if (stack.synAckLimit.allow(stack.settings.synAckLimit.value, nowUs)) return true;
  stack.counters.add(stack.count.synAcksLimited, 1);
  return false;
}

/** RFC 5961: an ACK tells the peer our numbers, so that only the real peer can reset or go on. */
export function challengeAck(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (!mayChallenge(stack, nowUs)) return;
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
