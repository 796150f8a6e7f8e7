/** ARP: packets by hand, the conformance suite of formats. */

import fc from 'fast-check';
import { describeWireFormat } from '../../test/conformance/wire-suite.ts';
import * as arp from './arp.ts';

const REQUEST = '0001 0800 06 04 0001 026d6b00000a 0a00000a 000000000000 0a00000b';

describeWireFormat<arp.Repr>('arp', arp, {
  valid: {
    'who has 10.0.0.11, asks 10.0.0.10': {
      bytes: REQUEST,
      repr: {
        operation: arp.OPERATION_REQUEST,
        senderHi: 0x026d,
        senderLo: 0x6b00000a,
        senderAddress: 0x0a00000a,
        targetHi: 0,
        targetLo: 0,
        targetAddress: 0x0a00000b,
      },
    },
    'a reply with high bits set': {
      bytes: '0001 0800 06 04 0002 feffffffffff c0a80001 026d6b00000a ffffffff',
      repr: {
        operation: arp.OPERATION_REPLY,
        senderHi: 0xfeff,
        senderLo: -1,
        senderAddress: 0xc0a80001 | 0,
        targetHi: 0x026d,
        targetLo: 0x6b00000a,
        targetAddress: -1,
      },
    },
  },
  malformed: {
    nothing: { reason: 'arp-short', bytes: '' },
    'a byte less than a packet': { reason: 'arp-short', bytes: REQUEST.slice(0, -2) },
    'hardware other than Ethernet': { reason: 'arp-bad-hardware', bytes: REQUEST.replace('0001', '0006') },
    'hardware addresses of 8 bytes': { reason: 'arp-bad-hardware', bytes: REQUEST.replace('06 04', '08 04') },
    'protocol other than IPv4': { reason: 'arp-bad-protocol', bytes: REQUEST.replace('0800', '86dd') },
    'protocol addresses of 16 bytes': { reason: 'arp-bad-protocol', bytes: REQUEST.replace('06 04', '06 10') },
    'operation 0': { reason: 'arp-bad-operation', bytes: REQUEST.replace('06 04 0001', '06 04 0000') },
    'a reverse request': { reason: 'arp-bad-operation', bytes: REQUEST.replace('06 04 0001', '06 04 0003') },
  },
  arbitrary: fc.record({
    operation: fc.constantFrom(arp.OPERATION_REQUEST, arp.OPERATION_REPLY),
    senderHi: fc.nat(0xffff),
    senderLo: fc.integer(),
    senderAddress: fc.integer(),
    targetHi: fc.nat(0xffff),
    targetLo: fc.integer(),
    targetAddress: fc.integer(),
  }),
  read(view, at) {
    const accessors = [
      arp.operation,
      arp.senderHi,
      arp.senderLo,
      arp.senderAddress,
      arp.targetHi,
      arp.targetLo,
      arp.targetAddress,
    ];
    for (const read of accessors) read(view, at);
  },
});
