import { describe, expect, it } from 'vitest';
import { PEER } from '../../../test/fixtures/capturing-ip.ts';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { Errno } from '../../base/errors.ts';
import type { Connection } from './connection/connection.ts';
import type { PortUse } from './shared/port-use.ts';
import * as user from './user.ts';

/** Effects of `net.inet.tcp.*` that no other transcript shows. */
const MSS = 1460;

describe('options of the handshake', () => {
  const offered = (sysctl: Record<string, number>): [ts: boolean, ws: boolean, sack: boolean] => {
    const t = new Transcript({ sysctl });
    t.connect();
    const syn = t.expect('S seq 0 mss 1460');
    return [syn.ts != null, syn.ws !== undefined, syn.sackok === true];
  };

  it('are each offered, or not', () => {
    expect(offered({})).toEqual([true, true, true]);
    expect(offered({ timestamps: 0 })).toEqual([false, true, true]);
    expect(offered({ win_scale: 0 })).toEqual([true, false, true]);
    expect(offered({ 'sack.enable': 0 })).toEqual([true, true, false]);
  });

  it('are not believed of a peer when switched off after our SYN', () => {
    const t = new Transcript();
    t.connect();
    t.skip();
    for (const name of ['timestamps', 'win_scale', 'sack.enable']) t.sysctl.set(`net.inet.tcp.${name}`, 0);
    t.send('S. seq 0 ack 1 mss 1460 ws 7 sackok ts 5 0');
    expect(t.c).toMatchObject({
      ts: { ok: false },
      scaleOk: false,
      sackOk: false,
      snd: { scale: 0 },
      rcv: { scale: 0 },
    });
  });

  it('offer the scale that the largest buffer needs', () => {
    const t = new Transcript({ sysctl: { recvbuf_max: 1 << 20 } });
    t.connect();
    t.expect('S seq 0 ws 5');
    const fixed = new Transcript();
    fixed.connect((options) => {
      options.receiveBufferBytes = 30_000;
    });
    fixed.expect('S seq 0 ws 0 win 30000');
  });

  it('announce the MSS of the family', () => {
    const t = new Transcript({ family: 6 });
    t.connect();
    t.expect('S seq 0 mss 1440');
    t.send('S. seq 0 ack 1 mss 1440');
    expect(t.c.size.mss).toBe(1440);
  });
});

describe('sack.dsack', () => {
  it.each([1, 0])('%i', (dsack) => {
    const t = new Transcript({ sysctl: { 'sack.dsack': dsack } }).established();
    t.send('. seq 1 len 100');
    t.skip();
    t.send('. seq 1 len 100');
    expect(t.expect('. ack 101').sack).toBe(dsack === 1 ? '1-101' : undefined);
  });
});

describe('limited_transmit (RFC 3042)', () => {
  it.each([1, 0])('%i', (limited) => {
    const t = new Transcript({ sysctl: { limited_transmit: limited, congctl: 0 } }).established({ sack: false });
    t.write(20 * MSS);
    t.skip();
    t.send('. ack 1');
    t.send('. ack 1');
    expect(t.skip()).toBe(limited === 1 ? 2 : 0);
  });
});

describe('slowstart_after_idle (RFC 5681 section 4.1)', () => {
  it.each([1, 0])('%i', (restart) => {
    const t = new Transcript({ sysctl: { slowstart_after_idle: restart } }).established();
    t.c.congestion.cwnd = 40 * MSS;
    t.write(10);
    t.send('. ack 11');
    t.after(5000);
    t.skip();
    t.write(30 * MSS);
    expect(t.skip()).toBe(restart === 1 ? 10 : 30);
  });
});

describe('congctl', () => {
  it.each([
    ['newreno', 0, 5],
    ['cubic', 1, 7],
  ])('%s leaves so much of a window after a loss', (name, congctl, left) => {
    const t = new Transcript({ sysctl: { congctl, tlp: 0 } }).established();
    expect(t.c.congestion.name).toBe(name);
    t.write(10 * MSS);
    t.at(200);
    expect(t.c.congestion.ssthresh).toBe(left * MSS);
  });
});

describe('times', () => {
  it('rto_initial, rto_min', () => {
    const t = new Transcript({ sysctl: { rto_initial: 300 } });
    t.connect();
    t.skip();
    t.at(1000);
    t.expect('S at 300');
    t.expect('S at 900');
    const quick = new Transcript({ sysctl: { rto_min: 50, tlp: 0 } }).established();
    quick.write(1);
    quick.skip();
    quick.at(60);
    quick.expect('P. seq 1 at 50');
  });

  it('delack', () => {
    const t = new Transcript({ sysctl: { delack: 10, quickack: 0 } }).established();
    t.send('. len 10');
    t.at(50);
    t.expect('. ack 11 at 10');
  });

  it('keepidle, keepintvl, keepcnt are what a new socket begins with', () => {
    const t = new Transcript({ sysctl: { keepidle: 4000, keepintvl: 500, keepcnt: 2 } });
    expect(t.stack.newOptions()).toMatchObject({ keepIdleMs: 4000, keepIntervalMs: 500, keepCount: 2 });
  });

  it('fin_timeout, msl', () => {
    const t = new Transcript({ sysctl: { fin_timeout: 2000, msl: 100 } }).finWait2();
    t.close();
    t.at(1999);
    expect(t.stack.connectionCount).toBe(1);
    t.at(2001);
    expect(t.stack.connectionCount).toBe(0);
    const waiting = new Transcript({ sysctl: { msl: 100 } }).timeWait();
    waiting.at(199);
    expect(waiting.state).toBe('TIME_WAIT');
    waiting.at(201);
    expect(waiting.state).toBe('CLOSED');
  });

  it('a keep-alive connection with a user timeout ends by that, not by the number of probes (RFC 5482 section 4)', async () => {
    const { startKeepAlive } = await import('./connection/timers.ts');
    const t = new Transcript().established();
    Object.assign(t.c.options, { keepAlive: true, keepIdleMs: 1000, keepIntervalMs: 1000, keepCount: 2 });
    t.c.options.userTimeoutMs = 4500;
    startKeepAlive(t.c, t.nowUs);
    t.at(4000);
    expect(t.skip()).toBe(4);
    expect(t.state).toBe('ESTABLISHED');
    t.at(5000);
    t.expect('R. at 5000');
    expect(t.error).toBe('ETIMEDOUT');
  });
});

