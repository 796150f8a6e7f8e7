// ws: compressed and binary messages, pings, and a client that goes without a farewell.
const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');
const { roles } = require('./roles.cjs');

async function server() {
  const sockets = new WebSocketServer({ port: 80, perMessageDeflate: true });
  const gone = [];
  sockets.on('connection', (socket, { url }) => {
    socket.on('message', (data, binary) => socket.send(String(data) === 'gone?' ? `${gone}` : data, { binary }));
    socket.on('close', (code) => gone.push(`${url} ${code}`)).on('error', () => {});
  });
  await once(sockets, 'listening');
  return () => sockets.close();
}

async function open(url) {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  return socket;
}

async function echo(socket, message) {
  socket.send(message);
  return (await once(socket, 'message'))[0];
}

async function client(host) {
  const socket = await open(`ws://${host}/stays`);
  console.log(String(await echo(socket, 'text '.repeat(3).trim())), socket.extensions);
  const large = Buffer.alloc(1_000_000, 'binary');
  console.log((await echo(socket, large)).equals(large));
  socket.ping('beat');
  console.log(String((await once(socket, 'pong'))[0]));
  const other = await open(`ws://${host}/goes`);
  other.terminate();
  let gone = '';
  while (gone === '') gone = String(await echo(socket, 'gone?'));
  console.log(gone);
  socket.close(4001, 'enough');
  console.log((await once(socket, 'close')).map(String));
}

roles({ server, client });
