// pino: lines by threads, to descriptor 1 and over the network to the other machine; and by the program's own descriptor 1.
const { once } = require('node:events');
const net = require('node:net');
const { resolve } = require('node:path');
const { setTimeout } = require('node:timers/promises');
const pino = require('pino');
const { roles } = require('./roles.cjs');

const LINES_PORT = 514;
const COUNT_PORT = 515;
const PLAIN = { base: null, timestamp: false };

async function server() {
  let lines = '';
  const taken = net.createServer((socket) => socket.on('data', (data) => (lines += data)));
  const counted = net.createServer((socket) => socket.end(String(lines.split('\n').length - 1)));
  await once(taken.listen(LINES_PORT), 'listening');
  await once(counted.listen(COUNT_PORT), 'listening');
  return () => {
    taken.close();
    counted.close();
  };
}

function write(log) {
  log.info('by a thread');
  for (let n = 1; n <= 100; n++) log.debug({ n }, 'not of this level');
  log.child({ request: 7 }).warn(new RangeError('too far').message);
}

async function client(host) {
  const own = pino(PLAIN, pino.destination({ dest: 1, sync: false }));
  own.info('by the program');
  own.flush();
  await once(own[pino.symbols.streamSym], 'drain');
  const away = pino.transport({
    target: resolve(__dirname, 'pino-transport.cjs'),
    options: { host, port: LINES_PORT },
  });
  write(pino(PLAIN, away));
  // The thread keeps no program alive: the question does.
  let lines = '0';
  while (lines !== '2') {
    await setTimeout(20);
    lines = String((await once(net.connect(COUNT_PORT, host), 'data'))[0]);
  }
  console.log('lines', lines);
  away.end();
  // The end of the program waits for the lines of its threads.
  write(pino(PLAIN, pino.transport({ target: 'pino/file', options: { destination: 1 } })));
}

roles({ server, client });
