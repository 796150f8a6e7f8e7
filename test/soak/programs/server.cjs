// Serves HTTP with answers short and long, UDP and TCP echo.
const dgram = require('node:dgram');
const http = require('node:http');
const net = require('node:net');
require('./load.cjs');

const CHUNK = Buffer.alloc(65_536, 'multikernel');

/** A body of so many chunks, as fast as it is read. */
function download(response, chunks) {
  let left = chunks;
  const more = () => {
    while (left > 0) {
      left--;
      if (!response.write(CHUNK)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

// No connection is closed while its next request is under way, however slow the machine is.
http
  .createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const url = new URL(request.url, 'http://server');
    request.resume();
    if (url.pathname === '/download') download(response, Number(url.searchParams.get('chunks')));
    else request.on('end', () => response.end(JSON.stringify({ path: url.pathname })));
  })
  .listen(80);
net.createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(7);
const udp = dgram.createSocket('udp4');
udp.on('message', (message, from) => udp.send(message, from.port, from.address));
udp.bind(7);
