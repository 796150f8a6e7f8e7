// Sends numbered datagrams of one size as fast as send() takes them, once somebody answers; then says goodbye until it is
// answered.
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
const HELLO = 0xfffffffe;
const size = Number(values.bytes);
const port = Number(values.port);
const burst = Number(values.burst);
const data = pattern(size);
const messages = Array.from({ length: burst }, () => Buffer.from(data.subarray(0, size)));
const socket = dgram.createSocket('udp4');
let giveUpMs = performance.now() + 40_000;
let sequence = 0;
let failed = 0;
let inFlight = 0;
let answered = false;
let startMs = 0;
let untilMs = 0;

/** Repeats a message that asks for an answer until it comes. */
function sayUntilAnswered(number, then) {
  if (answered) return then();
  if (performance.now() > giveUpMs) throw new Error('the server does not answer');
  const message = Buffer.alloc(4);
  message.writeUInt32LE(number, 0);
  socket.send(message, port, values.host, () => {});
  setTimeout(() => sayUntilAnswered(number, then), 10);
}

function start() {
  startMs = performance.now();
  untilMs = startMs + Number(values.seconds) * 1000;
  giveUpMs = untilMs + 40_000;
  sendBurst();
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
  answered = false;
  sayUntilAnswered(GOODBYE, () => {
    process.stdout.write(`${JSON.stringify({ sent: sequence, failed, seconds })}\n`);
    socket.close();
  });
}

socket.on('message', (message) => {
  // A question may have been asked twice: late answers to the first are not the goodbye's.
  answered ||= startMs === 0 || message.toString() === 'bye';
});
socket.on('error', (error) => {
  if (performance.now() > giveUpMs) throw error;
});
socket.bind(0, () => sayUntilAnswered(HELLO, start));
