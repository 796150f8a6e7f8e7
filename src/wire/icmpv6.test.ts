/** ICMPv6: a message of every type by hand, options of neighbor discovery, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, hexView } from '../../test/fixtures/hex.ts';
import * as icmpv6 from './icmpv6.ts';
import * as ipv6 from './ipv6.ts';

/** fe80::1 and fe80::2, ff02::1:3. */
const ONE = 'fe800000000000000000000000000001';
const TWO = 'fe800000000000000000000000000002';
const GROUP = 'ff020000000000000000000000010003';
const ONE_WORDS: ipv6.Address6 = [0xfe800000 | 0, 0, 0, 1];
const TWO_WORDS: ipv6.Address6 = [0xfe800000 | 0, 0, 0, 2];
const GROUP_WORDS: ipv6.Address6 = [0xff020000 | 0, 0, 0, 0x10003];

/** fe80::1 → fe80::2, UDP port 1234 to 7. */
const QUOTE = `60000000 0008 11 40 ${ONE} ${TWO} 04d2 0007 0008 0000`;

const uint16 = (): fc.Arbitrary<number> => fc.nat(0xffff);
const uint32 = (): fc.Arbitrary<number> => fc.nat(0xffffffff);
const word = (): fc.Arbitrary<number> => fc.integer();
const address = (): fc.Arbitrary<ipv6.Address6> => fc.tuple(word(), word(), word(), word());
const unicast = (): fc.Arbitrary<ipv6.Address6> => address().filter(([first]) => !ipv6.isMulticast(first));
const bytes = (): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: 40 });

/** Data of options is a multiple of 8 with its head: what is shorter comes back padded. */
const blocks = (headBytes: number): fc.Arbitrary<Uint8Array> =>
  fc.integer({ min: 1, max: 5 }).chain((count) => {
    const length = 8 * count - headBytes;
    return fc.uint8Array({ minLength: length, maxLength: length });
  });

const KNOWN_OPTIONS: readonly number[] = [1, 2, 3, 4, 5, 24, 25];

/** As many words of a prefix as a route option of that length carries. */
const routed = (prefixLength: number): number => (prefixLength === 0 ? 0 : prefixLength <= 64 ? 2 : 4);

const option: fc.Arbitrary<icmpv6.NeighborOption> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('source-link-address' as const, 'target-link-address' as const),
    hi: uint16(),
    lo: word(),
  }),
  fc.record({
    kind: fc.constant('prefix' as const),
    prefixLength: fc.nat(128),
    onLink: fc.boolean(),
    autonomous: fc.boolean(),
    validSec: uint32(),
    preferredSec: uint32(),
    prefix: address(),
  }),
  fc.record({ kind: fc.constant('redirected' as const), packet: blocks(0) }),
  fc.record({ kind: fc.constant('mtu' as const), mtuBytes: uint32() }),
  fc
    .record({
      prefixLength: fc.nat(128),
      preference: fc.constantFrom(-1, 0, 1),
      lifetimeSec: uint32(),
      prefix: address(),
    })
    .map((route) => {
      const prefix = route.prefix.map((part, i) => (i < routed(route.prefixLength) ? part : 0));
      return { kind: 'route' as const, ...route, prefix: prefix as unknown as ipv6.Address6 };
    }),
  fc.record({
    kind: fc.constant('rdnss' as const),
    lifetimeSec: uint32(),
    servers: fc.array(address(), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.nat(255).filter((type) => !KNOWN_OPTIONS.includes(type)),
    data: blocks(2),
  }),
);

const options = (): fc.Arbitrary<icmpv6.NeighborOption[]> => fc.array(option, { maxLength: 4 });
const KNOWN_TYPES: readonly number[] = [1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143];

const quote = (): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: 40, maxLength: 80 }).map((packet) => {
    packet[0] = 0x60;
    return packet;
  });

