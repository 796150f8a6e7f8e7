import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MultikernelError } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { createNetwork, networkBytes, openVni } from '../link/index.ts';
import { Arena } from '../mem/index.ts';
import type { ControlOperation, IpAddress } from './control.ts';
import { CONTROL_STREAMS } from './control-streams.ts';
import { CONTROL_OPERATIONS } from './control-table.ts';

const HEAP_BYTES = 8 << 20;
const OWN = 0x0a000001;
const PEER = 0x0a000002;

function four(w3: number): IpAddress {
  return { family: 4, w0: 0, w1: 0, w2: 0, w3, scopeId: 0 };
}

function six(w0: number, w3: number, scopeId: number = 0): IpAddress {
  return { family: 6, w0: w0 | 0, w1: 0, w2: 0, w3, scopeId };
}

/** One kernel with lo0 (1) and eth0 (2), 10.0.0.1/24. */
let kernel: Kernel;

beforeEach(() => {
  const ports = { ports: 2 };
  const arena = Arena.create(networkBytes(ports) + HEAP_BYTES + (8 << 20));
  const network = createNetwork(arena, ports);
  const simulation = new Simulation(1);
  kernel = Kernel.create({
    name: 'k',
    host: simulation.host(),
    arena,
    heapBytes: HEAP_BYTES,
    ipv6: true,
    hosts: { Db: ['10.0.0.7', 'fd00::7'], far: ['192.0.2.1', '10.0.0.9'] },
    interfaces: [
      {
        addresses: ['10.0.0.1/24'],
        device: ({ bulk }) =>
          openVni(arena, bulk, network, 0, {
            name: 'k/eth0',
            mac: { hi: 0x0200, lo: 1 },
            mtuBytes: 1500,
            capabilities: 0,
            doorbellAt: 0,
          }),
      },
    ],
  });
});

function codeOf(operation: string, request: unknown): string {
  try {
    kernel.control(operation as ControlOperation, request as never);
    return '';
  } catch (error) {
    if (!(error instanceof MultikernelError)) throw error;
    return error.code;
  }
}

