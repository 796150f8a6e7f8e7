import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';

describe('delayed ACK', () => {
  /** Past the segments that are acknowledged at once. */
  const settled = (): Transcript => {
    const t = new Transcript({ sysctl: { quickack: 0 } }).established();
    return t;
  };

  it('acknowledges the first segments at once', () => {
    const t = new Transcript({ sysctl: { quickack: 3 } }).established();
    for (let i = 1; i <= 3; i++) {
      t.send('. len 1460');
      t.expect(`. ack ${1 + 1460 * i}`);
    }
    t.send('. len 1460');
    t.expectNothing();
  });

  it('acknowledges every second full segment, and a lone one after 40 ms', () => {
    const t = settled();
    t.send('. len 1460');
    t.expectNothing();
    t.send('. len 1460');
    t.expect('. ack 2921');
    t.send('. len 1460');
    t.expectNothing();
    t.at(39);
    t.expectNothing();
    t.at(41);
    t.expect('. ack 4381 at 40');
    expect(t.count('delayedAcksSent')).toBe(1);
    t.at(10_000);
    t.expectNothing();
  });

  it('acknowledges once for a batch of segments that came together', () => {
    const t = settled();
    for (let i = 0; i < 10; i++) t.send('. len 1460', false);
    t.expectNothing();
    t.work();
    t.expect('. ack 14601');
    t.expectNothing();
  });

  it('acknowledges within a batch when it is longer than allowed', () => {
    const t = new Transcript({ sysctl: { quickack: 0, ack_batch: 2 } }).established();
    for (let i = 0; i < 5; i++) t.send('. len 1460', false);
    t.expect('. ack 2921');
    t.expect('. ack 5841');
    t.expectNothing();
    t.work();
    t.expectNothing();
    t.at(40);
    t.expect('. ack 7301 at 40');
  });

  it('rides on data', () => {
    const t = settled();
    t.send('P. len 100');
    t.write(50);
    t.expect('P. seq 1 ack 101 len 50');
    t.at(1);
    t.send('. ack 51');
    t.at(1000);
    t.expectNothing();
  });

  it('learns that it is a conversation, and leaves quick mode', () => {
    const t = new Transcript().established();
    t.send('P. len 100');
    t.expect('. ack 101');
    t.write(50);
    t.expect('P. seq 1');
    t.send('P. len 100 ack 51');
    t.expectNothing();
    t.write(50);
    t.expect('P. seq 51 ack 201');
  });

  it('acknowledges at once what fills a gap', () => {
    const t = settled();
    t.send('. seq 101 len 100');
    t.expect('. ack 1');
    t.send('. seq 1 len 100');
    t.expect('. ack 201');
  });

  it('takes small segments for full ones when the peer sends no larger', () => {
    const t = settled();
    for (let i = 0; i < 5; i++) t.send('. len 100');
    t.expectNothing();
    t.send('. len 100');
    t.expect('. ack 601');
  });
});

describe("Nagle's algorithm", () => {
  it('holds a small segment while another is unacknowledged', () => {
    const t = new Transcript().established();
    t.write(10);
    t.expect('P. seq 1 len 10');
    t.write(10);
    t.write(10);
    t.expectNothing();
    t.send('. ack 11');
    t.expect('P. seq 11 len 20');
  });

  it('lets a small tail follow full segments (Minshall)', () => {
    const t = new Transcript().established();
    t.write(1500);
    t.expect('. seq 1 len 1460');
    t.expect('P. seq 1461 len 40');
    t.write(10);
    t.expectNothing();
  });

  it('sends full segments at any time', () => {
    const t = new Transcript().established();
    t.write(10);
    t.write(1459);
    t.skip();
    t.write(1);
    t.expect('P. seq 11 len 1460');
  });

  it('is off with TCP_NODELAY', () => {
    const t = new Transcript().established();
    t.c.options.noDelay = true;
    for (let i = 0; i < 3; i++) {
      t.write(10);
      t.expect(`P. seq ${1 + 10 * i} len 10`);
    }
  });

  it('and delayed ACKs part after the delay, not before', () => {
    const t = new Transcript({ sysctl: { quickack: 0 } }).established();
    t.write(10);
    t.write(10);
    t.skip();
    t.at(40);
    t.send('. ack 11');
    t.expect('P. seq 11 len 10 at 40');
  });
});

