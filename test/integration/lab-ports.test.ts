/** Ports of the host that lead to nodes, with sockets of the host's loopback. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { until } from '../fixtures/fake-workers.ts';
import { Terminal } from '../fixtures/mk.ts';

let mk: typeof Facade;
let folder = '';
/** One lab for the tests that change nothing of it. */
let shared: Facade.Lab;
let net: Facade.Lab | null = null;

const PROGRAMS = {
  // Answers at the end of the request only, as HTTP/1.0 may.
  'whole.js': `require('net').createServer({ allowHalfOpen: true }, (s) => {
    let bytes = 0;
    s.on('data', (d) => (bytes += d.length)).on('end', () => s.end('got ' + bytes)).on('error', () => {});
  }).listen(7)`,
  // Reads nothing until there is a connection to its other port.
  'slow.js': `const net = require('net'); const waiting = [];
  net.createServer((s) => { s.pause(); waiting.push(s); s.on('error', () => {}); }).listen(7);
  net.createServer((s) => { s.end(); for (const w of waiting) { let n = 0; w.on('data', (d) => (n += d.length)); w.on('end', () => w.end(String(n))); w.resume(); } }).listen(8)`,
  'resets.js': `require('net').createServer((s) => { s.on('data', () => s.resetAndDestroy()); s.on('error', (e) => console.log('heard', e.code)); }).listen(7)`,
  'local.js': `require('http').createServer((q, r) => r.end('only here')).listen(80, 'localhost')`,
  'udp.js': `const s = require('dgram').createSocket('udp4');
  s.on('message', (m, from) => s.send('re: ' + m, from.port, from.address)).bind(53)`,
  'web.js': `require('http').createServer((q, r) => r.end('hello ' + q.url)).listen(80)`,
};

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-ports-'));
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
  shared = await mk.lab(
    {
      nodes: {
        web: { run: 'node web.js', ports: [80, 81] },
        local: { run: 'node local.js', ports: ['0:80'] },
        whole: { run: 'node whole.js', ports: [7, 8] },
        resets: { run: 'node resets.js', ports: [7] },
        slow: { run: 'node slow.js', ports: [7, 8] },
        udp: { run: 'node udp.js', ports: ['53/udp'] },
      },
    },
    { folder },
  );
  await until(async () => (await shared.info()).nodes.every(({ state }) => /listening/.test(state)));
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(async () => {
  await shared.down();
  rmSync(folder, { recursive: true, force: true });
});

/** A lab of one node with a port, whose program listens. */
async function up(program: keyof typeof PROGRAMS, ports: (string | number)[]): Promise<Facade.Lab> {
  net = await mk.lab({ nodes: { a: { run: `node ${program}`, ports } } }, { folder });
  const lab = net;
  await until(async () => /listening/.test((await lab.info()).nodes[0]?.state ?? ''));
  return lab;
}

async function portsOf(lab: Facade.Lab, name = 'a'): Promise<number[]> {
  return (await lab.info()).nodes
    .filter((node) => node.name === name)
    .flatMap((node) => node.ports.map((port) => port.hostPort));
}

function dial(port: number): Socket {
  return connect({ port, host: '127.0.0.1', allowHalfOpen: true });
}

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

async function listen(address = '127.0.0.1'): Promise<Server> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  return server;
}

