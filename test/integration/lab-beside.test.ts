/** Programs of a lab as threads beside their kernel: what they have of a process, and what they are told about the rest. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  // A preload that loads what stands on the kernel's sockets, and says that it came first.
  'first.cjs': "globalThis.order = ['first']; require('node:http'); require('node:tty'); require('node:cluster');",
  'second.mjs': "import 'node:net'; import 'node:child_process'; globalThis.order.push('second', typeof fetch);",
  'third.mjs': "await new Promise((wake) => setTimeout(wake, 1)); globalThis.order.push('third');",
  'preloaded.cjs': `
    const { execArgv, env } = process;
    console.log(JSON.stringify({ order, execArgv, options: env.NODE_OPTIONS }));
    require('node:net').createServer((socket) => socket.end('served')).listen(80);`,
  'changes.cjs': `
    for (const call of ['chdir', 'setuid', 'abort']) {
      try { process[call]('/'); } catch (error) { console.log(error.code, error.message); }
    }`,
  'writes.cjs': `
    const fs = require('node:fs');
    const net = require('node:net');
    const { fork, spawn, spawnSync } = require('node:child_process');
    const { Worker } = require('node:worker_threads');
    if (process.argv[2]) console.log(process.argv[2]);
    else main();
    async function main() {
      console.log('console');
      const counts = [fs.writeSync(1, 'writeSync, '), fs.writeSync(1, Buffer.from('..a part\\n'), 2, 7), fs.writevSync(1, [Buffer.from('writev'), Buffer.from('Sync\\n')])];
      console.log('counts', counts.join());
      fs.writeFileSync(1, 'writeFileSync\\n');
      fs.writeSync(process.stdout.fd, 'fd of stdout\\n');
      console.error('console.error');
      fs.writeSync(2, 'writeSync 2\\n');
      const { bytesWritten } = await require('node:util').promisify(fs.write)(1, 'write\\n');
      console.log('written', bytesWritten);
      await new Promise((done) => fs.createWriteStream('', { fd: 1, autoClose: false }).end('stream\\n', done));
      console.log('input', fs.readFileSync(0, 'utf8').length, fs.readSync(0, Buffer.alloc(8)));
      fs.closeSync(1);
      spawnSync('echo', ['sync child'], { stdio: 'inherit' });
      await ended(spawn('echo', ['child'], { stdio: ['inherit', 1, 2] }));
      await ended(fork(__filename, ['fork']));
      await new Promise((done) => new Worker('require("node:fs").writeSync(1, "thread\\\\n")', { eval: true }).on('exit', done));
      console.log('last');
    }
    // Output of a child is read when it comes, perhaps after its exit is told: the test says that it has come.
    function ended(child) {
      const exit = new Promise((done) => child.on('exit', done));
      const read = new Promise((done) => {
        const server = net.createServer((socket) => server.close(done) && socket.destroy()).listen(7);
      });
      return Promise.all([exit, read]);
    }`,
  'floods.cjs': `
    const text = 'x'.repeat(999) + '\\n';
    const write = () => { for (let i = 0; i < 100; i++) require('node:fs').writeSync(1, text); setImmediate(write); };
    write();`,
};

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-beside-'));
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function up(nodes: Record<string, Facade.NodeOptions>): Promise<Facade.Lab> {
  net = await mk.lab({ nodes, defaults: { node: { placement: 'beside' } } }, { folder });
  return net;
}

/** The first `count` lines that a program writes. */
async function lines(lab: Facade.Lab, node: string, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { source, text } of lab.logs({ nodes: [node], follow: true })) {
    if (source !== 'state') found.push(text);
    if (found.length === count) return found;
  }
  throw new Error(`${node} wrote no more than ${found.join('\n')}`);
}

describe('modules that are loaded before a program', () => {
  it('may load what stands on sockets, and find the kernel under it', async () => {
    const lab = await up({
      a: {
        run: 'node --import ./second.mjs --import ./third.mjs --no-warnings preloaded.cjs',
        env: { NODE_OPTIONS: '-r ./first.cjs' },
      },
      b: {},
    });
    expect(JSON.parse((await lines(lab, 'a', 1))[0] as string)).toEqual({
      order: ['first', 'second', 'function', 'third'],
      execArgv: ['--import', './second.mjs', '--import', './third.mjs', '--no-warnings'],
      options: '-r ./first.cjs',
    });
    await lab.until(async () => (await lab.node('a').status()).listening.tcp.includes(80));
    const socket = lab.node('b').connect(80, 'a');
    const [served] = await new Promise<Buffer[]>((done) => socket.once('data', (...data) => done(data)));
    expect(String(served)).toBe('served');
    socket.destroy();
  });
});

