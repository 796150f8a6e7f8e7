// Asks forty times, one after the other; gives up on an answer after 500 ms, waits twice as long each time, and tries again.
import { setTimeout as later } from 'node:timers/promises';

async function ask(number) {
  for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 400)) {
    try {
      const response = await fetch(`http://api/${number}`, { signal: AbortSignal.timeout(500) });
      return await response.text();
    } catch (error) {
      console.log(`${number}: ${error.name}, again in ${waitMs} ms`);
      await later(waitMs);
    }
  }
}

for (let number = 1; number <= 40; number++) {
  if ((await ask(number)) !== String(number)) throw new Error('another answer');
  await later(50);
}
console.log('all answered');
process.exit(0);
