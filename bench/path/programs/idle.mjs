// Listens and otherwise does nothing: a service that nobody asks.
import net from 'node:net';

net.createServer((socket) => socket.end()).listen(80);
