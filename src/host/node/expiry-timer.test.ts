import { expect, it } from 'vitest';
import { ExpiryTimer, expiryNowMs } from './expiry-timer.ts';

/** Entries with their deadlines, oldest first. */
class Entries {
  readonly deadlinesMs: number[] = [];
  readonly expired: number[] = [];
  timer: ExpiryTimer = new ExpiryTimer(this);
  allGone: () => void = () => undefined;

  nextDeadlineMs(): number {
    return this.deadlinesMs[0] ?? Number.POSITIVE_INFINITY;
  }

  expire(nowMs: number): void {
    while ((this.deadlinesMs[0] ?? Number.POSITIVE_INFINITY) <= nowMs)
      this.expired.push(this.deadlinesMs.shift() as number);
    if (this.deadlinesMs.length === 0) this.allGone();
  }

  add(deadlineMs: number): void {
    this.deadlinesMs.push(deadlineMs);
    this.timer.arm();
  }
}

it('calls back until everything has expired, and begins again with the next entry', async () => {
  const entries = new Entries();
  for (let round = 0; round < 2; round++) {
    const gone = new Promise<void>((resolve) => {
      entries.allGone = resolve;
    });
    // The timer keeps no process alive: the test does.
    const alive = setInterval(() => undefined, 1000);
    const nowMs = expiryNowMs();
    const added = [nowMs - 1, nowMs + 2, nowMs + 5];
    for (const deadlineMs of added) entries.add(deadlineMs);
    await gone;
    clearInterval(alive);
    expect(entries.expired.splice(0)).toEqual(added);
  }
});
