/** A thread of kernels that serves one lab after the other, as it does in the process of a test runner: nothing of a lab is in the next. */

import { resolve } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import type * as Spare from '../../src/lab/spare-thread.ts';
import { builtFacade, builtModule } from '../fixtures/built.ts';

const SERVER = `node ${resolve(import.meta.dirname, '../package/server.cjs')}`;

let facade: typeof Facade;
let spare: typeof Spare;
beforeAll(async () => {
  facade = await builtFacade();
  spare = await builtModule<typeof Spare>('lab/spare-thread.js');
  spare.keepThreads();
});

/** Number of the thread that waits. */
function waitingThread(): number | undefined {
  const thread = spare.takeThread();
  if (thread !== null) spare.giveThread(thread);
  return thread?.threadId;
}

async function pings(net: Facade.Lab, from: string, to: string): Promise<boolean> {
  for await (const event of net.node(from).ping(to, { count: 1 })) if (event.type === 'reply') return true;
  return false;
}

it('serves labs of any shape, each anew', async () => {
  const first = waitingThread();
  expect(first).toBeGreaterThan(0);
  for (const prefix of ['10.1.0.0/24', 'fd00:2::/64', '10.3.0.0/24']) {
    const net = await facade.lab({ networks: { lan: { prefix } }, nodes: { a: {}, b: {} } });
    expect(await pings(net, 'a', 'b')).toBe(true);
    expect((await net.info()).networks[0]?.prefix).toBe(prefix);
    await net.node('a').setSysctl('net.inet.ip.ttl', 7);
    const connection = net.node('b').connect(9, 'a');
    connection.on('error', () => {});
    await net.down();
    expect(waitingThread()).toBe(first);
  }
  const last = await facade.lab({ nodes: { a: { run: SERVER, placement: 'process' }, b: {} } });
  expect(await last.node('a').sysctl('net.inet.ip.ttl')).toEqual([{ name: 'net.inet.ip.ttl', value: 64 }]);
  await last.until(async () => (await last.node('a').sockets({ state: 'LISTEN' })).length > 0);
  expect((await last.node('b').fetch('http://a/')).status).toBe(200);
  await last.down();
  expect(waitingThread()).toBe(first);
});

it('is ended when the lab has been up with another one', async () => {
  const labs = await Promise.all([1, 2].map(() => facade.lab({ nodes: { a: {}, b: {} } })));
  for (const net of labs) expect(await pings(net, 'a', 'b')).toBe(true);
  await Promise.all(labs.map((net) => net.down()));
  const net = await facade.lab({ nodes: { a: {}, b: {} } });
  expect(await pings(net, 'b', 'a')).toBe(true);
  await net.down();
});
