import { describe, expect, it } from 'vitest';
import { CLASSIC, Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { Errno } from '../../base/errors.ts';
import { RttEstimator } from './connection/rtt.ts';

describe('retransmission timer (RFC 6298)', () => {
  it('starts with the round trip, doubles, and gives up after R2 with ETIMEDOUT', () => {
    const t = new Transcript({ sysctl: { retries: 4, tlp: 0 } }).established();
    // The handshake took no time: the smallest timeout holds.
    t.write(100);
    t.expect('P. seq 1 len 100 at 0');
    t.at(100_000);
    for (const at of [200, 600, 1400, 3000]) t.expect(`P. seq 1 len 100 at ${at}`);
    t.expectNothing();
    expect(t.state).toBe('CLOSED');
    expect(t.error).toBe('ETIMEDOUT');
    expect(t.events.at(-1)).toBe('error');
    expect(t.read()).toBe('ETIMEDOUT');
    expect(t.stack.heap.usedBytes).toBe(0);
  });

  it('never exceeds the largest timeout', () => {
    const t = new Transcript({ sysctl: { rto_max: 1000, tlp: 0 } }).established();
    t.write(1);
    t.skip();
    t.at(5000);
    for (const at of [200, 600, 1400, 2400, 3400, 4400]) t.expect(`P. seq 1 at ${at}`);
  });

  it('follows the measured round trip: SRTT + 4 RTTVAR', () => {
    const t = new Transcript();
    t.connect();
    t.at(400);
    t.send('S. seq 0 ack 1 mss 1460');
    t.skip();
    // First sample: RTTVAR is half of it (2.2).
    expect(t.c.rtt.rtoUs).toBe(400_000 + 4 * 200_000);
    t.write(10);
    t.at(700);
    t.send('. ack 11');
    // (2.3): RTTVAR = 3/4 * 200 + 1/4 * |400 - 300|, SRTT = 7/8 * 400 + 1/8 * 300.
    expect(t.c.rtt.srttUs).toBe(387_500);
    expect(t.c.rtt.rttvarUs).toBe(175_000);
    expect(t.c.rtt.rtoUs).toBe(387_500 + 700_000);
  });

  it('lies 200 ms above a round trip that never varies, however long that is', () => {
    const rtt = new RttEstimator(1000, 200, 120_000);
    for (let i = 0; i < 100; i++) rtt.sample(300_000);
    expect(Math.round(rtt.rtoUs)).toBe(500_000);
    for (let i = 0; i < 100; i++) rtt.sample(100);
    expect(Math.round(rtt.rtoUs)).toBe(200_100);
  });

  it('takes no sample from what was sent twice, and keeps the back-off until there is one (Karn)', () => {
    const t = new Transcript({ sysctl: { tlp: 0 } }).established();
    t.write(10);
    t.at(700);
    expect(t.skip()).toBe(3);
    const before = t.c.rtt.srttUs;
    t.send('. ack 11');
    expect(t.c.rtt.srttUs).toBe(before);
    expect(t.c.rtt.backoff).toBe(2);
    t.write(10);
    t.expect('P. seq 11');
    t.after(5);
    t.send('. ack 21');
    expect(t.c.rtt.backoff).toBe(0);
  });

  it('takes no sample from what had to wait for a segment that was sent twice', () => {
    const t = new Transcript({ sysctl: CLASSIC }).established({ sack: false });
    t.write(2 * 1460);
    t.skip();
    // The first segment was lost, and found missing by the timer: the second arrived in no time.
    t.at(700);
    t.skip();
    const { srttUs } = t.c.rtt;
    t.send('. ack 2921');
    expect(t.c.rtt.srttUs).toBe(srttUs);
  });

  it('takes the sample from the echo when timestamps are on', () => {
    const t = new Transcript().established({ ts: true });
    t.write(10);
    const first = t.expect('P. seq 1');
    t.at(250);
    t.expect('P. seq 1 at 200');
    const samples = t.count('rttSamples');
    t.send(`. ack 11 ts ${t.peerClock} ${first.ts?.[0]}`);
    expect(t.count('rttSamples')).toBe(samples + 1);
    expect(t.c.rtt.latestUs).toBe(250_000);
  });

  it('is restarted by new data acknowledged and stopped by all of it', () => {
    const t = new Transcript().established();
    t.write(10);
    t.write(10);
    t.c.options.noDelay = true;
    t.at(150);
    t.send('. ack 11');
    // SRTT 18.75 ms, and the least variation of 200 ms.
    t.at(368);
    expect(t.captured.filter((c) => c.seq === 11).length).toBe(1);
    t.at(369);
    expect(t.captured.filter((c) => c.seq === 11).length).toBe(2);
    t.send('. ack 21');
    t.skip();
    t.at(100_000);
    t.expectNothing();
  });

  it('begins slow start with one segment and resends what is missing', () => {
    const t = new Transcript({ sysctl: CLASSIC }).established({ sack: false });
    t.write(14_600);
    expect(t.skip()).toBe(10);
    t.at(200);
    t.expect('. seq 1 len 1460 at 200');
    t.expectNothing();
    expect(t.c.congestion.cwnd).toBe(1460);
    expect(t.c.congestion.ssthresh).toBe(0.7 * 14_600);
    t.send('. ack 1461');
    t.expect('. seq 1461 len 1460');
    t.expect('. seq 2921 len 1460');
    t.expectNothing();
    // The rest had arrived.
    t.send('. ack 14601');
    t.expectNothing();
    expect(t.c.loss.phase).toBe(0);
  });

  it('halves the threshold once for one loss, however often the timer fires', () => {
    const t = new Transcript({ sysctl: { ...CLASSIC, congctl: 0 } }).established();
    t.write(14_600);
    t.skip();
    t.at(200);
    expect(t.c.congestion.ssthresh).toBe(7300);
    t.at(3000);
    expect(t.c.congestion.ssthresh).toBe(7300);
  });

  it('resends the FIN with what is before it', () => {
    const t = new Transcript({ sysctl: CLASSIC }).established();
    t.write(10);
    t.close();
    t.skip();
    t.at(200);
    t.expect('FP. seq 1 len 10');
    t.send('. ack 11');
    t.at(10_000);
    expect(t.captured.every((c) => c.flags === '.F' && c.seq === 11)).toBe(true);
    t.send('. ack 12');
    expect(t.state).toBe('FIN_WAIT_2');
  });

  it('joins small segments that are lost to one, as long as a segment may be (RFC 1122 4.2.2.15)', () => {
    const t = new Transcript({ sysctl: CLASSIC }).established();
    t.c.options.noDelay = true;
    for (let i = 0; i < 20; i++) t.write(100);
    expect(t.skip()).toBe(20);
    t.at(200);
    t.expect('. seq 1 len 1400');
    t.expectNothing();
    t.send('. ack 1401');
    t.expect('P. seq 1401 len 600');
    t.expectNothing();
    t.send('. ack 2001');
    expect(t.c.scoreboard.empty).toBe(true);
    expect(t.c.scoreboard.lostBytes).toBe(0);
  });

  it('reports an unreachable host when that was the last news', () => {
    const t = new Transcript({ sysctl: { retries: 2 } }).established();
    t.write(10);
    t.icmp(3, 1, 1);
    t.at(10_000);
    expect(t.error).toBe('EHOSTUNREACH');
  });

  it('respects the user timeout (RFC 5482)', () => {
    const t = new Transcript().established();
    t.c.options.userTimeoutMs = 2500;
    t.write(10);
    // The probe at 200 starts the timer afresh. The time asked for is not rounded up to a timeout: the next is at 3200.
    t.at(2699);
    expect(t.state).toBe('ESTABLISHED');
    t.expect('P. seq 1 len 10 at 0');
    t.expect('P. seq 1 len 10 at 200');
    for (const at of [400, 800, 1600]) t.expect(`P. seq 1 len 10 at ${at}`);
    t.expectNothing();
    t.at(2701);
    expect(t.error).toBe('ETIMEDOUT');
    t.expectNothing();
  });

  it('gives up sooner when nobody holds the socket', () => {
    const t = new Transcript({ sysctl: { orphan_retries: 2 } }).established();
    t.write(10);
    t.close();
    t.at(5000);
    expect(t.stack.connectionCount).toBe(0);
    expect(t.stack.heap.usedBytes).toBe(0);
  });

  it('survives a link without room, and one without a route', () => {
    const t = new Transcript().established();
    t.ip.refuse = -Errno.ENOBUFS;
    t.write(3000);
    t.expectNothing();
    t.ip.refuse = 0;
    t.work();
    t.expect('. seq 1 len 1460');
    t.expect('. seq 1461 len 1460');
    t.expect('P. seq 2921 len 80');
    t.ip.refuse = -Errno.EHOSTUNREACH;
    t.at(1000);
    t.expectNothing();
    expect(t.c.softError).toBe(-Errno.EHOSTUNREACH);
    t.ip.refuse = 0;
    t.at(1500);
    t.expect('. seq 1 len 1460');
    t.send('. ack 3001');
    expect(t.c.softError).toBe(0);
  });

  it('gives up at last when the route does not come back', () => {
    const t = new Transcript({ sysctl: { retries: 3 } }).established();
    t.write(10);
    t.expect('P. seq 1 len 10');
    t.ip.refuse = -Errno.EHOSTDOWN;
    t.at(60_000);
    expect(t.state).toBe('CLOSED');
    expect(t.error).toBe('EHOSTDOWN');
    expect(t.count('retransmitTimeouts')).toBe(4);
  });

  it('retries a FIN or data that found no route the first time', () => {
    const t = new Transcript().established();
    t.ip.refuse = -Errno.ENETUNREACH;
    t.write(10);
    t.at(100);
    t.ip.refuse = 0;
    t.at(1000);
    t.expect('P. seq 1 len 10');
  });
});

describe('fast retransmit and recovery without SACK (RFC 5681, RFC 6582)', () => {
  const start = (segments: number): Transcript => {
    const t = new Transcript({ sysctl: { ...CLASSIC, congctl: 0, init_win: segments } }).established({ sack: false });
    t.write(1460 * (segments + 20));
    expect(t.skip()).toBe(segments);
    return t;
  };

  it('sends new data on the first two duplicates and resends on the third', () => {
    const t = start(10);
    t.send('. ack 1');
    t.expect('. seq 14601 len 1460');
    t.send('. ack 1');
    t.expect('. seq 16061 len 1460');
    t.expectNothing();
    t.send('. ack 1');
    t.expect('. seq 1 len 1460');
    t.expectNothing();
    expect(t.c.congestion.ssthresh).toBe(7300);
    // Each further duplicate lets one segment leave the pipe: 12 - 3 - 1 + 1 = 9 are in it, 5 may be.
    for (let i = 0; i < 4; i++) {
      t.send('. ack 1');
      t.expectNothing();
    }
    t.send('. ack 1');
    t.expect('. seq 17521 len 1460');
    t.expectNothing();
  });

  it('resends the next hole on a partial ACK, and leaves recovery at the recovery point', () => {
    const t = start(10);
    for (let i = 0; i < 3; i++) t.send('. ack 1');
    t.skip();
    t.send('. ack 4381');
    expect(t.captured[0]?.text).toMatch(/^\. seq 4381 /);
    t.skip();
    expect(t.c.loss.phase).toBe(1);
    t.send('. ack 17521');
    expect(t.c.loss.phase).toBe(0);
    expect(t.c.congestion.cwnd).toBeLessThanOrEqual(7300);
  });

  it('does not take other segments for duplicates', () => {
    const t = start(10);
    for (let i = 0; i < 5; i++) t.send('. ack 1 len 10');
    for (let i = 1; i < 6; i++) t.send(`. ack 1 win ${60000 + i}`);
    expect(t.c.loss.phase).toBe(0);
    expect(t.count('fastRetransmits')).toBe(0);
  });

  it('does not resend again for duplicates of what a timeout had resent', () => {
    const t = start(4);
    t.at(200);
    t.send('. ack 5841');
    t.skip();
    for (let i = 0; i < 3; i++) t.send('. ack 5841');
    expect(t.count('fastRetransmits')).toBe(0);
  });
});
