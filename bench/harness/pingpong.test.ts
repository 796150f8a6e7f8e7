import { expect, it } from 'vitest';
import { entryUrl } from './entry.ts';
import { PingPong } from './pingpong.ts';

it('takes the built entry when it runs from the sources', () => {
  expect(entryUrl('x-worker', 'file:///home/bench/mk/dist/bench/harness/x.js').pathname).toBe(
    '/home/bench/mk/dist/bench/harness/x-worker.js',
  );
  expect(entryUrl('x-worker', 'file:///home/bench/mk/bench/harness/x.ts').pathname).toBe(
    '/home/bench/mk/dist/bench/harness/x-worker.js',
  );
});

it('measures again and again, and ends', async () => {
  const pingPong = new PingPong();
  try {
    for (let i = 0; i < 3; i++) {
      const rttNs = await pingPong.measure();
      // null: the machine was so busy that the time limit struck.
      if (rttNs !== null) expect(rttNs).toBeGreaterThan(0);
    }
  } finally {
    await pingPong.close();
  }
});
