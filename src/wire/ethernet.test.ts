/** Ethernet: frames by hand, address text, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, hexView } from '../../test/fixtures/hex.ts';
import * as ethernet from './ethernet.ts';

const hi = (): fc.Arbitrary<number> => fc.nat(0xffff);
const lo = (): fc.Arbitrary<number> => fc.integer();

describeWireFormat<ethernet.Repr>('ethernet', ethernet, {
  valid: {
    'a broadcast from a locally administered address': {
      bytes: 'ffffffffffff 026d6b00000b 0806 0102030405',
      repr: {
        dstHi: 0xffff,
        dstLo: -1,
        srcHi: 0x026d,
        srcLo: 0x6b00000b,
        type: ethernet.ETHERTYPE_ARP,
        payload: hex('0102030405'),
      },
    },
    'a header alone': {
      bytes: '00005e0001fe 820000000001 86dd',
      repr: { dstHi: 0, dstLo: 0x5e0001fe, srcHi: 0x8200, srcLo: 1, type: 0x86dd, payload: hex('') },
    },
  },
  malformed: {
    nothing: { reason: 'ether-short', bytes: '' },
    'a byte less than a header': { reason: 'ether-short', bytes: 'ffffffffffff 026d6b00000b 08' },
    'a group as source': { reason: 'ether-bad-source', bytes: '026d6b00000b 01005e000001 0800' },
  },
  arbitrary: fc.record({
    dstHi: hi(),
    dstLo: lo(),
    srcHi: hi().map((value) => value & ~ethernet.GROUP_BIT),
    srcLo: lo(),
    type: fc.nat(0xffff),
    payload: fc.uint8Array({ maxLength: 60 }),
  }),
  read(view, at) {
    for (const read of [ethernet.dstHi, ethernet.dstLo, ethernet.srcHi, ethernet.srcLo, ethernet.type]) read(view, at);
  },
});

describe('ethernet addresses', () => {
  it('keeps addresses in two numbers', () => {
    const view = hexView('02fe00000001 faced0d0caca 0800');
    expect([ethernet.dstHi(view, 0), ethernet.dstLo(view, 0)]).toEqual([0x02fe, 1]);
    expect([ethernet.srcHi(view, 0), ethernet.srcLo(view, 0)]).toEqual([0xface, 0xd0d0caca | 0]);
  });

  it('reads and writes address text', () => {
    expect(ethernet.parseMac('02:6d:6b:00:00:0b')).toEqual({ hi: 0x026d, lo: 0x6b00000b });
    expect(ethernet.parseMac('2:6D:6b:0:0:b')).toEqual({ hi: 0x026d, lo: 0x6b00000b });
    expect(ethernet.formatMac(0xffff, -1)).toBe('ff:ff:ff:ff:ff:ff');
    expect(ethernet.formatMac(0, 0)).toBe('00:00:00:00:00:00');
    fc.assert(
      fc.property(hi(), lo(), (h, l) => {
        expect(ethernet.parseMac(ethernet.formatMac(h, l))).toEqual({ hi: h, lo: l });
      }),
    );
  });

  it.each([
    '',
    '02:6d:6b:00:00',
    '02:6d:6b:00:00:0b:0c',
    '02-6d-6b-00-00-0b',
    '02:6d:6b:00:00:0g',
    '026d6b00000b',
    ' 1:2:3:4:5:6',
  ])('refuses %j', (text) => {
    expect(() => ethernet.parseMac(text)).toThrow(SyntaxError);
  });

  it('tells groups and broadcast', () => {
    expect(ethernet.isGroup(0x0100)).toBe(true);
    expect(ethernet.isGroup(0x026d)).toBe(false);
    expect(ethernet.isBroadcast(ethernet.BROADCAST_HI, ethernet.BROADCAST_LO)).toBe(true);
    expect(ethernet.isBroadcast(0xffff, 1)).toBe(false);
  });

  it('maps IPv4 groups (RFC 1112 section 6.4)', () => {
    // 239.129.2.3: of the upper 9 bits of the group nothing is left but the prefix.
    const groupLo = ethernet.multicast4Lo(0xef810203 | 0);
    expect(ethernet.formatMac(ethernet.MULTICAST4_HI, groupLo)).toBe('01:00:5e:01:02:03');
  });
});
