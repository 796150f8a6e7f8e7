import { describe, expect, it } from 'vitest';
import { CLASSIC, Transcript } from '../../../test/fixtures/tcp-transcript.ts';

describe('SACK: reporting (RFC 2018 section 4, RFC 2883)', () => {
  it('acknowledges each out-of-order segment at once, the latest block first', () => {
    const t = new Transcript().established();
    t.send('. seq 101 len 100');
    t.expect('. ack 1 sack 101-201');
    t.send('. seq 301 len 100');
    t.expect('. ack 1 sack 301-401,101-201');
    t.send('. seq 501 len 100');
    t.expect('. ack 1 sack 501-601,301-401,101-201');
    t.send('. seq 201 len 100');
    t.expect('. ack 1 sack 101-401,501-601');
    t.send('. seq 1 len 100');
    t.expect('. ack 401 sack 501-601');
    t.send('. seq 401 len 100');
    const last = t.expect('. ack 601');
    expect(last.sack).toBeUndefined();
    expect(t.read()).toBe(600);
  });

  it('fits three blocks beside timestamps and four without', () => {
    for (const [ts, blocks] of [
      [true, 3],
      [false, 4],
    ] as const) {
      const t = new Transcript().established({ ts });
      for (let i = 0; i < 6; i++) t.send(`. seq ${1001 + 200 * i} len 100`);
      expect(t.captured.at(-1)?.sack?.split(',')).toHaveLength(blocks);
    }
  });

  it('reports a duplicate once, in front', () => {
    const t = new Transcript().established();
    t.send('. seq 1 len 200');
    t.expect('. ack 201');
    t.send('. seq 1 len 100');
    t.expect('. ack 201 sack 1-101');
    t.send('. seq 301 len 100');
    t.expect('. ack 201 sack 301-401');
    t.send('. seq 301 len 100');
    t.expect('. ack 201 sack 301-401,301-401');
  });

  it('keeps data in flight the other way within the MTU', () => {
    const t = new Transcript().established({ ts: true });
    t.send('. seq 1001 len 100');
    t.expect('. ack 1 sack 1001-1101');
    t.write(3000);
    t.expect('. seq 1 len 1436 sack 1001-1101');
    t.expect('. seq 1437 len 1436 sack 1001-1101');
    t.expect('P. seq 2873 len 128');
  });

  it('says nothing when it was not negotiated', () => {
    const t = new Transcript().established({ sack: false });
    t.send('. seq 101 len 100');
    expect(t.expect('. ack 1').sack).toBeUndefined();
  });

  it('drops what overlaps wrongly only in effect: the bytes that arrived first stay in order', () => {
    const t = new Transcript().established();
    t.send('. seq 51 len 100');
    t.send('. seq 1 len 100');
    t.send('. seq 141 len 60');
    t.skip();
    expect(t.read()).toBe(200);
    expect(t.count('partialDuplicatePackets')).toBe(1);
  });
});

