// A client that stops reading: its windows fill, then the server's queue, and the server cuts it off. The other client is not disturbed.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const net = await lab({ nodes: { fast: {}, slow: {}, api: { run: 'node server.js' } } }, { folder, seed: 7 });
try {
  await net.until(async () => (await net.node('api').status()).listening.tcp.includes(80));

  let received = 0;
  const fast = net.node('fast').connect(80, 'api');
  fast.on('data', (bytes) => {
    received += bytes.length;
  });
  const slow = net.node('slow').connect(80, 'api');
  const cutOff = once(slow, 'error');
  await Promise.all([once(fast, 'connect'), once(slow, 'connect')]);

  // Nobody reads from `slow`.
  const [error] = await cutOff;
  console.log(`slow: ${error.code}`);

  const before = received;
  await net.until(() => received > before + 1024 * 1024);
  console.log('fast: still reads');
  fast.destroy();
} finally {
  await net.down();
}
