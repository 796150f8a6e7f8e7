/**
 * Answers to segments that should not be, or are too many: challenge ACKs, duplicates outside the window, resets, SYN-ACKs.
 *
 * Thread: the one that runs the kernel. All are limited: globally per second, so that a flood of forged segments costs
 * little, and per connection in time, so that two ends that misunderstand each other do not answer for ever.
 * Read first: RFC 5961 sections 3 to 7, RFC 9293 3.10.7.1.
 */

import type { Connection } from '../connection/connection.ts';
import { sendAck } from '../send/control-segments.ts';
import type { TcpStack } from '../stack.ts';

const US_PER_SEC = 1_000_000;

/** So many per second, counted in whole seconds. */
export class SecondLimit {
  #secondUs: number = -0.5;
  #left: number = 0;

  /** Whether one more is allowed at `nowUs`. */
  take(perSecond: number, nowUs: number): boolean {
    if (this.#secondUs < 0 || nowUs - this.#secondUs >= US_PER_SEC) {
      this.#secondUs = nowUs;
      this.#left = perSecond;
    }
    if (this.#left <= 0) return false;
    this.#left--;
    return true;
  }
}

/** Whether one more may be sent this second. */
export function mayChallenge(stack: TcpStack, nowUs: number): boolean {
  if (stack.challengeLimit.take(stack.settings.challengeAckLimit.value, nowUs)) return true;
  stack.counters.add(stack.count.challengeAcksLimited, 1);
  return false;
}

/** Whether one more SYN that nothing is kept of, or that came before, may be answered this second. */
export function maySynAck(stack: TcpStack, nowUs: number): boolean {
  if (stack.synAckLimit.take(stack.settings.synAckLimit.value, nowUs)) return true;
  stack.counters.add(stack.count.synAcksLimited, 1);
  return false;
}

/** RFC 5961: tell the peer where we are, so that only the real one can reset or go on. */
export function challengeAck(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (!mayChallenge(stack, nowUs)) return;
  stack.counters.add(stack.count.challengeAcksSent, 1);
  sendAck(c, nowUs);
}

/**
 * An unacceptable segment is answered by an ACK (RFC 9293 3.10.7.4, first); one without data not endlessly, since two
 * ends that disagree would answer each other's ACKs.
 */
export function answerUnacceptable(c: Connection, withData: boolean, nowUs: number): void {
  const { stack } = c;
  if (withData) {
    sendAck(c, nowUs);
    return;
  }
  if (c.invalidAckUs >= 0 && nowUs - c.invalidAckUs < stack.settings.invalidAckIntervalMs.value * 1000) return;
  c.invalidAckUs = nowUs;
  sendAck(c, nowUs);
}
