/**
 * The BSD sockets of a kernel, beside an ordinary Node program: datagrams and a stream over lo0. Calls return a count or
 * -errno and never block; events come between the callbacks of the program.
 */

import { once } from 'node:events';
import { EventLoop, Kernel } from 'multikernel/kernel';
import { Arena, Doorbell, SpinBudget } from 'multikernel/mem';
import {
  DatagramInfo,
  Errno,
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_READABLE,
  errnoName,
  SocketAddress,
} from 'multikernel/socket';

const arena = Arena.create(64 * 1024 * 1024);
const host = new EventLoop({
  doorbell: new Doorbell(arena, arena.allocateDoorbell()),
  spinBudget: new SpinBudget(arena.words, arena.allocate(4), 1),
});
const kernel = Kernel.create({ name: 'k', host, arena });
host.add(...kernel.cpus);
// A kernel keeps no process alive: that is for the program to say.
const alive = setInterval(() => {}, 60_000);

/** Resolves with the bits of the next event that has one of `wanted`. */
async function event(socket, wanted) {
  const target = new EventTarget();
  socket.onEvents = (events) => {
    if ((events & wanted) !== 0) target.dispatchEvent(new Event('ready'));
  };
  await once(target, 'ready');
  socket.onEvents = null;
}

const buffer = new Uint8Array(1500);
const text = (length) => Buffer.from(buffer).toString('utf8', 0, length);

// Datagrams: unconnected, each with its own destination.
const server = kernel.sockets.datagram();
server.bind(SocketAddress.from('127.0.0.1', 53));
const client = kernel.sockets.datagram();
client.send(Buffer.from('who?'), 0, 4, server.local);
await event(server, EVENT_READABLE);
const info = new DatagramInfo();
const count = server.receive(buffer, 0, buffer.length, info);
console.log(`datagram of ${count} bytes from ${info.from.format()}: ${text(count)}`);
console.log(`and then: ${errnoName(server.receive(buffer, 0, buffer.length, info))}`);

// A stream: connect says EINPROGRESS, the event says how it went.
const listener = kernel.sockets.stream();
listener.bind(SocketAddress.from('127.0.0.1', 80));
listener.listen(8);
const stream = kernel.sockets.stream();
const acceptable = event(listener, EVENT_ACCEPTABLE);
const connected = event(stream, EVENT_CONNECTED);
console.log(`connect: ${stream.connect(listener.local) === -Errno.EINPROGRESS ? 'EINPROGRESS' : 'failed'}`);
await Promise.all([acceptable, connected]);
const accepted = listener.accept();
const readable = event(accepted, EVENT_READABLE);
stream.send(Buffer.from('GET /'), 0, 5);
await readable;
console.log(`stream, ${accepted.state}: ${text(accepted.receive(buffer, 0, buffer.length))}`);

// Nobody listens there.
const refused = kernel.sockets.stream();
refused.connect(SocketAddress.from('127.0.0.1', 81));
await event(refused, EVENT_CONNECTED);
console.log(`port 81: ${errnoName(refused.error)}`);

clearInterval(alive);
kernel.close();
host.close();
