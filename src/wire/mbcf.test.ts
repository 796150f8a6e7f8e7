import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as mbcf from './mbcf.ts';

const NODES = { source: 2, destination: 1 };
const EPOCHS = { source: 0x0a0b0c0d, destination: 0x01020304 };

interface Operation {
  code: number;
  flags?: number;
  handle?: number;
  tag?: number;
  address?: number;
  data?: string;
}

/** A packet, as hex in words of four bytes. */
function packet(
  type: number,
  flags: number,
  number: number,
  acknowledged: number,
  operations: Operation[] = [],
): string {
  const bytes = new Uint8Array(1500);
  const view = new DataView(bytes.buffer);
  const wide = (flags & mbcf.FLAG_ADDRESS_64) !== 0;
  mbcf.writeHeader(
    view,
    0,
    type,
    flags,
    NODES.source,
    NODES.destination,
    EPOCHS.source,
    EPOCHS.destination,
    number,
    acknowledged,
  );
  let at = mbcf.HEADER_BYTES;
  for (const { code, flags: bits = 0, handle = 0, tag = 0, address = 0, data = '' } of operations) {
    const content = Buffer.from(data.replaceAll(' ', ''), 'hex');
    const dataAt = mbcf.writeOperation(view, at, wide, code, bits, content.length, handle, tag, address);
    bytes.set(content, dataAt);
    at += mbcf.paddedBytes(wide, content.length);
  }
  mbcf.setOperations(view, 0, at - mbcf.HEADER_BYTES, operations.length);
  expect(mbcf.check(view, 0, at)).toBe(0);
  return words(bytes.subarray(0, at));
}

function words(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/.{8}(?=.)/g, '$& ');
}

const VECTORS: [string, () => string, string][] = [
  [
    'HELLO',
    () => packet(mbcf.TYPE_HELLO, 0, 1, 1),
    '10000000 00000002 00000001 0a0b0c0d 01020304 00000001 00000001 00000000',
  ],
  [
    'HELLO_ACK',
    () => packet(mbcf.TYPE_HELLO_ACK, 0, 1, 1),
    '11000000 00000002 00000001 0a0b0c0d 01020304 00000001 00000001 00000000',
  ],
  [
    'ACK that asks',
    () => packet(mbcf.TYPE_ACK, mbcf.FLAG_ACK_NOW, 9, 0x7fffffff),
    '13010000 00000002 00000001 0a0b0c0d 01020304 00000009 7fffffff 00000000',
  ],
  [
    'NAK',
    () => packet(mbcf.TYPE_NAK, 0, 9, -2),
    '14000000 00000002 00000001 0a0b0c0d 01020304 00000009 fffffffe 00000000',
  ],
  [
    'WRITE of five bytes, addresses of 64 bits',
    () =>
      packet(mbcf.TYPE_DATA, mbcf.FLAG_ADDRESS_64, 7, 8, [
        {
          code: mbcf.CODE_WRITE,
          flags: mbcf.OPERATION_STATUS,
          handle: 3,
          tag: 0x00100001,
          address: 0x1_0000_0010,
          data: '68656c6c6f',
        },
      ]),
    '12020000 00000002 00000001 0a0b0c0d 01020304 00000007 00000008 001c0001 02010005 00000003 00100001 00000001 00000010 68656c6c 6f000000',
  ],
  [
    'READ, addresses of 32 bits',
    () =>
      packet(mbcf.TYPE_DATA, mbcf.FLAG_ACK_NOW, 7, 8, [
        {
          code: mbcf.CODE_READ,
          flags: mbcf.OPERATION_STATUS,
          handle: 3,
          tag: 5,
          address: 0xffff_fff0,
          data: '00000010',
        },
      ]),
    '12010000 00000002 00000001 0a0b0c0d 01020304 00000007 00000008 00140001 03010004 00000003 00000005 fffffff0 00000010',
  ],
  [
    'fetch and add of 32 bits, then of 64, in one packet',
    () =>
      packet(mbcf.TYPE_DATA, 0, 7, 8, [
        {
          code: mbcf.CODE_ATOMIC_32 + 8,
          flags: mbcf.OPERATION_FETCH,
          handle: 1,
          tag: 2,
          address: 4,
          data: 'ffffffff 00000000',
        },
        {
          code: mbcf.CODE_ATOMIC_64 + 8,
          flags: mbcf.OPERATION_FETCH,
          handle: 1,
          tag: 3,
          address: 8,
          data: '0000000000000001 0000000000000000',
        },
      ]),
    '12000000 00000002 00000001 0a0b0c0d 01020304 00000007 00000008 00380002 28020008 00000001 00000002 00000004 ffffffff 00000000 48020010 00000001 00000003 00000008 00000000 00000001 00000000 00000000',
  ],
  [
    'REPLY with a value, and one that refuses',
    () =>
      packet(mbcf.TYPE_DATA, 0, 7, 8, [
        { code: mbcf.CODE_REPLY, handle: 1, tag: 2, data: '00000029' },
        { code: mbcf.CODE_REPLY, handle: 6, tag: 3 },
      ]),
    '12000000 00000002 00000001 0a0b0c0d 01020304 00000007 00000008 00240002 00000004 00000001 00000002 00000000 00000029 00000000 00000006 00000003 00000000',
  ],
  [
    'ATTACH of task 10 by task 20',
    () =>
      packet(mbcf.TYPE_DATA, 0, 1, 1, [
        {
          code: mbcf.CODE_ATTACH,
          flags: mbcf.OPERATION_STATUS,
          tag: 1,
          data: '0000000a 00000014 000102030405060708090a0b0c0d0e0f',
        },
      ]),
    '12000000 00000002 00000001 0a0b0c0d 01020304 00000001 00000001 00280001 0e010018 00000000 00000001 00000000 0000000a 00000014 00010203 04050607 08090a0b 0c0d0e0f',
  ],
  [
    'SIGNAL 3 with three bytes',
    () => packet(mbcf.TYPE_DATA, 0, 1, 1, [{ code: mbcf.CODE_SIGNAL, handle: 2, address: 3, data: '616263' }]),
    '12000000 00000002 00000001 0a0b0c0d 01020304 00000001 00000001 00140001 0d000003 00000002 00000000 00000003 61626300',
  ],
];

