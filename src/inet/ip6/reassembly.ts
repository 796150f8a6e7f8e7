/**
 * The IPv6 part of reassembly (inet/ip/reassembly.ts does the work).
 *
 * Thread: the one that runs the CPU. The unfragmentable part of the first fragment becomes the header of the whole packet,
 * without the fragment header; the header that followed it comes next.
 * Read first: RFC 8200 4.5, RFC 5722 (overlaps), RFC 6946 (atomic fragments, which do not come here).
 */

import type { KernelShared } from '../../kern/context.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { ReassemblyFamily } from '../ip/reassembly.ts';

/** Longest unfragmentable part that is kept: the IPv6 header and 216 bytes of extension headers. */
const PAYLOAD_OFFSET = 256;
const TIMEOUT_MS = 60000;
/** The end of the traffic class, in the header's second byte. */
const ECN_BITS = 0x30;

/** The note of {@link ReassemblyFamily.finish}: where the header names the fragment header, and the protocol that followed. */
export function reassemblyNote(nameOffset: number, nextHeader: number): number {
  return (nameOffset << 8) | nextHeader;
}

// cold: assembly
export function reassemblyFamily6(shared: KernelShared): ReassemblyFamily {
  const { view } = shared.arena;
  return {
    name: 'IPv6',
    sysctlPrefix: 'net.inet6.ip6.',
    counterPrefix: 'ip6',
    timeoutMs: TIMEOUT_MS,
    payloadOffset: PAYLOAD_OFFSET,
    countedBytes: (headerBytes) => headerBytes - ipv6.HEADER_BYTES,
    ecn: (at) => (view.getUint8(at + 1) & ECN_BITS) >> 4,
    mark: (at) => view.setUint8(at + 1, view.getUint8(at + 1) | ECN_BITS),
    finish: (at, headerBytes, payloadBytes, note) => {
      ipv6.setPayloadBytes(view, at, headerBytes - ipv6.HEADER_BYTES + payloadBytes);
      view.setUint8(at + (note >> 8), note & 0xff);
    },
  };
}
