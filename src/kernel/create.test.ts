import { describe, expect, it } from 'vitest';
import { textControl } from '../../test/fixtures/text-control.ts';
import { Simulation } from '../host/sim/simulation.ts';
import type { Device } from '../link/device.ts';
import { LoopbackDevice } from '../link/loopback.ts';
import { createNetwork } from '../link/network.ts';
import { VniDevice } from '../link/vni.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { IFF_UP } from '../net/interface.ts';
import type { AddressFamily } from '../tools/address-text.ts';
import { HostTable } from '../tools/resolver.ts';
import type { InterfaceConfig, KernelConfig, KernelMemory } from './create.ts';
import { Kernel } from './kernel.ts';

const HEAP_BYTES = 3 << 20;

function bed() {
  const arena = Arena.create(32 << 20);
  const network = createNetwork(arena, { ports: 4, ringBytes: 1 << 16 });
  const simulation = new Simulation(1);
  let ports = 0;
  const device = ({ bulk }: KernelMemory): VniDevice =>
    new VniDevice(arena, bulk, network, ports, { name: `p${ports}`, mac: { hi: 0x0200, lo: ++ports } });
  const create = (config: Partial<KernelConfig>): Kernel => {
    const kernel = Kernel.create({ name: 'k', host: simulation.host(), arena, heapBytes: HEAP_BYTES, ...config });
    simulation.add(...kernel.cpus);
    return kernel;
  };
  return { arena, network, simulation, device, create };
}

function hostAddress(kernel: Kernel, host: string, family: AddressFamily): string | null {
  return new HostTable(kernel.control('host.list', {}).hosts).addressOf(host, family);
}

describe('Kernel.create', () => {
  it('makes a kernel with lo0 and memory of its own out of a name and a host', () => {
    const kernel = Kernel.create({ name: 'alone', host: new Simulation(1).host() });
    expect(textControl(kernel, 'interfaces', {}).map(({ name }) => name)).toEqual(['lo0']);
    expect(hostAddress(kernel, 'localhost', 'inet')).toBe('127.0.0.1');
    expect(hostAddress(kernel, 'alone', 'inet')).toBe('127.0.0.1');
  });

  it('takes a heap of the given size from the arena, or one that has been allocated', () => {
    const arena = Arena.create(16 << 20);
    const host = new Simulation(1).host();
    const before = arena.usedBytes;
    Kernel.create({ name: 'a', host, arena, heapBytes: HEAP_BYTES });
    expect(arena.usedBytes - before).toBeGreaterThanOrEqual(HEAP_BYTES);
    const heap = { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES };
    const used = arena.usedBytes;
    Kernel.create({ name: 'a', host, arena, heap });
    expect(arena.usedBytes).toBe(used);
  });

  it('brings up interfaces, addresses, routes, names and variables of both families', () => {
    const { create, device } = bed();
    const kernel = create({
      ipv6: true,
      forwarding: true,
      hosts: { db: ['10.0.0.7', 'fd00::7'] },
      sysctl: { 'net.inet.ip.ttl': 32 },
      interfaces: [
        { device, addresses: ['10.0.0.1/24', 'fd00::1/64'], mtuBytes: 1280 },
        { name: 'wan0', device, addresses: ['192.0.2.1/30'], ipv6: false, up: false },
      ],
      routes: [
        { destination: 'default', gateway: '10.0.0.254' },
        { destination: 'default', gateway: 'fd00::fe' },
        { destination: '198.51.100.0/24', gateway: '10.0.0.253' },
        { destination: '2001:db8::/32', gateway: 'fe80::9', interface: 'eth0' },
      ],
    });
    const [, eth0, wan0] = textControl(kernel, 'interfaces', {});
    expect([eth0?.name, eth0?.mtuBytes, eth0?.addresses[0]?.address]).toEqual(['eth0', 1280, '10.0.0.1']);
    expect(eth0?.flags ?? 0).toSatisfy((flags: number) => (flags & IFF_UP) !== 0);
    expect([wan0?.name, wan0?.addresses[0]?.address]).toEqual(['wan0', '192.0.2.1']);
    expect(wan0?.flags ?? IFF_UP).toSatisfy((flags: number) => (flags & IFF_UP) === 0);
    const gateways = textControl(kernel, 'routes', {}).map(
      (row) => `${row.destination}/${row.prefixLength} ${row.gateway}`,
    );
    expect(gateways).toContain('0.0.0.0/0 10.0.0.254');
    expect(gateways).toContain('198.51.100.0/24 10.0.0.253');
    const gateways6 = textControl(kernel, 'routes', { family: 'inet6' }).map(
      (row) => `${row.destination}/${row.prefixLength} ${row.gateway}`,
    );
    expect(gateways6).toContain('::/0 fd00::fe');
    expect(gateways6.some((text) => text.startsWith('2001:db8::/32 fe80::9'))).toBe(true);
    expect(hostAddress(kernel, 'db', 'inet6')).toBe('fd00::7');
    expect(textControl(kernel, 'sysctl.get', { name: 'net.inet.ip.ttl' })).toEqual([
      { name: 'net.inet.ip.ttl', value: 32 },
    ]);
    expect(textControl(kernel, 'sysctl.get', { name: 'net.inet.ip.forwarding' })[0]?.value).toBe(1);
    expect(textControl(kernel, 'sysctl.get', { name: 'net.inet6.ip6.forwarding' })[0]?.value).toBe(1);
  });

  it('takes a device that has been made', () => {
    const { arena, network, create } = bed();
    const helper = create({ name: 'memory' });
    const device = new VniDevice(arena, helper.cpus[0].cpu.bulk, network, 0, {
      name: 'p0',
      mac: { hi: 0x0200, lo: 1 },
    });
    expect(textControl(create({ interfaces: [{ device }] }), 'interfaces', {})[1]?.name).toBe('eth0');
  });
});

