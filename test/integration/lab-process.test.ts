/** Programs of a lab as processes of their own: what they are on any machine, and what their machine does without them. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { until } from '../fixtures/fake-workers.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  'self.js': `
    const { chdir, cwd, env, pid, argv, execArgv } = process;
    const { isMainThread } = require('node:worker_threads');
    const before = cwd();
    chdir('inner');
    const read = require('node:fs').readFileSync('name.txt', 'utf8');
    const hour = new Date(0).getHours();
    const host = require('node:os').hostname();
    const { NODE_OPTIONS, WHO } = env;
    console.log(JSON.stringify({ pid, before, read, hour, host, isMainThread, gc: typeof gc, NODE_OPTIONS, WHO, argv: argv.slice(2), execArgv }));
    console.error('to stderr');`,
  // Settings that Node reads once, when a process starts.
  'started.js': `
    const { env, title } = process;
    const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', timeZone: 'UTC' }).format(0);
    console.log(JSON.stringify({ preloaded, title, day, fromFile: env.FROM_FILE, options: env.NODE_OPTIONS }));
    require('node:https').get('https://localhost/', (r) => r.on('data', (d) => console.log('secure', String(d)))).on('error', (e) => console.log('secure', e.code));
    const { cert, key } = { cert: 'cert.pem', key: 'key.pem' };
    const read = (name) => require('node:fs').readFileSync(name);
    require('node:https').createServer({ cert: read(cert), key: read(key) }, (q, r) => r.end('served')).listen(443).unref();`,
  'nets.cjs': `require('node:http'); require('node:dgram'); require('node:tls'); require('node:cluster'); globalThis.preloaded = ['nets'];`,
  'nets.mjs': `import 'node:net'; import 'node:child_process'; globalThis.preloaded.push('mjs', typeof fetch);`,
  'writes.js': `
    const fs = require('node:fs');
    const { spawn, spawnSync } = require('node:child_process');
    fs.writeSync(1, 'by 1\\n');
    fs.writeSync(2, 'by 2\\n');
    fs.writeSync(process.stdout.fd, 'by fd\\n');
    spawnSync('echo', ['by sync child'], { stdio: 'inherit' });
    spawn('echo', ['by child'], { stdio: 'inherit' }).on('exit', () => console.log('input', fs.readFileSync(0).length));`,
  'stuck.js': `
    require('node:net').createServer(() => {}).listen(80, () => {
      console.log('stuck');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`,
  'busy.js': `
    require('node:net').createServer(() => {}).listen(80, () => {
      require('node:fs').writeSync(1, 'stuck\\n');
      for (;;);
    });`,
  'server.js': `
    const net = require('node:net');
    net.createServer((socket) => socket.resume().on('error', () => {})).listen(80);
    net.createServer({ pauseOnConnect: true }, (socket) => socket.on('error', () => {})).listen(81);
    net.createServer(() => process.exit(3)).listen(82);
    net.createServer(() => process.kill(process.pid, 'SIGKILL')).listen(83);
    net.createServer(() => { throw new TypeError('where?'); }).listen(84);`,
  'unread.js': `
    const net = require('node:net');
    net.createServer((socket) => socket.on('data', (data) => console.log('read', String(data))).on('error', () => {})).listen(80);
    net.createServer({ pauseOnConnect: true }, (socket) => socket.on('error', () => {})).listen(81);
    net.createServer((socket) => socket.on('data', () => {
      // Whatever waited for its turn in the event loop has had it.
      setTimeout(() => setImmediate(() => {
        require('node:fs').writeSync(1, 'stands\\n');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }), 10);
    })).listen(82);`,
  'graceful.js': `
    process.on('SIGTERM', () => {
      console.log('closing');
      require('node:fs').writeFileSync('ended.txt', 'SIGTERM');
      process.exit();
    });
    require('node:http').createServer(() => {}).listen(80, () => console.log('up'));`,
  'deaf.js': `
    const idle = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log(process.pid)';
    const child = require('node:child_process').spawn(process.execPath, ['-e', idle]);
    child.stdout.on('data', (pid) => console.log(process.pid, Number(pid)));
    process.on('SIGTERM', () => {});`,
  'parent.js': `
    const { fork, spawnSync } = require('node:child_process');
    const { Worker } = require('node:worker_threads');
    const ask = \`require('node:http').get('http://b/', (r) => r.on('data', (d) => console.log(require('node:worker_threads').isMainThread ? 'process' : 'thread', String(d))));\`;
    require('node:fs').writeFileSync('ask.js', ask);
    console.log('sync', String(spawnSync(process.execPath, ['ask.js']).stdout).trim().split(' ').at(-1));
    fork('ask.js').on('exit', () => new Worker('./ask.js'));`,
  'asks.js': `
    const http = require('node:http');
    const get = (path) => new Promise((done) => http.get('http://b' + path, (r) => r.resume().on('end', done)));
    (async () => {
      for (let n = 0; n < 20; n++) await get('/');
      for (let n = 0; n < 5; n++) await fetch('http://b/').then((r) => r.text());
      http.get('http://b:81/').on('error', () => {});
      if (process.send === undefined) require('node:child_process').fork('asks.js');
      else http.get('http://b/never', () => {});
    })();`,
  'answers.js': `
    require('node:http').createServer((q, r) => { if (q.url !== '/never') r.end('hello'); }).listen(80);`,
  'begins.js': `
    console.log('begins', process.pid, Object.keys(process.env).filter((name) => name.startsWith('MULTIKERNEL')).length);
    require('node:http').get('http://b/', (r) => r.on('data', (d) => console.log('hears', String(d))));`,
  'asked.js': `
    const serve = () => require('node:http').createServer((q, r) => r.end('hello')).listen(80);
    require('node:net').createServer((socket) => { socket.end(); serve(); }).listen(90);`,
  'pid.js': `
    require('node:fs').writeFileSync('pid', String(process.pid));
    require('node:net').createServer().listen(80);`,
  'hello.js': `require('node:http').createServer((q, r) => r.end('hello')).listen(80);`,
};

/** 200 in .ci/run. */
const RESTARTS = Number(process.env.MK_TEST_RESTARTS ?? 20);

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-process-'));
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, 'inner'));
  writeFileSync(join(folder, 'inner', 'name.txt'), 'inner');
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function up(nodes: Record<string, Facade.NodeOptions>): Promise<Facade.Lab> {
  net = await mk.lab({ nodes, defaults: { node: { placement: 'process' } } }, { folder });
  return net;
}

