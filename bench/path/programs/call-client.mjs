// Asks its kernel for the size of a socket's buffer, over and over: a call that does nothing. Reports the median time of one.
// usage: call-client --host H --port P [--warmup-ms MS] [--seconds S]
import dgram from 'node:dgram';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    'warmup-ms': { type: 'string', default: '200' },
    seconds: { type: 'string', default: '1' },
  },
});
/** Calls between two looks at the clock: a look costs as much as a call of a host's own. */
const BATCH = 16;

const socket = dgram.createSocket('udp4');
socket.bind(0);
await once(socket, 'listening');
const size = socket.getSendBufferSize();
let damaged = 0;
const warmUntilMs = performance.now() + Number(values['warmup-ms']);
while (performance.now() < warmUntilMs) socket.getSendBufferSize();
const times = [];
const untilMs = performance.now() + Number(values.seconds) * 1000;
for (let beforeMs = performance.now(); beforeMs < untilMs; ) {
  for (let i = 0; i < BATCH; i++) if (socket.getSendBufferSize() !== size) damaged++;
  const afterMs = performance.now();
  times.push(((afterMs - beforeMs) * 1e6) / BATCH);
  beforeMs = afterMs;
}
times.sort((a, b) => a - b);
socket.close();
console.log(JSON.stringify({ medianNs: times[times.length >> 1], damaged }));
