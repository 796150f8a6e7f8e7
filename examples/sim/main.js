/**
 * A transfer over a link that delays and loses, on a clock that jumps: seconds of network in milliseconds of work, and the
 * same again for the same seed.
 */

import { Kernel } from 'multikernel/kernel';
import { createNetwork, ImpairedDevice, openVni } from 'multikernel/link';
import { Arena } from 'multikernel/mem';
import { Simulation } from 'multikernel/sim';
import { EVENT_ACCEPTABLE, EVENT_READABLE, SocketAddress } from 'multikernel/socket';
import { ethernet } from 'multikernel/wire';

const BYTES = 1_000_000;

/** Sends `BYTES` from a to b; returns when the last arrived, and how many segments were sent again. */
function transfer(seed, loss) {
  const simulation = new Simulation(seed);
  const arena = Arena.create(192 * 1024 * 1024);
  const segment = createNetwork(arena, { ports: 2 });
  const [a, b] = ['a', 'b'].map((name, port) => {
    const host = simulation.host();
    const mac = ethernet.parseMac(`02:00:00:00:00:0${port + 1}`);
    const device = ({ bulk }) => {
      const link = openVni(arena, bulk, segment, port, { name: `${name}/eth0`, mac });
      const impaired = new ImpairedDevice(link, arena, bulk, { clock: host, rng: host.rng });
      impaired.impair('out', { delayUs: 10_000, rateBps: 100e6, loss });
      return impaired;
    };
    const interfaces = [{ device, addresses: [`10.0.0.${port + 1}/24`] }];
    const kernel = Kernel.create({ name, arena, host, interfaces });
    simulation.add(...kernel.cpus);
    return kernel;
  });
  simulation.run(5_000_000);

  let received = 0;
  const into = new Uint8Array(65_536);
  const listener = b.sockets.stream();
  listener.bind(SocketAddress.any(4, 80));
  listener.listen(1);
  listener.onEvents = (events) => {
    if ((events & EVENT_ACCEPTABLE) === 0) return;
    const peer = listener.accept();
    peer.onEvents = (more) => {
      if ((more & EVENT_READABLE) === 0) return;
      for (let count = 1; count > 0; ) {
        count = peer.receive(into, 0, into.length);
        if (count > 0) received += count;
      }
    };
  };

  const data = new Uint8Array(BYTES).fill(7);
  const socket = a.sockets.stream();
  let sent = 0;
  const startUs = simulation.nowUs();
  socket.connect(SocketAddress.from('10.0.0.2', 80));
  socket.onEvents = () => {
    for (let count = 1; count > 0 && sent < BYTES; ) {
      count = socket.send(data, sent, BYTES - sent);
      if (count > 0) sent += count;
    }
  };
  if (!simulation.runUntil(() => received === BYTES, startUs + 600e6)) throw new Error(`${received} bytes arrived`);
  return { seconds: ((simulation.nowUs() - startUs) / 1e6).toFixed(3), retransmits: socket.retransmits };
}

for (const loss of [0, 0.01, 0.05]) {
  for (const seed of [1, 2, 2]) {
    const { seconds, retransmits } = transfer(seed, loss);
    console.log(`loss ${loss}, seed ${seed}: ${BYTES} bytes in ${seconds} s, ${retransmits} retransmissions`);
  }
}
