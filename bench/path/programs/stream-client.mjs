// Writes a checkable stream in writes of one size until the time is up.
// usage: stream-client (--host H --port P | --path SOCKET) [--bytes N] [--seconds S]
import net from 'node:net';
import { parseArgs } from 'node:util';
import { PERIOD, pattern } from './pattern.mjs';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    path: { type: 'string' },
    bytes: { type: 'string', default: '65536' },
    seconds: { type: 'string', default: '1' },
  },
});
const size = Number(values.bytes);
const data = pattern(size);
const giveUpMs = performance.now() + 40_000;
/** Writes between two looks at the clock. */
const WRITES_PER_LOOK = 32;
let total = 0;
let writes = 0;
let over = false;

/** The server may not listen yet: try again until it does. */
function connect() {
  const socket = net.connect(
    values.path !== undefined ? { path: values.path } : { host: values.host, port: Number(values.port) },
  );
  socket.once('connect', () => send(socket));
  socket.once('error', (error) => {
    if (performance.now() > giveUpMs || total > 0) throw error;
    setTimeout(connect, 10);
  });
}

function send(socket) {
  const startMs = performance.now();
  const untilMs = startMs + Number(values.seconds) * 1000;
  const fill = () => {
    for (let room = true; room && !over; ) {
      // The clock, not a timer: writes that succeed at once keep the event loop from turning, for ever when the server keeps up.
      if (writes % WRITES_PER_LOOK === 0) over = performance.now() > untilMs;
      const at = total % PERIOD;
      room = socket.write(data.subarray(at, at + size));
      total += size;
      writes++;
    }
    if (over) socket.end();
    else socket.once('drain', fill);
  };
  socket.setNoDelay(true);
  socket.resume();
  socket.once('close', () => {
    const seconds = (performance.now() - startMs) / 1000;
    process.stdout.write(`${JSON.stringify({ total, writes, seconds })}\n`);
  });
  fill();
}

connect();
