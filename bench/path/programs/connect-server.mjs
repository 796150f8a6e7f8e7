// Accepts connections, writes one byte on each and closes it; ends when a client writes 'q'.
// usage: connect-server --host H --port P [--limit-s S]
import net from 'node:net';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    'limit-s': { type: 'string', default: '120' },
  },
});
let accepted = 0;

const server = net.createServer({ allowHalfOpen: false }, (socket) => {
  accepted++;
  socket.on('data', (chunk) => {
    if (chunk[0] !== 0x71) return;
    process.stdout.write(`${JSON.stringify({ accepted })}\n`);
    server.close();
  });
  socket.on('error', () => {});
  socket.end('k');
});
server.listen({ host: values.host, port: Number(values.port), backlog: 511 });
setTimeout(() => process.exit(3), Number(values['limit-s']) * 1000).unref();
