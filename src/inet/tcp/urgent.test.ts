import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { urgentBytes } from './connection/urgent.ts';

describe('sending urgent data (RFC 9293 3.8.5, RFC 6093)', () => {
  it('points at the byte after the last urgent one', () => {
    const t = new Transcript().established();
    t.writeUrgent(3);
    t.expect('PU. seq 1 len 3 urg 3');
    t.write(1);
    t.send('. ack 4');
    t.expect('P. seq 4 len 1');
    expect(t.captured.length).toBe(0);
  });

  it('goes on pointing until the urgent data was sent, and again when it is sent again', () => {
    const t = new Transcript({ sysctl: { tlp: 0 } }).established();
    t.c.options.noDelay = true;
    t.write(1460);
    t.expect('P. seq 1 len 1460');
    t.writeUrgent(2000);
    t.expect('U. seq 1461 len 1460 urg 2000');
    t.expect('PU. seq 2921 len 540 urg 540');
    t.write(100);
    t.expect('P. seq 3461 len 100');
    t.at(200);
    // The segment before the urgent data says so too: the reader is to hurry.
    t.expect('U. seq 1 len 1460 urg 3460');
    t.send('. ack 3461');
    t.at(1000);
    t.expect('P. seq 3461 len 100');
    expect(t.c.urgent.sending).toBe(false);
  });

  it('says as much as sixteen bits can', () => {
    const t = new Transcript({ sysctl: { init_win: 1 } }).established();
    t.writeUrgent(100_000);
    expect(t.expect('U. seq 1 len 1460').urg).toBe(65_535);
  });

  it('tells the peer although its window is closed, with an ACK without data', () => {
    const t = new Transcript().established({ win: 100 });
    t.write(100);
    t.send('. ack 101 win 0');
    t.skip();
    t.writeUrgent(10);
    t.expect('U. seq 101 len 0 urg 10');
    t.expectNothing();
    expect(t.count('urgentOnlyPacketsSent')).toBe(1);
    t.send('. ack 101 win 1000');
    t.expect('PU. seq 101 len 10 urg 10');
  });

  it('is not put into super-frames, whose pieces would all point too far', () => {
    const t = new Transcript();
    t.ip.capabilities = 3;
    t.ip.maxPacketBytes = 65_535;
    t.established();
    t.writeUrgent(5000);
    expect(t.captured.map((c) => c.len)).toEqual([1460, 1460, 1460, 620]);
    expect(t.captured.map((c) => c.urg)).toEqual([5000, 3540, 2080, 620]);
    t.skip();
    t.send('. ack 5001');
    t.write(5000);
    t.skip();
    t.send('. ack 10001');
    t.write(5000);
    expect(t.captured[0]?.len).toBeGreaterThan(1460);
  });

  it('wants a connection that may send', () => {
    const t = new Transcript().finWait1();
    expect(t.writeUrgent(1)).toBe('EPIPE');
  });
});

describe('receiving urgent data', () => {
  it('leaves it in the stream and tells how much is left to read', () => {
    const t = new Transcript().established();
    t.send('PU. len 10 urg 4');
    expect(t.events).toEqual(['urgent', 'readable']);
    expect(urgentBytes(t.c)).toBe(4);
    expect(t.read(3)).toBe(3);
    expect(urgentBytes(t.c)).toBe(1);
    expect(t.read(3)).toBe(3);
    expect(urgentBytes(t.c)).toBe(0);
    expect(t.read()).toBe(4);
  });

  it('tells once, and again when the pointer moves on', () => {
    const t = new Transcript().established();
    t.send('PU. seq 1 len 10 urg 30');
    t.send('PU. seq 11 len 10 urg 20');
    expect(t.events.filter((event) => event === 'urgent').length).toBe(1);
    expect(urgentBytes(t.c)).toBe(30);
    t.send('PU. seq 21 len 10 urg 11');
    expect(t.events.filter((event) => event === 'urgent').length).toBe(2);
    expect(t.count('urgentReceived')).toBe(2);
  });

  it('knows of data that is still to come, also when it arrives out of order', () => {
    const t = new Transcript().established();
    t.send('U. seq 1 urg 5');
    expect(urgentBytes(t.c)).toBe(5);
    t.send('PU. seq 101 len 10 urg 10');
    expect(urgentBytes(t.c)).toBe(110);
    t.send('. seq 1 len 100');
    expect(t.read(105)).toBe(105);
    expect(urgentBytes(t.c)).toBe(5);
  });

  it('does not look back: a pointer to what was read, or to nothing', () => {
    const t = new Transcript().established();
    t.send('. len 10');
    t.read();
    t.send('PU. seq 11 len 10 urg 0');
    t.send('PU. seq 1 len 10 urg 5');
    expect(t.events).not.toContain('urgent');
    expect(urgentBytes(t.c)).toBe(0);
  });

  it('ignores it after the FIN', () => {
    const t = new Transcript().closeWait();
    t.send('U. urg 5');
    expect(t.events).not.toContain('urgent');
  });
});
