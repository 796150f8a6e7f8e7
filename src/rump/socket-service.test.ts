import { describe, expect, it } from 'vitest';
import { blockingConnections } from '../../test/fixtures/blocking-pair.ts';
import { RemoteBench } from '../../test/fixtures/remote-bench.ts';
import { Errno } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import type { DatagramSocket, StreamSocket } from '../socket/socket.ts';
import {
  DatagramInfo,
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  SocketAddress,
} from '../socket/socket.ts';
import { BlockingClient } from './blocking-client.ts';
import { ClientSockets } from './client-sockets.ts';
import type { ClientStream } from './client-stream.ts';
import * as protocol from './protocol.ts';
import type { SessionLimits } from './session.ts';

const LOOPBACK = 0x7f000001;

interface Rig {
  bench: RemoteBench;
  client: BlockingClient;
  sockets: ClientSockets;
}

const LIMITS: SessionLimits = { descriptorsMax: 10, streamsMax: 1, requestsMax: 10, queuedBytesMax: 100_000 };

let seed = 10;

function connect(bench: RemoteBench): Rig {
  const connections = blockingConnections((carrier) => bench.server.accept(carrier, null, 0));
  const client = new BlockingClient(connections, null, new SeededRng(seed++));
  return { bench, client, sockets: new ClientSockets(client, (run) => void setImmediate(run)) };
}

const at = (port: number): SocketAddress => SocketAddress.ipv4(LOOPBACK, port);

/** Events of a socket, all bits that came. */
function watch(socket: StreamSocket | DatagramSocket): { bits: number } {
  const seen = { bits: 0 };
  socket.onEvents = (events) => {
    seen.bits |= events;
  };
  return seen;
}

async function pair({ bench, sockets }: Rig): Promise<[ClientStream, ClientStream, ClientStream]> {
  const listener = sockets.stream();
  expect(listener.bind(at(80))).toBe(0);
  expect(listener.listen(5)).toBe(0);
  const arrivals = watch(listener);
  const stream = sockets.stream();
  const connected = watch(stream);
  expect(stream.connect(at(80))).toBe(-115);
  await bench.until(() => (connected.bits & EVENT_CONNECTED) !== 0 && (arrivals.bits & EVENT_ACCEPTABLE) !== 0);
  return [listener, stream, listener.accept() as ClientStream];
}

describe('a stream of a kernel elsewhere', () => {
  it('is connected, names both ends, and carries bytes both ways to its end', async () => {
    const rig = connect(new RemoteBench());
    const [listener, stream, accepted] = await pair(rig);
    expect([listener.state, stream.state, accepted.state]).toEqual(['LISTEN', 'ESTABLISHED', 'ESTABLISHED']);
    expect(accepted.peer).toEqual(stream.local);
    expect(stream.peer).toEqual(at(80));
    const into = new Uint8Array(10);
    expect(accepted.receive(into, 0, 10)).toBe(-11);
    expect(stream.send(Uint8Array.of(9, 1, 2, 3), 1, 3)).toBe(3);
    await rig.bench.until(() => accepted.readableBytes === 3);
    expect(accepted.receive(into, 2, 8)).toBe(3);
    expect([...into]).toEqual([0, 0, 1, 2, 3, 0, 0, 0, 0, 0]);
    expect(accepted.send(Uint8Array.of(7), 0, 1)).toBe(1);
    expect(accepted.shutdown()).toBe(0);
    await rig.bench.until(() => stream.receive(into, 0, 1) === 1);
    await rig.bench.until(() => stream.receive(into, 0, 1) === 0);
    expect(into[0]).toBe(7);
    for (const socket of [stream, accepted, listener]) socket.close();
    await rig.bench.until(() => rig.bench.openSockets === 0);
  });

  it('takes as much as its window holds, and more when the peer has read', async () => {
    const rig = connect(new RemoteBench());
    const [, stream, accepted] = await pair(rig);
    const writable = watch(stream);
    const bytes = Uint8Array.from({ length: 4_000_000 }, (_, i) => i);
    // Nobody reads: what is under way is the window of the receiver and the buffer of the kernel.
    let sent = 0;
    let turns = 0;
    await rig.bench.until(() => {
      const count = stream.send(bytes, sent, bytes.length - sent);
      if (count > 0) sent += count;
      turns = count > 0 ? 0 : turns + 1;
      return turns === 20;
    });
    expect(sent).toBe(protocol.RECEIVE_WINDOW_BYTES + 65_536);
    expect(stream.writableBytes).toBe(0);
    writable.bits = 0;
    const got = new Uint8Array(bytes.length);
    let received = 0;
    await rig.bench.until(() => {
      if (sent < bytes.length) sent += Math.max(stream.send(bytes, sent, bytes.length - sent), 0);
      received += Math.max(accepted.receive(got, received, got.length - received), 0);
      return received === bytes.length;
    });
    expect(Buffer.compare(got, bytes)).toBe(0);
    expect(writable.bits & EVENT_WRITABLE).toBe(EVENT_WRITABLE);
  });

  it('goes to another process of the kernel by its token', async () => {
    const bench = new RemoteBench();
    const rig = connect(bench);
    const other = connect(bench);
    const [, stream, accepted] = await pair(rig);
    const token = accepted.export(4);
    const adopted = other.sockets.adopt(token);
    expect([adopted?.kind, adopted?.family]).toEqual(['stream', 4]);
    const moved = adopted?.socket as ClientStream;
    expect([moved.local, moved.peer, moved.state]).toEqual([accepted.local, accepted.peer, 'ESTABLISHED']);
    accepted.close();
    expect(stream.send(Uint8Array.of(5), 0, 1)).toBe(1);
    await bench.until(() => moved.readableBytes === 1);
    expect(other.sockets.adopt(token)).toBe(null);
    expect(other.sockets.adopt('nothing')).toBe(null);
  });

  it('is closed when nobody takes it in time', async () => {
    const rig = connect(new RemoteBench());
    const [listener, stream, accepted] = await pair(rig);
    accepted.export(4);
    for (const socket of [listener, stream, accepted]) socket.close();
    await rig.bench.until(() => rig.bench.layer.streams.size === 0);
    const before = stream.error;
    for (const timer of rig.bench.timers) timer();
    expect(before).toBe(0);
    expect(rig.sockets.adopt('nothing')).toBe(null);
  });
});

