import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { transfer } from '../../../test/fixtures/tcp-transfer.ts';

const MB = 1_000_000;

/** A round trip of 100 ms, a first segment acknowledged after as long: from there on the connection is paced. */
function paced(sysctl: Record<string, number> = {}): Transcript {
  const t = new Transcript({ sysctl: { pacing: 1, congctl: 0, tlp: 0, hystart: 0, ...sysctl } }).synSent();
  t.at(100);
  t.send('S. seq 0 ack 1 win 65535 mss 1460 sackok');
  t.skip();
  t.originUs = t.nowUs;
  t.write(1460);
  t.skip();
  t.at(100);
  t.send('. ack 1461');
  return t;
}

describe('pacing', () => {
  it('lets two segments go at once and the others at twice a window per round trip', () => {
    const t = paced();
    expect(t.c.paced).toBe(true);
    t.write(10 * 1460);
    // cwnd is 10 segments, so 20 in 100 ms: one in 5 ms, two in 10; half of the first two's time had passed
    // unused.
    expect(t.captured.map((c) => c.at)).toEqual([100, 100]);
    t.at(150);
    expect(t.captured.map((c) => Math.round(c.at as number))).toEqual([
      100, 100, 105, 105, 115, 115, 125, 125, 135, 135,
    ]);
    expect(t.count('pacingDelays')).toBeGreaterThan(3);
    t.at(199);
    expect(t.captured.length).toBe(10);
  });

  it('holds up neither a first flight nor what is short', () => {
    const first = new Transcript({ sysctl: { pacing: 1 } }).established();
    first.write(14_600);
    expect(first.captured.length).toBe(10);
    const t = paced();
    t.write(100);
    expect(t.captured.length).toBe(1);
    t.send('. ack 1561');
    t.skip();
    t.write(100);
    expect(t.captured.length).toBe(1);
  });

  it('is slower than slow start once there is a threshold', () => {
    const t = paced();
    t.c.congestion.ssthresh = 14_600;
    t.write(10 * 1460);
    t.at(199);
    // 12 in 100 ms.
    expect(t.captured.map((c) => Math.round(c.at as number)).slice(0, 6)).toEqual([100, 100, 112, 112, 128, 128]);
  });

  it('makes up for a timer that was late', () => {
    const t = paced();
    // Two segments in a millisecond.
    t.c.congestion.cwnd = 100 * 1460;
    t.write(40 * 1460);
    expect(t.skip()).toBe(12);
    t.at(101);
    expect(t.skip()).toBe(2);
    // The thread was busy for three milliseconds.
    t.nowUs += 4000;
    t.callouts.run(t.nowUs);
    expect(t.captured.length).toBe(8);
  });

  it('sends the FIN when its turn comes', () => {
    const t = paced();
    t.write(4 * 1460);
    t.shutdown();
    t.at(130);
    expect(t.captured.map((c) => c.flags).at(-1)).toMatch(/F/);
    expect(t.captured.length).toBeGreaterThanOrEqual(4);
  });

  it('is off for short round trips, and when switched off', () => {
    const short = new Transcript({ sysctl: { pacing: 1 } }).established();
    short.write(1460);
    short.skip();
    short.after(0.5);
    short.send('. ack 1461');
    expect(short.c.paced).toBe(false);
    short.write(14_600);
    expect(short.captured.length).toBe(10);
    expect(paced({ pacing: 0 }).c.paced).toBe(false);
    expect(paced({ pacing_min_rtt: 200_000 }).c.paced).toBe(false);
  });

  it('leaves nothing behind', () => {
    const t = paced();
    t.write(10 * 1460);
    t.abort();
    t.after(3000);
    expect(t.callouts.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('carries more through a short queue, and as much through a long one', () => {
    const shortQueue = { delayUs: 10_000, rateBps: 200 * MB, queueBytes: 60_000 };
    const on = transfer(20 * MB, shortQueue, { skipBytes: 2 * MB });
    const off = transfer(20 * MB, shortQueue, { skipBytes: 2 * MB, a: { sysctl: { pacing: 0 } } });
    expect(on.mbps).toBeGreaterThan(off.mbps);
    const longQueue = { delayUs: 10_000, rateBps: 100 * MB, queueBytes: 400_000 };
    expect(transfer(20 * MB, longQueue, { skipBytes: 5 * MB }).mbps).toBeGreaterThan(90);
  });
});
