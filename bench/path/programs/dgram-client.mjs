// Sends numbered datagrams of one size as fast as send() takes them, then says goodbye until it is answered.
// usage: dgram-client --host H --port P [--bytes N] [--seconds S] [--burst N]
// Sends in bursts and lets the event loop turn between them, when every send() of the burst has called back.
import dgram from 'node:dgram';
import { parseArgs } from 'node:util';
import { pattern } from './pattern.mjs';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    bytes: { type: 'string', default: '1472' },
    seconds: { type: 'string', default: '1' },
    burst: { type: 'string', default: '64' },
  },
});
const GOODBYE = 0xffffffff;
const size = Number(values.bytes);
const port = Number(values.port);
const burst = Number(values.burst);
const data = pattern(size);
const messages = Array.from({ length: burst }, () => Buffer.from(data.subarray(0, size)));
const socket = dgram.createSocket('udp4');
const giveUpMs = performance.now() + 10_000;
let sequence = 0;
let failed = 0;
let inFlight = 0;
let answered = false;

/** Sends goodbyes until one is answered; before the first datagram this is also how a server not yet there is noticed. */
function sayGoodbye(then) {
  if (answered) return then();
  if (performance.now() > giveUpMs + Number(values.seconds) * 1000) throw new Error('the server does not answer');
  const message = Buffer.alloc(4);
  message.writeUInt32LE(GOODBYE, 0);
  socket.send(message, port, values.host, () => {});
  setTimeout(() => sayGoodbye(then), 20);
}

function sendBurst() {
  if (performance.now() > untilMs) return finish();
  inFlight = burst;
  for (const message of messages) {
    message.writeUInt32LE(sequence++, 0);
    socket.send(message, port, values.host, sent);
  }
}

function sent(error) {
  if (error) failed++;
  if (--inFlight === 0) setImmediate(sendBurst);
}

function finish() {
  const seconds = (performance.now() - startMs) / 1000;
  sayGoodbye(() => {
    process.stdout.write(`${JSON.stringify({ sent: sequence, failed, seconds })}\n`);
    socket.close();
  });
}

socket.on('message', () => {
  answered = true;
});
socket.on('error', (error) => {
  if (performance.now() > giveUpMs) throw error;
});
const startMs = performance.now();
const untilMs = startMs + Number(values.seconds) * 1000;
socket.bind(0, sendBurst);
