// Takes one connection, reads it to its end and checks the bytes; counts after a warm-up.
// usage: stream-server (--host H --port P | --path SOCKET) [--warmup-ms MS] [--limit-s S]
import net from 'node:net';
import { parseArgs } from 'node:util';
import { damage, pattern } from './pattern.mjs';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    path: { type: 'string' },
    'warmup-ms': { type: 'string', default: '200' },
    'limit-s': { type: 'string', default: '120' },
  },
});
const warmupMs = Number(values['warmup-ms']);
const expected = pattern(0);

const server = net.createServer((socket) => {
  let total = 0;
  let damaged = 0;
  let chunks = 0;
  let from = 0; // bytes before the counting began
  let startMs = 0;
  let lastMs = 0;
  let firstMs = 0;
  socket.on('data', (chunk) => {
    damaged += damage(expected, chunk, total);
    total += chunk.length;
    lastMs = performance.now();
    if (firstMs === 0) firstMs = lastMs;
    if (startMs !== 0) chunks++;
    else if (lastMs - firstMs >= warmupMs) {
      startMs = lastMs;
      from = total;
    }
  });
  socket.on('end', () => {
    if (total === from || startMs === 0) [startMs, from] = [firstMs, 0]; // it ended within the warm-up: all counts
    const seconds = Math.max(1e-6, (lastMs - startMs) / 1000);
    const bytes = total - from;
    process.stdout.write(
      `${JSON.stringify({ total, bytes, chunks, seconds, gbps: (bytes * 8) / seconds / 1e9, damaged })}\n`,
    );
    socket.end();
    server.close();
  });
  socket.on('error', (error) => {
    throw error;
  });
});
server.listen(values.path !== undefined ? { path: values.path } : { host: values.host, port: Number(values.port) });
setTimeout(() => process.exit(3), Number(values['limit-s']) * 1000).unref();
