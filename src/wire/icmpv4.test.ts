/** ICMP: a message of every type by hand, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, hexView } from '../../test/fixtures/hex.ts';
import * as icmpv4 from './icmpv4.ts';
import * as ipv4 from './ipv4.ts';

/** 10.0.0.10 → 10.0.0.11 UDP, port 1234 to 7. */
const QUOTE = '4500001c 12340000 40115489 0a00000a 0a00000b 04d20007 00080000';

const uint16 = (): fc.Arbitrary<number> => fc.nat(0xffff);
const uint32 = (): fc.Arbitrary<number> => fc.nat(0xffffffff);
const bytes = (): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: 40 });
const query = { reply: fc.boolean(), identifier: uint16(), sequence: uint16() };

/** A quoted packet: a header of any length, and some of what follows. */
const quote = (): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.integer({ min: 5, max: 15 }), bytes(), fc.uint8Array({ minLength: 60, maxLength: 60 }))
    .map(([words, rest, noise]) => {
      const result = new Uint8Array(4 * words + rest.length);
      result.set(noise.subarray(0, 4 * words));
      result.set(rest, 4 * words);
      result[0] = 0x40 | words;
      return result;
    });

const KNOWN_TYPES = new Set([0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);

const message: fc.Arbitrary<icmpv4.Repr> = fc.oneof(
  fc.record({ kind: fc.constant('echo' as const), ...query, payload: bytes() }),
  fc.record({
    kind: fc.constant('unreachable' as const),
    code: fc.nat(255),
    nextHopMtuBytes: uint16(),
    quote: quote(),
  }),
  fc.record({ kind: fc.constant('source-quench' as const), quote: quote() }),
  fc.record({ kind: fc.constant('redirect' as const), code: fc.nat(255), gateway: fc.integer(), quote: quote() }),
  fc.record({ kind: fc.constant('time-exceeded' as const), code: fc.nat(255), quote: quote() }),
  fc.record({
    kind: fc.constant('parameter-problem' as const),
    code: fc.nat(255),
    pointer: fc.nat(255),
    quote: quote(),
  }),
  fc.record({
    kind: fc.constant('timestamp' as const),
    ...query,
    originate: uint32(),
    receive: uint32(),
    transmit: uint32(),
  }),
  fc.record({ kind: fc.constant('information' as const), ...query }),
  fc.record({ kind: fc.constant('address-mask' as const), ...query, mask: fc.integer() }),
  fc.record({
    kind: fc.constant('router-advertisement' as const),
    lifetimeSec: uint16(),
    routers: fc.array(fc.record({ address: fc.integer(), preference: fc.integer() }), { minLength: 1, maxLength: 5 }),
  }),
  fc.constant({ kind: 'router-solicitation' as const }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.nat(255).filter((type) => !KNOWN_TYPES.has(type)),
    code: fc.nat(255),
    rest: fc.integer(),
    payload: bytes(),
  }),
);

function readError(view: DataView, at: number): void {
  for (const read of [icmpv4.gateway, icmpv4.nextHopMtuBytes, icmpv4.pointer]) read(view, at);
  const quoted = at + icmpv4.HEADER_BYTES;
  for (const read of [ipv4.version, ipv4.totalLength, ipv4.protocol, ipv4.src, ipv4.dst]) read(view, quoted);
  view.getUint8(quoted + ipv4.headerBytes(view, quoted) - 1);
}

