import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { ringDoorbell } from './bell.ts';
import { Doorbell } from './doorbell.ts';

function bell(): { arena: Arena; doorbell: Doorbell } {
  const arena = Arena.create(0);
  return { arena, doorbell: new Doorbell(arena, arena.allocateDoorbell()) };
}

describe('doorbell', () => {
  it('rings only a sleeper, and only once', () => {
    const { arena, doorbell } = bell();
    doorbell.ring();
    expect(doorbell.sleeping).toBe(false);
    doorbell.arm();
    expect(doorbell.sleeping).toBe(true);
    ringDoorbell(arena.words, doorbell.at);
    expect(doorbell.sleeping).toBe(false);
  });

  it('does not sleep when it was rung between arm and wait', () => {
    const { doorbell } = bell();
    doorbell.arm();
    doorbell.ring();
    expect(doorbell.wait(Infinity)).toBe(true);
  });

  it('tells a timeout from a ring, and is awake afterwards', () => {
    const { doorbell } = bell();
    doorbell.arm();
    expect(doorbell.wait(0.1)).toBe(false);
    expect(doorbell.sleeping).toBe(false);
  });

  it('calls an event loop when rung, before or after it asked', async () => {
    const { doorbell } = bell();
    doorbell.arm();
    const after = new Promise<void>((resolve) => doorbell.waitAsync(resolve));
    doorbell.ring();
    await after;
    doorbell.arm();
    doorbell.ring();
    await new Promise<void>((resolve) => doorbell.waitAsync(resolve));
  });

  it('calls the last function given, once, when the owner woke by itself and slept again', async () => {
    const { doorbell } = bell();
    const calls: string[] = [];
    doorbell.arm();
    doorbell.waitAsync(() => calls.push('first'));
    doorbell.disarm();
    doorbell.arm();
    const second = new Promise<void>((resolve) =>
      doorbell.waitAsync(() => {
        calls.push('second');
        resolve();
      }),
    );
    doorbell.ring();
    await second;
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual(['second']);
  });

  it('loses no ring that came while the first wait was still being delivered', async () => {
    const { doorbell } = bell();
    for (let round = 0; round < 200; round++) {
      doorbell.arm();
      doorbell.waitAsync(() => {});
      doorbell.ring();
      doorbell.arm();
      const rung = new Promise<void>((resolve) => doorbell.waitAsync(resolve));
      doorbell.ring();
      await rung;
    }
  });
});