describe('MBCF packets', () => {
  it.each(VECTORS)('%s has these bytes', (_name, make, expected) => {
    expect(make()).toBe(expected);
  });

  it('are read field by field', () => {
    const bytes = Buffer.from(VECTORS[4]![2].replaceAll(' ', ''), 'hex');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    expect([mbcf.type(view, 0), mbcf.flags(view, 0), mbcf.checksum(view, 0)]).toEqual([mbcf.TYPE_DATA, 2, 0]);
    expect([mbcf.sourceNode(view, 0), mbcf.destinationNode(view, 0)]).toEqual([2, 1]);
    expect([mbcf.sourceEpoch(view, 0), mbcf.destinationEpoch(view, 0)]).toEqual([EPOCHS.source, EPOCHS.destination]);
    expect([mbcf.sequence(view, 0), mbcf.acknowledgment(view, 0)]).toEqual([7, 8]);
    expect([mbcf.operationBytes(view, 0), mbcf.operationCount(view, 0)]).toEqual([28, 1]);
    const at = mbcf.HEADER_BYTES;
    expect([mbcf.code(view, at), mbcf.operationFlags(view, at), mbcf.dataBytes(view, at)]).toEqual([2, 1, 5]);
    expect([mbcf.handle(view, at), mbcf.tag(view, at), mbcf.address(view, at, true)]).toEqual([
      3, 0x100001, 0x1_0000_0010,
    ]);
  });

  it.each([
    [31, '', 1],
    [32, '20', 2],
    [32, '15', 3],
    [32, '1004', 4],
    [32, '1200', 5],
    [64, `13${'00'.repeat(27)}0004`, 5],
    [64, `12${'00'.repeat(27)}0006`, 5],
    [64, `12${'00'.repeat(27)}0024`, 5],
    [64, `12${'00'.repeat(27)}0020`, 0],
  ])('of %i bytes that begin with %s are checked: %i', (length, begin, reason) => {
    const bytes = Buffer.concat([Buffer.from(begin, 'hex'), Buffer.alloc(length)]);
    expect(mbcf.check(new DataView(bytes.buffer, bytes.byteOffset), 0, length)).toBe(reason);
    expect(mbcf.CHECK_REASONS[reason]).toBeDefined();
  });

  it.each([true, false])('carry 1440 bytes of data in 1500 (64 bits: %s)', (wide) => {
    expect(mbcf.HEADER_BYTES + mbcf.paddedBytes(wide, 1440)).toBeLessThanOrEqual(1500);
    expect(mbcf.HEADER_BYTES + mbcf.operationHeaderBytes(wide)).toBeLessThanOrEqual(60);
  });

  it('hold addresses below 2^53, and no others', () => {
    const view = new DataView(new ArrayBuffer(32));
    fc.assert(
      fc.property(fc.maxSafeNat(), (address) => {
        mbcf.writeOperation(view, 0, true, 2, 0, 0, 1, 1, address);
        expect(mbcf.address(view, 0, true)).toBe(address);
      }),
    );
    view.setUint32(12, 0x20_0000);
    expect(mbcf.address(view, 0, true)).toBeNaN();
  });
});
