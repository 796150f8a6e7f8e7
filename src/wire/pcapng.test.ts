/** pcapng: bytes of each block by hand, what is written is read back, what is no pcapng is refused, tcpdump reads it. */

import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, toHex } from '../../test/fixtures/hex.ts';
import { isInstalled } from '../../test/fixtures/installed.ts';
import { formatMac } from './ethernet.ts';
import * as pcapng from './pcapng.ts';
import { type PcapngBlock, PcapngReader, readPcapng } from './pcapng-reader.ts';

/** 2026-11-21 09:00:00.123456789 UTC. */
const STAMP_NS = 1_795_251_600_123_456_789n;

const SECTION = hex(`
  0a0d0d0a 30000000 4d3c2b1a 0100 0000 ffffffffffffffff
  0400 0b00 6d756c74696b65726e656c 00
  0000 0000
  30000000`);

const INTERFACE = hex(`
  01000000 38000000 0100 0000 00000400
  0200 0800 6170693a65746830
  0600 0600 026d6b00000b 0000
  0900 0100 09 000000
  0000 0000
  38000000`);

const PACKET = hex(`
  06000000 40000000 00000000
  d103ea18 156dcf93
  05000000 3c000000
  0102030405 000000
  0200 0400 02000000
  0400 0800 0700000000000000
  0000 0000
  40000000`);

const STATISTICS = hex(`
  05000000 34000000 00000000
  d103ea18 156dcf93
  0400 0800 0a00000000000000
  0500 0800 0200000000000000
  0000 0000
  34000000`);

const ETHERNET: pcapng.InterfaceDescription = { linkType: pcapng.LINKTYPE_ETHERNET, snapBytes: 262_144 };

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function patched(bytes: Uint8Array, patch: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  patch(new DataView(copy.buffer));
  return copy;
}

describe('pcapng writer', () => {
  it('writes a section header', () => {
    expect(toHex(pcapng.sectionBlock({ application: 'multikernel' }))).toBe(toHex(SECTION));
    expect(toHex(pcapng.sectionBlock())).toBe('0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000');
  });

  it('writes an interface with nanosecond stamps', () => {
    const block = pcapng.interfaceBlock({ ...ETHERNET, name: 'api:eth0', mac: '02:6d:6b:00:00:0b' });
    expect(toHex(block)).toBe(toHex(INTERFACE));
    expect(() => pcapng.interfaceBlock({ ...ETHERNET, mac: 'eth0' })).toThrow(SyntaxError);
  });

  it('writes a packet with stamp, direction and drops, padded', () => {
    const packet: pcapng.PacketRecord = {
      interfaceIndex: 0,
      timeNs: STAMP_NS,
      lengthBytes: 60,
      bytes: hex('0102030405'),
      direction: 'out',
      droppedFrames: 7,
    };
    expect(toHex(pcapng.packetBlock(packet))).toBe(toHex(PACKET));
  });

  it('writes a packet without options', () => {
    const block = pcapng.packetBlock({ interfaceIndex: 3, timeNs: 1n, lengthBytes: 4, bytes: hex('0a0b0c0d') });
    expect(toHex(block)).toBe('06000000240000000300000000000000010000000400000004000000' + '0a0b0c0d' + '24000000');
  });

  it('writes statistics', () => {
    const block = pcapng.statisticsBlock({ interfaceIndex: 0, timeNs: STAMP_NS, receivedFrames: 10, droppedFrames: 2 });
    expect(toHex(block)).toBe(toHex(STATISTICS));
  });

  it('refuses stamps and lengths that do not fit', () => {
    const packet = { interfaceIndex: 0, timeNs: 0n, lengthBytes: 1, bytes: hex('00') };
    expect(() => pcapng.packetBlock({ ...packet, timeNs: -1n })).toThrow(RangeError);
    expect(() => pcapng.packetBlock({ ...packet, timeNs: 1n << 64n })).toThrow(RangeError);
    expect(() => pcapng.packetBlock({ ...packet, lengthBytes: 0 })).toThrow(RangeError);
    expect(() => pcapng.packetBlock({ ...packet, comment: 'x'.repeat(65_536) })).toThrow(RangeError);
  });
});

