import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MultikernelError } from '../../src/base/errors.ts';
import { SeededRng } from '../../src/base/rng.ts';
import type { Carrier } from '../../src/host/contract.ts';
import { PortCarrier } from '../../src/host/node/port-carrier.ts';
import { listenSocket } from '../../src/host/node/socket-carrier.ts';
import { ControlClient, connectAll } from '../../src/lab/control-client.ts';
import { ControlServer, type ServedLab } from '../../src/lab/control-server.ts';
import { attach } from '../../src/lab/lab.ts';
import type { StreamSink } from '../../src/lab/operations.ts';
import { controlNames, controlPath, kernelFolder, kernelPath, runtimeFolder } from '../../src/lab/runtime-folder.ts';
import { ControlService } from '../../src/rump/control-service.ts';
import type { Answers } from '../../src/rump/multiplexer.ts';
import { CONTROL, FEATURE_CONTROL, frameOf, RELAY, REQUEST } from '../../src/rump/protocol.ts';
import { remoteKernel } from '../../src/rump/remote-kernel.ts';
import { RumpServer } from '../../src/rump/server.ts';
import { encodeValue } from '../../src/rump/value-codec.ts';
import { TcpConnection } from '../../src/tools/tcp-connection.ts';
import { until } from '../fixtures/fake-workers.ts';
import { MK } from '../fixtures/mk.ts';

let folder = '';
const before = process.env.XDG_RUNTIME_DIR;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-c-'));
  process.env.XDG_RUNTIME_DIR = folder;
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(folder, { recursive: true, force: true });
});

const B = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0x0a000002, scopeId: 0 };
const HOSTS = { name: 'a', hosts: [{ name: 'b', addresses: [B] }] };

interface FakeStream {
  operation: string;
  params: unknown;
  sink: StreamSink<unknown>;
  inputs: unknown[];
  closed: boolean;
}

/** Answers with what a test gave it, and keeps its streams where the test can reach them. */
class FakeAnswers implements Answers {
  readonly asked: unknown[] = [];
  readonly streams: FakeStream[] = [];
  readonly replies: Record<string, unknown>;
  /** Events of a stream within `open`. */
  first: unknown[] = [];

  constructor(replies: Record<string, unknown>) {
    this.replies = replies;
  }

  request(operation: string, params: unknown): Promise<never> {
    this.asked.push([operation, params]);
    if (operation === 'powerOff') return Promise.reject(new MultikernelError('EHOSTDOWN', 'a is not running'));
    return Promise.resolve((this.replies[operation] ?? null) as never);
  }

  open(operation: string, params: unknown, sink: StreamSink<never>) {
    const stream: FakeStream = { operation, params, sink: sink as StreamSink<unknown>, inputs: [], closed: false };
    this.streams.push(stream);
    for (const event of this.first) stream.sink.event(event);
    return {
      send: (input: unknown) => void stream.inputs.push(input),
      close: () => {
        if (stream.closed) return;
        stream.closed = true;
        sink.end(null);
      },
    } as never;
  }
}

/** A lab of two nodes, of which one runs. */
class FakeLab extends FakeAnswers implements ServedLab {
  readonly a: FakeAnswers = new FakeAnswers({ 'interface.names': [], 'host.list': HOSTS });
  readonly kernel: RumpServer = new RumpServer({
    rng: new SeededRng(1),
    features: FEATURE_CONTROL,
    services: (client) => [new ControlService(client, this.a)],
  });
  /** Kernels that clients were relayed to. */
  readonly relayed: string[] = [];

  constructor() {
    super({ info: { name: 'fake', nodes: [{ name: 'a' }, { name: 'b' }] } });
  }

  connect(name: string): MessagePort {
    this.relayed.push(name);
    if (name === 'b') throw new MultikernelError('EHOSTDOWN', 'b is not running');
    if (name !== 'a') throw new MultikernelError('ENOENT', `no node ${name}`);
    const { port1, port2 } = new MessageChannel();
    this.kernel.acceptTrusted(new PortCarrier(port2));
    return port1;
  }
}

const servers: ControlServer[] = [];
async function serve(name: string, lab: FakeLab = new FakeLab()): Promise<FakeLab> {
  servers.push(await ControlServer.listen(name, lab));
  return lab;
}
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A carrier over a socket that a test can pause. */
function carrierOver(socket: Socket): Carrier {
  const carrier: Carrier = {
    write: (head, body) => {
      socket.write(head);
      if (body !== null) socket.write(body);
      return true;
    },
    queuedBytes: 0,
    onBytes: null,
    onDrain: null,
    onClosed: null,
    close: () => void socket.destroy(),
  };
  socket.on('data', (bytes) => carrier.onBytes?.(new Uint8Array(bytes)));
  socket.on('close', () => carrier.onClosed?.());
  return carrier;
}

