import { beforeEach, describe, expect, it } from 'vitest';
import { SeededRng } from '../base/rng.ts';
import type { Device } from '../link/device.ts';
import { createNetwork, networkBytes, openVni } from '../link/index.ts';
import { Arena } from '../mem/index.ts';
import { DatagramInfo, SocketAddress } from '../socket/socket.ts';
import type { KernelMemory } from './create.ts';
import { Kernel } from './kernel.ts';

const HEAP_BYTES = 16 << 20;
const SERVER = 0xc0000202 | 0;

/** Two kernels, 192.0.2.1 and .2, on one network; nothing moves unless a turn is given. */
let client: Kernel;
let server: Kernel;

beforeEach(() => {
  const ports = { ports: 2 };
  const arena = Arena.create(networkBytes(ports) + 2 * HEAP_BYTES + (8 << 20));
  const network = createNetwork(arena, ports);
  const open = (port: number): Kernel => {
    const heap = { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES };
    const host = { rng: new SeededRng(port + 1), nowUs: () => 0, epochNs: 0n, requestWork: () => {} };
    const options = { name: `k${port}/eth0`, mac: { hi: 0x0200, lo: port + 1 } };
    const device = ({ bulk }: KernelMemory): Device => openVni(arena, bulk, network, port, options);
    const interfaces = [{ device, addresses: [`192.0.2.${port + 1}/24`] }];
    return Kernel.create({ name: `k${port}`, arena, host, heap, interfaces });
  };
  client = open(0);
  server = open(1);
});

function settle(): void {
  for (let turns = 0; turns < 4; turns++) {
    client.cpus[0].doWork(0);
    server.cpus[0].doWork(0);
  }
}

describe('one turn of a kernel', () => {
  it('publishes what a handler sent before the next handler runs', () => {
    const info = new DatagramInfo();
    const bytes = new Uint8Array(4);
    const there: boolean[] = [];
    for (const port of [7, 8]) {
      const socket = server.sockets.datagram();
      socket.bind(SocketAddress.any(4, port));
      socket.onEvents = () => {
        there.push(client.inet.cpus[0].pending);
        if (socket.receive(bytes, 0, 4, info) >= 0) socket.send(bytes, 0, 4, info.from);
      };
    }
    const socket = client.sockets.datagram();
    socket.send(bytes, 0, 4, SocketAddress.ipv4(SERVER, 9));
    settle(); // both know each other's addresses
    for (const port of [7, 8]) socket.send(bytes, 0, 4, SocketAddress.ipv4(SERVER, port));
    client.cpus[0].flush();
    expect(client.inet.cpus[0].pending).toBe(false);
    server.cpus[0].doWork(0);
    expect(there).toEqual([false, true]);
  });

  it('shows the connections there are before a handler runs, which may not return for long', () => {
    const open = (): number => server.cpus[0].cpu.counters.snapshot()['tcp-connections-open'] as number;
    const listener = server.sockets.stream();
    listener.bind(SocketAddress.any(4, 7));
    listener.listen(1);
    const seen: number[] = [];
    listener.onEvents = () => seen.push(open());
    const stream = client.sockets.stream();
    stream.connect(SocketAddress.ipv4(SERVER, 7));
    settle();
    expect(seen).toEqual([1]);
    stream.abort();
    settle();
    expect(open()).toBe(0);
  });

  it('lets the program run before it takes the next batch from a device', () => {
    const receiver = server.sockets.datagram();
    receiver.bind(SocketAddress.any(4, 7));
    const sender = client.sockets.datagram();
    const bytes = new Uint8Array(100);
    sender.send(bytes, 0, 100, SocketAddress.ipv4(SERVER, 9));
    settle();
    let calls = 0;
    receiver.onEvents = () => {
      calls++;
      while (receiver.receive(bytes, 0, 100, new DatagramInfo()) >= 0) received++;
    };
    let received = 0;
    for (let i = 0; i < 200; i++) sender.send(bytes, 0, 100, SocketAddress.ipv4(SERVER, 7));
    client.cpus[0].flush();
    server.cpus[0].doWork(0);
    expect(calls).toBe(1);
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(200);
    // The rest waits in the ring, where the sender sees that it waits.
    expect(server.cpus[0].workPending()).toBe(true);
    while (server.cpus[0].workPending()) server.cpus[0].doWork(0);
    expect(received).toBe(200);
  });
});
