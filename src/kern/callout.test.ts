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

  it('agrees with a sorted list under random schedules, moves and stops', () => {
    const operation = fc.tuple(fc.nat(9), fc.constantFrom('schedule', 'stop', 'run'), fc.nat(100));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const table = new CalloutTable();
        const fired: number[] = [];
        const model = new Map<number, number>();
        const callouts = Array.from({ length: 10 }, (_, i) => new Callout(() => fired.push(i)));
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
