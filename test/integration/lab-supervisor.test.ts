import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { MultikernelError } from '../../src/base/errors.ts';
import type { LabOptions } from '../../src/lab/config.ts';
import { readLab } from '../../src/lab/lab.ts';
import type { KernelBoot, PortBoot } from '../../src/lab/messages.ts';
import type { LabStreamOperation, LabStreams, NodeStatus } from '../../src/lab/operations.ts';
import { Supervisor } from '../../src/lab/supervisor.ts';
import { listPorts } from '../../src/link/index.ts';
import { Arena, SpinBudget } from '../../src/mem/index.ts';
import { type ConnectionEvent, FILTER_DROP, FILTER_REJECT } from '../../src/sys/control.ts';
import { TcpConnection } from '../../src/tools/tcp-connection.ts';
import { FakeWorkers, until } from '../fixtures/fake-workers.ts';

const IPV4_A = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0x0a00000a, scopeId: 0 } as const;
const IPV4_B = { ...IPV4_A, w3: 0x0a00000b } as const;

const INET = { family: 4 } as const;

let folder = '';
let workers = new FakeWorkers();
let lab: Supervisor;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-supervisor-'));
  for (const name of ['a.js', 'b.js']) writeFileSync(join(folder, name), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  workers = new FakeWorkers();
});
afterEach(() => lab?.close());

/** The workers of these tests run programs as threads. */
const BESIDE: NonNullable<LabOptions['defaults']> = { node: { placement: 'beside' } };

async function bring(options: LabOptions): Promise<Supervisor> {
  lab = new Supervisor(readLab({ defaults: BESIDE, ...options }, folder), { start: workers.start });
  await lab.boot();
  return lab;
}

const TWO: LabOptions = {
  name: 'two',
  defaults: BESIDE,
  networks: { lan: { ring: '64KiB' } },
  nodes: {
    a: { run: 'node a.js' },
    b: { run: 'node b.js -x', heap: '64MiB', env: { PORT: 80 } },
    r: { kind: 'router' },
  },
};

function state(name: string): string | undefined {
  return lab.info.nodes.find((node) => node.name === name)?.state;
}

function collect<Op extends LabStreamOperation>(operation: Op, params: LabStreams[Op]['params']) {
  const events: LabStreams[Op]['event'][] = [];
  const ends: (Error | null)[] = [];
  const handle = lab.open(operation, params, { event: (e) => void events.push(e), end: (e) => void ends.push(e) });
  return { events, ends, handle };
}

describe('placement and boot', () => {
  it('gives each program a thread and lets the others share one', async () => {
    await bring({ ...TWO, nodes: { ...TWO.nodes, s: {}, t: { kind: 'router' } } });
    expect(workers.all.map((worker) => worker.names)).toEqual([['a'], ['b'], ['r', 's', 't']]);
    expect(lab.info.workers).toBe(3);
  });

  it('hands a worker what it needs', async () => {
    await bring(TWO);
    const { boot, options } = workers.of('b');
    expect(boot.program).toMatchObject({ script: join(folder, 'b.js'), argv: ['-x'], cwd: folder, preloads: [] });
    expect(boot.hosts.a).toEqual(['10.0.0.10']);
    expect(boot.hosts['r.two.lan']).toEqual(['10.0.0.1']);
    expect(boot.kernels[0]).toMatchObject({
      name: 'b',
      forwarding: false,
      routes: [{ destination: '0.0.0.0', prefixLength: 0, gateway: '10.0.0.1' }],
      interfaces: [
        {
          name: 'eth0',
          addresses: [{ address: '10.0.0.11', prefixLength: 24 }],
          link: { kind: 'port', port: 1, mac: '02:6d:6b:00:02:00' },
        },
      ],
    });
    expect(options).toMatchObject({
      argv: ['-x'],
      resourceLimits: { maxOldGenerationSizeMb: 64 },
      env: { PORT: '80' },
    });
    expect(workers.of('r').boot.kernels[0]).toMatchObject({ forwarding: true, routes: [] });
  });

  it('lets as many threads of a lab spin at a time as there are cores', async () => {
    const cores = availableParallelism();
    const nodes = Array.from({ length: cores + 2 }, (_, i) => [`n${i}`, { run: 'node a.js' }]);
    await bring({ ...TWO, nodes: Object.fromEntries(nodes) });
    const budgets = workers.all.map(
      ({ boot }) => new SpinBudget(Arena.attach(boot.memory).words, boot.spinBudgetAt, boot.spinLimit, boot.owner),
    );
    expect(budgets).toHaveLength(cores + 2);
    expect(budgets.filter((budget) => budget.acquire())).toHaveLength(cores);
  });

  it('keeps limits of V8 out of execArgv', async () => {
    await bring({ nodes: { a: { run: 'node --max-old-space-size=99 --enable-source-maps a.js' } } });
    expect(workers.of('a').options).toMatchObject({
      execArgv: ['--enable-source-maps'],
      resourceLimits: { maxOldGenerationSizeMb: 99 },
    });
  });

  it('leaves nothing behind when a kernel does not come up', async () => {
    workers.held.add('b');
    lab = new Supervisor(readLab(TWO, folder), { start: workers.start });
    const booted = lab.boot();
    await until(() => workers.all.length === 3);
    workers.of('b').end(1, new Error('no such syscall'));
    await expect(booted).rejects.toThrow('b: the kernel did not come up: no such syscall');
    expect(workers.all.every((worker) => worker.ended)).toBe(true);
    await lab.ended;
  });
});