describe('the runtime folder', () => {
  it("is this user's alone", () => {
    expect(runtimeFolder()).toBe(join(folder, 'multikernel'));
    expect(statSync(runtimeFolder()).mode & 0o777).toBe(0o700);
  });

  it('is under the temporary directory when there is no runtime directory', () => {
    const path = runtimeFolder({});
    expect(path.startsWith(join(tmpdir(), 'multikernel-'))).toBe(true);
    expect(runtimeFolder({ XDG_RUNTIME_DIR: '/nowhere/at/all' })).toBe(path);
  });

  it('is refused when others may write there', () => {
    const open = join(folder, 'open');
    mkdirSync(join(open, 'multikernel'), { recursive: true });
    chmodSync(join(open, 'multikernel'), 0o777);
    expect(() => runtimeFolder({ XDG_RUNTIME_DIR: open })).toThrow('not a folder of this user alone');
  });

  it('is not the runtime directory of another user', () => {
    expect(runtimeFolder({ XDG_RUNTIME_DIR: '/dev/null' })).toBe(runtimeFolder({}));
    const other = join(folder, 'other');
    mkdirSync(other);
    if (process.getuid?.() === 0) {
      chownSync(other, 12345, 12345);
      expect(runtimeFolder({ XDG_RUNTIME_DIR: other })).toBe(runtimeFolder({}));
    }
  });

  it('is made by labs only', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(controlNames({ XDG_RUNTIME_DIR: empty })).toEqual([]);
    expect(controlPath('a', { XDG_RUNTIME_DIR: empty })).toBe(join(empty, 'multikernel', 'a.sock'));
    expect(existsSync(join(empty, 'multikernel'))).toBe(false);
  });

  it.skipIf(process.platform !== 'linux')('that cannot be made is one line', () => {
    const env = { PATH: process.env.PATH, TMPDIR: '/proc' };
    const run = (...args: string[]) => spawnSync(process.execPath, [MK, ...args], { env, encoding: 'utf8' });
    expect(run('ps').stderr).toBe('mk ps: no lab is up; start one with: mk up\n');
    writeFileSync(join(folder, 'small.yml'), 'nodes: { a: {} }\n');
    const uid = process.getuid?.();
    expect(run('up', join(folder, 'small.yml')).stderr).toBe(
      `mk up: /proc/multikernel-${uid} cannot be made (ENOENT); set XDG_RUNTIME_DIR to a folder of this user\n`,
    );
  });

  it.skipIf(process.getuid?.() !== 0)('is for users without a passwd entry as well (skipped unless root)', () => {
    const home = mkdtempSync(join(tmpdir(), 'mk-user-'));
    chownSync(home, 54321, 54321);
    writeFileSync(join(home, 'small.yml'), 'nodes: { a: {} }\n');
    const env = { PATH: process.env.PATH, TMPDIR: home };
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [MK, ...args], { env, encoding: 'utf8', cwd: home, uid: 54321, gid: 54321 });
    expect(run('ps').stderr).toBe('mk ps: no lab is up; start one with: mk up\n');
    expect(run('up', '--for', '100ms', 'small.yml')).toMatchObject({ status: 0, stderr: '' });
    expect(statSync(join(home, 'multikernel-54321')).uid).toBe(54321);
    rmSync(home, { recursive: true });
  });

  it('must not be too long for a socket', () => {
    const long = join(folder, 'x'.repeat(120));
    mkdirSync(long);
    expect(() => controlPath('lab', { XDG_RUNTIME_DIR: long })).toThrow(
      expect.objectContaining({ code: 'ENAMETOOLONG' }),
    );
  });
});

