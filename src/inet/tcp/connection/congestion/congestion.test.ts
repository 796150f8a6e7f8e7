import { describe, expect, it } from 'vitest';
import { Cubic } from './cubic.ts';
import { NewReno } from './newreno.ts';

const MSS = 1000;
const RTT_US = 100_000;

describe('NewReno (RFC 5681)', () => {
  it('doubles each round trip in slow start, then adds a segment each round trip', () => {
    const reno = new NewReno();
    reno.reset(10 * MSS);
    for (let i = 0; i < 10; i++) reno.onAck(MSS, MSS, RTT_US, 0);
    expect(reno.cwnd).toBe(20 * MSS);
    reno.ssthresh = 25 * MSS;
    reno.onAck(10 * MSS, MSS, RTT_US, 0);
    expect(reno.cwnd).toBe(25 * MSS);
    for (let round = 1; round <= 4; round++) {
      for (let acked = reno.cwnd; acked > 0; acked -= MSS) reno.onAck(MSS, MSS, RTT_US, 0);
    }
    expect(reno.cwnd).toBeGreaterThanOrEqual(28 * MSS);
    expect(reno.cwnd).toBeLessThanOrEqual(29 * MSS);
  });

  it('halves what was in flight, down to two segments', () => {
    const reno = new NewReno();
    reno.onLoss(30 * MSS, MSS);
    expect(reno.ssthresh).toBe(15 * MSS);
    reno.onLoss(MSS, MSS);
    expect(reno.ssthresh).toBe(2 * MSS);
  });
});

describe('CUBIC (RFC 9438)', () => {
  /** Acknowledge `rounds` windows, one each round trip, from `nowUs` on. */
  function rounds(cubic: Cubic, count: number, nowUs: number, rttUs: number = RTT_US): number {
    for (let round = 0; round < count; round++) {
      const start = nowUs;
      for (let acked = 0, window = cubic.cwnd; acked < window; acked += MSS) {
        nowUs = start + (rttUs * acked) / window;
        cubic.onAck(MSS, MSS, rttUs, nowUs);
      }
      nowUs = start + rttUs;
    }
    return nowUs;
  }

  it('reduces to 0.7 and returns to the old maximum after K = cbrt(W_max * 0.3 / 0.4) seconds', () => {
    const cubic = new Cubic();
    cubic.reset(1000 * MSS);
    cubic.onLoss(1000 * MSS, MSS);
    expect(cubic.ssthresh).toBe(700 * MSS);
    cubic.reset(cubic.ssthresh);
    const k = Math.cbrt((1000 * 0.3) / 0.4);
    let nowUs = 1_000_000;
    const at = (seconds: number): number => {
      while (nowUs < 1_000_000 + seconds * 1e6) nowUs = rounds(cubic, 1, nowUs);
      return cubic.cwnd / MSS;
    };
    // Concave: most of the way back is made early; flat around K; convex after it.
    expect(at(k / 2)).toBeGreaterThan(950);
    expect(at(k)).toBeGreaterThan(990);
    expect(at(k)).toBeLessThan(1015);
    expect(at(k + 5)).toBeGreaterThan(1035);
    expect(at(k + 5)).toBeLessThan(1080);
  });

  it('grows like Reno where Reno would be faster', () => {
    const cubic = new Cubic();
    cubic.reset(10 * MSS);
    cubic.onLoss(10 * MSS, MSS);
    cubic.reset(cubic.ssthresh);
    // At a round trip of 1 ms the cubic needs seconds; the estimate of Reno adds 0.53 segments a round, then one.
    rounds(cubic, 100, 0, 1000);
    expect(cubic.cwnd / MSS).toBeGreaterThan(90);
    expect(cubic.cwnd / MSS).toBeLessThan(110);
  });

  it('gives up more of the window when it shrinks twice in a row (fast convergence)', () => {
    const cubic = new Cubic();
    cubic.reset(1000 * MSS);
    cubic.onLoss(1000 * MSS, MSS);
    cubic.reset(cubic.ssthresh);
    // Lost again at 700, below the old maximum: W_max is 700 * 1.7 / 2 = 595, where the window is flat from about K on.
    cubic.onLoss(700 * MSS, MSS);
    expect(cubic.ssthresh / MSS).toBeCloseTo(490, 2);
    cubic.reset(cubic.ssthresh);
    const k = Math.cbrt((595 - 490) / 0.4);
    rounds(cubic, Math.ceil((k * 1e6) / RTT_US), 0);
    expect(cubic.cwnd / MSS).toBeGreaterThan(590);
    expect(cubic.cwnd / MSS).toBeLessThan(600);
  });

  it('keeps the window as the maximum when it had grown past the last one', () => {
    const cubic = new Cubic();
    cubic.reset(500 * MSS);
    cubic.onLoss(500 * MSS, MSS);
    cubic.reset(cubic.ssthresh);
    cubic.onLoss(700 * MSS, MSS);
    cubic.reset(700 * MSS);
    cubic.onLoss(700 * MSS, MSS);
    cubic.reset(cubic.ssthresh);
    const k = Math.cbrt((700 - 490) / 0.4);
    rounds(cubic, Math.ceil((k * 1e6) / RTT_US), 0);
    expect(cubic.cwnd / MSS).toBeGreaterThan(695);
    expect(cubic.cwnd / MSS).toBeLessThan(705);
  });

  it('never grows by more than half a window for a window acknowledged', () => {
    const cubic = new Cubic();
    cubic.reset(100 * MSS);
    cubic.ssthresh = 100 * MSS;
    cubic.onAck(MSS, MSS, RTT_US, 0);
    const before = cubic.cwnd;
    cubic.onAck(before, MSS, RTT_US, 3600e6);
    expect(cubic.cwnd).toBeLessThanOrEqual(before * 1.5 + MSS);
  });

  it('does not count idle time', () => {
    const busy = new Cubic();
    const idle = new Cubic();
    for (const cubic of [busy, idle]) {
      cubic.reset(100 * MSS);
      cubic.onLoss(100 * MSS, MSS);
      cubic.reset(cubic.ssthresh);
      cubic.onAck(MSS, MSS, RTT_US, 0);
    }
    idle.onIdle(10e6);
    busy.onAck(10 * MSS, MSS, RTT_US, 100_000);
    idle.onAck(10 * MSS, MSS, RTT_US, 10_100_000);
    expect(idle.cwnd).toBe(busy.cwnd);
  });
});
