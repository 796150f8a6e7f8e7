/**
 * A program under `mk run` is a Node process like any other: arguments, streams, exit code, signals, and when it ends.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Done, Terminal } from '../fixtures/mk.ts';

let terminal: Terminal;
beforeEach(() => {
  terminal = new Terminal();
});
afterEach(() => terminal.close());

function file(name: string, text: string): string {
  const path = join(terminal.folder, name);
  writeFileSync(path, text);
  return path;
}

/** Run a CommonJS program to its end. */
function run(text: string, ...flags: string[]): Promise<Done> {
  return terminal.run('run', ...flags, '--', file('program.cjs', text));
}

describe('the kernel of mk run', () => {
  it('answers while the main thread of the program waits', async () => {
    const { out, code } = await run(`
      const { Worker } = require('node:worker_threads');
      const net = require('node:net');
      const answered = new Int32Array(new SharedArrayBuffer(4));
      const server = net.createServer((socket) => {
        socket.end('hello');
        server.close();
      }).listen(80, '127.0.0.1', () => {
        new Worker(\`
          const { workerData } = require('node:worker_threads');
          require('node:net').connect(80, '127.0.0.1', () => {
            Atomics.store(workerData, 0, 1);
            Atomics.notify(workerData, 0);
          }).resume();
        \`, { eval: true, workerData: answered });
        // The connection stands before anybody accepts it.
        console.log(Atomics.wait(answered, 0, 0));
      });`);
    expect({ out: out.replace('not-equal', 'ok'), code }).toEqual({ out: 'ok\n', code: 0 });
  });

  it('ends with the command, and sockets of the program fail', async () => {
    const path = file(
      'endless.cjs',
      `require('node:net').createServer().listen(80, () => console.log('up')); setInterval(() => {}, 1000);`,
    );
    const started = terminal.start(['run', path]);
    await started.until(/^up$/m);
    started.child.kill('SIGKILL');
    // The outputs of the command are the program's: they end when both are gone.
    expect((await started.done).err).toContain('Error: accept ENETDOWN');
  });
});

describe('the process of mk run', () => {
  it('has its own arguments and none of ours', async () => {
    const path = file(
      'arguments.cjs',
      `console.log(JSON.stringify([process.argv.slice(1), process.execArgv, require.main === module, typeof gc,
         Object.keys(process.env).filter((name) => /^(NODE_OPTIONS|MULTIKERNEL_)/.test(name))]));`,
    );
    const { out } = await terminal.run('run', '--expose-gc', '--', path, 'a', '--b', '-c');
    expect(JSON.parse(out)).toEqual([[path, 'a', '--b', '-c'], ['--expose-gc'], true, 'function', []]);
  });

  it('reads standard input, writes both outputs, exits with the code of the program', async () => {
    const path = file(
      'streams.cjs',
      `let text = ''; process.stdin.on('data', (data) => { text += data; });
       process.stdin.on('end', () => { console.log(text.toUpperCase()); console.error('done'); process.exitCode = 9; });`,
    );
    const { out, err, code } = await terminal.start(['run', path], { input: 'some input' }).done;
    expect([out, err, code]).toEqual(['SOME INPUT\n', 'done\n', 9]);
  });

  it('dies of an uncaught error as plain Node does', async () => {
    const inTimer = await run(`setTimeout(() => { throw new Error('first'); }, 1)`);
    expect(inTimer.code).toBe(1);
    expect(inTimer.err).toMatch(/program\.cjs:1\n[\s\S]*Error: first\n/);
    const inHandler = await run(
      `const s = require('net').createServer(() => { throw new Error('second'); }).listen(0, () =>
         require('net').connect(s.address().port));`,
    );
    expect(inHandler.code).toBe(1);
    expect(inHandler.err).toMatch(/Error: second\n {4}at Server\.<anonymous>/);
    const rejected = await run(`require('net').connect(1).on('error', async () => { throw new Error('third'); })`);
    expect(rejected.code).toBe(1);
    expect(rejected.err).toContain('Error: third');
  });

  it('goes on after an error that the program handles, without losing what else arrived', async () => {
    const { out, code } = await run(`
      const net = require('net');
      let thrown = 0, ended = 0;
      process.on('uncaughtException', () => { thrown++; });
      const server = net.createServer((socket) => {
        socket.on('data', (data) => { if (String(data) === 'bad') throw new Error('handler'); });
        socket.on('end', () => { if (++ended === 10) { console.log(thrown, ended); server.close(); } socket.end(); });
      }).listen(0, () => {
        for (let i = 0; i < 10; i++) net.connect(server.address().port).resume().end(i % 2 ? 'bad' : 'good');
      });`);
    expect([out, code]).toEqual(['5 10\n', 0]);
  });

  it('passes signals on, and ends by the signal that ended the program', async () => {
    const path = file(
      'signals.cjs',
      `process.on('SIGTERM', () => { console.log('told'); process.kill(process.pid, 'SIGKILL'); });
       console.log('ready'); setInterval(() => {}, 1000);`,
    );
    const running = terminal.start(['run', path]);
    await running.until(/ready/);
    running.child.kill('SIGTERM');
    const { out, signal } = await running.done;
    expect([out, signal]).toEqual(['ready\ntold\n', 'SIGKILL']);
  });
});

