import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { inTime } from './in-time.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('gives the answer, or ETIMEDOUT with the name of the kernel', async () => {
  let lates = 0;
  const late = (): void => void lates++;
  expect(await inTime(Promise.resolve(7), 'gw', 2000, late)).toBe(7);
  await expect(inTime(Promise.reject(new Error('no')), 'gw', 2000, late)).rejects.toThrow('no');
  expect(vi.getTimerCount()).toBe(0);
  const silent = inTime(new Promise(() => {}), 'gw', 2000, late).catch((error: unknown) => error);
  vi.advanceTimersByTime(1999);
  expect(lates).toBe(0);
  vi.advanceTimersByTime(2);
  expect(lates).toBe(1);
  expect(await silent).toMatchObject({
    code: 'ETIMEDOUT',
    message: 'gw: no answer in 2 s: its program blocks the thread',
  });
});

it('takes an answer that came while this thread was busy', async () => {
  let answered: (value: number) => void = () => {};
  let lates = 0;
  const answer = inTime(new Promise<number>((resolve) => (answered = resolve)), 'gw', 2000, () => void lates++);
  // The timer has fired and its immediate waits; the answer is read in between.
  for (let piece = 0; piece < 10; piece++) vi.advanceTimersToNextTimer();
  expect(vi.getTimerCount()).toBe(1);
  answered(7);
  expect(await answer).toBe(7);
  expect(lates).toBe(0);
});