describe('control requests', () => {
  it('show interfaces in numbers', () => {
    const [lo, eth] = kernel.control('interface.list', {});
    expect(lo).toMatchObject({ name: 'lo0', index: 1, kind: 'loopback', linkAddress: null, linkState: 0 });
    expect(eth).toMatchObject({ name: 'eth0', index: 2, kind: 'vni', linkAddress: [2, 0, 0, 0, 0, 1] });
    expect(eth?.addresses[0]).toEqual({
      address: four(OWN),
      prefixLength: 24,
      broadcast: 0x0a0000ff,
      destination: null,
      flags: 0,
      origin: 0,
      preferredSec: null,
      validSec: null,
    });
    expect(kernel.control('interface.names', {})).toEqual([
      { index: 1, name: 'lo0' },
      { index: 2, name: 'eth0' },
    ]);
  });

  it('change addresses, routes and neighbors, and show them', () => {
    const address = six(0xfd000000, 1);
    kernel.control('address.add', { index: 2, address, prefixLength: 64, preferredSec: 10, validSec: 20 });
    const find = () => kernel.control('interface.list', {})[1]?.addresses.find((one) => one.address.w0 === address.w0);
    expect(find()).toMatchObject({ address, prefixLength: 64, preferredSec: 10, validSec: 20 });
    kernel.control('address.delete', { index: 2, address });
    expect(find()).toBeUndefined();
    const route = { destination: four(0x0a090000), prefixLength: 16, gateway: four(PEER), action: 0 };
    kernel.control('route.add', route);
    const shown = kernel.control('route.list', { family: 4 }).find((one) => one.prefixLength === 16);
    expect(shown).toMatchObject({ gateway: four(PEER), interfaceIndex: 2, flags: 0x803, mtuBytes: 1500 });
    expect(codeOf('route.add', route)).toBe('EEXIST');
    kernel.control('route.delete', { ...route, gateway: null });
    expect(codeOf('route.delete', route)).toBe('ENOENT');
    const linkAddress = [2, 0, 0, 0, 0, 9];
    kernel.control('neighbor.add', { address: four(PEER), linkAddress, temporary: false, published: true });
    expect(kernel.control('neighbor.list', { family: 4 })).toEqual([
      expect.objectContaining({
        address: four(PEER),
        interfaceIndex: 2,
        linkAddress,
        flags: 0x20800,
        expiresSec: null,
      }),
    ]);
    kernel.control('neighbor.delete', { address: four(PEER) });
    expect(codeOf('neighbor.delete', { address: four(PEER) })).toBe('ENOENT');
  });

  it('show the groups of interfaces, all hosts and all nodes first', () => {
    kernel.control('address.add', { index: 2, address: six(0xfd000000, 7), prefixLength: 64 });
    const groups = kernel.control('group.list', {});
    expect(groups.filter(({ interfaceIndex }) => interfaceIndex === 1)).toEqual([
      { interfaceIndex: 1, address: four(-536870911) },
      { interfaceIndex: 1, address: six(0xff020000, 1, 1) },
    ]);
    expect(groups.filter(({ interfaceIndex }) => interfaceIndex === 2)).toEqual([
      { interfaceIndex: 2, address: four(-536870911) },
      { interfaceIndex: 2, address: six(0xff020000, 1, 2) },
      // ff02::1:ff00:1 of its link-local address, and ff02::1:ff00:7.
      { interfaceIndex: 2, address: { ...six(0xff020000, -16777215, 2), w2: 1 } },
      { interfaceIndex: 2, address: { ...six(0xff020000, -16777209, 2), w2: 1 } },
    ]);
  });

  it('give an own address a route through lo0 with the link of its interface', () => {
    const own = kernel.control('route.list', { family: 4 }).find((one) => one.destination.w3 === OWN);
    expect(own).toMatchObject({ gateway: null, linkIndex: 2, interfaceIndex: 1, flags: 0x40005 });
  });

  it('take a link-local address without its scope on the link of its interface', () => {
    kernel.control('address.add', { index: 2, address: six(0xfe800000, 5), prefixLength: 64 });
    const added = kernel.control('interface.list', {})[1]?.addresses.find(({ address }) => address.w3 === 5);
    expect(added?.address).toEqual(six(0xfe800000, 5, 2));
  });

  it('refuse what the kernel cannot do with an errno', () => {
    const address = six(0xfd000000, 1);
    const cases: [string, object, string][] = [
      ['address.add', { index: 9, address: four(1), prefixLength: 8 }, 'ENXIO'],
      ['address.add', { index: 2, address: four(OWN), prefixLength: 24 }, 'EEXIST'],
      ['address.add', { index: 2, address: four(0xf0000001 | 0), prefixLength: 24 }, 'EINVAL'],
      ['address.add', { index: 2, address: four(PEER), prefixLength: 24, anycast: true }, 'EINVAL'],
      ['address.add', { index: 2, address, prefixLength: 64, preferredSec: 9, validSec: 8 }, 'EINVAL'],
      ['address.add', { index: 2, address, prefixLength: 64, preferredSec: null, validSec: 8 }, 'EINVAL'],
      ['address.add', { index: 2, address, prefixLength: 64, validSec: 0 }, 'EINVAL'],
      ['address.delete', { index: 2, address }, 'EADDRNOTAVAIL'],
      ['address.add', { index: 2, address, prefixLength: 64, destination: six(0xfd000000, 2) }, 'EINVAL'],
      ['address.add', { index: 2, address: four(0x0a000005), prefixLength: 24, destination: four(PEER) }, 'EINVAL'],
      ['link-address.add', { index: 2, linkAddress: [2, 0, 0, 0, 0, 9], active: true }, 'EOPNOTSUPP'],
      ['link-address.add', { index: 1, linkAddress: [2, 0, 0, 0, 0, 9], active: false }, 'EINVAL'],
      ['link-address.delete', { index: 2, linkAddress: [2, 0, 0, 0, 0, 1] }, 'EBUSY'],
      ['link-address.delete', { index: 2, linkAddress: [2, 0, 0, 0, 0, 9] }, 'EADDRNOTAVAIL'],
      ['route.add', { destination: four(0), prefixLength: 0, gateway: four(0x01020304), action: 0 }, 'ENETUNREACH'],
      ['route.add', { destination: four(0), prefixLength: 0, gateway: address, action: 0 }, 'EAFNOSUPPORT'],
      ['route.add', { destination: four(0), prefixLength: 0, gateway: null, action: 0 }, 'EINVAL'],
      ['route.add', { destination: six(0xfe800000, 0, 7), prefixLength: 64, gateway: null, action: 0 }, 'EINVAL'],
      ['interface.change', { index: 2, setFlags: 0x40 }, 'EINVAL'],
      ['interface.change', { index: 2, mtuBytes: 67 }, 'EINVAL'],
      ['sysctl.get', { name: 'no.such' }, 'ENOENT'],
      ['sysctl.set', { name: 'no.such', value: 1 }, 'ENOENT'],
      ['sysctl.setText', { name: 'no.such', value: 'a' }, 'ENOENT'],
      ['sysctl.setText', { name: 'kern.ostype', value: 'a' }, 'EPERM'],
      ['sysctl.set', { name: 'net.inet.ip.ttl', value: 0.5 }, 'EINVAL'],
      ['sysctl.set', { name: 'net.inet.ip.ttl', value: '64' }, 'EINVAL'],
      ['filter.delete', { id: 'none' }, 'ENOENT'],
    ];
    for (const [operation, request, code] of cases) expect(codeOf(operation, request), operation).toBe(code);
  });

  it('create, rename and destroy interfaces of cloners, and nothing else', () => {
    expect(kernel.control('interface.cloners', {})).toEqual(['gif', 'tun', 'tap', 'vether', 'vlan', 'bridge', 'lo']);
    expect(kernel.control('interface.create', { name: 'lo' })).toEqual({ index: 3, name: 'lo1' });
    expect(kernel.control('interface.create', { name: 'lo7' })).toEqual({ index: 4, name: 'lo7' });
    const find = (name: string) => kernel.control('interface.list', {}).find((one) => one.name === name);
    expect(find('lo1')).toMatchObject({ kind: 'loopback', flags: 0x8008, mtuBytes: 16384, linkAddress: null });
    kernel.control('address.add', { index: 3, address: four(0x0a090909), prefixLength: 32 });
    expect(find('lo1')).toMatchObject({ flags: 0x8049, addresses: [{ address: four(0x0a090909) }] });
    kernel.control('interface.rename', { index: 3, name: 'own0' });
    expect([find('lo1'), find('own0')?.index]).toEqual([undefined, 3]);
    const cases: [string, object, string][] = [
      ['interface.create', { name: 'lo0' }, 'EEXIST'],
      ['interface.create', { name: 'eth1' }, 'EINVAL'],
      ['interface.create', { name: 'lo01' }, 'EINVAL'],
      ['interface.create', { name: 'lo32768' }, 'EINVAL'],
      ['interface.rename', { index: 3, name: 'eth0' }, 'EEXIST'],
      ['interface.rename', { index: 3, name: '' }, 'EINVAL'],
      ['interface.rename', { index: 3, name: 'x'.repeat(16) }, 'EINVAL'],
      ['interface.rename', { index: 9, name: 'x' }, 'ENXIO'],
      ['interface.destroy', { name: 'lo0' }, 'EPERM'],
      ['interface.destroy', { name: 'lo1' }, 'ENXIO'],
      ['interface.destroy', { name: 'eth0' }, 'EINVAL'],
      ['interface.destroy', { name: 'eth7' }, 'EINVAL'],
    ];
    for (const [operation, request, code] of cases) expect(codeOf(operation, request), operation).toBe(code);
    for (const name of ['own0', 'lo7']) kernel.control('interface.destroy', { name });
    expect(kernel.control('interface.names', {}).map(({ name }) => name)).toEqual(['lo0', 'eth0']);
    expect(kernel.control('route.list', { family: 4 }).some((one) => one.destination.w3 === 0x0a090909)).toBe(false);
  });

  it('give the memory of cloned interfaces back', () => {
    const { heap } = kernel.cpus[0].cpu;
    kernel.control('interface.create', { name: 'lo1' });
    kernel.control('interface.destroy', { name: 'lo1' });
    const { usedBytes } = heap;
    const { usedBytes: arenaBytes } = kernel.arena;
    for (let unit = 1; ; unit++) {
      if (codeOf('interface.create', { name: `lo${unit}` }) === '') continue;
      expect(codeOf('interface.create', { name: `lo${unit}` })).toBe('ENOBUFS');
      expect(unit).toBeGreaterThan(20);
      while (--unit > 0) kernel.control('interface.destroy', { name: `lo${unit}` });
      break;
    }
    expect([heap.usedBytes, kernel.arena.usedBytes]).toEqual([usedBytes, arenaBytes]);
  });

  it('list hosts with addresses on our links first', () => {
    const { name, hosts } = kernel.control('host.list', {});
    expect(name).toBe('k');
    expect(hosts.find((host) => host.name === 'db')?.addresses).toEqual([four(0x0a000007), six(0xfd000000, 7)]);
    expect(hosts.find((host) => host.name === 'far')?.addresses).toEqual([four(0x0a000009), four(0xc0000201 | 0)]);
    expect(hosts.map((host) => host.name)).toEqual(['localhost', 'db', 'far', 'k']);
  });
});

