/** Classic pcap: files by hand in both byte orders and resolutions, what is cut or wrong, any bytes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex } from '../../test/fixtures/hex.ts';
import { emitPcapHeader, emitPcapRecord, isPcap, readPcap } from './pcap.ts';

/** Little-endian, microseconds: two frames, the second cut to 2 of 60 bytes. */
const LITTLE = `d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000
  0a000000 40420f00 03000000 03000000 010203
  0b000000 01000000 02000000 3c000000 aabb`;

/** Big-endian, nanoseconds: one frame. */
const BIG = 'a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000001 80000000 00000001 00000001 00000001 ff';

function refusal(text: string): unknown {
  try {
    return readPcap(hex(text));
  } catch (error) {
    return (error as Error).message;
  }
}

describe('pcap', () => {
  it('reads frames with microseconds, little-endian', () => {
    expect(readPcap(hex(LITTLE))).toEqual({
      linkType: 1,
      snapBytes: 0x40000,
      records: [
        { timeNs: 11_000_000_000n, lengthBytes: 3, bytes: hex('010203') },
        { timeNs: 11_000_001_000n, lengthBytes: 60, bytes: hex('aabb') },
      ],
    });
  });

  it('reads frames with nanoseconds, big-endian, after 2038', () => {
    expect(readPcap(hex(BIG)).records).toEqual([
      { timeNs: 2_147_483_648_000_000_001n, lengthBytes: 1, bytes: hex('ff') },
    ]);
  });

  it('reads a file without frames, and ignores the FCS bits of the link type', () => {
    const empty = 'd4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000024';
    expect(readPcap(hex(empty))).toEqual({ linkType: 1, snapBytes: 65535, records: [] });
  });

  it('knows its own files', () => {
    expect([LITTLE, BIG].map((text) => isPcap(hex(text)))).toEqual([true, true]);
    expect(['', 'd4c3b2', '0a0d0d0a', '00000000'].map((text) => isPcap(hex(text)))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('refuses what is none, and what is cut or wrong', () => {
    expect(refusal('0a0d0d0a 00000000')).toBe('pcap: no magic number');
    expect(refusal('d4c3b2a1 0200')).toBe('pcap: a header of 6 bytes');
    expect(refusal(LITTLE.replace('0200 0400', '0100 0200'))).toBe('pcap: version 1.2');
    expect(refusal(`${LITTLE} 00`)).toBe('pcap: half a record at offset 61');
    expect(refusal(LITTLE.replace('aabb', 'aa'))).toBe('pcap: half a frame at offset 43');
    expect(refusal(LITTLE.replace('02000000 3c000000', '02000000 01000000'))).toBe(
      'pcap: 2 bytes of a frame of 1 at offset 43',
    );
  });

  it('fails with EPROTO, or not at all, whatever the bytes', () => {
    const file = hex(LITTLE);
    const changes = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.nat(file.length), (list, length) => {
        const bytes = file.slice(0, length);
        for (const [at, value] of list) if (at < length) bytes[at] = value;
        try {
          readPcap(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'EPROTO' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the writer', () => {
  it('writes header and records of whole frames, little-endian, in microseconds', () => {
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    expect(text(emitPcapHeader(65_535))).toBe('d4c3b2a1020004000000000000000000ffff000001000000');
    expect(text(emitPcapRecord(1_700_000_000_000_007, Uint8Array.of(0xaa, 0xbb)))).toBe(
      '00f153650700000002000000020000' + '00aabb',
    );
    const whole = new Uint8Array([...emitPcapHeader(65_535), ...emitPcapRecord(2_000_001, Uint8Array.of(1, 2, 3))]);
    expect(readPcap(whole)).toEqual({
      linkType: 1,
      snapBytes: 65_535,
      records: [{ timeNs: 2_000_001_000n, lengthBytes: 3, bytes: Uint8Array.of(1, 2, 3) }],
    });
  });
});