describe('SACK: recovery (RFC 6675)', () => {
  const start = (segments: number, more: number = 40): Transcript => {
    const t = new Transcript({ sysctl: { ...CLASSIC, congctl: 0, init_win: segments } }).established();
    t.write(1460 * (segments + more));
    expect(t.skip()).toBe(segments);
    return t;
  };
  const at = (segment: number): number => 1 + 1460 * segment;

  it('resends when three segments above were reported, and new data as the pipe allows', () => {
    const t = start(10);
    t.send(`. ack 1 sack ${at(1)}-${at(2)}`);
    t.expect(`. seq ${at(10)}`);
    t.send(`. ack 1 sack ${at(1)}-${at(3)}`);
    t.expect(`. seq ${at(11)}`);
    t.expectNothing();
    t.send(`. ack 1 sack ${at(1)}-${at(4)}`);
    t.expect('. seq 1 len 1460');
    // pipe: 12 - 3 sacked - 1 lost + 1 resent = 9, cwnd 5 (RFC 6675 takes FlightSize of 10 or 12 at its word).
    t.expectNothing();
    expect(t.c.loss.phase).toBe(1);
    for (let i = 5; i < 9; i++) t.send(`. ack 1 sack ${at(1)}-${at(i)}`);
    t.expectNothing();
    t.send(`. ack 1 sack ${at(1)}-${at(9)}`);
    t.expect(`. seq ${at(12)}`);
    t.send(`. ack ${at(12)}`);
    expect(t.c.loss.phase).toBe(0);
    expect(t.c.congestion.cwnd).toBe(5 * 1460);
  });

  it('resends on the third duplicate, however little each of them reported (DupThresh)', () => {
    const t = new Transcript({ sysctl: { ...CLASSIC } }).established();
    t.c.options.noDelay = true;
    for (let i = 0; i < 5; i++) t.write(10);
    t.skip();
    t.send('. ack 1 sack 11-21');
    t.send('. ack 1 sack 11-31');
    t.expectNothing();
    t.send('. ack 1 sack 11-41');
    t.expect('. seq 1 len 10');
    // The rescue.
    t.expect('P. seq 41 len 10');
    t.expectNothing();
  });

  it('finds several holes in one window without a timeout', () => {
    const t = start(16);
    // 0, 4 and 8 are lost.
    const blocks = `${at(9)}-${at(16)},${at(5)}-${at(8)},${at(1)}-${at(4)}`;
    t.send(`. ack 1 sack ${blocks}`);
    t.expect('. seq 1 len 1460');
    t.expect(`. seq ${at(4)} len 1460`);
    t.expect(`. seq ${at(8)} len 1460`);
    t.skip();
    t.send(`. ack ${at(4)} sack ${at(5)}-${at(8)},${at(9)}-${at(16)}`);
    t.send(`. ack ${at(8)} sack ${at(9)}-${at(16)}`);
    expect(t.c.loss.phase).toBe(1);
    t.send(`. ack ${at(16)}`);
    expect(t.c.loss.phase).toBe(0);
    expect(t.count('dataPacketsRetransmitted')).toBe(3);
    expect(t.count('retransmitTimeouts')).toBe(0);
  });

  it('does not take one reordered segment for a loss', () => {
    const t = start(10);
    t.send(`. ack 1 sack ${at(1)}-${at(2)}`);
    t.send(`. ack 1 sack ${at(1)}-${at(3)}`);
    t.send(`. ack ${at(3)}`);
    expect(t.c.loss.phase).toBe(0);
    expect(t.count('dataPacketsRetransmitted')).toBe(0);
  });

  it('resends the last segment once to find out about the tail (rescue)', () => {
    const t = start(6, 0);
    // 0 and 5 are lost; there is no new data: rule (4) of NextSeg.
    t.send(`. ack 1 sack ${at(1)}-${at(5)}`);
    t.expect('. seq 1 len 1460');
    t.expect(`P. seq ${at(5)} len 1460`);
    t.send(`. ack ${at(5)}`);
    t.send(`. ack ${at(6)}`);
    t.expectNothing();
    expect(t.c.loss.phase).toBe(0);
  });

  it('waits for the timer when a resent segment is lost again', () => {
    const t = start(10, 0);
    t.send(`. ack 1 sack ${at(1)}-${at(10)}`);
    t.expect('. seq 1');
    t.at(199);
    t.expectNothing();
    t.at(200);
    t.expect('. seq 1 len 1460 at 200');
    t.send(`. ack ${at(10)}`);
    t.expectNothing();
  });

  it('ignores blocks that make no sense', () => {
    const t = start(4, 0);
    t.send(`. ack 1 sack ${at(3)}-${at(2)},${at(2)}-${at(9)},0-1`);
    expect(t.c.scoreboard.sackedBytes).toBe(0);
    t.send(`. ack ${at(1)} sack 1-${at(1)}`);
    expect(t.c.scoreboard.sackedBytes).toBe(0);
    expect(t.count('dsackReceived')).toBe(2);
  });

  it('forgets the reports of a receiver that threw the data away', () => {
    const t = start(4, 0);
    t.send(`. ack 1 sack ${at(1)}-${at(3)}`);
    t.skip();
    t.send(`. ack ${at(1)}`);
    t.at(300);
    expect(t.count('sackReneges')).toBe(1);
    expect(t.captured[0]).toMatchObject({ seq: at(1) });
    expect(t.c.scoreboard.sackedBytes).toBe(0);
  });

  it('cuts a record of which only a part was reported', () => {
    const t = start(4, 0);
    t.send(`. ack 1 sack ${at(1) + 100}-${at(1) + 600}`);
    expect(t.c.scoreboard.sackedBytes).toBe(500);
    expect(t.c.scoreboard.count).toBe(6);
    t.send(`. ack ${at(4)}`);
    expect(t.c.scoreboard.empty).toBe(true);
    expect(t.c.scoreboard.sackedBytes).toBe(0);
  });
});