describe('keep-alive', () => {
  const idle = (): Transcript => {
    const t = new Transcript().established();
    Object.assign(t.c.options, { keepAlive: true, keepIdleMs: 10_000, keepIntervalMs: 1000, keepCount: 3 });
    return t;
  };

  it('probes an idle connection and ends it when nobody answers', async () => {
    const { startKeepAlive } = await import('./connection/timers.ts');
    const t = idle();
    startKeepAlive(t.c, t.nowUs);
    t.at(9999);
    t.expectNothing();
    t.at(20_000);
    t.expect('. seq 0 ack 1 len 0 at 10000');
    t.expect('. seq 0 ack 1 len 0 at 11000');
    t.expect('. seq 0 ack 1 len 0 at 12000');
    t.expect('R. seq 1 ack 1 at 13000');
    t.expectNothing();
    expect(t.error).toBe('ETIMEDOUT');
  });

  it('leaves it to the retransmission timer while data is under way', async () => {
    const { startKeepAlive } = await import('./connection/timers.ts');
    const t = idle();
    startKeepAlive(t.c, t.nowUs);
    t.at(9000);
    t.write(10);
    t.at(20_000);
    expect(t.count('keepAliveProbes')).toBe(0);
    expect(t.captured.every((segment) => segment.seq === 1 && segment.len === 10)).toBe(true);
    t.skip();
    t.send('. ack 11');
    t.at(31_000);
    t.expect('. seq 10 ack 1 len 0 at 30000');
  });

  it('is content with any answer', async () => {
    const { startKeepAlive } = await import('./connection/timers.ts');
    const t = idle();
    startKeepAlive(t.c, t.nowUs);
    for (let i = 1; i <= 5; i++) {
      t.at(10_000 * i);
      t.expect(`. seq 0 len 0 at ${10_000 * i}`);
      t.send('. seq 1 ack 1');
    }
    expect(t.state).toBe('ESTABLISHED');
    t.at(55_000);
    t.send('. len 10');
    t.skip();
    t.at(64_999);
    t.expectNothing();
    t.at(65_001);
    t.expect('. seq 0');
  });

  it('answers the probes of the peer', () => {
    const t = new Transcript().established();
    t.send('. seq 0 ack 1');
    t.expect('. seq 1 ack 1');
  });
});

describe('timestamps and PAWS (RFC 7323)', () => {
  it('echoes the timestamp of the segment that spans Last.ACK.sent', () => {
    const t = new Transcript({ sysctl: { quickack: 0 } }).established({ ts: true });
    t.send('. len 1448 ts 6000 0', false);
    t.send('. len 1448 ts 6001 0', false);
    t.work();
    const ack = t.expect('. ack 2897');
    expect(ack.ts?.[1]).toBe(6000);
    // Out of order: the echo stays.
    t.send('. seq 5000 len 100 ts 6100 0');
    expect(t.expect('. ack 2897').ts?.[1]).toBe(6000);
  });

  it('drops an older timestamp with an ACK, and a missing one silently', () => {
    const t = new Transcript().established({ ts: true });
    t.send('. len 10 ts 6000 0');
    t.expect('. ack 11');
    t.send('. seq 11 len 10 ts 5999 0');
    t.expect('. ack 11');
    t.send('. seq 11 len 10 nots');
    t.expectNothing();
    expect(t.read()).toBe(10);
    expect([t.count('droppedOldTimestamp'), t.count('droppedNoTimestamp')]).toEqual([1, 1]);
  });

  it('does without in what it receives when the ACK that completes the handshake has none', () => {
    for (const text of ['. nots', 'P. len 10 nots']) {
      const t = new Transcript().synReceived({ ts: true });
      t.send(text);
      expect(t.state).toBe('ESTABLISHED');
      const first = text === '. nots' ? 0 : 10;
      expect(t.read()).toBe(first === 0 ? 'EAGAIN' : 10);
      t.skip();
      t.send('. len 10 nots');
      expect(t.read()).toBe(10);
      expect(t.expect(`. ack ${first + 11}`).ts).toBeDefined();
      t.send(`. seq ${first + 11} len 10 ts ${t.peerClock - 1} 0`);
      t.expect(`. ack ${first + 11}`);
      const dropped = [t.count('droppedOldTimestamp'), t.count('droppedNoTimestamp')];
      expect([t.read(), ...dropped]).toEqual(['EAGAIN', 1, 0]);
    }
  });

  it('believes a reset without a timestamp', () => {
    const t = new Transcript().established({ ts: true });
    t.send('R seq 1 nots');
    expect(t.error).toBe('ECONNRESET');
  });

  it('forgets what it knew after 24 days', () => {
    const t = new Transcript().established({ ts: true });
    t.send('. len 10 ts 6000 0');
    t.skip();
    t.after(25 * 86_400_000);
    t.send('. seq 11 len 10 ts 10 0');
    expect(t.read()).toBe(20);
  });

  it('ticks in milliseconds', () => {
    const t = new Transcript().established({ ts: true });
    t.write(1);
    const first = t.expect('P.').ts?.[0] as number;
    t.send('. ack 2');
    t.after(250);
    t.write(1);
    expect(((t.expect('P.').ts?.[0] as number) - first) | 0).toBe(250);
  });
});

