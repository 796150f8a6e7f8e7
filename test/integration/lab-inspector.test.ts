/** Node's inspector of a program that is a process: on the host's loopback, while its machine is on the lab's network. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Running, Terminal } from '../fixtures/mk.ts';

let terminal: Terminal;
beforeEach(() => {
  terminal = new Terminal();
});
afterEach(() => terminal.close());

/** Bring up a lab of one file and one program. */
async function up(nodes: string, program: string): Promise<Running> {
  writeFileSync(join(terminal.folder, 'program.js'), program);
  writeFileSync(join(terminal.folder, 'multikernel.yml'), `name: inspected\nnodes:\n${nodes}`);
  return terminal.up();
}

interface Status {
  name: string;
  inspectorUrl: string | null;
  state: string;
}

async function statusOf(name: string): Promise<Status> {
  const { out } = await terminal.run('ps', '--json');
  return (JSON.parse(out) as Status[]).find((node) => node.name === name) as Status;
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

const SERVER = `
  require('node:http').createServer((q, r) => {
    if (q.url === '/break') debugger;
    r.end('went on');
  }).listen(80);`;

describe('the inspector of a node', () => {
  it('listens beside the lab; a breakpoint leaves the machine answering', async () => {
    const lab = await up('  a: { run: node program.js, placement: process, inspect: true }\n  b: {}\n', SERVER);
    await lab.until(/a .*inspector|^a: running.*inspector/m);
    const { inspectorUrl, state } = await statusOf('a');
    const [, place] = /^ws:\/\/(127\.0\.0\.1:\d+)\/[0-9a-f-]+$/.exec(inspectorUrl ?? '') ?? [];
    expect(state).toBe(`running, listening :80, inspector ${place}`);
    const tool = new Debugger(place as string);
    await tool.until(/debug> /);
    const request = terminal.start(['exec', 'b', '--', 'nc', 'a', '80']);
    request.child.stdin?.write('GET /break HTTP/1.0\r\n\r\n');
    await tool.until(/break in .*program\.js:3/);
    // The program stands still, its machine does not.
    expect((await terminal.run('exec', 'b', '--', 'ping', '-c', '1', 'a')).out).toContain('1 packets received');
    expect((await terminal.run('exec', 'a', '--', 'ping', '-c', '1', 'b')).out).toContain('1 packets received');
    expect((await terminal.run('exec', 'a', '--', 'netstat', '-an')).out).toMatch(/80 .*ESTABLISHED/);
    expect(request.out).toBe('');
    tool.type('cont');
    await request.until(/went on/);
    tool.type('.exit');
    await tool.running.done;
  });

  it('is where flags of its program say, and waits with --inspect-brk', async () => {
    const lab = await up('  a: { run: "node --inspect-brk=0 program.js", placement: process, inspect: 1 }\n', SERVER);
    await lab.until(/a .*inspector|^a: running.*inspector/m);
    const place = ((await statusOf('a')).inspectorUrl as string).split('/')[2] as string;
    const tool = new Debugger(place);
    await tool.until(/Break on start in/);
    expect((await terminal.run('exec', 'a', '--', 'ping', '-c', '1', 'a')).out).toContain('1 packets received');
    expect((await statusOf('a')).state).toBe(`running, inspector ${place}`);
    tool.type('cont');
    await lab.until(/^a: running, listening :80, inspector/m);
    tool.type('.exit');
    expect((await terminal.run('kill', 'a')).out).toBe('a: exited 137\n');
    expect(await statusOf('a')).toMatchObject({ inspectorUrl: null, state: 'exited 137' });
  });

  it('is not there where its port is taken, and the program says so', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const lab = await up(`  a: { run: node program.js, placement: process, inspect: ${port} }\n`, SERVER);
    await lab.until(/a .*listening :80|^a: running, listening :80/m);
    const why = `a | Starting inspector on 127.0.0.1:${port} failed: address already in use\n`;
    expect((await terminal.run('logs', 'a')).out).toContain(why);
    expect(await statusOf('a')).toMatchObject({ inspectorUrl: null, state: 'running, listening :80' });
    other.close();
  });

  it('is there when a program is asked for it', async () => {
    await up('  a: { run: node program.js, placement: process }\n', `${SERVER} console.log('pid', process.pid);`);
    const follow = terminal.start(['logs', '--follow', 'a']);
    const [, pid] = await follow.until(/pid (\d+)/);
    process.kill(Number(pid), 'SIGUSR1');
    await follow.until(/Debugger listening on/);
    expect((await statusOf('a')).inspectorUrl).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\//);
  });
});