/** The first line that a program writes with `text` in it. */
async function line(lab: Facade.Lab, node: string, text: string): Promise<string> {
  for await (const one of lab.logs({ nodes: [node], follow: true })) if (one.text.includes(text)) return one.text;
  throw new Error(`${node} never wrote ${text}`);
}

/** When the node is in a state. */
async function state(lab: Facade.Lab, node: string, wanted: string): Promise<Facade.NodeStatus> {
  for await (const one of lab.states()) if (one.name === node && one.state.startsWith(wanted)) return one;
  throw new Error(`${node} was never ${wanted}`);
}

async function listens(lab: Facade.Lab, node: string, port: number): Promise<void> {
  await lab.until(async () => (await lab.node(node).status()).listening.tcp.includes(port));
}

/** Whether a process runs; one that ended and was not waited for does not. */
function runs(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

/** Processes of a node, also those whose programs have not begun. */
function processesOf(node: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const marked = new RegExp(`\0MULTIKERNEL_MACHINE=[^\0]*/${node}/\0`);
  return pids.map(Number).filter((pid) => {
    try {
      return marked.test(`\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`);
    } catch {
      return false;
    }
  });
}

/** End of a connection: 'end', or the code of its error. */
function ending(socket: ReturnType<Facade.LabNode['connect']>): Promise<string> {
  return new Promise((done) => {
    socket.resume();
    socket.on('end', () => done('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code as string));
  });
}

describe('a program that is a process', () => {
  it('has what a process has', async () => {
    const run = 'node --expose-gc self.js one two';
    const lab = await up({ a: { run, env: { TZ: 'Asia/Tokyo', WHO: 'me', NODE_OPTIONS: '--no-warnings' } } });
    const said = JSON.parse(await line(lab, 'a', '{')) as Record<string, unknown>;
    expect(said.pid).not.toBe(process.pid);
    expect(said).toMatchObject({
      before: folder,
      read: 'inner',
      hour: 9,
      host: 'a',
      isMainThread: true,
      gc: 'function',
      NODE_OPTIONS: '--no-warnings',
      WHO: 'me',
      argv: ['one', 'two'],
      execArgv: ['--expose-gc'],
    });
    expect(await line(lab, 'a', 'stderr')).toBe('to stderr');
    expect(await state(lab, 'a', 'exited')).toMatchObject({ exitCode: 0, placement: 'process' });
  });

  it('has what Node reads when a process starts', async () => {
    for (const name of ['cert.pem', 'key.pem']) copyFileSync(join('test/fixtures/programs', name), join(folder, name));
    writeFileSync(join(folder, 'variables.env'), 'FROM_FILE=read\n');
    const run = 'node --env-file=variables.env --title=own --import ./nets.mjs started.js';
    const env = { LC_ALL: 'de_DE.UTF-8', NODE_EXTRA_CA_CERTS: 'cert.pem', NODE_OPTIONS: '-r ./nets.cjs' };
    const lab = await up({ a: { run, env } });
    expect(JSON.parse(await line(lab, 'a', '{'))).toEqual({
      preloaded: ['nets', 'mjs', 'function'],
      title: 'own',
      day: 'Donnerstag',
      fromFile: 'read',
      options: '-r ./nets.cjs',
    });
    expect(await line(lab, 'a', 'secure')).toBe('secure served');
  });

  it('writes to its descriptors, and so do its children', async () => {
    const lab = await up({ a: { run: 'node writes.js' } });
    const found: string[] = [];
    for await (const { source, text } of lab.logs({ nodes: ['a'], follow: true })) {
      found.push(`${source} ${text}`);
      if (source === 'state') break;
    }
    expect(found.filter((one) => one.startsWith('stderr'))).toEqual(['stderr by 2']);
    expect(found.filter((one) => !one.startsWith('stderr'))).toEqual([
      'stdout by 1',
      'stdout by fd',
      'stdout by sync child',
      'stdout by child',
      'stdout input 0',
      'state exited 0',
    ]);
  });

  it('has children and threads on its machine, those of spawnSync too', async () => {
    const lab = await up({
      a: { run: 'node parent.js', depends_on: { b: 'listening:80' } },
      b: { run: 'node hello.js' },
    });
    expect(await line(lab, 'a', 'sync')).toBe('sync hello');
    expect(await line(lab, 'a', 'process')).toBe('process hello');
    expect(await line(lab, 'a', 'thread')).toBe('thread hello');
  });
});

describe('a program that waits for another', () => {
  const waiting = { run: 'node begins.js', depends_on: { b: 'listening:80' } } as const;
  const nodes = { waiting, b: { run: 'node asked.js' }, c: {} };

  /** What it waits for. */
  async function ask(lab: Facade.Lab): Promise<void> {
    await listens(lab, 'b', 90);
    lab
      .node('c')
      .connect(90, 'b')
      .on('error', () => {})
      .resume();
  }

  it('begins in the process that stood ready for it', async () => {
    const lab = await up(nodes);
    const [ready, ...others] = processesOf('waiting');
    expect(others).toEqual([]);
    expect(await lab.node('waiting').status()).toMatchObject({ phase: 'waiting', listening: { tcp: [] } });
    await ask(lab);
    expect(await line(lab, 'waiting', 'begins')).toBe(`begins ${ready} 0`);
    expect(await line(lab, 'waiting', 'hears')).toBe('hears hello');
    expect(await state(lab, 'waiting', 'exited')).toMatchObject({ exitCode: 0 });
  });

  it('begins in another when that was killed', async () => {
    const lab = await up(nodes);
    const [ready] = processesOf('waiting');
    process.kill(ready as number, 'SIGKILL');
    await until(() => processesOf('waiting').length === 0);
    expect(await lab.node('waiting').status()).toMatchObject({ phase: 'waiting', exitCode: null });
    await ask(lab);
    expect(await line(lab, 'waiting', 'hears')).toBe('hears hello');
  });

  it('leaves no process when its machine is switched off, or its lab', async () => {
    const lab = await up({ ...nodes, other: waiting });
    await lab.node('waiting').powerOff();
    await until(() => processesOf('waiting').length === 0);
    await until(() => processesOf('other').length === 1);
    await lab.down();
    net = null;
    await until(() => processesOf('other').length === 0);
  });
});

describe('its machine', () => {
  it.each([
    ['stands still', 'stuck.js'],
    ['computes', 'busy.js'],
  ])('answers while the program %s', async (_what, script) => {
    const lab = await up({ a: { run: `node ${script}` }, b: {} });
    await line(lab, 'a', 'stuck');
    const socket = lab.node('b').connect(80, 'a');
    await once(socket, 'connect');
    socket.destroy();
    for await (const event of lab.node('b').ping('a', { count: 1 })) {
      if (event.type === 'end') expect(event.received).toBe(1);
    }
    expect(await lab.node('a').sockets({ state: 'LISTEN', localPort: 80 })).not.toEqual([]);
  });

  it('closes the sockets of a program that ended, and goes on', async () => {
    const lab = await up({ a: { run: 'node server.js' }, b: {} });
    await listens(lab, 'a', 84);
    const b = lab.node('b');
    const read = b.connect(80, 'a');
    const unread = b.connect(81, 'a');
    await Promise.all([once(read, 'connect'), once(unread, 'connect')]);
    const endings = Promise.all([ending(read), ending(unread)]);
    unread.write('nobody reads this');
    // It has arrived before the program is told to end.
    await lab.until(async () => {
      const [socket] = await b.sockets({ peerPort: 81 });
      return socket?.state === 'ESTABLISHED' && socket.sendQueueBytes === 0;
    });
    b.connect(82, 'a').on('error', () => {});
    expect(await endings).toEqual(['end', 'ECONNRESET']);
    expect(await state(lab, 'a', 'exited')).toMatchObject({ exitCode: 3, phase: 'exited' });
    expect(await ending(b.connect(80, 'a'))).toBe('ECONNREFUSED');
    await lab.node('a').run('server.js', { cwd: folder });
    await listens(lab, 'a', 84);
    const again = b.connect(80, 'a');
    await once(again, 'connect');
    again.destroy();
  });

  it('resets what a killed program had not read, whether it reads or stands still, and ends what it had', async () => {
    const lab = await up({ a: { run: 'node unread.js' }, b: {} });
    const b = lab.node('b');
    await listens(lab, 'a', 82);
    const connected = async (port: number): Promise<ReturnType<Facade.LabNode['connect']>> => {
      const socket = b.connect(port, 'a');
      await once(socket, 'connect');
      return socket.on('error', () => {});
    };
    const [read, paused, late] = [await connected(80), await connected(81), await connected(80)];
    const endings = Promise.all([read, paused, late].map(ending));
    read.write('one');
    paused.write('two');
    await line(lab, 'a', 'read one');
    (await connected(82)).write('stop');
    await line(lab, 'a', 'stands');
    late.write('three');
    await lab.until(async () => {
      const sockets = await b.sockets({ state: 'ESTABLISHED' });
      return sockets.length > 0 && sockets.every((socket) => socket.sendQueueBytes === 0);
    });
    await lab.node('a').kill();
    expect(await endings).toEqual(['end', 'ECONNRESET', 'ECONNRESET']);
  });

  it('knows how the program ended', async () => {
    const lab = await up({ a: { run: 'node server.js' }, b: {} });
    await listens(lab, 'a', 84);
    lab
      .node('b')
      .connect(83, 'a')
      .on('error', () => {});
    expect(await state(lab, 'a', 'exited')).toMatchObject({ exitCode: 128 + 9 });
    await lab.node('a').run('server.js', { cwd: folder });
    await listens(lab, 'a', 84);
    lab
      .node('b')
      .connect(84, 'a')
      .on('error', () => {});
    expect(await line(lab, 'a', 'TypeError: ')).toBe('TypeError: where?');
    expect(await state(lab, 'a', 'crashed 1: TypeError: where?')).toMatchObject({
      exitCode: 1,
      lastError: { name: 'TypeError', message: 'where?', stack: expect.stringMatching(/^TypeError: where\?\n {4}at /) },
    });
    // Written by the program, and by nobody else.
    const told: string[] = [];
    for await (const { text } of lab.logs({ nodes: ['a'] })) if (text === 'TypeError: where?') told.push(text);
    expect(told).toHaveLength(1);
  });

  it('says why a program did not begin', async () => {
    const lab = await up({ a: {} });
    await lab.node('a').run('server.js', { cwd: folder, argv: ['\0'] });
    expect(await state(lab, 'a', 'crashed')).toMatchObject({ lastError: { code: 'ERR_INVALID_ARG_VALUE' } });
    await lab.node('a').run('server.js', { cwd: folder });
    await listens(lab, 'a', 84);
  });

  it('is switched off without a word, and comes back', async () => {
    const lab = await up({ a: { run: 'node server.js' }, b: {} });
    await listens(lab, 'a', 84);
    const b = lab.node('b');
    const socket = b.connect(80, 'a');
    await once(socket, 'connect');
    let heard = '';
    void ending(socket).then((how) => {
      heard = how;
    });
    await lab.node('a').powerOff();
    await expect(lab.node('a').interfaces()).rejects.toMatchObject({ code: 'EHOSTDOWN' });
    expect(heard).toBe('');
    await lab.node('a').run('server.js', { cwd: folder });
    await listens(lab, 'a', 84);
    // The machine does not know the connection of the one before.
    socket.write('x');
    await lab.until(() => heard === 'ECONNRESET');
  });
});

describe('HTTP of a program that is a process', () => {
  it('is counted, that of its children too, and nothing of a process that was killed is under way', async () => {
    const lab = await up({
      a: { run: 'node asks.js', depends_on: { b: 'listening:80' } },
      b: { run: 'node answers.js' },
    });
    const counts = async (node: string): Promise<Record<string, number>> =>
      (await lab.counters(node)).find(({ name }) => name === `${node}/program`)?.values ?? {};
    await lab.until(async () => (await counts('b'))['http.server.requests'] === 50);
    let client: Record<string, number> = {};
    await lab.until(async () => {
      client = await counts('a');
      const { 'http.client.requests': requests, 'http.client.errors': errors } = client;
      return requests === 50 && errors === 2 && client['http.client.inFlight'] === 1;
    });
    const buckets = Object.entries(client).filter(([name]) => name.startsWith('http.client.us.'));
    expect(buckets.reduce((sum, [, count]) => sum + count, 0)).toBe(50);
    await lab.node('a').kill();
    await lab.until(async () => (await counts('a'))['http.client.inFlight'] === 0);
    for await (const { nodes } of lab.metrics({ intervalMs: 50 })) {
      expect(nodes.map(({ node, role }) => [node, role])).toEqual([
        ['a', 'client'],
        ['b', 'server'],
      ]);
      break;
    }
  });

  it('is counted to the last request of a program that exits', async () => {
    const once = `require('node:http').get('http://b/', (r) => r.resume().on('end', () => process.exit()))`;
    writeFileSync(join(folder, 'once.js'), once);
    const lab = await up({
      a: { run: 'node once.js', depends_on: { b: 'listening:80' } },
      b: { run: 'node answers.js' },
    });
    await state(lab, 'a', 'exited 0');
    await lab.until(async () => {
      const block = (await lab.counters('a')).find(({ name }) => name === 'a/program');
      return block?.values['http.client.requests'] === 1;
    });
  });
});

describe('kill and restart', () => {
  it('end the program, and the machine goes on; or both begin anew', async () => {
    const lab = await up({ a: { run: 'node server.js' }, b: {} });
    await listens(lab, 'a', 84);
    const a = lab.node('a');
    const socket = lab.node('b').connect(80, 'a');
    await once(socket, 'connect');
    const end = ending(socket);
    expect(await a.kill()).toMatchObject({ phase: 'exited', exitCode: 137 });
    expect(await end).toBe('end');
    expect((await a.interfaces()).map((one) => one.name)).toContain('eth0');
    await expect(a.kill()).rejects.toMatchObject({ code: 'ESRCH', message: 'a runs no program' });
    expect(await a.restart()).toMatchObject({ phase: 'running' });
    await listens(lab, 'a', 84);
    await expect(lab.node('b').kill()).rejects.toMatchObject({ code: 'ESRCH' });
    await lab.node('b').run('hello.js', { cwd: folder });
    expect(await lab.node('b').restart()).toMatchObject({ phase: 'running', program: 'node hello.js' });
  });

  it(`leak nothing in ${RESTARTS} restarts and as many kills`, { timeout: 900_000 }, async () => {
    const lab = await up({ a: { run: 'node pid.js' }, b: {} });
    const { workers } = await lab.info();
    const a = lab.node('a');
    const cycle = async (): Promise<void> => {
      await a.restart();
      await listens(lab, 'a', 80);
      await a.kill();
      await a.run('pid.js', { cwd: folder });
      await listens(lab, 'a', 80);
    };
    const descriptors = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);
    /** Whether the program and its kernel share memory: what was not given back is missing to the next. */
    const sharesMemory = (): boolean => {
      const pid = readFileSync(join(folder, 'pid'), 'utf8');
      return process.platform === 'linux' && readFileSync(`/proc/${pid}/maps`, 'utf8').includes('memfd');
    };
    for (let n = 0; n < 10; n++) await cycle();
    const before = { rssBytes: process.memoryUsage().rss, descriptors: descriptors(), shares: sharesMemory() };
    for (let n = 10; n < RESTARTS; n++) await cycle();
    // Its thread is its own now.
    expect((await lab.info()).workers).toBe(workers + 1);
    for await (const event of lab.node('b').ping('a', { count: 1 })) {
      if (event.type === 'end') expect(event.received).toBe(1);
    }
    expect(process.memoryUsage().rss - before.rssBytes).toBeLessThan(32 << 20);
    expect(descriptors()).toBeLessThanOrEqual(before.descriptors + 2);
    expect(sharesMemory()).toBe(before.shares);
  });
});

describe('taking a lab down', () => {
  it('asks programs to end', async () => {
    const lab = await up({ a: { run: 'node graceful.js' } });
    await line(lab, 'a', 'up');
    const last = line(lab, 'a', 'closing');
    await lab.down();
    net = null;
    expect(await last).toBe('closing');
    expect(readFileSync(join(folder, 'ended.txt'), 'utf8')).toBe('SIGTERM');
  });

  it('ends those that do not listen, and what they started', async () => {
    const lab = await up({ a: { run: 'node deaf.js' } });
    const pids = (await line(lab, 'a', ' ')).split(' ').map(Number);
    expect(pids).toHaveLength(2);
    await lab.down();
    net = null;
    await until(() => !pids.some(runs));
  });
});
