/** VLAN tags: by hand, put into and taken out of frames, the conformance suite of formats. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import { hex, toHex } from '../../test/fixtures/hex.ts';
import * as ethernet from './ethernet.ts';
import * as vlan from './vlan.ts';

describeWireFormat<vlan.Repr>('vlan', vlan, {
  valid: {
    'priority 5, id 100': {
      bytes: 'a064 0800 010203',
      repr: { priority: 5, dropEligible: false, id: 100, type: ethernet.ETHERTYPE_IPV4, payload: hex('010203') },
    },
    'drop eligible, the highest id, another tag inside': {
      bytes: 'fffe 8100',
      repr: { priority: 7, dropEligible: true, id: vlan.ID_MAX, type: ethernet.ETHERTYPE_VLAN, payload: hex('') },
    },
    'priority only': {
      bytes: '2000 0806',
      repr: { priority: 1, dropEligible: false, id: 0, type: ethernet.ETHERTYPE_ARP, payload: hex('') },
    },
  },
  malformed: {
    nothing: { reason: 'vlan-short', bytes: '' },
    'a byte less than a tag': { reason: 'vlan-short', bytes: '0001 08' },
    'the reserved id': { reason: 'vlan-bad-id', bytes: '0fff 0800' },
  },
  arbitrary: fc.record({
    priority: fc.nat(7),
    dropEligible: fc.boolean(),
    id: fc.nat(vlan.ID_MAX),
    type: fc.nat(0xffff),
    payload: fc.uint8Array({ maxLength: 60 }),
  }),
  read(view, at) {
    for (const read of [vlan.controlInformation, vlan.priority, vlan.dropEligible, vlan.id, vlan.type]) read(view, at);
  },
});

describe('vlan tags in frames', () => {
  const FRAME = '026d6b00000b 026d6b00000a 0800 4500';

  it('puts a tag in and takes it out where the frame lies', () => {
    const bytes = hex(`00000000 ${FRAME}`);
    const view = new DataView(bytes.buffer);
    expect(vlan.insert(view, 4, ethernet.ETHERTYPE_VLAN, 0xa064)).toBe(0);
    expect(toHex(bytes)).toBe(toHex(hex('026d6b00000b 026d6b00000a 8100 a064 0800 4500')));
    expect(ethernet.type(view, 0)).toBe(ethernet.ETHERTYPE_VLAN);
    expect(vlan.id(view, ethernet.HEADER_BYTES)).toBe(100);
    expect(vlan.remove(view, 0)).toBe(4);
    expect(toHex(bytes.subarray(4))).toBe(toHex(hex(FRAME)));
  });

  it('stacks tags', () => {
    const bytes = hex(`0000000000000000 ${FRAME}`);
    const view = new DataView(bytes.buffer);
    const inner = vlan.insert(view, 8, ethernet.ETHERTYPE_VLAN, 2);
    expect(vlan.insert(view, inner, ethernet.ETHERTYPE_QINQ, 1)).toBe(0);
    expect(toHex(bytes)).toBe(toHex(hex('026d6b00000b 026d6b00000a 88a8 0001 8100 0002 0800 4500')));
  });
});
