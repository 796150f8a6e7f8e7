import { describe, expect, it } from 'vitest';
import { EventQueue, type EventTarget } from './events.ts';

function target(log: string[], name: string, then?: () => void): EventTarget {
  return {
    pendingEvents: 0,
    onEvents: (events) => {
      log.push(`${name}:${events}`);
      then?.();
    },
  };
}

describe('socket events', () => {
  it('delivers several events of one target as one call', () => {
    const log: string[] = [];
    const queue = new EventQueue();
    const a = target(log, 'a');
    queue.post(a, 1);
    queue.post(a, 4);
    expect(queue.deliver()).toBe(1);
    expect(log).toEqual(['a:5']);
    expect(queue.pending).toBe(false);
  });

  it('keeps what a handler posts for the next delivery', () => {
    const log: string[] = [];
    const queue = new EventQueue();
    const b = target(log, 'b');
    const a = target(log, 'a', () => queue.post(b, 2));
    queue.post(a, 1);
    queue.deliver();
    expect(log).toEqual(['a:1']);
    queue.deliver();
    expect(log).toEqual(['a:1', 'b:2']);
  });

  it('loses no event of others when a handler throws', () => {
    const log: string[] = [];
    const queue = new EventQueue();
    queue.post(
      target(log, 'a', () => {
        throw new Error('program error');
      }),
      1,
    );
    queue.post(target(log, 'b'), 1);
    expect(() => queue.deliver()).toThrow('program error');
    expect(queue.deliver()).toBe(1);
    expect(log).toEqual(['a:1', 'b:1']);
  });
});
