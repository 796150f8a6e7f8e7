import { describe, expect, it } from 'vitest';
import { Softint, SoftintQueue } from './softint.ts';

describe('soft interrupts', () => {
  it('run once each, in the order in which they were scheduled first', () => {
    const queue = new SoftintQueue();
    const log: string[] = [];
    const [a, b] = ['a', 'b'].map((name) => new Softint(() => log.push(name))) as [Softint, Softint];
    for (const softint of [b, a, b, b]) queue.schedule(softint);
    expect(queue.pending).toBe(true);
    expect(queue.run()).toBe(1 + 2);
    expect(log).toEqual(['b', 'a']);
    expect([queue.pending, queue.run()]).toEqual([false, 0]);
  });

  it('leave for the next run what handlers schedule', () => {
    const queue = new SoftintQueue();
    const log: string[] = [];
    const a: Softint = new Softint(() => {
      queue.schedule(b);
      queue.schedule(a);
      return log.push('a');
    });
    const b = new Softint(() => log.push('b'));
    queue.schedule(a);
    expect(queue.run()).toBe(1);
    expect(log).toEqual(['a']);
    queue.run();
    expect(log).toEqual(['a', 'b', 'a']);
    expect(queue.pending).toBe(true);
  });

  it('stay scheduled behind one that throws', () => {
    const queue = new SoftintQueue();
    const log: string[] = [];
    const bad = new Softint(() => {
      throw new Error('defect');
    });
    const good = new Softint(() => log.push('good'));
    queue.schedule(bad);
    queue.schedule(good);
    expect(() => queue.run()).toThrow('defect');
    expect([bad.scheduled, good.scheduled, queue.pending]).toEqual([false, true, true]);
    expect(queue.run()).toBe(1);
    expect(log).toEqual(['good']);
  });
});
