import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';

/** Every synchronized state, with the peer's and our next numbers. */
const FIXTURES: Record<string, { make: () => Transcript; rcvNxt: number; sndNxt: number; sndUna: number }> = {
  ESTABLISHED: { make: () => new Transcript().established(), rcvNxt: 1, sndNxt: 1, sndUna: 1 },
  FIN_WAIT_1: { make: () => new Transcript().finWait1(), rcvNxt: 1, sndNxt: 2, sndUna: 1 },
  FIN_WAIT_2: { make: () => new Transcript().finWait2(), rcvNxt: 1, sndNxt: 2, sndUna: 2 },
  CLOSE_WAIT: { make: () => new Transcript().closeWait(), rcvNxt: 2, sndNxt: 1, sndUna: 1 },
  CLOSING: { make: () => new Transcript().closing(), rcvNxt: 2, sndNxt: 2, sndUna: 1 },
  LAST_ACK: { make: () => new Transcript().lastAck(), rcvNxt: 2, sndNxt: 2, sndUna: 1 },
  TIME_WAIT: { make: () => new Transcript().timeWait(), rcvNxt: 2, sndNxt: 2, sndUna: 2 },
};
const AFTER_RESET: Record<string, string> = {
  ESTABLISHED: 'ECONNRESET',
  FIN_WAIT_1: 'ECONNRESET',
  FIN_WAIT_2: 'ECONNRESET',
  CLOSE_WAIT: 'EPIPE',
  CLOSING: 'ECONNRESET',
  LAST_ACK: 'ECONNRESET',
};

