/** vni between real processes: servers on a network in a file, a library kernel beside them, and a participant that writes nonsense. */

import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { until } from '../fixtures/fake-workers.ts';
import type { Running } from '../fixtures/mk.ts';
import { RumpServers } from '../fixtures/rump-servers.ts';

const LIBRARIES = '-lrumpnet -lrumpnet_net -lrumpnet_netinet -lrumpnet_netinet6 -lrumpnet_vni';
const PEER = join(import.meta.dirname, 'bad-peer-process.js');
/** The package finds its own subpaths by name from here. */
const HIJACK = pathToFileURL(resolve(import.meta.dirname, '../../dist/worker/hijack.js')).href;
const LISTEN = `
const hash = require('node:crypto').createHash('sha1');
let bytes = 0;
const server = require('node:net').createServer((socket) => {
  socket.on('data', (data) => { bytes += data.length; hash.update(data); });
  socket.on('end', () => { socket.end(); server.close(); console.log(bytes, hash.digest('hex')); });
});
server.listen(7777, '10.0.0.1', () => console.log('listens'));
`;
const SEND = `
const socket = require('node:net').connect(7777, '10.0.0.1');
socket.end(Buffer.alloc(8 << 20, 'per-channel'));
socket.resume();
`;
const DIGEST = createHash('sha1')
  .update(Buffer.alloc(8 << 20, 'per-channel'))
  .digest('hex');
const FRAMES = 50_000;
const WATCHDOG_MS = 240_000;

let servers: RumpServers;
let children: ChildProcess[] = [];
beforeEach(() => {
  servers = new RumpServers();
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  servers.close();
});

/** A server with one interface: 10.0.0.N, fc00::N. */
function serve(n: number): Promise<string> {
  return servers.serve(n, 'vni', 'link1');
}

describe.skipIf(libc() === null)('servers on a vni network in a file', () => {
  it('have its interfaces by clone, as those of a bus', async () => {
    const url = 'unix://sock';
    const refused = async (args: string) => {
      const { code, err } = await servers.run('rump.ifconfig', args, url);
      return [code, err];
    };
    await servers.ok('rump_server', `${LIBRARIES} ${url}`);
    await servers.ok('rump.ifconfig', 'vni0 create', url);
    expect(await servers.ok('rump.ifconfig', '-C', url)).toBe('vni lo\n');
    expect(await refused('vni0 up')).toEqual([1, 'ifconfig: SIOCSIFFLAGS: Device not configured\n']);
    writeFileSync(join(servers.folder, 'text'), 'this is no network\n');
    expect(await refused('vni0 linkstr text')).toEqual([1, 'ifconfig: SIOCSLINKSTR: Exec format error\n']);
    await servers.ok('rump.ifconfig', 'vni0 linkstr link1', url);
    expect(statSync(join(servers.folder, 'link1')).mode & 0o777).toBe(0o600);
    await servers.ok('rump.ifconfig', 'vni0 up', url);
    expect(await servers.ok('rump.ifconfig', '-v vni0', url)).toMatch(
      /^vni0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\taddress: b2:a1(:[0-9a-f]{2}){4}\n\tlinkstr: link1\n\tmedia: Ethernet autoselect\n\tlinkstate: up\n/,
    );
    await servers.ok('rump.ifconfig', 'vni0 destroy', url);
    expect(await servers.ok('rump.ifconfig', '-l', url)).toBe('lo0\n');
  });

  it('reach each other by IPv4 and IPv6, also after a kill, and carry streams', async () => {
    const urls = [await serve(1), await serve(2)] as const;
    const [first] = servers.pids() as [number];
    const ping = async (from: 1 | 2, to: 1 | 2): Promise<void> => {
      const url = urls[from - 1];
      expect(await servers.ok('rump.ping', `-o -n -q -w 20 10.0.0.${to}`, url)).toContain(' 0.0% packet loss');
      expect(await servers.ok('rump.ping6', `-n -q -c 1 -X 20 fc00::${to}`, url)).toContain(' 0.0% packet loss');
    };
    await ping(1, 2);
    await ping(2, 1);
    process.kill(first, 'SIGKILL');
    await until(() => !servers.pids().includes(first));
    await serve(1);
    // The new one has another Ethernet address, which the other one learns when it is asked for its own.
    await ping(1, 2);
    await ping(2, 1);
    // TCP leaves segmentation and checksums to the link.
    writeFileSync(join(servers.folder, 'listen.cjs'), LISTEN);
    writeFileSync(join(servers.folder, 'send.cjs'), SEND);
    const program = (name: string, url: string): Running => servers.node(['--import', HIJACK, name], url);
    const listener = program('listen.cjs', urls[0]);
    await listener.until(/listens/);
    expect(await program('send.cjs', urls[1]).done).toMatchObject({ code: 0, err: '' });
    expect(await listener.done).toMatchObject({ code: 0, out: `listens\n${8 << 20} ${DIGEST}\n` });
    const output = /output: (\d+) packets/.exec(await servers.ok('rump.ifconfig', '-v vni0', urls[1]));
    expect(Number(output?.[1])).toBeLessThan((8 << 20) / 1460 / 4);
  });
});

describe.skipIf(libc() === null)('a process that writes nonsense into all that it has mapped', () => {
  it('harms its own channels only', { timeout: WATCHDOG_MS }, async () => {
    const results = new Map<number, object>();
    let ready = 0;
    const failures: string[] = [];
    const start = (role: string, number: number, peer: number): ChildProcess => {
      const child = fork(PEER, [role, join(servers.folder, 'link1'), String(number), String(peer), String(FRAMES)], {
        execArgv: [],
      });
      child.on('message', (message: { ready?: true; result?: object }) => {
        if (message.ready) ready++;
        if (message.result !== undefined) results.set(number, message.result);
      });
      child.on('exit', (code) => {
        if (!results.has(number) && role === 'exchange') failures.push(`${number} ended: ${code}`);
      });
      children.push(child);
      return child;
    };
    start('exchange', 1, 2);
    start('exchange', 2, 1);
    start('spoil', 3, 0);
    await until(() => ready === 3 || failures.length > 0, WATCHDOG_MS);
    for (const child of children) child.send('begin');
    await until(() => results.size === 2 || failures.length > 0, WATCHDOG_MS);
    expect(failures).toEqual([]);
    for (const number of [1, 2])
      expect(results.get(number)).toEqual({ sent: FRAMES, got: FRAMES, wrong: 0, outside: 0, linkUp: true });
  });
});
