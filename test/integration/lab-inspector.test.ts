/** Node's inspector of a program that is a process: on the host's loopback, while its machine is on the lab's network. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { Running } from '../fixtures/mk.ts';

const SERVER = `
  require('node:http').createServer((q, r) => {
    if (q.url === '/break') debugger;
    if (q.url === '/open') require('node:inspector').open(0);
    r.end('went on');
  }).listen(80);`;

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;
let tool: Debugger | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-inspect-'));
  writeFileSync(join(folder, 'server.js'), SERVER);
});
afterEach(async () => {
  tool?.running.child.kill();
  await tool?.running.done;
  tool = null;
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function up(a: Facade.NodeOptions): Promise<Facade.Lab> {
  net = await mk.lab({ nodes: { a: { placement: 'process', ...a }, b: {} } }, { folder });
  return net;
}

/** The status of `a` once its state matches. */
async function status(lab: Facade.Lab, state: RegExp): Promise<Facade.NodeStatus> {
  for await (const one of lab.states()) if (one.name === 'a' && state.test(one.state)) return one;
  throw new Error(`a was never ${state}`);
}

/** Answers to one echo request. */
async function answers(lab: Facade.Lab, from: string, to: string): Promise<number> {
  for await (const event of lab.node(from).ping(to, { count: 1 })) if (event.type === 'end') return event.received;
  return 0;
}

/** `127.0.0.1:PORT` of a URL. */
function placeOf({ inspectorUrl }: Facade.NodeStatus): string {
  return (/^ws:\/\/(127\.0\.0\.1:\d+)\/[0-9a-f-]+$/.exec(inspectorUrl ?? '') ?? [])[1] as string;
}

/** Node's own debugger, at a prompt. */
class Debugger {
  readonly running: Running;
  #read = 0;

  constructor(place: string) {
    this.running = new Running(spawn(process.execPath, ['inspect', place]));
  }

  async until(pattern: RegExp): Promise<void> {
    const match = await this.running.until(pattern, this.#read);
    this.#read += (match.index as number) + match[0].length;
  }

  type(line: string): void {
    this.running.child.stdin?.write(`${line}\n`);
  }
}

describe('the inspector of a node', () => {
  it('listens beside the lab; a breakpoint leaves the machine answering', async () => {
    const lab = await up({ run: 'node server.js', inspect: true });
    const place = placeOf(await status(lab, /listening :80, inspector/));
    expect((await lab.node('a').status()).state).toBe(`running, listening :80, inspector ${place}`);
    tool = new Debugger(place);
    await tool.until(/debug> /);
    let body = '';
    const request = lab.node('b').fetch('http://a/break');
    void request.then(async (reply) => {
      body = await reply.text();
    });
    await tool.until(/break in .*server\.js:3/);
    // The program stands still, its machine does not.
    expect(await answers(lab, 'b', 'a')).toBe(1);
    expect(await answers(lab, 'a', 'b')).toBe(1);
    expect(await lab.node('a').sockets({ state: 'ESTABLISHED', localPort: 80 })).toHaveLength(1);
    const other = lab.node('b').connect(80, 'a');
    await once(other, 'connect');
    other.destroy();
    expect(body).toBe('');
    tool.type('cont');
    await lab.until(() => body === 'went on');
  });

  it('is where flags of the program say, and waits with --inspect-brk; it goes with the program', async () => {
    const lab = await up({ run: 'node --inspect-brk=0 server.js', inspect: 1 });
    const place = placeOf(await status(lab, /^running, inspector/));
    tool = new Debugger(place);
    await tool.until(/Break on start in/);
    expect(await answers(lab, 'b', 'a')).toBe(1);
    tool.type('cont');
    expect(await status(lab, /listening :80/)).toMatchObject({ state: `running, listening :80, inspector ${place}` });
    expect(await lab.node('a').kill()).toMatchObject({ inspectorUrl: null, state: 'exited 137' });
  });

  it('is not there where its port is taken, and the program says so', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const lab = await up({ run: 'node server.js', inspect: port });
    expect(await status(lab, /listening :80/)).toMatchObject({ inspectorUrl: null, state: 'running, listening :80' });
    const said: string[] = [];
    for await (const { text } of lab.logs({ nodes: ['a'] })) said.push(text);
    expect(said).toEqual([`Starting inspector on 127.0.0.1:${port} failed: address already in use`]);
    other.close();
  });

  it('is there when the program opens it', async () => {
    const lab = await up({ run: 'node server.js' });
    await status(lab, /^running, listening :80$/);
    await lab.node('b').fetch('http://a/open');
    expect(placeOf(await status(lab, /inspector/))).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('is refused beside a kernel', async () => {
    const lab = await up({ placement: 'beside' });
    const refused = { code: 'EINVAL', message: 'a: node --inspect: only with "placement: process"' };
    await expect(lab.node('a').run('server.js', { nodeFlags: ['--inspect'], cwd: folder })).rejects.toMatchObject(
      refused,
    );
  });
});
