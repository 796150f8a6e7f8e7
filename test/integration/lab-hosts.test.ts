/** Services of the host as machines of a lab, and nothing else of the host. */

import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { until } from '../fixtures/fake-workers.ts';

let mk: typeof Facade;
let folder = '';
let lab: Facade.Lab;
let server: Server;
let other: Server;
let datagrams: DatagramSocket;
/** Connections that the service has. */
const served: Socket[] = [];

function portOf(one: Server | DatagramSocket): number {
  return (one.address() as AddressInfo).port;
}

/** A port of the host that nobody listens at. */
async function freePort(): Promise<number> {
  const one = createServer().listen(0, '127.0.0.1');
  await once(one, 'listening');
  const port = portOf(one);
  one.close();
  await once(one, 'close');
  return port;
}

async function freeDatagramPort(): Promise<number> {
  const one = createSocket('udp4').bind(0, '127.0.0.1');
  await once(one, 'listening');
  const port = portOf(one);
  one.close();
  await once(one, 'close');
  return port;
}

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-hosts-'));
  server = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket);
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.length > 100 ? '' : chunk;
      if (text === 'reset me') socket.resetAndDestroy();
    });
    socket.on('end', () => socket.end(`host says ${text}`));
  }).listen(0, '127.0.0.1');
  other = createServer((socket) => socket.end('secret')).listen(0, '127.0.0.1');
  datagrams = createSocket('udp4');
  datagrams.on('message', (bytes, from) => datagrams.send(`host re: ${bytes}`, from.port, from.address));
  datagrams.bind(0, '127.0.0.1');
  await Promise.all([server, other, datagrams].map((one) => once(one, 'listening')));
  writeFileSync(
    join(folder, 'udp.js'),
    `const s = require('dgram').createSocket('udp4');
     s.on('message', (m, from) => console.log(String(m), from.port));
     setInterval(() => s.send('ask', 53, 'db'), 20)`,
  );
  writeFileSync(
    join(folder, 'refused.js'),
    `const s = require('dgram').createSocket('udp4');
     s.on('error', (error) => { console.log(error.code); s.close(); clearInterval(timer); });
     let timer;
     s.connect(54, 'gone', () => { timer = setInterval(() => s.send('anybody?'), 20); });`,
  );
  lab = await mk.lab(
    {
      nodes: { app: {}, bystander: {}, asker: { run: 'node udp.js' } },
      hosts: {
        db: [`5432:host:${portOf(server)}/tcp`, `53:host:127.0.0.1:${portOf(datagrams)}/udp`],
        'api.example.org': `443:host:${portOf(server)}`,
        gone: [`80:host:${await freePort()}/tcp`, `54:host:127.0.0.1:${await freeDatagramPort()}/udp`],
        unknown: '80:host:nowhere.invalid:80/tcp',
      },
    },
    { folder },
  );
});
afterAll(async () => {
  await lab.down();
  server.close();
  other.close();
  datagrams.close();
  rmSync(folder, { recursive: true, force: true });
});

type Connection = ReturnType<Facade.LabNode['connect']>;

async function textOf(socket: Connection): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

/** A connection of `app` to the service, and its other end. */
async function joined(): Promise<{ socket: Connection; far: Socket }> {
  const count = served.length;
  const socket = lab.node('app').connect(5432, 'db');
  await until(() => served.length > count);
  return { socket, far: served[count] as Socket };
}

/** Code of the error that a connection of `app` ends with. */
async function failure(port: number, host: string, say = ''): Promise<string> {
  const socket = lab.node('app').connect(port, host);
  if (say !== '') socket.write(say);
  const [error] = await once(socket.resume(), 'error');
  return (error as NodeJS.ErrnoException).code as string;
}

