import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { EventLoop } from '../../src/host/node/event-loop.ts';
import { Arena } from '../../src/mem/arena.ts';
import { Channel, type ChannelDescriptor, createChannel } from '../../src/mem/channel.ts';
import { Doorbell } from '../../src/mem/doorbell.ts';
import { anonymousOwner } from '../../src/mem/owner.ts';
import { SpinBudget } from '../../src/mem/spin-budget.ts';
import { ChannelCarrier } from '../../src/rump/channel-carrier.ts';
import { RemoteBench } from '../fixtures/remote-bench.ts';

const KEY = new Uint8Array(16).fill(3);

it('sockets of a thread without a kernel: calls that wait, and events, over channels in shared memory', async () => {
  const arena = Arena.create(1 << 22);
  const bench = new RemoteBench();
  const bell = new Doorbell(arena, arena.allocateDoorbell());
  const spinBudget = new SpinBudget(arena.words, arena.allocate(4), 1, bell.at);
  const loop = new EventLoop({ doorbell: bell, spinBudget, pollUs: 0 });
  const serve = (): ChannelDescriptor => {
    const channel = createChannel(arena, { ringBytes: 65_536 });
    const end = Channel.open(arena, channel, 1, { owner: anonymousOwner(1), bellAt: bell.at });
    const carrier = new ChannelCarrier({ region: arena, channel: end, capacityBytes: channel.capacityBytes });
    loop.add(carrier);
    bench.server.accept(carrier, KEY, 0);
    return channel;
  };
  const workerData = {
    memory: arena.memory,
    calls: serve(),
    events: serve(),
    callsBellAt: arena.allocateDoorbell(),
    loopBellAt: arena.allocateDoorbell(),
    budgetAt: arena.allocate(4),
    key: KEY,
  };
  const worker = new Worker(new URL('./rump-thread-worker.js', import.meta.url), { workerData });
  const [first] = await once(worker, 'message');
  expect(first).toEqual({ bound: [0, 0, -98], same: true, about: { name: 'bench' } });
  expect(bench.server.sessions).toBe(1);

  // The kernel goes: a thread that calls, or waits, is told.
  bench.server.close();
  worker.postMessage('call');
  const [second] = await once(worker, 'message');
  expect(second).toMatchObject({ result: -100 });
  await bench.until(() => bench.openSockets === 0);
  worker.postMessage('end');
  await once(worker, 'exit');
  loop.close();
});
