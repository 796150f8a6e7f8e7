// A thread without a kernel: its sockets are those of the kernel behind two channels.

import { parentPort, workerData } from 'node:worker_threads';
import { SystemRng } from '#src/host/node/clock';
import { EventLoop } from '#src/host/node/event-loop';
import { Arena } from '#src/mem/arena';
import { Channel } from '#src/mem/channel';
import { Doorbell } from '#src/mem/doorbell';
import { anonymousOwner } from '#src/mem/owner';
import { SpinBudget } from '#src/mem/spin-budget';
import { BlockingClient } from '#src/rump/blocking-client';
import { BlockingChannelCarrier } from '#src/rump/channel-carrier';
import { ClientSockets } from '#src/rump/client-sockets';
import { SocketAddress } from '#src/socket/socket';

const { memory, calls, events, callsBellAt, loopBellAt, budgetAt, key } = workerData;
const arena = Arena.attach(memory);
const loopBell = new Doorbell(arena, loopBellAt);
const loop = new EventLoop({
  doorbell: loopBell,
  spinBudget: new SpinBudget(arena.words, budgetAt, 1, loopBellAt),
  pollUs: 0,
});

function open(channel, bell) {
  const end = Channel.open(arena, channel, 0, { owner: anonymousOwner(7), bellAt: bell.at });
  return new BlockingChannelCarrier({ region: arena, channel: end, capacityBytes: channel.capacityBytes }, bell);
}

const connections = { calls: open(calls, new Doorbell(arena, callsBellAt)), events: open(events, loopBell) };
const client = new BlockingClient(connections, key, new SystemRng());
const sockets = new ClientSockets(client, setImmediate);
loop.add(connections.events);
const alive = setInterval(() => {}, 1000);

const at = SocketAddress.ipv4(0x7f000001, 80);
const listener = sockets.stream();
const bound = [listener.bind(at), listener.listen(5), sockets.stream().bind(at)];
const stream = sockets.stream();
const sent = Uint8Array.from({ length: 400_000 }, (_, i) => i);
const got = [];
let at0 = 0;
listener.onEvents = () => {
  const accepted = listener.accept();
  if (accepted === null) return;
  accepted.onEvents = () => {
    const into = new Uint8Array(65536);
    for (;;) {
      const count = accepted.receive(into, 0, into.length);
      if (count > 0) got.push(into.slice(0, count));
      else if (count === 0) {
        accepted.onEvents = null;
        finish();
      }
      if (count <= 0) return;
    }
  };
};
stream.onEvents = () => {
  while (at0 < sent.length) {
    const count = stream.send(sent, at0, sent.length - at0);
    if (count < 0) return;
    at0 += count;
  }
  stream.shutdown();
};
stream.connect(at);

function finish() {
  parentPort.postMessage({ bound, same: Buffer.concat(got).equals(sent), about: client.about });
}

parentPort.on('message', (what) => {
  if (what === 'call') {
    // Waits until the kernel is gone.
    parentPort.postMessage({ result: sockets.stream().bind(at), lost: stream.error });
  } else {
    clearInterval(alive);
    loop.close();
    process.exit(0);
  }
});
