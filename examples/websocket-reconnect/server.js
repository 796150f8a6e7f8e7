// Counts, and sends each number to all clients; a client gets those behind the one that it names. A ping every 100 ms shows that the link is there.
import { createServer } from 'node:http';
import { acceptKey, frame, PING, readFrames, TEXT } from './websocket.js';

const SILENCE_MS = 500;
const clients = new Set();
let newest = 0;

createServer()
  .on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n');
    socket.write(`Sec-WebSocket-Accept: ${acceptKey(request.headers['sec-websocket-key'])}\r\n\r\n`);
    const after = Number(new URL(request.url, 'http://api').searchParams.get('after'));
    for (let number = after + 1; number <= newest; number++) socket.write(frame(TEXT, String(number)));

    const client = { socket, heardMs: Date.now() };
    clients.add(client);
    socket.on('close', () => clients.delete(client));
    readFrames(socket, () => {
      client.heardMs = Date.now();
    });
  })
  .listen(80);

setInterval(() => {
  newest++;
  for (const { socket } of clients) socket.write(frame(TEXT, String(newest)));
}, 20);

setInterval(() => {
  for (const { socket, heardMs } of clients) {
    if (Date.now() > heardMs + SILENCE_MS) socket.destroy();
    else socket.write(frame(PING, ''));
  }
}, 100);
