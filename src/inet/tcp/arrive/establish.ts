/**
 * The handshake is complete: first windows.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 3.10.7.4 (fifth, SYN-RECEIVED), RFC 6928.
 */

import { FLAG_SYN } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { initialWindow, refreshMss } from '../connection/mss.ts';
import { ESTABLISHED, FIN_WAIT_1 } from '../connection/states.ts';
import { startKeepAlive } from '../connection/timers.ts';
import { beginMtuSearch } from '../recovery/mtu-probe.ts';
import type { Segment } from '../shared/segment.ts';

/** The handshake is complete: first window, first congestion window. */
export function establish(c: Connection, segment: Segment, nowUs: number): void {
  // Closed before the peer had answered (close.ts): the FIN goes when the ACK has been looked at.
  c.state = c.snd.finQueued ? FIN_WAIT_1 : ESTABLISHED;
  c.snd.wnd = segment.window << (segment.flags & FLAG_SYN ? 0 : c.snd.scale);
  c.snd.maxWnd = c.snd.wnd;
  c.snd.wl1 = segment.seq;
  c.snd.wl2 = segment.ack;
  if (c.ecn.ok) c.stack.counters.add(c.stack.count.ecnHandshakes, 1);
  const { counters, count, settings } = c.stack;
  if (settings.mtuProbing.value === 2) {
    beginMtuSearch(c, settings.mtuBaseMss.value);
    refreshMss(c);
  }
  c.congestion.reset(initialWindow(c));
  c.rtx.sampleSeq = c.snd.smallEnd = c.snd.una;
  c.times.receivedUs = nowUs;
  counters.add(count.connectionsEstablished, 1);
  startKeepAlive(c, nowUs);
  if (c.owner !== null) c.owner.onConnected();
}
