/** Address selection: the examples of RFC 6724 section 10, and each rule alone. */

import { describe, expect, it } from 'vitest';
import { type Address6, formatAddress, parseAddress } from '../../wire/ipv6-address.ts';
import {
  commonPrefixLength,
  DEFAULT_POLICIES,
  type Policy,
  policyOf,
  type SourceCandidate,
  scopeOf,
  selectSource,
  sortDestinations,
} from './address-selection.ts';

const ip6 = (text: string): Address6 => parseAddress(text) as Address6;

function candidate(text: string, fields: Partial<SourceCandidate> = {}): SourceCandidate {
  return { address: ip6(text), prefixLength: 64, interfaceIndex: 1, deprecated: false, temporary: false, ...fields };
}

function source(destination: string, candidates: SourceCandidate[], options = {}): string {
  const chosen = selectSource(ip6(destination), 1, candidates, options);
  return chosen === null ? 'none' : formatAddress(chosen.address);
}

describe('Scopes and policies (RFC 6724 2 and 3)', () => {
  it.each([
    ['fe80::1', 2],
    ['::1', 2],
    ['fec0::1', 5],
    ['2001:db8::1', 14],
    ['fd00::1', 14],
    ['ff02::1', 2],
    ['ff05::1', 5],
    ['ff0e::1', 14],
    ['::ffff:169.254.3.4', 2],
    ['::ffff:127.0.0.1', 2],
    ['::ffff:10.0.0.1', 14],
  ])('%s reaches scope %i', (text, scope) => expect(scopeOf(ip6(text))).toBe(scope));

  it.each([
    ['::1', 50, 0],
    ['2001:db8::1', 40, 1],
    ['::ffff:10.0.0.1', 35, 4],
    ['2002:c633:6401::1', 30, 2],
    ['2001::1', 5, 5],
    ['fd00::1', 3, 13],
    ['::10.0.0.1', 1, 3],
    ['fec0::1', 1, 11],
    ['3ffe::1', 1, 12],
  ])('%s has precedence %i and label %i', (text, precedence, label) => {
    expect(policyOf(ip6(text))).toMatchObject({ precedence, label });
  });

  it('a link-local address of another link is no source (RFC 4007 6)', () => {
    expect(source('2001:db8::2', [candidate('fe80::1', { interfaceIndex: 2 })])).toBe('none');
    expect(source('2001:db8::2', [candidate('fe80::1', { interfaceIndex: 2 }), candidate('fe80::2')])).toBe('fe80::2');
    expect(source('2001:db8::2', [candidate('2001:db8::1', { interfaceIndex: 2 })])).toBe('2001:db8::1');
  });

  it('shared bits are counted from the left', () => {
    expect(commonPrefixLength(ip6('2001:db8::1'), ip6('2001:db8::1'))).toBe(128);
    expect(commonPrefixLength(ip6('2001:db8::1'), ip6('2001:db9::1'))).toBe(31);
    expect(commonPrefixLength(ip6('2001:db8:1:1::'), ip6('2001:db8:1:2::'))).toBe(62);
    expect(commonPrefixLength(ip6('::'), ip6('8000::'))).toBe(0);
  });
});

describe('Source selection (RFC 6724 5)', () => {
  it('1: the destination itself', () => {
    expect(source('2001:db8::5', [candidate('2001:db8::1'), candidate('2001:db8::5')])).toBe('2001:db8::5');
  });

  it.each([
    // RFC 6724 10.1
    ['2001:db8:1::1', ['2001:db8:3::1', 'fe80::1'], '2001:db8:3::1'],
    ['ff05::1', ['2001:db8:3::1', 'fe80::1'], '2001:db8:3::1'],
    ['2001:db8:1::1', ['fe80::1', '2001:db8:1::2'], '2001:db8:1::2'],
    ['fe80::1', ['fe80::2', '2001:db8:1::2'], 'fe80::2'],
    ['2001:db8:1::1', ['2001:db8:1::2', '2001:db8:3::2'], '2001:db8:1::2'],
    [
      '2002:c633:6401::1',
      ['2002:c633:6401::d5e3:7953:13eb:22e8', '2001:db8:1::2'],
      '2002:c633:6401:0:d5e3:7953:13eb:22e8',
    ],
    ['2001:db8:1::d5e3:0:0:1', ['2001:db8:1::2', '2001:db8:3::2'], '2001:db8:1::2'],
  ])('to %s of %j: %s', (destination, ours, chosen) => {
    expect(
      source(
        destination,
        ours.map((text) => candidate(text)),
      ),
    ).toBe(formatAddress(ip6(chosen)));
    expect(source(destination, ours.map((text) => candidate(text)).reverse())).toBe(formatAddress(ip6(chosen)));
  });

  it('3: not a deprecated one, even of a better prefix', () => {
    const old = candidate('2001:db8:1::2', { deprecated: true });
    expect(source('2001:db8:1::1', [old, candidate('2001:db8:3::2')])).toBe('2001:db8:3::2');
    expect(source('2001:db8:1::1', [old])).toBe('2001:db8:1::2');
  });

  it('5: of the interface that the packet leaves by; alone, when the destination is on the link', () => {
    const other = candidate('2001:db8:1::2', { interfaceIndex: 2 });
    expect(source('2001:db8:1::1', [other, candidate('2001:db8:3::2')])).toBe('2001:db8:3::2');
    expect(source('2001:db8:1::1', [other])).toBe('2001:db8:1::2');
    expect(source('fe80::1', [candidate('fe80::2', { interfaceIndex: 2 })])).toBe('none');
    expect(source('ff0e::1', [other])).toBe('none');
  });

  it('5.5: of a prefix that the next hop advertised', () => {
    const advertised = candidate('2001:db8:3::2', { fromNextHop: true });
    expect(source('2001:db8:1::1', [candidate('2001:db8:1::2'), advertised])).toBe('2001:db8:3::2');
  });

  it('6: of the same label', () => {
    expect(source('fd00:1::1', [candidate('2001:db8::2'), candidate('fd99::2')])).toBe('fd99::2');
    expect(source('2001:db8:1::1', [candidate('fd99::2'), candidate('3ffe::2'), candidate('2a00::2')])).toBe('2a00::2');
  });

  it('7: a temporary one, or not, as configured', () => {
    const ours = [candidate('2001:db8:1::2'), candidate('2001:db8:1::d5e3:0:0:1', { temporary: true })];
    expect(source('2001:db8:1::1', ours)).toBe('2001:db8:1:0:d5e3::1');
    expect(source('2001:db8:1::1', ours, { preferTemporary: false })).toBe('2001:db8:1::2');
  });

  it('8: of the longest match, not counting the interface identifier; else the first', () => {
    const ours = [candidate('2001:db8:1:1::7'), candidate('2001:db8:1:2::1')];
    expect(source('2001:db8:1:3::1', ours)).toBe('2001:db8:1:2::1');
    expect(source('2a00::1', ours)).toBe('2001:db8:1:1::7');
    const near = [candidate('2001:db8:1:1::8'), candidate('2001:db8:1:1::7')];
    expect(source('2001:db8:1:1::6', near)).toBe('2001:db8:1:1::8');
  });
});