describeWireFormat<icmpv4.Repr>('icmpv4', icmpv4, {
  valid: {
    'echo request': {
      bytes: '08 00 cd35 0102 0001 6162636465',
      repr: { kind: 'echo', reply: false, identifier: 0x0102, sequence: 1, payload: hex('6162636465') },
    },
    'echo reply': {
      bytes: '00 00 7fff ffff 8000',
      repr: { kind: 'echo', reply: true, identifier: 0xffff, sequence: 0x8000, payload: hex('') },
    },
    'port unreachable': {
      bytes: `03 03 f81b 00000000 ${QUOTE}`,
      repr: { kind: 'unreachable', code: icmpv4.CODE_PORT_UNREACHABLE, nextHopMtuBytes: 0, quote: hex(QUOTE) },
    },
    'fragmentation needed, next hop takes 1400': {
      bytes: `03 04 f2a2 00000578 ${QUOTE}`,
      repr: { kind: 'unreachable', code: icmpv4.CODE_FRAGMENTATION_NEEDED, nextHopMtuBytes: 1400, quote: hex(QUOTE) },
    },
    'source quench': { bytes: `04 00 f71e 00000000 ${QUOTE}`, repr: { kind: 'source-quench', quote: hex(QUOTE) } },
    'redirect for the host': {
      bytes: `05 01 3574 c0a80001 ${QUOTE}`,
      repr: { kind: 'redirect', code: icmpv4.CODE_REDIRECT_HOST, gateway: 0xc0a80001 | 0, quote: hex(QUOTE) },
    },
    'time exceeded in reassembly': {
      bytes: `0b 01 f01d 00000000 ${QUOTE}`,
      repr: { kind: 'time-exceeded', code: icmpv4.CODE_REASSEMBLY_TIMEOUT, quote: hex(QUOTE) },
    },
    'parameter problem at byte 20': {
      bytes: `0c 00 db1e 14000000 ${QUOTE}`,
      repr: { kind: 'parameter-problem', code: icmpv4.CODE_POINTER, pointer: 20, quote: hex(QUOTE) },
    },
    'timestamp reply': {
      bytes: '0e 00 71f5 0001 0002 00000003 80000004 ffffffff',
      repr: {
        kind: 'timestamp',
        reply: true,
        identifier: 1,
        sequence: 2,
        originate: 3,
        receive: 0x80000004,
        transmit: 0xffffffff,
      },
    },
    'timestamp request': {
      bytes: '0d 00 f2f9 0001 0002 00000003 00000000 00000000',
      repr: { kind: 'timestamp', reply: false, identifier: 1, sequence: 2, originate: 3, receive: 0, transmit: 0 },
    },
    'information request': {
      bytes: '0f 00 f0fc 0001 0002',
      repr: { kind: 'information', reply: false, identifier: 1, sequence: 2 },
    },
    'address mask reply': {
      bytes: '12 00 eefb 0001 0002 ffffff00',
      repr: { kind: 'address-mask', reply: true, identifier: 1, sequence: 2, mask: -256 },
    },
    'router advertisement': {
      bytes: '09 00 59f2 02 02 0708 0a000001 00000000 0a000002 80000000',
      repr: {
        kind: 'router-advertisement',
        lifetimeSec: 1800,
        routers: [
          { address: 0x0a000001, preference: 0 },
          { address: 0x0a000002, preference: -0x80000000 },
        ],
      },
    },
    'router solicitation': { bytes: '0a 00 f5ff 00000000', repr: { kind: 'router-solicitation' } },
    'a type nobody knows': {
      bytes: 'fd 07 f9f1 01020304 05',
      repr: { kind: 'unknown', type: 253, code: 7, rest: 0x01020304, payload: hex('05') },
    },
  },
  malformed: {
    nothing: { reason: 'icmp-short', bytes: '' },
    'a byte less than a header': { reason: 'icmp-short', bytes: '08 00 0000 0001 00' },
    'a timestamp message of 19 bytes': {
      reason: 'icmp-bad-length',
      bytes: '0e 00 0000 0001 0002 00000003 80000004 ffffff',
    },
    'an address mask message of 11 bytes': { reason: 'icmp-bad-length', bytes: '11 00 0000 0001 0002 ffffff' },
    'an advertisement of nobody': { reason: 'icmp-bad-length', bytes: '09 00 0000 00 02 0708 0a000001 00000000' },
    'an advertisement with entries of one word': { reason: 'icmp-bad-length', bytes: '09 00 0000 01 01 0708 0a000001' },
    'an advertisement cut short': { reason: 'icmp-bad-length', bytes: '09 00 0000 02 02 0708 0a000001 00000000 0a00' },
    'an error without a quote': { reason: 'icmp-bad-quote', bytes: '03 03 0000 00000000' },
    'an error with half a header quoted': { reason: 'icmp-bad-quote', bytes: '0b 00 0000 00000000 4500001c 12340000' },
    'an error about something else than IPv4': {
      reason: 'icmp-bad-quote',
      bytes: `05 01 0000 c0a80001 ${QUOTE.replace('4500', '6500')}`,
    },
    'an error with quoted options cut short': {
      reason: 'icmp-bad-quote',
      bytes: `0c 00 0000 00000000 ${QUOTE.replace('4500', '4900')}`,
    },
    'an error with a quoted header of 16 bytes': {
      reason: 'icmp-bad-quote',
      bytes: `04 00 0000 00000000 ${QUOTE.replace('4500', '4400')}`,
    },
  },
  arbitrary: message,
  read(view, at, lengthBytes) {
    for (const read of [icmpv4.type, icmpv4.code, icmpv4.checksum, icmpv4.rest]) read(view, at);
    for (const read of [icmpv4.identifier, icmpv4.sequence]) read(view, at);
    icmpv4.verify(view, at, lengthBytes);
    const type = icmpv4.type(view, at);
    if (icmpv4.isError(type)) readError(view, at);
    if (type === icmpv4.TYPE_TIMESTAMP_REQUEST || type === icmpv4.TYPE_TIMESTAMP_REPLY) {
      for (const read of [icmpv4.originateTimestamp, icmpv4.receiveTimestamp, icmpv4.transmitTimestamp]) read(view, at);
    }
    if (type === icmpv4.TYPE_ADDRESS_MASK_REQUEST || type === icmpv4.TYPE_ADDRESS_MASK_REPLY) {
      icmpv4.addressMask(view, at);
    }
  },
  mend(view, at, lengthBytes) {
    if (lengthBytes >= icmpv4.HEADER_BYTES) icmpv4.fillChecksum(view, at, lengthBytes);
  },
});

describe('icmpv4', () => {
  it('parses no message whose checksum is wrong', () => {
    const view = hexView('08 00 0000 0102 0001 6162636465');
    expect(icmpv4.verify(view, 0, view.byteLength)).toBe(false);
    expect(icmpv4.parse(view, 0, view.byteLength)).toBeNull();
  });

  it('knows which messages are errors', () => {
    const errors = Array.from({ length: 256 }, (_, type) => type).filter(icmpv4.isError);
    expect(errors).toEqual([3, 4, 5, 11, 12]);
  });
});