describe('a datagram socket of a kernel elsewhere', () => {
  it('sends, receives, connects and names its peers', async () => {
    const rig = connect(new RemoteBench());
    const [a, b] = [rig.sockets.datagram(), rig.sockets.datagram()];
    expect(a.bind(at(1000))).toBe(0);
    expect(a.local).toEqual(at(1000));
    expect(b.send(Uint8Array.of(1, 2, 3), 1, 2, at(1000))).toBe(2);
    await rig.bench.until(() => a.nextBytes === 2);
    const info = new DatagramInfo();
    const into = new Uint8Array(1);
    expect(a.receive(into, 0, 1, info)).toBe(1);
    expect([into[0], info.fullBytes, info.from.port]).toEqual([2, 2, b.local.port]);
    expect(b.connect(at(1000))).toBe(0);
    expect(b.peer).toEqual(at(1000));
    expect(b.send(Uint8Array.of(8), 0, 1, null)).toBe(1);
    await rig.bench.until(() => a.nextBytes === 1);
    expect(b.disconnect()).toBe(0);
    expect(b.peer.port).toBe(0);
    expect([a.setOption('broadcast', true), a.getOption('broadcast')]).toEqual([0, true]);
    expect([a.setOption('ttl', 3), a.getOption('ttl')]).toEqual([0, 3]);
  });
});

describe('names of interfaces', () => {
  it('are asked of the kernel', () => {
    const { sockets } = connect(new RemoteBench());
    expect([sockets.interfaceIndex('lo0'), sockets.interfaceIndex('x')]).toEqual([1, 0]);
    expect([sockets.interfaceName(1), sockets.interfaceName(2)]).toEqual(['lo0', '']);
    expect(sockets.interfaceWithAddress(at(0))).toBe(1);
    const given = [SocketAddress.ipv4(1), at(0), SocketAddress.ipv4(2)];
    expect(sockets.orderDestinations(given)).toEqual(given);
  });
});

