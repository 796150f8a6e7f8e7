// A handful of customers who ask the shop for its stock, again and again.
import { setTimeout as sleep } from 'node:timers/promises';

const CUSTOMERS = 8;
const fruits = ['apple', 'pear', 'plum'];
let before = '';

/** Say it once, not at every request. */
function report(outcome) {
  if (outcome !== before) console.log(`api: ${outcome}`);
  before = outcome;
}

async function customer() {
  for (let i = 0; ; i++) {
    try {
      const url = `http://api/stock/${fruits[i % fruits.length]}`;
      const response = await fetch(url, { signal: AbortSignal.timeout(3000) });
      await response.json();
      report(`${response.status} ${response.statusText}`);
    } catch (error) {
      report(error.cause?.code ?? error.name);
      await sleep(200);
    }
    await sleep(5);
  }
}

for (let i = 0; i < CUSTOMERS; i++) customer();
