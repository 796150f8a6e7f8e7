/**
 * The two programs of a package in one file: `node FILE server` and `node FILE client`, on two machines of a lab, or on one.
 *
 * The client prints what it saw, and then connects to port 9 of the server, which closes as the package does it. Both programs end by
 * themselves; a socket that one of them still has, or that does not hear of the other's end, keeps it from that.
 */

const { once } = require('node:events');
const net = require('node:net');

const STOP_PORT = 9;

/** `server` returns, when it listens, a function that closes it. `client` is given the server's name. */
exports.roles = async ({ server, client }) => {
  const host = process.argv[3] ?? 'server';
  if (process.argv[2] === 'client') {
    await client(host);
    net.connect(STOP_PORT, host).resume();
    return;
  }
  const close = await server();
  const stop = net.createServer((socket) => {
    socket.end();
    stop.close();
    close();
  });
  await once(stop.listen(STOP_PORT), 'listening');
};
