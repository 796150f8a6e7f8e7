import { resolve } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { until } from '../fixtures/fake-workers.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let mk: typeof Facade;
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
});
afterEach(async () => {
  await net?.down();
  net = null;
});

async function answers(lab: Facade.Lab, from: string, to: string): Promise<boolean> {
  for await (const event of lab.node(from).ping(to, { count: 1, waitMs: 500 })) {
    if (event.type === 'reply') return true;
  }
  return false;
}

describe('bridges of a lab', () => {
  it('join two networks at once', async () => {
    net = await mk.lab({
      networks: { left: {}, right: {} },
      nodes: {
        a: { networks: ['left'] },
        b: { networks: ['right'] },
        sw: { kind: 'bridge', networks: ['left', 'right'] },
      },
    });
    const lab = net;
    const addresses = await Promise.all(
      ['a', 'b', 'sw'].map(async (name) => (await lab.node(name).status()).addresses.map(({ address }) => address)),
    );
    expect(addresses).toEqual([['10.0.0.10'], ['10.0.0.11'], []]);
    await until(() => answers(lab, 'a', 'b'));
    const neighbors = await lab.node('a').neighbors();
    const b = (await lab.node('b').interfaces()).find(({ name }) => name === 'eth0');
    expect(neighbors.find(({ address }) => address === '10.0.0.11')?.mac).toBe(b?.mac);
    const bridge0 = (await lab.node('sw').interfaces()).find(({ name }) => name === 'bridge0');
    expect(bridge0).toMatchObject({ kind: 'bridge', mtuBytes: 1500, addresses: [] });
  });

  it('settle in a circle', async () => {
    net = await mk.lab(resolve(ROOT, 'examples/bridges/multikernel.yml'));
    const lab = net;
    for (const [from, to] of [
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'c'],
    ] as const) {
      await until(() => answers(lab, from, to));
    }
    const bridges = await Promise.all(
      ['sw1', 'sw2', 'sw3'].map(async (name) => (await lab.node(name).interfaces()).map((one) => one.name)),
    );
    expect(bridges).toEqual(Array(3).fill(['lo0', 'eth0', 'eth1', 'bridge0']));
  });
});
