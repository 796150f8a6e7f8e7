// Socket.IO: two cluster workers behind @socket.io/sticky, by long polling and by WebSocket.
const cluster = require('node:cluster');
const { once } = require('node:events');
const http = require('node:http');
const { createAdapter, setupPrimary } = require('@socket.io/cluster-adapter');
const sticky = require('@socket.io/sticky');
const { Server } = require('socket.io');
const { io } = require('socket.io-client');
const { roles } = require('./roles.cjs');

function worker() {
  const server = new Server(http.createServer());
  server.adapter(createAdapter());
  sticky.setupWorker(server);
  server.on('connection', (socket) => {
    socket.join('everybody');
    socket.on('question', (text, answer) => answer(`${text}, answered`));
    socket.on('binary', (bytes, answer) => answer(bytes.length));
    socket.on('tell', async (text, told) => {
      server.to('everybody').emit('news', text);
      told();
    });
  });
  process.send('ready');
}

async function server() {
  const front = http.createServer();
  sticky.setupPrimary(front, { loadBalancingMethod: 'round-robin' });
  setupPrimary();
  cluster.setupPrimary({ serialization: 'advanced' });
  const workers = [cluster.fork(), cluster.fork()];
  await Promise.all(workers.map((one) => once(one, 'message')));
  await once(front.listen(80), 'listening');
  return () => {
    front.close();
    front.closeAllConnections();
    for (const one of workers) one.kill();
  };
}

async function talk(host, transport) {
  const options = { transports: [transport], reconnection: false, forceNew: true };
  const sockets = [io(`http://${host}`, options), io(`http://${host}`, options)];
  for (const socket of sockets) {
    socket.on('connect_error', (error) => console.log(transport, error.message));
  }
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const [first, second] = sockets;
  console.log(transport, await first.emitWithAck('question', 'hello'));
  console.log(transport, await second.emitWithAck('binary', Buffer.alloc(100_000)));
  const heard = Promise.all(sockets.map((socket) => once(socket, 'news')));
  await first.emitWithAck('tell', 'to all workers');
  console.log(transport, (await heard).flat());
  for (const socket of sockets) socket.close();
}

async function client(host) {
  await talk(host, 'polling');
  await talk(host, 'websocket');
}

if (cluster.isWorker) worker();
else roles({ server, client });
