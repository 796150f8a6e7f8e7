import { describe, expect, it } from 'vitest';
import { PollTrial } from './poll-trial.ts';

describe('polling', () => {
  it('goes on while every third poll catches something', () => {
    const trial = new PollTrial();
    for (let i = 0; i < 300; i++) {
      expect(trial.wanted()).toBe(true);
      if (i % 3 === 0) trial.caught();
      else trial.expired();
    }
  });

  it('is given up when it catches nothing, and tried again now and then', () => {
    const trial = new PollTrial();
    let polls = 0;
    for (let i = 0; i < 3200; i++) {
      if (!trial.wanted()) continue;
      polls++;
      trial.expired();
    }
    expect(polls).toBe(4 + 99);
  });

  it('comes back with the first trial that catches something', () => {
    const trial = new PollTrial();
    while (trial.wanted()) trial.expired();
    while (!trial.wanted());
    trial.caught();
    expect([trial.wanted(), trial.wanted()]).toEqual([true, true]);
  });
});
