import { describe, expect, it } from 'vitest';
import { counting } from '../../test/fixtures/packets.ts';
import { Errno } from '../base/errors.ts';
import { TCP_STATE_NAMES } from '../base/tcp-state-names.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import {
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_SENT,
  EVENT_URGENT,
  EVENT_WRITABLE,
  SocketAddress,
  type StreamSocket,
} from './socket.ts';

const LOCALHOST = 0x7f000001;

/** One kernel with its loopback interface. */
class Bench {
  readonly simulation: Simulation = new Simulation(1);
  readonly kernel: Kernel;

  constructor() {
    this.kernel = Kernel.create({ name: 'k', arena: Arena.create(64 << 20), host: this.simulation.host() });
    this.simulation.add(...this.kernel.cpus);
  }

  stream(): StreamSocket {
    return this.kernel.sockets.stream();
  }

  /** Packets of calls from outside have to be flushed first, as the host does on `requestWork`. */
  settle(): void {
    this.kernel.cpus[0].flush();
    this.simulation.settle();
  }

  listening(port: number, backlog: number = 8): StreamSocket {
    const server = this.stream();
    server.setOption('reuseAddress', true);
    expect(server.bind(SocketAddress.any(4, port))).toBe(0);
    expect(server.listen(backlog)).toBe(0);
    return server;
  }