describe('the control socket', () => {
  it('has mode 0600 and goes away with the lab', async () => {
    await serve('fake');
    const path = controlPath('fake');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(controlNames()).toEqual(['fake']);
    await servers.pop()?.close();
    expect(existsSync(path)).toBe(false);
  });

  it('is taken once', async () => {
    await serve('fake');
    await expect(serve('fake')).rejects.toMatchObject({
      code: 'EEXIST',
      message: `lab fake is already up (process ${process.pid}); take it down with: mk down fake`,
    });
    await serve('other');
    expect(existsSync(controlPath('fake'))).toBe(true);
  });

  it('that a killed lab left is removed', async () => {
    const left = createServer().listen(controlPath('fake'));
    await once(left, 'listening');
    // Closing would remove the file: a second name keeps the dead socket.
    const path = controlPath('fake');
    const { linkSync } = await import('node:fs');
    linkSync(path, `${path}.kept`);
    left.close();
    await once(left, 'close');
    linkSync(`${path}.kept`, path);
    await expect(ControlClient.connect('fake')).rejects.toMatchObject({ code: 'ENOENT' });
    await serve('fake');
    const client = await ControlClient.connect('fake');
    await client.close();
    rmSync(`${path}.kept`);
  });

  it('behind which nobody answers costs a bounded time', async () => {
    const silent = createServer(() => {}).listen(controlPath('silent'));
    await once(silent, 'listening');
    await serve('fake');
    await expect(ControlClient.connect('silent', 50)).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      message: 'lab silent does not answer (waited 0.05 s)',
    });
    const { clients, silent: names } = await connectAll(500);
    expect([clients.map(({ lab }) => lab), names]).toEqual([['fake'], ['silent']]);
    await Promise.all(clients.map((client) => client.close()));
    silent.close();
  });

  it('that is a plain file is replaced', async () => {
    writeFileSync(controlPath('plain'), '');
    await serve('plain');
    await (await ControlClient.connect('plain')).close();
  });
});

