import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';

const MSS = 1460;

/** `segments` in flight, more to send. */
function start(segments: number, sysctl: Record<string, number> = {}): Transcript {
  const t = new Transcript({ sysctl: { congctl: 0, tlp: 0, init_win: segments, ...sysctl } }).established();
  t.write(80 * MSS);
  expect(t.skip()).toBe(segments);
  return t;
}

describe('slow start (RFC 5681 section 3.1)', () => {
  it('begins with the initial window and lets two segments go for each that is acknowledged', () => {
    const t = start(2);
    for (let i = 1; i <= 8; i++) {
      t.send(`. ack ${1 + i * MSS}`);
      t.expect(`. seq ${1 + 2 * i * MSS} len ${MSS}`);
      t.expect(`. seq ${1 + (2 * i + 1) * MSS} len ${MSS}`);
      t.expectNothing();
    }
    expect(t.c.congestion.cwnd).toBe(10 * MSS);
  });

  it('ends at the threshold: then a window of ACKs is worth one segment', () => {
    const t = start(4);
    t.c.congestion.ssthresh = 6 * MSS;
    t.send(`. ack ${1 + 2 * MSS}`);
    expect(t.c.congestion.cwnd).toBe(6 * MSS);
    expect(t.skip()).toBe(4);
    for (let i = 3; i <= 7; i++) {
      t.send(`. ack ${1 + i * MSS}`);
      expect(t.skip()).toBe(1);
    }
    expect(t.c.congestion.cwnd).toBe(6 * MSS);
    t.send(`. ack ${1 + 8 * MSS}`);
    expect(t.c.congestion.cwnd).toBe(7 * MSS);
    expect(t.skip()).toBe(2);
  });

  it('splits an ACK that reaches beyond the threshold', () => {
    const t = start(4);
    t.c.congestion.ssthresh = 5 * MSS;
    t.send(`. ack ${1 + 4 * MSS}`);
    // One segment of slow start, three of the five that the next one costs.
    expect(t.c.congestion.cwnd).toBe(5 * MSS);
    expect(t.skip()).toBe(5);
    t.send(`. ack ${1 + 6 * MSS}`);
    expect(t.c.congestion.cwnd).toBe(6 * MSS);
  });

  it('is not entered again by an ACK of nothing, nor by data alone', () => {
    const t = start(2);
    t.send('. ack 1 len 100');
    t.send('. ack 1 win 60000');
    expect(t.c.congestion.cwnd).toBe(2 * MSS);
  });

  it('begins anew with one segment after a timeout, up to half of what was in flight', () => {
    const t = start(8, { rack: 0, frto: 0 });
    t.at(200);
    t.expect(`. seq 1 len ${MSS} at 200`);
    t.expectNothing();
    expect([t.c.congestion.cwnd, t.c.congestion.ssthresh]).toEqual([MSS, 4 * MSS]);
    t.send(`. ack ${1 + MSS}`);
    expect(t.skip()).toBe(2);
    t.send(`. ack ${1 + 2 * MSS}`);
    t.send(`. ack ${1 + 3 * MSS}`);
    expect(t.c.congestion.cwnd).toBe(4 * MSS);
    t.send(`. ack ${1 + 4 * MSS}`);
    expect(t.c.congestion.cwnd).toBe(4 * MSS);
  });
});

describe('byte counting (RFC 3465)', () => {
  const grown = (sysctl: Record<string, number>, ssthresh: number = Number.MAX_SAFE_INTEGER): number => {
    const t = start(10, sysctl);
    t.c.congestion.ssthresh = Math.min(ssthresh, t.c.congestion.ssthresh);
    t.send(`. ack ${1 + 8 * MSS}`);
    return t.c.congestion.cwnd / MSS;
  };

  it('grows by as much as an ACK covers, or up to a limit', () => {
    expect(grown({})).toBe(18);
    expect(grown({ 'abc.aggressive': 1 })).toBe(12);
    expect(grown({ 'abc.aggressive': 0 })).toBe(11);
  });

  it('counts ACKs when switched off, in congestion avoidance too', () => {
    expect(grown({ 'abc.enable': 0 })).toBe(11);
    const bytes = start(10);
    const acks = start(10, { 'abc.enable': 0 });
    for (const t of [bytes, acks]) {
      t.c.congestion.ssthresh = 10 * MSS;
      t.send(`. ack ${1 + 10 * MSS}`);
    }
    expect(bytes.c.congestion.cwnd).toBe(11 * MSS);
    expect(acks.c.congestion.cwnd).toBe(10 * MSS);
  });
});

describe('sizes and switches', () => {
  it('takes a tiny MSS for the smallest that is believed', () => {
    const t = new Transcript().established({ mss: 40 });
    expect(t.c.size.mss).toBe(216);
    const lower = new Transcript({ sysctl: { minmss: 64 } }).connected({ mss: 40 });
    expect(lower.c.size.mss).toBe(64);
  });

  it.each<[4 | 6, Record<string, number>, number]>([
    [4, {}, 536],
    [6, {}, 1220],
    [4, { mssdflt: 700, v6mssdflt: 900 }, 700],
    [6, { mssdflt: 700, v6mssdflt: 900 }, 900],
  ])('assumes of a peer of IPv%i that does not say its MSS, with %j: %i bytes', (family, sysctl, mss) => {
    const passive = new Transcript({ family, sysctl });
    passive.listen();
    passive.send('S seq 0');
    passive.skip();
    passive.send('.');
    expect(passive.c.size.mss).toBe(mss);
    const active = new Transcript({ family, sysctl }).synSent();
    active.send('S. seq 0 ack 1');
    expect(active.c.size.mss).toBe(mss);
  });

  it('lets the receive buffer grow unless recvbuf_auto is off, the send buffer unless sendbuf_auto is', () => {
    const limits = (sysctl: Record<string, number>): [receive: boolean, send: boolean] => {
      const t = new Transcript({ sysctl: { recvspace: 20_000, sendspace: 20_000, tlp: 0, ...sysctl } });
      t.established({ ts: true, ws: 7 });
      for (let round = 0; round < 8; round++) {
        const window = (t.c.rcv.adv - t.c.rcv.nxt) | 0;
        for (let sent = 0; sent + 1448 <= window; sent += 1448) t.send('. len 1448', false);
        t.work();
        t.read();
        t.write(100_000);
        t.after(100);
        t.send('.');
      }
      return [t.c.receiveBuffer.limitBytes > 20_000, t.c.sendBuffer.limitBytes > 20_000];
    };
    expect(limits({})).toEqual([true, true]);
    expect(limits({ recvbuf_auto: 0, sendbuf_auto: 0 })).toEqual([false, false]);
  });
});
