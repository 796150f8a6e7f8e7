import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { CLOSED } from './connection/states.ts';

describe('send window', () => {
  it('sends no more than the peer allows, and goes on when it allows more', () => {
    const t = new Transcript().established({ win: 3000 });
    t.write(10_000);
    t.expect('. seq 1 len 1460');
    t.expect('. seq 1461 len 1460');
    // 80 bytes more would be silly.
    t.expectNothing();
    t.send('. ack 2921 win 3000');
    t.expect('. seq 2921 len 1460');
    t.expect('. seq 4381 len 1460');
    t.expectNothing();
  });

  it('uses the scale that was negotiated', () => {
    const t = new Transcript().established({ ws: 4 });
    t.send('. win 100');
    expect(t.c.snd.wnd).toBe(1600);
  });

  it('does not let an older segment turn the window back', () => {
    const t = new Transcript().established();
    t.send('. seq 1 len 10 win 5000');
    t.send('. seq 11 len 10 win 8000');
    t.send('. seq 1 len 10 win 3000');
    expect(t.c.snd.wnd).toBe(8000);
  });

  it('takes the window of an older segment that moves SND.UNA: what is sent ends at the edge that the peer offered', () => {
    const t = new Transcript().established({ win: 8000 });
    t.write(2920);
    expect(t.skip()).toBe(2);
    t.send('. seq 501 len 500 ack 1 win 8000');
    t.skip();
    t.send('. seq 1 len 500 ack 2921 win 0');
    t.skip();
    t.write(3000);
    t.expectNothing();
    expect(t.c.snd.wnd).toBe(0);
  });

  it('keeps working when the peer takes window back', () => {
    const t = new Transcript().established({ win: 8000 });
    t.write(10_000);
    expect(t.skip()).toBe(5);
    t.send('. ack 1461 win 1000');
    t.expectNothing();
    t.send('. ack 7301 win 4000');
    t.expect('. seq 7301 len 1460');
    t.expect('P. seq 8761 len 1240');
  });

  it('sends a small window when it is half of the largest ever offered (SWS)', () => {
    const t = new Transcript().established({ win: 1000 });
    t.write(3000);
    t.expect('. seq 1 len 1000');
    t.send('. ack 1001 win 499');
    t.expectNothing();
    t.send('. ack 1001 win 500');
    t.expect('. seq 1001 len 500');
  });
});

describe('zero window', () => {
  const stalled = (sysctl: Record<string, number> = {}): Transcript => {
    const t = new Transcript({ sysctl }).established({ win: 2920 });
    t.write(6000);
    t.skip();
    t.send('. ack 2921 win 0');
    t.expectNothing();
    return t;
  };

  it('probes with one byte, doubling the interval up to a minute, as long as the peer answers', () => {
    const t = stalled({ retries: 3 });
    let at = 0;
    let interval = 200;
    for (let i = 0; i < 14; i++) {
      at += interval;
      t.at(at);
      t.expect(`. seq 2921 len 1 at ${at}`);
      t.expectNothing();
      t.send('. ack 2921 win 0');
      interval = Math.min(interval * 2, 60_000);
    }
    expect(t.state).toBe('ESTABLISHED');
    t.send('. ack 2921 win 10000');
    t.expect('. seq 2921 len 1460');
    t.expect('. seq 4381 len 1460');
    t.expect('P. seq 5841 len 160');
  });

  it('leaves its back-off behind: what is sent when the window opens has a timer of its own', () => {
    const t = stalled();
    for (const at of [200, 600, 1400, 3000]) {
      t.at(at);
      t.expect(`. seq 2921 len 1 at ${at}`);
      t.send('. ack 2921 win 0');
    }
    t.send('. ack 2921 win 1460');
    t.expect('. seq 2921 len 1460 at 3000');
    t.at(3199);
    t.expectNothing();
    t.at(3201);
    t.expect('. seq 2921 len 1460 at 3200');
    t.at(3601);
    t.expect('. seq 2921 len 1460 at 3400');
  });

  it('goes on after the byte that the peer took', () => {
    const t = stalled();
    t.at(200);
    t.expect('. seq 2921 len 1');
    t.send('. ack 2922 win 10000');
    t.expect('. seq 2922 len 1460');
    t.expect('. seq 4382 len 1460');
    t.expect('P. seq 5842 len 159');
    t.send('. ack 6001');
    expect(t.c.sendBuffer.usedBytes).toBe(0);
  });

  it('gives up when nothing comes back', () => {
    const t = new Transcript({ sysctl: { retries: 3 } }).established({ win: 1460 });
    t.write(3000);
    t.send('. ack 1461 win 0');
    t.at(60_000);
    expect(t.error).toBe('ETIMEDOUT');
    expect(t.count('windowProbesSent')).toBe(3);
  });

  it('probes with the FIN when there is no data', () => {
    const t = new Transcript().established({ win: 100 });
    t.write(100);
    t.send('. ack 101 win 0');
    t.shutdown();
    t.skip();
    t.at(200);
    t.expect('F. seq 101 len 0');
    t.send('. ack 102 win 0');
    expect(t.state).toBe('FIN_WAIT_2');
    expect(t.events.at(-1)).toBe('sent');
  });

  it('sends into a window too small for a segment after a while (override)', () => {
    const t = new Transcript().established({ win: 4000 });
    t.write(6000);
    t.skip();
    t.send('. ack 2921 win 100');
    t.expectNothing();
    t.at(200);
    t.expect('. seq 2921 len 100');
  });

  it('of a closed socket is not probed for ever', () => {
    const t = new Transcript({ sysctl: { retries: 3 } }).established({ win: 1460 });
    t.write(3000);
    t.send('. ack 1461 win 0');
    t.close();
    t.skip();
    for (let i = 0; i < 10; i++) {
      t.after(10_000);
      if (t.state !== 'CLOSED') t.send('. ack 1461 win 0');
    }
    expect(t.stack.connectionCount).toBe(0);
    expect(t.captured.at(-1)?.flags).toBe('.R');
  });
});

