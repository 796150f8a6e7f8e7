// Answers hello world, a body of 1 MiB at /big, and ends at /quit.
// usage: http-server --host H --port P [--limit-s S]
import http from 'node:http';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    'limit-s': { type: 'string', default: '120' },
  },
});
const hello = Buffer.from('hello world\n');
const big = Buffer.alloc(1 << 20, 'abcdefghijklmnopqrstuvwxyz');
let requests = 0;

const server = http.createServer((request, response) => {
  requests++;
  const body = request.url === '/big' ? big : hello;
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
  response.end(body);
  if (request.url !== '/quit') return;
  response.once('close', () => {
    process.stdout.write(`${JSON.stringify({ requests })}\n`);
    server.close();
    server.closeAllConnections();
  });
});
server.keepAliveTimeout = 60_000;
server.listen({ host: values.host, port: Number(values.port), backlog: 511 });
setTimeout(() => process.exit(3), Number(values['limit-s']) * 1000).unref();
