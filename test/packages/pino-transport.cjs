// A transport of pino, which loads it in a thread: lines over a TCP connection.
const { once } = require('node:events');
const net = require('node:net');

module.exports = async ({ host, port }) => {
  const socket = net.connect(port, host).resume();
  await once(socket, 'connect');
  return socket;
};
