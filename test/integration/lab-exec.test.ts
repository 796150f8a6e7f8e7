/** Commands as further processes of a node's machine: `mk exec`, `mk shell`, and `exec()` of the façade. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { isInstalled } from '../fixtures/installed.ts';
import { MK, type Running, Terminal } from '../fixtures/mk.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  'web.js': `require('node:http').createServer((q, r) => r.end('hello ' + q.url)).listen(80, () => console.log('up'));`,
  'ask.js': `
    process.exitCode = 5;
    const [host, ...rest] = process.argv.slice(2);
    require('node:http').get('http://' + host + '/x', (r) => r.on('data', (d) => {
      console.log(String(d), require('node:os').hostname(), rest.join());
    }));`,
  'cat.js': `process.stdin.pipe(process.stdout); console.error('to stderr');`,
  'term.js': `process.on('SIGTERM', () => process.exit(6)); console.log('ready'); setInterval(() => {}, 1000);`,
  'serve.js': `require('node:net').createServer(() => {}).listen(8080, () => console.log('ready'));`,
  'multikernel.yml': `
name: ex
networks: { lan: { prefix: 10.0.0.0/24 } }
nodes:
  web: { run: node web.js, env: { WHO: me } }
  client: {}
  thread: { run: node web.js, placement: beside }
  waits: { run: node web.js, placement: beside, depends_on: { web: "listening:99" } }
`,
};

let terminal: Terminal;
let lab: Running;
beforeAll(async () => {
  terminal = new Terminal();
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(terminal.folder, name), text);
  lab = await terminal.up();
  await lab.until(/web \| up/);
  await lab.until(/thread \| up/);
});
afterAll(async () => {
  await terminal.run('down', 'ex');
  await terminal.close();
});

describe('mk exec', () => {
  it.each(['client', 'thread'])('runs a Node program on the kernel of %s, and ends as it ended', async (node) => {
    expect(await terminal.run('exec', node, '--', 'node', 'ask.js', 'web', '-a', '--b')).toEqual({
      code: 5,
      signal: null,
      out: `hello /x ${node} -a,--b\n`,
      err: '',
    });
  });

  it('passes the standard streams, and flags of Node', async () => {
    const cat = terminal.start(['exec', 'client', '--', 'cat.js'], { input: 'one\ntwo\n' });
    expect(await cat.done).toEqual({ code: 0, signal: null, out: 'one\ntwo\n', err: 'to stderr\n' });
    const print = await terminal.run('exec', 'web', '--', 'node', '-p', '[os.hostname(), process.env.WHO].join()');
    expect(print).toEqual({ code: 0, signal: null, out: 'web,me\n', err: '' });
  });

  it('without a script is a REPL there', async () => {
    const input =
      'require("net").connect(80, "web").on("connect", function () { console.log(this.remoteAddress); process.exit(7) })\n';
    const repl = terminal.start(['exec', 'client', '--', 'node', '-i']);
    repl.child.stdin?.write(input);
    await repl.until(/10\.0\.0\.10/);
    expect(await repl.done).toMatchObject({ code: 7 });
  });

  it('passes signals, and shows its sockets as those of the machine', async () => {
    const serve = terminal.start(['exec', 'client', '--', 'node', 'serve.js']);
    await serve.until(/ready/);
    expect((await terminal.run('exec', 'client', '--', 'netstat', '-an')).out).toMatch(/^tcp.*\.8080 .*LISTEN/m);
    serve.child.kill('SIGTERM');
    expect(await serve.done).toMatchObject({ code: null, signal: 'SIGTERM' });
    const term = terminal.start(['exec', 'client', '--', 'node', 'term.js']);
    await term.until(/ready/);
    term.child.kill('SIGTERM');
    expect(await term.done).toMatchObject({ code: 6, signal: null });
  });

  it("says of other commands that they have the host's network", async () => {
    const said = "mk exec: sh has the host's network; Node programs that it starts have client's\n";
    const command = `'${process.execPath}' ask.js web; echo $?`;
    expect(await terminal.run('exec', 'client', '--', 'sh', '-c', command)).toEqual({
      code: 0,
      signal: null,
      out: 'hello /x client \n5\n',
      err: said,
    });
    expect(await terminal.run('exec', 'client', '--', 'node', 'gone.js')).toMatchObject({
      code: 2,
      err: `mk exec: no program ${join(terminal.folder, 'gone.js')}\n`,
    });
    expect(await terminal.run('exec', 'client', '--', 'gone')).toMatchObject({
      code: 127,
      err: 'mk exec: no program gone; mk help exec lists the tools\n',
    });
  });

  it('is one line where a kernel takes no processes yet', async () => {
    expect(await terminal.run('exec', 'waits', '--', 'node', 'ask.js')).toEqual({
      code: 2,
      signal: null,
      out: '',
      err: 'mk exec: waits: its program runs beside its kernel, which takes other processes when it has begun\n',
    });
  });

  it('ends with its machine', async () => {
    const term = terminal.start(['exec', 'client', '--', 'node', 'term.js']);
    await term.until(/ready/);
    expect(await terminal.run('kill', '--power', 'client')).toMatchObject({ code: 0, out: 'client: stopped\n' });
    expect(await term.done).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect((await terminal.run('exec', 'client', '--', 'node', 'ask.js')).err).toBe('mk exec: client is not running\n');
    expect((await terminal.run('start', 'client')).out).toBe('client: ready\n');
  });
});

describe('mk shell', () => {
  it('has the tools and Node programs of the machine', async () => {
    const node = `'${process.execPath}'`;
    const input = `ifconfig eth0 | grep -o 10.0.0.11\nrump.netstat -rn | grep -c default\n${node} ask.js web\necho $? $MK_LAB\nmk ping -c 1 web | tail -2 | head -1\nexit 4\n`;
    for (const shell of ['/bin/sh', '/bin/bash']) {
      const run = terminal.start(['shell', 'client'], { input, env: { SHELL: shell } });
      const { code, out, err } = await run.done;
      expect([shell, err, code]).toEqual([shell, '', 4]);
      expect(out).toBe(
        '10.0.0.11\n0\nhello /x client \n5 ex\n1 packets transmitted, 1 packets received, 0.0% packet loss\n',
      );
    }
    const command = await terminal.run('shell', 'thread', '--', '-c', 'ifconfig eth0');
    expect(command.out).toContain('10.0.0.12');
  });

  it.skipIf(!isInstalled('script') || process.platform !== 'linux')(
    'has a prompt that names the node (skipped without script)',
    () => {
      const env = {
        ...process.env,
        XDG_RUNTIME_DIR: terminal.folder,
        TERM: 'dumb',
        SHELL: '/bin/bash',
        HOME: terminal.folder,
      };
      writeFileSync(join(terminal.folder, '.bashrc'), "PS1='own> '; PATH=/usr/bin:$PATH\n");
      const command = [process.execPath, MK, 'shell', 'client'].join(' ');
      const options = { cwd: terminal.folder, env, encoding: 'utf8' as const, input: 'command -v ping\nexit 9\n' };
      const { stdout, status } = spawnSync('script', ['-qfec', command, '/dev/null'], options);
      expect(stdout).toContain(
        "client: Node programs and network tools are on this machine, others on the host's network",
      );
      expect(stdout).toContain('(client) own> ');
      expect(stdout).toMatch(/mk-shell-\w+\/ping/);
      expect(status).toBe(9);
    },
  );
});

describe('exec() of a node', () => {
  it('gives exit code and output of programs, tools and other commands', async () => {
    const mk: typeof Facade = await builtFacade();
    const folder = mkdtempSync(join(tmpdir(), 'mk-exec-'));
    for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
    const net = await mk.lab({ nodes: { web: { run: 'node web.js' }, client: {} } }, { folder });
    try {
      await net.until(async () => (await net.node('web').status()).listening.tcp.includes(80));
      const client = net.node('client');
      expect(await client.exec(['node', 'ask.js', 'web', 'x'], { cwd: folder })).toEqual({
        exitCode: 5,
        stdout: 'hello /x client x\n',
        stderr: '',
      });
      const cat = await client.exec(['cat.js'], { cwd: folder, input: 'text', env: { NODE_OPTIONS: '--no-warnings' } });
      expect(cat).toEqual({ exitCode: 0, stdout: 'text', stderr: 'to stderr\n' });
      expect((await client.exec(['ifconfig', 'eth0'])).stdout).toMatch(/^eth0: /);
      expect(await client.exec(['ping', '-q'])).toMatchObject({ exitCode: 1, stdout: '' });
      expect(await client.exec(['sh', '-c', 'kill -9 $$'])).toEqual({ exitCode: 137, stdout: '', stderr: '' });
      await expect(client.exec(['gone'])).rejects.toMatchObject({ code: 'ENOENT', message: 'no program gone' });
      await expect(client.exec('ls' as never)).rejects.toMatchObject({ code: 'EINVAL', message: 'exec: not a list' });
      const waiting = new AbortController();
      const stopped = client.exec(['node', 'term.js'], { cwd: folder, signal: waiting.signal });
      waiting.abort();
      expect([6, 143]).toContain((await stopped).exitCode);
    } finally {
      await net.down();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