describe('the event loop', () => {
  it.each([
    ['a server', `net.createServer().listen(0, () => console.log('up'))`, false],
    ['a server without a reference', `net.createServer().listen(0, () => console.log('up')).unref()`, true],
    ['a datagram socket', `require('dgram').createSocket('udp4').bind(0, () => console.log('up'))`, false],
    ['one without a reference', `require('dgram').createSocket('udp4').bind(0, () => console.log('up')).unref()`, true],
    [
      'a paused connection',
      `const s = net.createServer({ pauseOnConnect: true }, () => s.close()).listen(0, () =>
         net.connect(s.address().port).pause().on('connect', () => console.log('up')))`,
      true,
    ],
    [
      'a connection that reads',
      `const s = net.createServer((c) => c.unref()).unref().listen(0, () =>
         net.connect(s.address().port).on('connect', () => console.log('up')))`,
      false,
    ],
    [
      'one without a reference, either side',
      `const s = net.createServer((c) => c.unref()).unref().listen(0, () =>
         net.connect(s.address().port).on('connect', () => console.log('up')).unref())`,
      true,
    ],
    ['a lookup', `require('dns').lookup('localhost', () => console.log('up'))`, true],
  ])('ends or goes on as on plain Node: %s', async (_what, text, ends) => {
    const path = file('alive.cjs', `const net = require('net');\n${text}`);
    const running = terminal.start(['run', path], { input: '' });
    await running.until(/up/);
    if (ends) expect((await running.done).code).toBe(0);
    else {
      // Something that would have ended by now if nothing kept it: a second program, started later, has.
      await terminal.run('run', file('other.cjs', ''));
      expect(running.child.exitCode).toBe(null);
      // Killed outright, `mk run` could not take its program with it.
      running.child.kill('SIGTERM');
      expect((await running.done).signal).toBe('SIGTERM');
    }
  });

  it('tells of a connection before its data, and of closing after everything else', async () => {
    const { out } = await run(`
      const net = require('net'), log = [];
      const server = net.createServer((socket) => {
        log.push('server knows');
        socket.end('data');
        process.nextTick(() => log.push('tick'));
        Promise.resolve().then(() => log.push('promise'));
      });
      server.listen(0, () => {
        log.push('listening');
        const client = net.connect(server.address().port);
        client.on('connect', () => log.push('connect'));
        client.on('data', (data) => log.push(String(data)));
        client.on('end', () => log.push('end'));
        client.on('close', () => { log.push('close'); server.close(() => { log.push('server closed'); console.log(log.join(', ')); }); });
      });
      log.push('listen returned');`);
    expect(out).toBe(
      'listen returned, listening, server knows, tick, promise, connect, data, end, close, server closed\n',
    );
  });

  it('keeps asynchronous context: each callback has that of whoever asked', async () => {
    const { out } = await run(`
      const { AsyncLocalStorage } = require('async_hooks'), http = require('http'), net = require('net');
      const store = new AsyncLocalStorage(), log = [];
      const server = http.createServer((request, response) => { log.push(['server', store.getStore()]); response.end(); });
      server.listen(0, () => {
        let left = 3;
        for (const name of ['a', 'b', 'c']) store.run(name, () => {
          http.get({ port: server.address().port, agent: false }, (response) => {
            log.push([name, store.getStore()]);
            response.resume().on('end', () => { if (--left === 0) { server.close(); console.log(JSON.stringify(log)); } });
          });
        });
      });`);
    const log = JSON.parse(out) as [string, string | null][];
    expect(log.filter(([who]) => who === 'server')).toEqual([
      ['server', null],
      ['server', null],
      ['server', null],
    ]);
    expect(log.filter(([who]) => who !== 'server').every(([who, seen]) => who === seen)).toBe(true);
  });

  it('runs under fake timers', async () => {
    const { out, code } = await run(`
      const real = { setImmediate, setTimeout };
      globalThis.setImmediate = globalThis.setTimeout = () => { throw new Error('frozen'); };
      performance.now = () => 0;
      process.nextTick = ((tick) => (...args) => tick.apply(process, args))(process.nextTick);
      const net = require('net');
      const server = net.createServer((socket) => socket.end('still here')).listen(0, () =>
        net.connect(server.address().port).on('data', (data) => console.log(String(data))).on('end', () => server.close()));`);
    expect([out, code]).toEqual(['still here\n', 0]);
  });
});

