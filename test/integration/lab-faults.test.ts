import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { until } from '../fixtures/fake-workers.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-faults-'));
  writeFileSync(join(folder, 'tick.js'), "setInterval(() => console.log('tick'), 20)");
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function up(options: Facade.LabOptions): Promise<Facade.Lab> {
  net = await mk.lab(options, { folder });
  return net;
}

/** The shortest of three round trips. */
async function pingMs(lab: Facade.Lab, from: string, to: string): Promise<number> {
  const times: number[] = [];
  for await (const event of lab.node(from).ping(to, { count: 3, intervalMs: 50 })) {
    if (event.type === 'reply') times.push(event.timeMs);
  }
  return Math.min(...times);
}

describe('faults', () => {
  it('impair links and nodes while they are used, and cables from the start', async () => {
    const lab = await up({
      nodes: { a: {}, b: {}, c: {} },
      links: [{ endpoints: ['a:eth1', 'b:eth1'], prefix: '192.168.9.0/30', impair: { delay: '30ms' } }],
    });
    // Packets may be later than they must be, never earlier.
    expect(await pingMs(lab, 'a', '192.168.9.2')).toBeGreaterThanOrEqual(60);
    await lab.link('a', lab.node('b')).impair({ delay: '0ms', up: { loss: '100%' } });
    expect(await pingMs(lab, 'a', 'c')).toBeLessThan(Infinity);
    expect(await lab.links()).toEqual([
      { a: 'a', b: 'b', aInterface: 'eth1', bInterface: 'eth1', network: 'a-b', up: { loss: 1 }, down: {} },
      { a: 'a', b: 'b', aInterface: 'eth0', bInterface: 'eth0', network: 'lan', up: { loss: 1 }, down: {} },
    ]);
    await lab.resetLinks();
    await lab.node('c').impair({ delay: '20ms', up: true });
    expect(await pingMs(lab, 'a', 'c')).toBeGreaterThanOrEqual(20);
    await lab.node('c').impair(null);
    expect(await lab.links()).toEqual([]);
    await expect(lab.link('a', 'nobody').impair({ delay: '1ms' })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(lab.link('a', 'b').impair({ delay: 5 } as never)).rejects.toThrow(
      'impair: delay: expected a time with its unit, such as 40ms, not 5',
    );
  });

  it('impair a node again when it comes back', async () => {
    const lab = await up({ nodes: { a: {}, b: {} }, links: [{ endpoints: ['a', 'b'], impair: { delay: '30ms' } }] });
    await lab.node('b').restart();
    expect(await pingMs(lab, 'a', 'b')).toBeGreaterThanOrEqual(60);
  });

  it('let a program stand still and go on; its machine does not care', async () => {
    const lab = await up({
      nodes: {
        a: { run: 'node tick.js', placement: 'process' },
        b: { run: 'node tick.js', placement: 'beside' },
      },
    });
    const lines = lab.logs({ nodes: ['a'], follow: true })[Symbol.asyncIterator]();
    await lines.next();
    expect((await lab.node('a').pause()).state).toBe('paused');
    expect(await pingMs(lab, 'b', 'a')).toBeLessThan(Infinity);
    expect((await lab.node('a').resume()).state).toBe('running');
    let after = 0;
    await until(async () => {
      await lines.next();
      return ++after > 100;
    });
    await expect(lab.node('b').pause()).rejects.toMatchObject({ code: 'EOPNOTSUPP' });
    await expect(lab.node('b').pause()).rejects.toThrow('b: its program runs beside its kernel');
  });

  it('happen by the timeline', async () => {
    const lab = await up({
      nodes: { a: {}, b: {} },
      timeline: [
        { at: '10ms', break: ['a', 'b'] },
        { at: '20ms', netem: ['a', 'b'], impair: { delay: '5ms' } },
        { at: '30ms', kill: 'a' },
      ],
    });
    await until(async () => (await lab.links()).length === 1);
    expect((await lab.info()).partitions).toMatchObject([{ a: ['a'], b: ['b'], how: 'blackhole' }]);
    const told: string[] = [];
    for await (const { text } of lab.logs({ nodes: ['a'], follow: true })) {
      told.push(text);
      if (told.length === 4) break;
    }
    expect(told).toEqual([
      'timeline: break a, b',
      'timeline: netem a, b',
      'timeline: kill a',
      'timeline: kill a: a runs no program',
    ]);
  });

  it('are survived by the example', async () => {
    net = await mk.lab(join(ROOT, 'examples/faults/multikernel.yml'));
    const client = net.node('client');
    await until(async () => (await client.status()).phase === 'exited', 60_000);
    expect((await client.status()).exitCode).toBe(0);
  });
});