describe('ports: of a node', () => {
  it('lead there from the loopback of the host, and are told', async () => {
    const web = (await shared.info()).nodes.find(({ name }) => name === 'web');
    expect(web?.ports).toEqual([
      { address: '127.0.0.1', hostPort: expect.any(Number), port: 80, protocol: 'tcp' },
      { address: '127.0.0.1', hostPort: expect.any(Number), port: 81, protocol: 'tcp' },
    ]);
    const [port] = await portsOf(shared, 'web');
    expect(port).toBeGreaterThan(0);
    expect(await (await fetch(`http://127.0.0.1:${port}/x`)).text()).toBe('hello /x');
  });

  it('lead to programs that listen at localhost of their machine', async () => {
    const [port] = await portsOf(shared, 'local');
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('only here');
  });

  it('pass half-closes on: the answer comes after the end of the request', async () => {
    const [port] = await portsOf(shared, 'whole');
    const socket = dial(port as number);
    socket.end(Buffer.alloc(1_000_000));
    expect(await textOf(socket)).toBe('got 1000000');
  });

  it('pass resets on, both ways', async () => {
    const [port] = await portsOf(shared, 'resets');
    const reset = dial(port as number);
    reset.write('x');
    expect(await once(reset, 'error')).toMatchObject([{ code: 'ECONNRESET' }]);
    const resetting = dial(port as number);
    await once(resetting, 'connect');
    await until(async () => (await shared.node('resets').sockets({ state: 'ESTABLISHED' })).length > 0);
    resetting.resetAndDestroy();
    const logs = shared.logs({ nodes: ['resets'], follow: true });
    for await (const line of logs) if (line.text === 'heard ECONNRESET') break;
  });

  it('reset what nobody listens for, and go on', async () => {
    const [open, closed] = await portsOf(shared, 'web');
    const refused = dial(closed as number);
    expect(await once(refused, 'error')).toMatchObject([{ code: 'ECONNRESET' }]);
    expect((await fetch(`http://127.0.0.1:${open}/`)).status).toBe(200);
  });

  it('make the writer wait for a reader that is slow', async () => {
    const [data, start] = await portsOf(shared, 'slow');
    const socket = dial(data as number);
    const bytes = 64 * 1024 * 1024;
    socket.end(Buffer.alloc(bytes));
    // All that the machine keeps for its program is full.
    let before = 0;
    await until(async () => {
      const sockets = await shared.node('slow').sockets({ state: 'ESTABLISHED' });
      const waiting = Math.max(0, ...sockets.map((one) => one.receiveQueueBytes));
      const full = waiting > 0 && waiting === before;
      before = waiting;
      return full;
    });
    expect(socket.writableFinished).toBe(false);
    dial(start as number).resume();
    expect(await textOf(socket)).toBe(String(bytes));
  });

  it('carry many connections at once', async () => {
    const [port] = await portsOf(shared, 'whole');
    const texts = Array.from({ length: 200 }, (_, i) => {
      const socket = dial(port as number);
      socket.end(Buffer.alloc(i));
      return textOf(socket);
    });
    expect(await Promise.all(texts)).toEqual(texts.map((_, i) => `got ${i}`));
  });

  it('carry datagrams, each peer its own', async () => {
    const [port] = await portsOf(shared, 'udp');
    const peers = ['one', 'two'].map((text) => {
      const socket = createSocket('udp4');
      socket.send(text, port as number, '127.0.0.1');
      return once(socket, 'message').then(([reply]) => {
        socket.close();
        return String(reply);
      });
    });
    expect(await Promise.all(peers)).toEqual(['re: one', 're: two']);
  });

  it('are told as flows: who, to where, bytes, end', async () => {
    const [port, closed] = await portsOf(shared, 'whole');
    const flows = shared.flows()[Symbol.asyncIterator]();
    const socket = dial(port as number);
    await once(socket, 'connect');
    const { localPort } = socket;
    socket.end('12345');
    await textOf(socket);
    expect((await flows.next()).value).toEqual({
      way: 'in',
      protocol: 'tcp',
      node: 'whole',
      from: `127.0.0.1:${localPort}`,
      to: 'whole:7',
      sentBytes: 5,
      receivedBytes: 5,
      startedAtMs: expect.any(Number),
      durationMs: expect.any(Number),
      error: null,
      endedBy: null,
    });
    await once(dial(closed as number), 'error');
    expect((await flows.next()).value).toMatchObject({ to: 'whole:8', error: 'ECONNREFUSED', endedBy: 'server' });
    await flows.return?.();
  });

  it('serve the machine again after it was switched off and on', async () => {
    const lab = await up('web.js', [80]);
    const [port] = await portsOf(lab);
    await lab.node('a').powerOff();
    expect(await once(dial(port as number), 'error')).toMatchObject([{ code: 'ECONNRESET' }]);
    await lab.node('a').restart();
    await until(() =>
      fetch(`http://127.0.0.1:${port}/`).then(
        (reply) => reply.ok,
        () => false,
      ),
    );
  });

  it('are closed with the lab', async () => {
    const lab = await up('whole.js', [7]);
    const [port] = await portsOf(lab);
    const socket = dial(port as number);
    await once(socket, 'connect');
    const closed = once(socket, 'error');
    await lab.down();
    expect(await closed).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(await once(dial(port as number), 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
  });

  it('are refused with their place when the host has them in use, and nothing is left', async () => {
    const server = await listen();
    const { port } = server.address() as AddressInfo;
    const file = join(folder, 'used.yml');
    writeFileSync(file, `nodes:\n  a: {}\n  b:\n    ports: [80, "${port}:80"]\n`);
    const refused = mk.lab(file);
    await expect(refused).rejects.toMatchObject({
      name: 'LabFileError',
      code: 'EADDRINUSE',
      message: `${file}:4:17: nodes.b.ports[1]: 127.0.0.1:${port}: in use on the host`,
    });
    server.close();
  });
});

describe('forward', () => {
  it('leads a port to a node until it is closed', async () => {
    const lab = await up('web.js', []);
    const port = await lab.node('a').forward(80);
    expect(await (await fetch(`http://127.0.0.1:${port.port}/`)).text()).toBe('hello /');
    expect(await portsOf(lab)).toEqual([port.port]);
    await port.close();
    await port.close();
    expect(await once(dial(port.port), 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
    expect(await portsOf(lab)).toEqual([]);
  });

  it('says what is wrong', async () => {
    const lab = await up('web.js', []);
    const server = await listen();
    const { port } = server.address() as AddressInfo;
    await expect(lab.node('a').forward(`${port}:80`)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `127.0.0.1:${port}: in use on the host`,
    });
    await expect(lab.node('a').forward('80:http')).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(lab.node('a').forward('203.0.113.9:0:80')).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    server.close();
  });
});

describe('mk', () => {
  let terminal: Terminal;
  beforeAll(() => {
    terminal = new Terminal();
  });
  afterAll(() => terminal.close());

  it('shows ports, leads more of them while mk forward runs, and writes a line for each flow', async () => {
    for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(terminal.folder, name), text);
    const file = join(terminal.folder, 'multikernel.yml');
    writeFileSync(file, 'name: ways\nnodes: { web: { run: node web.js, ports: [80] } }\nhosts: { db: host:5432 }\n');
    const up = await terminal.up(file, '--flows');
    const [, port] = await up.until(/^127\.0\.0\.1:(\d+) -> web:80\ndb:5432 -> localhost:5432 of the host$/m);
    await until(async () => /listening :80/.test((await terminal.run('ps')).out));
    const { out } = await terminal.run('ps');
    expect(out).toContain(`127.0.0.1:${port} -> web:80\n`);
    const forward = terminal.start(['forward', 'web', '80']);
    const [, forwarded] = await forward.until(/^127\.0\.0\.1:(\d+) -> web:80$/m);
    const headers = { connection: 'close' };
    expect(await (await fetch(`http://127.0.0.1:${forwarded}/there`, { headers })).text()).toBe('hello /there');
    await up.until(/^127\.0\.0\.1:\d+ -> web:80\/tcp: \d+ bytes, \d+ back, .*, closed$/m);
    forward.child.kill('SIGINT');
    expect((await forward.done).code).toBe(0);
    await until(() =>
      fetch(`http://127.0.0.1:${forwarded}/`).then(
        () => false,
        () => true,
      ),
    );
    const used = await terminal.run('forward', 'web', `${port}:80`);
    expect([used.code, used.err]).toEqual([2, `mk forward: 127.0.0.1:${port}: in use on the host\n`]);
  });
});
