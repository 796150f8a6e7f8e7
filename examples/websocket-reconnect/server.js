// Counts, and sends each number to all clients; a client gets those behind the one that it names. A ping every 100 ms shows that the link is there.
import { createServer } from 'node:http';
import { answer, endWhenSilent, frame, PING, TEXT } from './websocket.js';

const clients = new Set();
let newest = 0;

function sendAll(opcode, text) {
  for (const socket of clients) socket.write(frame(opcode, text));
}

createServer()
  .on('upgrade', (request, socket) => {
    endWhenSilent(socket).on('close', () => clients.delete(socket));
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n');
    socket.write(`Sec-WebSocket-Accept: ${answer(request.headers['sec-websocket-key'])}\r\n\r\n`);
    const after = Number(new URL(request.url, 'http://api').searchParams.get('after'));
    for (let number = after + 1; number <= newest; number++) socket.write(frame(TEXT, String(number)));
    clients.add(socket);
  })
  .listen(80);
setInterval(() => sendAll(TEXT, String(++newest)), 20);
setInterval(() => sendAll(PING, ''), 100);
