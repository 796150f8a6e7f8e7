/**
 * Packetization layer path MTU discovery: the largest segment that passes, found by sending one, without ICMP.
 *
 * Thread: the one that runs the CPU. Sizes are those of an MSS: payload and options. A search begins when full segments
 * time out again and again without an ICMP error (a black hole), or with the connection (`net.inet.tcp.mtu_probing`):
 * segments become small enough for nearly every path, and one of them at a time, the probe, is sent larger, with data like
 * any other. A probe is acknowledged, or, lost alone, is no sign of congestion. The first try is the size that had been assumed, since an outage
 * is more common than a black hole; then the interval is halved.
 * Read first: RFC 4821 sections 7 and 10.1. Missing: connections do not share the size that was found (section 3).
 */

import { seqDiff, seqGe } from '../../../base/sequence.ts';
import { US_PER_S } from '../../../base/units.ts';
import { HEADER_BYTES as IP6_HEADER_BYTES } from '../../../wire/ipv6.ts';
import { HEADER_BYTES } from '../../../wire/tcp.ts';
import type { Path } from '../../ip/transport.ts';
import type { Connection } from '../connection/connection.ts';
import { refreshMss, sackBytesMax } from '../connection/mss.ts';
import { MtuSearch } from '../connection/mtu-search.ts';
import { RECOVERY_NONE } from '../connection/states.ts';
import { TIMESTAMPS_BYTES } from '../shared/options.ts';

/** Consecutive timeouts that make a black hole of an outage. */
const BLACK_HOLE_TIMEOUTS = 3;
/** An interval that is not worth another probe. */
const ENOUGH_BYTES = 8;
/** Full segments that must follow a probe, so that its loss is found by what they draw (RFC 4821 section 7.4). */
const FOLLOWING_SEGMENTS = 4;
/** Window below which the loss of a probe could cost a timeout. */
const WINDOW_SEGMENTS_MIN = 11;
/** RFC 8200 section 5: every link of IPv6 carries packets of this size. */
const IP6_MTU_MIN = 1280;

/** Begin below what the path is said to carry. */
// cold: once per connection.
export function beginMtuSearch(c: Connection, low: number): void {
  const pathMss = c.size.mss + (c.ts.ok ? TIMESTAMPS_BYTES : 0);
  c.mtuSearch = new MtuSearch(Math.min(Math.max(low, leastMss(c)), pathMss), pathMss);
  c.size.mtuBytes = 0;
}

/** The MSS that passes everywhere: none below it is tried. */
function leastMss(c: Connection): number {
  const { headerBytes } = c.path as Path;
  const mssMin = c.stack.settings.mssMin.value;
  return headerBytes === IP6_HEADER_BYTES ? Math.max(mssMin, IP6_MTU_MIN - headerBytes - HEADER_BYTES) : mssMin;
}

/** The retransmission timer fired again, the oldest segment having been sent `rtx.timeouts` times in vain. */
export function onMtuTimeout(c: Connection): void {
  const { scoreboard, stack } = c;
  const search = c.mtuSearch;
  if (search !== null && search.probe > 0) {
    if (seqGe(c.snd.una, search.probeSeq)) probeFailed(c, search);
    else search.probe = 0;
  }
  // A black hole: timeouts without an ICMP error or a missing route.
  if (c.rtx.timeouts < BLACK_HOLE_TIMEOUTS || c.softError !== 0 || stack.settings.mtuProbing.value === 0) return;
  const base = stack.settings.mtuBaseMss.value;
  const current = c.size.mss + (c.ts.ok ? TIMESTAMPS_BYTES : 0);
  const floor = Math.min(leastMss(c), current);
  if (scoreboard.empty || scoreboard.lengthOf(scoreboard.first) <= floor || current <= floor) return;
  if (search === null) {
    stack.counters.add(stack.count.mtuBlackHoles, 1);
    beginMtuSearch(c, Math.min(base, current));
  } else {
    // The base size does not pass either.
    search.low = Math.max(search.low > base ? base : search.low >> 1, floor);
    search.restUntilUs = -1;
    c.size.mtuBytes = 0;
  }
  refreshMss(c);
}

