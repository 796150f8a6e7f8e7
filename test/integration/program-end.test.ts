/** The end of a program, whatever it is: peers hear of each of its connections what they hear on plain Node. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';

const SENT_BYTES = 100_000;

/** Servers: one that reads, two that do not, one that writes as it ends; and one for each way to end. */
const SERVER = `
  const net = require('node:net');
  const servers = [];
  const sockets = [];
  const serve = (port, options, accepted) => servers.push(net.createServer(options, (socket) => {
    sockets.push(socket.on('error', () => {}));
    accepted(socket);
  }).listen(port));
  let sending = null;
  const end = (how) => {
    sending.write(Buffer.alloc(${SENT_BYTES}));
    how();
  };
  serve(70, {}, (socket) => socket.resume());
  serve(71, { pauseOnConnect: true }, () => {});
  serve(72, { pauseOnConnect: true }, () => {});
  serve(73, {}, (socket) => { sending = socket.resume(); });
  serve(80, {}, () => end(() => process.exit(3)));
  serve(81, {}, () => end(() => { throw new TypeError('boom'); }));
  serve(82, {}, () => end(() => process.kill(process.pid, 'SIGKILL')));
  serve(83, {}, () => end(() => { for (const one of [...servers, ...sockets]) one.unref(); }));
  serve(84, {}, () => setImmediate(() => end(() => {
    process.on('exit', () => process.on('exit', () => {}));
    process.exitCode = 4;
    process.exit();
  })));`;

/** Connects to all, and prints how each connection ended and how many bytes came before. */
const CLIENT = `
  const net = require('node:net');
  const [port] = process.argv.slice(2).map(Number);
  const ends = {};
  const connect = (to) => new Promise((connected) => {
    let bytes = 0;
    const end = (how) => {
      ends[to] = how + ' ' + bytes;
      if (Object.keys(ends).length === 5) console.log(JSON.stringify(ends));
    };
    const socket = net.connect(to, 'a', () => connected(socket));
    socket.on('data', (data) => { bytes += data.length; });
    socket.on('end', () => end('end')).on('error', ({ code }) => end(code));
  });
  (async () => {
    await connect(70);
    const [few, many] = [await connect(71), await connect(72)];
    await connect(73);
    many.write(Buffer.alloc(${SENT_BYTES}), () => few.write('nobody reads this', () => connect(port)));
  })();`;

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-end-'));
  writeFileSync(join(folder, 'server.js'), SERVER);
  writeFileSync(join(folder, 'client.js'), CLIENT);
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(['beside', 'process'] as const)('a program with placement %s', (placement) => {
  it.each([
    ['process.exit', 80, 'exited 3'],
    ['an uncaught error', 81, /^(crashed|exited) 1/],
    ['SIGKILL', 82, 'exited 137'],
    ['nothing left to do', 83, 'exited 0'],
    ['process.exit outside of an event of its machine', 84, 'exited 4'],
  ])('ends by %s: its connections end', async (_, port, state) => {
    const nodes = {
      a: { run: 'node server.js', placement },
      b: { run: `node client.js ${port}`, depends_on: { a: 'listening:84' } },
    };
    const lab = await mk.lab({ nodes }, { folder });
    net = lab;
    let said = '';
    for await (const one of lab.logs({ nodes: ['b'], follow: true })) if ((said = one.text) !== '') break;
    // A process that is killed in the turn in which data came does not say any more that it had not read it.
    const untold = placement === 'process' && port === 82;
    expect(JSON.parse(said)).toEqual({
      70: 'end 0',
      71: untold ? expect.stringMatching(/^(end|ECONNRESET) 0$/) : 'ECONNRESET 0',
      72: 'ECONNRESET 0',
      73: `end ${SENT_BYTES}`,
      [port]: 'end 0',
    });
    for await (const one of lab.states()) if (one.name === 'a' && one.phase !== 'running') break;
    expect((await lab.node('a').status()).state).toMatch(state);
  });

  it.each(['log', 'error'])(
    'has all that it wrote by console.%s in its log when it ends by process.exit',
    async (how) => {
      const lines = 20_000;
      const many = `for (let n = 1; n <= ${lines}; n++) console.${how}('line', n, 'x'.repeat(100)); process.exit(0);`;
      writeFileSync(join(folder, 'many.js'), many);
      const lab = await mk.lab({ nodes: { a: { run: 'node many.js', placement } } }, { folder });
      net = lab;
      for await (const one of lab.states()) if (one.phase === 'exited') break;
      expect((await lab.node('a').status()).state).toBe('exited 0');
      const last: string[] = [];
      for await (const one of lab.logs({ nodes: ['a'], lines: 2 })) last.push(one.text);
      expect(last).toEqual([`line ${lines} ${'x'.repeat(100)}`, 'exited 0']);
    },
  );
});
