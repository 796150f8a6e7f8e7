import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect as connectNet } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeededRng } from '../../src/base/rng.ts';
import type { Carrier } from '../../src/host/contract.ts';
import { PortCarrier } from '../../src/host/node/port-carrier.ts';
import { connectSocket, listenSocket, type SocketPlace } from '../../src/host/node/socket-carrier.ts';
import { Arena } from '../../src/mem/arena.ts';
import { formatRingPair, RingPair, ringPairBytes } from '../../src/mem/ring-pair.ts';
import * as protocol from '../../src/rump/protocol.ts';
import { RegionCarrier } from '../../src/rump/region-carrier.ts';
import { remoteKernel } from '../../src/rump/remote-kernel.ts';
import { SocketAddress } from '../../src/socket/socket.ts';
import { memoryPair } from '../fixtures/memory-pair.ts';
import { RemoteBench } from '../fixtures/remote-bench.ts';
import { arrayMemory, BASE, describeCarrier, type JoinedCarriers } from './carrier-suite.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-carrier-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function overSocket(place: SocketPlace): Promise<JoinedCarriers> {
  let accept: (carrier: Carrier) => void = () => undefined;
  const accepted = new Promise<Carrier>((resolve) => {
    accept = resolve;
  });
  const listening = await listenSocket(place, accept);
  const client = await connectSocket(listening.place);
  const server = await accepted;
  const dispose = (): void => {
    client.close();
    server.close();
    listening.close();
  };
  return { client, server, dispose };
}

function overPorts(): JoinedCarriers {
  const { port1, port2 } = new MessageChannel();
  const [client, server] = [new PortCarrier(port1), new PortCarrier(port2)];
  return { client, server, dispose: () => client.close() };
}

function inMemory(pieceBytes?: number): JoinedCarriers {
  const [client, server] = memoryPair(pieceBytes);
  return { client, server, dispose: () => client.close() };
}

describeCarrier('a unix socket', () => overSocket({ kind: 'unix', path: join(folder, 'kernel.sock') }));
describeCarrier('TCP', () => overSocket({ kind: 'tcp', host: '127.0.0.1', port: 0 }));
describeCarrier('a MessagePort', async () => overPorts());
/** Rings of that capacity in one memory, beside connections in memory; both ends are driven until the test is over. */
function overRings(capacityBytes: number): JoinedCarriers {
  const arena = Arena.create(1 << 20);
  const region = arena.part(
    arena.offset(arena.allocate(ringPairBytes(capacityBytes), 128)),
    ringPairBytes(capacityBytes),
  );
  formatRingPair(region, capacityBytes);
  const [client, server] = memoryPair().map((line, side) => {
    const pair = new RingPair(region, capacityBytes, side as 0 | 1);
    return new RegionCarrier(pair, Object.assign(line, { wake: () => undefined }), () => undefined);
  }) as [RegionCarrier, RegionCarrier];
  let over = false;
  const work = (): void => {
    client.doWork();
    server.doWork();
    if (!over) setImmediate(work);
  };
  work();
  const dispose = (): void => {
    over = true;
  };
  return { client, server, dispose };
}

describeCarrier('rings in shared memory', async () => overRings(4096));
describeCarrier('long rings in shared memory', async () => overRings(262_144));
describeCarrier('memory', async () => inMemory());
describeCarrier('memory, in pieces of 7 bytes', async () => inMemory(7));