describe('pcapng reader', () => {
  it('reads what was written by hand', () => {
    expect(readPcapng(concat(SECTION, INTERFACE, PACKET, STATISTICS))).toEqual([
      { type: 'section', littleEndian: true, application: 'multikernel' },
      { type: 'interface', linkType: 1, snapBytes: 262_144, name: 'api:eth0', mac: '02:6d:6b:00:00:0b' },
      {
        type: 'packet',
        interfaceIndex: 0,
        timeNs: STAMP_NS,
        lengthBytes: 60,
        bytes: hex('0102030405'),
        direction: 'out',
        droppedFrames: 7,
      },
      { type: 'statistics', interfaceIndex: 0, timeNs: STAMP_NS, receivedFrames: 10, droppedFrames: 2 },
    ]);
  });

  it('reads big-endian sections, other resolutions and offsets', () => {
    const file = hex(`
      0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
      00000001 00000014 0001 0000 00000000 00000014
      00000001 0000002c 0001 0000 00000000 0009 0001 83 000000 000e 0008 000000000000000a 00000000 0000002c
      00000006 00000020 00000000 00000000 00000003 00000000 00000000 00000020
      00000006 0000002c 00000001 00000000 0000000c 00000000 00000000 0002 0004 00000001 00000000 0000002c`);
    expect(readPcapng(file)).toEqual([
      { type: 'section', littleEndian: false },
      { type: 'interface', linkType: 1, snapBytes: 0 },
      { type: 'interface', linkType: 1, snapBytes: 0 },
      { type: 'packet', interfaceIndex: 0, timeNs: 3_000n, lengthBytes: 0, bytes: hex('') },
      { type: 'packet', interfaceIndex: 1, timeNs: 11_500_000_000n, lengthBytes: 0, bytes: hex(''), direction: 'in' },
    ]);
  });

  it('reads simple packets, cut to what the interface keeps, and hands unknown blocks through', () => {
    const iface = pcapng.interfaceBlock({ linkType: 1, snapBytes: 6 });
    const file = concat(
      pcapng.sectionBlock(),
      iface,
      hex('03000000 18000000 3c000000 010203040506 0000 18000000'),
      hex('ad0b0000 10000000 01020304 10000000'),
    );
    expect(readPcapng(file).slice(2)).toEqual([
      { type: 'simple-packet', lengthBytes: 60, bytes: hex('010203040506') },
      { type: 'other', blockType: 0xbad, body: hex('01020304') },
    ]);
  });

  it('forgets interfaces when a new section begins', () => {
    expect(() => readPcapng(concat(SECTION, INTERFACE, SECTION, PACKET))).toThrow('interface 0 was not described');
  });

  const malformed: [string, Uint8Array, string][] = [
    ['no section', INTERFACE, 'no section header'],
    ['bad magic', patched(SECTION, (view) => view.setUint32(8, 0)), 'no byte-order magic'],
    ['version 2', patched(SECTION, (view) => view.setUint16(12, 2, true)), 'version 2.0'],
    ['length 8', patched(SECTION, (view) => view.setUint32(4, 8, true)), 'a block of 8 bytes'],
    ['odd length', patched(SECTION, (view) => view.setUint32(4, 45, true)), 'a block of 45 bytes'],
    ['huge length', patched(SECTION, (view) => view.setUint32(4, 0x8000_0000, true)), 'a block of 2147483648 bytes'],
    ['lengths differ', patched(SECTION, (view) => view.setUint32(44, 44, true)), 'the two lengths of a block differ'],
    ['section too short', hex('0a0d0d0a 14000000 4d3c2b1a 01000000 14000000'), 'a block of 20 bytes'],
    ['cut off', SECTION.slice(0, 47), 'the last 47 bytes are part of a block'],
    ['unknown interface', concat(SECTION, PACKET), 'interface 0 was not described'],
    [
      'more kept than was there',
      concat(
        SECTION,
        INTERFACE,
        patched(PACKET, (v) => v.setUint32(24, 4, true)),
      ),
      '5 bytes of a frame of 4',
    ],
    [
      'frame beyond the block',
      concat(
        SECTION,
        INTERFACE,
        patched(PACKET, (v) => {
          v.setUint32(20, 40, true);
        }),
      ),
      'a frame longer than its block',
    ],
    ['option beyond the block', patched(SECTION, (v) => v.setUint16(26, 100, true)), 'an option longer than its block'],
    [
      'option cut off',
      hex('0a0d0d0a 20000000 4d3c2b1a 01000000 ffffffffffffffff 04000400 20000000'),
      'an option longer',
    ],
  ];
  for (const [name, bytes, message] of malformed) {
    it(`refuses: ${name}`, () => {
      expect(() => readPcapng(bytes)).toThrow(expect.objectContaining({ code: 'EPROTO' }));
      expect(() => readPcapng(bytes)).toThrow(message);
    });
  }

  it('takes bytes in pieces of any size', () => {
    const file = concat(SECTION, INTERFACE, PACKET, STATISTICS);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
        const reader = new PcapngReader();
        const blocks: PcapngBlock[] = [];
        for (let at = 0, n = 0; at < file.length; n++) {
          const size = sizes[n % sizes.length] as number;
          reader.push(file.subarray(at, at + size));
          at += size;
          for (let block = reader.next(); block !== null; block = reader.next()) blocks.push(block);
        }
        expect(blocks).toEqual(readPcapng(file));
        expect(reader.pendingBytes).toBe(0);
      }),
    );
  });

  it('fails with EPROTO, or not at all, whatever the bytes', () => {
    const file = concat(SECTION, INTERFACE, PACKET, STATISTICS);
    const changes = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.nat(file.length), (list, length) => {
        const bytes = file.slice(0, length);
        for (const [at, value] of list) if (at < length) bytes[at] = value;
        try {
          readPcapng(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'EPROTO' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** Text that survives UTF-8. */
const text = (): fc.Arbitrary<string> => fc.string({ unit: 'binary', maxLength: 40 });
const stamp = (): fc.Arbitrary<bigint> => fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const count = (): fc.Arbitrary<number> => fc.maxSafeNat();

describe('pcapng round trip', () => {
  const section = fc.record(
    { comment: text(), hardware: text(), os: text(), application: text() },
    { requiredKeys: [] },
  );
  const iface = fc.record(
    {
      linkType: fc.nat(0xffff),
      snapBytes: fc.nat(0xffff_ffff),
      comment: text(),
      name: text(),
      description: text(),
      mac: fc.tuple(fc.nat(0xffff), fc.integer()).map(([hi, lo]) => formatMac(hi, lo)),
      filter: text(),
      os: text(),
    },
    { requiredKeys: ['linkType', 'snapBytes'] },
  );
  const packet = fc
    .record(
      {
        interfaceIndex: fc.constant(0),
        timeNs: stamp(),
        lengthBytes: fc.nat(0xffff),
        bytes: fc.uint8Array({ maxLength: 100 }),
        direction: fc.constantFrom('in' as const, 'out' as const),
        droppedFrames: count(),
        comment: text(),
      },
      { requiredKeys: ['interfaceIndex', 'timeNs', 'lengthBytes', 'bytes'] },
    )
    .map((one) => ({ ...one, lengthBytes: one.lengthBytes + one.bytes.length }));
  const statistics = fc.record(
    {
      interfaceIndex: fc.constant(0),
      timeNs: stamp(),
      startNs: stamp(),
      endNs: stamp(),
      receivedFrames: count(),
      droppedFrames: count(),
      comment: text(),
    },
    { requiredKeys: ['interfaceIndex', 'timeNs'] },
  );

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(section, iface, fc.array(packet, { maxLength: 5 }), statistics, (s, i, packets, counts) => {
        const file = concat(
          pcapng.sectionBlock(s),
          pcapng.interfaceBlock(i),
          ...packets.map((one) => pcapng.packetBlock(one)),
          pcapng.statisticsBlock(counts),
        );
        expect(readPcapng(file)).toEqual([
          { type: 'section', littleEndian: true, ...s },
          { type: 'interface', ...i },
          ...packets.map((one) => ({ type: 'packet', ...one })),
          { type: 'statistics', ...counts },
        ]);
      }),
    );
  });
});

describe('pcapng and tcpdump', () => {
  it.skipIf(!isInstalled('tcpdump'))('agree on stamps and frames (skipped without tcpdump)', () => {
    const frame = hex(`
      ffffffffffff 026d6b00000b 0806
      0001 0800 06 04 0001 026d6b00000b 0a00000b 000000000000 0a00000c`);
    const file = concat(
      pcapng.sectionBlock({ application: 'multikernel' }),
      pcapng.interfaceBlock({ ...ETHERNET, name: 'api:eth0' }),
      pcapng.packetBlock({
        interfaceIndex: 0,
        timeNs: STAMP_NS,
        lengthBytes: frame.length,
        bytes: frame,
        direction: 'out',
      }),
      pcapng.statisticsBlock({ interfaceIndex: 0, timeNs: STAMP_NS, droppedFrames: 1 }),
    );
    const run = spawnSync('tcpdump', ['-tt', '--nano', '-n', '-r', '-'], { input: file, encoding: 'utf8' });
    expect(run.stdout).toBe('1795251600.123456789 ARP, Request who-has 10.0.0.12 tell 10.0.0.11, length 28\n');
    expect(run.status).toBe(0);
  });
});