describe('tw_reuse_delay: connect takes over TIME_WAIT (RFC 6191 section 2)', () => {
  /** One ephemeral port only, its connection to the peer in TIME_WAIT. */
  const waiting = (ts: boolean, sysctl: Record<string, number> = {}): Transcript => {
    const t = new Transcript({ sysctl });
    t.sysctl.set('net.inet.ip.anonportmin', 60_000);
    t.sysctl.set('net.inet.ip.anonportmax', 60_000);
    t.connect();
    t.skip();
    t.send(`S. seq 0 ack 1 mss 1460${ts ? ' ts 5000 0' : ''}`);
    t.close();
    t.send('F. seq 1 ack 2');
    t.send('. seq 2 ack 2');
    t.skip();
    expect(t.stack.timeWait.count).toBe(1);
    return t;
  };

  it('with timestamps, a second later, and begins beyond the old numbers', () => {
    const t = waiting(true);
    const end = t.c.snd.nxt;
    t.after(999);
    expect(t.connect()).toBe('EADDRNOTAVAIL');
    t.after(1);
    expect(t.connect()).toBe('');
    expect([t.stack.timeWait.count, (t.c.snd.iss - end) | 0]).toEqual([0, 65_538]);
    t.expect('S seq 0');
  });

  it('at once from a port that the program bound, given timestamps', () => {
    const connect = (t: Transcript): unknown => {
      const use = user.bindPort(t.stack, t.local, 50_000, { reuseAddress: true, reusePort: false }) as PortUse;
      return user.connectTo(t.stack, use, t.peer, t.peerPort, t.stack.newOptions(), null, t.nowUs);
    };
    const again = (ts: boolean): unknown => {
      const t = new Transcript();
      const c = connect(t) as Connection;
      t.conn = c;
      t.localPortNow = 50_000;
      t.skip();
      t.send(`S. seq 0 ack 1 mss 1460${ts ? ' ts 5000 0' : ''}`);
      t.close();
      t.send('F. seq 1 ack 2');
      expect(t.stack.timeWait.count).toBe(1);
      const next = connect(t);
      return typeof next === 'number' ? next : ((next as Connection).snd.iss - c.snd.nxt) | 0;
    };
    expect(again(true)).toBe(65_538);
    expect(again(false)).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('at another age when told so, never without timestamps', () => {
    const early = waiting(true, { tw_reuse_delay: 0 });
    expect(early.connect()).toBe('');
    const plain = waiting(false);
    plain.after(50_000);
    expect(plain.connect()).toBe('EADDRNOTAVAIL');
    plain.after(10_001);
    expect(plain.connect()).toBe('');
  });
});

describe('limits', () => {
  it('connections_max', () => {
    const t = new Transcript({ sysctl: { connections_max: 16 } });
    const owner = { onReadable() {}, onWritable() {}, onConnected() {}, onSent() {}, onError() {} };
    const connect = (): unknown =>
      user.connectTo(t.stack, null, PEER, t.peerPort++, t.stack.newOptions(), owner, t.nowUs);
    for (let i = 0; i < 16; i++) expect(typeof connect()).toBe('object');
    expect(connect()).toBe(-Errno.ENOBUFS);
    expect(t.count('connectionsFull')).toBe(1);
  });

  it('somaxconn', () => {
    const t = new Transcript({ sysctl: { somaxconn: 3 } });
    t.listen(1000);
    expect(t.listener?.backlog).toBe(3);
  });

  it('sendspace, recvspace, sendbuf_max', () => {
    const t = new Transcript({ sysctl: { sendspace: 5000, recvspace: 7000, sendbuf_max: 9000 } });
    t.established();
    expect((t.c.rcv.adv - t.c.rcv.nxt) | 0).toBe(7000);
    expect(t.write(100_000)).toBe(5000);
    t.send('. ack 5001');
    expect(t.write(100_000)).toBe(9000);
  });

  it('reass_limit', () => {
    const t = new Transcript({ sysctl: { reass_limit: 3 } }).established();
    for (let i = 1; i <= 5; i++) t.send(`. seq ${1 + 200 * i} len 100`);
    expect([t.c.reassembly.count, t.count('droppedManyPieces')]).toEqual([3, 2]);
    t.skip();
    t.send('. seq 1 len 200');
    t.expect('. ack 301');
  });
});
