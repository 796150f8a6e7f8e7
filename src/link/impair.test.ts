import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../base/rng.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { DelayLine } from './delay-line.ts';
import { FrameBatch } from './device.ts';
import { ImpairedDevice } from './impair.ts';
import type { Impairment } from './impairment.ts';
import { LoopbackDevice } from './loopback.ts';

const LENGTH = 100;

/** A loopback behind a bad link, and a clock that only the test moves. Its frames have no link-layer header. */
class BadLink {
  nowUs = 0;
  readonly arena: Arena = Arena.create(16 * 1024 * 1024);
  readonly device: ImpairedDevice;
  sent = 0;
  damaged = 0;

  constructor(seed = 1, ringBytes = 1024 * 1024) {
    const inner = new LoopbackDevice(this.arena, { ringBytes, mtuBytes: 1500 });
    const clock = { nowUs: () => this.nowUs };
    this.device = new ImpairedDevice(inner, this.arena, createBulk(this.arena), { clock, rng: new SeededRng(seed) });
  }

  send(count: number, lengthBytes: number = LENGTH): void {
    for (let i = 0; i < count; i++) {
      const at = this.device.reserve(0xffff, -1, lengthBytes);
      expect(at).toBeGreaterThan(0);
      this.arena.bytes.fill(0, at, at + lengthBytes);
      this.arena.view.setInt32(at + 14, this.sent);
      this.arena.view.setInt32(at + 18, this.sent++);
      this.device.commit(lengthBytes, 0);
      this.device.flush();
    }
  }

