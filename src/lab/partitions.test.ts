import { describe, expect, it } from 'vitest';
import type { InterfaceInfo } from '../tools/interface-text.ts';
import type { Cable, Cables } from './cable-cuts.ts';
import { type Kernels, PartitionTable } from './partitions.ts';

/** Two nodes whose kernels keep the rules they are given, and what addresses the kernels have. */
class Nodes {
  readonly rules: Map<string, { id: string; from: string[]; action: string }> = new Map();
  readonly has: Record<string, string[]> = { a: ['10.0.0.1'], b: ['10.0.1.1'], sw1: [], sw2: [] };
  readonly cables: (Cable & { from: string; to: string })[] = [
    { from: 'a', to: 'sw1', interface: 'eth0', port: 1 },
    { from: 'sw1', to: 'a', interface: 'eth0', port: 0 },
    { from: 'sw1', to: 'sw2', interface: 'eth1', port: 1 },
    { from: 'sw2', to: 'sw1', interface: 'eth0', port: 0 },
  ];
  /** Cuts that kernels were told. */
  readonly cuts: string[] = [];
  readonly down: Set<string> = new Set();
  readonly partitions: PartitionTable;
  /** Called while a kernel is asked for its addresses. */
  onAsked: () => void = () => {};

  constructor() {
    const cables: Cables = {
      isBridge: (name) => name.startsWith('sw'),
      between: (from, to) => this.cables.filter((one) => one.from === from && one.to === to),
      networksOf: () => ['left', 'right'],
      cut: async (node, cut) => void this.cuts.push(`${node} ${cut.map((one) => `${one.interface}<${one.port}`)}`),
    };
    const kernels: Kernels = {
      exists: (name) => name in this.has,
      addressesOf: (name) => (name.startsWith('sw') ? [] : [name === 'a' ? '10.0.0.1' : '10.0.1.1']),
      interfacesOf: async (name) => {
        this.onAsked();
        return this.down.has(name) ? [] : interfaces(this.has[name] as string[]);
      },
      linksOf: () => [],
      filterOf: (name) =>
        this.down.has(name)
          ? null
          : {
              add: async (rule) => void this.rules.set(name, rule),
              remove: async () => void this.rules.delete(name),
            },
    };
    this.partitions = new PartitionTable(kernels, cables);
  }

  from(kernel: string): string[] | undefined {
    return this.rules.get(kernel)?.from;
  }
}

function interfaces(texts: readonly string[]): InterfaceInfo[] {
  const six = texts.filter((text) => text.includes(':'));
  const one = (name: string, flag: string, four: string[], addresses6: string[]): InterfaceInfo =>
    ({
      name,
      flagNames: ['UP', flag],
      addresses: four.map((address) => ({ address })),
      addresses6: addresses6.map((address) => ({
        address,
        origin: address.includes('%') ? 'link-local' : 'autoconf',
      })),
    }) as unknown as InterfaceInfo;
  return [
    one('lo0', 'LOOPBACK', ['127.0.0.1'], ['::1']),
    one(
      'eth0',
      'BROADCAST',
      texts.filter((text) => !text.includes(':')),
      six,
    ),
  ];
}

const PARTITION = { a: ['a'], b: ['b'], oneWay: false, how: 'blackhole' as const };