describe('Destination order (RFC 6724 6)', () => {
  function order(pairs: [string, string | SourceCandidate | null][], policies?: readonly Policy[]): string[] {
    const list = pairs.map(([address, from]) => ({
      address: ip6(address),
      source: typeof from === 'string' ? candidate(from) : from,
    }));
    return sortDestinations(list, policies).map((one) => formatAddress(one.address));
  }

  it.each<[string, [string, string | null][], string[]]>([
    // RFC 6724 10.2 and 10.3
    [
      '2: matching scope',
      [
        ['::ffff:198.51.100.121', '::ffff:169.254.13.78'],
        ['2001:db8:1::1', '2001:db8:1::2'],
      ],
      ['2001:db8:1::1', '::ffff:198.51.100.121'],
    ],
    [
      '2: matching scope, of IPv4',
      [
        ['2001:db8:1::1', 'fe80::1'],
        ['::ffff:198.51.100.121', '::ffff:198.51.100.117'],
      ],
      ['::ffff:198.51.100.121', '2001:db8:1::1'],
    ],
    [
      '6: precedence',
      [
        ['::ffff:10.1.2.3', '::ffff:10.1.2.4'],
        ['2001:db8:1::1', '2001:db8:1::2'],
      ],
      ['2001:db8:1::1', '::ffff:10.1.2.3'],
    ],
    [
      '8: smaller scope',
      [
        ['2001:db8:1::1', '2001:db8:1::2'],
        ['fe80::1', 'fe80::2'],
      ],
      ['fe80::1', '2001:db8:1::1'],
    ],
    [
      '6: native before 6to4',
      [
        ['2002:c633:6401::1', '2002:c633:6401::2'],
        ['2001:db8:1::1', '2001:db8:1::2'],
      ],
      ['2001:db8:1::1', '2002:c633:6401::1'],
    ],
    [
      '5: matching label',
      [
        ['2002:c633:6401::1', '2002:c633:6401::2'],
        ['2001:db8:1::1', '2002:c633:6401::2'],
      ],
      ['2002:c633:6401::1', '2001:db8:1::1'],
    ],
    [
      '9: longest match',
      [
        ['2001:db8:3ffe::1', '2001:db8:1::2'],
        ['2001:db8:1::1', '2001:db8:1::2'],
      ],
      ['2001:db8:1::1', '2001:db8:3ffe::1'],
    ],
    [
      '1: usable',
      [
        ['2001:db8:1::1', null],
        ['::ffff:10.1.2.3', '::ffff:10.1.2.4'],
      ],
      ['::ffff:10.1.2.3', '2001:db8:1::1'],
    ],
    [
      '10: as they came',
      [
        ['2001:db8:5::1', '2a00::2'],
        ['2001:db8:4::1', '2a00::2'],
      ],
      ['2001:db8:5::1', '2001:db8:4::1'],
    ],
  ])('%s', (_, pairs, expected) => expect(order(pairs)).toEqual(expected));

  it('3: not by a deprecated source', () => {
    const old = candidate('2001:db8:1::2', { deprecated: true });
    expect(
      order([
        ['2001:db8:1::1', old],
        ['2001:db8:9::1', '2001:db8:3::2'],
      ]),
    ).toEqual(['2001:db8:9::1', '2001:db8:1::1']);
  });

  it('follows a table that prefers IPv4 (RFC 6724 10.3)', () => {
    const table = DEFAULT_POLICIES.map((one) => (one.label === 4 ? { ...one, precedence: 100 } : one));
    const pairs: [string, string][] = [
      ['2001:db8:1::1', '2001:db8:1::2'],
      ['::ffff:10.1.2.3', '::ffff:10.1.2.4'],
    ];
    expect(order(pairs, table)).toEqual(['::ffff:10.1.2.3', '2001:db8:1::1']);
  });
});
