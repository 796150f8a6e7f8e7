import { describe, expect, it } from 'vitest';
import { planOfText as plan, problemOfText as problem } from '../../test/fixtures/lab-text.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import type { ImpairmentSetRequest } from '../sys/control.ts';
import { formatImpairment, waysOf } from './impairment-values.ts';
import { LinkTable } from './link-table.ts';

const NODES =
  'networks: { lan: {}, back: {} }\nnodes:\n  api: { networks: [lan, back] }\n  db: { networks: [back] }\n  web: { networks: [lan] }\n';

/** One entry of `links:` in line 7. */
function link(entry: string): string {
  return `${NODES}links:\n  - ${entry}\n`;
}

describe('links of the lab file', () => {
  it('are the path of two nodes, an attachment, or a cable', () => {
    const { links, networks, nodes } = plan(`${NODES}links:
  - { endpoints: [db, api], impair: { delay: 40ms, up: { rate: 1mbit } } }
  - { endpoints: [lan, web], impair: { loss: 2%, up: true } }
  - { endpoints: ["web:eth1", "db:eth1"], prefix: 192.168.9.0/30, impair: { delay: 1.5ms, queue: 64KiB } }
`);
    const name = (index: number): string | undefined => networks[index]?.name;
    expect(links.map(({ network, ...rest }) => ({ ...rest, network: name(network) }))).toEqual([
      {
        ...API_DB,
        a: 'db',
        b: 'api',
        aInterface: 'eth0',
        bInterface: 'eth1',
        up: { delayUs: 40_000, rateBps: 1e6 },
        down: { delayUs: 40_000 },
      },
      { a: 'web', b: null, aInterface: 'eth0', bInterface: null, network: 'lan', up: {}, down: { loss: 0.02 } },
      {
        a: 'web',
        b: 'db',
        aInterface: 'eth1',
        bInterface: 'eth1',
        network: 'web-db',
        up: { delayUs: 1500, queueBytes: 65_536 },
        down: { delayUs: 1500, queueBytes: 65_536 },
      },
    ]);
    const addresses = (node: string): unknown =>
      nodes.find((one) => one.name === node)?.interfaces.map((entry) => [entry.name, entry.addresses[0]?.address]);
    expect(addresses('db')).toEqual([
      ['eth0', '10.0.1.11'],
      ['eth1', '192.168.9.1'],
    ]);
  });

  it('may be all that a node has', () => {
    const { networks, nodes } = plan('nodes: { a: {}, b: {}, c: {} }\nlinks:\n  - endpoints: ["a:eth0", "b:eth0"]\n');
    expect(networks.map(({ name, ports }) => [name, ports])).toEqual([
      ['lan', ['c']],
      ['a-b', ['a', 'b']],
    ]);
    expect(nodes.map(({ interfaces }) => interfaces.length)).toEqual([1, 1, 1]);
  });

  it.each([
    ['{ endpoints: [api] }', 'lab.yml:7:18: links[0].endpoints: expected a list of two endpoints, not a list'],
    ['{ endpoint: [api, db] }', 'lab.yml:7:7: links[0].endpoint: unknown key; did you mean "endpoints"?'],
    ['{ endpoints: [api, dbb] }', 'lab.yml:7:18: links[0].endpoints: no node or network dbb; did you mean db?'],
    ['{ endpoints: [api, api] }', 'lab.yml:7:18: links[0].endpoints: api has no link to itself'],
    ['{ endpoints: [web, back] }', 'lab.yml:7:18: links[0].endpoints: web is not on back; it is on lan'],
    [
      '{ endpoints: [web, db] }',
      'lab.yml:7:18: links[0].endpoints: web and db are on no network together; name the attachment of one of them, as web and lan',
    ],
    [
      '{ endpoints: ["web:eth3", "db:eth1"] }',
      'lab.yml:7:19: links[0].endpoints[0]: the next interface of web is eth1, behind lan',
    ],
    [
      '{ endpoints: [api, db], mtu: 900 }',
      'lab.yml:7:34: links[0].mtu: only a cable has one: endpoints NODE:ethN and NODE:ethN',
    ],
    [
      '{ endpoints: [api, db], impair: { dely: 4ms } }',
      'lab.yml:7:39: links[0].impair.dely: unknown key; did you mean "delay"?',
    ],
    [
      '{ endpoints: [api, db], impair: { delay: 40 } }',
      'lab.yml:7:46: links[0].impair.delay: expected a time with its unit, such as 40ms, not 40',
    ],
    ['{ endpoints: [api, db], impair: { delay: 2h } }', 'lab.yml:7:46: links[0].impair.delay: an hour at most'],
    [
      '{ endpoints: [api, db], impair: { loss: 1 } }',
      'lab.yml:7:45: links[0].impair.loss: expected a share such as 2% (a number is below 1), not 1',
    ],
    [
      '{ endpoints: [api, db], impair: { loss: 101% } }',
      'lab.yml:7:45: links[0].impair.loss: expected a share such as 2% (a number is below 1), not "101%"',
    ],
    [
      '{ endpoints: [api, db], impair: { rate: 1MB } }',
      'lab.yml:7:45: links[0].impair.rate: expected a rate such as 1mbit, not "1MB"',
    ],
    [
      '{ endpoints: [api, db], impair: { queue: 0 } }',
      'lab.yml:7:46: links[0].impair.queue: expected a queue: packets, such as 64, or bytes, such as 64KiB, not 0',
    ],
    [
      '{ endpoints: [api, db], impair: { up: { rate: fast } } }',
      'lab.yml:7:51: links[0].impair.up.rate: expected a rate such as 1mbit, not "fast"',
    ],
    [
      '{ endpoints: [api, db], impair: { both: true, up: true } }',
      'lab.yml:7:37: links[0].impair: "both", "up" or "down", not two of them',
    ],
    [
      '{ endpoints: [api, db], impair: { burst: { enter: 1% } } }',
      'lab.yml:7:46: links[0].impair.burst.leave: missing',
    ],
    [
      '{ endpoints: [api, db], impair: { delay: 1ms, distribution: gauss } }',
      'lab.yml:7:65: links[0].impair.distribution: expected "uniform" or "normal" or "pareto" or "paretonormal", not "gauss"',
    ],
  ])('%s is refused', (entry, expected) => {
    expect(problem(link(entry))).toBe(expected);
  });
});

