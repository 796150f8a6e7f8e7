import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { SeededRng } from '../../base/rng.ts';
import { CookieOptions, SynCookies } from './shared/cookies.ts';
import type { Listener } from './tables/listener.ts';

const MINUTE_US = 60_000_000;

describe('SynCookies', () => {
  it('gives back the MSS, rounded down, of the same connection for two minutes', () => {
    const cookies = new SynCookies(new SeededRng(1));
    const now = 1000 * MINUTE_US;
    const cookie = cookies.make(1, 2, 3, 4, 1455, now);
    expect(cookies.check(1, 2, 3, 4, cookie, now)).toBe(1440);
    expect(cookies.check(1, 2, 3, 4, cookie, now + MINUTE_US)).toBe(1440);
    expect(cookies.check(1, 2, 3, 4, cookie, now + 3 * MINUTE_US)).toBe(0);
    expect(cookies.check(1, 2, 3, 5, cookie, now)).toBe(0);
    expect(cookies.check(1, 2, 4, 4, cookie, now)).toBe(0);
    expect(cookies.check(1, 2, 3, 4, cookie ^ 1, now)).toBe(0);
    expect(cookies.check(1, 2, 3, 4, cookie ^ (1 << 24), now)).toBe(0);
  });

  it('believes nothing when no queue has overflowed', () => {
    const made = new SynCookies(new SeededRng(1));
    const cookie = made.make(1, 2, 3, 4, 1460, 1e9);
    const fresh = new SynCookies(new SeededRng(1));
    expect(fresh.check(1, 2, 3, 4, cookie, 1e9)).toBe(0);
  });

  it('keeps options in the timestamp without going into the future', () => {
    const cookies = new SynCookies(new SeededRng(1));
    const options = new CookieOptions();
    for (let ts = -100; ts < 100; ts++) {
      for (const scale of [-1, 0, 7, 14]) {
        const stamp = cookies.stamp(ts, scale, true, scale === 7);
        expect((stamp - ts) | 0).toBeLessThanOrEqual(0);
        expect((stamp - ts) | 0).toBeGreaterThan(-128);
        cookies.unstamp(stamp, options);
        expect(options).toMatchObject({ scale, sackOk: true, ecnOk: scale === 7 });
      }
    }
  });
});

describe('a flood of SYNs', () => {
  const flooded = (): Transcript => {
    const t = new Transcript();
    t.listen(16);
    for (let port = 0; port < 100; port++) {
      t.peerPort = 10_000 + port;
      t.send('S seq 0 mss 1460');
    }
    expect(t.skip()).toBe(100);
    expect(t.stack.synEntryCount).toBe(16);
    expect(t.ip.openPaths).toBe(16);
    return t;
  };

  it('does not keep an honest peer out, nor cost it its options', () => {
    const t = flooded();
    t.peerPort = 4000;
    t.send('S seq 0 mss 1460 sackok ws 7 ts 700 0');
    const synAck = t.expect('S. seq 0 ack 1 mss 1460 sackok ws 7');
    expect(t.stack.synEntryCount).toBe(16);
    t.at(80);
    t.send(`P. seq 1 ack 1 len 100 win 500 ts 780 ${synAck.ts?.[0]}`);
    expect(t.state).toBe('ESTABLISHED');
    expect(t.c).toMatchObject({ snd: { scale: 7, wnd: 64_000 }, rcv: { scale: 7 }, sackOk: true, ts: { ok: true } });
    expect(t.c.size.mss).toBe(1448);
    expect(t.read()).toBe(100);
    t.skip();
    t.write(10);
    t.expect('P. seq 1 ack 101 len 10');
    expect(t.count('synCookiesReceived')).toBe(1);
  });

  it('is answered at most so often a second', () => {
    const t = new Transcript({ sysctl: { synackppslimit: 5 } });
    t.listen(16);
    for (let port = 0; port < 100; port++) {
      t.peerPort = 10_000 + port;
      t.send('S seq 0 mss 1460');
    }
    expect([t.skip(), t.counters.get(t.counters.index('tcp-syn-acks-limited')), t.ip.openPaths]).toEqual([
      16 + 5,
      79,
      16,
    ]);
    // The same one again and again, either.
    for (let i = 0; i < 10; i++) {
      t.peerPort = 10_000;
      t.send('S seq 0 mss 1460');
    }
    expect([t.skip(), t.count('duplicateSyns')]).toEqual([0, 10]);
    t.at(1100);
    t.skip();
    t.send('S seq 0 mss 1460');
    expect(t.skip()).toBe(1);
  });

  it('leaves plain connections to those without timestamps', () => {
    const t = flooded();
    t.peerPort = 4000;
    t.send('S seq 0 mss 1200 sackok ws 7');
    const synAck = t.expect('S. seq 0 ack 1 nots');
    expect([synAck.sackok, synAck.ws]).toEqual([undefined, undefined]);
    t.send('. seq 1 ack 1');
    expect(t.c).toMatchObject({ sackOk: false, snd: { scale: 0 }, size: { peerMss: 536 } });
  });

  it('does not let guesses in', () => {
    const t = flooded();
    t.peerPort = 4000;
    for (let guess = 0; guess < 50; guess++) t.send(`. seq 1 ack ${guess * 77_777}`);
    expect(t.stack.connectionCount).toBe(0);
    expect(t.captured.every((c) => c.flags === 'R')).toBe(true);
  });

  it('drops the oldest half-open connection where cookies are off', () => {
    const t = new Transcript({ sysctl: { syncookies: 0 } });
    t.listen(16);
    for (let port = 0; port < 20; port++) {
      t.peerPort = 5000 + port;
      t.send('S seq 0');
    }
    expect(t.stack.synEntryCount).toBe(16);
    expect(t.count('synQueueOverflows')).toBe(4);
    expect(t.ip.openPaths).toBe(16);
    t.peerPort = 5000;
    t.skip();
    t.send('. seq 1 ack 1');
    t.expect('R');
  });

  it('keeps the limit of the kernel where cookies are off and another listener has filled it', () => {
    const t = new Transcript({ sysctl: { syncookies: 0, syn_cache_limit: 4 } });
    t.listen(16);
    const full = t.listener as Listener;
    for (let port = 0; port < 4; port++) {
      t.peerPort = 5000 + port;
      t.send('S seq 0');
    }
    // The entries are another's now.
    const entries = [...full.synQueue];
    full.synQueue.clear();
    t.peerPort = 6000;
    t.send('S seq 0');
    expect(t.stack.synEntryCount).toBe(4);
    expect(t.count('synQueueOverflows')).toBe(1);
    expect(t.ip.openPaths).toBe(4);
    for (const entry of entries) full.synQueue.add(entry);
  });
});
