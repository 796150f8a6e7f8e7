// A WebSocket whose link breaks without a word: the client misses the pings of the server, connects again after waits that double, and goes on
// behind the last number that it has seen.
import { randomBytes } from 'node:crypto';
import { get } from 'node:http';
import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';
import { answer, endWhenSilent, frame, PING, PONG, readFrames, TEXT } from './websocket.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const net = await lab({ nodes: { client: {}, api: { run: 'node server.js' } } }, { folder, seed: 7 });
const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13 };
const numbers = [];
let ended = 0;
let done = false;

async function follow() {
  for (let waitMs = 25; !done; waitMs = Math.min(2 * waitMs, 400)) {
    const socket = endWhenSilent(net.node('client').connect(80, 'api'));
    const key = randomBytes(16).toString('base64');
    const headers = { ...upgrade, 'Sec-WebSocket-Key': key };
    get({ host: 'api', path: `/?after=${numbers.at(-1) ?? 0}`, headers, createConnection: () => socket })
      .on('error', () => {})
      .on('upgrade', (response, _socket, head) => {
        if (response.headers['sec-websocket-accept'] !== answer(key)) return socket.destroy();
        socket.unshift(head);
        readFrames(socket, (opcode, text) => {
          if (opcode === PING) socket.write(frame(PONG, text, randomBytes(4)));
          if (opcode === TEXT) numbers.push(Number(text));
          waitMs = 25;
        });
      });
    await new Promise((closed) => socket.on('close', closed));
    ended++;
    await later(waitMs);
  }
}

try {
  await net.until(async () => (await net.node('api').status()).listening.tcp.includes(80));
  follow();
  await net.until(() => numbers.length >= 20);
  console.log('numbers come');
  const cut = await net.partition('client', 'api');
  const endedBefore = ended;
  await net.until(() => ended > endedBefore);
  console.log('cut off without a word: the connection is given up');
  await net.until(() => ended >= endedBefore + 3);
  console.log('two more are tried in vain');
  const last = numbers.length;
  await cut.heal();
  await net.until(() => numbers.length > last + 20);
  const whole = numbers.every((number, i) => number === i + 1);
  console.log(whole ? 'healed: none is missing, none came twice' : 'healed: not all came, or not once');
} finally {
  done = true;
  await net.down();
}
