import { describe, expect, it } from 'vitest';
import { transfer } from '../../../../../test/fixtures/tcp-transfer.ts';
import { HyStart } from './hystart.ts';

const MB = 1_000_000;
const MSS = 1000;

/** Rounds of ten ACKs each; `rtts` gives the round trip of each round, microseconds. Returns the growth of each round in MSS. */
function rounds(hystart: HyStart, rtts: number[]): number[] {
  const grown: number[] = [];
  let una = 0;
  for (const rtt of rtts) {
    let bytes = 0;
    // The first ACK of a round goes beyond what was outstanding when the last one began.
    const nxt = una + 10 * MSS;
    for (let i = 0; i < 10; i++) {
      una += MSS;
      const growth = hystart.onAck(MSS, una, nxt, rtt);
      if (growth < 0) return [...grown, -1];
      bytes += growth;
    }
    grown.push(bytes / MSS);
  }
  return grown;
}

describe('HyStart++ (RFC 9406)', () => {
  it('changes nothing while the round trip stays', () => {
    expect(rounds(new HyStart(0), [50_000, 50_000, 52_000, 54_000, 53_000])).toEqual([10, 10, 10, 10, 10]);
  });

  it('slows down when a round is an eighth longer than the one before, and ends slow start five rounds later', () => {
    const grown = rounds(new HyStart(0), [80_000, 80_000, 95_000, 95_000, 95_000, 95_000, 95_000, 95_000]);
    // The eighth sample of the third round tells.
    expect(grown).toEqual([10, 10, 7.75, 2.5, 2.5, 2.5, 2.5, -1]);
  });

  it('resumes when the delay goes away', () => {
    const hystart = new HyStart(0);
    expect(rounds(hystart, [80_000, 80_000, 95_000, 85_000, 85_000])).toEqual([10, 10, 7.75, 4.75, 10]);
    expect(hystart.conservative).toBe(false);
  });

  it('wants at least 4 ms more on short paths, and never more than 16', () => {
    expect(rounds(new HyStart(0), [8000, 8000, 11_900])).toEqual([10, 10, 10]);
    expect(rounds(new HyStart(0), [8000, 8000, 12_000])[2]).toBeLessThan(10);
    expect(rounds(new HyStart(0), [400_000, 400_000, 417_000])[2]).toBeLessThan(10);
  });

  it('believes no round of fewer than eight samples', () => {
    const hystart = new HyStart(0);
    rounds(hystart, [80_000, 80_000]);
    for (let i = 1; i <= 7; i++) expect(hystart.onAck(MSS, 20_000 + i * MSS, 30_000, 200_000)).toBe(MSS);
    expect(hystart.onAck(MSS, 28_000, 30_000, 200_000)).toBeLessThan(MSS);
  });

  it('leaves slow start before the queue overflows, switched off it does not', () => {
    const line = { delayUs: 20_000, rateBps: 20 * MB, queueBytes: 1_000_000 };
    const on = transfer(8 * MB, line);
    expect(on.wire.a.count('slowStartsLeft')).toBe(1);
    expect(on.wire.a.count('fastRetransmits')).toBe(0);
    const off = transfer(8 * MB, line, { a: { sysctl: { hystart: 0 } } });
    expect(off.wire.a.count('slowStartsLeft')).toBe(0);
    expect(off.wire.a.count('fastRetransmits')).toBeGreaterThan(0);
    expect(on.mbps).toBeGreaterThan(off.mbps);
  });

  it('is not tried where round trips are those of memory', () => {
    const { wire, sender } = transfer(8 * MB, { delayUs: 100, jitterUs: 50 });
    expect(wire.a.count('slowStartsLeft')).toBe(0);
    expect(sender.hystart).toBeNull();
  });
});
