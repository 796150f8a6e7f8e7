/**
 * One kernel with two CPUs as agents of the simulated host: connections on both, a listener that both feed.
 */

import { describe, expect, it } from 'vitest';
import { SeededRng } from '../base/rng.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Cpu } from '../kern/cpu.ts';
import { createNetwork, networkBytes, openVni } from '../link/index.ts';
import { Counters } from '../mem/counters.ts';
import { Heap } from '../mem/heap.ts';
import { Arena } from '../mem/index.ts';
import type { DeviceLink } from '../net/device-link.ts';
import type { Interface } from '../net/interface.ts';
import { SocketAddress, type StreamSocket } from '../socket/socket.ts';
import type { KernelMemory } from './create.ts';
import { Kernel } from './kernel.ts';
import { KernelCpu } from './kernel-cpu.ts';

const HEAP_BYTES = 16 << 20;
const BYTES = 300_000;
const SECOND = 1_000_000;

/** A server of two CPUs, 192.0.2.1 by eth0 of CPU 0 and 198.51.100.1 by eth1 of CPU 1, and a client at .2 of both. */
function world() {
  const ports = { ports: 2 };
  const arena = Arena.create(2 * networkBytes(ports) + 3 * HEAP_BYTES + (16 << 20));
  const networks = [createNetwork(arena, ports), createNetwork(arena, ports)];
  const simulation = new Simulation(1);
  const [server, client] = [1, 2].map((host) => {
    const interfaces = networks.map((network, n) => ({
      device: ({ bulk }: KernelMemory) =>
        openVni(arena, bulk, network, host - 1, { name: `k${host}/eth${n}`, mac: { hi: 0x0200 + n, lo: host } }),
      addresses: [`${n === 0 ? '192.0.2' : '198.51.100'}.${host}/24`],
    }));
    return Kernel.create({ name: `k${host}`, arena, host: simulation.host(), heapBytes: HEAP_BYTES, interfaces });
  }) as [Kernel, Kernel];
  const { inet } = server;
  const cpu = new Cpu({
    number: 1,
    shared: inet.shared,
    heap: new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES),
    rng: new SeededRng(7),
    counters: Counters.open(arena, 'k1/cpu1', 640),
    nowUs: () => simulation.nowUs(),
  });
  const second = new KernelCpu({
    cpu,
    kernel: inet,
    inet: inet.addCpu(cpu),
    loopback: inet.interface('lo0')?.link as DeviceLink,
    requestWork: () => {},
    turned: () => {},
  });
  inet.interfaceTable.assign(inet.interface('eth1') as Interface, 1);
  simulation.add(...server.cpus, second, ...client.cpus);
  return { simulation, server, second, client };
}

/** Sends `BYTES` bytes that count upwards, then the end. */
function send(socket: StreamSocket): void {
  const bytes = new Uint8Array(1000);
  let sent = 0;
  socket.onEvents = () => {
    while (sent < BYTES) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = (sent + i) % 251;
      const count = socket.send(bytes, 0, Math.min(bytes.length, BYTES - sent));
      if (count < 0) return;
      sent += count;
    }
    socket.shutdown();
  };
}

/** Counts the bytes that arrive in order; -1 for one that is wrong. */
function receive(socket: StreamSocket, done: (bytes: number) => void): void {
  const bytes = new Uint8Array(4096);
  let received = 0;
  const read = (): void => {
    for (;;) {
      const count = socket.receive(bytes, 0, bytes.length);
      if (count === 0) done(received);
      if (count <= 0) return;
      for (let i = 0; i < count; i++) if (bytes[i] !== (received + i) % 251) done(-1);
      received += count;
    }
  };
  socket.onEvents = read;
  read();
}

/** Accepts on port 80; the result of each connection is added at its end. */
function serve(kernel: Kernel): number[] {
  const results: number[] = [];
  const listener = kernel.sockets.stream();
  listener.bind(SocketAddress.any(4, 80));
  listener.listen(4);
  listener.onEvents = () => {
    for (let socket = listener.accept(); socket !== null; socket = listener.accept()) {
      receive(socket, (bytes) => results.push(bytes));
    }
  };
  return results;
}

describe('a kernel with two CPUs', () => {
  it('accepts at one socket what arrives at either, and each CPU works for its own connections', () => {
    const { simulation, server, second, client } = world();
    const results = serve(server);
    for (const address of [0xc0000201, 0xc6336401]) {
      const socket = client.sockets.stream();
      send(socket);
      socket.connect(SocketAddress.ipv4(address | 0, 80));
    }
    expect(simulation.runUntil(() => results.length === 2, 60 * SECOND)).toBe(true);
    expect(results).toEqual([BYTES, BYTES]);
    const received = [server.cpus[0], second].map(
      ({ cpu }) => cpu.counters.snapshot()['tcp-bytes-received-in-sequence'],
    );
    expect(received).toEqual([BYTES, BYTES]);
    expect(server.control('counter.list', {})['tcp-bytes-received-in-sequence']).toBe(2 * BYTES);
  });

  it('has programs on either, whose sockets take ports from one table', () => {
    const { simulation, server, second, client } = world();
    const results = serve(client);
    const own = server.sockets.datagram();
    expect(own.bind(SocketAddress.any(4, 53))).toBe(0);
    expect(second.sockets.datagram().bind(SocketAddress.any(4, 53))).toBeLessThan(0);
    const sockets = [server.sockets, second.sockets].map((layer) => layer.stream());
    sockets.forEach((socket, n) => {
      send(socket);
      socket.connect(SocketAddress.ipv4((n === 0 ? 0xc0000202 : 0xc6336402) | 0, 80));
    });
    expect(simulation.runUntil(() => results.length === 2, 60 * SECOND)).toBe(true);
    expect(results).toEqual([BYTES, BYTES]);
  });
});
