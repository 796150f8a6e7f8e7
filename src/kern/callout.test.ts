import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Callout, CalloutTable } from './callout.ts';

describe('callout', () => {
  it('fires in order of deadline, once', () => {
    const table = new CalloutTable();
    const log: string[] = [];
    for (const [name, at] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
    ] as const) {
      table.schedule(new Callout((now) => log.push(`${name}@${now}`)), at);
    }
    expect(table.nextDeadlineUs()).toBe(10);
    expect(table.run(9)).toBe(0);
    expect(table.run(25)).toBe(2);
    expect(table.run(1000)).toBe(1);
    expect(log).toEqual(['a@25', 'b@25', 'c@1000']);
    expect(table.nextDeadlineUs()).toBe(Infinity);
  });

  it('re-arms itself from its own handler', () => {
    const table = new CalloutTable();
    let count = 0;
    const callout = new Callout((now) => {
      if (++count < 3) table.schedule(callout, now + 10);
    });
    table.schedule(callout, 10);
    for (let now = 0; now <= 100; now += 5) table.run(now);
    expect(count).toBe(3);
    expect(callout.pending).toBe(false);
  });

  it('forgets callouts that were stopped long before they are due', () => {
    const table = new CalloutTable();
    const fired: number[] = [];
    const kept = Array.from({ length: 100 }, (_, i) => new Callout(() => fired.push(i)));
    for (const [i, callout] of kept.entries()) table.schedule(callout, 1000 + ((i * 37) % 100));
    for (let i = 0; i < 100_000; i++) {
      const passing = new Callout(() => fired.push(-1));
      table.schedule(passing, 500 + (i % 1000));
      table.stop(passing);
      if (i % 3 === 0) table.schedule(passing, 600);
      if (i % 3 === 0) table.stop(passing);
    }
    expect(table.size).toBeLessThanOrEqual(2 * 100 + 1);
    expect(table.run(999)).toBe(0);
    table.run(2000);
    expect(fired).toEqual(Array.from({ length: 100 }, (_, i) => (i * 73) % 100));
    expect(table.size).toBe(0);
  });

  it('agrees with a sorted list under random schedules, moves and stops', () => {
    const operation = fc.tuple(
      fc.nat(149),
      fc.constantFrom('schedule', 'schedule', 'stop', 'stop', 'run'),
      fc.nat(100),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 1500, size: 'max' }), (operations) => {
        const table = new CalloutTable();
        const fired: number[] = [];
        const model = new Map<number, number>();
        const callouts = Array.from({ length: 150 }, (_, i) => new Callout(() => fired.push(i)));
        let now = 0;
        for (const [i, what, amount] of operations) {
          if (what === 'schedule') {
            table.schedule(callouts[i]!, now + amount);
            model.set(i, now + amount);
          } else if (what === 'stop') {
            table.stop(callouts[i]!);
            model.delete(i);
          } else {
            now += amount;
            const due = [...model].filter(([, at]) => at <= now).map(([key]) => key);
            for (const key of due) model.delete(key);
            fired.length = 0;
            table.run(now);
            expect([...fired].sort()).toEqual(due.sort());
          }
          expect(table.nextDeadlineUs()).toBe(Math.min(Infinity, ...model.values()));
        }
      }),
    );
  });
});
