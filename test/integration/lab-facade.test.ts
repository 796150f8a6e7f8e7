import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { until } from '../fixtures/fake-workers.ts';

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-facade-'));
  process.env.XDG_RUNTIME_DIR = folder;
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('hello.js', "require('http').createServer((q, r) => r.end('hello ' + q.socket.remoteAddress)).listen(80)");
  write('echo.js', "require('net').createServer((s) => s.pipe(s)).listen(7)");
  write(
    'talker.js',
    "const s = require('net').connect(7, 'b'); s.on('data', (d) => console.log(String(d))); setInterval(() => s.write('x'), 20); s.on('error', (e) => console.log(e.code))",
  );
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of IPv4, and no announcement of an address (RFC 5227): hosts say these and those of IPv6 when it is time for them. */
function asked(frame: Uint8Array): boolean {
  const [sender, target] = [frame.slice(28, 32).join(), frame.slice(38, 42).join()];
  return frame[12] === 8 && (frame[13] !== 6 || sender !== target);
}

async function up(options: Facade.LabOptions, start: Facade.StartOptions = {}): Promise<Facade.Lab> {
  net = await mk.lab(options, { folder, ...start });
  return net;
}

describe('lab()', () => {
  it('takes the shape of the file as an object, and complains of it by key', async () => {
    await expect(mk.lab({ nodes: { a: { run: 'node none.js' } } }, { folder })).rejects.toMatchObject({
      name: 'LabFileError',
      code: 'EINVAL',
      message: `lab: nodes.a.run: no program ${join(folder, 'none.js')}`,
    });
    await expect(mk.lab({ node: {} } as never)).rejects.toThrow('lab: node: unknown key; did you mean "nodes"?');
  });

  it('is disposed of by await using', async () => {
    const lab = await mk.lab({ nodes: { a: {}, b: {} } });
    let ended = false;
    lab.ended.then(() => {
      ended = true;
    });
    await lab[Symbol.asyncDispose]();
    expect(ended).toBe(true);
    await expect(lab.node('a').routes()).rejects.toMatchObject({ code: 'EHOSTDOWN' });
  });

  it('runs several at a time, of the same name, when nobody shall find them', async () => {
    const [one, two] = await Promise.all([mk.lab({ nodes: { a: {}, b: {} } }), mk.lab({ nodes: { a: {}, b: {} } })]);
    const reply = async (lab: Facade.Lab): Promise<boolean> => {
      for await (const event of lab.node('a').ping('b', { count: 1 })) if (event.type === 'reply') return true;
      return false;
    };
    expect(await Promise.all([reply(one), reply(two)])).toEqual([true, true]);
    await Promise.all([one.down(), two.down()]);
  });
});

