/**
 * IPv6 as Node programs of a lab meet it: names in order, zones, groups, servers of one family and of both; in the program and
 * in a process that it starts.
 */

import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../fixtures/fake-workers.ts';
import { type Running, Terminal } from '../fixtures/mk.ts';

const LAB = resolve(import.meta.dirname, '../fixtures/programs/ip6/multikernel.yml');
const SERVER = 'fe80::6d:6bff:fe00:100%eth0';
const CLIENT = 'fe80::6d:6bff:fe00:200%eth0';
/** What the server says of itself, and what it hears of a program and of its process. */
const SERVER_LINES = 3 + 2 * 8;
const PLAIN_LINES = 4;

let terminal: Terminal;
let up: Running;
const on = (node: string, ...words: string[]): ReturnType<Terminal['run']> =>
  terminal.run('exec', node, '--', ...words);

beforeAll(async () => {
  terminal = new Terminal();
  up = await terminal.up(LAB);
  await up.until(/client \| program: done/);
  await up.until(/plain \| connected/);
  // What different programs wrote comes over different pipes.
  await until(() => lines('server').length >= SERVER_LINES && lines('plain').length >= PLAIN_LINES);
});
afterAll(() => terminal.close());

/** What a program of the lab wrote. */
function lines(node: string): string[] {
  const start = `${node} | `;
  const found = up.out.split('\n').filter((line) => line.startsWith(start));
  return found.map((line) => line.slice(start.length));
}

describe('a program', () => {
  it.each(['program', 'process'])('in its %s finds names, speaks to servers and groups', (who) => {
    const heard = lines('client').filter((line) => line.startsWith(`${who}: `));
    expect(heard.map((line) => line.slice(who.length + 2))).toEqual([
      // RFC 6724: global addresses of IPv6, IPv4, unique local addresses.
      'server verbatim 2001:db8:6::a,10.6.0.10,10.6.2.10',
      'server ipv4first 10.6.0.10,10.6.2.10,2001:db8:6::a',
      'far verbatim 10.6.1.10,fd06::a',
      'far ipv4first 10.6.1.10,fd06::a',
      'both saw 2001:db8:6::b',
      'far saw ::ffff:10.6.0.11',
      'six saw 2001:db8:6::b / four saw 10.6.0.11',
      'four saw 10.6.0.11 / ECONNREFUSED',
      'fe80::6d:6bff:fe00:200/64 2',
      `%eth0 both saw ${CLIENT}`,
      `%2 both saw ${CLIENT}`,
      ' EINVAL',
      '%eth7 EINVAL',
      `re: ${who} by route from ${SERVER}`,
      `re: ${who} by zone from ${SERVER}`,
      `re: ${who} by interface from ${SERVER}`,
      `re: ${who} to the site from 2001:db8:6::a`,
      `re: ${who} to one from ${SERVER}`,
      `ourselves: ${who} to ourselves too`,
      'done',
    ]);
  });

  it('serves one family beside the other, and hears what groups are told', () => {
    const heard = lines('server');
    expect(heard.slice(0, 3)).toEqual([
      'beside a dual-stack server: EADDRINUSE',
      'again: EADDRINUSE',
      'nowhere: ENODEV',
    ]);
    expect(heard).toContain(`heard program by zone from ${CLIENT}`);
    expect(heard).toContain('heard process to the site from 2001:db8:6::b');
    expect(heard).toHaveLength(SERVER_LINES);
  });

  it('on a network without IPv6 has ::1 alone, and tries the addresses of IPv4 first', () => {
    expect([...lines('plain')].sort()).toEqual([
      'addresses 127.0.0.1,::1,10.6.2.11',
      'connected 127.0.0.1',
      'localhost ::1,127.0.0.1',
      'server 10.6.2.10,10.6.0.10,2001:db8:6::a',
    ]);
  });
});

describe('a machine', () => {
  /** Sooner or later: an address may still be asked for in vain (DAD), or be asked for once a second. */
  const reaches = async (from: string, to: string): Promise<void> => {
    expect((await on(from, 'ping6', '-o', '-c', '30', to)).code).toBe(0);
  };

  it('without IPv6 gets it with its first address', async () => {
    expect((await on('plain', 'ifconfig', 'eth0', 'inet6')).out).not.toContain('inet6 ');
    expect((await on('plain', 'ifconfig', 'eth0', 'inet6', '2001:db8:2::1/64')).code).toBe(0);
    const { out } = await on('plain', 'ifconfig', 'eth0', 'inet6');
    expect(out).toContain('\tinet6 2001:db8:2::1/64 flags 0x0\n');
    expect(out).toContain('\tinet6 fe80::6d:6bff:fe00:500%eth0/64 flags 0x0 scopeid 0x2\n');
    await reaches('server', 'fe80::6d:6bff:fe00:500%eth1');
  });

  it('is reached by nc, by name in either family and by zone', async () => {
    expect((await on('client', 'nc', '-6', 'server', '80')).out).toBe('both saw 2001:db8:6::b');
    expect((await on('client', 'nc', '-4', 'server', '80')).out).toBe('both saw ::ffff:10.6.0.11');
    expect((await on('client', 'nc', SERVER, '81')).out).toBe(`six saw ${CLIENT}`);
    expect(await on('client', 'nc', '-6', 'plain', '80')).toMatchObject({ code: 1, err: 'nc: plain: Unknown host\n' });
  });

  it('is cut off under all its addresses', async () => {
    const ping = async (from: string, to: string): Promise<number | null> =>
      (await on(from, 'ping6', '-c', '1', '-X', '1', to)).code;
    expect((await on('client', 'ifconfig', 'eth0', 'inet6', '2001:db8:6::77/64', 'alias')).code).toBe(0);
    await reaches('client', SERVER);
    await reaches('server', '2001:db8:6::77');
    const router = /inet6 (fe80::\S+)\/64/.exec((await on('gw', 'ifconfig', 'eth0', 'inet6')).out)?.[1] as string;
    await terminal.run('break', 'client', 'server');
    await terminal.run('break', 'client', 'gw');
    expect([await ping('client', SERVER), await ping('server', CLIENT)]).toEqual([2, 2]);
    expect(await ping('server', '2001:db8:6::77')).toBe(2);
    expect(await ping('client', router)).toBe(2);
    await reaches('server', router);
    await terminal.run('heal', '--all');
    await reaches('client', SERVER);
    await terminal.run('break', 'client', 'server', '--reject');
    const refused = `nc: connect to ${SERVER} port 80 (tcp) failed: ECONNREFUSED\n`;
    expect((await on('client', 'nc', SERVER, '80')).err).toBe(refused);
    await terminal.run('heal', '--all');
    await reaches('client', SERVER);
    await reaches('client', router);
  });
});
