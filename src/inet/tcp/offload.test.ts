import { describe, expect, it } from 'vitest';
import { CLASSIC, Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';

describe('super-frames', () => {
  const start = (): Transcript => {
    const t = new Transcript({ sysctl: CLASSIC });
    t.ip.capabilities = CAP_SUPER_FRAMES;
    t.ip.maxPacketBytes = 65_535;
    return t.established({ ts: true, ws: 7 });
  };

  it('carry whole segments, as many as the windows allow, with the segment size beside them', () => {
    const t = start();
    t.write(20_000);
    const meta = 1448 << META_SEGMENT_SHIFT;
    t.expect(`. seq 1 len 14480 meta ${meta}`);
    t.expectNothing();
    t.send('. ack 14481');
    t.expect(`P. seq 14481 len 5520 meta ${meta}`);
    t.send('. ack 20001');
    t.write(1448);
    t.expect('P. seq 20001 len 1448');
  });

  it('are at most as long as the link takes', () => {
    const t = start();
    t.send('. win 2000');
    t.c.congestion.cwnd = 1 << 20;
    t.write(131_072);
    const longest = t.expect('. seq 1');
    expect(longest.len).toBe(45 * 1448);
    expect((longest.len as number) + 52).toBeLessThanOrEqual(65_535);
  });

  it('that are lost come back as what the window allows', () => {
    const t = start();
    t.write(14_480);
    t.expect('P. seq 1 len 14480');
    t.at(200);
    t.expect('. seq 1 len 1448');
    t.send('. ack 1449');
    t.expect('. seq 1449 len 2896');
    t.send('. ack 4345');
    t.expect('. seq 4345 len 5792');
    t.send('. ack 14481');
    t.expectNothing();
    expect(t.c.scoreboard.empty).toBe(true);
  });

  it('count as the segments they carry when received', () => {
    const t = new Transcript({ sysctl: { quickack: 0 } }).established();
    t.send(`P. len 2920 meta ${1460 << META_SEGMENT_SHIFT}`);
    t.expect('. ack 2921');
    expect(t.c.rcv.mss).toBe(1460);
    t.send('. len 1460');
    t.expectNothing();
  });

  it('resend in part what was selectively acknowledged in part', () => {
    const t = start();
    t.write(14_480);
    t.skip();
    t.send('. ack 1 sack 5793-14481');
    t.expect('. seq 1 len 5792');
    t.send('. ack 14481');
    expect(t.c.scoreboard.empty).toBe(true);
  });
});

describe('checksum offload', () => {
  it('leaves the pseudo-header sum when the link vouches for the bytes', () => {
    const t = new Transcript();
    t.ip.capabilities = CAP_CHECKSUM_PARTIAL;
    t.established();
    t.write(100);
    // The transcript verifies the field.
    t.expect(`P. seq 1 len 100 meta ${META_CHECKSUM_PARTIAL}`);
  });

  it('believes a segment whose checksum was not filled in', () => {
    const t = new Transcript().established();
    t.send(`P. len 100 badsum meta ${META_CHECKSUM_PARTIAL}`);
    expect(t.read()).toBe(100);
    t.send(`P. seq 201 len 100 badsum meta ${META_CHECKSUM_PARTIAL}`);
    t.send(`P. seq 101 len 100 badsum meta ${META_CHECKSUM_PARTIAL}`);
    expect(t.read()).toBe(200);
  });
});

describe('path MTU (RFC 1191, RFC 5927)', () => {
  it('resends what was too long in smaller segments, without slowing down', () => {
    const t = new Transcript().established();
    t.write(4380);
    expect(t.skip()).toBe(3);
    t.ip.mtuBytes = t.ip.maxPacketBytes = 1000;
    t.icmp(3, 4, 1, 1000);
    t.expect('. seq 1 len 960');
    expect(t.c.congestion.cwnd).toBe(14_600);
    let end = 961;
    for (const c of t.captured.splice(0)) {
      expect(c.seq).toBe(end);
      expect(c.len).toBeLessThanOrEqual(960);
      end += c.len as number;
    }
    expect(end).toBe(4381);
    t.send('. ack 4381');
    expect(t.c.scoreboard.empty).toBe(true);
    expect(t.c.loss.phase).toBe(0);
  });

  it('does not believe a message about what is not in flight', () => {
    const t = new Transcript().established();
    t.write(1460);
    t.skip();
    t.ip.mtuBytes = 1000;
    t.icmp(3, 4, 5000, 1000);
    t.expectNothing();
    expect(t.count('mtuReductions')).toBe(0);
  });

  it('notices a smaller path by itself with the next segment', () => {
    const t = new Transcript().established();
    t.ip.mtuBytes = t.ip.maxPacketBytes = 600;
    t.write(1000);
    t.expect('. seq 1 len 560');
    t.expect('P. seq 561 len 440');
  });
});

describe('work in place', () => {
  it('sends from and receives to places in the arena, and inside the rings', async () => {
    const transfer = await import('./transfer.ts');
    const { ours, theirs } = await import('../../../test/fixtures/tcp-transcript.ts');
    const t = new Transcript().established();
    const at = t.arena.allocate(4096);
    for (let i = 0; i < 300; i++) t.arena.bytes[at + i] = ours(i);
    expect(transfer.sendFrom(t.c, at, 100, t.nowUs)).toBe(100);
    t.expect('P. seq 1 len 100');
    t.send('. ack 101');
    expect(transfer.reserve(t.c, 200)).toBe(200);
    for (let i = 0; i < 200; i++) t.arena.bytes[transfer.sendAt(t.c) + i] = ours(100 + i);
    transfer.commit(t.c, 200, t.nowUs);
    t.expect('P. seq 101 len 200');
    t.send('. len 150');
    expect(transfer.receiveTo(t.c, at, 50, t.nowUs)).toBe(50);
    expect(t.arena.bytes[at + 49]).toBe(theirs(49));
    expect(transfer.peek(t.c)).toBe(100);
    expect(t.arena.bytes[transfer.receiveAt(t.c)]).toBe(theirs(50));
    transfer.consume(t.c, 100, t.nowUs);
    expect(transfer.peek(t.c)).toBe(-11);
  });
});