describe.each(Object.entries(FIXTURES))('%s', (state, { make, rcvNxt, sndNxt, sndUna }) => {
  it('is reached', () => {
    expect(make().state).toBe(state);
  });

  it('ends by a reset at RCV.NXT', () => {
    const t = make();
    t.send(`R seq ${rcvNxt}`);
    t.expectNothing();
    expect(t.stack.connectionCount).toBe(0);
    if (state === 'TIME_WAIT') {
      expect(t.stack.timeWait.count).toBe(0);
    } else {
      expect(t.state).toBe('CLOSED');
      expect(t.error).toBe(AFTER_RESET[state]);
      expect(t.events.at(-1)).toBe('error');
    }
    expect(t.ip.openPaths).toBe(0);
    expect(t.callouts.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('answers a reset elsewhere in the window by a challenge ACK, and outside not at all', () => {
    const t = make();
    t.send(`R seq ${rcvNxt + 1}`);
    t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
    t.send(`R seq ${rcvNxt - 1}`);
    t.send(`R seq ${rcvNxt + 10_000_000}`);
    t.expectNothing();
    expect(t.state).toBe(state);
  });

  it('answers a SYN by a challenge ACK, in the window or not', () => {
    const t = make();
    if (state === 'TIME_WAIT') return;
    for (const seq of [rcvNxt, rcvNxt + 50, rcvNxt - 20, rcvNxt + 10_000_000]) {
      t.send(`S seq ${seq}`);
      t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
      t.send(`S. seq ${seq} ack ${sndNxt}`);
      t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
    }
    expect(t.state).toBe(state);
  });

  it('drops a segment without ACK', () => {
    const t = make();
    t.send(`- seq ${rcvNxt} len 5`);
    t.send(`F seq ${rcvNxt}`);
    if (state !== 'TIME_WAIT') t.expectNothing();
    expect(t.state).toBe(state);
  });

  it('answers an ACK of what was not sent, and one that is far too old', () => {
    const t = make();
    if (state === 'TIME_WAIT') return;
    t.send(`. seq ${rcvNxt} ack ${sndNxt + 1}`);
    t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
    t.send(`. seq ${rcvNxt} ack ${sndUna - 70_000}`);
    t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
    expect(t.state).toBe(state);
  });

  it('ignores an old duplicate ACK', () => {
    const t = make();
    if (state === 'TIME_WAIT') return;
    t.send(`. seq ${rcvNxt} ack ${sndUna - 1}`);
    t.expectNothing();
    expect(t.state).toBe(state);
  });

  it('answers an old segment with data by an ACK', () => {
    const t = make();
    t.send(`. seq ${rcvNxt - 1} len 1 ack ${sndUna}`);
    t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
    t.expectNothing();
  });

  it('answers a segment beyond the window by an ACK', () => {
    const t = make();
    t.send(`. seq ${rcvNxt + 1_000_000} len 1 ack ${sndUna}`);
    t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
    expect(t.state).toBe(state);
  });

  it('goes where a FIN leads', () => {
    const t = make();
    const next: Record<string, string> = { ESTABLISHED: 'CLOSE_WAIT', FIN_WAIT_1: 'CLOSING', FIN_WAIT_2: 'TIME_WAIT' };
    if (state in next) {
      t.send(`F. seq ${rcvNxt} ack ${sndUna}`);
      t.expect(`. seq ${sndNxt} ack ${rcvNxt + 1}`);
      expect(t.state).toBe(next[state]);
      expect(t.read()).toBe(0);
    } else {
      // The FIN again: our ACK was lost.
      t.send(`F. seq ${rcvNxt - 1} ack ${sndUna}`);
      t.expect(`. seq ${sndNxt} ack ${rcvNxt}`);
      expect(t.state).toBe(state);
    }
    t.expectNothing();
  });

  it('goes where the ACK of our FIN leads', () => {
    const t = make();
    if (sndNxt === sndUna) return;
    t.send(`. seq ${rcvNxt} ack ${sndNxt}`);
    const next: Record<string, string> = { FIN_WAIT_1: 'FIN_WAIT_2', CLOSING: 'TIME_WAIT', LAST_ACK: 'CLOSED' };
    expect(t.state).toBe(next[state]);
    expect(t.events.at(-1)).toBe('sent');
    expect(t.error).toBe('');
    t.expectNothing();
  });

  it('takes data while the peer may send it', () => {
    const t = make();
    t.send(`. seq ${rcvNxt} len 100 ack ${sndUna}`);
    const takes = ['ESTABLISHED', 'FIN_WAIT_1', 'FIN_WAIT_2'].includes(state);
    if (takes) {
      expect(t.read()).toBe(100);
      t.expect(`. ack ${rcvNxt + 100}`);
    } else {
      expect(t.read()).toBe(0);
    }
  });

  it('drops a segment with a wrong checksum', () => {
    const t = make();
    t.send(`R seq ${rcvNxt} badsum`);
    t.send(`. seq ${rcvNxt} len 100 ack ${sndNxt} badsum`);
    expect(t.state).toBe(state);
    expect(t.count('droppedBadChecksum')).toBe(2);
    t.expectNothing();
  });

  it('takes note of ICMP errors that quote what is in flight, and of no others', () => {
    const t = make();
    if (state === 'TIME_WAIT') return;
    t.icmp(3, 1, sndUna + 70_000);
    expect(t.c.softError).toBe(0);
    t.icmp(3, 1, sndUna);
    expect(t.c.softError).toBe(sndNxt === sndUna ? 0 : -113);
    t.icmp(3, 3, sndUna);
    expect(t.state).toBe(state);
  });

  it('is closed by close, and forgets everything in the end', () => {
    const t = make();
    t.close();
    t.skip();
    t.send(`. seq ${rcvNxt} ack ${t.state === 'CLOSED' || state === 'TIME_WAIT' ? sndNxt : t.c.snd.nxt - t.c.snd.iss}`);
    t.at(2_000_000);
    expect(t.stack.connectionCount).toBe(0);
    expect(t.stack.timeWait.count).toBe(0);
    expect(t.ip.openPaths).toBe(0);
    expect(t.stack.heap.usedBytes).toBe(0);
    expect(t.callouts.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('ends at once by abort, with a reset the peer believes', () => {
    const t = make();
    t.abort();
    if (state !== 'TIME_WAIT') t.expect(`R. seq ${sndNxt} ack ${rcvNxt}`);
    expect(t.stack.connectionCount).toBe(0);
    expect(t.stack.heap.usedBytes).toBe(0);
  });
});

describe('closing', () => {
  it('sends the FIN after the data, and takes TIME_WAIT of two MSL', () => {
    const t = new Transcript({ sysctl: { msl: 1000 } }).established();
    t.write(3000);
    t.close();
    t.expect('. seq 1 len 1460');
    t.expect('. seq 1461 len 1460');
    t.expect('P. seq 2921 len 80');
    t.expect('F. seq 3001');
    expect(t.state).toBe('FIN_WAIT_1');
    t.send('. ack 3002');
    expect(t.state).toBe('FIN_WAIT_2');
    t.send('F. ack 3002');
    t.expect('. seq 3002 ack 2');
    expect(t.stack.timeWait.count).toBe(1);
    t.at(1500);
    // The FIN again: the wait starts afresh.
    t.send('F. seq 1 ack 3002');
    t.expect('. seq 3002 ack 2 at 1500');
    t.at(3499);
    expect(t.stack.timeWait.count).toBe(1);
    t.at(3501);
    expect(t.stack.timeWait.count).toBe(0);
    t.send('F. seq 1 ack 3002');
    t.expect('R seq 3002');
  });

  it('goes from FIN_WAIT_1 to TIME_WAIT when the peer acknowledges and closes in one segment', () => {
    const t = new Transcript().finWait1();
    t.send('F. ack 2');
    t.expect('. seq 2 ack 2');
    expect(t.state).toBe('TIME_WAIT');
    expect(t.events).toContain('sent');
  });

  it('resets when data was not read, or arrives after close (RFC 2525 2.17)', () => {
    const unread = new Transcript().established();
    unread.send('P. len 10');
    unread.skip();
    unread.close();
    unread.expect('R. seq 1 ack 11');
    const late = new Transcript().established();
    late.close();
    late.expect('F. seq 1');
    late.send('P. len 10 ack 2');
    late.expect('R. seq 2');
    expect(late.stack.connectionCount).toBe(0);
  });

  it('resets on close with a linger time of zero', () => {
    const t = new Transcript().established();
    t.c.options.lingerMs = 0;
    t.close();
    t.expect('R. seq 1 ack 1');
    t.expectNothing();
  });

  it('gives up on a peer that never closes, once nobody holds the socket', () => {
    const t = new Transcript({ sysctl: { fin_timeout: 5000 } }).finWait2();
    t.at(100_000);
    expect(t.state).toBe('FIN_WAIT_2');
    t.close();
    t.at(104_999);
    expect(t.stack.connectionCount).toBe(1);
    t.at(105_001);
    expect(t.stack.connectionCount).toBe(0);
    t.expectNothing();
  });

  it('stays readable after the peer closed and we did', () => {
    const t = new Transcript().established();
    t.send('FP. len 50');
    t.skip();
    t.shutdown();
    t.expect('F. seq 1 ack 52');
    t.send('. ack 2');
    expect(t.state).toBe('CLOSED');
    expect(t.read(20)).toBe(20);
    expect(t.read()).toBe(30);
    expect(t.read()).toBe(0);
    expect(t.write(1)).toBe('EPIPE');
  });

  it('half-closes: data still arrives, writing is EPIPE', () => {
    const t = new Transcript().finWait2();
    expect(t.write(1)).toBe('EPIPE');
    t.send('. len 500 ack 2');
    expect(t.read()).toBe(500);
    expect(t.state).toBe('FIN_WAIT_2');
  });

  it('tells the error once, then the end of the stream', () => {
    const t = new Transcript().established();
    t.send('P. len 10');
    t.send('R seq 11');
    expect(t.read()).toBe(10);
    expect(t.read()).toBe('ECONNRESET');
    expect(t.read()).toBe(0);
    expect(t.write(1)).toBe('EPIPE');
  });

  it('takes a FIN that arrives before the data in front of it', () => {
    const t = new Transcript().established();
    t.send('F. seq 101 len 10');
    t.expect('. ack 1 sack 101-111');
    t.send('. seq 1 len 100');
    expect(t.state).toBe('CLOSE_WAIT');
    t.expect('. ack 112');
    expect(t.read()).toBe(110);
    expect(t.read()).toBe(0);
  });

  it('answers a FIN with data missing before it each time it comes, and no ACK that follows it', () => {
    const t = new Transcript().established();
    t.send('F. seq 101');
    t.expect('. ack 1');
    t.send('. seq 102');
    t.expectNothing();
    t.send('F. seq 101');
    t.expect('. ack 1');
    t.send('. seq 1 len 100');
    expect(t.state).toBe('CLOSE_WAIT');
    t.expect('. ack 102');
  });
});

describe('TIME_WAIT', () => {
  it('gives way to a SYN with a newer timestamp, or a higher number', () => {
    for (const ts of [true, false]) {
      const t = new Transcript().timeWait({ ts });
      const before = t.c.snd.nxt;
      t.after(10);
      t.send(`S seq 5000 mss 1460${ts ? ` ts ${t.peerClock} 0` : ''}`);
      const synAck = t.expect('S.');
      expect(synAck.ack).toBe(5001);
      expect(t.stack.timeWait.count).toBe(0);
      t.send('. seq 5001 ack 1', false);
      const c = t.listener?.acceptQueue[0];
      expect(((c?.snd.iss ?? 0) - before) | 0).toBe(65538);
    }
  });

  it.each([
    ['a newer timestamp, a lower number', -20, 1, 'S.'],
    ['an older timestamp, a higher number', 5000, -1, '.'],
    ['the same timestamp, a higher number', 5000, 0, 'S.'],
    ['the same timestamp, a lower number', -20, 0, '.'],
  ])('decides by timestamps first: %s (RFC 6191 section 2)', (_what, seq, sincePeer, answer) => {
    const t = new Transcript().timeWait({ ts: true });
    t.send(`S seq ${seq} mss 1460 ts ${t.peerClock + sincePeer} 0`);
    t.expect(answer);
    t.expectNothing();
    expect(t.stack.timeWait.count).toBe(answer === 'S.' ? 0 : 1);
  });

  it('answers an old SYN by an ACK', () => {
    const t = new Transcript().timeWait();
    t.send('S seq 1');
    t.expect('. seq 2 ack 2');
    expect(t.stack.timeWait.count).toBe(1);
  });

  it('ignores resets when told to (RFC 1337)', () => {
    const t = new Transcript({ sysctl: { rfc1337: 1 } }).timeWait();
    t.send('R seq 2');
    expect(t.stack.timeWait.count).toBe(1);
  });

  it('keeps no more entries than allowed', () => {
    const t = new Transcript({ sysctl: { tw_max: 2 } });
    for (let port = 1; port <= 4; port++) {
      t.peerPort = port;
      t.connect();
      t.send('S. seq 0 ack 1');
      t.close();
      t.send('F. seq 1 ack 2');
    }
    expect(t.stack.timeWait.count).toBe(2);
    expect(t.count('timeWaitOverflows')).toBe(2);
  });
});
