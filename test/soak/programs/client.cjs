// Asks the server over HTTP (kept alive, and a connection each), TCP, UDP; downloads. All at once, for ever.
const dgram = require('node:dgram');
const http = require('node:http');
const net = require('node:net');
const { forever } = require('./load.cjs');

const DOWNLOAD_CHUNKS = 64;
const UDP_BURST = 16;
const PAUSE_MS = 2;

/** Body of an answer, bytes. */
function get(path, agent) {
  return new Promise((done, failed) => {
    const request = http.get({ host: 'server', path, agent }, (response) => {
      let bytes = 0;
      response.on('data', (data) => {
        bytes += data.length;
      });
      response.on('end', () => done(bytes));
      response.on('error', failed);
    });
    request.on('error', failed);
  });
}

function echo() {
  return new Promise((done, failed) => {
    const socket = net.connect(7, 'server', () => socket.end('a short conversation'));
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => {
      text += data;
    });
    socket.on('end', () => (text === 'a short conversation' ? done() : failed(new Error(`echo: ${text}`))));
    socket.on('error', failed);
  });
}

/** A burst, all of which comes back: between two kernels nothing is lost that has room. */
function datagrams() {
  return new Promise((done, failed) => {
    const socket = dgram.createSocket('udp4');
    let left = UDP_BURST;
    socket.on('error', failed);
    socket.on('message', () => {
      if (--left === 0) socket.close(done);
    });
    for (let i = 0; i < UDP_BURST; i++) socket.send(Buffer.alloc(100 + i), 7, 'server');
  });
}

async function download() {
  const bytes = await get(`/download?chunks=${DOWNLOAD_CHUNKS}`, false);
  if (bytes !== DOWNLOAD_CHUNKS * 65_536) throw new Error(`a download of ${bytes} bytes`);
}

/** A pause after each: what is looked for is what stays, at any speed. */
function again(name, once) {
  return forever(name, async () => {
    await once();
    await new Promise((next) => setTimeout(next, PAUSE_MS));
  });
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
for (let i = 0; i < 4; i++) again('keptAlive', () => get('/short', agent));
for (let i = 0; i < 2; i++) again('http', () => get('/short', false));
for (let i = 0; i < 2; i++) again('tcp', echo);
again('udp', datagrams);
again('downloads', download);
