// A circuit breaker against a cut: after three failures requests are refused at once, until one that is let through succeeds.

import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';

const FAILURES_MAX = 3;
const REST_MS = 300;
const ANSWER_MS = 600;

class CircuitBreaker {
  #failures = 0;
  #openUntilMs = 0;

  get state() {
    if (this.#failures < FAILURES_MAX) return 'closed';
    return Date.now() < this.#openUntilMs ? 'open' : 'half-open';
  }

  /** What `attempt` resolves to. Throws without an attempt while the breaker is open. */
  async call(attempt) {
    if (this.state === 'open') throw new Error('refused at once');
    try {
      const result = await attempt();
      this.#failures = 0;
      return result;
    } catch (error) {
      this.#failures++;
      this.#openUntilMs = Date.now() + REST_MS;
      throw error;
    }
  }
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const net = await lab({ nodes: { client: {}, api: { run: 'node server.js' } } }, { folder, seed: 7 });
try {
  const client = net.node('client');
  await net.until(async () => (await net.node('api').status()).listening.tcp.includes(80));

  const breaker = new CircuitBreaker();
  const ask = async (number) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const result = await breaker
      .call(async () => (await client.fetch(`http://api/${number}`, { signal })).text())
      .catch((error) => (error.message === 'refused at once' ? error.message : 'no answer'));
    console.log(`${number}: ${result}; the breaker is ${breaker.state}`);
  };

  await ask(1);
  const cut = await net.partition('client', 'api');
  for (const number of [2, 3, 4, 5]) await ask(number);
  await cut.heal();
  await net.until(() => breaker.state === 'half-open');
  await ask(6);
} finally {
  await net.down();
}
