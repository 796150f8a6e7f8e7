/**
 * Two kernels in this thread, joined by shared memory. No lab, no worker: this program is the host of both and gives them
 * their turns, their clock and their chance.
 */

import { Kernel, SeededRng } from 'multikernel/kernel';
import { createNetwork, openVni } from 'multikernel/link';
import { Arena } from 'multikernel/mem';
import { Errno, EVENT_ACCEPTABLE, EVENT_CONNECTED, EVENT_READABLE, SocketAddress } from 'multikernel/socket';
import { ethernet } from 'multikernel/wire';

const arena = Arena.create(128 * 1024 * 1024);
const segment = createNetwork(arena, { ports: 2 });

function boot(name, port) {
  const mac = ethernet.parseMac(`02:00:00:00:00:0${port + 1}`);
  return Kernel.create({
    name,
    arena,
    host: {
      nowUs: () => performance.now() * 1000,
      rng: new SeededRng(port),
      epochNs: 0n,
      requestWork: () => {},
    },
    interfaces: [
      {
        device: ({ bulk }) => openVni(arena, bulk, segment, port, { name: `${name}/eth0`, mac }),
        addresses: [`10.0.0.${port + 1}/24`],
      },
    ],
  });
}

const kernels = [boot('a', 0), boot('b', 1)];
const [a, b] = kernels;

/** Turns until the condition holds: what an event loop does, without one. */
function runUntil(condition) {
  while (!condition()) for (const { cpus } of kernels) cpus[0].doWork(performance.now() * 1000);
}

const listener = b.sockets.stream();
listener.bind(SocketAddress.any(4, 7));
listener.listen(8);
listener.onEvents = (events) => {
  if ((events & EVENT_ACCEPTABLE) === 0) return;
  const peer = listener.accept();
  const bytes = new Uint8Array(64);
  peer.onEvents = (more) => {
    if ((more & EVENT_READABLE) === 0) return;
    const count = peer.receive(bytes, 0, bytes.length);
    console.log(`b: ${peer.peer.format()} says ${JSON.stringify(Buffer.from(bytes).toString('utf8', 0, count))}`);
    peer.send(bytes, 0, count);
  };
};

const socket = a.sockets.stream();
let echo = '';
socket.onEvents = (events) => {
  const bytes = new Uint8Array(64);
  if ((events & EVENT_CONNECTED) !== 0) socket.send(Buffer.from('hello'), 0, 5);
  if ((events & EVENT_READABLE) === 0) return;
  const count = socket.receive(bytes, 0, bytes.length);
  echo += Buffer.from(bytes).toString('utf8', 0, count);
};
const started = socket.connect(SocketAddress.from('10.0.0.2', 7));
if (started !== -Errno.EINPROGRESS) throw new Error(`connect: ${started}`);
runUntil(() => echo === 'hello');
console.log(`a: the echo is ${JSON.stringify(echo)}`);
for (const kernel of kernels) kernel.close();
