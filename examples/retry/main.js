// Requests over a link that loses packets: each is given up after 200 ms and made again, after a wait that doubles.

import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';

const TRIES_MAX = 8;

/** What `attempt` resolves to; a failure is tried again after 20 ms, 40 ms ... */
async function retried(attempt) {
  for (let tries = 1, waitMs = 20; ; tries++, waitMs = Math.min(2 * waitMs, 160)) {
    try {
      return await attempt(AbortSignal.timeout(200));
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await later(waitMs);
    }
  }
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const net = await lab({ nodes: { client: {}, api: { run: 'node server.js' } } }, { folder, seed: 7 });
try {
  const client = net.node('client');
  await net.until(async () => (await net.node('api').status()).listening.tcp.includes(80));

  await net.link('client', 'api').impair({ loss: '10%' });
  for (let number = 1; number <= 5; number++) {
    console.log(await retried(async (signal) => (await client.fetch(`http://api/${number}`, { signal })).text()));
  }

  await net.link('client', 'api').impair({ loss: '100%' });
  const last = await retried((signal) => client.fetch('http://api/6', { signal })).catch(() => 'no answer');
  console.log(`${last} after ${TRIES_MAX} tries`);
} finally {
  await net.down();
}
