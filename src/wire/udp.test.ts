/** UDP: datagrams by hand, checksums over the pseudo-header, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, hexView } from '../../test/fixtures/hex.ts';
import * as udp from './udp.ts';

const SRC = 0x0a00000a;
const DST = 0x0a00000b;

/** From 10.0.0.10 port 1234 to 10.0.0.11 port 7: "hello", an odd number of bytes. */
const HELLO = '04d2 0007 000d a314 68656c6c6f';

describeWireFormat<udp.Repr>('udp', udp, {
  valid: {
    'five bytes to the echo port': {
      bytes: HELLO,
      repr: { srcPort: 1234, dstPort: 7, payload: hex('68656c6c6f') },
    },
    'no payload, no source port': {
      bytes: '0000 ffff 0008 ebc9',
      repr: { srcPort: 0, dstPort: 65535, payload: hex('') },
    },
  },
  malformed: {
    nothing: { reason: 'udp-short', bytes: '' },
    'a byte less than a header': { reason: 'udp-short', bytes: '04d2 0007 0008 00' },
    'a length less than a header': { reason: 'udp-bad-length', bytes: '04d2 0007 0007 0000' },
    'a length of 0': { reason: 'udp-bad-length', bytes: '04d2 0007 0000 0000' },
    'a length beyond the packet': { reason: 'udp-bad-length', bytes: '04d2 0007 000a 0000 00' },
    'to port 0': { reason: 'udp-bad-port', bytes: '04d2 0000 0008 0000' },
  },
  arbitrary: fc.record({
    srcPort: fc.nat(65535),
    dstPort: fc.integer({ min: 1, max: 65535 }),
    payload: fc.uint8Array({ maxLength: 60 }),
  }),
  read(view, at) {
    for (const read of [udp.srcPort, udp.dstPort, udp.length, udp.checksum]) read(view, at);
    udp.verify(view, at, SRC, DST);
  },
  seal: (view, at) => udp.fillChecksum(view, at, SRC, DST),
});

describe('udp checksum', () => {
  it('covers addresses, ports and an odd last byte', () => {
    expect(udp.verify(hexView(HELLO), 0, SRC, DST)).toBe(true);
    expect(udp.verify(hexView(HELLO), 0, SRC, DST + 1)).toBe(false);
    expect(udp.verify(hexView(HELLO.replace('0007', '0009')), 0, SRC, DST)).toBe(false);
    expect(udp.verify(hexView(HELLO.replace(/6f$/, '70')), 0, SRC, DST)).toBe(false);
  });

  it('takes a field of 0 for "none"', () => {
    expect(udp.verify(hexView(HELLO.replace('a314', '0000')), 0, SRC, DST)).toBe(true);
  });

  it('sends a sum that comes out as 0 as ffff', () => {
    // Addresses 0 and 0: 17 + 10 + port + length 10 + payload must be 0xffff.
    const view = hexView('0000 0001 000a 0000 0000');
    view.setUint16(8, 0xffff - 17 - 10 - 10 - 1);
    udp.fillChecksum(view, 0, 0, 0);
    expect(udp.checksum(view, 0)).toBe(0xffff);
    expect(udp.verify(view, 0, 0, 0)).toBe(true);
  });

  it('leaves padding behind the datagram alone', () => {
    const padded = hexView(`${HELLO} ffff`);
    expect(udp.check(padded, 0, padded.byteLength)).toBe(0);
    expect(udp.verify(padded, 0, SRC, DST)).toBe(true);
    expect(udp.parse(padded, 0, padded.byteLength)?.payload).toEqual(hex('68656c6c6f'));
  });
});
