import { describe, expect, it } from 'vitest';
import { MultikernelError } from '../base/errors.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { KernelText } from './kernel-text.ts';

const NAMES = [
  { index: 1, name: 'lo0' },
  { index: 2, name: 'eth0' },
];

/** A kernel that refuses everything but the names of its interfaces with `code`. */
function kernel(code: string | null) {
  const asked: [string, object][] = [];
  const control = async (operation: string, request: object): Promise<unknown> => {
    if (operation === 'interface.names') return NAMES;
    asked.push([operation, request]);
    if (code !== null) throw new MultikernelError(code, code);
    return null;
  };
  return { asked, text: new KernelText({ control } as unknown as KernelClient) };
}

describe('changes in text', () => {
  it('become requests in numbers, in the order of ifconfig', async () => {
    const { asked, text } = kernel(null);
    const addAddress = { address: 'fe80::5%eth0', prefixLength: 64, anycast: true };
    await text.setInterface({ name: 'eth0', up: false, mtuBytes: 1400, ipv6: true, addAddress });
    const address = { family: 6, w0: 0xfe800000 | 0, w1: 0, w2: 0, w3: 5, scopeId: 2 };
    expect(asked).toEqual([
      ['interface.change', { index: 2, mtuBytes: 1400 }],
      ['address.add', { index: 2, address, prefixLength: 64, anycast: true }],
      ['interface.change', { index: 2, ipv6: true }],
      ['interface.change', { index: 2, clearFlags: 1 }],
    ]);
  });

  it('of routes, neighbors and filters', async () => {
    const { asked, text } = kernel(null);
    const address4 = (w3: number) => ({ family: 4, w0: 0, w1: 0, w2: 0, w3, scopeId: 0 });
    await text.addRoute({ destination: '10.9.0.0', prefixLength: 16, gateway: '', interface: 'eth0', kind: 'reject' });
    await text.deleteRoute({ destination: '10.9.0.0', prefixLength: 16, gateway: '10.0.0.1', kind: 'unicast' });
    await text.addNeighbor({ address: '10.0.0.1', mac: '2:0:0:0:0:9', temporary: true, published: false });
    expect(asked).toEqual([
      [
        'route.add',
        { destination: address4(0x0a090000), prefixLength: 16, gateway: null, interfaceIndex: 2, action: 1 },
      ],
      ['route.delete', { destination: address4(0x0a090000), prefixLength: 16, gateway: address4(0x0a000001) }],
      [
        'neighbor.add',
        { address: address4(0x0a000001), linkAddress: [2, 0, 0, 0, 0, 9], temporary: true, published: false },
      ],
    ]);
  });

  it('that the kernel refuses say what they were about', async () => {
    const { text } = kernel('EEXIST');
    const route = { destination: '10.9.0.0', prefixLength: 16, gateway: '10.0.0.1', kind: 'unicast' } as const;
    const refusals: [Promise<unknown>, string][] = [
      [text.setInterface({ name: 'eth0', mtuBytes: 1 }), 'eth0: mtu: EEXIST'],
      [
        text.setInterface({ name: 'eth0', addAddress: { address: '10.0.0.1', prefixLength: 8 } }),
        'eth0: 10.0.0.1/8: EEXIST',
      ],
      [text.addRoute(route), 'route 10.9.0.0/16: EEXIST'],
      [text.deleteRoute(route), 'route 10.9.0.0: EEXIST'],
      [text.deleteNeighbor('fd00::1'), 'ndp fd00::1: EEXIST'],
      [text.deleteNeighbor('10.0.0.1'), 'arp 10.0.0.1: EEXIST'],
      [text.setSysctl('a.b', 1), 'sysctl a.b: EEXIST'],
    ];
    for (const [refused, message] of refusals) await expect(refused).rejects.toMatchObject({ code: 'EEXIST', message });
  });

  it('that are no changes are refused before the kernel is asked', async () => {
    const { asked, text } = kernel(null);
    const wrong: [Promise<unknown>, string, string][] = [
      [text.setInterface({ name: 'eth9', up: true }), 'ENXIO', 'interface eth9 does not exist'],
      [text.deleteNeighbor('nobody'), 'EINVAL', "not an address: 'nobody'"],
      [
        text.addNeighbor({ address: '10.0.0.1', mac: 'x', temporary: true, published: true }),
        'EINVAL',
        "not an Ethernet address: 'x'",
      ],
    ];
    for (const [refused, code, message] of wrong) await expect(refused).rejects.toMatchObject({ code, message });
    expect(asked).toEqual([]);
  });
});