describe('receive window', () => {
  const filled = (): Transcript => {
    const t = new Transcript({ sysctl: { recvspace: 4096, recvbuf_auto: 0 } }).established();
    t.c.receiveBuffer.fixed = true;
    t.send('. len 1460');
    t.send('. len 1460');
    t.send('. len 1176');
    t.skip();
    return t;
  };

  it('closes as data waits, and takes nothing beyond it', () => {
    const t = filled();
    t.send('. len 100');
    t.expect('. ack 4097 win 0');
    expect(t.c.readableBytes).toBe(4096);
    t.send('. seq 4097 len 0');
    t.expectNothing();
  });

  it('answers a probe, and processes its ACK', () => {
    const t = filled();
    t.write(10);
    t.expect('P. seq 1 len 10 win 0');
    t.send('. seq 4097 len 1 ack 11');
    t.expect('. ack 4097 win 0');
    expect(t.c.snd.una - t.c.snd.iss).toBe(11);
  });

  it('opens by worthwhile steps only (SWS), and tells the peer', () => {
    const t = filled();
    expect(t.read(500)).toBe(500);
    expect(t.read(500)).toBe(500);
    t.expectNothing();
    expect(t.read(1048)).toBe(1048);
    t.expect('. ack 4097 win 2048');
    expect(t.read()).toBe(2048);
    t.expect('. ack 4097 win 4096');
  });

  it('never moves its right edge back by more than the scale cannot say', () => {
    const t = new Transcript().established({ ws: 0 });
    let edge = 0;
    for (let i = 0; i < 30; i++) {
      t.send(`. len ${100 + 37 * i}`);
      if (i % 3 === 0) t.read(700);
      for (const c of t.captured.splice(0)) {
        const next = (c.ack as number) + (c.win as number) * 128;
        // RFC 7323 section 2.4.
        expect(next).toBeGreaterThan(edge - 128);
        edge = Math.max(edge, next);
      }
    }
  });

  it('never promises more than the buffer holds, however often it rounds', () => {
    const t = new Transcript({ sysctl: { recvbuf_auto: 0 } }).established({ ws: 7, ts: true });
    let sent = 0;
    for (;;) {
      const open = (t.c.rcv.adv - t.c.rcv.nxt) | 0;
      if (open < 100) break;
      t.send(`. len ${Math.min(open, 101)}`);
      sent += Math.min(open, 101);
      expect((t.c.rcv.adv - t.c.receiveBuffer.readSeq) | 0).toBeLessThanOrEqual(131_072);
      if (sent > 200_000) throw new Error('never closes');
    }
    expect(t.c.receiveBuffer.ring.capacity).toBe(131_072);
  });

  it('takes the part of a segment that fits', () => {
    const t = new Transcript({ sysctl: { recvspace: 4096, recvbuf_auto: 0 } }).established();
    t.send('F. seq 1 len 5000');
    expect(t.c.readableBytes).toBe(4096);
    expect(t.state).toBe('ESTABLISHED');
    t.expect('. ack 4097 win 0');
  });

  it('grows with what the reader takes in a round trip', () => {
    const t = new Transcript().established({ ts: true, ws: 7, win: 65535 });
    expect(t.c.receiveBuffer.limitBytes).toBe(131_072);
    for (let round = 0; round < 8; round++) {
      const window = (t.c.rcv.adv - t.c.rcv.nxt) | 0;
      for (let sent = 0; sent + 1448 <= window; sent += 1448) t.send('. len 1448', false);
      t.work();
      t.read(4 << 20);
      t.after(100);
      t.skip();
    }
    expect(t.c.receiveBuffer.limitBytes).toBeGreaterThan(1_250_000);
    expect(t.c.receiveBuffer.limitBytes).toBeLessThanOrEqual(4 << 20);
  });

  it('does not grow for a program that does not read', () => {
    const t = new Transcript().established({ ts: true, ws: 7 });
    for (let round = 0; round < 5; round++) {
      const window = (t.c.rcv.adv - t.c.rcv.nxt) | 0;
      for (let sent = 0; sent + 1448 <= window; sent += 1448) t.send('. len 1448', false);
      t.work();
      t.after(100);
    }
    expect(t.c.receiveBuffer.limitBytes).toBe(131_072);
  });

  it('shrinks its promise to what the heap can hold', () => {
    const t = new Transcript({ heapBytes: 32768 }).established();
    for (let i = 0; i < 40; i++) t.send('. len 1460');
    expect(t.c.readableBytes).toBe(4096);
    expect(t.count('droppedNoMemory')).toBeGreaterThan(0);
    const readable = t.c.readableBytes;
    expect(t.read()).toBe(readable);
    t.skip();
    t.send(`. seq ${1 + readable} len 1000`);
    expect(t.read()).toBe(1000);
  });
});

