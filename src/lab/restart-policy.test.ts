import { describe, expect, it } from 'vitest';
import { parseRestart, type RestartPolicy, Restarts } from './restart-policy.ts';

function restarts(text: string): Restarts {
  return new Restarts(parseRestart(text) as RestartPolicy);
}

/** Delays of as many ends in a row, each of a program that failed at once. */
function delays(one: Restarts, ends: number): (number | null)[] {
  return Array.from({ length: ends }, () => {
    const delayMs = one.delayMs(true, 5);
    if (delayMs !== null) one.count++;
    return delayMs;
  });
}

describe('a restart policy', () => {
  it('is written as in compose files', () => {
    expect(['no', 'always', 'on-failure', 'on-failure:3'].map(parseRestart)).toEqual([
      { on: 'none', restartsMax: null },
      { on: 'all', restartsMax: null },
      { on: 'failures', restartsMax: null },
      { on: 'failures', restartsMax: 3 },
    ]);
    expect(['', 'yes', 'on-failure:', 'on-failure:0', 'on-failure:-1', 'always:3'].map(parseRestart)).toEqual(
      Array(6).fill(null),
    );
  });

  it('says after which ends the program is started again', () => {
    expect([restarts('no').delayMs(true, 5), restarts('no').delayMs(false, 5)]).toEqual([null, null]);
    expect([restarts('on-failure').delayMs(true, 5), restarts('on-failure').delayMs(false, 5)]).toEqual([100, null]);
    expect([restarts('always').delayMs(true, 5), restarts('always').delayMs(false, 5)]).toEqual([100, 100]);
  });

  it('doubles its delay up to a minute', () => {
    expect(delays(restarts('always'), 12)).toEqual([
      100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000,
    ]);
  });

  it('begins with the first delay again after a run of ten seconds, and does not forget its number', () => {
    const one = restarts('on-failure:4');
    expect(delays(one, 3)).toEqual([100, 200, 400]);
    expect(one.delayMs(true, 9999)).toBe(800);
    expect(one.delayMs(true, 10_000)).toBe(100);
    expect(delays(one, 2)).toEqual([200, null]);
  });

  it('ends with its number of restarts, and begins anew when the program is started by hand', () => {
    const one = restarts('on-failure:2');
    expect(delays(one, 4)).toEqual([100, 200, null, null]);
    one.reset();
    expect(delays(one, 3)).toEqual([100, 200, null]);
  });

  it('holds no more once the program was ended by hand', () => {
    const one = restarts('always');
    one.held = true;
    expect(one.delayMs(true, 5)).toBeNull();
    one.reset();
    expect(one.delayMs(true, 5)).toBe(100);
  });
});
