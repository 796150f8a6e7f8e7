// Sends 64 KiB to each client every 20 ms. A client for which more than 1 MiB waits is cut off, so that memory stays bounded.
import { createServer } from 'node:net';

const WAITING_BYTES_MAX = 1024 * 1024;
const news = Buffer.alloc(65_536, 'news');
const clients = new Set();

createServer((socket) => {
  clients.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => clients.delete(socket));
}).listen(80);

setInterval(() => {
  for (const socket of clients) {
    if (socket.writableLength > WAITING_BYTES_MAX) socket.resetAndDestroy();
    else socket.write(news);
  }
}, 20);
