/** IPv6: packets by hand, extension headers and what is wrong with them, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, hexView, toHex } from '../../test/fixtures/hex.ts';
import * as ipv6 from './ipv6.ts';

const address = (text: string): ipv6.Address6 => ipv6.parseAddress(text) as ipv6.Address6;

const SRC = 'fe800000000000000000000000000001';
const DST = 'ff0200000000000000000000000000fb';
const ENDS = `${SRC} ${DST}`;

/** An echo request to ff02::fb; the checksum was computed elsewhere. */
const ECHO = `6ab1 2345 000c 3a ff ${ENDS} 8000 bc6a 0007 0001 61626364`;

const ECHO_REPR: ipv6.Repr = {
  trafficClass: 0xab,
  flowLabel: 0x12345,
  hopLimit: 255,
  src: address('fe80::1'),
  dst: address('ff02::fb'),
  extensions: [],
  protocol: 58,
  payload: hex('8000 bc6a 0007 0001 61626364'),
};

/** Hop-by-hop with router alert, routing, destination options with an unknown option, the first fragment of something. */
const CHAIN = `6000 0000 0038 00 01 ${ENDS}
  2b 00 0502 0000 0100
  3c 02 04 01 00000000 20010db8000000000000000000000001
  2c 00 1e 02 abcd 00 00
  3b 00 0001 00000007
  6162636465666768`;

const CHAIN_REPR: ipv6.Repr = {
  trafficClass: 0,
  flowLabel: 0,
  hopLimit: 1,
  src: address('fe80::1'),
  dst: address('ff02::fb'),
  extensions: [
    {
      kind: 'hop-by-hop',
      options: [
        { kind: 'router-alert', value: 0 },
        { kind: 'pad', bytes: 2 },
      ],
    },
    { kind: 'routing', type: 4, segmentsLeft: 1, data: hex('00000000 20010db8000000000000000000000001') },
    {
      kind: 'destination',
      options: [{ kind: 'unknown', type: 30, data: hex('abcd') }, { kind: 'pad1' }, { kind: 'pad1' }],
    },
    { kind: 'fragment', offsetBytes: 0, more: true, identification: 7 },
  ],
  protocol: ipv6.NEXT_NONE,
  payload: hex('6162636465666768'),
};

const words = fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer());
const unicast = words.filter(([first]) => !ipv6.isMulticast(first));

const option: fc.Arbitrary<ipv6.ExtensionOption> = fc.oneof(
  fc.constant<ipv6.ExtensionOption>({ kind: 'pad1' }),
  fc.record({ kind: fc.constant('pad' as const), bytes: fc.integer({ min: 2, max: 9 }) }),
  fc.record({ kind: fc.constant('router-alert' as const), value: fc.nat(0xffff) }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.nat(255).filter((type) => ![0, 1, 5].includes(type)),
    data: fc.uint8Array({ maxLength: 20 }),
  }),
);

/** Options that end where a header does, so that writing them adds no padding. */
const options = fc.array(option, { maxLength: 8 }).map((list) => {
  let bytes = 2;
  for (const one of list) {
    if (one.kind === 'pad1') bytes += 1;
    else if (one.kind === 'pad') bytes += one.bytes;
    else bytes += one.kind === 'router-alert' ? 4 : 2 + one.data.length;
  }
  while (bytes++ % 8 !== 0) list.push({ kind: 'pad1' });
  return list;
});

const routing = fc
  .record({ type: fc.nat(255), segmentsLeft: fc.nat(255), words: fc.array(fc.nat(255), { maxLength: 4 }) })
  .filter(({ type, segmentsLeft }) => type !== 0 || segmentsLeft === 0)
  .map(({ type, segmentsLeft, words: list }): ipv6.Extension => {
    return { kind: 'routing', type, segmentsLeft, data: new Uint8Array(4 + 8 * list.length).fill(list[0] ?? 0) };
  });

