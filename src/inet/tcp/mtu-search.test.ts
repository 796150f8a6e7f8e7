import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { transfer } from '../../../test/fixtures/tcp-transfer.ts';
import { Errno } from '../../base/errors.ts';

const MB = 1_000_000;

/** Mode 2: segments of 1000 bytes at first, 1460 assumed. */
function searching(sysctl: Record<string, number> = {}): Transcript {
  const t = new Transcript({
    sysctl: { mtu_probing: 2, base_mss: 1000, init_win: 20, tlp: 0, ...sysctl },
  }).established();
  expect([t.c.size.mss, t.c.mtuSearch?.high]).toEqual([1000, 1460]);
  return t;
}

describe('searching the path MTU by probes (RFC 4821)', () => {
  it('sends one segment of the size that was assumed, with data, and keeps it when it is acknowledged', () => {
    const t = searching();
    t.write(20_000);
    t.expect('. seq 1 len 1460');
    t.expect('. seq 1461 len 1000');
    t.skip();
    expect(t.c.size.mss).toBe(1000);
    t.send('. ack 1461');
    t.skip();
    t.write(5000);
    expect([t.c.size.mss, t.c.mtuSearch?.low, t.count('mtuProbesPassed')]).toEqual([1460, 1460, 1]);
    t.skip();
    t.send('. ack 20001');
    t.write(1460);
    expect(t.captured.at(-1)?.len).toBe(1460);
    expect(t.count('mtuProbesSent')).toBe(1);
  });

  it('takes a probe that is lost alone for too long: sends it again in pieces, at an unchanged window, and halves the interval', () => {
    const t = searching({ congctl: 0, rack: 0 });
    t.write(15_000);
    t.skip();
    const before = t.c.congestion.cwnd;
    for (let i = 1; i <= 3; i++) t.send(`. ack 1 sack 1461-${1461 + 1000 * i}`);
    expect(t.captured.filter((c) => (c.seq as number) < 1461).map((c) => [c.seq, c.len])).toEqual([
      [1, 1000],
      [1001, 460],
    ]);
    expect([t.c.mtuSearch?.low, t.c.mtuSearch?.high, t.count('mtuProbesFailed')]).toEqual([1000, 1459, 1]);
    t.skip();
    t.send('. ack 14461');
    t.send('. ack 15001');
    expect(t.c.congestion.cwnd).toBeGreaterThanOrEqual(before);
    expect(t.c.congestion.ssthresh).toBeGreaterThanOrEqual(before);
    expect(t.c.undo.possible).toBe(false);
    t.skip();
    t.write(20_000);
    t.expect('. seq 15001 len 1230');
  });

  it('learns nothing about the size from a probe that is lost with others', () => {
    const t = searching({ congctl: 0, rack: 0 });
    t.write(18_000);
    t.skip();
    for (let i = 1; i <= 3; i++) t.send(`. ack 1 sack 2461-${2461 + 1000 * i}`);
    expect([t.c.mtuSearch?.high, t.c.mtuSearch?.probe, t.count('mtuProbesFailed')]).toEqual([1460, 0, 0]);
    expect(t.c.congestion.ssthresh).toBeLessThan(20_000);
  });

  it('waits for enough data, for a window that a loss would not empty, for quiet', () => {
    const little = searching();
    little.write(5000);
    expect(little.captured[0]?.len).toBe(1000);
    const small = searching({ init_win: 4 });
    small.write(20_000);
    expect(small.captured[0]?.len).toBe(1000);
    const closed = new Transcript({ sysctl: { mtu_probing: 2, base_mss: 1000, init_win: 20 } }).established({
      win: 3000,
    });
    closed.write(20_000);
    expect(closed.captured[0]?.len).toBe(1000);
  });

  it('does not go beyond what the peer takes, nor what ICMP says', () => {
    const t = new Transcript({ sysctl: { mtu_probing: 2, base_mss: 1000, init_win: 20 } }).established({ mss: 1200 });
    expect(t.c.mtuSearch?.high).toBe(1200);
    t.ip.mtuBytes = 1140;
    t.icmp(3, 4, 1, 1140);
    t.write(20_000);
    t.expect('. seq 1 len 1100');
  });

  it('stays within a path that shrinks while a probe is out, although the probe arrives', () => {
    const t = searching();
    t.write(20_000);
    t.expect('. seq 1 len 1460');
    t.skip();
    t.ip.mtuBytes = 1240;
    t.write(1000);
    t.send('. ack 1461');
    t.skip();
    t.send('. ack 20001');
    t.write(10_000);
    expect([t.c.mtuSearch?.pathMss, t.c.mtuSearch?.high, t.c.mtuSearch?.low]).toEqual([1200, 1200, 1200]);
    expect([t.c.size.mss, Math.max(...t.captured.map((c) => c.len as number))]).toEqual([1200, 1200]);
  });

  it('looks for more after ten minutes', () => {
    const t = searching();
    Object.assign(t.c.mtuSearch ?? {}, { low: 1200, high: 1204, fresh: false });
    t.c.size.mtuBytes = 0;
    t.c.congestion.cwnd = 40_000;
    const send = (): number[] => {
      t.c.congestion.cwnd = 40_000;
      t.write(12_000);
      const lengths = t.captured.map((c) => c.len as number);
      t.skip();
      t.send('.');
      t.send('.');
      return lengths;
    };
    expect(Math.max(...send())).toBe(1200);
    t.after(599_000);
    expect(Math.max(...send())).toBe(1200);
    t.after(2000);
    expect(Math.max(...send())).toBe(1460);
  });
});