describe('hosts:', () => {
  it('are machines of the lab, with an address, whose services are told', async () => {
    const db = (await lab.info()).nodes.find(({ name }) => name === 'db');
    expect(db).toMatchObject({ kind: 'host', program: null, phase: 'ready' });
    expect(db?.addresses).toMatchObject([{ network: 'lan', address: '10.0.0.13' }]);
    expect(db?.services).toEqual([
      { port: 5432, protocol: 'tcp', host: 'localhost', hostPort: portOf(server) },
      { port: 53, protocol: 'udp', host: '127.0.0.1', hostPort: portOf(datagrams) },
    ]);
  });

  it('are reached by their names, with half-closes passed on', async () => {
    for (const [port, name] of [
      [5432, 'db'],
      [443, 'api.example.org'],
    ] as const) {
      const socket = lab.node('app').connect(port, name);
      socket.end('hello');
      expect(await textOf(socket)).toBe('host says hello');
    }
  });

  it('pass resets and refusals on', async () => {
    expect(await failure(5432, 'db', 'reset me')).toBe('ECONNRESET');
    expect(await failure(80, 'gone')).toBe('ECONNRESET');
    expect(await failure(80, 'unknown')).toBe('ECONNRESET');
    const { socket, far } = await joined();
    const failed = once(far, 'error');
    socket.resetAndDestroy();
    expect(await failed).toMatchObject([{ code: 'ECONNRESET' }]);
  });

  it('have bounded memory between them: a slow service makes the program wait', async () => {
    const { socket, far } = await joined();
    far.pause();
    const bytes = 32 * 1024 * 1024;
    socket.end(Buffer.alloc(bytes));
    let before = 0;
    await until(async () => {
      const sockets = await lab.node('db').sockets({ state: 'ESTABLISHED' });
      const waiting = Math.max(0, ...sockets.map((one) => one.receiveQueueBytes));
      const full = waiting > 0 && waiting === before;
      before = waiting;
      return full;
    });
    expect(socket.writableFinished).toBe(false);
    far.resume();
    expect(await textOf(socket)).toBe('host says ');
    expect(far.bytesRead).toBe(bytes);
  });

  it('answer datagrams', async () => {
    for await (const { text } of lab.logs({ nodes: ['asker'], follow: true })) {
      expect(text).toBe('host re: ask 53');
      break;
    }
  });

  it('tell a connected socket that the service refuses its datagrams', async () => {
    const flows = lab.flows()[Symbol.asyncIterator]();
    const app = lab.node('app');
    await app.run(pathToFileURL(join(folder, 'refused.js')));
    for await (const { text } of lab.logs({ nodes: ['app'], follow: true })) {
      expect(text).toBe('ECONNREFUSED');
      break;
    }
    expect((await flows.next()).value).toMatchObject({
      protocol: 'udp',
      node: 'gone',
      from: expect.stringMatching(/^app:\d+$/),
      error: 'ECONNREFUSED',
      endedBy: 'server',
    });
    await flows.return?.();
  });

  it('are told as flows', async () => {
    const flows = lab.flows()[Symbol.asyncIterator]();
    const socket = lab.node('app').connect(5432, 'db');
    socket.end('12');
    await textOf(socket);
    expect((await flows.next()).value).toMatchObject({
      way: 'out',
      protocol: 'tcp',
      node: 'db',
      from: expect.stringMatching(/^app:\d+$/),
      to: `localhost:${portOf(server)}`,
      sentBytes: 2,
      receivedBytes: 12,
      error: null,
    });
    const refused = failure(80, 'gone');
    expect((await flows.next()).value).toMatchObject({ node: 'gone', error: 'ECONNREFUSED', endedBy: 'server' });
    await refused;
    await flows.return?.();
  });

  it('are cut as any machine, and serve again after a restart', async () => {
    const cut = await lab.partition('app', 'db', { how: 'reject' });
    expect(await failure(5432, 'db')).toBe('ECONNREFUSED');
    const through = lab.node('bystander').connect(5432, 'db');
    through.end('me');
    expect(await textOf(through)).toBe('host says me');
    await cut.heal();
    await lab.node('db').restart();
    const again = lab.node('app').connect(5432, 'db');
    again.end('again');
    expect(await textOf(again)).toBe('host says again');
  });

  /** Until `app` has sent something to the service again, for want of an answer. */
  async function unanswered(): Promise<void> {
    await until(async () => {
      const closing = await lab.node('app').sockets({ state: 'FIN_WAIT_1' });
      return closing.some(({ retransmits }) => (retransmits ?? 0) > 0);
    });
  }

  it('are impaired as any machine: what they send is lost until that ends', async () => {
    const db = lab.node('db');
    const { socket } = await joined();
    await db.impair({ up: { loss: '100%' } });
    expect(await lab.links()).toMatchObject([{ a: 'db', b: null, network: 'lan', up: { loss: 1 }, down: {} }]);
    socket.end('anybody?');
    await unanswered();
    expect(socket.readableLength).toBe(0);
    await db.impair(null);
    expect(await textOf(socket)).toBe('host says anybody?');
  });

  it('are impaired towards one machine alone', async () => {
    const { socket } = await joined();
    const link = lab.link('app', 'db');
    await link.impair({ loss: '100%' });
    socket.end('anybody?');
    await unanswered();
    const through = lab.node('bystander').connect(5432, 'db');
    through.end('me');
    expect(await textOf(through)).toBe('host says me');
    expect(socket.readableLength).toBe(0);
    await link.impair(null);
    expect(await textOf(socket)).toBe('host says anybody?');
  });

  it('are captured as any machine', async () => {
    const capture = lab.node('db').capture({ interfaces: ['eth0'], filter: 'tcp port 5432' });
    expect((await capture.next()).value).toMatchObject({ type: 'interface', name: 'eth0' });
    const socket = lab.node('app').connect(5432, 'db');
    socket.end('caught');
    expect(await textOf(socket)).toBe('host says caught');
    // Flags of TCP behind Ethernet and IPv4: the handshake.
    const seen: unknown[] = [];
    for await (const event of capture) {
      if (event.type !== 'frames') continue;
      for (const { direction, bytes } of event.frames) seen.push([direction, bytes[14 + 20 + 13]]);
      if (seen.length >= 3) break;
    }
    expect(seen.slice(0, 3)).toEqual([
      ['in', 0x02],
      ['out', 0x12],
      ['in', 0x10],
    ]);
  });
});