describe('a client', () => {
  it('asks and is answered, with the codes of errors', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    lab.replies.counters = [{ name: 'a', values: { x: 1 } }];
    expect(await client.request('counters', { node: null })).toEqual([{ name: 'a', values: { x: 1 } }]);
    await expect(client.request('powerOff', { node: 'a' })).rejects.toMatchObject({
      code: 'EHOSTDOWN',
      message: 'a is not running',
    });
    expect(lab.asked).toEqual([
      ['counters', { node: null }],
      ['powerOff', { node: 'a' }],
    ]);
    await client.close();
    await expect(client.request('info', {})).rejects.toMatchObject({ code: 'ECONNRESET' });
    const other = await ControlClient.connect('fake');
    servers.pop()?.close();
    await other.closed;
    const down = { code: 'ECONNRESET', message: 'lab fake went down' };
    await expect(other.request('info', {})).rejects.toMatchObject(down);
  });

  it('has streams, which end with it', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    const ends: unknown[] = [];
    const events: unknown[] = [];
    const sink = { event: (e: unknown) => void events.push(e), end: (e: unknown) => void ends.push(e) };
    const handle = client.open('metrics', { intervalMs: 5 }, sink);
    await until(() => lab.streams.length === 1);
    lab.streams[0]?.sink.event({ atMs: 1, nodes: [] });
    await until(() => events.length === 1);
    expect(events).toEqual([{ atMs: 1, nodes: [] }]);
    handle.close();
    await until(() => ends.length === 1);
    expect(ends).toEqual([null]);
    client.open('metrics', { intervalMs: 5 }, sink);
    await until(() => lab.streams.length === 2);
    await client.close();
    await until(() => lab.streams[1]?.closed === true);
    expect(ends[1]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('gets answers that are longer than a frame', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    const long = Array.from({ length: 9 }, (_, i) => ({ name: `${i}`.repeat(1_000_000), values: {} }));
    lab.replies.counters = long;
    const [counters, info] = await Promise.all([
      client.request('counters', { node: null }),
      client.request('info', {}),
    ]);
    expect(counters).toEqual(long);
    expect(info.name).toBe('fake');
    await client.close();
  });

  it('that reads too slowly loses its stream, and nothing else', async () => {
    const lab = await serve('fake');
    const socket = connect(controlPath('fake'));
    await once(socket, 'connect');
    const client = await remoteKernel(carrierOver(socket), null, new SeededRng(1));
    const ends: unknown[] = [];
    client.open('logs' as never, {} as never, { event: () => {}, end: (error: unknown) => ends.push(error) } as never);
    await until(() => lab.streams.length === 1);
    socket.pause();
    const event = { type: 'data', bytes: new Uint8Array(1_000_000) };
    const { sink } = lab.streams[0] as FakeStream;
    // 16 MiB, and the one that is more.
    for (let i = 0; i < 17; i++) sink.event(event);
    expect(lab.streams[0]?.closed).toBe(false);
    for (let i = 0; i < 2; i++) sink.event(event);
    expect(lab.streams[0]?.closed).toBe(true);
    const queuedBytes = sink.queuedBytes;
    for (let i = 0; i < 100; i++) sink.event(event);
    expect(sink.queuedBytes).toBe(queuedBytes);
    socket.resume();
    expect(await client.control('info' as never, {} as never)).toMatchObject({ name: 'fake' });
    expect(ends).toMatchObject([
      { code: 'ENOBUFS', message: 'logs came faster than they were read, and the lab keeps no more of them' },
    ]);
    socket.destroy();
  });

  it('gets all that a stream begins with, however much it is', async () => {
    const lab = await serve('fake');
    const event = { type: 'data', bytes: new Uint8Array(1_000_000) };
    lab.first = Array.from({ length: 40 }, () => event);
    const client = await ControlClient.connect('fake');
    const events: unknown[] = [];
    const ends: unknown[] = [];
    client.open(
      'logs',
      { nodes: [], lines: 1000, follow: true },
      { event: (line) => events.push(line), end: (error) => ends.push(error) },
    );
    await until(() => lab.streams.length === 1);
    for (let i = 0; i < 10; i++) lab.streams[0]?.sink.event(event);
    await until(() => events.length === 50);
    expect(ends).toEqual([]);
    await client.close();
  });

  it('that talks nonsense is hung up on, and nobody else', async () => {
    await serve('fake');
    const frame = (length: number, words: number[]): Buffer => Buffer.from(Int32Array.of(length, ...words).buffer);
    const nonsense = [
      Buffer.from('hello\n'.repeat(10)),
      frame(-1, [1, 1, 0, 0, 0, 0, 0]),
      frame(0, [1, 1, 0, 0, 0, 0, 0]),
      frame(0, [60 << 16, 1, 0, 0, 0, 0, 0]),
      frame(1 << 30, [(3 << 16) | 1, 1, 0, 0, 0, 0, 0]),
    ];
    for (const bytes of nonsense) {
      const socket = connect(controlPath('fake'));
      socket.on('error', () => {});
      socket.resume();
      socket.write(bytes);
      await once(socket, 'close');
    }
    const client = await ControlClient.connect('fake');
    await expect(client.request('nope' as 'info', {})).resolves.toBeNull();
    await client.close();
  });

  it('finds the only lab by itself, and must choose among several', async () => {
    await expect(attach()).rejects.toMatchObject({ code: 'ENOENT', message: 'no lab is up; start one with: mk up' });
    await serve('one');
    const lab = await attach();
    expect(lab.nodes.map((kernel) => kernel.name)).toEqual(['a', 'b']);
    await lab.detach();
    await serve('two');
    await expect(attach()).rejects.toMatchObject({
      code: 'EINVAL',
      message: 'several labs are up (one, two): say which',
    });
    const { clients } = await connectAll();
    expect(clients.map((client) => client.lab)).toEqual(['one', 'two']);
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe('the kernel of a node', () => {
  /** What happens to a stream of it. */
  function recorder() {
    const events: unknown[] = [];
    const ends: unknown[] = [];
    const sink = { event: (e: unknown) => void events.push(e), end: (e: unknown) => void ends.push(e) };
    return { events, ends, sink };
  }

  it('is reached through the lab, with streams both ways, which end with the client', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    const kernel = client.kernel('a');
    expect(await kernel.control('host.list', {})).toEqual(HOSTS);
    const { events, ends, sink } = recorder();
    const handle = kernel.open('connection', { address: B as never, port: 80 }, sink);
    await until(() => lab.a.streams.length === 1);
    const stream = lab.a.streams[0] as FakeStream;
    expect(stream).toMatchObject({ operation: 'connection', params: { address: B, port: 80 } });
    stream.sink.event({ type: 'data', bytes: new Uint8Array([1, 2]) });
    handle.send({ type: 'write', bytes: new Uint8Array([3]) });
    await until(() => events.length === 1 && stream.inputs.length === 1);
    expect(events).toEqual([{ type: 'data', bytes: new Uint8Array([1, 2]) }]);
    expect(stream.inputs).toEqual([{ type: 'write', bytes: new Uint8Array([3]) }]);
    handle.close();
    await until(() => ends.length === 1);
    expect(ends).toEqual([null]);
    kernel.open('capture', { interfaces: [], snapBytes: 0, filter: new Uint8Array(0) }, sink);
    await until(() => lab.a.streams.length === 2);
    expect(lab.relayed).toEqual(['a']);
    await client.close();
    await until(() => lab.a.streams[1]?.closed === true && ends.length === 2);
    expect(ends[1]).toMatchObject({ code: 'ECONNRESET' });
    await until(() => lab.kernel.sessions === 0);
  });

  it('that is not there, or does not run, is told by the lab; one that came back is connected to again', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    const down = { code: 'EHOSTDOWN', message: 'b is not running' };
    await expect(client.kernel('b').control('host.list', {})).rejects.toMatchObject(down);
    await expect(client.kernel('c').control('host.list', {})).rejects.toMatchObject({ code: 'ENOENT' });
    const { ends, sink } = recorder();
    client.kernel('b').open('routeEvents', {}, sink);
    await until(() => ends.length === 1);
    expect(ends).toMatchObject([down]);
    const kernel = client.kernel('a');
    expect(await kernel.control('host.list', {})).toEqual(HOSTS);
    lab.a.replies['host.list'] = new Promise(() => {});
    const asked = kernel.control('host.list', {});
    await until(() => lab.a.asked.length === 2);
    lab.kernel.close();
    await expect(asked).rejects.toMatchObject({ code: 'ECONNRESET' });
    lab.a.replies['host.list'] = HOSTS;
    expect(await kernel.control('host.list', {})).toEqual(HOSTS);
    await client.close();
  });

  it('sees how much a client has not read', async () => {
    const lab = await serve('fake');
    const socket = connect(controlPath('fake'));
    await once(socket, 'connect');
    const carrier = carrierOver(socket);
    carrier.write(frameOf(Buffer.from('a'), REQUEST, RELAY, 1), null);
    const kernel = await remoteKernel(carrier, null, new SeededRng(1));
    const { events, sink } = recorder();
    kernel.open('capture', { interfaces: [], snapBytes: 0, filter: new Uint8Array(0) }, sink);
    await until(() => lab.a.streams.length === 1);
    socket.pause();
    const stream = (lab.a.streams[0] as FakeStream).sink;
    for (let i = 0; i < 20; i++) stream.event(new Uint8Array(500_000));
    // A request that comes later: by then the lab has taken what it takes.
    const asked = lab.a.asked.length;
    carrier.write(frameOf(encodeValue({ id: 9, request: 'host.list', params: {} }), REQUEST, CONTROL), null);
    await until(() => lab.a.asked.length > asked);
    expect(stream.queuedBytes).toBeGreaterThan(5_000_000);
    socket.resume();
    await until(() => events.length === 20);
    stream.event(1);
    await until(() => events.length === 21 && (stream.queuedBytes ?? 0) < 1000);
    socket.destroy();
    await until(() => lab.kernel.sessions === 0);
  });

  it('is reached without the lab where it has a socket', async () => {
    const lab = await serve('fake');
    const path = kernelPath(kernelFolder('fake') as string, 'a') as string;
    const listening = await listenSocket({ kind: 'unix', path }, (carrier) => lab.kernel.accept(carrier, null, 0));
    const client = await ControlClient.connect('fake');
    const kernel = client.kernel('a');
    expect(await kernel.control('host.list', {})).toEqual(HOSTS);
    expect([lab.relayed, lab.kernel.sessions]).toEqual([[], 1]);
    await client.close();
    await until(() => lab.kernel.sessions === 0);
    listening.close();
  });
});

describe('a connection through a lab', () => {
  it('is a duplex: writes wait for the kernel, reads give credit, ends are halves', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    const socket = new TcpConnection(client.kernel('a'), 'b', 80);
    await until(() => lab.a.streams.length === 1);
    const { sink, inputs } = lab.a.streams[0] as FakeStream;
    const closed = once(socket, 'close');
    let connected = false;
    socket.on('connect', () => {
      connected = true;
    });
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.write(Buffer.alloc(70_000, 7));
    expect(inputs).toEqual([]);
    sink.event({ type: 'connected', local: B, localPort: 1 });
    await until(() => inputs.length === 1);
    expect(connected).toBe(true);
    expect((inputs[0] as { bytes: Uint8Array }).bytes.length).toBe(65_536);
    sink.event({ type: 'written' });
    await until(() => inputs.length === 2);
    sink.event({ type: 'written' });
    sink.event({ type: 'data', bytes: new Uint8Array([1, 2, 3]) });
    await until(() => inputs.some((input) => (input as { type: string }).type === 'credit'));
    sink.event({ type: 'end' });
    socket.end();
    await until(() => inputs.some((input) => (input as { type: string }).type === 'end'));
    sink.end(null);
    await closed;
    expect(Buffer.concat(received)).toEqual(Buffer.from([1, 2, 3]));
    await client.close();
  });

  it('that is refused fails with its code', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    const socket = new TcpConnection(client.kernel('a'), 'b', 80);
    await until(() => lab.a.streams.length === 1);
    lab.a.streams[0]?.sink.end(new MultikernelError('ECONNREFUSED', 'ECONNREFUSED'));
    const [error] = (await once(socket, 'error')) as [MultikernelError];
    expect(error).toMatchObject({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED b:80' });
    await client.close();
  });
});
