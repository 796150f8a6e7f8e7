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
import { kernelAt } from '../tools/kernel-at.ts';
import { KernelServer } from './kernel-server.ts';

const KEY = '000102030405060708090a0b0c0d0e0f';
const OTHER_KEY = '000102030405060708090a0b0c0d0e0e';

let folder = '';
let loop: EventLoop;
let server: KernelServer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-server-'));
  const arena = Arena.create(64 << 20);
  loop = new EventLoop({
    doorbell: new Doorbell(arena, arena.allocateDoorbell()),
    spinBudget: new SpinBudget(arena.words, arena.allocate(4), 1),
    pollUs: 0,
  });
  const kernel = Kernel.create({ name: 'served', arena, host: loop });
  loop.add(kernel);
  server = new KernelServer(kernel, loop, () => ({ names: {}, interfaces: null, machine: false }));
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
    const kernel = await kernelAt(url);
    expect((await kernel.control('interface.list', {})).map(({ name }) => name)).toEqual(['lo0']);
    await kernel.close();
    const wrong = parseServerUrl('unix://x', OTHER_KEY).key;
    await expect(kernelAt({ ...url, key: wrong })).rejects.toMatchObject({ code: 'EACCES' });
    await expect(kernelAt({ ...url, key: null })).rejects.toMatchObject({ code: 'EACCES' });
  },
);

it('a kernel answers at a socket file, whose folder keeps others out', async () => {
  const url = await server.listen(parseServerUrl(`unix://${join(folder, 'kernel.sock')}`));
  const kernel = await kernelAt(url);
  expect((await kernel.control('host.list', {})).name).toBe('served');
  await kernel.close();
  await expect(server.listen(url)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

it.each(['tcp://127.0.0.1:0/', 'unix://@mk'])('a kernel does not answer at %s: everybody could ask', async (text) => {
  await expect(server.listen(parseServerUrl(text))).rejects.toMatchObject({
    code: 'EINVAL',
    message: `${text}: a key is wanted (?key=DIGITS, or RUMP_KEY)`,
  });
});