describe('the host', () => {
  it('is out of reach', async () => {
    const { out } = await run(`
      const net = require('net'), dgram = require('dgram'), dns = require('dns'), os = require('os');
      const say = (what, error) => console.log(what, error.code);
      net.connect(80, '198.51.100.1').on('error', (error) => say('tcp', error));
      net.connect(80, '2001:db8::1').on('error', (error) => say('tcp6', error));
      const udp = dgram.createSocket('udp4');
      udp.send('x', 53, '198.51.100.1', (error) => { say('udp', error); udp.close(); });
      dns.lookup('example.com', (error) => say('lookup', error));
      dns.resolve4('example.com', (error) => say('resolve', error));
      fetch('http://198.51.100.1/').catch((error) => say('fetch', error.cause));
      console.log(Object.keys(os.networkInterfaces()).join());`);
    const lines = out.trim().split('\n').sort();
    expect(lines).toEqual([
      'fetch ENETUNREACH',
      'lo0',
      'lookup ENOTFOUND',
      'resolve ENOTFOUND',
      'tcp ENETUNREACH',
      'tcp6 ENETUNREACH',
      'udp ENETUNREACH',
    ]);
  });

  it('still has its files and unix sockets', async () => {
    const path = join(terminal.folder, 'socket');
    const { out } = await run(`
      const net = require('net');
      const server = net.createServer((socket) => socket.end('over a unix socket')).listen(${JSON.stringify(path)}, () =>
        net.connect(${JSON.stringify(path)}).on('data', (data) => { console.log(String(data)); server.close(); }));`);
    expect(out).toBe('over a unix socket\n');
  });
});

describe('IPv6', () => {
  it('is in sockets, names and interfaces of a process and of its child', async () => {
    const { out, err } = await run(`
      const net = require('node:net'), os = require('node:os'), { once } = require('node:events');
      const { fork } = require('node:child_process');
      const port = Number(process.argv[2] ?? 0);
      const say = (...words) => console.log(port === 0 ? 'parent' : 'child', ...words);
      async function main() {
        const server = net.createServer((c) => { say('from', c.remoteAddress, c.remoteFamily); c.end(); }).listen(0);
        await once(server, 'listening');
        for (const host of ['::1', '127.0.0.1']) {
          const client = net.connect(port || server.address().port, host).resume();
          await once(client, 'close');
          say('to', client.bytesRead, host);
        }
        server.close();
        const nowhere = net.createServer().listen(0, '2001:db8::1');
        say((await once(nowhere, 'error'))[0].message);
        say((await once(net.connect(9, '2001:db8::1'), 'error'))[0].message);
        say(os.networkInterfaces().lo0.map(({ cidr }) => cidr).join());
      }
      async function both() {
        const lookup = (name, options, callback) =>
          callback(null, [{ address: '2001:db8::1', family: 6 }, { address: '127.0.0.1', family: 4 }]);
        const server = net.createServer((c) => c.end()).listen(0, '127.0.0.1');
        await once(server, 'listening');
        const client = net.connect({ host: 'both.lan', port: server.address().port, lookup }).resume();
        await once(client, 'connect');
        say('happy', client.remoteAddress);
        server.close();
        const kept = net.createServer((c) => c.end()).listen(0);
        await once(kept, 'listening');
        await once(fork(__filename, [String(kept.address().port)]), 'exit');
        kept.close();
      }
      main().then(() => port === 0 && both());
    `);
    expect(err).toBe('');
    const errors = (who: string): string[] => [
      `${who} listen EADDRNOTAVAIL: address not available 2001:db8::1`,
      `${who} connect ENETUNREACH 2001:db8::1:9 - Local (:::0)`,
      `${who} 127.0.0.1/8,::1/128`,
    ];
    expect(out.trim().split('\n')).toEqual([
      'parent from ::1 IPv6',
      'parent to 0 ::1',
      'parent from ::ffff:127.0.0.1 IPv6',
      'parent to 0 127.0.0.1',
      ...errors('parent'),
      'parent happy 127.0.0.1',
      'child to 0 ::1',
      'child to 0 127.0.0.1',
      ...errors('child'),
    ]);
  });
});

describe('the network of mk run', () => {
  it('is slow when asked, and says what it cannot be', async () => {
    const echo = `
      const net = require('node:net');
      const server = net.createServer((socket) => socket.pipe(socket)).listen(7, () => {
        const socket = net.connect(7, '127.0.0.1', () => {
          const sentMs = performance.now();
          socket.write('x');
          socket.once('data', () => { console.log(performance.now() - sentMs); process.exit(); });
        });
      });`;
    const slow = await run(echo, '--delay', '60ms');
    expect(slow.code).toBe(0);
    // There and back.
    expect(Number(slow.out)).toBeGreaterThanOrEqual(120);
    expect(await run(echo, '--loss', '200%')).toMatchObject({
      out: '',
      code: 2,
      err: 'mk run: impair: loss: expected a share such as 2% (a number is below 1), not "200%"\n',
    });
    expect(await run(echo, '--server', 'unix:///nobody', '--delay', '5ms')).toMatchObject({
      code: 2,
      err: 'mk run: that kernel is impaired by mk netem, not here\n',
    });
  });
});
