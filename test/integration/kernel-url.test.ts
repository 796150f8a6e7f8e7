/** The kernels of a lab at their own sockets: one connection, one hop. */

import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { kernelFolder, kernelPath } from '../../src/lab/runtime-folder.ts';
import type { CallMemory, KernelClient } from '../../src/rump/kernel-client.ts';
import { AF_INET, SOCK_DGRAM } from '../../src/sys/abi.ts';
import { SYS } from '../../src/sys/syscalls.ts';
import { kernelAt } from '../../src/tools/bin/kernel-at.ts';
import { until } from '../fixtures/fake-workers.ts';

const mk = (await import('#src/index')) as typeof Facade;

/** `TCPS_ESTABLISHED` */
const ESTABLISHED = 4;

let folder = '';
const before = process.env.XDG_RUNTIME_DIR;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-k-'));
  process.env.XDG_RUNTIME_DIR = folder;
  writeFileSync(join(folder, 'server.cjs'), `require('node:net').createServer((c) => c.pipe(c)).listen(80);`);
  // Computes from its first connection on.
  writeFileSync(
    join(folder, 'busy.cjs'),
    `require('node:net').createServer(() => { for (;;); }).listen(80);
require('node:net').connect(80, '127.0.0.1');`,
  );
});
let up: Facade.Lab | null = null;
afterEach(async () => {
  await up?.down();
  up = null;
});
afterAll(() => {
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Facade.LabOptions): Promise<Facade.Lab> {
  up = await mk.lab({ name: 'own', ...options }, { folder, control: true });
  return up;
}

function fileOf(lab: string, kernel: string): string {
  return kernelPath(kernelFolder(lab) as string, kernel) as string;
}

function clientOf(lab: string, kernel: string, answerMs?: number): Promise<KernelClient> {
  return kernelAt({ kind: 'unix', path: fileOf(lab, kernel), key: null }, answerMs);
}

describe('the kernels of a lab', () => {
  it('answer at their own sockets, beside a program and without one, and close them', async () => {
    const nodes = { gate: {}, api: { run: 'node server.cjs', placement: 'beside' as const } };
    const lab = await start({ nodes });
    await until(async () => (await lab.info()).nodes.some(({ listening }) => JSON.stringify(listening).includes('80')));
    for (const name of ['gate', 'api']) {
      expect(statSync(fileOf('own', name)).mode & 0o777).toBe(0o600);
      const kernel = await clientOf('own', name);
      expect((await kernel.control('host.list', {})).name).toBe(name);
      expect((await kernel.control('interface.list', {})).map((row) => row.name)).toContain('lo0');
      await expect(kernel.control('sysctl.get', { name: 'net.none' })).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(kernel.control('nothing' as never, {} as never)).rejects.toThrow();
      await kernel.close();
    }
    const kernel = await clientOf('own', 'gate');
    const events: unknown[] = [];
    kernel.open('routeEvents', {}, { event: (event) => void events.push(...event.messages), end: () => undefined });
    const [lo0] = (await kernel.control('interface.list', {})).filter((row) => row.name === 'lo0');
    await kernel.control('interface.change', { index: lo0?.index ?? 0, mtuBytes: 9000 });
    await until(() => events.length > 0);
    await lab.down();
    await kernel.closed;
    await expect(kernel.control('interface.list', {})).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(clientOf('own', 'gate')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(existsSync(fileOf('own', 'gate'))).toBe(false);
  });

  it('take system calls by a worker, through the socket of the lab, and at their own', async () => {
    const lab = await start({ nodes: { gate: {} } });
    const attached = await mk.attach('own');
    const atUrl = await clientOf('own', 'gate');
    const relayed = await mk.attach('own');
    const bytes = new Uint8Array(256);
    const memory: CallMemory = {
      read: (address, length) => bytes.subarray(address, address + length),
      write: (address, written) => bytes.set(written, address),
    };
    let port = 4000;
    for (const kernel of [lab.node('gate').client, attached.node('gate').client, atUrl, relayed.node('gate').client]) {
      if (kernel === relayed.node('gate').client) renameSync(fileOf('own', 'gate'), `${fileOf('own', 'gate')}.away`);
      const call = (name: string, ...args: number[]): Promise<number> => kernel.call(SYS[name] as number, args, memory);
      port++;
      bytes.fill(0).set([16, AF_INET, port >> 8, port & 0xff, 127, 0, 0, 1]);
      const [bound, sender] = [
        await call('socket', AF_INET, SOCK_DGRAM, 0),
        await call('socket', AF_INET, SOCK_DGRAM, 0),
      ];
      expect([await call('bind', bound, 0, 16), await call('connect', sender, 0, 16)]).toEqual([0, 0]);
      const reading = call('read', bound, 100, 10);
      bytes.set([5, 6, 7], 200);
      expect(await call('write', sender, 200, 3)).toBe(3);
      expect([await reading, ...bytes.slice(100, 104)]).toEqual([3, 5, 6, 7, 0]);
      const waiting = call('read', bound, 100, 10).catch((error: { code: string }) => error.code);
      await call('getpid');
      await kernel.close();
      expect(await waiting).toBe('ECONNRESET');
    }
    renameSync(`${fileOf('own', 'gate')}.away`, fileOf('own', 'gate'));
    const other = await clientOf('own', 'gate');
    await until(async () => (await other.control('socket.list', {})).length === 0);
    await other.close();
    await attached[Symbol.asyncDispose]();
    await relayed[Symbol.asyncDispose]();
  });

  it('that end complete everything under way with an error', async () => {
    const lab = await start({ nodes: { gate: {}, other: {}, api: { run: 'node server.cjs', placement: 'beside' } } });
    await until(async () => (await lab.info()).nodes.some(({ listening }) => JSON.stringify(listening).includes('80')));
    const bytes = new Uint8Array(64);
    bytes.set([16, AF_INET, 0x10, 0, 127, 0, 0, 1]);
    const memory: CallMemory = {
      read: (address, length) => bytes.subarray(address, address + length),
      write: (address, written) => bytes.set(written, address),
    };
    // One shares its thread with another kernel, one has a thread with a program.
    for (const name of ['gate', 'api']) {
      const kernel = lab.node(name).client;
      const call = (number: string, ...args: number[]): Promise<number> =>
        kernel.call(SYS[number] as number, args, memory);
      const socket = await call('socket', AF_INET, SOCK_DGRAM, 0);
      expect(await call('bind', socket, 0, 16)).toBe(0);
      const reading = call('read', socket, 32, 10).catch((error: unknown) => error);
      let end: (error: Error | null) => void = () => undefined;
      const ended = new Promise<Error | null>((resolve) => {
        end = resolve;
      });
      kernel.open('routeEvents', {}, { event: () => undefined, end });
      await call('getpid');
      await lab.node(name).powerOff();
      const down = { code: 'EHOSTDOWN', message: `${name} is not running` };
      expect(await reading).toMatchObject(down);
      expect(await ended).toMatchObject(down);
      await expect(kernel.control('interface.list', {})).rejects.toMatchObject(down);
    }
    expect((await lab.node('other').client.control('host.list', {})).name).toBe('other');
    // The same client reaches the kernel that came back.
    await lab.node('api').run('server.cjs', { cwd: folder });
    expect((await lab.node('api').client.control('host.list', {})).name).toBe('api');
  });

  it('carry connections of a tool to a program', async () => {
    const lab = await start({ nodes: { a: {}, api: { run: 'node server.cjs' } } });
    await until(async () => (await lab.info()).nodes.some(({ listening }) => JSON.stringify(listening).includes('80')));
    const kernel = await clientOf('own', 'a');
    const { hosts } = await kernel.control('host.list', {});
    const address = hosts.find(({ name }) => name === 'api')?.addresses[0];
    const got: number[] = [];
    const stream = kernel.open(
      'connection',
      { address: address as never, port: 80 },
      { event: (event) => event.type === 'data' && void got.push(...event.bytes), end: () => undefined },
    );
    stream.send({ type: 'write', bytes: Uint8Array.of(1, 2, 3) });
    await until(() => got.length === 3);
    expect(got).toEqual([1, 2, 3]);
    // Hanging up is enough: the kernel closes what the client had open.
    await kernel.close();
    const other = await clientOf('own', 'a');
    await until(async () => (await other.control('socket.list', {})).every(({ state }) => state !== ESTABLISHED));
    await other.close();
  });

  it('are not reached while a program computes, and say so', async () => {
    await start({ nodes: { a: {}, b: { run: 'node busy.cjs', placement: 'beside' } } });
    await until(() => existsSync(fileOf('own', 'b')));
    await until(() =>
      clientOf('own', 'b', 200).then(
        (kernel) => kernel.close().then(() => false),
        (error) => error.code === 'ETIMEDOUT',
      ),
    );
  });

  it('are not disturbed by strangers', async () => {
    await start({ nodes: { a: {}, b: {} } });
    const closed: Promise<void>[] = [];
    for (let i = 0; i < 30; i++) {
      const socket = connect(fileOf('own', 'a'));
      socket.on('error', () => undefined);
      closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
      socket.write(new Uint8Array(100_000).fill(0xff));
      socket.resume();
    }
    await Promise.all(closed);
    const kernel = await clientOf('own', 'a');
    expect((await kernel.control('host.list', {})).name).toBe('a');
  });
});