describe('programs', () => {
  it('start when what they wait for holds', async () => {
    const nodes = { a: { run: 'node a.js', depends_on: { b: 'listening:80' } }, b: { run: 'node b.js' } };
    await bring({ nodes });
    await until(() => workers.of('b').started);
    expect(state('a')).toBe('waiting for b listening:80');
    workers.of('b').send({ type: 'listening', kernel: 'b', tcp: [8080], udp: [] });
    await until(() => state('b') === 'running, listening :8080');
    expect(workers.of('a').started).toBe(false);
    workers.of('b').send({ type: 'listening', kernel: 'b', tcp: [80, 8080], udp: [53] });
    await until(() => workers.of('a').started);
    expect(state('b')).toBe('running, listening :80 :8080 :53/udp');
  });

  it('start in a lab that was up within the same millisecond', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(1_000_000);
    try {
      await bring({ nodes: { a: { run: 'node a.js', depends_on: { b: 'listening' } }, b: { run: 'node b.js' } } });
    } finally {
      now.mockRestore();
    }
    expect(lab.info.bootMs).toBe(0);
    await until(() => workers.of('b').started);
    workers.of('b').send({ type: 'listening', kernel: 'b', tcp: [80], udp: [] });
    await until(() => workers.of('a').started);
  });

  it('that end take their own node down and nothing else', async () => {
    await bring(TWO);
    await until(() => workers.of('a').started && workers.of('b').started);
    workers.of('a').end(3);
    await until(() => state('a') === 'exited 3');
    workers.of('b').end(1, Object.assign(new TypeError('boom\nmore'), { code: 'ERR_X' }));
    await until(() => state('b') === 'crashed 1: TypeError: boom');
    expect(state('r')).toBe('ready');
    const [kernel] = workers.of('r').boot.kernels as [KernelBoot];
    const link = kernel.interfaces[0]?.link as PortBoot;
    const ports = listPorts(Arena.attach(workers.of('r').boot.memory), link.descriptor);
    expect(ports.map((port) => port.state)).toEqual(['dead', 'dead', 'free']);
    const status = lab.info.nodes.find((node) => node.name === 'b') as NodeStatus;
    expect(status).toMatchObject({
      exitCode: 1,
      lastError: { name: 'TypeError', message: 'boom\nmore', code: 'ERR_X' },
    });
  });

  it('that outgrow their heap are out of memory', async () => {
    await bring(TWO);
    const error = Object.assign(new Error('Worker terminated'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
    workers.of('b').end(1, error);
    await until(() => state('b') === 'out of memory');
  });

  it('has one change of its life at a time: of two callers the first wins', async () => {
    await bring({ nodes: { r: {}, s: {} } });
    const options = { node: 's', script: 'a.js', argv: [], nodeFlags: [], env: {}, cwd: folder };
    const both = await Promise.allSettled([lab.request('run', options), lab.request('run', options)]);
    expect(both).toMatchObject([
      { status: 'fulfilled', value: { phase: 'running' } },
      { status: 'rejected', reason: { code: 'EBUSY', message: 's is being started or stopped' } },
    ]);
    const stopped = await Promise.allSettled([lab.request('powerOff', { node: 's' }), lab.request('run', options)]);
    expect(stopped).toMatchObject([{ value: { phase: 'stopped' } }, { reason: { code: 'EBUSY' } }]);
    expect(await lab.request('run', options)).toMatchObject({ phase: 'running' });
  });

  it('is crashed when its kernel does not come up again, and can be started once more', async () => {
    await bring({ nodes: { r: {}, s: {} } });
    workers.held.add('s');
    const restarted = lab.request('restart', { node: 's' });
    await until(() => workers.of('s').names.length === 1);
    workers.of('s').end(1, new Error('no memory'));
    await expect(restarted).rejects.toMatchObject({ code: 'EIO' });
    expect(state('s')).toBe('crashed 1: Error: no memory');
    workers.held.clear();
    expect(await lab.request('restart', { node: 's' })).toMatchObject({ phase: 'ready' });
  });

  it('can be run later, on a kernel of the shared thread', async () => {
    await bring({ nodes: { r: {}, s: {} } });
    const options = { node: 's', script: 'a.js', argv: ['1'], nodeFlags: [], env: { E: '2' }, cwd: folder };
    await lab.request('run', options);
    expect(workers.all.map((worker) => worker.names)).toEqual([['r', 's'], ['s']]);
    expect(workers.of('r').received).toContainEqual({ type: 'stop', kernel: 's' });
    expect(workers.of('s').options.env).toMatchObject({ E: '2' });
    expect(workers.of('s').boot.kernels[0]?.heapAt).toBe(workers.all[0]?.boot.kernels[1]?.heapAt);
    await expect(lab.request('run', options)).rejects.toMatchObject({ code: 'EBUSY' });
    workers.of('s').end(0);
    await until(() => state('s') === 'exited 0');
    await lab.request('run', options);
    expect(workers.all).toHaveLength(3);
    await expect(lab.request('run', { ...options, node: 'r', script: 'x.js' })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('can be switched off', async () => {
    await bring(TWO);
    await lab.request('powerOff', { node: 'a' });
    expect(state('a')).toBe('stopped');
    expect(workers.of('a').ended).toBe(true);
    await lab.request('powerOff', { node: 'r' });
    expect(workers.of('r').ended).toBe(true);
    await expect(lab.request('powerOff', { node: 'a' })).rejects.toMatchObject({ code: 'EHOSTDOWN' });
  });
});

describe('questions', () => {
  it('go to the kernel and come back, or fail with its code', async () => {
    await bring(TWO);
    workers.of('a').replies.set('route.list', [1]);
    await expect(lab.kernel('a').control('route.list', INET)).resolves.toEqual([1]);
    await expect(lab.kernel('q').control('route.list', INET)).rejects.toMatchObject({
      code: 'ENOENT',
      message: 'no node q; there are a, b, r',
    });
    workers.of('b').end(0);
    await expect(lab.kernel('b').control('route.list', INET)).rejects.toMatchObject({
      code: 'EHOSTDOWN',
      message: 'b is not running',
    });
  });

  it('fail when nobody answers, not when it is the supervisor that was busy meanwhile', async () => {
    await bring(TWO);
    const kernel = lab.kernel('a');
    const ask = (): Promise<unknown> => kernel.control('route.list', INET);
    const worker = workers.of('a');
    worker.replies.set('route.list', [1]);
    const { setTimeout: realTimer } = globalThis;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    /** Once the worker has the request, this thread computes: timers that are due come before messages. */
    const busy = (): Promise<void> => {
      realTimer(() => vi.advanceTimersByTime(60_000), 1);
      for (const endMs = performance.now() + 5; performance.now() < endMs; );
      return new Promise((resolve) => setImmediate(resolve));
    };
    try {
      worker.onRequest = busy;
      await expect(ask()).resolves.toEqual([1]);
      worker.silent.add('route.list');
      await expect(ask()).rejects.toMatchObject({
        code: 'ETIMEDOUT',
        message: 'a: no answer in 5 s: its program blocks the thread',
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it('of programs that die unanswered fail', async () => {
    await bring(TWO);
    const worker = workers.of('a');
    worker.silent.add('route.list');
    const kernel = lab.kernel('a');
    const asked = kernel.control('route.list', INET);
    const ends: (Error | null)[] = [];
    kernel.open(
      'capture',
      { interfaces: [], snapBytes: 99, filter: new Uint8Array(0) },
      { event: () => {}, end: (error) => void ends.push(error) },
    );
    // One has asked, the other is not connected yet.
    await until(() => worker.requests('route.list').length === 1 && worker.streams.length === 1);
    const other = lab.kernel('a').control('route.list', INET);
    worker.end(0);
    const reason = { code: 'EHOSTDOWN', message: 'a is not running' };
    await expect(Promise.allSettled([asked, other])).resolves.toMatchObject([{ reason }, { reason }]);
    await until(() => ends.length > 0);
    expect(ends).toMatchObject([{ code: 'EHOSTDOWN' }]);
  });

  it('as streams carry events both ways', async () => {
    await bring(TWO);
    const worker = workers.of('a');
    const request = { address: IPV4_B, port: 80 };
    const events: ConnectionEvent[] = [];
    const ends: (Error | null)[] = [];
    const sink = {
      event: (event: ConnectionEvent): void => void events.push(event),
      end: (error: Error | null): void => void ends.push(error),
    };
    const handle = lab.kernel('a').open('connection', request, sink);
    // Before the kernel is connected.
    handle.send({ type: 'end' });
    await until(() => worker.streams.length === 1);
    const stream = worker.streams[0] as (typeof worker.streams)[number];
    expect(stream).toMatchObject({ stream: 'connection', request });
    stream.sink.event({ type: 'connected', local: IPV4_B, localPort: 1 });
    await until(() => events.length === 1);
    handle.send({ type: 'credit', bytes: 7 });
    handle.close();
    await until(() => stream.closed);
    stream.sink.end(new MultikernelError('ECONNRESET', 'gone'));
    await until(() => ends.length > 0);
    expect(events).toHaveLength(1);
    expect(ends).toMatchObject([{ code: 'ECONNRESET', message: 'gone' }]);
    expect(stream.inputs).toEqual([{ type: 'end' }, { type: 'credit', bytes: 7 }]);
  });

  it('for unknown hosts fail', async () => {
    await bring(TWO);
    workers.of('a').replies.set('host.list', { name: 'a', hosts: [{ name: 'b', addresses: [IPV4_B] }] });
    const found = await once(new TcpConnection(lab.kernel('a'), 'nowhere', 80), 'error');
    expect(found).toMatchObject([{ code: 'ENOTFOUND', message: 'connect ENOTFOUND nowhere:80' }]);
  });
});

describe('partitions', () => {
  it('filter at both ends, or at one', async () => {
    await bring(TWO);
    const partition = await lab.request('partition', { a: ['a'], b: ['b'], oneWay: false, how: 'blackhole' });
    expect(workers.of('a').requests('filter.add')).toMatchObject([
      { request: { id: partition.id, from: [IPV4_B], action: FILTER_DROP } },
    ]);
    expect(workers.of('b').requests('filter.add')).toMatchObject([
      { request: { id: partition.id, from: [IPV4_A], action: FILTER_DROP } },
    ]);
    await lab.request('partition', { a: ['a', 'b'], b: ['r'], oneWay: true, how: 'reject' });
    expect(workers.of('r').requests('filter.add')).toMatchObject([
      { request: { from: [IPV4_A, IPV4_B], action: FILTER_REJECT } },
    ]);
    expect(workers.of('a').requests('filter.add')).toHaveLength(1);
    const healed = await lab.request('heal', { id: null, between: { a: ['b'], b: ['a'] } });
    expect(healed).toEqual([partition]);
    expect(workers.of('a').requests('filter.delete')).toMatchObject([{ request: { id: partition.id } }]);
    expect(lab.info.partitions).toHaveLength(1);
    await lab.request('heal', { id: null, between: null });
    expect(lab.info.partitions).toEqual([]);
  });

  it('wait for kernels that are down', async () => {
    await bring({ nodes: { a: {}, b: {} } });
    await lab.request('powerOff', { node: 'a' });
    await lab.request('partition', { a: ['a'], b: ['b'], oneWay: false, how: 'blackhole' });
    expect(workers.of('a').requests('filter.add')).toMatchObject([{ kernel: 'b' }]);
    await lab.request('run', { node: 'a', script: 'a.js', argv: [], nodeFlags: [], env: {}, cwd: folder });
    expect(workers.of('a').requests('filter.add')).toMatchObject([{ kernel: 'a', request: { from: [IPV4_B] } }]);
  });

  it('need two sides that differ', async () => {
    await bring(TWO);
    const partition = (a: string[], b: string[]) => lab.request('partition', { a, b, oneWay: false, how: 'blackhole' });
    await expect(partition(['a'], ['a'])).rejects.toThrow('a cannot be cut from itself');
    await expect(partition(['a'], ['c'])).rejects.toThrow('no node c');
    await expect(partition([], ['a'])).rejects.toThrow('two sides');
  });
});

describe('logs and states', () => {
  it('keep what programs wrote, line by line', async () => {
    await bring(TWO);
    workers.of('a').stdout.write('one\ntw');
    workers.of('a').stdout.write('o\nthr');
    workers.of('a').end(0);
    const { events, ends } = collect('logs', { nodes: ['a'], lines: 100, follow: true });
    await until(() => events.length === 4);
    expect(events.map((line) => `${line.source} ${line.text}`).sort()).toEqual([
      'state exited 0',
      'stdout one',
      'stdout thr',
      'stdout two',
    ]);
    expect(ends).toEqual([]);
  });

  it('tell every change of state', async () => {
    await bring(TWO);
    const { events, handle, ends } = collect('states', {});
    workers.of('a').end(0);
    await until(() => events.some((status) => status.name === 'a' && status.state === 'exited 0'));
    handle.close();
    expect(ends).toEqual([null]);
  });
});

it('goes down once, whoever asks', async () => {
  await bring(TWO);
  const { ends } = collect('states', {});
  const [first] = await Promise.all([lab.request('down', {}), lab.ended]);
  await lab.close();
  expect(first).toBeNull();
  expect(ends).toEqual([null]);
  expect(workers.all.every((worker) => worker.ended)).toBe(true);
});