const IMPAIRED = {
  delayUs: 40_000,
  jitterUs: 0.5,
  distribution: 1,
  loss: 0.02,
  burstEnter: 0,
  burstLeave: 0,
  burstLossInside: 1,
  burstLossOutside: 0,
  duplicate: 0,
  reorder: 0,
  corrupt: 1,
  rateBps: 1e6,
  queueFrames: 0,
  queueBytes: 65_536,
};

/** A good request of each operation that takes fields. */
const GOOD: Partial<Record<ControlOperation, Record<string, unknown>>> = {
  'interface.change': { index: 2, setFlags: 1, clearFlags: 0, mtuBytes: 1400, ipv6: true, zeroTraffic: true },
  'interface.create': { name: 'lo1' },
  'interface.destroy': { name: 'lo1' },
  'interface.link': { index: 1, path: 'bus' },
  'interface.media': { index: 2, on: true },
  'interface.rename': { index: 2, name: 'net0' },
  'vlan.set': { index: 2, parentIndex: 2, id: 5 },
  'tunnel.set': { index: 2, source: four(OWN), destination: four(PEER) },
  'bridge.get': { index: 3 },
  'bridge.change': {
    index: 3,
    priority: 1,
    helloTimeSec: 2,
    forwardDelaySec: 15,
    maxAgeSec: 20,
    maxAddresses: 10,
    timeoutSec: 60,
  },
  'bridge.member.add': { index: 3, memberIndex: 2 },
  'bridge.member.delete': { index: 3, memberIndex: 2 },
  'bridge.member.change': { index: 3, memberIndex: 2, setFlags: 1, clearFlags: 2, priority: 1, pathCost: 2 },
  'bridge.address.add': { index: 3, memberIndex: 2, linkAddress: [2, 0, 0, 0, 0, 9] },
  'bridge.address.delete': { index: 3, linkAddress: [2, 0, 0, 0, 0, 9] },
  'bridge.flush': { index: 3, all: true },
  'address.add': {
    index: 2,
    address: six(0xfd000000, 3),
    prefixLength: 64,
    anycast: false,
    preferredSec: null,
    validSec: null,
  },
  'address.delete': { index: 2, address: four(OWN) },
  'link-address.add': { index: 2, linkAddress: [2, 0, 0, 0, 0, 9], active: false },
  'link-address.delete': { index: 2, linkAddress: [2, 0, 0, 0, 0, 9] },
  'route.list': { family: 4 },
  'route.add': { destination: four(0x0a090000), prefixLength: 16, gateway: four(PEER), interfaceIndex: 0, action: 0 },
  'route.change': { destination: four(0x0a090000), prefixLength: 16, gateway: four(PEER), inits: 0 },
  'route.get': { destination: four(PEER) },
  'route.delete': { destination: four(0x0a000000), prefixLength: 24, gateway: null },
  'neighbor.list': { family: 6 },
  'neighbor.add': { address: four(PEER), linkAddress: [2, 0, 0, 0, 0, 9], temporary: true, published: false },
  'neighbor.delete': { address: four(PEER) },
  'discovery.get': { index: 2 },
  'discovery.change': { index: 2, setFlags: 1, clearFlags: 2, hopLimit: 9, reachableMs: 9, retransMs: 9 },
  'sysctl.get': { name: 'net.inet.ip.ttl' },
  'sysctl.list': { name: 'net.inet.ip' },
  'sysctl.set': { name: 'net.inet.ip.ttl', value: 32 },
  'sysctl.setText': { name: 'kern.hostname', value: 'other' },
  'filter.add': { id: 'cut', from: [four(PEER)], links: [{ linkAddress: [2, 0, 0, 0, 0, 9], all: true }], action: 0 },
  'filter.delete': { id: 'cut' },
  'impairment.set': { index: 2, direction: 0, from: [2, 0, 0, 0, 0, 9], fromPort: null, values: IMPAIRED, seed: 7 },
  'interface.cut': { index: 2, ports: [0, 1] },
};