describe('a kernel', () => {
  it('shows its tables', async () => {
    const { kernel } = (await up({ nodes: { gw: { kind: 'router' }, a: { sysctl: { 'net.inet.ip.ttl': 33 } } } })) && {
      kernel: (net as Facade.Lab).node('a'),
    };
    expect((await kernel.interfaces()).map((entry) => entry.name)).toEqual(['lo0', 'eth0']);
    expect((await kernel.routes()).find((route) => route.prefixLength === 0)?.gateway).toBe('10.0.0.1');
    expect(await kernel.sysctl('net.inet.ip.ttl')).toEqual([{ name: 'net.inet.ip.ttl', value: 33 }]);
    expect(await kernel.setSysctl('net.inet.ip.ttl', 44)).toEqual({ before: 33, after: 44 });
    await expect(kernel.sockets(null as never)).rejects.toMatchObject({
      code: 'EINVAL',
      message: 'sockets: not an object',
    });
    await expect(kernel.sysctl('no.such')).rejects.toMatchObject({ code: 'ENOENT' });
    await kernel.addNeighbor({ address: '10.0.0.9', mac: '02:00:00:00:00:09', temporary: false, published: false });
    expect(await kernel.neighbors()).toMatchObject([{ address: '10.0.0.9', state: 'permanent' }]);
    await kernel.addRoute({ destination: '10.7.0.0', prefixLength: 16, gateway: '10.0.0.1', kind: 'unicast' });
    await expect(
      kernel.addRoute({ destination: '10.7.0.0', prefixLength: 16, gateway: '10.0.0.1', kind: 'unicast' }),
    ).rejects.toMatchObject({ code: 'EEXIST' });
    expect(() => (net as Facade.Lab).node('x')).toThrow('no node x; there are gw, a');
  });

  it('runs programs, one after the other, and is asked over HTTP and TCP', async () => {
    const lab = await up({ name: 'run', nodes: { a: {}, b: {} } });
    const a = lab.node('a');
    const b = lab.node('b');
    await expect(b.fetch('http://a/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await a.run('hello.js', { cwd: folder });
    await lab.until(async () => (await a.status()).listening.tcp.includes(80));
    const response = await b.fetch('http://a.run.lan/');
    expect([response.status, await response.text()]).toEqual([200, 'hello ::ffff:10.0.0.11']);
    expect((await a.sockets({ state: 'LISTEN' })).map((socket) => socket.localPort)).toEqual([80]);
    await a.powerOff();
    expect((await a.status()).state).toBe('stopped');
    await a.run(pathToFileURL(join(folder, 'echo.js')));
    await lab.until(async () => (await a.status()).listening.tcp.includes(7));
    const socket = b.connect(7, 'a');
    const big = Buffer.alloc(300_000, 'abc');
    socket.end(big);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(big)).toBe(true);
  });

  it('captures what passes', async () => {
    const lab = await up({ nodes: { a: {}, b: {} } });
    const capture = lab.node('b').capture({ interfaces: ['eth0'] });
    const first = await capture.next();
    expect(first.value).toMatchObject({ type: 'interface', name: 'eth0', mac: '02:6d:6b:00:02:00' });
    const ping = lab.node('a').ping('b', { count: 1 });
    for await (const _ of ping);
    const frames: Facade.CapturedFrame[] = [];
    for await (const event of capture) {
      if (event.type === 'frames') frames.push(...event.frames.filter(({ bytes }) => asked(bytes)));
      if (frames.length >= 4) break;
    }
    // ARP request and reply, then the echo; stamps grow and are about now.
    expect(frames.slice(0, 4).map((frame) => [frame.direction, frame.bytes[12], frame.bytes[13]])).toEqual([
      ['in', 8, 6],
      ['out', 8, 6],
      ['in', 8, 0],
      ['out', 8, 0],
    ]);
    const times = frames.map((frame) => frame.timeNs);
    expect([...times].sort((x, y) => (x < y ? -1 : 1))).toEqual(times);
    expect(Math.abs(Number((times[0] as bigint) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
  });
});

describe('faults', () => {
  it('partition and heal; a dead machine stays silent', async () => {
    const lab = await up({
      nodes: { a: { run: 'node talker.js', depends_on: { b: 'listening:7' } }, b: { run: 'node echo.js' } },
    });
    const [a, b] = [lab.node('a'), lab.node('b')];
    const established = async (): Promise<Facade.SocketInfo | undefined> =>
      (await a.sockets({ state: 'ESTABLISHED' }))[0];
    await lab.until(async () => (await established()) !== undefined);
    const partition = await lab.partition(a, 'b');
    await lab.until(async () => ((await established())?.retransmits ?? 0) >= 2);
    expect((await lab.info()).partitions).toEqual([partition.info]);
    await partition.heal();
    await lab.until(async () => (await established())?.sendQueueBytes === 0);
    await b.powerOff();
    const before = (await established())?.retransmits ?? 0;
    await lab.until(async () => ((await established())?.retransmits ?? 0) > before);
    expect(await established()).toMatchObject({ state: 'ESTABLISHED' });
  });

  it('part several groups, each from every other, and are healed together', async () => {
    const lab = await up({ nodes: { a: {}, b: {}, c: {}, d: {} } });
    const hears = async (from: string, to: string): Promise<string[]> => {
      const heard: string[] = [];
      for await (const { type } of lab.node(from).ping(to, { count: 1, waitMs: 300 })) heard.push(type);
      return heard.filter((type) => type === 'reply');
    };
    const cuts = await lab.split([['a', 'b'], 'c', lab.node('d')]);
    expect(cuts.map(({ info }) => [info.a, info.b, info.how])).toEqual([
      [['a', 'b'], ['c'], 'blackhole'],
      [['a', 'b'], ['d'], 'blackhole'],
      [['c'], ['d'], 'blackhole'],
    ]);
    // Said twice, and in another order, these are the same cuts.
    await lab.split(['d', 'c', ['b', 'a']]);
    expect((await lab.info()).partitions).toHaveLength(3);
    const pairs = ['ab', 'ac', 'bc', 'ad', 'bd', 'cd', 'dc'];
    const reached = async (): Promise<string[]> => {
      const found = await Promise.all(pairs.map((pair) => hears(pair.charAt(0), pair.charAt(1))));
      return pairs.filter((_, index) => found[index]?.length === 1);
    };
    expect(await reached()).toEqual(['ab']);
    await expect(lab.split(['a', 'b', 'x'])).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(lab.split(['a', 'b', 'c'], { oneWay: true })).rejects.toMatchObject({ code: 'EINVAL' });
    expect(await lab.heal(['a', 'b'], 'c', 'd')).toHaveLength(3);
    // ARP asks again in its own time.
    await lab.until(async () => (await reached()).length === pairs.length);
  });

  it('of a program that blocks its thread are seen from shared memory alone', async () => {
    writeFileSync(
      join(folder, 'block.js'),
      `const { existsSync, writeFileSync } = require('fs');
       setInterval(() => {
         if (!existsSync(__dirname + '/block')) return;
         writeFileSync(__dirname + '/blocked', '');
         for (;;);
       }, 20);
       require('net').createServer(() => {}).listen(9)`,
    );
    const lab = await up({ nodes: { a: { run: 'node block.js', placement: 'beside' }, b: {} } });
    await lab.until(async () => (await lab.node('a').status()).listening.tcp.includes(9));
    writeFileSync(join(folder, 'block'), '');
    await until(() => existsSync(join(folder, 'blocked')));
    const answer = lab
      .node('a')
      .interfaces()
      .then(
        () => 'answered',
        (error: Facade.MultikernelError) => error.code,
      );
    expect((await lab.node('a').status()).state).toBe('running, listening :9');
    const blocks = await lab.counters('a');
    expect(blocks.map((block) => block.name)).toEqual(['a', 'a/eth0', 'a/lo0', 'a/program']);
    const metrics = await lab.metrics({ intervalMs: 100 }).next();
    expect(metrics.value.nodes).toHaveLength(2);
    // Whoever asks the kernel itself hears in the end that nobody is there to answer.
    expect(await answer).toBe('ETIMEDOUT');
  });
});

describe('attach()', () => {
  it('finds a lab with a control socket, and leaves it running', async () => {
    const lab = await up({ name: 'found', nodes: { a: {}, b: {} } }, { control: true });
    expect(await mk.labs()).toEqual([{ name: 'found', pid: process.pid }]);
    const other = await mk.attach('found');
    expect((await other.node('a').interfaces()).length).toBe(2);
    const partition = await other.partition(['a'], ['b'], { how: 'reject', oneWay: true });
    expect((await lab.info()).partitions).toEqual([partition.info]);
    await other.detach();
    expect((await lab.info()).partitions).toHaveLength(1);
    const again = await mk.attach();
    await again.down();
    await lab.ended;
    expect(await mk.labs()).toEqual([]);
  });
});