describe('a client that dies', () => {
  it('leaves no socket open', async () => {
    const rig = connect(new RemoteBench());
    await pair(rig);
    rig.sockets.datagram().bind(at(5));
    expect(rig.bench.openSockets).toBeGreaterThan(2);
    rig.bench.server.close();
    await rig.bench.until(() => rig.bench.openSockets === 0);
    expect(rig.bench.server.sessions).toBe(0);
  });

  it.each([
    ['nothing', -Errno.ECONNRESET],
    ['all of it', 0],
    ['the first piece', -Errno.ECONNRESET],
  ])('having read %s, ends its connections as a process does', async (what, heard) => {
    const bench = new RemoteBench();
    const [rig, other] = [connect(bench), connect(bench)];
    const [, stream, accepted] = await pair(rig);
    const peer = other.sockets.adopt(stream.export(4))?.socket as ClientStream;
    stream.close();
    const into = new Uint8Array(10);
    const arrives = async (): Promise<void> => {
      peer.send(Uint8Array.of(1, 2, 3), 0, 3);
      await bench.until(() => accepted.readableBytes === 3);
      // Its program has a turn to read.
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    await arrives();
    if (what !== 'nothing') expect(accepted.receive(into, 0, 10)).toBe(3);
    if (what === 'the first piece') await arrives();
    // The kernel hangs up.
    rig.client.send(protocol.OPEN_DATAGRAM, 99, 5);
    await bench.until(() => peer.receive(into, 0, 10) !== -Errno.EAGAIN);
    expect(peer.receive(into, 0, 10)).toBe(heard);
  });

  it('is told when it is the kernel that died, on each socket, and every call fails', async () => {
    const rig = connect(new RemoteBench());
    const [listener, stream] = await pair(rig);
    const [told, toldListener] = [watch(stream), watch(listener)];
    let gone = 0;
    rig.sockets.onGone = () => gone++;
    rig.bench.server.close();
    await rig.bench.until(() => (told.bits & toldListener.bits & EVENT_ERROR) !== 0);
    expect([stream.error, listener.error, gone]).toEqual([-104, -100, 1]);
    expect(rig.sockets.stream().bind(at(1))).toBe(-100);
    expect(stream.send(Uint8Array.of(1), 0, 1)).toBe(-104);
    expect(toldListener.bits & EVENT_READABLE).toBe(0);
  });
});

describe('a client that breaks the rules', () => {
  const rules: [string, (client: BlockingClient, stream: ClientStream) => void][] = [
    ['sends more than its credit', (client, { id }) => flood(client, id)],
    ['has read less than nothing', (client, { id }) => void client.send(protocol.CONSUMED, id, -1)],
    ['has read what never came', (client, { id }) => void client.send(protocol.CONSUMED, id, 1)],
    ['opens a socket twice', (client, { id }) => void client.send(protocol.OPEN_STREAM, id, 4)],
    ['draws a number of the server', (client) => void client.send(protocol.OPEN_STREAM, 4, 4)],
    ['opens a family that is none', (client) => void client.send(protocol.OPEN_DATAGRAM, 99, 5)],
    ['sets an option that is none', (client, { id }) => void client.send(protocol.SET_OPTION, id, 99, 1)],
    ['binds without an address', (client, { id }) => void client.send(protocol.BIND, id)],
  ];

  function flood(client: BlockingClient, id: number): void {
    // The peer reads 65,536 bytes at most until somebody reads there.
    for (let i = 0; i < 12; i++) client.send(protocol.SEND, id, 0, 0, new Uint8Array(65_536));
  }

  it.each(rules)('%s: loses its session, and nobody else does', async (_rule, breakIt) => {
    const bench = new RemoteBench();
    const rig = connect(bench);
    const other = connect(bench);
    const [, stream, accepted] = await pair(rig);
    // Moved to the other session, which does not read it.
    other.sockets.adopt(accepted.export(4));
    breakIt(rig.client, stream);
    await bench.until(() => bench.server.sessions === 1);
    expect(bench.server.admission.refused.get('malformed frame')).toBe(1);
    expect(rig.sockets.interfaceIndex('lo0')).toBe(0);
    expect(other.sockets.interfaceIndex('lo0')).toBe(1);
  });

  it('gets connections beyond its sockets when it has closed some', async () => {
    const bench = new RemoteBench({ limits: { ...LIMITS, descriptorsMax: 3 } });
    const [rig, other] = [connect(bench), connect(bench)];
    const listener = rig.sockets.stream();
    listener.bind(at(80));
    listener.listen(10);
    const accepted: ClientStream[] = [];
    listener.onEvents = () => {
      for (let next = listener.accept(); next !== null; next = listener.accept()) accepted.push(next as ClientStream);
    };
    for (let i = 0; i < 3; i++) other.sockets.stream().connect(at(80));
    await bench.until(() => accepted.length === 2);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(accepted.length).toBe(2);
    accepted[0]?.close();
    await bench.until(() => accepted.length === 3);
  });

  it('has so many sockets, and EMFILE for more', () => {
    const { sockets } = connect(new RemoteBench({ limits: { ...LIMITS, descriptorsMax: 2 } }));
    const all = [sockets.stream(), sockets.datagram(), sockets.stream()];
    expect(all.map((socket, i) => socket.bind(at(i + 1)))).toEqual([0, 0, -24]);
    (all[0] as ClientStream).close();
    expect(sockets.stream().bind(at(9))).toBe(0);
  });
});