/** No field of any operation takes one of these. */
const BAD: readonly unknown[] = [
  Number.NaN,
  1.5,
  -2,
  2 ** 40,
  '1',
  [],
  [[]],
  {},
  { family: 5, w0: 0, w1: 0, w2: 0, w3: 0, scopeId: 0 },
  { family: 4, w0: 1, w1: 0, w2: 0, w3: 0, scopeId: 0 },
  { family: 4, w0: 0, w1: 0, w2: 0, w3: 2 ** 31, scopeId: 0 },
  { family: 6, w0: 0, w1: 0, w2: 0, scopeId: 0 },
  () => 0,
];

/** Values that some field takes although they are bad for others. */
const FITS: Readonly<Record<string, readonly unknown[]>> = {
  'interface.rename.name': ['1'],
  'interface.link.path': ['1'],
  'filter.add.from': [[]],
  'filter.add.links': [[]],
  'interface.cut.ports': [[]],
  'filter.add.id': ['1'],
  'filter.delete.id': ['1'],
  'sysctl.get.name': ['1'],
  'sysctl.list.name': ['1'],
  'sysctl.set.name': ['1'],
  'sysctl.setText.name': ['1'],
  'sysctl.setText.value': ['1'],
  'interface.change.setFlags': [-2],
  'interface.change.clearFlags': [-2],
};