describe('values of a link', () => {
  it('have the units of tc', () => {
    const { up, down } = waysOf({
      delay: '40ms',
      jitter: '500us',
      distribution: 'normal',
      loss: '2%',
      burst: { enter: '1%', leave: 0.25 },
      duplicate: 0.001,
      corrupt: '0.1%',
      reorder: '25%',
      rate: '2.5mbit',
      queue: '64',
    });
    expect(up).toEqual({
      delayUs: 40_000,
      jitterUs: 500,
      distribution: 'normal',
      loss: 0.02,
      burst: { enter: 0.01, leave: 0.25, lossInside: 1, lossOutside: 0 },
      duplicate: 0.001,
      corrupt: 0.001,
      reorder: 0.25,
      rateBps: 2.5e6,
      queueFrames: 64,
    });
    expect(down).toEqual(up);
    expect(formatImpairment(up)).toBe(
      'delay 40ms jitter 500us distribution normal loss 2% burst 1%,25%,100%,0% duplicate 0.1% corrupt 0.1% reorder 25% rate 2.5mbit queue 64',
    );
    expect(waysOf({ rate: '1mbps' }).up.rateBps).toBe(8e6);
  });
});

/** Kernels that keep what they are told, as `NODE/INTERFACE in|out [from PORT]: delay`. */
class Kernels {
  readonly told: string[] = [];
  readonly seeds: number[] = [];
  readonly down: Set<string> = new Set();
  readonly table: LinkTable;

  constructor(text: string, seed = 7) {
    const lab = plan(text);
    this.table = new LinkTable(lab, seed, {
      up: (node) => !this.down.has(node),
      client: (node) => this.#client(node),
    });
  }

