/** IPv4: headers and options by hand, fragments, address text, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, hexView } from '../../test/fixtures/hex.ts';
import * as ipv4 from './ipv4.ts';

/** 10.0.0.10 → 10.0.0.11, UDP, no options, three bytes of payload. */
const PLAIN = '45 00 0017 1234 4000 40 11 148e 0a00000a 0a00000b 010203';

const base: ipv4.Repr = {
  tos: 0,
  identification: 0x1234,
  dontFragment: false,
  moreFragments: false,
  fragmentOffsetBytes: 0,
  ttl: 64,
  protocol: ipv4.PROTOCOL_UDP,
  src: 0x0a00000a,
  dst: 0x0a00000b,
  options: [],
  payload: hex(''),
};

const uint8 = (): fc.Arbitrary<number> => fc.nat(255);
const address = (): fc.Arbitrary<number> => fc.integer();

const option: fc.Arbitrary<ipv4.Ipv4Option> = fc.oneof(
  fc.constant({ kind: 'nop' as const }),
  fc.record({
    kind: fc.constantFrom('record-route' as const, 'loose-route' as const, 'strict-route' as const),
    pointer: uint8(),
    route: fc.array(address(), { maxLength: 9 }),
  }),
  fc.record({
    kind: fc.constant('timestamp' as const),
    pointer: uint8(),
    overflow: fc.nat(15),
    flag: fc.constant(ipv4.TIMESTAMP_ONLY),
    entries: fc.array(fc.record({ time: fc.nat(0xffffffff) }), { maxLength: 9 }),
  }),
  fc.record({
    kind: fc.constant('timestamp' as const),
    pointer: uint8(),
    overflow: fc.nat(15),
    flag: fc.integer({ min: 1, max: 15 }),
    entries: fc.array(fc.record({ address: address(), time: fc.nat(0xffffffff) }), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('router-alert' as const), value: fc.nat(0xffff) }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.constantFrom(2, 82, 130, 133, 136, 205, 255),
    data: fc.uint8Array({ maxLength: 38 }),
  }),
);

const whole: fc.Arbitrary<ipv4.Repr> = fc
  .record({
    tos: uint8(),
    identification: fc.nat(0xffff),
    dontFragment: fc.boolean(),
    moreFragments: fc.constant(false),
    fragmentOffsetBytes: fc.constant(0),
    ttl: uint8(),
    protocol: uint8(),
    src: address(),
    dst: address(),
    options: fc.array(option, { maxLength: 3 }),
    payload: fc.uint8Array({ maxLength: 60 }),
  })
  .filter((repr) => ipv4.optionsLength(repr.options) <= 40);

const fragment: fc.Arbitrary<ipv4.Repr> = fc
  .tuple(whole, fc.boolean(), fc.integer({ min: 1, max: 8000 }))
  .map(([repr, moreFragments, offset]) => ({
    ...repr,
    moreFragments,
    fragmentOffsetBytes: offset * 8,
    payload: moreFragments ? new Uint8Array(8).fill(7) : repr.payload,
  }));