describe('a path that swallows long segments', () => {
  it('is suspected after three timeouts of a full segment, and left behind', () => {
    const t = new Transcript({ sysctl: { tlp: 0, rack: 0 } }).established();
    t.write(10_000);
    t.skip();
    t.at(200);
    t.expect('. seq 1 len 1460');
    t.at(600);
    t.expect('. seq 1 len 1460');
    t.at(1400);
    t.expect('. seq 1 len 1024 at 1400');
    expect(t.count('mtuBlackHoles')).toBe(1);
    t.at(3000);
    t.expect('. seq 1 len 512 at 3000');
    t.at(6200);
    t.expect('. seq 1 len 256 at 6200');
    t.at(12_600);
    t.expect('. seq 1 len 216 at 12600');
    t.send('. ack 217');
    // The rest of the piece before.
    t.expect('. seq 217 len 40');
    expect(t.c.size.mss).toBe(216);
  });

  it('is none of IPv6 below 1280 bytes (RFC 8200 section 5)', () => {
    const t = new Transcript({ sysctl: { tlp: 0, rack: 0 } });
    t.ip.headerBytes = 40;
    t.established({ mss: 1440 });
    t.write(10_000);
    t.at(1400);
    t.skip();
    t.at(20_000);
    expect(t.captured.map((c) => c.len)).toEqual([1220, 1220, 1220]);
    expect(t.count('mtuBlackHoles')).toBe(1);
  });

  it('is not suspected for small segments, for what could not be sent, for what ICMP explains, nor when switched off', () => {
    const small = new Transcript().established();
    small.write(100);
    small.at(10_000);
    expect(small.count('mtuBlackHoles')).toBe(0);
    const noRoute = new Transcript().established();
    noRoute.write(2000);
    noRoute.ip.refuse = -Errno.EHOSTUNREACH;
    noRoute.at(10_000);
    expect(noRoute.count('mtuBlackHoles')).toBe(0);
    const told = new Transcript().established();
    told.write(2000);
    told.icmp(3, 1, 1);
    told.at(10_000);
    expect(told.count('mtuBlackHoles')).toBe(0);
    const off = new Transcript({ sysctl: { mtu_probing: 0 } }).established();
    off.write(2000);
    off.at(10_000);
    expect(off.count('mtuBlackHoles')).toBe(0);
    expect(off.c.size.mss).toBe(1460);
  });

  it('is crossed at the largest size that passes', () => {
    const line = { delayUs: 5000, blackHoleBytes: 1332, rateBps: 50 * MB, queueBytes: 100_000 };
    const { wire, sender } = transfer(3 * MB, line, { seed: 2 });
    const packets = wire.a.count('mtuProbesSent');
    expect(wire.a.count('mtuBlackHoles')).toBe(1);
    // The TCP header with timestamps is 32 bytes.
    expect(sender.size.mss).toBeGreaterThan(1300 - 8);
    expect(sender.size.mss).toBeLessThanOrEqual(1300);
    expect(packets).toBeLessThan(15);
  });

  it('costs a mere outage one probe', () => {
    const { wire, sender } = transfer(
      3 * MB,
      { delayUs: 5000, rateBps: 50 * MB, queueBytes: 100_000 },
      {
        onStart: (_, world) => {
          // The window, its probe, three timeouts.
          let left = 14;
          const { transmit } = world;
          world.transmit = (from, bytes, meta) => {
            if (from === world.a && bytes.length > 100 && left > 0) left--;
            else transmit.call(world, from, bytes, meta);
          };
        },
      },
    );
    expect(wire.a.count('mtuBlackHoles')).toBeLessThanOrEqual(1);
    expect(sender.size.mss).toBe(1448);
    expect(wire.a.count('mtuProbesSent')).toBeLessThanOrEqual(1);
  });
});
