import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EventLoop } from '../host/node/event-loop.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { SpinBudget } from '../mem/spin-budget.ts';
import { parseServerUrl } from '../rump/url.ts';
import { AF_INET, SOCK_DGRAM } from '../sys/abi.ts';
import { SYS } from '../sys/syscalls.ts';
import { kernelAt } from '../tools/bin/kernel-at.ts';
import { KernelServer } from './kernel-server.ts';

const KEY = '000102030405060708090a0b0c0d0e0f';
const OTHER_KEY = '000102030405060708090a0b0c0d0e0e';

let folder = '';
let loop: EventLoop;
let kernel: Kernel;
let server: KernelServer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-server-'));
  const arena = Arena.create(64 << 20);
  loop = new EventLoop({
    doorbell: new Doorbell(arena, arena.allocateDoorbell()),
    spinBudget: new SpinBudget(arena.words, arena.allocate(4), 1),
    pollUs: 0,
  });
  kernel = Kernel.create({ name: 'served', arena, host: loop });
  loop.add(...kernel.cpus);
  server = new KernelServer(kernel, loop, () => ({ names: {}, interfaces: null, machine: null }));
});
afterAll(() => {
  server.close();
  loop.close();
  rmSync(folder, { recursive: true, force: true });
});

it.each([`tcp://127.0.0.1:0/?key=${KEY}`, `unix://@mk-server-test-${process.pid}?key=${KEY}`])(
  'a kernel answers at %s who knows the key',
  async (text) => {
    const url = await server.listen(parseServerUrl(text));
    const client = await kernelAt(url);
    expect((await client.control('interface.list', {})).map(({ name }) => name)).toEqual(['lo0']);
    await client.close();
    const wrong = parseServerUrl('unix://x', OTHER_KEY).key;
    await expect(kernelAt({ ...url, key: wrong })).rejects.toMatchObject({ code: 'EACCES' });
    await expect(kernelAt({ ...url, key: null })).rejects.toMatchObject({ code: 'EACCES' });
  },
);

it('a client elsewhere is a process of the kernel, with descriptors of its own, until it hangs up', async () => {
  const url = await server.listen(parseServerUrl(`tcp://127.0.0.1:0/?key=${KEY}`));
  const client = await kernelAt(url);
  const bytes = new Uint8Array(64);
  const memory = {
    read: (address: number, length: number): Uint8Array => bytes.slice(address, address + length),
    write: (address: number, written: Uint8Array): void => bytes.set(written, address),
  };
  const call = (name: string, ...args: number[]): Promise<number> => client.call(SYS[name] as number, args, memory);
  expect(kernel.processes.count).toBe(1);
  const fd = await call('socket', AF_INET, SOCK_DGRAM, 0);
  bytes.set([16, AF_INET, 0, 53, 127, 0, 0, 1]);
  expect(await call('bind', fd, 0, 16)).toBe(0);
  bytes[60] = 16;
  expect(await call('getsockname', fd, 16, 60)).toBe(0);
  expect([...bytes.slice(16, 24)]).toEqual([16, AF_INET, 0, 53, 127, 0, 0, 1]);
  expect([kernel.processes.count, kernel.listeningPorts('udp')]).toEqual([2, [53]]);
  await client.close();
  while (kernel.processes.count > 1) await new Promise((resolve) => setImmediate(resolve));
  expect(kernel.listeningPorts('udp')).toEqual([]);
});

it('a kernel answers at a socket file, whose folder keeps others out', async () => {
  const url = await server.listen(parseServerUrl(`unix://${join(folder, 'kernel.sock')}`));
  const client = await kernelAt(url);
  expect((await client.control('host.list', {})).name).toBe('served');
  await client.close();
  await expect(server.listen(url)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

it.each(['tcp://127.0.0.1:0/', 'unix://@mk'])('a kernel does not answer at %s: everybody could ask', async (text) => {
  await expect(server.listen(parseServerUrl(text))).rejects.toMatchObject({
    code: 'EINVAL',
    message: `${text}: a key is wanted (?key=DIGITS, or RUMP_KEY)`,
  });
});
