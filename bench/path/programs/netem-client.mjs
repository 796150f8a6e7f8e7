// Times echoes: round trips one after the other, or the distance of the echoes of datagrams sent at once.
// usage: netem-client --host H --port P --count N [--bytes B] [--gap-ms MS] [--burst]
// Prints {"medianMs"} of the round trips, or {"spanMs"} between the first and the last of the echoes.
import dgram from 'node:dgram';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    count: { type: 'string', default: '20' },
    bytes: { type: 'string', default: '64' },
    'gap-ms': { type: 'string', default: '20' },
    burst: { type: 'boolean', default: false },
  },
});
const count = Number(values.count);
const bytes = Number(values.bytes);
const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
let received = () => {};
socket.on('message', (message) => received(message));

function send(message) {
  socket.send(message, Number(values.port), values.host);
}

// The server may not be there yet, and ARP not done.
await new Promise((there) => {
  const again = setInterval(() => send('hello'), 200);
  received = () => {
    clearInterval(again);
    there();
  };
  send('hello');
});
// Echoes of other hellos.
await new Promise((quiet) => setTimeout(quiet, 500));

async function roundTrips() {
  const times = [];
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await new Promise((echoed) => {
      received = echoed;
      send(Buffer.alloc(bytes));
    });
    times.push(performance.now() - startMs);
    // Threads fall asleep meanwhile, as they do on a link with a delay: their wake-ups are in every round trip.
    await new Promise((later) => setTimeout(later, Number(values['gap-ms'])));
  }
  return { medianMs: times.sort((a, b) => a - b)[count >> 1] };
}

async function burst() {
  let echoes = 0;
  let firstMs = 0;
  const spanMs = await new Promise((done) => {
    received = () => {
      const nowMs = performance.now();
      if (++echoes === 1) firstMs = nowMs;
      if (echoes === count) done(nowMs - firstMs);
    };
    for (let i = 0; i < count; i++) send(Buffer.alloc(bytes));
  });
  return { spanMs };
}

const result = values.burst ? await burst() : await roundTrips();
await new Promise((parted) => {
  received = parted;
  send('bye');
});
process.stdout.write(`${JSON.stringify(result)}\n`);
socket.close();
