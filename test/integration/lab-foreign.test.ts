/** Programs of a lab that are not Node: processes like the others, on the network of the host. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { until } from '../fixtures/fake-workers.ts';
import { Terminal } from '../fixtures/mk.ts';

const HELLO = `require('node:http').createServer((q, r) => r.end('from ' + require('node:os').hostname())).listen(80);`;
const ASK = `fetch('http://b/').then((r) => r.text()).then((t) => console.log(require('node:os').hostname(), 'hears', t))`;
const SCRIPTS: Readonly<Record<string, string>> = {
  'words.sh': '#!/bin/sh\necho "$#:$2:$WHO:$(pwd)"; echo oops >&2; exit 3',
  'node.sh': `"$NODE" -e "${ASK}"`,
  'host.bash': `exec 3<>"/dev/tcp/127.0.0.1/$PORT" && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3`,
  'stays.sh': `trap 'echo asked > asked.txt; exit 0' TERM\necho began\nwhile :; do sleep 0.1; done`,
  'killed.sh': 'kill -TERM $$',
  'children.sh': 'sleep 1000 &\necho pids $$ $!\nwait',
  'broken.sh': '#!/no/such/interpreter\n',
};

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-foreign-'));
  writeFileSync(join(folder, 'hello.js'), HELLO);
  for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(join(folder, name), text, { mode: 0o755 });
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bring up a lab whose node `a` runs `run`. */
async function up(run: string, a: Facade.NodeOptions = {}, b: Facade.NodeOptions = {}): Promise<Facade.Lab> {
  net = await mk.lab({ nodes: { a: { run, placement: 'process', ...a }, b } }, { folder });
  return net;
}

async function line(lab: Facade.Lab, text: RegExp): Promise<RegExpExecArray> {
  for await (const one of lab.logs({ nodes: ['a'], follow: true })) {
    const match = text.exec(one.text);
    if (match !== null) return match;
  }
  throw new Error(`a never wrote ${text}`);
}

async function state(lab: Facade.Lab, wanted: RegExp): Promise<Facade.NodeStatus> {
  for await (const one of lab.states()) if (one.name === 'a' && wanted.test(one.state)) return one;
  throw new Error(`a was never ${wanted}`);
}

/** Whether a process runs; one that ended and was not waited for does not. */
function runs(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

describe('a program that is not Node', () => {
  it('has its arguments, folder, environment, output and exit code', async () => {
    const lab = await up("./words.sh one 'two words'", { env: { WHO: 'me' } });
    const { exitCode, hostNetwork, program } = await state(lab, /^exited/);
    expect([exitCode, hostNetwork, program]).toEqual([3, true, "./words.sh one 'two words'"]);
    const said: string[] = [];
    for await (const { source, text } of lab.logs({ nodes: ['a'] })) said.push(`${source} ${text}`);
    expect(said.sort()).toEqual(['state exited 3', 'stderr oops', `stdout 2:two words:me:${realpathSync(folder)}`]);
  });

  it('starts Node programs that are on its machine', async () => {
    const node = { env: { NODE: process.execPath }, depends_on: { b: 'listening:80' } };
    const lab = await up('sh node.sh', node, { run: 'node hello.js' });
    await line(lab, /^a hears from b$/);
    expect((await lab.node('b').status()).hostNetwork).toBe(false);
  });

  it('has the network of the host itself', async () => {
    const host = createServer((_request, reply) => reply.end('the host')).listen(0, '127.0.0.1');
    await once(host, 'listening');
    const { port } = host.address() as { port: number };
    await line(await up('bash host.bash', { env: { PORT: port } }), /^the host$/);
    host.close();
  });

  it('is killed, restarted, and asked to end with the lab', async () => {
    const lab = await up('sh stays.sh');
    await line(lab, /began/);
    expect(await lab.node('a').kill()).toMatchObject({ state: 'exited 137' });
    expect(await lab.node('a').restart()).toMatchObject({ state: 'running' });
    await lab.until(async () => {
      let began = 0;
      for await (const { text } of lab.logs({ nodes: ['a'] })) began += Number(text === 'began');
      return began === 2;
    });
    await lab.down();
    net = null;
    expect(readFileSync(join(folder, 'asked.txt'), 'utf8')).toBe('asked\n');
  });

  it('tells by which signal it ended, or why it did not begin', async () => {
    await state(await up('sh killed.sh'), /^exited 143$/);
    await net?.down();
    expect(await state(await up('./broken.sh'), /^crashed/)).toMatchObject({ lastError: { code: 'ENOENT' } });
  });

  it('is named by mk up, and ends with what it started when that is killed', async () => {
    const terminal = new Terminal();
    const lab = { name: 'foreign', nodes: { a: { run: 'sh children.sh', placement: 'process' } } };
    writeFileSync(join(folder, 'foreign.yml'), JSON.stringify(lab));
    const running = terminal.start(['up', join(folder, 'foreign.yml')]);
    await running.until(/^a: sh children\.sh has the host's network; Node programs that it starts have a's$/m);
    const [, ...pids] = await running.until(/a \| pids (\d+) (\d+)/);
    expect(pids.map(Number).every(runs)).toBe(true);
    running.child.kill('SIGKILL');
    await until(() => !pids.map(Number).some(runs));
    await terminal.close();
  });
});
