/** Programs of a lab that are stopped and started: by the façade, by commands, and what their machines do meanwhile. */

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { Terminal } from '../fixtures/mk.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  'graceful.js': `
    const server = require('node:net').createServer((socket) => socket.end('hello')).listen(80, () => console.log('up'));
    process.on('SIGTERM', () => { console.log('closing'); server.close(() => process.exit(0)); });`,
  'plain.js': `
    require('node:net').createServer((socket) => socket.end('hello')).listen(80, () => console.log('up'));
    console.log('pid', process.pid);`,
  // Ends, crashes, stays.
  'thrice.js': `
    const fs = require('node:fs');
    const file = process.env.RUN_FILE;
    const run = fs.existsSync(file) ? Number(fs.readFileSync(file)) + 1 : 1;
    fs.writeFileSync(file, String(run));
    console.log('run', run);
    if (run === 1) process.exit(3);
    if (run === 2) throw new TypeError('boom');
    require('node:net').createServer((socket) => socket.end('hello')).listen(80, () => console.log('up'));`,
  'fails.js': `console.log('fails'); process.exitCode = Number(process.argv[2]);`,
  'deaf.js': `
    process.on('SIGTERM', () => console.log('no'));
    require('node:net').createServer(() => {}).listen(80, () => console.log('up'));`,
};

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-life-'));
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function up(nodes: Record<string, Facade.NodeOptions>, node: Facade.NodeOptions = {}): Promise<Facade.Lab> {
  net = await mk.lab({ nodes, defaults: { node } }, { folder });
  return net;
}

/** When a node is in a state: from the first on, so that none is missed. */
async function comes(lab: Facade.Lab, node: string, wanted: string): Promise<void> {
  for await (const one of lab.states()) if (one.name === node && one.state === wanted) return;
}

async function listens(lab: Facade.Lab, node: string): Promise<void> {
  for await (const one of lab.states()) if (one.name === node && one.listening.tcp.includes(80)) return;
}

async function says(lab: Facade.Lab, node: string, wanted: string): Promise<void> {
  for await (const { text } of lab.logs({ nodes: [node], follow: true })) if (text === wanted) return;
}

/** Output of a node's program and its ends, so far. */
async function told(lab: Facade.Lab, node: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const { source, text } of lab.logs({ nodes: [node] })) lines.push(`${source} ${text}`);
  return lines;
}

/** Text that port 80 of `a` sends to `b`. */
async function hears(lab: Facade.Lab): Promise<string> {
  const socket = lab.node('b').connect(80, 'a');
  let text = '';
  socket.on('data', (data: Uint8Array) => {
    text += new TextDecoder().decode(data);
  });
  socket.on('error', () => {});
  await once(socket, 'end');
  socket.destroy();
  return text;
}

describe.each(['process', 'beside'] as const)('a program whose placement is %s', (placement) => {
  it('is asked to end, and is started again', async () => {
    const lab = await up({ a: { run: 'node graceful.js' }, b: {} }, { placement });
    const a = lab.node('a');
    await listens(lab, 'a');
    await expect(a.start()).rejects.toMatchObject({ code: 'EBUSY', message: 'a already runs node graceful.js' });
    expect(await a.stop()).toMatchObject({ phase: 'exited', exitCode: 0, state: 'exited 0' });
    await expect(a.stop()).rejects.toMatchObject({ code: 'ESRCH', message: 'a does not run: exited 0' });
    expect(await a.start()).toMatchObject({ phase: 'running' });
    await listens(lab, 'a');
    expect(await hears(lab)).toBe('hello');
    expect(await told(lab, 'a')).toEqual(['stdout up', 'stdout closing', 'state exited 0', 'stdout up']);
  });

  it('has the exit code of the signal that ended it', async () => {
    const lab = await up({ a: { run: 'node plain.js' }, c: { run: 'node deaf.js' } }, { placement });
    await Promise.all([listens(lab, 'a'), listens(lab, 'c')]);
    expect((await lab.node('a').stop()).state).toBe('exited 143');
    expect((await lab.node('c').stop({ graceMs: 300 })).state).toBe('exited 137');
    expect(await told(lab, 'c')).toEqual(['stdout up', 'stdout no', 'state exited 137']);
    expect((await lab.node('c').start()).phase).toBe('running');
  });

  it('that does not heed a stop is switched off at once', async () => {
    const lab = await up({ c: { run: 'node deaf.js' } }, { placement });
    const c = lab.node('c');
    await listens(lab, 'c');
    const stopped = c.stop({ graceMs: 3_600_000 });
    await says(lab, 'c', 'no');
    await expect(c.stop()).rejects.toMatchObject({ code: 'EBUSY', message: 'c is being started or stopped' });
    expect((await c.powerOff()).state).toBe('stopped');
    expect((await stopped).state).toBe('stopped');
    expect((await c.start()).phase).toBe('running');
  });

  it('begins without those it waits for, or not at all', async () => {
    const waits = { run: 'node plain.js', depends_on: { b: 'listening:99' } } as const;
    const lab = await up({ a: waits, b: { run: 'node plain.js' }, c: waits }, { placement });
    const [a, c] = [lab.node('a'), lab.node('c')];
    expect((await a.stop()).state).toBe('ready');
    expect((await c.status()).state).toBe('waiting for b listening:99');
    expect([(await a.start()).phase, (await c.start()).phase]).toEqual(['running', 'running']);
    await Promise.all([listens(lab, 'a'), listens(lab, 'c')]);
  });
});

describe.each(['process', 'beside'] as const)('a program that is restarted, whose placement is %s', (placement) => {
  it('comes back on a machine that others reach', async () => {
    const lab = await up(
      { a: { run: 'node thrice.js', restart: 'on-failure', env: { RUN_FILE: join(folder, placement) } }, b: {} },
      { placement },
    );
    await comes(lab, 'a', 'running, listening :80, 2 restarts');
    expect(await hears(lab)).toBe('hello');
    const lines = (await told(lab, 'a')).filter((line) => !line.startsWith('stderr'));
    expect(lines).toEqual([
      'stdout run 1',
      'state restarting (exited 3)',
      'stdout run 2',
      'state restarting (crashed 1: TypeError: boom), 1 restart',
      'stdout run 3',
      'stdout up',
    ]);
  });

  it('stays ended after a success, after its number of restarts, and when it was ended by hand', async () => {
    const lab = await up(
      {
        a: { run: 'node fails.js 0', restart: 'on-failure' },
        b: { run: 'node fails.js 4', restart: 'on-failure:2' },
        c: { run: 'node plain.js', restart: 'always' },
        d: { run: 'node fails.js 5', restart: 'always' },
        e: { run: 'node fails.js 6' },
      },
      { placement },
    );
    await comes(lab, 'b', 'exited 4, 2 restarts');
    expect(await told(lab, 'b')).toEqual([
      'stdout fails',
      'state restarting (exited 4)',
      'stdout fails',
      'state restarting (exited 4), 1 restart',
      'stdout fails',
      'state exited 4, 2 restarts',
    ]);
    await listens(lab, 'c');
    expect((await lab.node('c').stop()).state).toBe('exited 143');
    for await (const { name, restarts } of lab.states()) if (name === 'd' && restarts > 2) break;
    // Whether it runs or waits for its next start just then.
    const stopped = await lab.node('d').stop();
    expect(stopped).toMatchObject({ phase: 'exited' });
    const { restarts } = stopped;
    expect((await lab.node('b').start()).restarts).toBe(0);
    await comes(lab, 'b', 'exited 4, 2 restarts');
    const states = await Promise.all(['a', 'c', 'd', 'e'].map(async (name) => (await lab.node(name).status()).state));
    expect(states[0]).toBe('exited 0');
    expect(states[1]).toBe('exited 143');
    expect(states[2]).toMatch(new RegExp(`^exited \\d+, ${restarts} restarts$`));
    expect(states[3]).toBe('exited 6');
  });
});

describe('a program that is restarted', () => {
  it('is not after a kill by hand, but when another kills it', async () => {
    const lab = await up({ a: { run: 'node plain.js', restart: 'always' } }, { placement: 'process' });
    const a = lab.node('a');
    await listens(lab, 'a');
    let pid = 0;
    for await (const { text } of lab.logs({ nodes: ['a'], follow: true })) {
      pid = Number(/^pid (\d+)$/.exec(text)?.[1] ?? 0);
      if (pid > 0) break;
    }
    process.kill(pid, 'SIGKILL');
    await comes(lab, 'a', 'running, listening :80, 1 restart');
    expect((await a.kill()).state).toBe('exited 137, 1 restart');
    expect((await a.start()).state).toBe('running');
  });

  it('does not end mk up --exit-on-failure until it has failed for good', async () => {
    const terminal = new Terminal();
    try {
      const file = join(folder, 'failing.yml');
      writeFileSync(file, 'nodes:\n  a: { run: node fails.js 4, restart: "on-failure:1" }\n');
      const { code, out } = await terminal.run('up', '--exit-on-failure', file);
      expect(code).toBe(1);
      expect(out.match(/fails/g)).toHaveLength(3);
      expect(out).toMatch(/exited 4, 1 restart\n/);
    } finally {
      await terminal.close();
    }
  });
});

describe('a kill', () => {
  it('ends a stop that waits', async () => {
    const lab = await up({ c: { run: 'node deaf.js', restart: 'always' } }, { placement: 'process' });
    const c = lab.node('c');
    await listens(lab, 'c');
    const stopped = c.stop({ graceMs: 3_600_000 });
    await says(lab, 'c', 'no');
    expect((await Promise.all([c.kill(), c.kill()])).map(({ state }) => state)).toEqual(['exited 137', 'exited 137']);
    expect((await stopped).state).toBe('exited 137');
    await expect(c.kill()).rejects.toMatchObject({ code: 'ESRCH', message: 'c runs no program' });
    expect((await c.start()).phase).toBe('running');
  });
});

describe('a machine', () => {
  it('goes on when its program is stopped, and is switched on by a start', async () => {
    const lab = await up({ a: { run: 'node plain.js' }, b: {} }, { placement: 'process' });
    const a = lab.node('a');
    await listens(lab, 'a');
    await a.stop();
    const refused = lab.node('b').connect(80, 'a');
    expect(await once(refused, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
    expect((await a.powerOff()).state).toBe('stopped');
    expect((await a.start()).phase).toBe('running');
    await listens(lab, 'a');
    expect(await hears(lab)).toBe('hello');
  });

  it('without a program is switched off and on', async () => {
    const lab = await up({ gw: { kind: 'router' } });
    const gw = lab.node('gw');
    await expect(gw.start()).rejects.toMatchObject({ message: 'gw is up, and has no program to start' });
    expect((await gw.stop()).state).toBe('stopped');
    await expect(gw.stop()).rejects.toMatchObject({ code: 'ESRCH', message: 'gw does not run: stopped' });
    expect((await gw.start()).state).toBe('ready');
  });
});

describe('mk stop and mk start', () => {
  it('say the state that follows, or one line why not', async () => {
    const terminal = new Terminal();
    try {
      const file = join(folder, 'multikernel.yml');
      writeFileSync(file, 'name: life\nnodes:\n  a: { run: node graceful.js }\n  c: { run: node deaf.js }\n');
      const lab = await terminal.up(file);
      await lab.until(/a \| up/);
      await lab.until(/c \| up/);
      expect(await terminal.run('stop', 'a')).toMatchObject({ code: 0, out: 'a: exited 0\n', err: '' });
      expect(await terminal.run('stop', 'a')).toMatchObject({
        code: 2,
        out: '',
        err: 'mk stop: a does not run: exited 0\n',
      });
      const started = await terminal.run('start', 'a', '--json');
      expect(JSON.parse(started.out)).toMatchObject({ name: 'a', phase: 'running' });
      const again = await terminal.run('start', 'a');
      expect(again).toMatchObject({ code: 2, err: 'mk start: a already runs node graceful.js\n' });
      expect(await terminal.run('stop', '--grace', '200ms', 'c')).toMatchObject({ code: 0, out: 'c: exited 137\n' });
      expect((await terminal.run('stop', '--grace', '3', 'a')).err).toBe(
        'mk stop: --grace 3: a time with its unit, such as 10s\n',
      );
    } finally {
      await terminal.close();
    }
  });
});