const message: fc.Arbitrary<icmpv6.Repr> = fc.oneof(
  fc.record({
    kind: fc.constant('echo' as const),
    reply: fc.boolean(),
    identifier: uint16(),
    sequence: uint16(),
    payload: bytes(),
  }),
  fc.record({
    kind: fc.constantFrom('unreachable', 'packet-too-big', 'time-exceeded', 'parameter-problem'),
    code: fc.nat(255),
    value: uint32(),
    quote: quote(),
  }),
  fc.record({
    kind: fc.constantFrom('listener-query', 'listener-report', 'listener-done'),
    maxResponseCode: uint16(),
    group: address(),
  }),
  fc.record({
    kind: fc.constant('listener-query-v2' as const),
    maxResponseCode: uint16(),
    group: address(),
    suppress: fc.boolean(),
    robustness: fc.nat(7),
    intervalCode: fc.nat(255),
    sources: fc.array(address(), { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant('listener-report-v2' as const),
    records: fc.array(
      fc.record({ type: fc.nat(255), group: address(), sources: fc.array(address(), { maxLength: 3 }) }),
      { maxLength: 3 },
    ),
  }),
  fc.record({ kind: fc.constant('router-solicitation' as const), options: options() }),
  fc.record({
    kind: fc.constant('router-advertisement' as const),
    hopLimit: fc.nat(255),
    managed: fc.boolean(),
    otherConfig: fc.boolean(),
    preference: fc.constantFrom(-1, 0, 1),
    lifetimeSec: uint16(),
    reachableMs: uint32(),
    retransmitMs: uint32(),
    options: options(),
  }),
  fc.record({ kind: fc.constant('neighbor-solicitation' as const), target: unicast(), options: options() }),
  fc.record({
    kind: fc.constant('neighbor-advertisement' as const),
    router: fc.boolean(),
    solicited: fc.boolean(),
    override: fc.boolean(),
    target: unicast(),
    options: options(),
  }),
  fc.record({ kind: fc.constant('redirect' as const), target: address(), destination: address(), options: options() }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.nat(255).filter((type) => !KNOWN_TYPES.includes(type)),
    code: fc.nat(255),
    rest: word(),
    payload: bytes(),
  }),
);

function readQuote(view: DataView, at: number): void {
  for (const read of [icmpv6.mtuBytes, icmpv6.pointer]) read(view, at);
  const quoted = at + icmpv6.HEADER_BYTES;
  for (const read of [ipv6.trafficClass, ipv6.flowLabel, ipv6.payloadBytes, ipv6.nextHeader, ipv6.hopLimit]) {
    read(view, quoted);
  }
  ipv6.srcWord(view, quoted, 0);
  ipv6.dstWord(view, quoted, 3);
}

function readRecords(view: DataView, at: number): void {
  let record = at + icmpv6.HEADER_BYTES;
  for (let left = icmpv6.listenerRecordCount(view, at); left > 0; left--) {
    icmpv6.listenerRecordType(view, record);
    icmpv6.listenerRecordGroupWord(view, record, 3);
    const sources = icmpv6.listenerRecordSourceCount(view, record);
    if (sources > 0) icmpv6.listenerRecordSourceWord(view, record, sources - 1, 3);
    record += icmpv6.listenerRecordBytes(view, record);
  }
}

function readDiscovery(view: DataView, at: number, lengthBytes: number): void {
  const type = icmpv6.type(view, at);
  const end = at + lengthBytes;
  if (type === icmpv6.TYPE_ROUTER_ADVERTISEMENT) {
    for (const read of [icmpv6.currentHopLimit, icmpv6.routerFlags, icmpv6.routerLifetimeSec]) read(view, at);
    for (const read of [icmpv6.reachableMs, icmpv6.retransmitMs]) read(view, at);
  } else if (type !== icmpv6.TYPE_ROUTER_SOLICITATION) {
    icmpv6.neighborFlags(view, at);
    icmpv6.targetWord(view, at, 3);
    if (type === icmpv6.TYPE_REDIRECT) icmpv6.destinationWord(view, at, 3);
  }
  const found = icmpv6.findNeighborOption(view, at + icmpv6.optionsOffset(type), end, 1);
  if (found >= 0) {
    icmpv6.linkAddressHi(view, found);
    icmpv6.linkAddressLo(view, found);
  }
}

const SOLICITATION = `87 00 0000 00000000 ${TWO}`;

describeWireFormat<icmpv6.Repr>('icmpv6', icmpv6, {
  valid: {
    'echo request': {
      bytes: '80 00 0000 0102 0001 6162636465',
      repr: { kind: 'echo', reply: false, identifier: 0x0102, sequence: 1, payload: hex('6162636465') },
    },
    'port unreachable': {
      bytes: `01 04 0000 00000000 ${QUOTE}`,
      repr: { kind: 'unreachable', code: icmpv6.CODE_PORT_UNREACHABLE, value: 0, quote: hex(QUOTE) },
    },
    'packet too big for 1280': {
      bytes: `02 00 0000 00000500 ${QUOTE}`,
      repr: { kind: 'packet-too-big', code: 0, value: 1280, quote: hex(QUOTE) },
    },
    'reassembly time exceeded': {
      bytes: `03 01 0000 00000000 ${QUOTE}`,
      repr: { kind: 'time-exceeded', code: icmpv6.CODE_REASSEMBLY_TIMEOUT, value: 0, quote: hex(QUOTE) },
    },
    'unknown next header at byte 6': {
      bytes: `04 01 0000 00000006 ${QUOTE}`,
      repr: { kind: 'parameter-problem', code: icmpv6.CODE_UNKNOWN_NEXT_HEADER, value: 6, quote: hex(QUOTE) },
    },
    'listener query of version 1': {
      bytes: `82 00 0000 2710 0000 ${'00'.repeat(16)}`,
      repr: { kind: 'listener-query', maxResponseCode: 10000, group: ipv6.UNSPECIFIED },
    },
    'listener report of version 1': {
      bytes: `83 00 0000 0000 0000 ${GROUP}`,
      repr: { kind: 'listener-report', maxResponseCode: 0, group: GROUP_WORDS },
    },
    'listener done': {
      bytes: `84 00 0000 0000 0000 ${GROUP}`,
      repr: { kind: 'listener-done', maxResponseCode: 0, group: GROUP_WORDS },
    },
    'listener query of version 2 with a source': {
      bytes: `82 00 0000 8001 0000 ${GROUP} 0a 7d 0001 ${ONE}`,
      repr: {
        kind: 'listener-query-v2',
        maxResponseCode: 0x8001,
        group: GROUP_WORDS,
        suppress: true,
        robustness: 2,
        intervalCode: 125,
        sources: [ONE_WORDS],
      },
    },
    'listener report of version 2': {
      bytes: `8f 00 0000 0000 0002 04 00 0000 ${GROUP} 05 00 0001 ${GROUP} ${TWO}`,
      repr: {
        kind: 'listener-report-v2',
        records: [
          { type: icmpv6.RECORD_TO_EXCLUDE, group: GROUP_WORDS, sources: [] },
          { type: icmpv6.RECORD_ALLOW, group: GROUP_WORDS, sources: [TWO_WORDS] },
        ],
      },
    },
    'router solicitation with a link address': {
      bytes: '85 00 0000 00000000 01 01 026d6b00000b',
      repr: {
        kind: 'router-solicitation',
        options: [{ kind: 'source-link-address', hi: 0x026d, lo: 0x6b00000b }],
      },
    },
    'router advertisement with MTU, prefix, name server, route, and something else': {
      bytes: `86 00 0000 40 d8 0708 00007530 000003e8
        05 01 0000 00000500
        03 04 40 c0 ffffffff 00000e10 00000000 20010db8000000000000000000000000
        19 03 0000 00000258 ${ONE}
        18 02 30 08 00000708 20010db800070000
        fe 01 aabbccddeeff`,
      repr: {
        kind: 'router-advertisement',
        hopLimit: 64,
        managed: true,
        otherConfig: true,
        preference: -1,
        lifetimeSec: 1800,
        reachableMs: 30000,
        retransmitMs: 1000,
        options: [
          { kind: 'mtu', mtuBytes: 1280 },
          {
            kind: 'prefix',
            prefixLength: 64,
            onLink: true,
            autonomous: true,
            validSec: 0xffffffff,
            preferredSec: 3600,
            prefix: [0x20010db8, 0, 0, 0],
          },
          { kind: 'rdnss', lifetimeSec: 600, servers: [ONE_WORDS] },
          { kind: 'route', prefixLength: 48, preference: 1, lifetimeSec: 1800, prefix: [0x20010db8, 0x00070000, 0, 0] },
          { kind: 'unknown', type: 254, data: hex('aabbccddeeff') },
        ],
      },
    },
    'neighbor solicitation': {
      bytes: SOLICITATION,
      repr: { kind: 'neighbor-solicitation', target: TWO_WORDS, options: [] },
    },
    'neighbor advertisement': {
      bytes: `88 00 0000 60000000 ${TWO} 02 01 026d6b00000c`,
      repr: {
        kind: 'neighbor-advertisement',
        router: false,
        solicited: true,
        override: true,
        target: TWO_WORDS,
        options: [{ kind: 'target-link-address', hi: 0x026d, lo: 0x6b00000c }],
      },
    },
    redirect: {
      bytes: `89 00 0000 00000000 ${ONE} ${TWO} 04 02 000000000000 6000000000001140`,
      repr: {
        kind: 'redirect',
        target: ONE_WORDS,
        destination: TWO_WORDS,
        options: [{ kind: 'redirected', packet: hex('6000000000001140') }],
      },
    },
    'a type nobody knows': {
      bytes: 'c8 07 0000 01020304 05',
      repr: { kind: 'unknown', type: 200, code: 7, rest: 0x01020304, payload: hex('05') },
    },
  },
  malformed: {
    nothing: { reason: 'icmp6-short', bytes: '' },
    'a byte less than a header': { reason: 'icmp6-short', bytes: '80 00 0000 0001 00' },
    'a solicitation without its target': { reason: 'icmp6-bad-length', bytes: '87 00 0000 00000000 fe80' },
    'an advertisement of 15 bytes': { reason: 'icmp6-bad-length', bytes: '86 00 0000 40000708 00000000 000000' },
    'a redirect without a destination': { reason: 'icmp6-bad-length', bytes: `89 00 0000 00000000 ${ONE}` },
    'a listener query of 26 bytes': { reason: 'icmp6-bad-length', bytes: `82 00 0000 00000000 ${GROUP} 0000` },
    'a listener query with fewer sources than it says': {
      reason: 'icmp6-bad-length',
      bytes: `82 00 0000 00000000 ${GROUP} 00 00 0002 ${ONE}`,
    },
    'a listener report without its group': { reason: 'icmp6-bad-length', bytes: '83 00 0000 00000000 ff02' },
    'a report with half a record': { reason: 'icmp6-bad-length', bytes: '8f 00 0000 0000 0001 04 00 0000 ff02' },
    'a report with auxiliary data cut off': {
      reason: 'icmp6-bad-length',
      bytes: `8f 00 0000 0000 0001 04 01 0000 ${GROUP}`,
    },
    'an error without a quote': { reason: 'icmp6-bad-quote', bytes: '01 04 0000 00000000' },
    'an error about something else than IPv6': {
      reason: 'icmp6-bad-quote',
      bytes: `03 00 0000 00000000 ${QUOTE.replace('6', '4')}`,
    },
    'a solicitation with a code': { reason: 'icmp6-bad-code', bytes: SOLICITATION.replace('87 00', '87 01') },
    'a solicitation for a group': { reason: 'icmp6-bad-target', bytes: SOLICITATION.replace(TWO, GROUP) },
    'an option of length 0': { reason: 'icmp6-bad-option', bytes: `${SOLICITATION} 01 00 026d6b00000b` },
    'an option beyond the end': { reason: 'icmp6-bad-option', bytes: `${SOLICITATION} 01 02 026d6b00000b` },
    'a byte behind the options': { reason: 'icmp6-bad-option', bytes: `${SOLICITATION} 01 01 026d6b00000b 01` },
  },
  arbitrary: message,
  read(view, at, lengthBytes) {
    for (const read of [icmpv6.type, icmpv6.code, icmpv6.checksum, icmpv6.rest]) read(view, at);
    for (const read of [icmpv6.identifier, icmpv6.sequence, icmpv6.maxResponseCode]) read(view, at);
    const type = icmpv6.type(view, at);
    if (type >= icmpv6.TYPE_DESTINATION_UNREACHABLE && type <= icmpv6.TYPE_PARAMETER_PROBLEM) readQuote(view, at);
    if (type === icmpv6.TYPE_LISTENER_REPORT_V2) readRecords(view, at);
    if (icmpv6.optionsOffset(type) !== 0) readDiscovery(view, at, lengthBytes);
  },
});

describe('icmpv6', () => {
  it('covers the addresses with its checksum', () => {
    // The example packet of ping6 between fe80::1 and fe80::2: header, then an echo request of 8 bytes.
    const view = hexView(`60000000 0008 3a ff ${ONE} ${TWO} 80 00 0000 0001 0001`);
    icmpv6.fillChecksum(view, 0, 40, 8);
    // fe80 + 1 + fe80 + 2 + 8 + 3a + 8000 + 1 + 1 = 27d47, folded 7d49, complemented 82b6.
    expect(icmpv6.checksum(view, 40)).toBe(0x82b6);
    expect(ipv6.verifyUpper(view, 0, 40, icmpv6.PROTOCOL_ICMPV6, 8)).toBe(true);
    view.setUint8(39, 3);
    expect(ipv6.verifyUpper(view, 0, 40, icmpv6.PROTOCOL_ICMPV6, 8)).toBe(false);
  });

  it('finds an option among others, and none in a broken list', () => {
    const view = hexView('05 01 000000000500 01 01 026d6b00000b 02 00');
    expect(icmpv6.findNeighborOption(view, 0, 16, icmpv6.OPTION_SOURCE_LINK_ADDRESS)).toBe(8);
    expect(icmpv6.findNeighborOption(view, 0, 16, icmpv6.OPTION_PREFIX)).toBe(-1);
    expect(icmpv6.findNeighborOption(view, 0, 18, icmpv6.OPTION_TARGET_LINK_ADDRESS)).toBe(-1);
  });

  it('keeps known options of a wrong length as unknown ones', () => {
    const long = [1, 5, 25].map((type) => ({ kind: 'unknown' as const, type, data: new Uint8Array(14) }));
    // Name servers take 8 bytes and 16 each, so 32 are as wrong as 16.
    const options = [...long, { kind: 'unknown' as const, type: icmpv6.OPTION_RDNSS, data: new Uint8Array(30) }];
    const repr: icmpv6.Repr = { kind: 'router-solicitation', options };
    const view = new DataView(new ArrayBuffer(icmpv6.lengthOf(repr)));
    icmpv6.emit(repr, view, 0);
    expect(icmpv6.parse(view, 0, view.byteLength)).toEqual(repr);
  });

  it('sets the target in place', () => {
    const view = hexView(`87 00 0000 00000000 ${'00'.repeat(16)}`);
    icmpv6.setTarget(view, 0, ...TWO_WORDS);
    expect(icmpv6.parse(view, 0, view.byteLength)).toEqual({
      kind: 'neighbor-solicitation',
      target: TWO_WORDS,
      options: [],
    });
  });

  it('pads what an option leaves of its last 8 bytes', () => {
    const list: icmpv6.NeighborOption[] = [{ kind: 'unknown', type: 99, data: hex('01') }];
    const view = hexView('ffffffffffffffff');
    expect(icmpv6.emitNeighborOptions(list, view, 0)).toBe(8);
    expect(view.getBigUint64(0)).toBe(0x6301_0100_0000_0000n);
  });

  it('decodes response delays (RFC 3810 section 5.1.3)', () => {
    expect([0, 10000, 0x7fff].map(icmpv6.decodeDelayMs)).toEqual([0, 10000, 32767]);
    expect([0x8000, 0x8001, 0xffff].map(icmpv6.decodeDelayMs)).toEqual([32768, 32776, 8387584]);
  });

  it('takes all types below 128 for errors (RFC 4443 section 2.1)', () => {
    expect([1, 4, 100, 127].every(icmpv6.isError)).toBe(true);
    expect([128, 135, 255].some(icmpv6.isError)).toBe(false);
  });
});
