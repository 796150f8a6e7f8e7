/** TCP segments: literal bytes, every malformed form, the option list, and what holds of all of them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, hexView, toHex } from '../../test/fixtures/hex.ts';
import * as tcp from './tcp.ts';

/** 10.0.0.11:49152 → 10.0.0.12:80, SYN with the options everybody sends; the checksum was computed elsewhere. */
const SYN = 'c000 0050 12345678 00000000 a002 fffe 0aed 0000 020405b4 0402 080a 00000001 00000000 01 030307';
const SRC = 0x0a00000b;
const DST = 0x0a00000c;

const SYN_REPR: tcp.Repr = {
  srcPort: 49152,
  dstPort: 80,
  seq: 0x12345678,
  ack: 0,
  flags: tcp.FLAG_SYN,
  window: 65534,
  urgentPointer: 0,
  options: [
    { kind: 'mss', mss: 1460 },
    { kind: 'sack-permitted' },
    { kind: 'timestamps', value: 1, echo: 0 },
    { kind: 'nop' },
    { kind: 'window-scale', shift: 7 },
  ],
  payload: hex(''),
};

/** ACK with data, urgent pointer, two SACK blocks, user timeout and an unknown option. */
const DATA = `0001 ffff fffffffe 80000001 d038 0200 9342 0003
  0101 0512 00000010 00000020 fffffff0 00000010
  1c04 8005 1e06 00010203 0000
  68656c6c6f`;

const DATA_REPR: tcp.Repr = {
  srcPort: 1,
  dstPort: 65535,
  seq: -2,
  ack: -0x7fffffff,
  flags: tcp.FLAG_ACK | tcp.FLAG_PSH | tcp.FLAG_URG,
  window: 512,
  urgentPointer: 3,
  options: [
    { kind: 'nop' },
    { kind: 'nop' },
    {
      kind: 'sack',
      blocks: [
        { start: 16, end: 32 },
        { start: -16, end: 16 },
      ],
    },
    { kind: 'user-timeout', timeout: 0x8005 },
    { kind: 'unknown', type: 30, data: hex('00010203') },
  ],
  payload: hex('68656c6c6f'),
};

describe('TCP segment', () => {
  it('names the fields', () => {
    const view = hexView(SYN);
    expect(tcp.srcPort(view, 0)).toBe(49152);
    expect(tcp.dstPort(view, 0)).toBe(80);
    expect(tcp.seq(view, 0)).toBe(0x12345678);
    expect(tcp.ack(view, 0)).toBe(0);
    expect(tcp.headerBytes(view, 0)).toBe(40);
    expect(tcp.flags(view, 0)).toBe(tcp.FLAG_SYN);
    expect(tcp.window(view, 0)).toBe(65534);
    expect(tcp.checksum(view, 0)).toBe(0x0aed);
    expect(tcp.urgentPointer(view, 0)).toBe(0);
    expect(tcp.verify(view, 0, view.byteLength, SRC, DST)).toBe(true);
    expect(tcp.verify(view, 0, view.byteLength, SRC, DST + 1)).toBe(false);
  });

  it('sets the fields', () => {
    const view = new DataView(new ArrayBuffer(20));
    tcp.setSrcPort(view, 0, 1);
    tcp.setDstPort(view, 0, 0xffff);
    tcp.setSeq(view, 0, -2);
    tcp.setAck(view, 0, 0x80000001 | 0);
    tcp.setHeaderBytesAndFlags(view, 0, 20, 0xff);
    tcp.setFlags(view, 0, tcp.FLAG_ACK);
    tcp.setWindow(view, 0, 512);
    tcp.setChecksum(view, 0, 0xabcd);
    tcp.setUrgentPointer(view, 0, 3);
    expect(toHex(new Uint8Array(view.buffer))).toBe('0001fffffffffffe8000000150100200abcd0003');
  });

  it('ignores the reserved bits, and what follows the end of the list', () => {
    const view = hexView('0001 0002 00000000 00000000 6f10 0200 0000 0000 00 020405');
    expect(tcp.parse(view, 0, 24)).toMatchObject({ flags: tcp.FLAG_ACK, options: [] });
  });

  it('keeps known options of a wrong length as unknown ones', () => {
    const view = hexView('0203ff 0205ffffff 0302 0403ff 0502 0509 00000000000000 0803ff 1c03ff');
    const options = tcp.parseOptionList(view, 0, view.byteLength);
    expect(options?.map((option) => option.kind)).toEqual(new Array(8).fill('unknown'));
  });

  it('refuses more options than fit', () => {
    const repr = { ...SYN_REPR, options: [{ kind: 'unknown' as const, type: 30, data: new Uint8Array(39) }] };
    expect(() => tcp.emit(repr, new DataView(new ArrayBuffer(100)), 0)).toThrow('44 bytes, 40 fit');
  });
});