  #client(node: string): KernelClient {
    const control = async (operation: string, request: unknown): Promise<unknown> => {
      if (operation === 'interface.names') return [0, 1, 2].map((i) => ({ index: i + 2, name: `eth${i}` }));
      const { index, direction, fromPort, values, seed } = request as ImpairmentSetRequest;
      this.seeds.push(seed);
      const whose = fromPort === null ? '' : ` from ${fromPort}`;
      const shown = values === null ? 'nothing' : `${values.delayUs / 1000}ms ${values.loss} ${values.rateBps}`;
      this.told.push(`${node}/eth${index - 2} ${direction === 0 ? 'in' : 'out'}${whose}: ${shown}`);
      return null;
    };
    return { control } as unknown as KernelClient;
  }

  async impair(a: string, b: string | null, values: Parameters<typeof waysOf>[0] | null): Promise<string[]> {
    this.told.length = 0;
    await this.table.impair(a, b, values === null ? null : waysOf(values));
    return [...this.told].sort();
  }
}

const DELAYED = `${NODES}links:\n  - { endpoints: [api, db], impair: { delay: 40ms } }\n`;

const API_DB = { a: 'api', b: 'db', aInterface: 'eth1', bInterface: 'eth0', network: 'back' };

describe('impairments of a running lab', () => {
  it('are made at the receiver of a path, and at the node of an attachment', async () => {
    const kernels = new Kernels(NODES);
    expect(await kernels.impair('api', 'db', { delay: '40ms' })).toEqual([
      'api/eth1 in from 1: 40ms 0 0',
      'db/eth0 in from 0: 40ms 0 0',
    ]);
    expect(await kernels.impair('web', null, { rate: '1mbit', down: true })).toEqual(['web/eth0 in: 0ms 0 1000000']);
    expect(await kernels.impair('api', 'eth0', { delay: '1ms', up: true })).toEqual(['api/eth0 out: 1ms 0 0']);
  });

  it('add to what is there, whichever node is named first', async () => {
    const kernels = new Kernels(DELAYED);
    expect(await kernels.impair('db', 'api', { loss: '2%', up: true })).toEqual([
      'api/eth1 in from 1: 40ms 0.02 0',
      'db/eth0 in from 0: 40ms 0 0',
    ]);
    expect(kernels.table.list()).toEqual([
      { ...API_DB, up: { delayUs: 40_000 }, down: { delayUs: 40_000, loss: 0.02 } },
    ]);
    await kernels.impair('db', 'api', { delay: '0ms' });
    expect(kernels.table.list()).toEqual([{ ...API_DB, up: {}, down: { loss: 0.02 } }]);
    // The other way was told that nothing is wrong before.
    expect(await kernels.impair('api', 'db', null)).toEqual(['api/eth1 in from 1: nothing']);
    expect(kernels.table.list()).toEqual([]);
    expect(await kernels.impair('api', 'db', null)).toEqual([]);
  });

  it('come back with a kernel, which is told what it has to know', async () => {
    const kernels = new Kernels(DELAYED);
    kernels.down.add('db');
    expect(await kernels.impair('api', 'db', { delay: '50ms' })).toEqual(['api/eth1 in from 1: 50ms 0 0']);
    kernels.down.delete('db');
    kernels.told.length = 0;
    await kernels.table.applyTo('db');
    await kernels.table.applyTo('web');
    expect(kernels.told).toEqual(['db/eth0 in from 0: 50ms 0 0']);
  });

  it('have chances of the lab seed, each direction its own', async () => {
    const seeds = async (seed: number): Promise<number[]> => {
      const kernels = new Kernels(NODES, seed);
      await kernels.impair('api', 'db', { loss: '2%' });
      await kernels.impair('web', null, { loss: '2%' });
      return kernels.seeds;
    };
    const [seven, again, eight] = [await seeds(7), await seeds(7), await seeds(8)];
    expect(again).toEqual(seven);
    expect(new Set([...seven, ...eight]).size).toBe(8);
  });

  it('are all reset at once', async () => {
    const kernels = new Kernels(DELAYED);
    await kernels.table.applyTo('api');
    await kernels.table.applyTo('db');
    await kernels.impair('web', 'lan', { loss: '1%', up: true });
    kernels.told.length = 0;
    expect((await kernels.table.reset()).map(({ a, b }) => [a, b])).toEqual([
      ['api', 'db'],
      ['web', null],
    ]);
    expect(kernels.told.sort()).toEqual([
      'api/eth1 in from 1: nothing',
      'db/eth0 in from 0: nothing',
      'web/eth0 out: nothing',
    ]);
    expect(kernels.table.list()).toEqual([]);
  });
});
