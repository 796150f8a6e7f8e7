// A broker that dies at the worst time: it has a message, but the producer has no answer and the consumer is not done with it. Both ask again,
// and the message is known by its id.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';

/** A function that asks the broker, one request after the other, each again on a new connection until it is answered. */
function brokerClient(node) {
  let socket;
  const attempt = async (request, signal) => {
    if (socket === undefined || socket.destroyed) {
      socket = node.connect(5672, 'broker').on('error', () => {});
      await once(socket, 'connect', { signal });
    }
    socket.write(`${JSON.stringify(request)}\n`);
    let answer = '';
    while (!answer.endsWith('\n')) answer += (await once(socket, 'data', { signal }))[0];
    return JSON.parse(answer);
  };
  return async (request) => {
    for (;;) {
      try {
        return await attempt(request, AbortSignal.timeout(500));
      } catch {
        socket.destroy();
        await later(50);
      }
    }
  };
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const data = await mkdtemp(`${tmpdir()}/broker-`);
const broker = { run: 'node broker.js', env: { JOURNAL: `${data}/journal` } };
let net;
try {
  net = await lab({ nodes: { producer: {}, consumer: {}, broker } }, { folder, seed: 7 });
  await net.until(async () => (await net.node('broker').status()).listening.tcp.includes(5672));
  const [produce, consume] = ['producer', 'consumer'].map((name) => brokerClient(net.node(name)));

  const seen = new Set();
  async function take() {
    const { id, text } = await consume({ take: true });
    console.log(`consumer: ${id}, ${text}${seen.has(id) ? ', seen before' : ''}`);
    seen.add(id);
    return id;
  }

  await produce({ put: 1, text: 'first' });
  await consume({ done: await take() });

  const cut = await net.partition('broker', 'producer', { oneWay: true });
  const answer = produce({ put: 2, text: 'second' });
  await take();
  await net.node('broker').powerOff();
  console.log('the broker dies: no answer for the producer, and the consumer is not done');
  await cut.heal();
  await net.node('broker').start();
  console.log(`producer: 2 is ${(await answer).isNew ? 'new' : 'known'} to the next broker`);

  await produce({ put: 3, text: 'third' });
  await consume({ done: await take() });
  await consume({ done: await take() });
} finally {
  await net?.down();
  await rm(data, { recursive: true });
}