/** Both directions of a connection, as they were written by the client and by the server. */
async function recorded(): Promise<Uint8Array> {
  const [client, server] = memoryPair();
  const written: number[] = [];
  const write = client.write.bind(client);
  client.write = (head, body) => {
    written.push(...head, ...(body ?? []));
    return write(head, body);
  };
  const bench = new RemoteBench();
  bench.server.accept(server, null, 0);
  await conversation(client);
  const at = protocol.payloadOf(protocol.NO_PAYLOAD, [SocketAddress.ipv4(0x7f000001, 80)]);
  const sockets: [operation: number, socket: number, a: number, payload: Uint8Array, addresses: number][] = [
    [protocol.OPEN_STREAM, 1, 4, protocol.NO_PAYLOAD, 0],
    [protocol.BIND, 1, 0, at, 1],
    [protocol.LISTEN, 1, 5, protocol.NO_PAYLOAD, 0],
    [protocol.OPEN_DATAGRAM, 3, 4, protocol.NO_PAYLOAD, 0],
    [protocol.BIND, 3, 0, at, 1],
  ];
  let request = 100;
  for (const [operation, socket, a, payload, addresses] of sockets)
    client.write(protocol.frameOf(payload, protocol.REQUEST, operation, request++, socket, a, 0, 0, addresses), null);
  const bytes = Uint8Array.from(written);
  // HELLO of a client that has the sockets' feature as well.
  const features = protocol.FEATURE_SOCKETS | protocol.FEATURE_CONTROL | protocol.FEATURE_SYSCALLS;
  new DataView(bytes.buffer).setInt32(protocol.HEADER_BYTES + 8, features, true);
  return bytes;
}

/** Some of everything; the session stays open. */
async function conversation(carrier: Carrier): Promise<void> {
  const kernel = await remoteKernel(carrier, null, new SeededRng(3));
  kernel.open('doubles' as never, 1 as never, { event: () => undefined, end: () => undefined } as never);
  await kernel.control('echo' as never, { bytes: new Uint8Array(50) } as never);
  expect(await kernel.call(2, [BASE, 3], arrayMemory(Uint8Array.of(1, 2, 3)))).toBe(6);
}

/** A server that has read the client's bytes in two pieces, and all that it wrote. */
async function replay(bytes: Uint8Array, at: number): Promise<{ bench: RemoteBench; client: Carrier; said: number[] }> {
  const [client, server] = memoryPair();
  const bench = new RemoteBench();
  bench.server.accept(server, null, 0);
  const said: number[] = [];
  client.onBytes = (got) => void said.push(...got);
  client.write(bytes.slice(0, at), null);
  await new Promise((resolve) => setImmediate(resolve));
  if (at < bytes.length) client.write(bytes.slice(at), null);
  await new Promise((resolve) => setImmediate(resolve));
  return { bench, client, said };
}

/** The frames of a stream, sorted: a call that waits is answered after those behind it where they came with it. */
function framesOf(bytes: readonly number[]): string[] {
  const frames: string[] = [];
  const reader = protocol.newFrameReader();
  reader.push(Uint8Array.from(bytes));
  for (let frame = reader.next(); frame !== null; frame = reader.next()) frames.push(frame.join());
  expect(reader.bufferedBytes).toBe(0);
  return frames.sort();
}