describe('challenge ACKs (RFC 5961)', () => {
  it('are limited per second', () => {
    const t = new Transcript({ sysctl: { challenge_ack_limit: 3 } }).established();
    for (let i = 0; i < 10; i++) t.send('R seq 500');
    expect(t.skip()).toBe(3);
    t.after(1000);
    t.send('R seq 500');
    expect(t.skip()).toBe(1);
  });

  it('and answers to empty invalid segments do not make two ends talk for ever', () => {
    const t = new Transcript().established();
    for (let i = 0; i < 10; i++) t.send('. seq 9000000 ack 1');
    expect(t.skip()).toBe(1);
    t.after(500);
    t.send('. seq 9000000 ack 1');
    expect(t.skip()).toBe(1);
  });

  it('but what has data is answered each time: its ACK was lost', () => {
    const t = new Transcript().established();
    t.send('. len 10');
    t.expect('. ack 11');
    for (let i = 0; i < 3; i++) {
      t.send('. seq 1 len 10');
      t.expect('. seq 1 ack 11');
    }
    t.expectNothing();
  });

  it('resets to nobody are limited per second', () => {
    const t = new Transcript({ sysctl: { rstppslimit: 5 } });
    for (let i = 0; i < 10; i++) t.send('S seq 0');
    expect(t.skip()).toBe(5);
  });
});

describe('malformed segments', () => {
  it('are dropped under a name', () => {
    const t = new Transcript().established();
    const packet = { at: 0, lengthBytes: 19, src: 0x0a000002, dst: 0x0a000001, meta: 0, broadcast: false } as never;
    t.stack.input(packet, t.nowUs);
    expect(t.count('droppedTooShort')).toBe(1);
    t.send('. seq 1 badsum');
    t.send('. seq 1 len 10 badsum');
    expect(t.count('droppedBadChecksum')).toBe(2);
    expect(t.c.readableBytes).toBe(0);
  });

  it('do not spoil what was received out of order', () => {
    const t = new Transcript().established();
    t.send('. seq 101 len 100');
    t.send('. seq 51 len 100 badsum');
    t.send('. seq 1 len 100');
    expect(t.read()).toBe(200);
  });
});

describe('idle restart and application limits (RFC 5681 section 4.1)', () => {
  it('falls back to the initial window after an idle timeout', () => {
    const t = new Transcript().established();
    t.c.congestion.cwnd = 100_000;
    t.write(10);
    t.send('. ack 11');
    t.at(150);
    t.write(10);
    expect(t.c.congestion.cwnd).toBe(100_000);
    t.send('. ack 21');
    t.at(1000);
    t.write(10);
    expect(t.c.congestion.cwnd).toBe(14_600);
  });

  it('does not grow a window that is not used', () => {
    const t = new Transcript().established();
    for (let i = 0; i < 30; i++) {
      t.write(10);
      t.send(`. ack ${11 + 10 * i}`);
    }
    expect(t.c.congestion.cwnd).toBe(14_600);
  });

  it('grows by what was acknowledged in slow start', () => {
    const t = new Transcript().established();
    t.write(30_000);
    t.skip();
    t.send('. ack 2921');
    expect(t.c.congestion.cwnd).toBe(14_600 + 2920);
  });
});
