/**
 * What every bell must do, however its owner sleeps and whoever rings it.
 */

import { describe, expect, it } from 'vitest';
import type { AsyncBell, Bell, BlockingBell } from '../../src/mem/bell.ts';

export interface BellUnderTest<B extends Bell> {
  bell: B;
  /** As somebody else rings it. */
  ring(): void;
  close(): Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function bellTest<B extends Bell>(
  make: () => Promise<BellUnderTest<B>>,
  title: string,
  run: (one: BellUnderTest<B>) => Promise<void>,
): void {
  it(title, async () => {
    const one = await make();
    try {
      await run(one);
    } finally {
      await one.close();
    }
  });
}

/** For owners with an event loop. */
export function asyncBellSuite(name: string, make: () => Promise<BellUnderTest<AsyncBell>>): void {
  const test = (title: string, run: (one: BellUnderTest<AsyncBell>) => Promise<void>): void =>
    bellTest(make, title, run);

  describe(`bell: ${name}`, () => {
    test('wakes an owner that waits, and one that is about to', async ({ bell, ring }) => {
      bell.arm();
      const waits = new Promise<void>((resolve) => bell.waitAsync(resolve));
      ring();
      await waits;
      bell.disarm();
      bell.arm();
      ring();
      await new Promise<void>((resolve) => bell.waitAsync(resolve));
      bell.disarm();
      expect(bell.sleeping).toBe(false);
    });

    test('keeps a ring that comes between arm and waitAsync, turns before the latter', async ({ bell, ring }) => {
      bell.arm();
      ring();
      for (let i = 0; i < 10; i++) await turn();
      await new Promise<void>((resolve) => bell.waitAsync(resolve));
      bell.disarm();
    });

    test('does not call an owner who is awake', async ({ bell, ring }) => {
      let calls = 0;
      bell.arm();
      bell.waitAsync(() => calls++);
      bell.disarm();
      for (let i = 0; i < 10; i++) {
        ring();
        await turn();
      }
      expect(calls).toBe(0);
    });

    test('calls the last function given, once', async ({ bell, ring }) => {
      const calls: string[] = [];
      bell.arm();
      bell.waitAsync(() => calls.push('first'));
      bell.disarm();
      bell.arm();
      const second = new Promise<void>((resolve) =>
        bell.waitAsync(() => {
          calls.push('second');
          resolve();
        }),
      );
      ring();
      await second;
      bell.disarm();
      for (let i = 0; i < 10; i++) await turn();
      expect(calls).toEqual(['second']);
    });

    test('loses no ring in a thousand sleeps, whenever it comes', async ({ bell, ring }) => {
      for (let round = 0; round < 1000; round++) {
        bell.arm();
        if (round % 3 === 0) ring();
        const rung = new Promise<void>((resolve) => bell.waitAsync(resolve));
        if (round % 3 === 1) ring();
        if (round % 3 === 2) setImmediate(ring);
        await rung;
        bell.disarm();
      }
    });
  });
}

/** For owners that block. */
export function blockingBellSuite(name: string, make: () => Promise<BellUnderTest<BlockingBell>>): void {
  const test = (title: string, run: (one: BellUnderTest<BlockingBell>) => Promise<void>): void =>
    bellTest(make, title, run);

  describe(`blocking bell: ${name}`, () => {
    test('wakes a thread that was about to wait', async ({ bell, ring }) => {
      bell.arm();
      ring();
      expect(bell.wait(Infinity)).toBe(true);
      expect(bell.sleeping).toBe(false);
    });

    test('lets a thread go when its time is up', async ({ bell }) => {
      for (const timeoutMs of [0.1, 0, -1]) {
        bell.arm();
        expect(bell.wait(timeoutMs)).toBe(false);
        expect(bell.sleeping).toBe(false);
      }
    });

    test('forgets a ring for an owner that was awake', async ({ bell, ring }) => {
      bell.arm();
      bell.disarm();
      ring();
      bell.arm();
      expect(bell.wait(0.1)).toBe(false);
    });
  });
}