describeWireFormat<ipv4.Repr>('ipv4', ipv4, {
  valid: {
    'a header without options': { bytes: PLAIN, repr: { ...base, dontFragment: true, payload: hex('010203') } },
    'a last fragment at 1480': {
      bytes: '45 b8 0015 1234 00b9 01 01 922f 0a00000a 0a00000b ff',
      repr: { ...base, tos: 0xb8, fragmentOffsetBytes: 1480, ttl: 1, protocol: 1, payload: hex('ff') },
    },
    'no-operation, record route, end': {
      bytes: '48 00 0020 1234 0000 40 11 84cc 0a00000a 0a00000b 01 07 0b 08 c0a80001 00000000',
      repr: {
        ...base,
        options: [{ kind: 'nop' }, { kind: 'record-route', pointer: 8, route: [0xc0a80001 | 0, 0] }],
      },
    },
    'loose and strict source routes': {
      bytes: '49 00 0024 1234 0000 40 11 b6e0 0a00000a 0a00000b 83 07 04 0a000001 89 07 04 0a000002 0000',
      repr: {
        ...base,
        options: [
          { kind: 'loose-route', pointer: 4, route: [0x0a000001] },
          { kind: 'strict-route', pointer: 4, route: [0x0a000002] },
        ],
      },
    },
    'timestamps: time only, and with addresses': {
      bytes: '4a 00 0028 1234 0000 40 11 2b43 0a00000a 0a00000b 44 08 05 00 80000001 44 0c 0d 21 0a000001 00000002',
      repr: {
        ...base,
        options: [
          { kind: 'timestamp', pointer: 5, overflow: 0, flag: ipv4.TIMESTAMP_ONLY, entries: [{ time: 0x80000001 }] },
          {
            kind: 'timestamp',
            pointer: 13,
            overflow: 2,
            flag: ipv4.TIMESTAMP_ADDRESS,
            entries: [{ address: 0x0a000001, time: 2 }],
          },
        ],
      },
    },
    'router alert': {
      bytes: '46 00 0018 1234 0000 01 02 288c 0a00000a e0000016 94 04 0000',
      repr: { ...base, ttl: 1, protocol: 2, dst: 0xe0000016 | 0, options: [{ kind: 'router-alert', value: 0 }] },
    },
    'an unknown option and a known one of a wrong form': {
      bytes: '47 00 001c 1234 0000 40 11 65ad 0a00000a 0a00000b 82 03 aa 07 05 04 bbcc',
      repr: {
        ...base,
        options: [
          { kind: 'unknown', type: 130, data: hex('aa') },
          { kind: 'unknown', type: ipv4.OPTION_RECORD_ROUTE, data: hex('04bbcc') },
        ],
      },
    },
  },
  malformed: {
    nothing: { reason: 'ip-short', bytes: '' },
    'a byte less than a header': { reason: 'ip-short', bytes: '45 00 0014 1234 0000 40 11 547f 0a00000a 0a0000' },
    'version 6': { reason: 'ip-bad-version', bytes: PLAIN.replace('45', '65') },
    'a header of 16 bytes': { reason: 'ip-bad-header-length', bytes: PLAIN.replace('45', '44') },
    'a header longer than the packet': { reason: 'ip-bad-header-length', bytes: PLAIN.replace('45', '46') },
    'a changed byte': { reason: 'ip-bad-checksum', bytes: PLAIN.replace('40 11', '3f 11') },
    'a total length less than the header': {
      reason: 'ip-bad-length',
      bytes: '45 00 0013 1234 4000 40 11 1492 0a00000a 0a00000b',
    },
    'a total length beyond the packet': { reason: 'ip-truncated', bytes: PLAIN.slice(0, -2) },
    'a fragment that ends beyond 65535': {
      reason: 'ip-bad-fragment',
      bytes: '45 00 0017 1234 1fff 40 11 348f 0a00000a 0a00000b 010203',
    },
    'a fragment with more to come that is no multiple of 8': {
      reason: 'ip-bad-fragment',
      bytes: '45 00 0017 1234 2000 40 11 348e 0a00000a 0a00000b 010203',
    },
    'an empty fragment with more to come': {
      reason: 'ip-bad-fragment',
      bytes: '45 00 0014 1234 2000 40 11 3491 0a00000a 0a00000b',
    },
  },
  arbitrary: fc.oneof(whole, fragment),
  read(view, at) {
    const accessors = [
      ipv4.version,
      ipv4.headerBytes,
      ipv4.tos,
      ipv4.totalLength,
      ipv4.payloadBytes,
      ipv4.identification,
      ipv4.fragmentField,
      ipv4.dontFragment,
      ipv4.moreFragments,
      ipv4.fragmentOffsetBytes,
      ipv4.isFragment,
      ipv4.ttl,
      ipv4.protocol,
      ipv4.headerChecksum,
      ipv4.src,
      ipv4.dst,
    ];
    for (const read of accessors) read(view, at);
    // Both ends of what `totalLength` promises.
    view.getUint8(at + ipv4.totalLength(view, at) - 1);
    const end = at + ipv4.headerBytes(view, at);
    for (let i = at + ipv4.HEADER_BYTES, bytes = 1; i < end && bytes > 0; i += bytes) {
      bytes = ipv4.optionBytes(view, i, end);
    }
  },
  mend(view, at, lengthBytes) {
    if (lengthBytes >= 20 && ipv4.headerBytes(view, at) <= lengthBytes) ipv4.fillHeaderChecksum(view, at);
  },
});