describe('Kernel.create says which key is wrong', () => {
  const device = ({ arena }: KernelMemory): Device => new LoopbackDevice(arena, { ringBytes: 1 << 16, mtuBytes: 1500 });
  const eth = (more: Partial<InterfaceConfig>): InterfaceConfig[] => [{ device, ...more }];
  const broken = (): never => {
    throw new Error('no carrier');
  };

  it.each<[string, Partial<KernelConfig>, string, string]>([
    ['no name', { name: '' }, 'EINVAL', 'name: a kernel needs a name'],
    ['no clock', { host: {} as never }, 'EINVAL', 'host: nowUs() and rng.next32() are needed'],
    ['no size', { heapBytes: -1 }, 'EINVAL', 'heapBytes: not a number of bytes: -1'],
    ['two heaps', { heap: { at: 64, bytes: 64 } }, 'EINVAL', 'heapBytes: there is a heap already'],
    ['no device', { interfaces: [{} as never] }, 'EINVAL', 'interfaces[0].device: neither a device nor a function'],
    ['a device that fails', { interfaces: [{ device: broken }] }, 'EINVAL', 'interfaces[0].device: no carrier'],
    ['lo0 again', { interfaces: eth({ name: 'lo0' }) }, 'EINVAL', 'interfaces[0].name: there are two interfaces lo0'],
    ['no prefix', { interfaces: eth({ addresses: ['10.0.0.1'] }) }, 'EINVAL', 'interfaces[0].addresses[0]: not an'],
    [
      'a long prefix',
      { interfaces: eth({ addresses: ['10.0.0.1/33'] }) },
      'EINVAL',
      'interfaces[0].addresses[0]: not an',
    ],
    [
      'no address',
      { interfaces: eth({ addresses: ['10.0.0.1/24', '10.0.0.300/24'] }) },
      'EINVAL',
      "interfaces[0].addresses[1]: not an address: '10.0.0.300'",
    ],
    ['a small MTU', { interfaces: eth({ mtuBytes: 20 }) }, 'EINVAL', 'interfaces[0].mtuBytes: '],
    ['no gateway', { routes: [{ destination: 'default', gateway: '' }] }, 'EINVAL', 'routes[0].gateway: an address'],
    [
      'a gateway on no link',
      { routes: [{ destination: 'default', gateway: '203.0.113.1' }] },
      'ENETUNREACH',
      'routes[0]: route 0.0.0.0/0',
    ],
    ['no destination', { routes: [{ destination: 'x', gateway: '10.0.0.1' }] }, 'EINVAL', 'routes[0].destination: not'],
    ['no variable', { sysctl: { 'net.inet.ip.tll': 3 } }, 'ENOENT', "sysctl['net.inet.ip.tll']: sysctl net.inet"],
    ['a value out of range', { sysctl: { 'net.inet.ip.ttl': 900 } }, 'EINVAL', "sysctl['net.inet.ip.ttl']: "],
  ])('%s', (_title, config, code, message) => {
    let error: unknown;
    try {
      bed().create(config);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ name: 'MultikernelError', code });
    expect((error as Error).message).toContain(message);
    expect((error as Error).message.startsWith(message)).toBe(true);
  });

  it('wants the arena of devices that have been made', () => {
    const { arena, device, simulation } = bed();
    const interfaces = [{ device: device({ arena, bulk: createBulk(arena) }) }];
    expect(() => Kernel.create({ name: 'k', host: simulation.host(), interfaces })).toThrow(/^arena: /);
  });
});
