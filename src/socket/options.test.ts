import { describe, expect, it } from 'vitest';
import { FakeDevice } from '../../test/fixtures/fake-device.ts';
import { type Bytes, ether, hex, ip, ip4, mac, type Packet, parse, tcp, udp } from '../../test/fixtures/packets.ts';
import { Errno } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import { DatagramInfo, EVENT_ERROR, SocketAddress, type StreamSocket } from './socket.ts';

/**
 * Effects of each option of a socket on the packets, or on the times at which they leave: one kernel whose neighbor is played
 * by the test.
 */
const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const OWN_MAC = '02:00:00:00:00:01';
const PEER_MAC = '02:00:00:00:00:aa';
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const SECOND = 1_000_000;

interface Segment {
  flags: number;
  seq: number;
  ack: number;
  window: number;
  bytes: number;
  ttl: number;
  tos: number;
  atUs: number;
}

class Bench {
  readonly simulation: Simulation = new Simulation(1);
  readonly kernel: Kernel;
  readonly device: FakeDevice;
  readonly #startUs: number;
  peerSeq = 1000;
  ownSeq = 0;
  ports: [peer: number, own: number] = [80, 0];

  constructor() {
    const arena = Arena.create(64 << 20);
    this.kernel = Kernel.create({ name: 'k', arena, host: this.simulation.host() });
    this.device = new FakeDevice(arena, 'eth0', mac(OWN_MAC));
    const iface = this.kernel.attach(this.device, 'eth0');
    this.kernel.inet.configure(iface, ip(OWN), 24);
    const { hi, lo } = mac(PEER_MAC);
    this.kernel.inet.ip4.neighbors.addStatic(iface, ip(PEER), hi, lo, true, false);
    this.simulation.add(...this.kernel.cpus);
    this.run(10 * SECOND);
    this.device.take();
    this.#startUs = this.simulation.nowUs();
  }

  /** Index of eth0. */
  get interfaceIndex(): number {
    return this.kernel.sockets.interfaceIndex('eth0');
  }

  run(us: number): void {
    this.kernel.cpus[0].flush();
    this.simulation.run(this.simulation.nowUs() + us);
  }

  get nowUs(): number {
    return this.simulation.nowUs() - this.#startUs;
  }

  /** Packets sent to the peer since the last call. */
  packets(): Packet[] {
    this.run(0);
    return this.device.take().map(parse);
  }

  segments(): Segment[] {
    return this.packets().flatMap(({ payload, protocol, ttl, tos }) => {
      if (protocol !== 6) return [];
      const view = new DataView(payload.buffer, payload.byteOffset);
      this.ports[1] = view.getUint16(0);
      const flags = view.getUint8(13);
      const bytes = payload.length - (view.getUint8(12) >> 4) * 4;
      const seq = view.getUint32(4);
      this.ownSeq = (seq + bytes + (flags & (SYN | FIN) ? 1 : 0)) >>> 0;
      const [ack, window] = [view.getUint32(8), view.getUint16(14)];
      return [{ flags, seq, ack, window, bytes, ttl, tos, atUs: this.nowUs }];
    });
  }

  answer(flags: number, bytes: number = 0): void {
    const segment = tcp(PEER, OWN, this.ports, this.peerSeq, this.ownSeq, flags, new Uint8Array(bytes));
    this.peerSeq += bytes + (flags & (SYN | FIN) ? 1 : 0);
    this.device.put(ether(OWN_MAC, PEER_MAC, 0x0800, ip4({ src: PEER, dst: OWN, protocol: 6 }, segment)));
    this.run(0);
  }

  put(payload: Bytes, protocol: number): void {
    this.device.put(ether(OWN_MAC, PEER_MAC, 0x0800, ip4({ src: PEER, dst: OWN, protocol }, payload)));
    this.run(0);
  }

  /** Connected to the peer's port 80, the handshake's segments returned. */
  connect(configure: (socket: StreamSocket) => void = () => {}): { socket: StreamSocket; handshake: Segment[] } {
    const socket = this.kernel.sockets.stream();
    configure(socket);
    expect(socket.connect(SocketAddress.ipv4(ip(PEER), 80))).toBe(-Errno.EINPROGRESS);
    const handshake = this.segments();
    this.answer(SYN | ACK);
    handshake.push(...this.segments());
    expect(socket.state).toBe('ESTABLISHED');
    return { socket, handshake };
  }
}

const data = new Uint8Array(100_000);

