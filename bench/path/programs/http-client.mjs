// Keeps N connections busy, one request at a time on each, and checks every answer.
// usage: http-client --host H --port P [--connections N] [--path /] [--bytes N] [--client agent|raw] [--warmup-ms MS] [--seconds S]
// agent: node:http with a keep-alive Agent of N sockets. raw: node:net and the few lines that HTTP/1.1 needs here, so that
// the client costs little and the server's side shows.
import http from 'node:http';
import net from 'node:net';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    connections: { type: 'string', default: '32' },
    path: { type: 'string', default: '/' },
    bytes: { type: 'string', default: '12' },
    client: { type: 'string', default: 'agent' },
    'warmup-ms': { type: 'string', default: '300' },
    seconds: { type: 'string', default: '1' },
  },
});
const port = Number(values.port);
const connections = Number(values.connections);
const bodyBytes = Number(values.bytes);
const firstByte = values.path === '/big' ? 0x61 : 0x68;
const startMs = performance.now();
const countFromMs = startMs + Number(values['warmup-ms']);
const untilMs = countFromMs + Number(values.seconds) * 1000;
const giveUpMs = startMs + 40_000;
const timesMs = [];
let damaged = 0;
let errors = 0;

/** Books one answer; true while the time is not up. */
function answered(beganMs, bytes, first) {
  const now = performance.now();
  if (bytes !== bodyBytes || first !== firstByte) damaged++;
  if (beganMs >= countFromMs && now <= untilMs) timesMs.push(now - beganMs);
  return now < untilMs;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: connections });

function request(path, done, failed) {
  const req = http.get({ host: values.host, port, path, agent }, (response) => {
    let bytes = 0;
    let first = -1;
    response.on('data', (chunk) => {
      if (bytes === 0) first = chunk[0];
      bytes += chunk.length;
    });
    response.on('end', () => done(bytes, first));
  });
  req.on('error', failed);
}

/** The server may not listen yet: ask until it answers. */
function ready() {
  return new Promise((resolve, reject) => {
    const ask = () =>
      request('/', resolve, (error) => (performance.now() > giveUpMs ? reject(error) : setTimeout(ask, 10)));
    ask();
  });
}

function agentLoop() {
  return new Promise((resolve) => {
    const next = () => {
      const beganMs = performance.now();
      request(
        values.path,
        (bytes, first) => (answered(beganMs, bytes, first) ? next() : resolve()),
        () => {
          errors++;
          resolve();
        },
      );
    };
    next();
  });
}

function rawLoop() {
  return new Promise((resolve) => {
    const text = Buffer.from(
      `GET ${values.path} HTTP/1.1\r\nhost: ${values.host}:${port}\r\nconnection: keep-alive\r\n\r\n`,
    );
    const socket = net.connect({ host: values.host, port });
    let beganMs = 0;
    let header = '';
    let left = -1; // body bytes still to come; -1 within the header
    let bytes = 0;
    let first = -1;
    const ask = () => {
      beganMs = performance.now();
      header = '';
      left = -1;
      bytes = 0;
      socket.write(text);
    };
    socket.setNoDelay(true);
    socket.on('connect', ask);
    socket.on('data', (chunk) => {
      let at = 0;
      if (left === -1) {
        header += chunk.latin1Slice(0, Math.min(chunk.length, 4096));
        const end = header.indexOf('\r\n\r\n');
        if (end === -1) return;
        at = end + 4;
        left = Number(/content-length: (\d+)/i.exec(header)?.[1] ?? 0);
      }
      if (at < chunk.length && bytes === 0) first = chunk[at];
      bytes += chunk.length - at;
      left -= chunk.length - at;
      if (left > 0) return;
      if (answered(beganMs, bytes, first)) ask();
      else socket.end(resolve);
    });
    socket.on('error', () => {
      errors++;
      resolve();
    });
  });
}

await ready();
await Promise.all(Array.from({ length: connections }, values.client === 'raw' ? rawLoop : agentLoop));
await new Promise((resolve) => request('/quit', resolve, resolve));
agent.destroy();
timesMs.sort((a, b) => a - b);
const quantile = (q) => (timesMs[Math.floor((timesMs.length - 1) * q)] ?? 0) * 1000;
const seconds = Number(values.seconds);
const requests = timesMs.length;
process.stdout.write(
  `${JSON.stringify({ requests, perSecond: requests / seconds, gbps: (requests * bodyBytes * 8) / seconds / 1e9, p50Us: quantile(0.5), p99Us: quantile(0.99), damaged, errors })}\n`,
);
