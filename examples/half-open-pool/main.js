// A pool of connections whose server loses its power: the connections stay ESTABLISHED on one side. A pool that asks each connection for an
// echo before it gives it out throws the dead ones away.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';

const ECHO_MS = 200;

class Pool {
  #idle = [];
  #connect;
  thrownAway = 0;

  constructor(connect) {
    this.#connect = connect;
  }

  /** A connection that has just answered. */
  async take() {
    for (let socket = this.#idle.pop(); socket !== undefined; socket = this.#idle.pop()) {
      if (await this.#answers(socket)) return socket;
      socket.destroy();
      this.thrownAway++;
    }
    const socket = this.#connect();
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  give(socket) {
    this.#idle.push(socket);
  }

  async #answers(socket) {
    socket.write('?');
    return once(socket, 'data', { signal: AbortSignal.timeout(ECHO_MS) }).then(
      () => true,
      () => false,
    );
  }
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const net = await lab({ nodes: { api: {}, db: { run: 'node db.js' } } }, { folder, seed: 7 });
try {
  const [api, db] = [net.node('api'), net.node('db')];
  const listening = async () => (await db.status()).listening.tcp.includes(5432);
  await net.until(listening);

  const pool = new Pool(() => api.connect(5432, 'db'));
  const first = await Promise.all([pool.take(), pool.take()]);
  for (const socket of first) pool.give(socket);
  const established = async () => (await api.sockets({ state: 'ESTABLISHED' })).length;
  console.log(`connections in the pool: ${await established()}`);

  await db.powerOff();
  console.log(`db has no power; api still shows ${await established()} ESTABLISHED`);
  await db.start();
  await net.until(listening);

  const socket = await pool.take();
  socket.write('hello');
  console.log(`thrown away: ${pool.thrownAway}; a new connection says ${(await once(socket, 'data'))[0]}`);
} finally {
  await net.down();
}
