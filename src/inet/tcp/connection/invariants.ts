/**
 * The invariants of a connection, checked between events by the fuzz test (tcp/fuzz.test.ts). Cold: tests.
 *
 * Thread: any.
 */

import { assert } from '../../../base/assert.ts';
import { seqDiff } from '../../../base/sequence.ts';
import { checkAckSchedule } from './ack-schedule.ts';
import { checkActivity } from './activity.ts';
import type { Connection } from './connection.ts';
import { checkEcn } from './ecn-state.ts';
import { checkLossRecovery } from './loss-recovery.ts';
import { checkMtuSearch } from './mtu-search.ts';
import { checkPacer } from './pacer.ts';
import { checkRack } from './rack-state.ts';
import { checkReceiveSequence } from './receive-sequence.ts';
import { checkRetransmission } from './retransmission.ts';
import { checkSegmentSizes } from './segment-sizes.ts';
import { checkSendSequence } from './send-sequence.ts';
import { ESTABLISHED, TIME_WAIT } from './states.ts';
import { checkTimestamps } from './timestamps.ts';
import { checkUndo } from './undo-state.ts';
import { checkUrgent } from './urgent-state.ts';

/** Throws when a part of a synchronized connection, or what joins the parts, is not as it must be between two events. */
export function checkConnection(c: Connection): void {
  assert(c.due === 0, 'everything that was due has been sent');
  assert(c.index >= 0 || c.holderIndex < 0, 'the stack keeps nothing of a connection that has ended');
  if (c.state < ESTABLISHED || c.state === TIME_WAIT) return;
  checkSendSequence(c.snd);
  checkReceiveSequence(c.rcv);
  checkSegmentSizes(c.size);
  checkTimestamps(c.ts);
  checkAckSchedule(c.acks);
  checkLossRecovery(c.loss, c.prr, c.snd, c.sackOk);
  checkRetransmission(c.rtx, c.retransmitTimer);
  checkRack(c.rack, c.snd);
  checkEcn(c.ecn, c.snd);
  checkUndo(c.undo, c.snd, c.loss.phase);
  checkUrgent(c.urgent, c.sendBuffer.endSeq);
  if (c.mtuSearch !== null) checkMtuSearch(c.mtuSearch, c.snd);
  if (c.pacer !== null) checkPacer(c.pacer);
  checkActivity(c.times, c.totals);
  assert(c.pipeBytes >= -c.loss.renoSackedBytes, 'pipe');
  assert(c.congestion.cwnd > 0, 'cwnd > 0');
  assert(c.readableBytes >= 0 && c.readableBytes <= c.receiveBuffer.limitBytes, 'readable bytes fit the buffer');
  assert(seqDiff(c.sendBuffer.endSeq, c.sendBuffer.startSeq) >= 0, 'send buffer in order');
  assert(c.scoreboard.empty === (seqDiff(c.snd.nxt, c.snd.una) === 0), 'outstanding data is on the scoreboard');
}