describe('ipv4 headers', () => {
  it('leaves the padding of a short frame out', () => {
    const view = hexView(`${PLAIN} 0000 0000`);
    expect(ipv4.check(view, 0, view.byteLength)).toBe(0);
    expect(ipv4.parse(view, 0, view.byteLength)?.payload).toEqual(hex('010203'));
  });

  it.each(['01 01 07 01', '01 01 01 07', '07 00 01 01', '07 01 01 01', '82 05 aa bb', '07 09 04 01 02 03 04 01'])(
    'has no Repr for the option list %s',
    (list) => {
      const options = hex(list);
      const bytes = new Uint8Array(20 + ((options.length + 3) & ~3)).fill(1);
      bytes.set(hex(`4${5 + ((options.length + 3) >> 2)} 00 00${bytes.length.toString(16)} 1234 0000 40 11 0000`));
      bytes.set(options, bytes.length - options.length);
      const view = new DataView(bytes.buffer);
      ipv4.fillHeaderChecksum(view, 0);
      expect(ipv4.check(view, 0, bytes.length)).toBe(0);
      expect(ipv4.parse(view, 0, bytes.length)).toBeNull();
    },
  );

  it('refuses to emit more options than fit, and offsets between units', () => {
    const view = new DataView(new ArrayBuffer(100));
    const data = new Uint8Array(39);
    expect(() => ipv4.emit({ ...base, options: [{ kind: 'unknown', type: 130, data }] }, view, 0)).toThrow('40 fit');
    expect(() => ipv4.emit({ ...base, fragmentOffsetBytes: 4 }, view, 0)).toThrow('multiple of 8');
  });

  it('keeps the checksum right when the TTL goes down', () => {
    fc.assert(
      fc.property(whole, (repr) => {
        const view = new DataView(new ArrayBuffer(ipv4.lengthOf(repr)));
        ipv4.emit({ ...repr, ttl: repr.ttl | 1 }, view, 0);
        ipv4.decrementTtl(view, 0);
        expect(ipv4.ttl(view, 0)).toBe((repr.ttl | 1) - 1);
        expect(ipv4.check(view, 0, view.byteLength)).toBe(0);
      }),
    );
  });

  it('names the parts of the fragment field', () => {
    const view = hexView(PLAIN);
    expect([ipv4.dontFragment(view, 0), ipv4.isFragment(view, 0)]).toEqual([true, false]);
    ipv4.setFragmentField(view, 0, ipv4.FLAG_MORE_FRAGMENTS | 0xb9);
    expect([ipv4.dontFragment(view, 0), ipv4.moreFragments(view, 0)]).toEqual([false, true]);
    expect([ipv4.isFragment(view, 0), ipv4.fragmentOffsetBytes(view, 0)]).toEqual([true, 1480]);
    ipv4.setFragmentField(view, 0, 0xb9);
    expect(ipv4.isFragment(view, 0)).toBe(true);
  });
});

describe('ipv4 address text', () => {
  it('reads and writes', () => {
    expect(ipv4.parseAddress('10.0.0.11')).toBe(0x0a00000b);
    expect(ipv4.parseAddress('255.255.255.255')).toBe(ipv4.ADDRESS_BROADCAST);
    expect(ipv4.parseAddress('224.0.0.1')).toBe(ipv4.ADDRESS_ALL_HOSTS);
    expect(ipv4.formatAddress(ipv4.ADDRESS_LOOPBACK)).toBe('127.0.0.1');
    fc.assert(fc.property(address(), (a) => ipv4.parseAddress(ipv4.formatAddress(a)) === a));
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.1.2',
    '10.0.0.01',
    '010.0.0.1',
    ' 10.0.0.1',
    '10.0.0.1 ',
    '0x7f.0.0.1',
    '-1.0.0.0',
  ])('refuses %j', (text) => {
    expect(ipv4.parseAddress(text)).toBeNull();
  });

  it('knows multicast', () => {
    expect(ipv4.isMulticast(ipv4.ADDRESS_ALL_ROUTERS)).toBe(true);
    expect(ipv4.isMulticast(0xefffffff | 0)).toBe(true);
    expect(ipv4.isMulticast(0xf0000000 | 0)).toBe(false);
    expect(ipv4.isMulticast(0x0a000001)).toBe(false);
  });
});