describe('a server', () => {
  it('says the same wherever the bytes of its client are cut', async () => {
    const bytes = await recorded();
    const whole = await replay(bytes, bytes.length);
    expect(whole.said.length).toBeGreaterThan(300);
    expect([whole.bench.openStreams, whole.bench.processes, whole.bench.openSockets]).toEqual([1, 1, 2]);
    const frames = framesOf(whole.said);
    for (let at = 1; at < bytes.length; at++) expect(framesOf((await replay(bytes, at)).said)).toEqual(frames);
  });

  it('has nothing left of a client that dies, whatever its last byte was', async () => {
    const bytes = await recorded();
    for (let at = 0; at <= bytes.length; at++) {
      const { bench, client } = await replay(bytes.slice(0, at), at);
      client.close();
      await new Promise((resolve) => setImmediate(resolve));
      expect([bench.server.sessions, bench.server.admission.pending]).toEqual([0, 0]);
      expect([bench.openStreams, bench.processes, bench.openSockets]).toEqual([0, 0, 0]);
    }
  });

  it('ends a session whose client sends nonsense, and counts it', async () => {
    const bytes = await recorded();
    const nonsense = new Uint8Array(32).fill(0xff);
    nonsense.set([0, 0, 0, 0]);
    const { bench } = await replay(Uint8Array.from([...bytes, ...nonsense]), bytes.length);
    expect([bench.server.sessions, bench.openStreams, bench.processes]).toEqual([0, 0, 0]);
    expect([...bench.server.admission.refused]).toEqual([['malformed frame', 1]]);
  });

  it('ends a session that it cannot get rid of its bytes for', async () => {
    const [client, server] = memoryPair();
    const limits = { descriptorsMax: 1, streamsMax: 1, requestsMax: 10, queuedBytesMax: 10_000 };
    const bench = new RemoteBench({ limits });
    bench.server.accept(server, null, 0);
    const kernel = await remoteKernel(client, null, new SeededRng(3));
    Object.defineProperty(server, 'queuedBytes', { get: () => 10_001 });
    await expect(kernel.control('echo' as never, 1 as never)).resolves.toBe(1);
    await bench.until(() => bench.server.sessions === 0);
    expect([...bench.server.admission.refused]).toEqual([['too much buffered', 1]]);
  });

  it('answers so many requests at a time, and refuses more', async () => {
    const [client, server] = memoryPair();
    const limits = { descriptorsMax: 1, streamsMax: 1, requestsMax: 3, queuedBytesMax: 100_000 };
    const bench = new RemoteBench({ limits });
    bench.server.accept(server, null, 0);
    const kernel = await remoteKernel(client, null, new SeededRng(3));
    const waiting = Array.from({ length: 3 }, () => kernel.control('never' as never, {} as never).catch(() => 'gone'));
    for (let i = 0; i < 5; i++)
      await expect(kernel.control('echo' as never, 1 as never)).rejects.toMatchObject({ code: 'EAGAIN' });
    await kernel.close();
    expect(await Promise.all(waiting)).toEqual(['gone', 'gone', 'gone']);
  });
});

it('a client has so many streams, and is told when it wants more', async () => {
  const [client, server] = memoryPair();
  const limits = { descriptorsMax: 1, streamsMax: 2, requestsMax: 3, queuedBytesMax: 100_000 };
  const bench = new RemoteBench({ limits });
  bench.server.accept(server, null, 0);
  const kernel = await remoteKernel(client, null, new SeededRng(3));
  const ends: unknown[] = [];
  for (let i = 0; i < 3; i++)
    kernel.open('doubles' as never, i as never, { event: () => undefined, end: (error) => void ends.push(error) });
  await bench.until(() => ends.length === 1);
  expect(ends[0]).toMatchObject({ code: 'EMFILE', message: 'a client has 2 streams at most' });
  expect(bench.openStreams).toBe(2);
});

describe('a client', () => {
  it('whose server dies at any byte of its answers is told', async () => {
    const bytes = await recorded();
    const { said } = await replay(bytes, bytes.length);
    for (let at = 0; at < said.length; at++) {
      const [client, server] = memoryPair();
      server.write(Uint8Array.from(said.slice(0, at)), null);
      server.close();
      await expect(conversation(client)).rejects.toMatchObject({ code: 'ECONNRESET' });
    }
  });
});

describe('a unix socket', () => {
  it('is for its owner alone, and one whose server is gone is replaced', async () => {
    const place = { kind: 'unix', path: join(folder, 'owner.sock') } as const;
    const first = await listenSocket(place, (carrier) => carrier.close());
    expect(statSync(place.path).mode & 0o777).toBe(0o600);
    await expect(listenSocket(place, () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    first.close();
    await expect(connectSocket(place)).rejects.toMatchObject({ code: 'ENOENT', message: `${place.path}: ENOENT` });
  });

  it('closes connections that send too much before they say who they are', async () => {
    const place = { kind: 'unix', path: join(folder, 'flood.sock') } as const;
    const bench = new RemoteBench();
    const listening = await listenSocket(place, (carrier) => bench.server.accept(carrier, null, 0));
    const socket = connectNet(place.path);
    socket.on('error', () => undefined);
    socket.resume();
    const flood = new Uint8Array(1_000_000);
    new DataView(flood.buffer).setInt32(0, 0x7fff_ffff, true);
    socket.write(flood);
    await new Promise((resolve) => socket.once('close', resolve));
    expect([...bench.server.admission.refused]).toEqual([['frame too long', 1]]);
    listening.close();
  });
});
