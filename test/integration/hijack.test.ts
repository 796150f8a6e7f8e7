/** Programs on a kernel that works elsewhere: `multikernel/hijack` and `mk run --server`. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Errno, MultikernelError } from '../../src/base/errors.ts';
import { EventLoop } from '../../src/host/node/event-loop.ts';
import { Kernel } from '../../src/kernel/kernel.ts';
import { Arena } from '../../src/mem/arena.ts';
import { Doorbell } from '../../src/mem/doorbell.ts';
import { SpinBudget } from '../../src/mem/spin-budget.ts';
import * as protocol from '../../src/rump/protocol.ts';
import { formatServerUrl, parseServerUrl, type ServerUrl } from '../../src/rump/url.ts';
import { encodeError } from '../../src/rump/value-codec.ts';
import { KernelServer } from '../../src/worker/kernel-server.ts';
import { type Done, Running, Terminal } from '../fixtures/mk.ts';

/** The package finds its own subpaths by name from here. */
const PACKAGE = resolve(import.meta.dirname, '../..');
const KEY = '000102030405060708090a0b0c0d0e0f';
const OTHER_KEY = '000102030405060708090a0b0c0d0e0e';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-hijack-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Run `node ARGS` with an environment. */
function node(args: readonly string[], env: NodeJS.ProcessEnv): Running {
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: PACKAGE,
    env: { ...process.env, RUMP_SERVER: undefined, RUMP_KEY: undefined, ...env },
  });
  return new Running(child);
}

/** Run an empty program at a server. */
function hijacked(env: NodeJS.ProcessEnv): Promise<Done> {
  return node(['--import', 'multikernel/hijack', file('ran.cjs', 'console.log("ran")')], env).done;
}