/** Tell the program that a child's output has come, once it listens for that. */
function readOf(lab: Facade.Lab): void {
  const socket = lab.node('a').connect(7, '127.0.0.1');
  socket.on('error', () => setImmediate(readOf, lab)).resume();
}

describe('output', () => {
  it('is that of the node by whatever way it is written', async () => {
    const lab = await up({ a: { run: 'node writes.cjs' } });
    const found: string[] = [];
    for await (const { source, text } of lab.logs({ nodes: ['a'], follow: true })) {
      if (source !== 'state' || text === 'exited 0') found.push(`${source} ${text}`);
      if (text === 'child' || text === 'fork') readOf(lab);
      if (text === 'exited 0') break;
    }
    expect(found.filter((line) => line.startsWith('stderr'))).toEqual(['stderr console.error', 'stderr writeSync 2']);
    expect(found.filter((line) => !line.startsWith('stderr'))).toEqual([
      'stdout console',
      'stdout writeSync, a part',
      'stdout writevSync',
      'stdout counts 11,7,11',
      'stdout writeFileSync',
      'stdout fd of stdout',
      'stdout write',
      'stdout written 6',
      'stdout stream',
      'stdout input 0 0',
      'stdout sync child',
      'stdout child',
      'stdout fork',
      'stdout thread',
      'stdout last',
      'state exited 0',
    ]);
  });

  it('without end waits for its reader, and the lab answers meanwhile', async () => {
    const lab = await up({ a: { run: 'node floods.cjs' }, b: {} });
    await lines(lab, 'a', 5000);
    const before = process.memoryUsage().rss;
    await lines(lab, 'a', 50_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 << 20);
    expect((await lab.node('b').interfaces()).map((one) => one.name)).toContain('eth0');
  });
});

describe('calls that change a process', () => {
  it('say what has them', async () => {
    const lab = await up({ a: { run: 'node changes.cjs' } });
    const said = (call: string): string =>
      `ERR_WORKER_UNSUPPORTED_OPERATION process.${call}() is not supported in a program beside its kernel; the lab file can say "placement: process"`;
    expect(await lines(lab, 'a', 3)).toEqual(['chdir', 'setuid', 'abort'].map(said));
  });
});

describe('what a thread cannot have', () => {
  it('is refused by its key in an object', async () => {
    await expect(up({ a: { run: 'node --expose-gc changes.cjs' } })).rejects.toThrow(
      'lab: nodes.a.run: node --expose-gc: only with "placement: process"',
    );
    await expect(up({ a: { run: 'node changes.cjs', env: { LC_ALL: 'xx_XX' } } })).rejects.toThrow(
      'lab: nodes.a.env.LC_ALL: read once per process: only with "placement: process"',
    );
  });

  it('is refused when a program is started by hand', async () => {
    const lab = await up({ a: {}, p: { placement: 'process' } });
    const run = (node: string, options: Facade.ProgramOptions): Promise<unknown> =>
      lab.node(node).run('changes.cjs', { cwd: folder, ...options });
    await expect(run('a', { nodeFlags: ['--expose-gc'] })).rejects.toMatchObject({
      code: 'EINVAL',
      message: 'a: node --expose-gc: only with "placement: process"',
    });
    await expect(run('a', { env: { TZ: 'Asia/Tokyo' } })).rejects.toMatchObject({
      code: 'EINVAL',
      message: 'a: env.TZ: read once per process: only with "placement: process"',
    });
    await expect(run('a', { cwd: '/' })).rejects.toMatchObject({ code: 'ENOENT' });
    const elsewhere = mkdtempSync(join(tmpdir(), 'mk-elsewhere-'));
    writeFileSync(join(elsewhere, 'changes.cjs'), '');
    await expect(run('a', { cwd: elsewhere })).rejects.toMatchObject({
      code: 'EINVAL',
      message: 'a: cwd: a folder that is not that of the lab: only with "placement: process"',
    });
    rmSync(elsewhere, { recursive: true });
    await run('p', { nodeFlags: ['--expose-gc'], env: { TZ: 'Asia/Tokyo' } });
    expect((await lab.node('a').status()).state).toBe('ready');
  });
});