describe('a partition', () => {
  it('is made by all addresses that the nodes have, those of the lab file and others, but no link-local ones', async () => {
    const nodes = new Nodes();
    nodes.has.a = ['10.0.0.9', 'fd00::9', 'fe80::9%eth0'];
    await nodes.partitions.add(PARTITION);
    expect([nodes.from('b'), nodes.from('a')]).toEqual([['10.0.0.1', '10.0.0.9', 'fd00::9'], ['10.0.1.1']]);
  });

  it('covers addresses that a node gets later', async () => {
    const nodes = new Nodes();
    await nodes.partitions.add({ ...PARTITION, oneWay: true });
    expect([nodes.from('b'), nodes.from('a')]).toEqual([['10.0.0.1'], undefined]);
    (nodes.has.a as string[]).push('10.0.0.77');
    await nodes.partitions.addressesChanged('a');
    expect([nodes.from('b'), nodes.from('a')]).toEqual([['10.0.0.1', '10.0.0.77'], undefined]);
    await nodes.partitions.addressesChanged('b');
    expect(nodes.from('a')).toBeUndefined();
  });

  it('of a kernel that is down goes by the lab file, and is made when it comes up', async () => {
    const nodes = new Nodes();
    nodes.down.add('a');
    await nodes.partitions.add(PARTITION);
    expect([nodes.from('b'), nodes.from('a')]).toEqual([['10.0.0.1'], undefined]);
    nodes.down.clear();
    await nodes.partitions.applyTo('a');
    expect(nodes.from('a')).toEqual(['10.0.1.1']);
  });

  it('that is healed while addresses are asked for is not made', async () => {
    const nodes = new Nodes();
    for (const addresses of Object.values(nodes.has)) addresses.push('10.0.9.9');
    let healed: Promise<unknown> | null = null;
    nodes.onAsked = () => {
      healed ??= nodes.partitions.heal(null, null);
    };
    await nodes.partitions.add(PARTITION);
    await healed;
    expect(nodes.rules.size).toBe(0);
  });

  it('that is made twice is one, which is cut as it was wanted last', async () => {
    const nodes = new Nodes();
    const first = await nodes.partitions.add({ ...PARTITION, oneWay: true });
    expect(nodes.from('a')).toBeUndefined();
    const both = await nodes.partitions.add({ a: ['b'], b: ['a'], oneWay: false, how: 'reject' });
    expect([both.id, nodes.rules.get('a')?.action, nodes.rules.get('b')?.action]).toEqual([
      first.id,
      'reject',
      'reject',
    ]);
    await nodes.partitions.add({ ...PARTITION, oneWay: true, how: 'reject' });
    expect(nodes.partitions.list()).toEqual([{ id: first.id, a: ['a'], b: ['b'], oneWay: false, how: 'reject' }]);
    await nodes.partitions.heal(first.id, null);
    expect([nodes.rules.size, nodes.partitions.list()]).toEqual([0, []]);
  });

  it('one way and another back are two', async () => {
    const nodes = new Nodes();
    await nodes.partitions.add({ ...PARTITION, oneWay: true });
    await nodes.partitions.add({ a: ['b'], b: ['a'], oneWay: true, how: 'blackhole' });
    expect(nodes.partitions.list()).toHaveLength(2);
  });
});

describe('a cut at a bridge', () => {
  const wanted = { a: ['sw1'], b: ['sw2'], oneWay: false, how: 'blackhole' } as const;

  it('is one of the cables to the other side, at both ends, until it is healed', async () => {
    const nodes = new Nodes();
    const { id } = await nodes.partitions.add({ ...wanted, a: ['sw1'], b: ['sw2'] });
    expect(nodes.cuts.sort()).toEqual(['sw1 eth1<1', 'sw2 eth0<0']);
    nodes.cuts.length = 0;
    await nodes.partitions.heal(id, null);
    expect(nodes.cuts.sort()).toEqual(['sw1 ', 'sw2 ']);
  });

  it('of a group with machines is both', async () => {
    const nodes = new Nodes();
    await nodes.partitions.add({ a: ['a', 'sw1'], b: ['b', 'sw2'], oneWay: true, how: 'blackhole' });
    expect(nodes.cuts).toEqual(['sw2 eth0<0']);
    expect(nodes.from('b')).toEqual(['10.0.0.1']);
  });

  it('is told again to a kernel that comes up', async () => {
    const nodes = new Nodes();
    await nodes.partitions.add({ ...wanted, a: ['a'], b: ['sw1'] });
    nodes.cuts.length = 0;
    await nodes.partitions.applyTo('sw1');
    expect(nodes.cuts).toEqual(['sw1 eth0<0']);
  });

  it.each([
    [{ b: ['b'] }, 'no cable leads from sw1 to b; it is a bridge between left, right'],
    [{ b: ['sw2'], how: 'reject' as const }, 'sw1 is a bridge, which rejects nothing'],
  ])('is refused: %j', async (change, message) => {
    const partition = { a: ['sw1'], oneWay: false, how: 'blackhole' as const, ...change };
    await expect(new Nodes().partitions.add(partition)).rejects.toMatchObject({ code: 'EINVAL', message });
  });
});
