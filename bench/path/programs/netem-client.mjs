// Times echoes: round trips one after the other, or the distance of the echoes of datagrams sent at once.
// usage: netem-client --host H --port P --count N [--bytes B] [--gap-ms MS] [--burst]
// Prints {"medianMs"} of the round trips, or {"spanMs", "datagrams"}: time and number of the echoes from the first one of the second
// tenth to the last one. While the first come, this program still sends.
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
const WARM_UP = 500;
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
// Code that runs for the first time takes milliseconds.
await warmUp(WARM_UP);
// Echoes of other hellos.
await new Promise((quiet) => setTimeout(quiet, 500));

/** Resolves when so many datagrams of 64 bytes have been echoed, or a second has brought no more. */
async function warmUp(datagrams) {
  await new Promise((done) => {
    let echoes = 0;
    let timer = setTimeout(done, 1000);
    received = () => {
      clearTimeout(timer);
      if (++echoes === datagrams) done();
      else timer = setTimeout(done, 1000);
    };
    for (let i = 0; i < datagrams; i++) send(Buffer.alloc(64));
  });
}

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
  const first = 1 + Math.floor(count / 10);
  let echoes = 0;
  let firstMs = 0;
  const spanMs = await new Promise((done) => {
    received = () => {
      const nowMs = performance.now();
      if (++echoes === first) firstMs = nowMs;
      if (echoes === count) done(nowMs - firstMs);
    };
    for (let i = 0; i < count; i++) send(Buffer.alloc(bytes));
  });
  return { spanMs, datagrams: count - first };
}

const result = values.burst ? await burst() : await roundTrips();
await new Promise((parted) => {
  received = parted;
  send('bye');
});
process.stdout.write(`${JSON.stringify(result)}\n`);
socket.close();
