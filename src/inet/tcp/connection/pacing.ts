/**
 * Pacing: a window is spread over the round trip instead of leaving as one burst.
 *
 * Thread: the one that runs the CPU. The rate is a window per smoothed round trip, and somewhat more, so that the
 * congestion window and not the pace remains the limit. A millisecond's worth, two segments at least, may go at once;
 * the time for it is then paid off before more goes. A connection with a short round trip is not paced at all: its
 * bursts are what the link's ring is for, and a timer would cost more than it saves.
 * Read first: RFC 9002 section 7.7, which gives the rate (for QUIC); RFC 9406 section 4.2 counts on it.
 */

import { seqDiff, seqLe } from '../../../base/sequence.ts';
import { US_PER_MS } from '../../../base/units.ts';
import type { Connection } from './connection.ts';
import { Pacer } from './pacer.ts';

const QUANTUM_US: number = US_PER_MS;
const QUANTUM_SEGMENTS = 2;
/** Time that passed unused counts up to this, so that a late timer costs nothing. */
const CREDIT_MAX_US: number = 5 * US_PER_MS;

/** After a sample of the round trip: whether this connection is paced from now on. */
export function choosePacing(c: Connection): void {
  const { settings } = c.stack;
  c.paced = settings.pacing.value === 1 && c.rtt.srttUs >= settings.pacingMinRttUs.value;
}

/** Bytes per microsecond. */
function rateOf(c: Connection): number {
  const { cwnd, ssthresh } = c.congestion;
  const { pacingSlowStartPercent, pacingPercent } = c.stack.settings;
  const percent = cwnd < ssthresh / 2 ? pacingSlowStartPercent.value : pacingPercent.value;
  return (cwnd * percent) / (100 * c.rtt.srttUs);
}

// cold: once per connection.
function makePacer(c: Connection): Pacer {
  c.pacer = new Pacer((timeUs) => c.stack.timers.onPace(c, timeUs));
  return c.pacer;
}

/** The number up to which new data may go now: SND.NXT and what the pace allows. */
export function paceEdge(c: Connection, nowUs: number): number {
  const pacer = c.pacer ?? makePacer(c);
  const mss = c.size.mss;
  // A first flight is not held up.
  if (c.scoreboard.empty && pacer.paidUs > nowUs) pacer.paidUs = nowUs;
  const creditUs = Math.min(nowUs - pacer.paidUs, CREDIT_MAX_US);
  if (creditUs < 0) return c.snd.nxt;
  const rate = rateOf(c);
  const bytes = Math.max((creditUs + QUANTUM_US) * rate, QUANTUM_SEGMENTS * mss);
  return (c.snd.nxt + Math.ceil(bytes / mss) * mss) | 0;
}

/**
 * `sentBytes` went. When it was the pace that ended it, `edge` having been reached, the timer goes on with the rest. Returns
 * whether it was.
 */
export function notePaced(c: Connection, edge: number, sentBytes: number, nowUs: number): boolean {
  const pacer = c.pacer as Pacer;
  const fromUs = Math.max(pacer.paidUs, nowUs - CREDIT_MAX_US);
  pacer.paidUs = fromUs + sentBytes / rateOf(c);
  const held =
    seqDiff(edge, c.snd.nxt) < c.size.mss && !c.sendBufferIdle && c.congestion.cwnd - c.pipeBytes >= c.size.mss;
  if (!held || seqLe(c.snd.una + c.snd.wnd, c.snd.nxt)) return false;
  c.stack.counters.add(c.stack.count.pacingDelays, 1);
  // One quantum's time before the debt is paid there is enough to send again.
  c.stack.callouts.schedule(pacer.timer, Math.max(pacer.paidUs, nowUs + 1));
  return true;
}
