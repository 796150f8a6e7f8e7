// A lab between two programs of the host: its port leads to a proxy in the lab, and the proxy's database is a service of the host.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';

// A service of the host, for this example; anything that listens will do.
const database = createServer((socket) => {
  socket.end('42 rows');
  socket.on('error', () => {});
}).listen(0, '127.0.0.1');
await once(database, 'listening');

const net = await lab(
  {
    nodes: { api: { run: 'node api.js', ports: [80] } },
    hosts: { db: `5432:host:${/** @type {import('node:net').AddressInfo} */ (database.address()).port}` },
  },
  { folder: fileURLToPath(new URL('.', import.meta.url)) },
);
await net.until(async () => (await net.info()).nodes[0].listening.tcp.includes(80));

const [{ ports }] = (await net.info()).nodes;
const ask = async () => (await fetch(`http://127.0.0.1:${ports[0].hostPort}/`)).text();

console.log(`api: ${await ask()}`);
const cut = await net.partition('api', 'db', { how: 'reject' });
console.log(`api, cut off from db: ${await ask()}`);
await cut.heal();
console.log(`api, healed: ${await ask()}`);

await net.down();
database.close();