describe('TCP segments with malformed options', () => {
  for (const options of ['0101 0103', '0206 05b4', '0101 0200', '0101 01ff', '1e01 0101', '0102 0002']) {
    it(`has no object with the options '${options}'`, () => {
      const view = hexView(`0001 0002 00000000 00000000 6010 0200 0000 0000 ${options}`);
      expect(tcp.check(view, 0, 24)).toBe(0);
      expect(tcp.parse(view, 0, 24)).toBeNull();
      expect(tcp.parseOptions(view, 20, 24, new tcp.TcpOptions())).toBe(tcp.OPTIONS_MALFORMED);
    });
  }
});

describe('TCP options without objects', () => {
  const options = new tcp.TcpOptions();
  const read = (digits: string): number => tcp.parseOptions(hexView(digits), 0, hex(digits).length, options);

  it('reads what a SYN offers', () => {
    expect(read('020405b4 0402 080a 00000001 ffffffff 01 03030f')).toBe(tcp.OPTIONS_GOOD);
    expect(options).toMatchObject({
      mss: 1460,
      windowScale: tcp.WINDOW_SCALE_MAX,
      sackPermitted: true,
      timestamps: true,
      tsValue: 1,
      tsEcho: -1,
      sackCount: 0,
    });
  });

  it('forgets the segment before', () => {
    read('020405b4 0402 080a 00000001 00000002 01 030307');
    expect(read('')).toBe(tcp.OPTIONS_GOOD);
    expect(options).toEqual(
      Object.assign(new tcp.TcpOptions(), { sackStart: options.sackStart, sackEnd: options.sackEnd }),
    );
    expect(options).toMatchObject({ mss: 0, windowScale: -1, sackPermitted: false, timestamps: false, sackCount: 0 });
  });

  it('reads up to four SACK blocks, and no more where a list is longer than a header holds', () => {
    expect(read('0101 0512 00000001 00000002 fffffffe ffffffff')).toBe(tcp.OPTIONS_GOOD);
    expect(options.sackCount).toBe(2);
    expect([...options.sackStart.subarray(0, 2), ...options.sackEnd.subarray(0, 2)]).toEqual([1, -2, 2, -1]);
    expect(read(`052a ${'00000001 00000002'.repeat(5)}`)).toBe(tcp.OPTIONS_GOOD);
    expect(options.sackCount).toBe(tcp.SACK_BLOCKS_MAX);
  });

  it('skips known options of a wrong length and unknown ones', () => {
    expect(read('0203ff 0302 0403ff 0502 050300 0803ff 1e06 00010203')).toBe(tcp.OPTIONS_GOOD);
    expect(options).toMatchObject({ mss: 0, windowScale: -1, sackPermitted: false, timestamps: false, sackCount: 0 });
  });

  it('keeps what came before a malformed option', () => {
    expect(read('020405b4 08ff')).toBe(tcp.OPTIONS_MALFORMED);
    expect(options.mss).toBe(1460);
    expect(read('08')).toBe(tcp.OPTIONS_MALFORMED);
    expect(options.mss).toBe(0);
  });

  it('agrees with the list of objects on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const view = new DataView(bytes.slice().buffer);
        const list = tcp.parseOptionList(view, 0, view.byteLength);
        const result = tcp.parseOptions(view, 0, view.byteLength, options);
        expect(result).toBe(list === null ? tcp.OPTIONS_MALFORMED : tcp.OPTIONS_GOOD);
        for (const option of list ?? []) {
          if (option.kind === 'sack-permitted') expect(options.sackPermitted).toBe(true);
          if (option.kind === 'timestamps') expect(options.timestamps).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const uint16 = (): fc.Arbitrary<number> => fc.nat(0xffff);
const int32 = (): fc.Arbitrary<number> => fc.integer();
const KNOWN: readonly number[] = [0, 1, 2, 3, 4, 5, 8, 28];

const option: fc.Arbitrary<tcp.TcpOption> = fc.oneof(
  fc.constant<tcp.TcpOption>({ kind: 'nop' }),
  fc.record({ kind: fc.constant('mss' as const), mss: uint16() }),
  fc.record({ kind: fc.constant('window-scale' as const), shift: fc.nat(255) }),
  fc.constant<tcp.TcpOption>({ kind: 'sack-permitted' }),
  fc.record({
    kind: fc.constant('sack' as const),
    blocks: fc.array(fc.record({ start: int32(), end: int32() }), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('timestamps' as const), value: int32(), echo: int32() }),
  fc.record({ kind: fc.constant('user-timeout' as const), timeout: uint16() }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.nat(255).filter((type) => !KNOWN.includes(type)),
    data: fc.uint8Array({ maxLength: 12 }),
  }),
);

const segment: fc.Arbitrary<tcp.Repr> = fc.record({
  srcPort: fc.integer({ min: 1, max: 65535 }),
  dstPort: fc.integer({ min: 1, max: 65535 }),
  seq: int32(),
  ack: int32(),
  flags: fc.nat(255),
  window: uint16(),
  urgentPointer: uint16(),
  options: fc.array(option, { maxLength: 6 }).filter((list) => tcp.optionsLength(list) <= tcp.OPTION_BYTES_MAX),
  payload: fc.uint8Array({ maxLength: 64 }),
});

describeWireFormat<tcp.Repr>('any TCP segment', tcp, {
  valid: {
    SYN: { bytes: SYN, repr: SYN_REPR },
    'data, SACK blocks, an unknown option': { bytes: DATA, repr: DATA_REPR },
  },
  malformed: {
    nothing: { reason: 'tcp-short', bytes: '' },
    'a byte less than a header': { reason: 'tcp-short', bytes: '0001 0002 00000000 00000000 5010 0200 0000 00' },
    'a data offset of 4 words': { reason: 'tcp-bad-offset', bytes: '0001 0002 00000000 00000000 4010 0200 0000 0000' },
    'options cut off': { reason: 'tcp-bad-offset', bytes: '0001 0002 00000000 00000000 6010 0200 0000 0000 010101' },
    'from port 0': { reason: 'tcp-bad-port', bytes: '0000 0002 00000000 00000000 5010 0200 0000 0000' },
    'to port 0': { reason: 'tcp-bad-port', bytes: '0001 0000 00000000 00000000 5010 0200 0000 0000' },
  },
  arbitrary: segment,
  read(view, at, lengthBytes) {
    const fields = [tcp.srcPort, tcp.dstPort, tcp.seq, tcp.ack, tcp.headerBytes, tcp.flags, tcp.window, tcp.checksum];
    for (const read of [...fields, tcp.urgentPointer]) read(view, at);
    tcp.verify(view, at, lengthBytes, SRC, DST);
    tcp.parseOptions(view, at + tcp.HEADER_BYTES, at + tcp.headerBytes(view, at), new tcp.TcpOptions());
  },
  seal: (view, at, lengthBytes) => tcp.fillChecksum(view, at, lengthBytes, SRC, DST),
});
