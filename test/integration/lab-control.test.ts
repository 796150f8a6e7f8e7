import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MultikernelError } from '../../src/base/errors.ts';
import { ControlClient, connectAll } from '../../src/lab/control-client.ts';
import { decodeLine, encodeLine } from '../../src/lab/control-protocol.ts';
import { ControlServer } from '../../src/lab/control-server.ts';
import { kernelThrough } from '../../src/lab/kernel-through.ts';
import { attach } from '../../src/lab/lab.ts';
import type { LabBackend, StreamSink } from '../../src/lab/operations.ts';
import { controlNames, controlPath, runtimeFolder } from '../../src/lab/runtime-folder.ts';
import type { KernelClient } from '../../src/rump/kernel-client.ts';
import { TcpConnection } from '../../src/tools/tcp-connection.ts';
import { until } from '../fixtures/fake-workers.ts';

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

/** A lab that answers with what it was asked, and keeps its streams where a test can reach them. */
class FakeLab implements LabBackend {
  readonly asked: unknown[] = [];
  readonly streams: {
    operation: string;
    params: unknown;
    sink: StreamSink<unknown>;
    inputs: unknown[];
    closed: boolean;
  }[] = [];
  kernelReplies: Record<string, unknown> = { 'interface.names': [], 'host.list': HOSTS };
  replies: Record<string, unknown> = { info: { name: 'fake', nodes: [{ name: 'a' }, { name: 'b' }] } };

  request(operation: string, params: unknown): Promise<never> {
    this.asked.push([operation, params]);
    if (operation === 'stop') return Promise.reject(new MultikernelError('EHOSTDOWN', 'a is not running'));
    if (operation === 'kernel') {
      return Promise.resolve(this.kernelReplies[(params as { operation: string }).operation] as never);
    }
    return Promise.resolve((this.replies[operation] ?? null) as never);
  }

  open(operation: string, params: unknown, sink: StreamSink<never>) {
    const stream = { operation, params, sink: sink as StreamSink<unknown>, inputs: [] as unknown[], closed: false };
    this.streams.push(stream);
    return {
      send: (input: unknown) => void stream.inputs.push(input),
      close: () => {
        if (stream.closed) return;
        stream.closed = true;
        sink.end(null);
      },
    } as never;
  }

  kernel(name: string): KernelClient {
    return kernelThrough(this as LabBackend, name, new Promise(() => {}));
  }

  close(): Promise<void> {
    return Promise.resolve();
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

describe('lines', () => {
  it('carry bytes and big integers', () => {
    const value = {
      bytes: new Uint8Array([0, 255]),
      time: 2n ** 63n,
      list: [new Uint8Array(0)],
      text: '\n',
      none: null,
    };
    const line = encodeLine(value);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(decodeLine(line)).toEqual(value);
    expect(decodeLine(encodeLine({ b: Buffer.from('hi') }))).toEqual({ b: new Uint8Array([104, 105]) });
  });
});

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
    expect(await client.request('counters', { kernel: null })).toEqual([{ name: 'a', values: { x: 1 } }]);
    await expect(client.request('stop', { kernel: 'a' })).rejects.toMatchObject({
      code: 'EHOSTDOWN',
      message: 'a is not running',
    });
    expect(lab.asked).toEqual([
      ['counters', { kernel: null }],
      ['stop', { kernel: 'a' }],
    ]);
    await client.close();
    await expect(client.request('info', {})).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('has streams both ways, which end with it', async () => {
    const lab = await serve('fake');
    const client = await ControlClient.connect('fake');
    const events: unknown[] = [];
    const ends: unknown[] = [];
    const sink = { event: (e: unknown) => void events.push(e), end: (e: unknown) => void ends.push(e) };
    const handle = client.open('kernel', { kernel: 'a', stream: 'connection', request: {} }, sink);
    await until(() => lab.streams.length === 1);
    const stream = lab.streams[0] as (typeof lab.streams)[number];
    stream.sink.event({ type: 'data', bytes: new Uint8Array([1, 2]) });
    handle.send({ type: 'write', bytes: new Uint8Array([3]) });
    await until(() => events.length === 1 && stream.inputs.length === 1);
    expect(events).toEqual([{ type: 'data', bytes: new Uint8Array([1, 2]) }]);
    expect(stream.inputs).toEqual([{ type: 'write', bytes: new Uint8Array([3]) }]);
    handle.close();
    await until(() => ends.length === 1);
    expect(ends).toEqual([null]);
    client.open('metrics', { intervalMs: 5 }, sink);
    await until(() => lab.streams.length === 2);
    await client.close();
    await until(() => lab.streams[1]?.closed === true);
    expect(ends[1]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('that reads too slowly loses its stream, and nothing else', async () => {
    const lab = await serve('fake');
    const socket = connect(controlPath('fake'));
    await once(socket, 'data');
    socket.pause();
    socket.write(encodeLine({ id: 1, open: 'kernel', params: {} }));
    await until(() => lab.streams.length === 1);
    const event = { type: 'data', bytes: new Uint8Array(1_000_000) };
    for (let i = 0; i < 100 && lab.streams[0]?.closed === false; i++) lab.streams[0]?.sink.event(event);
    expect(lab.streams[0]?.closed).toBe(true);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.resume();
    socket.write(encodeLine({ id: 2, request: 'info', params: {} }));
    await until(() => text.includes('"reply"') && text.endsWith('\n'));
    const ends = text.split('\n').filter((line) => line.includes('"end":true'));
    expect(ends.map((line) => decodeLine(line))).toMatchObject([{ id: 1, error: { code: 'ENOBUFS' } }]);
    socket.destroy();
  });

  it('that talks nonsense is hung up on, and nobody else', async () => {
    await serve('fake');
    for (const nonsense of ['hello\n', 'null\n', '{"id":"x"}\n', '[]\n', '{}\n']) {
      const socket = connect(controlPath('fake'));
      socket.on('error', () => {});
      await once(socket, 'data');
      socket.write(nonsense);
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
    const clients = await connectAll();
    expect(clients.map((client) => client.lab)).toEqual(['one', 'two']);
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe('a connection through a lab', () => {
  it('is a duplex: writes wait for the kernel, reads give credit, ends are halves', async () => {
    const lab = new FakeLab();
    const socket = new TcpConnection(lab.kernel('a'), 'b', 80);
    await until(() => lab.streams.length === 1);
    const { sink, inputs } = lab.streams[0] as (typeof lab.streams)[number];
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
    await once(socket, 'close');
    expect(Buffer.concat(received)).toEqual(Buffer.from([1, 2, 3]));
  });

  it('that is refused fails with its code', async () => {
    const lab = new FakeLab();
    const socket = new TcpConnection(lab.kernel('a'), 'b', 80);
    await until(() => lab.streams.length === 1);
    lab.streams[0]?.sink.end(new MultikernelError('ECONNREFUSED', 'ECONNREFUSED'));
    const [error] = (await once(socket, 'error')) as [MultikernelError];
    expect(error).toMatchObject({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED b:80' });
  });
});
