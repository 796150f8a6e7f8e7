// Opens connections, some at a time, each until its one byte and its end have arrived; counts those of the measured time.
// usage: connect-client --host H --port P [--concurrent N] [--warmup-ms MS] [--seconds S]
import net from 'node:net';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    concurrent: { type: 'string', default: '16' },
    'warmup-ms': { type: 'string', default: '200' },
    seconds: { type: 'string', default: '1' },
  },
});
const where = { host: values.host, port: Number(values.port) };
const giveUpMs = performance.now() + 40_000;
let damaged = 0;
let errors = 0;
let connections = 0;

/** One connection from SYN to close; resolves to true when the byte came. */
function once(greeting) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(where);
    let got = 0;
    if (greeting !== undefined) socket.write(greeting);
    socket.on('data', (chunk) => {
      got += chunk.length;
      if (chunk[0] !== 0x6b) damaged++;
    });
    socket.on('error', reject);
    socket.on('close', (failed) => failed || resolve(got === 1));
  });
}

async function ready() {
  for (;;) {
    try {
      return await once();
    } catch (error) {
      if (performance.now() > giveUpMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function loop(countFromMs, untilMs) {
  while (performance.now() < untilMs) {
    const beganMs = performance.now();
    try {
      if (!(await once())) damaged++;
      else if (beganMs >= countFromMs && performance.now() <= untilMs) connections++;
    } catch {
      errors++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

await ready();
const countFromMs = performance.now() + Number(values['warmup-ms']);
const seconds = Number(values.seconds);
const untilMs = countFromMs + seconds * 1000;
await Promise.all(Array.from({ length: Number(values.concurrent) }, () => loop(countFromMs, untilMs)));
await once('q').catch(() => {});
process.stdout.write(`${JSON.stringify({ connections, perSecond: connections / seconds, damaged, errors })}\n`);
