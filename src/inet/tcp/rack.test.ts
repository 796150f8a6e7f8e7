import { describe, expect, it } from 'vitest';
import { type HandshakeOptions, Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { noteRecoveryEnd } from './recovery/rack.ts';

const MSS = 1460;
const at = (segment: number): number => 1 + MSS * segment;

/** An active open with a round trip of 100 ms, time 0 at its end; then `segments` segments in flight of `total`. */
function start(
  segments: number,
  total: number,
  sysctl: Record<string, number> = {},
  options: HandshakeOptions = {},
): Transcript {
  const t = new Transcript({ sysctl: { congctl: 0, init_win: segments, ...sysctl } }).synSent();
  t.at(100);
  const syn = t.c.snd.iss;
  t.send(
    `S. seq 0 ack 1 win 65535 mss ${MSS}${options.sack === false ? '' : ' sackok'}${options.ts ? ' ts 5000 0' : ''}`,
  );
  t.skip();
  expect(t.c.rtt.srttUs).toBe(100_000);
  t.originUs = t.nowUs;
  expect(syn).toBe(t.c.snd.iss);
  if (total > 0) {
    t.write(total * t.c.size.mss);
    expect(t.skip()).toBe(Math.min(segments, total));
  }
  return t;
}

describe('tail loss probe (RFC 8985 section 7)', () => {
  it('resends the last segment two round trips after the last ACK, once', () => {
    const t = start(10, 10);
    t.at(209);
    t.expectNothing();
    t.at(211);
    t.expect(`P. seq ${at(9)} len ${MSS} at 210`);
    t.at(400);
    t.expectNothing();
    // Then the timer, which the probe had started afresh: 100 + 4 * 50 ms.
    t.at(511);
    t.expect(`. seq 1 len ${MSS} at 510`);
  });

  it('sends new data instead when there is some', () => {
    const t = start(10, 12);
    t.at(211);
    t.expect(`. seq ${at(10)} len ${MSS} at 210`);
    expect(t.c.rack.probeIsRetransmission).toBe(false);
  });

  it('waits for a delayed ACK when one segment is out, but not longer than the timer, in whose place it goes', () => {
    const t = start(1, 1);
    const { cwnd } = t.c.congestion;
    // 10 + 2 * 100 + 200 ms; the timer: 100 + 4 * 50 ms.
    t.at(301);
    t.expect(`P. seq 1 len ${MSS} at 300`);
    expect([t.count('lossProbesSent'), t.count('retransmitTimeouts')]).toEqual([1, 0]);
    expect(t.c.congestion.cwnd).toBe(cwnd);
    t.at(601);
    t.expect(`P. seq 1 len ${MSS} at 600`);
    expect([t.count('lossProbesSent'), t.count('retransmitTimeouts')]).toEqual([1, 1]);
    t.at(1199);
    t.expectNothing();
  });

  it('waits for a delayed ACK when the timer leaves time for it', () => {
    const t = start(1, 1, { rto_min: 1000 });
    t.at(411);
    t.expect(`P. seq 1 len ${MSS} at 410`);
  });

  it('lets SACK repair the tail, with one reduction', () => {
    const t = start(10, 10);
    t.at(210);
    t.expect(`P. seq ${at(9)}`);
    // 7 to 9 were lost; the probe's SACK shows it.
    t.at(250);
    t.send(`. ack ${at(7)}`);
    t.at(310);
    t.send(`. ack ${at(7)} sack ${at(9)}-${at(10)}`);
    t.expect(`. seq ${at(7)}`);
    t.expect(`. seq ${at(8)}`);
    t.at(410);
    t.send(`. ack ${at(10)}`);
    expect(t.count('retransmitTimeouts')).toBe(0);
    expect(t.count('sackRecoveries')).toBe(1);
    expect(t.c.congestion.cwnd).toBe(t.c.congestion.ssthresh);
  });

  it('pays for a loss that only the probe repaired, and not for a duplicate', () => {
    const lost = start(10, 10);
    lost.at(210);
    lost.skip();
    lost.at(310);
    lost.send(`. ack ${at(9)}`);
    lost.send(`. ack ${at(10)}`);
    expect(lost.c.rack.probeOut).toBe(true);
    lost.write(MSS);
    lost.skip();
    lost.at(420);
    lost.send(`. ack ${at(11)}`);
    expect(lost.count('lossProbeRecoveries')).toBe(1);
    expect(lost.c.congestion.ssthresh).toBeLessThan(10 * MSS);
    const late = start(10, 10);
    late.at(210);
    late.skip();
    late.at(310);
    late.send(`. ack ${at(10)}`);
    late.send(`. ack ${at(10)} sack ${at(9)}-${at(10)}`);
    expect(late.c.rack.probeOut).toBe(true);
    late.write(MSS);
    late.skip();
    late.at(400);
    late.send(`. ack ${at(11)} sack ${at(9)}-${at(10)}`);
    expect(late.count('lossProbeRecoveries')).toBe(0);
  });

  it('is not armed without SACK, nor when switched off', () => {
    for (const t of [start(4, 4, {}, { sack: false }), start(4, 4, { tlp: 0 })]) {
      t.at(299);
      t.expectNothing();
    }
  });
});

describe('RACK (RFC 8985 section 6)', () => {
  it('takes a segment for lost a quarter of a round trip after a later one arrived', () => {
    const t = start(4, 4);
    t.at(100);
    t.send(`. ack 1 sack ${at(1)}-${at(2)}`);
    t.expectNothing();
    t.at(124);
    t.expectNothing();
    t.at(126);
    // Sent at 0, round trip 100, reordering window 100 / 4.
    t.expect('. seq 1 at 125');
    t.expectNothing();
  });

  it('is not put off by new data sent meanwhile', () => {
    const t = start(10, 4);
    t.at(100);
    t.send(`. ack 1 sack ${at(1)}-${at(2)}`);
    t.at(110);
    t.write(MSS);
    t.expect(`P. seq ${at(4)} len ${MSS} at 110`);
    t.at(126);
    t.expect('. seq 1 at 125');
    t.expectNothing();
  });

  it('waits no longer once three segments were reported', () => {
    const t = start(10, 10);
    t.at(100);
    t.send(`. ack 1 sack ${at(1)}-${at(3)}`);
    t.expectNothing();
    t.send(`. ack 1 sack ${at(1)}-${at(4)}`);
    t.expect('. seq 1 at 100');
  });

  it('finds a lost retransmission without the timer', () => {
    const t = start(10, 30);
    t.at(100);
    t.send(`. ack 1 sack ${at(1)}-${at(10)}`);
    t.expect('. seq 1 at 100');
    expect(t.skip()).toBeGreaterThan(0);
    // New data sent after the retransmission arrives, the retransmission does not.
    t.at(200);
    t.send(`. ack 1 sack ${at(1)}-${at(11)}`);
    t.expect('. seq 1 at 200');
    expect(t.count('retransmitTimeouts')).toBe(0);
  });

  it('tolerates reordering once it has seen some', () => {
    const t = start(10, 10);
    t.at(100);
    t.send(`. ack 1 sack ${at(1)}-${at(2)}`);
    t.at(110);
    t.send(`. ack ${at(2)}`);
    expect(t.c.scoreboard.reorderingSeen).toBe(true);
    t.send(`. ack ${at(2)} sack ${at(3)}-${at(8)}`);
    // More than three segments, but the network reorders: wait.
    t.expectNothing();
    t.at(120);
    t.send(`. ack ${at(8)}`);
    t.expectNothing();
    expect(t.c.loss.phase).toBe(0);
    expect(t.c.totals.retransmits).toBe(0);
  });

  it('takes what one ACK reports for no reordering', () => {
    const t = start(10, 10);
    t.at(100);
    // A delayed ACK for segment 0, sent when segment 2 arrived; then one that reports two gaps at once.
    t.send(`. ack ${at(1)} sack ${at(2)}-${at(3)}`);
    expect(t.c.scoreboard.reorderingSeen).toBe(false);
    t.send(`. ack ${at(1)} sack ${at(8)}-${at(9)},${at(4)}-${at(5)},${at(2)}-${at(3)}`);
    t.expect(`. seq ${at(1)} at 100`);
    expect(t.c.scoreboard.reorderingSeen).toBe(false);
  });

  it('starts the timer afresh for the oldest segment sent again', () => {
    const t = start(10, 10, { tlp: 0 });
    t.at(299);
    t.send(`. ack 1 sack ${at(1)}-${at(10)}`);
    t.expect('. seq 1 at 299');
    t.at(450);
    t.send(`. ack ${at(10)}`);
    expect(t.count('retransmitTimeouts')).toBe(0);
  });

  it('widens its window for duplicates that were reported', () => {
    const t = start(10, 20);
    t.at(100);
    t.send(`. ack 1 sack ${at(1)}-${at(2)}`);
    t.at(126);
    t.skip();
    t.at(200);
    t.send(`. ack ${at(2)} sack 1-${at(1)}`);
    expect(t.c.rack.multiplier).toBe(2);
    // For sixteen recoveries, unless more of them come.
    for (let i = 0; i < 15; i++) noteRecoveryEnd(t.c);
    expect(t.c.rack.multiplier).toBe(2);
    noteRecoveryEnd(t.c);
    expect(t.c.rack.multiplier).toBe(1);
  });
});

describe('reduction of the window', () => {
  it.each([1000, 20])(
    'is made from all that was in flight before the batch in which the loss shows (%i to send)',
    (total) => {
      const t = start(20, total);
      t.c.congestion.ssthresh = 20 * MSS;
      t.at(100);
      t.send(`. ack ${at(10)}`, false);
      t.send(`. ack ${at(10)} sack ${at(11)}-${at(20)}`, false);
      expect(t.c.loss.phase).not.toBe(0);
      expect(t.c.congestion.ssthresh).toBe(10 * MSS);
    },
  );
});

describe('proportional rate reduction (RFC 6937)', () => {
  it('sends one segment for each two delivered, down to half', () => {
    const t = start(20, 60, { rack: 0 });
    t.at(100);
    for (let i = 2; i <= 4; i++) t.send(`. ack 1 sack ${at(1)}-${at(i)}`);
    const after = t.captured.filter((c) => (c.seq as number) === 1).length;
    expect(after).toBe(1);
    t.skip();
    const sent: number[] = [];
    for (let i = 5; i <= 20; i++) {
      t.send(`. ack 1 sack ${at(1)}-${at(i)}`);
      sent.push(t.skip());
    }
    // 22 were in flight, two of them by limited transmit, the threshold is 10: of what is delivered, 10 / 22 goes out again,
    // the retransmission counted. From the sixteenth on the pipe is down at the threshold and is kept there.
    expect(sent.join(' ')).toBe('0 0 0 1 0 1 0 1 0 1 0 0 0 1 1 1');
    t.send(`. ack ${at(20)}`);
    t.skip();
    expect(t.c.pipeBytes).toBeLessThanOrEqual(10 * MSS);
  });

  it('rebuilds to the threshold when more was lost than that', () => {
    const t = start(20, 60, { rack: 0 });
    t.at(100);
    // Only the last four arrive: sixteen are lost.
    for (let i = 17; i <= 20; i++) t.send(`. ack 1 sack ${at(16)}-${at(i)}`);
    expect(t.skip()).toBeLessThanOrEqual(8);
    t.at(200);
    for (let i = 1; i <= 4; i++) t.send(`. ack ${at(i)} sack ${at(16)}-${at(20)}`);
    // Two for each delivered, as in slow start.
    expect(t.skip()).toBeGreaterThanOrEqual(4);
    expect(t.c.congestion.cwnd).toBeLessThanOrEqual(10 * MSS);
  });
});

describe('recoveries taken back', () => {
  it('by an echo older than the retransmission (Eifel, RFC 3522)', () => {
    const t = start(10, 10, { frto: 0, tlp: 0 }, { ts: true });
    const mss = t.c.size.mss;
    t.at(300);
    t.expect(`. seq 1 len ${mss} at 300`);
    const before = t.c.congestion.ssthresh;
    t.at(305);
    // The ACK of the original transmission: echo of time 0.
    const sent = t.stack.tsNow(t.originUs) + t.c.ts.offset;
    t.send(`. ack ${1 + mss} ts 5305 ${sent | 0}`);
    expect(t.count('spuriousTimeouts')).toBe(1);
    expect(t.c.congestion.cwnd).toBeGreaterThanOrEqual(10 * mss);
    expect(t.c.congestion.ssthresh).toBeGreaterThan(before);
    expect(t.c.loss.phase).toBe(0);
    t.expectNothing();
  });

  it('when every retransmission was a duplicate (RFC 2883)', () => {
    const t = start(10, 10, { rack: 0 });
    t.at(100);
    for (let i = 2; i <= 4; i++) t.send(`. ack 1 sack ${at(1)}-${at(i)}`);
    t.expect('. seq 1');
    t.send(`. ack ${at(4)}`);
    expect(t.c.loss.phase).toBe(1);
    t.at(200);
    t.send(`. ack ${at(4)} sack 1-${at(1)}`);
    expect(t.count('spuriousRecoveries')).toBe(1);
    expect(t.c.congestion.cwnd).toBe(10 * MSS);
    expect(t.c.loss.phase).toBe(0);
  });

  it('after a timeout, when what was not resent is acknowledged (F-RTO, RFC 5682)', () => {
    const t = start(10, 30, { tlp: 0 }, { sack: false });
    t.at(300);
    t.expect('. seq 1 at 300');
    t.at(310);
    t.send(`. ack ${at(1)}`);
    // Two new segments, no retransmission.
    t.expect(`. seq ${at(10)} len ${MSS}`);
    t.expect(`. seq ${at(11)} len ${MSS}`);
    t.expectNothing();
    t.send(`. ack ${at(3)}`);
    expect(t.count('spuriousTimeouts')).toBe(1);
    expect(t.c.congestion.cwnd).toBeGreaterThanOrEqual(10 * MSS);
    expect(t.captured.every((c) => (c.seq as number) > at(11))).toBe(true);
  });

  it('and not so when that is switched off', () => {
    const t = start(10, 30, { tlp: 0, frto: 0 }, { sack: false });
    t.at(300);
    t.expect('. seq 1 at 300');
    t.at(310);
    t.send(`. ack ${at(1)}`);
    // Slow start from one segment, from what is missing.
    t.expect(`. seq ${at(1)} len ${MSS}`);
    t.expect(`. seq ${at(2)} len ${MSS}`);
    t.expectNothing();
    t.send(`. ack ${at(6)}`);
    expect(t.count('spuriousTimeouts')).toBe(0);
    expect(t.c.loss.phase).not.toBe(0);
  });

  it('but not when the loss was real', () => {
    const t = start(10, 30, { tlp: 0 }, { sack: false });
    t.at(300);
    t.skip();
    t.at(310);
    t.send(`. ack ${at(1)}`);
    expect(t.skip()).toBe(2);
    t.send(`. ack ${at(1)}`);
    t.expect(`. seq ${at(1)} len ${MSS}`);
    expect(t.count('spuriousTimeouts')).toBe(0);
    expect(t.c.loss.phase).toBe(2);
  });
});
