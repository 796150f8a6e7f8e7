import { describe, expect, it } from 'vitest';
import { EventQueue, type EventTarget } from './events.ts';
import { EVENT_ACCEPTABLE, EVENT_CONNECTED } from './socket.ts';

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

  it('tells of new connections first', () => {
    const log: string[] = [];
    const queue = new EventQueue();
    queue.post(target(log, 'client'), EVENT_CONNECTED);
    queue.post(target(log, 'server'), EVENT_ACCEPTABLE);
    expect(queue.pending).toBe(true);
    expect(queue.deliver()).toBe(2);
    expect(log).toEqual([`server:${EVENT_ACCEPTABLE}`, `client:${EVENT_CONNECTED}`]);
    expect(queue.pending).toBe(false);
  });

  it('tells after each handler that it ran', () => {
    const order: string[] = [];
    const queue = new EventQueue(() => order.push('handled'));
    for (const name of ['a', 'b']) {
      queue.post({ onEvents: () => order.push(name), pendingEvents: 0 }, EVENT_CONNECTED);
    }
    queue.post({ onEvents: null, pendingEvents: 0 }, EVENT_CONNECTED);
    queue.deliver();
    expect(order).toEqual(['a', 'handled', 'b', 'handled']);
  });
});
