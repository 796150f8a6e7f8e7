import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Rng, SeededRng } from '../base/rng.ts';
import { Dice, type Impairment, JITTER_DISTRIBUTIONS } from './impairment.ts';

const LENGTH = 1250;

/** Delays of frames so far apart that none waits for another, in microseconds. */
function delays(impairment: Impairment, count: number, seed = 7): number[] {
  const dice = new Dice(impairment, new SeededRng(seed));
  return Array.from({ length: count }, (_, i) => dice.dueUs(i * 1e6, 100, false) - i * 1e6);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

describe('jitter', () => {
  it('is even within its bounds by default', () => {
    const got = delays({ delayUs: 40_000, jitterUs: 5000 }, 20_000);
    expect(Math.min(...got)).toBeGreaterThanOrEqual(35_000);
    expect(Math.max(...got)).toBeLessThanOrEqual(45_000);
    expect(Math.abs(mean(got) - 40_000)).toBeLessThan(100);
    // 10 ms / sqrt(12).
    expect(Math.abs(deviation(got) - 2887)).toBeLessThan(60);
  });

  it('is the standard deviation of a normal distribution', () => {
    const got = delays({ delayUs: 40_000, jitterUs: 5000, distribution: 'normal' }, 20_000);
    expect(Math.abs(mean(got) - 40_000)).toBeLessThan(150);
    expect(Math.abs(deviation(got) - 5000)).toBeLessThan(150);
    const within = got.filter((us) => Math.abs(us - 40_000) <= 5000).length / got.length;
    expect(Math.abs(within - 0.6827)).toBeLessThan(0.015);
  });

  it('is late more often than early by a pareto distribution', () => {
    for (const distribution of ['pareto', 'paretonormal'] as const) {
      const got = delays({ delayUs: 40_000, jitterUs: 5000, distribution }, 20_000);
      const early = got.filter((us) => us < 40_000).length / got.length;
      expect(early, distribution).toBeGreaterThan(0.6);
      expect(Math.max(...got), distribution).toBe(60_000);
      expect(Math.min(...got), distribution).toBeGreaterThan(20_000);
    }
  });

  it('never makes a delay negative, whatever the distribution', () => {
    for (const distribution of JITTER_DISTRIBUTIONS) {
      expect(Math.min(...delays({ delayUs: 10, jitterUs: 1000, distribution }, 1000)), distribution).toBe(0);
    }
  });
});

describe('rate', () => {
  it('gives each frame its time on the wire, one behind the other', () => {
    // 10,000 bits at 1 Mbit/s: 10 ms.
    const dice = new Dice({ rateBps: 1e6, delayUs: 500 }, new SeededRng(1));
    expect([0, 0, 0, 29_000, 100_000].map((nowUs) => dice.dueUs(nowUs, LENGTH, false))).toEqual([
      10_500, 20_500, 30_500, 40_500, 110_500,
    ]);
  });

  it('lets so many frames wait, and those that come when one has begun', () => {
    const dice = new Dice({ rateBps: 1e6, queueFrames: 2 }, new SeededRng(1));
    const due = (nowUs: number): number => dice.dueUs(nowUs, LENGTH, false);
    expect([due(0), due(0), due(0), due(0)]).toEqual([10_000, 20_000, 30_000, -1]);
    // At 10 ms the second begins and its place is free.
    expect([due(9999), due(10_000), due(10_000)]).toEqual([-1, 40_000, -1]);
  });

  it('lets so many bytes wait', () => {
    const dice = new Dice({ rateBps: 1e6, queueBytes: 2600 }, new SeededRng(1));
    const due = (lengthBytes: number): number => dice.dueUs(0, lengthBytes, false);
    expect([due(LENGTH), due(LENGTH), due(LENGTH), due(LENGTH), due(100)]).toEqual([
      10_000, 20_000, 30_000, -1, 30_800,
    ]);
  });

  it('keeps the queue when values change', () => {
    const dice = new Dice({ rateBps: 1e6, queueFrames: 2 }, new SeededRng(1));
    for (let i = 0; i < 3; i++) dice.dueUs(0, LENGTH, false);
    dice.change({ rateBps: 2e6, queueFrames: 3 });
    expect([0, 0].map((nowUs) => dice.dueUs(nowUs, LENGTH, false))).toEqual([35_000, -1]);
  });
});

describe('bursts', () => {
  it('have the length and the share that the chances give', () => {
    const dice = new Dice({ burst: { enter: 0.01, leave: 0.1 } }, new SeededRng(3));
    let lost = 0;
    let bursts = 0;
    let inside = false;
    for (let i = 0; i < 100_000; i++) {
      const isLost = dice.copies() === 0;
      if (isLost) lost++;
      if (isLost && !inside) bursts++;
      inside = isLost;
    }
    // Stationary share enter / (enter + leave) = 1/11; mean length 1 / leave = 10.
    expect(lost / 100_000).toBeCloseTo(1 / 11, 1);
    expect(lost / bursts).toBeGreaterThan(8);
    expect(lost / bursts).toBeLessThan(12);
  });

  it('draws no chance that is not configured', () => {
    const none: Rng = {
      next32() {
        throw new Error('drawn');
      },
    };
    const dice = new Dice({ loss: 1, delayUs: 5 }, none);
    expect(dice.copies()).toBe(0);
    expect(dice.dueUs(10, 100, false)).toBe(15);
  });
});

describe('any impairment', () => {
  const probability = fc.double({ min: 0, max: 1, noNaN: true });
  const impairment: fc.Arbitrary<Impairment> = fc.record(
    {
      delayUs: fc.nat(100_000),
      jitterUs: fc.nat(100_000),
      distribution: fc.constantFrom(...JITTER_DISTRIBUTIONS),
      loss: probability,
      burst: fc.record({ enter: probability, leave: probability }),
      duplicate: probability,
      reorder: probability,
      corrupt: probability,
      rateBps: fc.integer({ min: 1000, max: 1e9 }),
      queueFrames: fc.nat(50),
      queueBytes: fc.nat(50_000),
    },
    { requiredKeys: [] },
  );
  const frames = fc.array(fc.record({ gapUs: fc.nat(5000), lengthBytes: fc.integer({ min: 60, max: 1514 }) }));

  it('lets no frame out before it came in, in order unless it overtakes, at most at the rate', () => {
    fc.assert(
      fc.property(impairment, frames, fc.nat(), (values, sent, seed) => {
        const dice = new Dice(values, new SeededRng(seed));
        let nowUs = 0;
        let lastUs = 0;
        let bits = 0;
        for (const { gapUs, lengthBytes } of sent) {
          nowUs += gapUs;
          const overtakes = dice.reordered();
          const dueUs = dice.dueUs(nowUs, lengthBytes, overtakes);
          if (dueUs < 0) continue;
          expect(dueUs).toBeGreaterThanOrEqual(nowUs);
          if (!overtakes) {
            expect(dueUs).toBeGreaterThanOrEqual(lastUs);
            lastUs = dueUs;
          }
          bits += lengthBytes * 8;
          if (values.rateBps !== undefined) expect(dueUs + 1e-3).toBeGreaterThanOrEqual((bits * 1e6) / values.rateBps);
        }
      }),
    );
  });

  it('repeats with its seed, and may be changed to itself at any time', () => {
    fc.assert(
      fc.property(impairment, frames, fc.nat(), (values, sent, seed) => {
        const dice = [0, 1].map(() => new Dice(values, new SeededRng(seed))) as [Dice, Dice];
        let nowUs = 0;
        for (const { gapUs, lengthBytes } of sent) {
          nowUs += gapUs;
          dice[1].change(values);
          const [one, other] = dice.map((d) => [d.copies(), d.dueUs(nowUs, lengthBytes, d.reordered()), d.corrupts()]);
          expect(other).toEqual(one);
        }
      }),
    );
  });
});