function fits(field: string, value: unknown): boolean {
  return (FITS[field] ?? []).some((one) => JSON.stringify(one) === JSON.stringify(value));
}

describe('requests of a stranger', () => {
  const withFields = Object.entries(GOOD) as [ControlOperation, Record<string, unknown>][];

  /** With bridge0 (3), eth0 a member. */
  beforeEach(() => {
    kernel.control('interface.create', { name: 'bridge0' });
    kernel.control('bridge.member.add', { index: 3, memberIndex: 2 });
  });

  it('name no operation: EOPNOTSUPP, also for names that objects inherit', () => {
    for (const name of ['', 'nope', 'constructor', '__proto__', 'toString', 'interface.LIST']) {
      expect(codeOf(name, {}), name).toBe('EOPNOTSUPP');
    }
  });

  it('are no objects: EINVAL for every operation', () => {
    for (const operation of CONTROL_OPERATIONS) {
      for (const request of [null, undefined, 7, 'text', [], [{}], true]) {
        expect(codeOf(operation, request), `${operation} ${String(request)}`).toBe('EINVAL');
      }
    }
  });

  it.each(withFields)('%s: each field alone is checked', (operation, good) => {
    const before = JSON.stringify(kernel.control('interface.list', {}));
    for (const field of Object.keys(good)) {
      for (const value of BAD) {
        if (fits(`${operation}.${field}`, value)) continue;
        const code = codeOf(operation, { ...good, [field]: value });
        expect(code, `${field} = ${JSON.stringify(value)}`).toBe('EINVAL');
      }
    }
    expect(JSON.stringify(kernel.control('interface.list', {}))).toBe(before);
  });

  it.each(withFields)('%s: fields that are inherited do not count', (operation, good) => {
    const code = codeOf(operation, Object.create(good));
    expect(code).toBe('EINVAL');
  });

  it('names with control characters, and long ones, are none', () => {
    for (const name of ['a\nb', 'a\0', '\u007f', 'x'.repeat(256)]) {
      expect(codeOf('filter.add', { ...GOOD['filter.add'], id: name })).toBe('EINVAL');
      expect(codeOf('sysctl.get', { name })).toBe('EINVAL');
    }
  });

  it('values of an impairment are within bounds', () => {
    const request = GOOD['impairment.set'];
    expect(codeOf('impairment.set', request)).toBe('');
    expect(codeOf('impairment.set', { ...request, from: null, values: null })).toBe('');
    for (const field of Object.keys(IMPAIRED)) {
      for (const value of [Number.NaN, -1, 1e300, '1', null, undefined]) {
        const code = codeOf('impairment.set', { ...request, values: { ...IMPAIRED, [field]: value } });
        expect(code, `${field} = ${value}`).toBe('EINVAL');
      }
    }
  });

  it('lists have a limit', () => {
    const from = new Array(65_537).fill(four(1));
    expect(codeOf('filter.add', { ...GOOD['filter.add'], from })).toBe('EINVAL');
  });

  it('of any kind are answered or refused, never more', () => {
    const value = fc.oneof(fc.anything(), fc.constantFrom(...BAD), fc.constantFrom(four(PEER), six(0xfd000000, 9)));
    const keys = [...new Set(withFields.flatMap(([, good]) => Object.keys(good)))];
    const request = fc.dictionary(fc.constantFrom(...keys), value);
    fc.assert(
      fc.property(fc.constantFrom(...CONTROL_OPERATIONS), fc.oneof(request, fc.anything()), (operation, fields) => {
        codeOf(operation, fields);
      }),
      { numRuns: 500 },
    );
  });

  it('get no stream: EOPNOTSUPP, EINVAL', () => {
    const sink = { event: () => {}, end: () => {} };
    const code = (stream: string, request: unknown): string => {
      try {
        kernel.client.openNow(stream as never, request as never, sink as never).close();
        return '';
      } catch (error) {
        return (error as MultikernelError).code;
      }
    };
    expect(code('constructor', {})).toBe('EOPNOTSUPP');
    for (const stream of CONTROL_STREAMS) expect(code(stream, null), stream).toBe('EINVAL');
    expect(code('routeEvents', { queueMessages: 0 })).toBe('EINVAL');
    expect(code('raw', { family: 5, protocol: 1 })).toBe('EINVAL');
    expect(code('raw', { family: 4, protocol: 256 })).toBe('EINVAL');
    const filter = new Uint8Array(0);
    expect(code('capture', { interfaces: ['eth9'], snapBytes: 0, filter })).toBe('ENODEV');
    expect(code('capture', { interfaces: ['eth0'], snapBytes: -1, filter })).toBe('EINVAL');
    expect(code('capture', { interfaces: 'eth0', snapBytes: 0, filter })).toBe('EINVAL');
    expect(code('capture', { interfaces: ['eth0'], snapBytes: 0, filter: [6, 0, 0, 0] })).toBe('EINVAL');
    // `ld #1`, which returns nothing.
    expect(code('capture', { interfaces: ['eth0'], snapBytes: 0, filter: new Uint8Array(8) })).toBe('EINVAL');
    expect(code('connection', { address: four(PEER), port: 0 })).toBe('EINVAL');
    expect(code('connection', { address: {}, port: 80 })).toBe('EINVAL');
  });

  it('put no malformed input into a stream', () => {
    const sink = { event: () => {}, end: () => {} };
    const raw = kernel.client.openNow('raw', { family: 4, protocol: 1 }, sink);
    const connection = kernel.client.openNow('connection', { address: four(PEER), port: 80 }, sink);
    const datagrams = kernel.client.openNow('datagrams', { port: 0 }, sink);
    const bytes = new Uint8Array(8);
    const wrong: [{ send(input: never): void }, unknown][] = [
      [raw, null],
      [raw, { id: 1, to: four(PEER), hops: 0, bytes }],
      [raw, { id: 1, to: four(PEER), hops: 64, bytes: 'text' }],
      [raw, { id: 1, to: four(PEER), hops: 64, bytes: new Uint8Array(70_000) }],
      [raw, { id: -1, to: four(PEER), hops: 64, bytes }],
      [connection, { type: 'nonsense' }],
      [connection, { type: 'write', bytes: [1, 2] }],
      [connection, { type: 'credit', bytes: 1 }],
      [datagrams, { type: 'refuse', to: {}, port: 53, bytes }],
      [datagrams, { type: 'refuse', to: four(PEER), port: 0, bytes }],
      [datagrams, { type: 'refuse', to: four(PEER), port: 53 }],
      [datagrams, { type: 'refuse', to: four(PEER), port: 53, bytes: new Uint8Array(70_000) }],
    ];
    for (const [stream, input] of wrong) expect(() => stream.send(input as never), JSON.stringify(input)).toThrow();
  });
});