describe('stream socket options', () => {
  it('ttl and tos go into every segment: SYN, data, ACK, FIN', () => {
    const bench = new Bench();
    const { socket, handshake } = bench.connect((one) => {
      expect([one.setOption('ttl', 7), one.setOption('tos', 0x28)]).toEqual([0, 0]);
      expect([one.setOption('ttl', 0), one.setOption('ttl', 256), one.setOption('tos', 256)]).toEqual([
        -Errno.EINVAL,
        -Errno.EINVAL,
        -Errno.EINVAL,
      ]);
    });
    socket.send(data, 0, 10);
    bench.answer(ACK, 5);
    socket.receive(new Uint8Array(10), 0, 10);
    socket.close();
    const all = [...handshake, ...bench.segments()];
    expect(all.map(({ ttl, tos }) => [ttl, tos])).toEqual(all.map(() => [7, 0x28]));
    expect(all.map(({ flags }) => flags & ~8)).toEqual([SYN, ACK, ACK, ACK, FIN | ACK]);
  });

  it('ttl and tos change on the fly, and are those of a reset', () => {
    const bench = new Bench();
    const { socket } = bench.connect();
    socket.setOption('ttl', 9);
    socket.abort();
    expect(bench.segments()).toMatchObject([{ flags: RST | ACK, ttl: 9 }]);
  });

  it('noDelay sends small segments at once (TCP_NODELAY)', () => {
    for (const noDelay of [false, true]) {
      const bench = new Bench();
      const { socket } = bench.connect((one) => one.setOption('noDelay', noDelay));
      for (let i = 0; i < 3; i++) socket.send(data, 0, 10);
      expect(bench.segments().map(({ bytes }) => bytes)).toEqual(noDelay ? [10, 10, 10] : [10]);
      // Switched on later, it pushes out what was held.
      if (!noDelay) {
        expect(socket.setOption('noDelay', true)).toBe(0);
        expect(bench.segments().map(({ bytes }) => bytes)).toEqual([20]);
      }
    }
  });

  it('keepAlive probes after keepIdleMs, then each keepIntervalMs, keepCount times', () => {
    const bench = new Bench();
    const { socket } = bench.connect((one) => {
      for (const [name, value] of [
        ['keepAlive', true],
        ['keepIdleMs', 5000],
        ['keepIntervalMs', 1000],
        ['keepCount', 3],
      ] as const) {
        expect([one.setOption(name, value), one.getOption(name)]).toEqual([0, value]);
      }
      expect([one.setOption('keepIdleMs', 0), one.setOption('keepCount', 0)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
    });
    const events: number[] = [];
    socket.onEvents = (event) => events.push(event);
    const probes: number[] = [];
    let reset = 0;
    for (let ms = 0; ms < 10_000; ms += 500) {
      bench.run(500_000);
      for (const { flags } of bench.segments()) {
        if (flags & RST) reset = bench.nowUs / 1000;
        else probes.push(bench.nowUs / 1000);
      }
    }
    expect(probes).toEqual([5000, 6000, 7000]);
    expect([reset, events, socket.error]).toEqual([8000, [EVENT_ERROR], -Errno.ETIMEDOUT]);
  });

  it('keepAlive switched on or off later begins or ends the idle time', () => {
    const bench = new Bench();
    const { socket } = bench.connect((one) => one.setOption('keepIdleMs', 2000));
    bench.run(10 * SECOND);
    expect(bench.segments()).toEqual([]);
    socket.setOption('keepAlive', true);
    bench.run(2 * SECOND);
    expect(bench.segments().length).toBe(1);
    bench.answer(ACK);
    socket.setOption('keepAlive', false);
    bench.run(100 * SECOND);
    expect(bench.segments()).toEqual([]);
  });

  it('lingerMs 0 makes close a reset; otherwise it is a FIN and close does not wait', () => {
    for (const [lingerMs, flags] of [
      [-1, FIN | ACK],
      [0, RST | ACK],
      [5000, FIN | ACK],
    ] as const) {
      const bench = new Bench();
      const { socket } = bench.connect((one) => one.setOption('lingerMs', lingerMs));
      expect(socket.getOption('lingerMs')).toBe(lingerMs);
      socket.close();
      expect(bench.segments().map((segment) => segment.flags)).toEqual([flags]);
    }
  });

  it('receiveBufferBytes is the window that is offered, before the handshake and after', () => {
    const bench = new Bench();
    const { socket, handshake } = bench.connect((one) => one.setOption('receiveBufferBytes', 20_000));
    expect(handshake.map(({ window }) => window)).toEqual([20_000, 20_000]);
    expect(socket.getOption('receiveBufferBytes')).toBe(20_000);
    bench.answer(ACK, 10_000);
    expect(bench.segments().at(-1)?.window).toBe(10_000);
    socket.setOption('receiveBufferBytes', 40_000);
    bench.answer(ACK, 10);
    expect(bench.segments().at(-1)?.window).toBe(29_990);
    expect(socket.setOption('receiveBufferBytes', -1)).toBe(-Errno.EINVAL);
    socket.setOption('receiveBufferBytes', 1);
    expect(socket.getOption('receiveBufferBytes')).toBe(2048);
  });

  it('sendBufferBytes is what send takes', () => {
    const bench = new Bench();
    const { socket } = bench.connect((one) => one.setOption('sendBufferBytes', 5000));
    expect(socket.send(data, 0, 100_000)).toBe(5000);
    expect([socket.send(data, 0, 1), socket.writableBytes]).toEqual([-Errno.EAGAIN, 0]);
    socket.setOption('sendBufferBytes', 9000);
    expect(socket.send(data, 0, 100_000)).toBe(4000);
  });

  it('userTimeoutMs ends an unanswered connection (TCP_USER_TIMEOUT, RFC 5482)', () => {
    const bench = new Bench();
    const { socket } = bench.connect((one) => expect(one.setOption('userTimeoutMs', 3000)).toBe(0));
    socket.send(data, 0, 10);
    let endedMs = 0;
    for (let ms = 500; ms <= 20_000; ms += 500) {
      bench.run(500_000);
      if (endedMs === 0 && socket.error !== 0) endedMs = ms;
    }
    expect(socket.error).toBe(-Errno.ETIMEDOUT);
    expect(endedMs).toBeGreaterThanOrEqual(3000);
    expect(endedMs).toBeLessThan(10_000);
    expect([socket.getOption('userTimeoutMs'), socket.setOption('userTimeoutMs', -1)]).toEqual([3000, -Errno.EINVAL]);
  });

  it('are inherited by accepted connections', () => {
    const bench = new Bench();
    const server = bench.kernel.sockets.stream();
    server.setOption('ttl', 11);
    server.setOption('tos', 0x10);
    server.setOption('noDelay', true);
    server.bind(SocketAddress.any(4, 8080));
    server.listen(1);
    bench.ports = [4000, 8080];
    bench.answer(SYN);
    expect(bench.segments()).toMatchObject([{ flags: SYN | ACK, ttl: 11, tos: 0x10 }]);
    bench.answer(ACK);
    const accepted = server.accept() as StreamSocket;
    accepted.send(data, 0, 1);
    accepted.send(data, 0, 1);
    bench.ports = [4000, 8080];
    expect(bench.segments()).toMatchObject([
      { bytes: 1, ttl: 11, tos: 0x10 },
      { bytes: 1, ttl: 11, tos: 0x10 },
    ]);
  });

  it('that belong to datagrams are refused', () => {
    const socket = new Bench().kernel.sockets.stream();
    for (const name of ['multicastTtl', 'multicastLoop', 'multicastInterface', 'broadcast'] as const) {
      expect(socket.setOption(name, 1 as never)).toBe(-Errno.ENOPROTOOPT);
    }
  });
});

describe('a listener bound to a group or a broadcast address', () => {
  it.each(['224.0.0.1', '255.255.255.255', '10.0.0.255', '0.0.0.0'])('%s answers no SYN to one', (own) => {
    const bench = new Bench();
    const listener = bench.kernel.sockets.stream();
    expect(listener.bind(SocketAddress.ipv4(ip(own), 80))).toBe(0);
    expect(listener.listen(1)).toBe(0);
    for (const dst of ['224.0.0.1', '255.255.255.255', '10.0.0.255']) {
      const packet = ip4({ src: PEER, dst, protocol: 6 }, tcp(PEER, dst, [1234, 80], 1000, 0, SYN));
      const group = dst === '224.0.0.1' ? '01005e000001' : 'ff:ff:ff:ff:ff:ff';
      bench.device.put(ether(group, PEER_MAC, 0x0800, packet));
      expect(bench.packets()).toEqual([]);
    }
    const { counters, count } = bench.kernel.cpus[0].tcp;
    expect(counters.get(count.droppedBroadcast)).toBe(3);
  });
});

describe('datagram socket options', () => {
  const group = ip('239.1.2.3');

  it('multicastTtl and multicastInterface go into what is sent to a group, ttl into the rest', () => {
    const bench = new Bench();
    const socket = bench.kernel.sockets.datagram();
    socket.setOption('ttl', 30);
    socket.setOption('multicastTtl', 3);
    socket.setOption('multicastInterface', bench.interfaceIndex);
    socket.send(data, 0, 1, SocketAddress.ipv4(group, 9));
    socket.send(data, 0, 1, SocketAddress.ipv4(ip(PEER), 9));
    expect(bench.packets().map(({ dst, ttl, src }) => [dst, ttl, src])).toEqual([
      ['239.1.2.3', 3, OWN],
      [PEER, 30, OWN],
    ]);
  });

  it('multicastLoop brings back what was sent to a group of ours, or not', () => {
    for (const multicastLoop of [true, false]) {
      const bench = new Bench();
      const socket = bench.kernel.sockets.datagram();
      socket.bind(SocketAddress.any(4, 9));
      socket.joinGroup(SocketAddress.ipv4(group), bench.interfaceIndex);
      socket.setOption('multicastLoop', multicastLoop);
      socket.send(data, 0, 5, SocketAddress.ipv4(group, 9));
      bench.run(0);
      expect(socket.nextBytes).toBe(multicastLoop ? 5 : -1);
    }
  });

  it('multicastAll and multicastAll6 are as the variables say when the socket is opened', () => {
    const { kernel } = new Bench();
    const first = kernel.sockets.datagram(6);
    kernel.inet.sysctl.set('net.inet.ip.multicast_all', 0);
    const second = kernel.sockets.datagram(6);
    kernel.inet.sysctl.set('net.inet6.ip6.multicast_all', 0);
    const third = kernel.sockets.datagram(6);
    const values = [first, second, third].map((one) => [one.getOption('multicastAll'), one.getOption('multicastAll6')]);
    expect(values).toEqual([
      [true, true],
      [false, true],
      [false, false],
    ]);
    expect([third.setOption('multicastAll6', true), third.getOption('multicastAll6')]).toEqual([0, true]);
  });

  it('receiveBufferBytes bounds what waits', () => {
    const bench = new Bench();
    const socket = bench.kernel.sockets.datagram();
    socket.setOption('receiveBufferBytes', 4096);
    socket.bind(SocketAddress.any(4, 9));
    for (let i = 0; i < 10; i++) bench.put(udp(PEER, OWN, 7, 9, new Uint8Array(1000)), 17);
    expect(socket.queuedBytes).toBe(4000);
    socket.setOption('receiveBufferBytes', 9000);
    bench.put(udp(PEER, OWN, 7, 9, new Uint8Array(1000)), 17);
    expect(socket.queuedBytes).toBe(5000);
  });

  it('that belong to streams are refused', () => {
    const socket = new Bench().kernel.sockets.datagram();
    for (const name of ['noDelay', 'keepAlive', 'keepIdleMs', 'lingerMs', 'userTimeoutMs', 'oobInline'] as const) {
      expect([name, socket.setOption(name, 1 as never)]).toEqual([name, -Errno.ENOPROTOOPT]);
    }
  });
});

describe('raw socket options', () => {
  it('ttl and tos go into what is sent, broadcast permits it, the buffer bounds what waits', () => {
    const bench = new Bench();
    const socket = bench.kernel.sockets.raw(1);
    expect([socket.setOption('ttl', 1), socket.setOption('tos', 0x40)]).toEqual([0, 0]);
    socket.send(hex('0800000000010001'), 0, 8, SocketAddress.ipv4(ip(PEER)));
    expect(bench.packets()).toMatchObject([{ ttl: 1, tos: 0x40, protocol: 1 }]);
    expect(socket.send(hex('0800'), 0, 2, SocketAddress.ipv4(ip('10.0.0.255')))).toBe(-Errno.EACCES);
    socket.setOption('broadcast', true);
    expect(socket.send(hex('0800'), 0, 2, SocketAddress.ipv4(ip('10.0.0.255')))).toBe(2);
    socket.setOption('receiveBufferBytes', 2048);
    for (let i = 0; i < 10; i++) bench.put(hex('0000000000010001'.padEnd(800, '0')), 1);
    let taken = 0;
    while (socket.receive(new Uint8Array(500), 0, 500, new DatagramInfo()) > 0) taken++;
    expect(taken).toBeLessThan(10);
  });
});
