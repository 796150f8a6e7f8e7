/** `rump_server` and the tools that find it in RUMP_SERVER. */

import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../fixtures/fake-workers.ts';
import { RumpServers } from '../fixtures/rump-servers.ts';

const URL = 'unix://commsock';
const HIJACK = join(import.meta.dirname, '../../dist/worker/hijack.js');

describe.skipIf(process.platform !== 'linux')('rump_server', () => {
  let servers: RumpServers;
  beforeEach(() => {
    servers = new RumpServers();
  });
  afterEach(() => servers.close());

  it('says nothing, detaches, keeps its folder and answers at once; rump.halt ends it and its socket', async () => {
    expect(await servers.run('rump_server', `-lrumpnet -l rumpnet_netinet -c 2 ${URL}`)).toEqual({
      code: 0,
      signal: null,
      out: '',
      err: '',
    });
    const [pid, ...more] = servers.pids();
    expect(more).toEqual([]);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(servers.folder);
    expect([0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))).toEqual(Array(3).fill('/dev/null'));
    // Field 6 is the session: its own.
    expect(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[3]).toBe(String(pid));
    expect(await servers.ok('rump.ifconfig', '-l', URL)).toBe('lo0\n');
    expect(await servers.ok('rump.ping', '-c 1 -q 127.0.0.1', URL)).toContain('1 packets received, 0.0% packet loss');
    expect(await servers.ok('rump.sysctl', 'hw.ncpu', URL)).toBe('hw.ncpu = 2\n');
    expect(await servers.ok('rump.halt', '', URL)).toBe('');
    await until(() => servers.pids().length === 0);
    expect(existsSync(join(servers.folder, 'commsock'))).toBe(false);
    expect(await servers.run('rump.ifconfig', '-l', URL)).toMatchObject({
      code: 1,
      err: 'ifconfig: commsock: No such file or directory\n',
    });
  });

  it('ends by SIGTERM, and leaves a place for the next one', async () => {
    await servers.ok('rump_server', URL);
    process.kill(servers.pids()[0] as number, 'SIGTERM');
    await until(() => servers.pids().length === 0);
    expect(existsSync(join(servers.folder, 'commsock'))).toBe(false);
    await servers.ok('rump_server', URL);
    process.kill(servers.pids()[0] as number, 'SIGKILL');
    await until(() => servers.pids().length === 0);
    await servers.ok('rump_server', URL);
    expect(await servers.run('rump_server', URL)).toEqual({
      code: 1,
      signal: null,
      out: '',
      err: 'rump_server: rump server init failed: Address already in use\n',
    });
    expect(await servers.ok('rump.ifconfig', '-l', URL)).toBe('lo0\n');
  });

  it('has what its libraries bring, and refuses unknown ones', async () => {
    await servers.ok('rump_server', `-l rumpnet_netinet ${URL}`);
    await servers.ok('rump_server', `-l rumpnet_netinet -l rumpnet_netinet6 ${URL}6`);
    expect(await servers.ok('rump.sysctl', 'net.inet.ip.forwarding', URL)).toBe('net.inet.ip.forwarding = 1\n');
    expect(await servers.run('rump.sysctl', 'net.inet6.ip6.forwarding', URL)).toMatchObject({ code: 1, out: '' });
    expect(await servers.run('rump.ifconfig', 'lo0 inet6 fd00::1/64', URL)).toMatchObject({ code: 1 });
    expect(await servers.ok('rump.ifconfig', 'lo0 inet6', URL)).not.toContain('inet6');
    expect(await servers.ok('rump.sysctl', 'net.inet6.ip6.forwarding', `${URL}6`)).toBe(
      'net.inet6.ip6.forwarding = 0\n',
    );
    expect(await servers.ok('rump.netstat', '-rn -f inet6', `${URL}6`)).toMatch(/^fe80::1%lo0 .* UHl .* lo0$/m);
    expect(await servers.ok('rump.ping6', '-c 1 -q ::1', `${URL}6`)).toContain(' 0.0% packet loss');
    expect(await servers.run('rump.ifconfig', 'shmif0 create', URL)).toMatchObject({
      code: 1,
      err: 'ifconfig: clone_command: Invalid argument\nifconfig: exec_matches: Invalid argument\n',
    });
    expect(await servers.run('rump_server', '-l rumpnet_frob unix://other')).toMatchObject({
      code: 1,
      err: 'rump_server: dlopen librumpnet_frob.so failed: Cannot open "librumpnet_frob.so"\n',
    });
    expect(existsSync(join(servers.folder, 'other'))).toBe(false);
  });

  it('listens at TCP, where tools and hijacked programs of Node find it', async () => {
    const port = 20_000 + (process.pid % 20_000);
    const url = `tcp://127.0.0.1:${port}/`;
    await servers.ok('rump_server', `-l rumpnet_netinet ${url}`);
    expect(await servers.ok('rump.ifconfig', '-l', url)).toBe('lo0\n');
    const path = join(servers.folder, 'echo.cjs');
    writeFileSync(
      path,
      `const net = require('node:net');
const server = net.createServer((c) => c.end('hello')).listen(7777, '127.0.0.1', () => {
  net.connect(7777, '127.0.0.1').on('data', (d) => console.log(String(d))).on('end', () => server.close());
});`,
    );
    const { code, out, err } = await servers.node(['--import', HIJACK, path], url).done;
    expect({ code, out, err }).toEqual({ code: 0, out: 'hello\n', err: '' });
    // The port was the kernel's and not the host's.
    const refused = await new Promise((done) => connect(7777, '127.0.0.1').on('error', done));
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
    await servers.ok('rump.halt', '', url);
    await until(() => servers.pids().length === 0);
  });

  it('stays in front with -s', async () => {
    const running = servers.start('rump_server', ['-s', URL]);
    await until(() => existsSync(join(servers.folder, 'commsock')));
    expect(await servers.ok('rump.ifconfig', '-l', URL)).toBe('lo0\n');
    await servers.ok('rump.halt', '', URL);
    expect(await running.done).toEqual({ code: 0, signal: null, out: '', err: '' });
  });
});