describe('multikernel/hijack', () => {
  let kernel: Kernel;
  let loop: EventLoop;
  let server: KernelServer;
  let tcp: ServerUrl;
  let socket: ServerUrl;

  beforeAll(async () => {
    const arena = Arena.create(64 << 20);
    loop = new EventLoop({
      doorbell: new Doorbell(arena, arena.allocateDoorbell()),
      spinBudget: new SpinBudget(arena.words, arena.allocate(4), 1),
      pollUs: 0,
    });
    kernel = Kernel.create({ name: 'elsewhere', arena, host: loop });
    loop.add(...kernel.cpus);
    const about = { names: { api: ['127.0.0.5'] }, interfaces: null, machine: 'elsewhere' };
    server = new KernelServer(kernel, loop, () => about);
    tcp = await server.listen(parseServerUrl(`tcp://127.0.0.1:0/?key=${KEY}`));
    socket = await server.listen(parseServerUrl(`unix://${join(folder, 'kernel.sock')}`));
  });
  afterAll(() => {
    server.close();
    loop.close();
  });

  /** Prints what it is asked to about itself, and what it, a thread and a child hear from a server of its own. */
  const WHOLE = `
    const { isMainThread, Worker } = require('node:worker_threads');
    const { hostname } = require('node:os');
    const ask = \`fetch('http://api:8000/').then((r) => r.text()).then((t) => console.log(process.env.WHO ?? 'thread', t))\`;
    const server = require('node:http').createServer((q, r) => r.end(hostname())).listen(8000, async () => {
      console.log(JSON.stringify([process.execArgv, process.argv.slice(2)]));
      const child = require('node:child_process').spawn(process.execPath, ['-e', ask], { cwd: '/', env: { WHO: 'child' }, stdio: 'inherit' });
      await new Promise((done) => child.on('exit', done));
      await new Promise((done) => new Worker(ask, { eval: true }).on('exit', done));
      console.log('listening', process.env.RUMP_SERVER !== undefined);
      process.stdin.on('data', () => process.exit());
    });`;

  it.each([
    ['--import multikernel/hijack', 'tcp'],
    ['--require=multikernel/hijack', 'unix'],
    ['-r multikernel/hijack --expose-gc', 'unix'],
  ])('%s puts the kernel under a program, its threads and its children, over %s', async (flags, kind) => {
    const { key: _key, ...place } = kind === 'tcp' ? tcp : socket;
    const env = { RUMP_SERVER: formatServerUrl({ ...place, key: null }), ...(kind === 'tcp' ? { RUMP_KEY: KEY } : {}) };
    const program = node([...flags.split(' '), file('whole.cjs', WHOLE), 'one'], env);
    await program.until(/listening true/);
    expect(kernel.listeningPorts('tcp')).toEqual([8000]);
    program.child.stdin?.write('x');
    const { out, err, code } = await program.done;
    const execArgv = flags.includes('gc') ? ['--expose-gc'] : [];
    const lines = [JSON.stringify([execArgv, ['one']]), 'child elsewhere', 'thread elsewhere', 'listening true', ''];
    expect([out, err, code]).toEqual([lines.join('\n'), '', 0]);
  });

  it('is found in NODE_OPTIONS too, and by a URL whose path is relative', async () => {
    const path = join(folder, 'kernel.sock');
    const program = file('names.cjs', `require('node:dns').lookup('api', (e, address) => console.log(address))`);
    const env = {
      RUMP_SERVER: `unix://${path.slice(1)}`,
      NODE_OPTIONS: `--import file://${PACKAGE}/dist/worker/hijack.js`,
    };
    const child = spawn(process.execPath, [program], { cwd: '/', env: { ...process.env, ...env } });
    expect((await new Running(child).done).out).toBe('127.0.0.5\n');
  });

  it.each([
    ['', 'RUMP_SERVER names no kernel, e.g. unix:///run/lab/api.sock'],
    ['api', 'api: not a URL of a kernel: unix://PATH or tcp://HOST:PORT/'],
    ['unix:///nowhere/kernel.sock', 'unix:///nowhere/kernel.sock: no kernel answers there'],
    ['unix://@mk-nobody', 'unix://@mk-nobody: no kernel answers there'],
    ['tcp://127.0.0.1:1/', 'tcp://127.0.0.1:1/: no kernel answers there'],
    ['tcp://[::1]:1/', 'tcp://[::1]:1/: no kernel answers there'],
    ['tcp://build:4000/', 'tcp://build:4000/: build is a name: a program has none before its kernel; write an address'],
  ])('says in one line that %j is no kernel', async (url, why) => {
    expect(await hijacked({ RUMP_SERVER: url })).toMatchObject({ out: '', err: `multikernel: ${why}\n`, code: 1 });
  });

  it('says in one line that a key is wrong', async () => {
    const url = formatServerUrl({ ...tcp, key: null });
    const why = { out: '', err: `multikernel: ${url}: the kernel does not know this key\n`, code: 1 };
    expect(await hijacked({ RUMP_SERVER: url })).toMatchObject(why);
    expect(await hijacked({ RUMP_SERVER: url, RUMP_KEY: OTHER_KEY })).toMatchObject(why);
  });

  it('says in one line that a server speaks another version, or no remote calls', async () => {
    const error = encodeError(new MultikernelError('EPROTONOSUPPORT', 'the kernel speaks version 9'));
    const { ERROR, HELLO } = protocol;
    const version = protocol.frameOf(error, ERROR, HELLO, 1, 0, Errno.EPROTONOSUPPORT);
    const answers = { 'the kernel speaks version 9': version, 'no kernel answers there': new Uint8Array(0) };
    for (const [why, answer] of Object.entries(answers)) {
      const other = createServer((client) => client.on('error', () => undefined).end(answer)).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const url = `tcp://127.0.0.1:${(other.address() as { port: number }).port}/`;
      expect((await hijacked({ RUMP_SERVER: url })).err).toBe(`multikernel: ${url}: ${why}\n`);
      other.close();
    }
  });

  it.each(['tcp', 'unix'])('says in one line that the server does not answer, over %s', async (kind) => {
    const mute = createServer(() => undefined);
    const path = join(folder, 'mute.sock');
    await new Promise<void>(
      (done) => void (kind === 'tcp' ? mute.listen(0, '127.0.0.1', done) : mute.listen(path, done)),
    );
    const { port } = mute.address() as { port: number };
    const url = kind === 'tcp' ? `tcp://127.0.0.1:${port}/` : `unix://${path}`;
    const program = node(['--import', 'multikernel/hijack', file('ran.cjs', 'console.log("ran")')], {
      RUMP_SERVER: url,
      RUMP_KEY: KEY,
    });
    const { out, err, code } = await program.done;
    expect([out, err, code]).toEqual(['', `multikernel: ${url}: no answer in 5 s: its program blocks the thread\n`, 1]);
    mute.close();
  });

  it('is not late when koffi looks at standard error, a pipe', async () => {
    // As its look at all of node:util does from Node 22 on.
    const look = `const { Module } = require('node:module');
      const load = Module._load;
      Module._load = function (name, ...more) {
        if (name === 'koffi') console.log(process.stderr.fd, process.moduleLoadList.includes('NativeModule net'));
        return load.call(this, name, ...more);
      };`;
    const program = file('asks.cjs', `require('node:dns').lookup('api', (e, address) => console.log(address))`);
    const flags = ['--require', file('look.cjs', look), '--import', 'multikernel/hijack', program];
    const { out, err, code } = await node(flags, { RUMP_SERVER: formatServerUrl(socket) }).done;
    expect([out, err, code]).toEqual(['2 true\n127.0.0.5\n', '', 0]);
  });

  it('says in one line that it comes too late', async () => {
    const early = file('early.mjs', `import 'node:net';`);
    const flags = ['--import', early, '--import', 'multikernel/hijack', file('late.cjs', '')];
    const { err, code } = await node(flags, { RUMP_SERVER: formatServerUrl(socket) }).done;
    expect([err, code]).toEqual([
      `multikernel: ${formatServerUrl(socket)}: node:net was loaded before the kernel was installed\n`,
      1,
    ]);
  });
});

