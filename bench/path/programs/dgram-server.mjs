// Counts and checks datagrams after a warm-up, until one says goodbye.
// usage: dgram-server --host H --port P [--warmup-ms MS] [--limit-s S]
// A datagram is a sequence number (4 bytes) and pattern bytes. Two numbers mean something else, and are answered: 0xfffffffe asks
// whether anybody is there, 0xffffffff is the goodbye. Without a datagram after the warm-up, all of them count.
import dgram from 'node:dgram';
import { parseArgs } from 'node:util';
import { damage, pattern } from './pattern.mjs';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    'warmup-ms': { type: 'string', default: '200' },
    'limit-s': { type: 'string', default: '120' },
  },
});
const GOODBYE = 0xffffffff;
const HELLO = 0xfffffffe;
const warmupMs = Number(values['warmup-ms']);
const expected = pattern(0);
const body = 64; // the bytes checked start here: before it stands the sequence number

let packets = 0;
let bytes = 0;
let allPackets = 0;
let allBytes = 0;
let damaged = 0;
let misordered = 0;
let first = 0; // sequence number at which the counting began
let last = -1;
let firstMs = 0;
let startMs = 0;
let lastMs = 0;

const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
socket.on('message', (message, peer) => {
  const sequence = message.readUInt32LE(0);
  if (sequence === HELLO) return socket.send('yes', peer.port, peer.address);
  if (sequence === GOODBYE) return goodbye(peer);
  if (sequence <= last) misordered++;
  last = sequence;
  if (message.length > body) damaged += damage(expected, message.subarray(body), body);
  lastMs = performance.now();
  if (firstMs === 0) firstMs = lastMs;
  allPackets++;
  allBytes += message.length;
  if (startMs !== 0) {
    packets++;
    bytes += message.length;
  } else if (lastMs - firstMs >= warmupMs) {
    startMs = lastMs;
    first = sequence;
  }
});

let said = false;
function goodbye(peer) {
  socket.send('bye', peer.port, peer.address);
  if (said) return;
  said = true;
  if (packets === 0) [startMs, packets, bytes, first] = [firstMs, allPackets, allBytes, -1];
  const seconds = Math.max(1e-6, (lastMs - startMs) / 1000);
  const lost = last - first - packets;
  process.stdout.write(
    `${JSON.stringify({ packets, bytes, seconds, mpps: packets / seconds / 1e6, gbps: (bytes * 8) / seconds / 1e9, lost, misordered, damaged })}\n`,
  );
  // Goodbyes may be repeated: answer a while longer.
  setTimeout(() => socket.close(), 100);
}

socket.bind(Number(values.port), values.host);
setTimeout(() => process.exit(3), Number(values['limit-s']) * 1000).unref();
