/** A lab of both families with a router between its networks, by the built command. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Running, Terminal } from '../fixtures/mk.ts';

const FILE = `name: dual
networks:
  front: { prefix: [10.0.0.0/24, "fd00:0:0:a::/64"] }
  back: { prefix: [10.0.1.0/24, "fd00:0:0:b::/64"] }
  six: { prefix: "fd00:0:0:c::/64" }
nodes:
  a: { networks: [front] }
  gw: { kind: router, networks: [front, back, six] }
  b: { networks: [back], run: node web.js }
  c: { networks: [six] }
  d: { networks: [front], run: node ask.js, depends_on: { b: listening:80 } }
`;

describe('a lab of both families', () => {
  let terminal: Terminal;
  let up: Running;
  const on = (node: string, ...words: string[]): ReturnType<Terminal['run']> =>
    terminal.run('exec', node, '--', ...words);
  /** Sooner or later: an address may still be asked for in vain (DAD), or be asked for once a second. */
  const reaches = async (from: string, to: string): Promise<void> => {
    expect((await on(from, 'ping6', '-o', '-c', '30', to)).code).toBe(0);
  };
  beforeAll(async () => {
    terminal = new Terminal();
    const folder = join(terminal.folder, 'dual');
    mkdirSync(folder);
    writeFileSync(join(folder, 'multikernel.yml'), FILE);
    const program = "require('node:http').createServer((_q, r) => r.end('served')).listen(80)\n";
    writeFileSync(join(folder, 'web.js'), program);
    const asking = "fetch('http://b/').then((r) => r.text()).then((t) => console.log('b:', t));\n";
    writeFileSync(join(folder, 'ask.js'), asking);
    up = await terminal.up(join(folder, 'multikernel.yml'));
  });
  afterAll(() => terminal.close());

  it('shows all addresses', async () => {
    const { out } = await terminal.run('ps');
    expect(out).toMatch(/^a {5}node {4}10\.0\.0\.10\/24 fd00:0:0:a::a\/64 +- +- +ready$/m);
    expect(out).toMatch(/^c {5}node {4}fd00:0:0:c::a\/64 +- +- +ready$/m);
  });

  it('runs programs that ask each other by name', async () => {
    await up.until(/^d \| b: served$/m);
  });

  it('is routed in both', async () => {
    const six = await on('a', 'ping6', '-c', '2', '-i', '0.05', 'b');
    expect(six.out).toMatch(/^PING6\(56=40\+8\+8 bytes\) fd00:0:0:a::a --> fd00:0:0:b::a\n/);
    expect(six.out).toMatch(/^16 bytes from fd00:0:0:b::a, icmp_seq=1 hlim=63 time=[\d.]+ ms$/m);
    expect(six.code).toBe(0);
    expect((await on('a', 'ping', '-c', '1', 'b')).out).toContain('64 bytes from 10.0.1.10: icmp_seq=0 ttl=63');
    await reaches('c', 'fd00:0:0:a::a');
    const expired = terminal.start(['exec', 'a', '--', 'ping6', '-v', '-h', '1', 'b'], { input: '' });
    await expired.until(/^64 bytes from fd00:0:0:a::1: Time to live exceeded$/m);
    expired.child.kill('SIGINT');
    expect((await expired.done).code).toBe(2);
  });

  it('shows and changes addresses, routes, neighbors', async () => {
    expect((await on('a', 'ifconfig', 'eth0', 'inet6')).out).toContain('\tinet6 fd00:0:0:a::a/64 flags 0x0\n');
    expect((await on('a', 'netstat', '-rn', '-f', 'inet6')).out).toMatch(/^default +fd00:0:0:a::1 +UGS /m);
    expect((await on('gw', 'ndp', '-an')).out).toMatch(/^fd00:0:0:b::a +02:6d:6b:00:03:00 +eth1 /m);
    expect((await on('a', 'ifconfig', 'eth0', 'inet6', 'fd00:0:0:a::77/64', 'alias')).code).toBe(0);
    await reaches('b', 'fd00:0:0:a::77');
    const options = 'prefixlen 64 anycast pltime 0 vltime 600 alias'.split(' ');
    expect((await on('a', 'ifconfig', 'eth0', 'inet6', 'fd00:0:0:a::78', ...options)).code).toBe(0);
    const shown = await on('a', 'ifconfig', '-L', 'eth0', 'inet6');
    expect(shown.out).toMatch(/\tinet6 fd00:0:0:a::78\/64 flags 0x11<ANYCAST,DEPRECATED> pltime 0 vltime (600|59\d)/);
    expect((await on('a', 'ifconfig', 'eth0', 'inet6', 'fd00:0:0:a::79/64', 'pltime', '9', 'vltime', '8')).err).toBe(
      'ifconfig: SIOCAIFADDR_IN6: Invalid argument\n',
    );
    expect((await on('a', 'ifconfig', 'eth0', 'inet6', 'fd00:0:0:a::78', 'delete')).code).toBe(0);
    const added = await on('a', 'route', 'add', '-inet6', 'fd00:9::', '-prefixlen', '64', 'fd00:0:0:a::1');
    expect(added).toMatchObject({ code: 0, out: 'add net fd00:9::: gateway fd00:0:0:a::1\n' });
    expect(await on('a', 'route', 'delete', '-inet6', 'fd00:8::/64')).toMatchObject({
      code: 1,
      out: 'delete net fd00:8::/64: not in table\n',
      err: 'route: writing to routing socket: not in table\n',
    });
  });

  it('is cut in both', async () => {
    await terminal.run('break', 'a', 'b');
    expect((await on('a', 'ping6', '-c', '1', '-X', '1', 'b')).code).toBe(2);
    expect((await on('a', 'ping', '-c', '1', '-w', '0.5', 'b')).code).toBe(2);
    await terminal.run('heal', '--all');
    await reaches('a', 'b');
  });

  it('is cut under addresses that the lab file does not give, also those that come later', async () => {
    const ping = async (to: string): Promise<number | null> => (await on('b', 'ping6', '-c', '1', '-X', '1', to)).code;
    expect(await ping('fd00:0:0:a::77')).toBe(0);
    await terminal.run('break', 'a', 'b', '--one-way');
    expect([await ping('fd00:0:0:a::a'), await ping('fd00:0:0:a::77')]).toEqual([2, 2]);
    expect((await on('a', 'ifconfig', 'eth0', 'inet6', 'fd00:0:0:a::80/64', 'alias')).code).toBe(0);
    expect(await ping('fd00:0:0:a::80')).toBe(2);
    await terminal.run('heal', '--all');
    expect([await ping('fd00:0:0:a::80'), await ping('fd00:0:0:a::77')]).toEqual([0, 0]);
  });
});