describe('buffers', () => {
  it('takes what fits and tells when there is room again', () => {
    const t = new Transcript({ sysctl: { sendspace: 8192, sendbuf_auto: 0 } }).established();
    expect(t.write(10_000)).toBe(8192);
    expect(t.write(1)).toBe('EAGAIN');
    expect(t.events).toEqual([]);
    t.send('. ack 1461');
    expect(t.events).toEqual([]);
    t.send('. ack 4381');
    expect(t.events).toEqual(['writable']);
    expect(t.write(10_000)).toBe(4380);
  });

  it('grow with the congestion window', () => {
    const t = new Transcript().established({ ws: 7, win: 65535 });
    let acked = 1;
    for (let i = 0; i < 8; i++) {
      while (t.write(1 << 20) !== 'EAGAIN');
      acked = 1 + t.c.snd.nxt - t.c.snd.iss - 1;
      t.skip();
      t.after(10);
      t.send(`. ack ${acked}`);
    }
    expect(t.c.sendBuffer.limitBytes).toBeGreaterThan(2_000_000);
  });

  it('give their memory back when the connection is idle', () => {
    const t = new Transcript().established();
    t.write(5000);
    t.send('. ack 5001 len 100');
    t.read();
    expect(t.stack.heap.usedBytes).toBeGreaterThan(0);
    t.at(10_000);
    expect(t.stack.heap.usedBytes).toBe(0);
    expect(t.callouts.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
    t.skip();
    t.write(10);
    t.expect('P. seq 5001 len 10');
    t.send('. seq 101 len 10');
    expect(t.read()).toBe(10);
  });

  it('are looked after until their connection ends, and no longer', () => {
    const t = new Transcript().established();
    t.write(5000);
    expect(t.c.holderIndex).toBe(0);
    t.send('R. seq 1');
    expect([t.c.state, t.c.holderIndex]).toEqual([CLOSED, -1]);
    t.at(10_000);
    expect(t.stack.heap.usedBytes).toBe(0);
    expect(t.callouts.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
  });
});
