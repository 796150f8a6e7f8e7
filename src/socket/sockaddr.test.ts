import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SocketAddress, type ZoneNames } from './sockaddr.ts';

const zones: ZoneNames = {
  interfaceIndex: (name) => ({ eth0: 2, eth1: 3, 2: 2 })[name] ?? 0,
  interfaceName: (index) => ({ 2: 'eth0', 3: 'eth1' })[index] ?? '',
};

function read(text: string): string | null {
  return SocketAddress.from(text, 0, zones)?.format(zones) ?? null;
}

describe('text of socket addresses', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['240.0.0.1', '240.0.0.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['::FFFF:a00:1', '::ffff:10.0.0.1'],
    ['fe80::1%eth1', 'fe80::1%eth1'],
    ['fe80::1%2', 'fe80::1%eth0'],
    ['ff02::1%eth0', 'ff02::1%eth0'],
    ['fe80::1', 'fe80::1'],
    ['2001:db8::1%eth0', '2001:db8::1'],
    ['::', '::'],
  ])('%s is %s', (text, shown) => {
    expect(read(text)).toBe(shown);
  });

  it.each(['', 'eth0', '10.0.0', '10.0.0.256', 'fd00::g', ':::', 'fe80::1%eth7', 'fe80::1%', '%eth0'])(
    '%j is no address',
    (text) => {
      expect(read(text)).toBeNull();
    },
  );

  it('leaves the address alone when it cannot be read, and never touches the port', () => {
    const address = SocketAddress.ipv6(1, 2, 3, 4, 80, 5);
    expect(address.parse('nonsense', zones)).toBe(false);
    expect(address.equals(SocketAddress.ipv6(1, 2, 3, 4, 80, 5))).toBe(true);
    expect(address.parse('fe80::9%eth1', zones)).toBe(true);
    expect(address.equals(SocketAddress.ipv6(0xfe800000, 0, 0, 9, 80, 3))).toBe(true);
  });

  it('reads what it writes', () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(word, word, word, word, (w0, w1, w2, w3) => {
        const address = SocketAddress.ipv6(w0, w1, w2, w3);
        return SocketAddress.from(address.format())?.equals(address) === true;
      }),
    );
  });
});

describe('socket addresses', () => {
  it('are equal when every field is', () => {
    const one = SocketAddress.ipv6(1, 2, 3, 4, 5, 6);
    expect(one.equals(one.clone())).toBe(true);
    for (const field of ['family', 'w0', 'w1', 'w2', 'w3', 'scopeId', 'port'] as const) {
      const other = one.clone();
      other[field] = 4 as 4 & 6;
      expect(other.equals(one), field).toBe(field === 'w3');
      expect(other.sameHost(one), field).toBe(field === 'w3' || field === 'port');
    }
  });

  it('know IPv4 in both families, groups, and any', () => {
    const mapped = SocketAddress.ipv6(0, 0, 0xffff, 0xe0000001, 7);
    expect([mapped.isIpv4, mapped.isMapped, mapped.isMulticast]).toEqual([true, true, true]);
    expect(mapped.unmap().equals(SocketAddress.ipv4(0xe0000001, 7))).toBe(true);
    expect(SocketAddress.ipv6(0xff020000, 0, 0, 1).isMulticast).toBe(true);
    expect([SocketAddress.any(4).isAny, SocketAddress.any(6).isAny, mapped.isAny]).toEqual([true, true, false]);
    expect(SocketAddress.any(6).isIpv4).toBe(false);
  });
});
