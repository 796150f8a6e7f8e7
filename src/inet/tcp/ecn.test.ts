import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';

/** Both ends agreed; the stack under test opened. */
function agreed(): Transcript {
  const t = new Transcript({ sysctl: { 'ecn.enable': 1, quickack: 0, congctl: 0 } });
  t.connect();
  t.expect('SEW seq 0');
  t.send('S.E seq 0 ack 1 mss 1460 sackok');
  expect(t.expect('. seq 1').tos).toBeUndefined();
  return t;
}

describe('ECN (RFC 3168)', () => {
  it('is offered, agreed on, and marks new data only', () => {
    const t = agreed();
    expect(t.c.ecn.ok).toBe(true);
    t.write(100);
    t.expect('P. seq 1 len 100 tos 2');
    t.at(1000);
    expect(t.captured.length).toBeGreaterThan(0);
    expect(t.captured.every((c) => c.tos === undefined)).toBe(true);
  });

  it('is not in force when the peer does not agree, or answers with both flags', () => {
    for (const flags of ['S.', 'S.EW', 'S.W']) {
      const t = new Transcript({ sysctl: { 'ecn.enable': 1 } });
      t.connect();
      t.skip();
      t.send(`${flags} seq 0 ack 1 mss 1460`);
      expect(t.c.ecn.ok).toBe(false);
    }
  });

  it('is left out of a repeated SYN', () => {
    const t = new Transcript({ sysctl: { 'ecn.enable': 1 } });
    t.connect();
    t.expect('SEW');
    t.at(1000);
    t.expect('S at 1000');
  });

  it('is agreed to by default when asked, and refused when switched off', () => {
    for (const enable of [0, 1, 2]) {
      const t = new Transcript({ sysctl: { 'ecn.enable': enable } });
      t.listen();
      t.send('SEW seq 0 mss 1460');
      t.expect(enable === 0 ? 'S. seq 0 ack 1' : 'S.E seq 0 ack 1');
      t.send('.');
      expect(t.c.ecn.ok).toBe(enable !== 0);
    }
  });

  it('echoes a mark until the sender says that it has slowed down', () => {
    const t = agreed();
    t.send('. len 1460 tos 3');
    t.expect('.E ack 1461');
    t.send('. len 1460 tos 2', false);
    t.send('. len 1460 tos 2');
    t.expect('.E ack 4381');
    t.send('.W len 1460 tos 2', false);
    t.send('. len 1460 tos 2');
    t.expect('. ack 7301');
  });

  it('reduces once for a window, says so with new data, and again after it', () => {
    const t = agreed();
    t.write(14_600);
    t.skip();
    t.send('.E ack 1461');
    // Half of the 14600 bytes that were in flight.
    expect(t.c.congestion.cwnd).toBe(7300);
    t.send('.E ack 2921');
    t.send('.E ack 11681');
    expect(t.c.congestion.cwnd).toBe(7300);
    t.write(1460);
    const next = t.captured.find((c) => (c.seq as number) >= 14_601);
    expect(next?.flags).toBe('.PW');
    t.skip();
    t.write(1460);
    expect(t.captured[0]?.flags).toBe('.P');
    t.send('.E ack 16061');
    expect(t.c.congestion.cwnd).toBeLessThan(7300);
  });

  it('says so too when a loss is what reduced the window, and not when it was none', () => {
    const lost = agreed();
    lost.write(14_600);
    lost.skip();
    lost.send('. ack 1 sack 1461-5841 nots');
    expect(lost.skip()).toBeGreaterThan(0);
    lost.send('. ack 14601 nots');
    lost.write(1460);
    lost.expect('.PW seq 14601 tos 2');

    const timedOut = new Transcript({ sysctl: { 'ecn.enable': 1, congctl: 0, tlp: 0 } });
    timedOut.connect();
    timedOut.skip();
    timedOut.send(`S.E seq 0 ack 1 mss 1460 sackok ts ${timedOut.peerClock} 0`);
    timedOut.skip();
    timedOut.write(1460);
    timedOut.skip();
    const stamp = (timedOut.stack.tsNow(timedOut.nowUs) + timedOut.c.ts.offset) | 0;
    timedOut.at(1000);
    expect(timedOut.count('retransmitTimeouts')).toBeGreaterThan(0);
    expect(timedOut.c.ecn.cwrDue).toBe(true);
    timedOut.send(`. ack 1449 ts ${timedOut.peerClock} ${stamp}`);
    expect(timedOut.count('spuriousTimeouts')).toBe(1);
    expect(timedOut.c.ecn.cwrDue).toBe(false);
  });

  it('lets the window grow again when the marked one is acknowledged', () => {
    const t = agreed();
    t.write(14_600);
    t.skip();
    t.send('.E ack 1461');
    t.write(200_000);
    t.skip();
    // Pure ACKs, that header prediction could take.
    t.send('. ack 14601 nots');
    t.skip();
    const { cwnd } = t.c.congestion;
    for (let i = 0; i < 20; i++) {
      t.send('. nots');
      t.skip();
    }
    expect(t.c.congestion.cwnd).toBeGreaterThan(cwnd);
  });
});
