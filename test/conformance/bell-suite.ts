/**
 * What every bell must do, however its owner sleeps and whoever rings it.
 */

import { describe, expect, it } from 'vitest';
import type { Bell, BlockingBell } from '../../src/mem/bell.ts';

export interface BellUnderTest {
  bell: Bell;
  /** As somebody else rings it. */
  ring(): void;
  close(): Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** `blocks`: a thread without an event loop can sleep on it too. */
export function bellSuite(name: string, blocks: boolean, make: () => Promise<BellUnderTest>): void {
  const test = (title: string, run: (one: BellUnderTest) => Promise<void>): void => {
    it(title, async () => {
      const one = await make();
      try {
        await run(one);
      } finally {
        await one.close();
      }
    });
  };

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

    if (!blocks) return;
    test('blocks a thread until it is rung, or its time is up', async ({ bell: any, ring }) => {
      const bell = any as BlockingBell;
      bell.arm();
      ring();
      expect(bell.wait(Infinity)).toBe(true);
      bell.arm();
      expect(bell.wait(0.1)).toBe(false);
      expect(bell.sleeping).toBe(false);
    });
  });
}