/** In the order of RFC 8200 4.1, any of them absent. */
const extensions = fc
  .tuple(
    fc.option(fc.record({ kind: fc.constant('hop-by-hop' as const), options })),
    fc.option(fc.record({ kind: fc.constant('destination' as const), options })),
    fc.option(routing),
    fc.option(
      fc.record({
        kind: fc.constant('fragment' as const),
        offsetBytes: fc.constant(0),
        more: fc.constant(false),
        identification: fc.integer(),
      }),
    ),
    fc.option(fc.record({ kind: fc.constant('destination' as const), options })),
  )
  .map((list) => list.filter((one): one is Exclude<typeof one, null> => one !== null));

describeWireFormat<ipv6.Repr>('ipv6', ipv6, {
  valid: {
    'echo request': { bytes: ECHO, repr: ECHO_REPR },
    'all extension headers': { bytes: CHAIN, repr: CHAIN_REPR },
    'a later fragment, whose next header is not looked at': {
      bytes: `6000 0000 000b 2c 40 ${SRC} ${SRC} 3c 00 05b0 ffffffff 616263`,
      repr: {
        ...ECHO_REPR,
        trafficClass: 0,
        flowLabel: 0,
        hopLimit: 64,
        dst: address('fe80::1'),
        extensions: [{ kind: 'fragment', offsetBytes: 1456, more: false, identification: -1 }],
        protocol: ipv6.NEXT_DESTINATION,
        payload: hex('616263'),
      },
    },
  },
  malformed: {
    nothing: { reason: 'ip6-short', bytes: '' },
    'a byte less than a header': { reason: 'ip6-short', bytes: `6000 0000 0000 3b 40 ${ENDS}`.slice(0, -2) },
    'version 4': { reason: 'ip6-bad-version', bytes: `4000 0000 0000 3b 40 ${ENDS}` },
    'less payload than it says': { reason: 'ip6-truncated', bytes: `6000 0000 0005 3b 40 ${ENDS} 61626364` },
    'from a group': { reason: 'ip6-bad-source', bytes: `6000 0000 0000 3b 40 ${DST} ${DST}` },
  },
  arbitrary: fc.record({
    trafficClass: fc.nat(255),
    flowLabel: fc.nat(0xfffff),
    hopLimit: fc.nat(255),
    src: unicast,
    dst: words,
    extensions,
    protocol: fc.constantFrom(6, 17, 58, ipv6.NEXT_NONE, ipv6.NEXT_ESP, ipv6.NEXT_AUTHENTICATION, 253),
    payload: fc.uint8Array({ maxLength: 40 }),
  }),
  read(view, at) {
    const fields = [ipv6.version, ipv6.trafficClass, ipv6.flowLabel, ipv6.payloadBytes, ipv6.nextHeader, ipv6.hopLimit];
    for (const read of [...fields, ipv6.src, ipv6.dst]) read(view, at);
    for (let word = 0; word < 4; word++) {
      ipv6.srcWord(view, at, word);
      ipv6.dstWord(view, at, word);
    }
    const bytes = ipv6.payloadBytes(view, at);
    const walk = new ipv6.HeaderWalk();
    const start = at + ipv6.HEADER_BYTES;
    const reason = walk.walk(view, start, start + bytes, ipv6.nextHeader(view, at));
    expect(ipv6.WALK_REASONS[reason]).toBeTypeOf('string');
    if (reason !== 0) return;
    ipv6.verifyUpper(view, at, walk.payloadAt, walk.protocol, start + bytes - walk.payloadAt);
    if (walk.fragmentAt > 0) ipv6.fragmentIdentification(view, walk.fragmentAt);
    if (walk.routingAt > 0) ipv6.segmentsLeft(view, walk.routingAt);
  },
  mend(view, at, lengthBytes) {
    if (lengthBytes < ipv6.HEADER_BYTES) return;
    ipv6.setClassAndLabel(view, at, 0, 0);
    ipv6.setPayloadBytes(view, at, lengthBytes - ipv6.HEADER_BYTES);
    if (view.getUint8(at + ipv6.SRC_OFFSET) === 0xff) view.setUint8(at + ipv6.SRC_OFFSET, 0xfe);
  },
});

