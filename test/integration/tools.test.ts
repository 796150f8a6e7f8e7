/** Network tools as commands of their own: RUMP_SERVER names the kernel, and nothing of a lab is loaded. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { kernelFolder, kernelPath } from '../../src/lab/runtime-folder.ts';
import { readPcapng } from '../../src/wire/pcapng-reader.ts';
import { until } from '../fixtures/fake-workers.ts';

const mk = (await import('#src/index')) as typeof Facade;

const BIN = resolve(import.meta.dirname, '../../dist/tools/bin');

let folder = '';
let lab: Facade.Lab;
let server = '';
const before = process.env.XDG_RUNTIME_DIR;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mk-t-'));
  process.env.XDG_RUNTIME_DIR = folder;
  writeFileSync(join(folder, 'echo.cjs'), `require('node:net').createServer((c) => c.pipe(c)).listen(7);`);
  const nodes = { a: {}, b: { run: 'node echo.cjs' } };
  lab = await mk.lab({ name: 'tools', nodes }, { folder, control: true });
  await until(async () => (await lab.info()).nodes.some(({ listening }) => listening.tcp.includes(7)));
  server = `unix://${kernelPath(kernelFolder('tools') as string, 'a')}`;
});
afterAll(async () => {
  await lab.down();
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the file itself, as a shell would. */
function run(tool: string, args: string[], env: Record<string, string> = { RUMP_SERVER: server }) {
  return new Promise<{ code: number; out: string; err: string }>((done) => {
    const options = { env: { PATH: process.env.PATH ?? '', ...env }, timeout: 50_000 };
    const child = execFile(join(BIN, `${tool}.cjs`), args, options, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
    child.stdin?.end();
  });
}

describe('tools by themselves', () => {
  it('print what mk prints', async () => {
    const ifconfig = await run('ifconfig', ['-a']);
    expect(ifconfig).toMatchObject({ code: 0, err: '' });
    expect(ifconfig.out).toMatch(
      /^lo0: flags=0x8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu \d+\n\tinet 127\.0\.0\.1\/8 flags 0x0\n/,
    );
    expect(ifconfig.out).toContain('\tinet 10.0.0.10/24 broadcast 10.0.0.255 flags 0x0\n');
    expect((await run('netstat', ['-rn', '-f', 'inet'])).out).toContain('10.0.0/24          link#2             UC');
    expect((await run('sysctl', ['-w', 'net.inet.ip.ttl=32'])).out).toBe('net.inet.ip.ttl: 64 -> 32\n');
    expect((await run('route', ['add', '10.9.0.0/16', 'b'])).out).toBe('add net 10.9.0.0: gateway b\n');
    expect((await run('ndp', ['-an'])).code).toBe(0);
  });

  it('reach other nodes by name', async () => {
    const ping = await run('ping', ['-c', '1', 'b']);
    expect(ping.code).toBe(0);
    expect(ping.out).toMatch(
      /^PING b \(10\.0\.0\.11\): 56 data bytes\n64 bytes from 10\.0\.0\.11: icmp_seq=0 ttl=64 time=/,
    );
    expect((await run('arp', ['b'])).out).toMatch(/^b \(10\.0\.0\.11\) at 02:6d:6b:00:02:00 on eth0\n$/);
    expect((await run('traceroute', ['-n', 'b'])).out).toMatch(/\n 1 {2}10\.0\.0\.11 {2}[\d.]+ ms/);
    expect(await run('nc', ['-vz', 'b', '7'])).toMatchObject({
      code: 0,
      err: 'Connection to b 7 port [tcp] succeeded!\n',
    });
  });

  it('capture to a file', async () => {
    const file = join(folder, 'one.pcapng');
    const capturing = run('capture', ['-c', '2', '-w', file, 'icmp', 'and', 'dst', 'host', 'b']);
    let done = false;
    capturing.finally(() => {
      done = true;
    });
    await until(async () => {
      await run('ping', ['-c', '1', 'b']);
      return done;
    });
    expect(await capturing).toMatchObject({ code: 0, err: '2 frames captured, 0 dropped\n' });
    const packets = readPcapng(readFileSync(file)).flatMap((block) => (block.type === 'packet' ? [block.bytes] : []));
    expect(packets.map((bytes) => [bytes[23], bytes.slice(30, 34).join('.')])).toEqual([
      [1, '10.0.0.11'],
      [1, '10.0.0.11'],
    ]);
  });

  it('say what is wrong in one line, and with which exit code', async () => {
    expect(await run('ifconfig', ['-a'], {})).toMatchObject({ code: 1, out: '' });
    expect((await run('ifconfig', ['-a'], {})).err).toMatch(/^ifconfig: RUMP_SERVER names no kernel.*\n$/);
    const nowhere = { RUMP_SERVER: `unix://${folder}/none.sock` };
    expect((await run('arp', ['-an'], nowhere)).err).toMatch(/^arp: .*: No such file or directory\n$/);
    expect((await run('arp', ['-an'], { RUMP_SERVER: 'http://x/' })).err).toMatch(/^arp: http:\/\/x\/: .*\n$/);
    expect(await run('ifconfig', ['-x'])).toMatchObject({ code: 1 });
    expect((await run('ifconfig', ['eth9'])).err).toBe('ifconfig: SIOCGIFFLAGS eth9: Device not configured\n');
  });
});