  /** A connected pair over port 80. */
  pair(): { client: StreamSocket; peer: StreamSocket; server: StreamSocket } {
    const server = this.listening(80);
    const client = this.stream();
    expect(client.connect(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EINPROGRESS);
    this.settle();
    return { client, peer: server.accept() as StreamSocket, server };
  }
}

/** Collect the events of a socket as the bits of each call. */
function watch(socket: StreamSocket): number[] {
  const calls: number[] = [];
  socket.onEvents = (events) => calls.push(events);
  return calls;
}

describe('a stream socket over loopback', () => {
  it('connects, carries data both ways, closes', () => {
    const bench = new Bench();
    const server = bench.listening(80);
    const serverEvents = watch(server);
    const client = bench.stream();
    const clientEvents = watch(client);
    expect(client.state).toBe('CLOSED');
    expect(client.connect(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EINPROGRESS);
    expect(client.state).toBe('SYN_SENT');
    expect(client.connect(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EALREADY);
    bench.settle();
    expect(clientEvents).toEqual([EVENT_CONNECTED]);
    expect(serverEvents).toEqual([EVENT_ACCEPTABLE]);
    expect(client.connect(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EISCONN);
    const peer = server.accept() as StreamSocket;
    expect(server.accept()).toBeNull();
    expect([server.state, client.state, peer.state]).toEqual(['LISTEN', 'ESTABLISHED', 'ESTABLISHED']);
    expect(peer.peer).toEqual(client.local);
    expect(peer.local).toEqual(SocketAddress.ipv4(LOCALHOST, 80));
    const peerEvents = watch(peer);
    expect(client.send(counting(5), 0, 5)).toBe(5);
    bench.settle();
    expect(peerEvents).toEqual([EVENT_READABLE]);
    expect(peer.readableBytes).toBe(5);
    const into = new Uint8Array(100);
    expect(peer.receive(into, 10, 90)).toBe(5);
    expect(into.subarray(10, 15)).toEqual(counting(5));
    expect(peer.receive(into, 0, 100)).toBe(-Errno.EAGAIN);
    client.close();
    bench.settle();
    expect(peer.receive(into, 0, 100)).toBe(0);
    peer.close();
    server.close();
    bench.simulation.run(bench.simulation.nowUs() + 120_000_000);
    expect(bench.kernel.cpus[0].tcp.sockets()).toEqual([]);
  });

  it('carries a megabyte through send buffers that fill', () => {
    const bench = new Bench();
    const { client, peer } = bench.pair();
    const data = counting(1 << 20);
    const got = new Uint8Array(data.length);
    let received = 0;
    let sent = 0;
    let writable = 0;
    peer.onEvents = () => {
      for (let n = 0; n >= 0 && received < got.length; ) {
        n = peer.receive(got, received, 60_000);
        if (n > 0) received += n;
      }
    };
    const push = (events: number): void => {
      if (events & EVENT_WRITABLE) writable++;
      for (let n = 1; n > 0 && sent < data.length; ) {
        n = client.send(data, sent, data.length - sent);
        if (n > 0) sent += n;
      }
    };
    client.onEvents = push;
    push(0);
    expect(sent).toBeLessThan(data.length);
    expect(client.send(data, sent, 1)).toBe(-Errno.EAGAIN);
    bench.kernel.cpus[0].flush();
    bench.simulation.runUntil(() => received === data.length, 10_000_000);
    expect(Buffer.compare(got, data)).toBe(0);
    expect(writable).toBeGreaterThan(0);
    bench.simulation.run(bench.simulation.nowUs() + 100_000);
    expect(client.unsentBytes).toBe(0);
  });

  it('half-closes: the other direction goes on, and the sender learns that all arrived', () => {
    const bench = new Bench();
    const { client, peer } = bench.pair();
    const events = watch(client);
    client.send(counting(10), 0, 10);
    expect(client.shutdown()).toBe(0);
    bench.settle();
    expect(events.reduce((a, b) => a | b, 0) & EVENT_SENT).toBe(EVENT_SENT);
    expect(client.send(counting(1), 0, 1)).toBe(-Errno.EPIPE);
    const into = new Uint8Array(20);
    expect(peer.receive(into, 0, 20)).toBe(10);
    expect(peer.receive(into, 0, 20)).toBe(0);
    expect(peer.send(counting(3), 0, 3)).toBe(3);
    bench.settle();
    expect(client.receive(into, 0, 20)).toBe(3);
  });

  it('tells a refused connection by EVENT_CONNECTED and the error', () => {
    const bench = new Bench();
    const client = bench.stream();
    const events = watch(client);
    expect(client.connect(SocketAddress.ipv4(LOCALHOST, 81))).toBe(-Errno.EINPROGRESS);
    bench.settle();
    expect(events).toEqual([EVENT_CONNECTED]);
    expect(client.error).toBe(-Errno.ECONNREFUSED);
    expect(client.state).toBe('CLOSED');
  });

  it('tells a reset by EVENT_ERROR, then by the calls, once', () => {
    const bench = new Bench();
    const { client, peer } = bench.pair();
    const events = watch(client);
    peer.abort();
    bench.settle();
    expect(events).toEqual([EVENT_ERROR]);
    expect(client.error).toBe(-Errno.ECONNRESET);
    expect(client.receive(new Uint8Array(1), 0, 1)).toBe(-Errno.ECONNRESET);
    expect(client.error).toBe(0);
    expect(client.receive(new Uint8Array(1), 0, 1)).toBe(0);
    expect(client.send(new Uint8Array(1), 0, 1)).toBe(-Errno.EPIPE);
  });

  it('tells what happened before accept', () => {
    const bench = new Bench();
    const server = bench.listening(80);
    const client = bench.stream();
    client.connect(SocketAddress.ipv4(LOCALHOST, 80));
    bench.settle();
    client.send(counting(4), 0, 4);
    client.shutdown();
    bench.settle();
    const peer = server.accept() as StreamSocket;
    const events = watch(peer);
    bench.settle();
    expect(events).toEqual([EVENT_READABLE]);
    const into = new Uint8Array(10);
    expect([peer.receive(into, 0, 10), peer.receive(into, 0, 10)]).toEqual([4, 0]);
  });

  it('marks urgent data, which stays in the stream, and tells of it, before accept too', () => {
    const bench = new Bench();
    const server = bench.listening(80);
    const client = bench.stream();
    client.connect(SocketAddress.ipv4(LOCALHOST, 80));
    bench.settle();
    expect(client.sendUrgent(counting(4), 0, 4)).toBe(4);
    bench.settle();
    const peer = server.accept() as StreamSocket;
    const events = watch(peer);
    bench.settle();
    expect(events).toEqual([EVENT_READABLE | EVENT_URGENT]);
    expect([peer.urgentBytes, peer.readableBytes]).toEqual([4, 4]);
    expect(client.send(counting(10), 0, 10)).toBe(10);
    bench.settle();
    const into = new Uint8Array(20);
    expect(peer.receive(into, 0, 4)).toBe(4);
    expect(peer.urgentBytes).toBe(0);
    expect(peer.receive(into, 4, 16)).toBe(10);
    expect(into.subarray(0, 4)).toEqual(counting(4));
    expect(peer.sendUrgent(counting(1), 0, 1)).toBe(1);
    bench.settle();
    expect(client.urgentBytes).toBe(1);
    expect(client.getOption('oobInline')).toBe(true);
    expect(client.setOption('oobInline', false)).toBe(-Errno.EINVAL);
  });

  it('leaves a network that does not exist alone', () => {
    const bench = new Bench();
    expect(bench.stream().connect(SocketAddress.ipv4(0x08080808, 80))).toBe(-Errno.ENETUNREACH);
    expect(bench.stream().connect(SocketAddress.ipv4(-1, 80))).toBe(-Errno.ENETUNREACH);
    expect(bench.stream().connect(SocketAddress.ipv4(0xe0000001 | 0, 80))).toBe(-Errno.ENETUNREACH);
  });

  it('takes 0.0.0.0 for this machine', () => {
    const bench = new Bench();
    bench.listening(80);
    const client = bench.stream();
    expect(client.connect(SocketAddress.any(4, 80))).toBe(-Errno.EINPROGRESS);
    bench.settle();
    expect(client.state).toBe('ESTABLISHED');
    expect(client.peer.w3).toBe(LOCALHOST);
  });
});

describe('bind and listen', () => {
  it('give an ephemeral port for port 0, and for listen without bind', () => {
    const bench = new Bench();
    const a = bench.stream();
    expect(a.bind(SocketAddress.any(4))).toBe(0);
    expect(a.local.port).toBeGreaterThanOrEqual(49_152);
    const b = bench.stream();
    expect(b.listen(1)).toBe(0);
    expect(b.local.port).not.toBe(a.local.port);
  });

  it('refuse what is taken, what is not ours, and what was done before', () => {
    const bench = new Bench();
    bench.listening(80);
    const second = bench.stream();
    expect(second.bind(SocketAddress.any(4, 80))).toBe(-Errno.EADDRINUSE);
    expect(second.bind(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EADDRINUSE);
    expect(second.bind(SocketAddress.ipv4(0x08080808, 81))).toBe(-Errno.EADDRNOTAVAIL);
    expect(second.bind(SocketAddress.any(4, 81))).toBe(0);
    expect(second.bind(SocketAddress.any(4, 82))).toBe(-Errno.EINVAL);
    expect(second.listen(1)).toBe(0);
    expect(second.listen(5)).toBe(0);
    expect(second.connect(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EISCONN);
  });

  it.each([
    ['224.0.0.1', 0],
    ['255.255.255.255', 0],
    ['127.255.255.255', 0],
    ['::ffff:224.0.0.1', 0],
    ['240.0.0.1', -Errno.EADDRNOTAVAIL],
    ['fe80::1', -Errno.EINVAL],
    ['fe80::1%99', -Errno.ENODEV],
    ['fe80::1%1', -Errno.EADDRNOTAVAIL],
    ['ff02::fb', -Errno.EINVAL],
    ['ff0e::fb', -Errno.EINVAL],
  ])('of %s on a machine with lo0 alone give %d, as on Linux', (text, result) => {
    const socket = new Bench().kernel.sockets.stream(text.includes(':') ? 6 : 4);
    expect(socket.bind(SocketAddress.from(text, 80) as SocketAddress)).toBe(result);
    if (result === 0) expect(socket.listen(1)).toBe(0);
  });

  it('let a socket bound to a group connect by an address of the route', () => {
    const bench = new Bench();
    bench.listening(80);
    const client = bench.stream();
    expect(client.bind(SocketAddress.from('224.0.0.1', 4000) as SocketAddress)).toBe(0);
    expect(client.connect(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EINPROGRESS);
    bench.settle();
    expect([client.state, client.local.format(), client.local.port]).toEqual(['ESTABLISHED', '127.0.0.1', 4000]);
  });

  it('share a port with SO_REUSEADDR unless one listens, with SO_REUSEPORT in any case', () => {
    const bench = new Bench();
    const [a, b] = [bench.stream(), bench.stream()];
    for (const socket of [a, b]) {
      socket.setOption('reuseAddress', true);
      expect(socket.bind(SocketAddress.any(4, 90))).toBe(0);
    }
    expect(a.listen(1)).toBe(0);
    expect(b.listen(1)).toBe(-Errno.EADDRINUSE);
    const ports = [bench.stream(), bench.stream()];
    for (const socket of ports) {
      socket.setOption('reusePort', true);
      expect(socket.bind(SocketAddress.any(4, 91))).toBe(0);
      expect(socket.listen(16)).toBe(0);
    }
    const clients = Array.from({ length: 16 }, () => bench.stream());
    for (const client of clients) client.connect(SocketAddress.ipv4(LOCALHOST, 91));
    bench.settle();
    const accepted = ports.map((socket) => {
      let count = 0;
      while (socket.accept() !== null) count++;
      return count;
    });
    expect((accepted[0] as number) + (accepted[1] as number)).toBe(16);
    expect(Math.min(...accepted)).toBeGreaterThan(0);
  });

  it('free the port with the last connection that uses it; SO_REUSEADDR does not wait for TIME_WAIT', () => {
    const bench = new Bench();
    const { client, peer, server } = bench.pair();
    server.close();
    // The connection goes on, and holds the port against sockets that do not reuse it.
    const strict = bench.stream();
    expect(strict.bind(SocketAddress.any(4, 80))).toBe(-Errno.EADDRINUSE);
    peer.close();
    bench.settle();
    client.close();
    bench.settle();
    expect(bench.kernel.cpus[0].tcp.timeWait.count).toBe(1);
    expect(strict.bind(SocketAddress.any(4, 80))).toBe(-Errno.EADDRINUSE);
    const reuse = bench.stream();
    reuse.setOption('reuseAddress', true);
    expect(reuse.bind(SocketAddress.any(4, 80))).toBe(0);
    expect(reuse.listen(1)).toBe(0);
    reuse.close();
    bench.simulation.run(bench.simulation.nowUs() + 61_000_000);
    expect(strict.bind(SocketAddress.any(4, 80))).toBe(0);
  });

  it.each(['client', 'server', 'both'])(
    'let the same port connect to the same server again at once: %s closed first',
    (first) => {
      const bench = new Bench();
      const server = bench.listening(80);
      for (let round = 0; round < 3; round++) {
        bench.simulation.run(bench.simulation.nowUs() + 1000);
        const client = bench.stream();
        client.setOption('reuseAddress', true);
        expect(client.bind(SocketAddress.ipv4(LOCALHOST, 16100))).toBe(0);
        expect(client.connect(SocketAddress.ipv4(LOCALHOST, 80))).toBe(-Errno.EINPROGRESS);
        bench.settle();
        expect(client.state).toBe('ESTABLISHED');
        const peer = server.accept() as StreamSocket;
        (first === 'server' ? peer : client).close();
        if (first !== 'both') bench.settle();
        (first === 'server' ? client : peer).close();
        bench.settle();
        expect(bench.kernel.cpus[0].tcp.timeWait.count).toBe(first === 'both' ? 2 : 1);
      }
    },
  );

  it('reset what was not accepted when the listener closes', () => {
    const bench = new Bench();
    const server = bench.listening(80);
    const client = bench.stream();
    client.connect(SocketAddress.ipv4(LOCALHOST, 80));
    bench.settle();
    const events = watch(client);
    server.close();
    bench.settle();
    expect(events).toEqual([EVENT_ERROR]);
    expect(client.error).toBe(-Errno.ECONNRESET);
  });

  it('show every socket', () => {
    const bench = new Bench();
    const { client } = bench.pair();
    client.send(counting(10), 0, 10);
    bench.settle();
    const rows = bench.kernel.cpus[0].tcp.sockets();
    expect(rows.map((row) => TCP_STATE_NAMES[row.state]).sort()).toEqual(['ESTABLISHED', 'ESTABLISHED', 'LISTEN']);
    expect(rows.find((row) => row.receiveQueueBytes === 10)?.localPort).toBe(80);
  });
});

describe('options', () => {
  it('are kept, checked and inherited', () => {
    const bench = new Bench();
    const server = bench.listening(80);
    server.setOption('keepAlive', true);
    server.setOption('keepIdleMs', 5000);
    server.setOption('ttl', 7);
    expect(server.setOption('ttl', 300)).toBe(-Errno.EINVAL);
    expect(server.setOption('keepCount', 0)).toBe(-Errno.EINVAL);
    expect(server.setOption('multicastTtl', 3)).toBe(-Errno.ENOPROTOOPT);
    expect(server.setOption('sendBufferBytes', 100)).toBe(0);
    const client = bench.stream();
    client.setOption('receiveBufferBytes', 50_000);
    client.connect(SocketAddress.ipv4(LOCALHOST, 80));
    bench.settle();
    const peer = server.accept() as StreamSocket;
    expect([peer.getOption('keepAlive'), peer.getOption('keepIdleMs'), peer.getOption('ttl')]).toEqual([true, 5000, 7]);
    expect(peer.getOption('sendBufferBytes')).toBe(2048);
    expect(client.getOption('receiveBufferBytes')).toBe(50_000);
    expect(client.getOption('noDelay')).toBe(false);
    expect(client.getOption('reuseAddress')).toBe(false);
    expect(client.getOption('broadcast')).toBe(false);
  });

  it('of a closed socket do no harm', () => {
    const bench = new Bench();
    const { client } = bench.pair();
    client.close();
    client.close();
    client.abort();
    expect(client.send(counting(1), 0, 1)).toBe(-Errno.EBADF);
    expect(client.receive(counting(1), 0, 1)).toBe(-Errno.EBADF);
    expect(client.bind(SocketAddress.any(4, 1))).toBe(-Errno.EINVAL);
    expect(client.setOption('noDelay', true)).toBe(0);
  });
});
