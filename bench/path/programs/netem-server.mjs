// Echoes datagrams until one says goodbye.
// usage: netem-server --host H --port P [--limit-s S]
import dgram from 'node:dgram';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    'limit-s': { type: 'string', default: '60' },
  },
});
const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
socket.on('message', (message, peer) => {
  socket.send(message, peer.port, peer.address);
  if (message.toString('latin1') !== 'bye') return;
  process.stdout.write('{"echoed":true}\n');
  setTimeout(() => socket.close(), 200);
});
socket.bind(Number(values.port), values.host);
setTimeout(() => process.exit(3), Number(values['limit-s']) * 1000).unref();
