import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import { EVENT_ACCEPTABLE, EVENT_CONNECTED, EVENT_READABLE, type StreamSocket } from './socket.ts';

const LOCALHOST = 0x7f000001;

function boot(): { simulation: Simulation; kernel: Kernel } {
  const simulation = new Simulation(1);
  const kernel = new Kernel({ name: 'k', arena: Arena.create(64 << 20), host: simulation.host() });
  simulation.add(kernel);
  return { simulation, kernel };
}

/** What was sent by calls from outside has to be flushed first, as the host does on `requestWork`. */
function settle(simulation: Simulation, kernel: Kernel): void {
  kernel.flush();
  simulation.settle();
}

describe('TcpSocket over loopback', () => {
  it('connects, carries data both ways, closes', () => {
    const { simulation, kernel } = boot();
    const server = kernel.sockets.stream();
    expect(server.bind(0, 80)).toBe(0);
    expect(server.listen(8)).toBe(0);
    let accepted: StreamSocket | null = null;
    server.onEvents = (events) => {
      expect(events).toBe(EVENT_ACCEPTABLE);
      accepted = server.accept();
    };
    const client = kernel.sockets.stream();
    let connected = false;
    client.onEvents = (events) => {
      if (events & EVENT_CONNECTED) connected = true;
    };
    expect(client.connect(LOCALHOST, 80)).toBe(-Errno.EINPROGRESS);
    settle(simulation, kernel);
    expect(connected).toBe(true);
    expect(client.state).toBe('ESTABLISHED');
    const peer = accepted as unknown as StreamSocket;
    expect(peer.state).toBe('ESTABLISHED');
    const text = new TextEncoder().encode('hello');
    expect(client.send(text, 0, 5)).toBe(5);
    settle(simulation, kernel);
    const into = new Uint8Array(100);
    expect(peer.receive(into, 0, 100)).toBe(5);
    expect(new TextDecoder().decode(into.subarray(0, 5))).toBe('hello');
    client.close();
    settle(simulation, kernel);
    expect(peer.receive(into, 0, 100)).toBe(0);
    peer.close();
    simulation.run(simulation.nowUs() + 120_000_000);
    server.close();
    expect(kernel.tcp.sockets()).toEqual([]);
  });

  it('carries a megabyte', () => {
    const { simulation, kernel } = boot();
    const server = kernel.sockets.stream();
    server.bind(0, 80);
    server.listen(8);
    const client = kernel.sockets.stream();
    client.connect(LOCALHOST, 80);
    settle(simulation, kernel);
    const peer = server.accept() as StreamSocket;
    const data = new Uint8Array(1 << 20).map((_, i) => i * 7 + (i >> 8));
    const got: number[] = [];
    const into = new Uint8Array(65536);
    peer.onEvents = (events) => {
      if (events & EVENT_READABLE)
        for (let n = 0; (n = peer.receive(into, 0, into.length)) > 0; ) got.push(...into.subarray(0, n));
    };
    let sent = 0;
    const push = (): void => {
      while (sent < data.length) {
        const n = client.send(data, sent, data.length - sent);
        if (n <= 0) break;
        sent += n;
      }
    };
    client.onEvents = push;
    push();
    simulation.runUntil(() => got.length === data.length, 10_000_000);
    expect(Uint8Array.from(got)).toEqual(data);
  });
});