describe('ipv6 header', () => {
  it('names the fields', () => {
    const view = hexView(ECHO);
    expect(ipv6.trafficClass(view, 0)).toBe(0xab);
    expect(ipv6.flowLabel(view, 0)).toBe(0x12345);
    expect(ipv6.payloadBytes(view, 0)).toBe(12);
    expect(ipv6.nextHeader(view, 0)).toBe(58);
    expect(ipv6.hopLimit(view, 0)).toBe(255);
    expect(ipv6.srcWord(view, 0, 3)).toBe(1);
    expect(ipv6.dstWord(view, 0, 0)).toBe(0xff020000 | 0);
    expect(ipv6.formatAddress(ipv6.dst(view, 0))).toBe('ff02::fb');
  });

  it('compares addresses in place', () => {
    const view = hexView(`6000 0000 0000 3b 40 ${SRC} ${SRC}`);
    expect(ipv6.sameAddress(view, ipv6.SRC_OFFSET, ipv6.DST_OFFSET)).toBe(true);
    for (let byte = 0; byte < ipv6.ADDRESS_BYTES; byte++) {
      const other = hexView(`6000 0000 0000 3b 40 ${SRC} ${SRC}`);
      other.setUint8(ipv6.DST_OFFSET + byte, 0xee);
      expect(ipv6.sameAddress(other, ipv6.SRC_OFFSET, ipv6.DST_OFFSET)).toBe(false);
    }
  });

  it('sets the fields', () => {
    const view = new DataView(new ArrayBuffer(40));
    ipv6.setClassAndLabel(view, 0, 0xab, 0x12345);
    ipv6.setPayloadBytes(view, 0, 12);
    ipv6.setNextHeader(view, 0, 58);
    ipv6.setHopLimit(view, 0, 255);
    ipv6.setSrc(view, 0, address('fe80::1'));
    ipv6.setDst(view, 0, address('ff02::fb'));
    expect(toHex(new Uint8Array(view.buffer))).toBe(toHex(hex(ECHO).subarray(0, 40)));
  });

  it('sums the pseudo-header', () => {
    const view = hexView(ECHO);
    expect(ipv6.verifyUpper(view, 0, 40, 58, 12)).toBe(true);
    expect(ipv6.verifyUpper(view, 0, 40, 17, 12)).toBe(false);
    view.setUint8(ipv6.DST_OFFSET + 15, 0xfc);
    expect(ipv6.verifyUpper(view, 0, 40, 58, 12)).toBe(false);
  });

  it('leaves padding of the link out', () => {
    const view = hexView(`${ECHO} 00000000`);
    expect(ipv6.parse(view, 0, view.byteLength)).toEqual(ECHO_REPR);
  });

  it('refuses a payload longer than the field', () => {
    const repr = { ...ECHO_REPR, payload: new Uint8Array(65_536) };
    expect(() => ipv6.emit(repr, new DataView(new ArrayBuffer(70_000)), 0)).toThrow('65536 bytes');
  });
});