/**
 * Before new data goes: the fate of the probe, and whether the next one is due. Returns its payload, 0 when none is due,
 * or -1 when new data should wait for the room that it needs.
 */
export function nextMtuProbe(c: Connection, nowUs: number): number {
  const search = c.mtuSearch as MtuSearch;
  if (search.probe > 0) {
    if (seqGe(c.snd.una, search.probeEndSeq)) probePassed(c, search, nowUs);
    return 0;
  }
  if (!wanted(c, search, nowUs)) return 0;
  const size = search.fresh ? search.high : (search.low + search.high + 1) >> 1;
  const payload = size - (c.ts.ok ? TIMESTAMPS_BYTES : 0);
  const needed = payload + FOLLOWING_SEGMENTS * c.size.mss;
  const usable = seqDiff(c.snd.una + c.snd.wnd, c.snd.nxt);
  if (seqDiff(c.sendBuffer.endSeq, c.snd.nxt) < needed || usable < needed) return 0;
  const { cwnd } = c.congestion;
  if (cwnd < WINDOW_SEGMENTS_MIN * c.size.mss || cwnd < needed) return 0;
  // Acknowledgements of the data in flight make room.
  return cwnd - c.pipeBytes < payload ? -1 : payload;
}

/** The probe went, `payload` bytes from `seq` on. */
export function noteMtuProbe(c: Connection, seq: number, payload: number): void {
  const search = c.mtuSearch as MtuSearch;
  search.fresh = false;
  search.probe = payload + (c.ts.ok ? TIMESTAMPS_BYTES : 0);
  search.probeSeq = seq;
  search.probeEndSeq = c.snd.nxt;
  c.stack.counters.add(c.stack.count.mtuProbesSent, 1);
}

function wanted(c: Connection, search: MtuSearch, nowUs: number): boolean {
  const { settings } = c.stack;
  if (settings.mtuProbing.value === 0 || c.urgent.sending || c.loss.phase !== RECOVERY_NONE) return false;
  if (c.scoreboard.sackedBytes > 0 || c.loss.dupAcks > 0 || sackBytesMax(c) > 0 || c.rtx.timeouts > 0) return false;
  if (search.high - search.low > ENOUGH_BYTES) return true;
  if (search.high >= search.pathMss) return false;
  if (search.restUntilUs < 0) search.restUntilUs = nowUs + settings.mtuProbeIntervalSec.value * US_PER_S;
  if (nowUs < search.restUntilUs) return false;
  // The path may have changed (RFC 4821 section 7.5).
  search.restUntilUs = -1;
  search.high = search.pathMss;
  search.fresh = true;
  return true;
}

function probePassed(c: Connection, search: MtuSearch, nowUs: number): void {
  // The path's MTU may have shrunk meanwhile.
  search.low = Math.min(search.probe, search.high);
  search.probe = 0;
  c.size.mtuBytes = 0;
  refreshMss(c);
  c.stack.counters.add(c.stack.count.mtuProbesPassed, 1);
  if (search.high - search.low <= ENOUGH_BYTES) {
    search.restUntilUs = nowUs + c.stack.settings.mtuProbeIntervalSec.value * US_PER_S;
  }
}

function probeFailed(c: Connection, search: MtuSearch): void {
  search.high = Math.max(search.probe - 1, search.low);
  search.probe = 0;
  c.stack.counters.add(c.stack.count.mtuProbesFailed, 1);
}

/**
 * A loss was found while a probe was out. Returns true when it is the probe alone: it is sent again in pieces, and the
 * congestion window stays (RFC 4821 section 7.6.2). With other losses it says nothing about the size.
 */
export function mtuProbeLost(c: Connection): boolean {
  const search = c.mtuSearch as MtuSearch;
  if (search.probe === 0) return false;
  const payload = seqDiff(search.probeEndSeq, search.probeSeq);
  const alone = seqGe(c.snd.una, search.probeSeq) && c.scoreboard.lostBytes <= payload;
  if (!alone || seqGe(c.snd.una, search.probeEndSeq)) {
    search.probe = 0;
    return false;
  }
  probeFailed(c, search);
  return true;
}