describe('isolation', () => {
  it('nothing of the host is reached but the service', async () => {
    const hidden = portOf(other);
    // Of the machine that stands for it, ports that the file does not name are closed.
    expect(await failure(hidden, 'db')).toBe('ECONNREFUSED');
    expect(await failure(portOf(server), 'db')).toBe('ECONNREFUSED');
    // The loopback is that of the machine.
    expect(await failure(hidden, '127.0.0.1')).toBe('ECONNREFUSED');
    expect(await failure(portOf(server), 'localhost')).toBe('ECONNREFUSED');
    // Addresses and names outside of the lab.
    expect(await failure(hidden, '192.0.2.1')).toBe('ENETUNREACH');
    expect(await failure(hidden, 'host')).toBe('ENOTFOUND');
  });

  it('without hosts nothing of the host is reached', async () => {
    const closed = await mk.lab({ nodes: { a: {}, b: {} } });
    const code = async (host: string): Promise<unknown> => {
      const [error] = await once(closed.node('a').connect(portOf(server), host).resume(), 'error');
      return (error as NodeJS.ErrnoException).code;
    };
    expect(await Promise.all(['127.0.0.1', 'b', '192.0.2.1', 'db'].map(code))).toEqual([
      'ECONNREFUSED',
      'ECONNREFUSED',
      'ENETUNREACH',
      'ENOTFOUND',
    ]);
    await closed.down();
  });
});