describe('ipv6 extension headers', () => {
  const walk = new ipv6.HeaderWalk();
  /** The headers behind an IPv6 header that names the first of them. */
  const packet = (digits: string, first: number): DataView => {
    const view = hexView(`6000 0000 0000 00 40 ${ENDS} ${digits}`);
    ipv6.setPayloadBytes(view, 0, view.byteLength - ipv6.HEADER_BYTES);
    ipv6.setNextHeader(view, 0, first);
    return view;
  };
  const reason = (view: DataView): string | undefined =>
    ipv6.WALK_REASONS[walk.walk(view, ipv6.HEADER_BYTES, view.byteLength, ipv6.nextHeader(view, 0))];

  it('finds each header', () => {
    const view = hexView(CHAIN);
    expect(walk.walk(view, 40, view.byteLength, ipv6.nextHeader(view, 0))).toBe(0);
    expect(walk).toMatchObject({
      protocol: ipv6.NEXT_NONE,
      hopByHopAt: 40,
      routingAt: 48,
      destinationAt: 72,
      fragmentAt: 80,
      payloadAt: 88,
    });
    expect(ipv6.routingType(view, 48)).toBe(4);
    expect(ipv6.segmentsLeft(view, 48)).toBe(1);
    expect(ipv6.moreFragments(view, 80)).toBe(true);
  });

  it('forgets the packet before', () => {
    expect(reason(packet('', 6))).toBe('');
    expect(walk).toMatchObject({
      protocol: 6,
      payloadAt: 40,
      hopByHopAt: 0,
      routingAt: 0,
      destinationAt: 0,
      fragmentAt: 0,
    });
  });

  const pad = '0104 00000000';
  for (const [name, expected, first, digits, problemAt] of [
    ['nothing there', 'ip6-extension-truncated', 60, '', 0],
    ['seven bytes', 'ip6-extension-truncated', 60, '3b00 0103 000000', 0],
    ['longer than the packet', 'ip6-extension-truncated', 60, `3b01 ${pad}`, 0],
    ['a second one cut off', 'ip6-extension-truncated', 60, `3c00 ${pad} 3b00 0104`, 8],
    ['longer than allowed', 'ip6-extension-too-long', 60, `3b20 ${'00'.repeat(262)}`, 0],
    ['nine headers', 'ip6-extension-too-many', 60, `3c00 ${pad}`.repeat(9), 64],
    ['hop-by-hop in the second place', 'ip6-extension-misplaced', 60, `0000 ${pad} 3b00 ${pad}`, 8],
    ['two routing headers', 'ip6-extension-misplaced', 43, '2b00 0400 00000000 3b00 0400 00000000', 8],
    ['two fragment headers', 'ip6-extension-misplaced', 44, '2c00 0000 00000001 3b00 0000 00000001', 8],
    ['an option beyond its header', 'ip6-extension-bad-option', 60, '3b00 1e05 00000000', 2],
    ['an option without a length', 'ip6-extension-bad-option', 60, '3b00 0103 000000 1e', 7],
    ['17 options', 'ip6-extension-too-many', 60, `3b02 ${'00'.repeat(22)}`, 18],
    ['a middle fragment of 7 bytes', 'ip6-extension-bad-fragment', 44, '3b00 0001 00000001 00000000000000', 0],
    ['a first fragment of nothing', 'ip6-extension-bad-fragment', 44, '3b00 0001 00000001', 0],
    ['a fragment beyond 65535', 'ip6-extension-bad-fragment', 44, '3b00 fff8 00000001 0000000000000000', 2],
    ['routing type 0', 'ip6-extension-bad-routing', 43, '3b00 0001 00000000', 2],
  ] as const) {
    it(`refuses ${name}`, () => {
      const view = packet(digits, first);
      expect(reason(view)).toBe(expected);
      expect(walk.problemAt).toBe(ipv6.HEADER_BYTES + problemAt);
      expect(ipv6.check(view, 0, view.byteLength)).toBe(0);
      expect(ipv6.parse(view, 0, view.byteLength)).toBeNull();
    });
  }

  it('pads options to whole headers', () => {
    const repr: ipv6.Repr = {
      ...ECHO_REPR,
      extensions: [{ kind: 'destination', options: [{ kind: 'router-alert', value: 1 }, { kind: 'pad1' }] }],
    };
    const view = new DataView(new ArrayBuffer(ipv6.lengthOf(repr)));
    ipv6.emit(repr, view, 0);
    expect(toHex(new Uint8Array(view.buffer, 40, 8))).toBe('3a00050200010000');
    expect(() =>
      ipv6.emit({ ...repr, extensions: [{ kind: 'routing', type: 4, segmentsLeft: 0, data: hex('00') }] }, view, 0),
    ).toThrow('multiple of 8');
  });
});
