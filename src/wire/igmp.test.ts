/** IGMP: messages of the three versions by hand, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hexView } from '../../test/fixtures/hex.ts';
import * as igmp from './igmp.ts';

/** 239.1.2.3. */
const GROUP = 0xef010203 | 0;

const sources = (): fc.Arbitrary<number[]> => fc.array(fc.integer(), { maxLength: 5 });

const message: fc.Arbitrary<igmp.Repr> = fc.oneof(
  fc.record({ kind: fc.constant('query' as const), maxResponseCode: fc.nat(255), group: fc.integer() }),
  fc.record({
    kind: fc.constant('query-v3' as const),
    maxResponseCode: fc.nat(255),
    group: fc.integer(),
    suppress: fc.boolean(),
    robustness: fc.nat(7),
    intervalCode: fc.nat(255),
    sources: sources(),
  }),
  fc.record({
    kind: fc.constantFrom('report-v1' as const, 'report-v2' as const, 'leave' as const),
    group: fc.integer(),
  }),
  fc.record({
    kind: fc.constant('report-v3' as const),
    records: fc.array(fc.record({ type: fc.nat(255), group: fc.integer(), sources: sources() }), { maxLength: 4 }),
  }),
);

function readRecords(view: DataView, at: number): void {
  let record = at + igmp.HEADER_BYTES;
  for (let left = igmp.recordCount(view, at); left > 0; left--) {
    for (const read of [igmp.recordType, igmp.recordGroup]) read(view, record);
    for (let i = 0; i < igmp.recordSourceCount(view, record); i++) igmp.recordSource(view, record, i);
    record += igmp.recordBytes(view, record);
  }
}

describeWireFormat<igmp.Repr>('igmp', igmp, {
  valid: {
    'version 1 general query': {
      bytes: '11 00 eeff 00000000',
      repr: { kind: 'query', maxResponseCode: 0, group: 0 },
    },
    'version 2 query for a group': {
      bytes: '11 64 fd96 ef010203',
      repr: { kind: 'query', maxResponseCode: 100, group: GROUP },
    },
    'version 3 query with sources': {
      bytes: '11 80 2851 ef010203 0a 7d 0002 0a000001 c0a80001',
      repr: {
        kind: 'query-v3',
        maxResponseCode: 128,
        group: GROUP,
        suppress: true,
        robustness: 2,
        intervalCode: 125,
        sources: [0x0a000001, 0xc0a80001 | 0],
      },
    },
    'version 1 report': { bytes: '12 00 fcfa ef010203', repr: { kind: 'report-v1', group: GROUP } },
    'version 2 report': { bytes: '16 00 f8fa ef010203', repr: { kind: 'report-v2', group: GROUP } },
    leave: { bytes: '17 00 f7fa ef010203', repr: { kind: 'leave', group: GROUP } },
    'version 3 report': {
      bytes: '22 00 ecf0 0000 0002 04 00 0000 ef010203 01 00 0001 ef010204 0a000001',
      repr: {
        kind: 'report-v3',
        records: [
          { type: igmp.RECORD_TO_EXCLUDE, group: GROUP, sources: [] },
          { type: igmp.RECORD_IS_INCLUDE, group: GROUP + 1, sources: [0x0a000001] },
        ],
      },
    },
  },
  malformed: {
    nothing: { reason: 'igmp-short', bytes: '' },
    'a byte less than a message': { reason: 'igmp-short', bytes: '11 00 eeff 000000' },
    'a changed byte': { reason: 'igmp-bad-checksum', bytes: '11 01 eeff 00000000' },
    'an unknown type': { reason: 'igmp-bad-type', bytes: '13 00 ecff 00000000' },
    'a query of 9 bytes': { reason: 'igmp-bad-length', bytes: '11 00 eeff 00000000 00' },
    'a query with fewer sources than it says': {
      reason: 'igmp-bad-length',
      bytes: '11 00 e4fc 00000000 00 00 0002 0a000001',
    },
    'a report with half a record': { reason: 'igmp-bad-length', bytes: '22 00 d9fe 0000 0001 04 00 0000' },
    'a report with fewer sources than it says': {
      reason: 'igmp-bad-length',
      bytes: '22 00 e8f8 0000 0001 04 00 0001 ef010203',
    },
    'a report with auxiliary data cut off': {
      reason: 'igmp-bad-length',
      bytes: '22 00 e8f8 0000 0001 04 01 0000 ef010203',
    },
  },
  arbitrary: message,
  read(view, at, lengthBytes) {
    for (const read of [igmp.type, igmp.maxResponseCode, igmp.checksum, igmp.group]) read(view, at);
    igmp.queryVersion(view, at, lengthBytes);
    if (igmp.type(view, at) === igmp.TYPE_REPORT_V3) readRecords(view, at);
  },
  mend(view, at, lengthBytes) {
    if (lengthBytes >= igmp.HEADER_BYTES) igmp.fillChecksum(view, at, lengthBytes);
  },
});

describe('igmp', () => {
  it('tells the version of a query by its length and code (RFC 3376 section 7.1)', () => {
    expect(igmp.queryVersion(hexView('11 00 eeff 00000000'), 0, 8)).toBe(1);
    expect(igmp.queryVersion(hexView('11 64 ee9b 00000000'), 0, 8)).toBe(2);
    expect(igmp.queryVersion(hexView('11 64 ee9b 00000000 00000000'), 0, 12)).toBe(3);
  });

  it('decodes times (RFC 3376 section 4.1.1)', () => {
    expect([0, 1, 127].map(igmp.decodeTime)).toEqual([0, 1, 127]);
    expect([128, 129, 144, 255].map(igmp.decodeTime)).toEqual([128, 136, 256, 31744]);
  });

  it('steps over auxiliary data', () => {
    const view = hexView('22 00 0000 0000 0002 04 01 0000 ef010203 aabbccdd 03 00 0000 ef010204');
    igmp.fillChecksum(view, 0, view.byteLength);
    expect(igmp.parse(view, 0, view.byteLength)).toEqual({
      kind: 'report-v3',
      records: [
        { type: igmp.RECORD_TO_EXCLUDE, group: GROUP, sources: [] },
        { type: igmp.RECORD_TO_INCLUDE, group: GROUP + 1, sources: [] },
      ],
    });
  });
});
