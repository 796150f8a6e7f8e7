import { expect, it } from 'vitest';
import { Kernel } from '../../kernel/kernel.ts';
import { createNetwork } from '../../link/network.ts';
import { openVni } from '../../link/open-vni.ts';
import { Arena } from '../../mem/arena.ts';
import { DatagramInfo, EVENT_READABLE, SocketAddress } from '../../socket/socket.ts';
import { Simulation } from './simulation.ts';

it('settle publishes what programs sent between turns', () => {
  const simulation = new Simulation(1);
  const arena = Arena.create(96 << 20);
  const segment = createNetwork(arena, { ports: 2 });
  const [a, b] = [0, 1].map((port) => {
    const mac = { hi: 0x0200, lo: port + 1 };
    const interfaces = [
      {
        device: ({ bulk }: { bulk: Parameters<typeof openVni>[1] }) =>
          openVni(arena, bulk, segment, port, { name: `k${port}/eth0`, mac }),
        addresses: [`10.0.0.${port + 1}/24`],
      },
    ];
    const kernel = Kernel.create({ name: `k${port}`, arena, host: simulation.host(), heapBytes: 8 << 20, interfaces });
    simulation.add(...kernel.cpus);
    return kernel;
  }) as [Kernel, Kernel];
  simulation.run(5_000_000);
  const receiver = a.sockets.datagram();
  receiver.bind(SocketAddress.any(4, 7));
  let readable = 0;
  receiver.onEvents = (events) => {
    if ((events & EVENT_READABLE) !== 0) readable++;
  };
  const sender = b.sockets.datagram();
  // The receiver has its turn first, and the sender's turn finds nothing to do.
  for (let n = 1; n <= 2; n++) {
    sender.send(new Uint8Array(8), 0, 8, SocketAddress.from('10.0.0.1', 7));
    simulation.settle();
    expect(readable).toBe(n);
    receiver.receive(new Uint8Array(8), 0, 8, new DatagramInfo());
  }
});