describe('mk run --server', () => {
  const LAB = `
name: elsewhere
nodes:
  api: { run: node api.js }
  gate: {}
  busy: { run: node busy.js, placement: beside }
`;
  let terminal: Terminal;
  beforeAll(async () => {
    terminal = new Terminal();
    writeFileSync(join(terminal.folder, 'multikernel.yml'), LAB);
    const api = `require('node:http').createServer((q, r) => r.end('from ' + q.socket.remoteAddress.split(':').at(-1))).listen(80);`;
    writeFileSync(join(terminal.folder, 'api.js'), api);
    const busy = `require('node:child_process').spawnSync('sleep', ['600']);`;
    writeFileSync(join(terminal.folder, 'busy.js'), busy);
    await (await terminal.up()).until(/^api\b.* listening :80$/m);
  });
  afterAll(() => terminal.close());

  it('takes the socket of a kernel of a lab, or the name of its node; streams and exit code pass through', async () => {
    const text = `
      process.stdin.on('data', (data) => fetch('http://api/').then((r) => r.text()).then((t) => {
        console.log(require('node:os').hostname(), process.execArgv, process.argv[2], t, String(data));
        process.exitCode = 7;
      }));`;
    const program = file('client.cjs', text);
    const url = `unix://${join(terminal.folder, 'multikernel', 'elsewhere.kernels', 'gate.sock')}`;
    const said = "gate [ '--no-warnings' ] -x from 10.0.0.11 typed\n";
    for (const server of [['--server', url], ['--server=gate'], ['--lab', 'elsewhere', '--server', 'gate']]) {
      const words = ['run', ...server, '--no-warnings', '--', program, '-x'];
      const { out, err, code } = await terminal.start(words, { input: 'typed' }).done;
      expect([out, err, code]).toEqual([said, '', 7]);
    }
  });

  it('says in one line that there is no such kernel', async () => {
    const program = file('ran.cjs', 'console.log("ran")');
    const run = (server: string): Promise<Done> => terminal.run('run', '--server', server, program);
    const none = { out: '', err: 'mk run: no node gat; there are api, gate, busy\n', code: 1 };
    expect(await run('gat')).toMatchObject(none);
    const nobody = { out: '', err: 'multikernel: unix://@mk-nobody: no kernel answers there\n', code: 1 };
    expect(await run('unix://@mk-nobody')).toMatchObject(nobody);
    const lab = join(terminal.folder, 'multikernel', 'elsewhere.sock');
    expect((await run(`unix://${lab}`)).err).toBe(
      `multikernel: unix://${lab}: a server that has no sockets for programs\n`,
    );
  });

  it('says in one line that the kernel does not answer, because its program computes', async () => {
    const { out, err, code } = await terminal.run('run', '--server', 'busy', file('ran.cjs', 'console.log("ran")'));
    expect([out, code]).toEqual(['', 1]);
    expect(err).toMatch(/^mk run: unix:.*busy\.sock: no answer in 5 s: its program blocks the thread\n$/);
  });

  it('tells the program that the kernel went, and lets it go on', async () => {
    const text = `
      const server = require('node:net').createServer().listen(9000, () => console.log('listening'));
      server.on('error', (error) => console.log(error.code));`;
    const program = terminal.start(['run', '--server', 'gate', file('stays.cjs', text)]);
    await program.until(/listening/);
    expect((await terminal.run('kill', '--power', 'gate')).code).toBe(0);
    const { out, err, code } = await program.done;
    expect([out, code]).toEqual(['listening\nENETDOWN\n', 0]);
    expect(err).toMatch(/^multikernel: unix:.*gate\.sock: the kernel is gone\n$/);
  });
});