  /** Whether any bit differs from what `send` wrote. */
  #isDamaged(at: number, lengthBytes: number): boolean {
    if (this.arena.view.getInt32(at + 14) !== this.arena.view.getInt32(at + 18)) return true;
    const isOther = (byte: number): boolean => byte !== 0;
    const { bytes } = this.arena;
    return bytes.subarray(at, at + 14).some(isOther) || bytes.subarray(at + 22, at + lengthBytes).some(isOther);
  }

  /** Numbers of the frames that are there now; damaged ones are counted. */
  receive(): number[] {
    const batch = new FrameBatch();
    const numbers: number[] = [];
    this.device.tick(this.nowUs);
    for (let count = this.device.receive(batch); count > 0; count = this.device.receive(batch)) {
      for (let i = 0; i < count; i++) {
        const at = batch.at[i] as number;
        numbers.push(this.arena.view.getInt32(at + 14));
        if (this.#isDamaged(at, batch.length[i] as number)) this.damaged++;
      }
      this.device.release();
    }
    return numbers;
  }

  /** Let time pass up to each deadline; what comes out, as [time, number]. */
  run(): [number, number][] {
    const out: [number, number][] = [];
    for (;;) {
      const numbers = this.receive();
      for (const number of numbers) out.push([this.nowUs, number]);
      // As a kernel does: as long as there is work, another turn.
      if (numbers.length > 0) continue;
      const next = this.device.nextDeadlineUs();
      if (next === Infinity) return out;
      expect(next).toBeGreaterThan(this.nowUs);
      this.nowUs = next;
    }
  }

  counter(name: string): number {
    return this.device.counters.snapshot()[name] ?? 0;
  }
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

describe.each(['out', 'in'] as const)('impairment %s', (direction) => {
  it('delays by exactly the delay', () => {
    const link = new BadLink();
    link.device.impair(direction, { delayUs: 5000 });
    link.send(2);
    expect(link.receive()).toEqual([]);
    link.nowUs = direction === 'out' ? 4999 : 0;
    expect(link.receive()).toEqual([]);
    expect(link.run()).toEqual([
      [5000, 0],
      [5000, 1],
    ]);
  });

  it('keeps the order under jitter', () => {
    const link = new BadLink();
    link.device.impair(direction, { delayUs: 5000, jitterUs: 4000 });
    for (let i = 0; i < 50; i++) {
      link.send(1);
      if (direction === 'in') link.receive();
      link.nowUs += 100;
    }
    const out = link.run();
    expect(out.map(([, number]) => number)).toEqual(range(50).slice(50 - out.length));
    expect(new Set(out.map(([time]) => time)).size).toBeGreaterThan(5);
  });

  it('loses, duplicates and corrupts as often as told, and counts it', () => {
    const link = new BadLink();
    link.device.impair(direction, { loss: 0.2, duplicate: 0.1, corrupt: 0.1 });
    link.send(2000);
    const got = link.run().length;
    const lost = link.counter(`${direction}Lost`);
    const duplicated = link.counter(`${direction}Duplicated`);
    expect(lost).toBeGreaterThan(300);
    expect(lost).toBeLessThan(520);
    expect(duplicated).toBeGreaterThan(120);
    expect(duplicated).toBeLessThan(300);
    expect(got).toBe(2000 - lost + duplicated);
    const corrupted = link.counter(`${direction}Corrupted`);
    expect(corrupted).toBeGreaterThan(100);
    expect(corrupted).toBeLessThan(260);
    expect(link.damaged).toBe(corrupted);
  });

  it('loses everything at 1 and works again when healed', () => {
    const link = new BadLink();
    link.device.impair(direction, { loss: 1 });
    link.send(20);
    expect(link.run()).toEqual([]);
    link.device.impair(direction, null);
    link.send(3);
    expect(link.receive()).toEqual([20, 21, 22]);
  });

  it('lets frames overtake only when told', () => {
    const link = new BadLink();
    link.device.impair(direction, { delayUs: 1000, reorder: 0.25 });
    link.send(40);
    const numbers = link.run().map(([, number]) => number);
    expect([...numbers].sort((a, b) => a - b)).toEqual(range(40));
    expect(numbers).not.toEqual(range(40));
    expect(link.counter(`${direction}Reordered`)).toBeGreaterThan(3);
  });

  it('takes the time of the rate, and drops what the queue does not hold', () => {
    const link = new BadLink();
    // 800 bits per frame at 1 Mbit/s: 800 us each.
    link.device.impair(direction, { rateBps: 1e6, queueFrames: 4, delayUs: 10_000 });
    link.send(10);
    const out = link.run();
    expect(out).toEqual([0, 1, 2, 3, 4].map((i) => [10_000 + 800 * (i + 1), i]));
    expect(link.counter(`${direction}QueueFull`)).toBe(5);
    link.send(1);
    expect(link.run()).toHaveLength(1);
  });

  it('is the same again with the same seed, and another with another', () => {
    const fates = [7, 7, 8].map((seed) => {
      const link = new BadLink(seed);
      link.device.impair(direction, { loss: 0.3, duplicate: 0.1, delayUs: 500, jitterUs: 400, reorder: 0.1 });
      link.send(100);
      return link.run();
    });
    expect(fates[1]).toEqual(fates[0]);
    expect(fates[2]).not.toEqual(fates[0]);
  });
});

describe('impair', () => {
  it('passes straight through when nothing is wrong', () => {
    const link = new BadLink();
    const used = link.arena.usedBytes;
    link.send(5);
    expect(link.receive()).toEqual(range(5));
    expect(link.device.nextDeadlineUs()).toBe(Infinity);
    expect(link.arena.usedBytes).toBe(used);
  });

  it('waits with what is due while the ring behind is full', () => {
    const link = new BadLink(1, 16_384);
    link.device.impair('out', { delayUs: 10 });
    link.send(60, 1000);
    link.nowUs = 10;
    link.device.tick(10);
    expect(link.device.nextDeadlineUs()).toBe(Infinity);
    const first = link.receive();
    const second = link.run().map(([, number]) => number);
    expect([...first, ...second]).toEqual(range(60));
    expect(link.counter('outQueueFull')).toBe(0);
  });

  it('drops under a counter what its store does not hold, and gives all of it back', () => {
    const link = new BadLink();
    link.device.impair('out', { delayUs: 1000 });
    for (let round = 0; round < 3; round++) {
      link.send(10_000);
      expect(link.run().length).toBeGreaterThan(5000);
    }
    expect(link.counter('outQueueFull')).toBeGreaterThan(0);
  });

  it('refuses values out of range', () => {
    const { device } = new BadLink();
    const bad: Impairment[] = [
      { loss: 1.1 },
      { loss: -0.1 },
      { corrupt: Number.NaN },
      { delayUs: -1 },
      { rateBps: Infinity },
      { burst: { enter: 2, leave: 0 } },
    ];
    for (const impairment of bad) {
      expect(() => device.impair('out', impairment)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    }
  });
});

describe('delay line', () => {
  it('gives out in order of time, equal times in order of entry', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(20), { freq: 3 }), { maxLength: 200 }), (steps) => {
        const line = new DelayLine(64);
        let model: { due: number; id: number }[] = [];
        for (const [id, due] of steps.entries()) {
          if (due !== null) {
            expect(line.push(due, id, id + 1, id + 2)).toBe(model.length < 64);
            if (model.length < 64) model.push({ due, id });
            continue;
          }
          model = model.sort((a, b) => a.due - b.due || a.id - b.id);
          const next = model.shift();
          expect(line.nextUs).toBe(next?.due ?? Infinity);
          if (next === undefined) continue;
          line.pop();
          expect([line.at, line.lengthBytes, line.meta]).toEqual([next.id, next.id + 1, next.id + 2]);
          expect(line.count).toBe(model.length);
        }
      }),
    );
  });
});
