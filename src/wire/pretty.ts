/**
 * A frame in one line of text, as `tcpdump -n -S` words it: for traces, failed tests and tools.
 *
 * Thread: any; not for the data path. No bytes make these functions throw: what `check` of a format refuses is shown as
 * `malformed` with its reason. Ports and sequence numbers are numbers; nothing above TCP and UDP is decoded.
 * Read first: tcpdump(1), "Output format". Missing: relative sequence numbers (a line knows of no others), LLC.
 *
 * @module
 */

import * as arp from './arp.ts';
import * as ethernet from './ethernet.ts';
import * as icmpv4 from './icmpv4.ts';
import * as igmp from './igmp.ts';
import * as ipv4 from './ipv4.ts';
import { formatIcmp4 } from './pretty-icmp.ts';
import { formatIgmp } from './pretty-igmp.ts';
import { formatPacket6 } from './pretty-ip6.ts';
import { formatTransport, fragmentPlace, malformed, protocolName } from './pretty-transport.ts';
import * as vlan from './vlan.ts';

export { formatPacket6 } from './pretty-ip6.ts';
export { formatFlags, formatOptions, formatSegment } from './pretty-transport.ts';

const MAC_ZERO = '00:00:00:00:00:00';
/** A customer's tag in a provider's. */
const TAGS_MAX = 2;

/** The Ethernet frame of `lengthBytes` at `at`, e.g. "ARP, Request who-has 10.0.0.12 tell 10.0.0.11, length 28". */
export function formatFrame(view: DataView, at: number, lengthBytes: number): string {
  if (lengthBytes < ethernet.HEADER_BYTES) return `malformed (ether-short), length ${lengthBytes}`;
  const end = at + lengthBytes;
  let body = at + ethernet.HEADER_BYTES;
  let type = ethernet.type(view, at);
  let tags = '';
  for (let tag = 0; tag < TAGS_MAX && isTag(type); tag++) {
    const reason = vlan.check(view, body, end - body);
    if (reason !== 0) return `${tags}vlan, malformed (${vlan.CHECK_REASONS[reason]}), length ${end - body}`;
    tags += `vlan ${vlan.id(view, body)}, p ${vlan.priority(view, body)}${vlan.dropEligible(view, body) ? ', DEI' : ''}, `;
    type = vlan.type(view, body);
    body += vlan.HEADER_BYTES;
  }
  if (type === ethernet.ETHERTYPE_IPV4) return tags + formatPacket4(view, body, end - body);
  if (type === ethernet.ETHERTYPE_IPV6) return tags + formatPacket6(view, body, end - body);
  if (type === ethernet.ETHERTYPE_ARP) return tags + formatArp(view, body, end - body);
  const src = ethernet.formatMac(ethernet.srcHi(view, at), ethernet.srcLo(view, at));
  const dst = ethernet.formatMac(ethernet.dstHi(view, at), ethernet.dstLo(view, at));
  return `${tags}${src} > ${dst}, ethertype 0x${type.toString(16).padStart(4, '0')}, length ${lengthBytes}`;
}

function isTag(type: number): boolean {
  return type === ethernet.ETHERTYPE_VLAN || type === ethernet.ETHERTYPE_QINQ;
}

/** The ARP packet at `at`; `lengthBytes` is what the frame holds, padding included. */
export function formatArp(view: DataView, at: number, lengthBytes: number): string {
  const reason = arp.check(view, at, lengthBytes);
  if (reason !== 0) return `ARP, malformed (${arp.CHECK_REASONS[reason]}), length ${lengthBytes}`;
  const sender = ipv4.formatAddress(arp.senderAddress(view, at));
  if (arp.operation(view, at) === arp.OPERATION_REPLY) {
    const mac = ethernet.formatMac(arp.senderHi(view, at), arp.senderLo(view, at));
    return `ARP, Reply ${sender} is-at ${mac}, length ${lengthBytes}`;
  }
  const target = ipv4.formatAddress(arp.targetAddress(view, at));
  const mac = ethernet.formatMac(arp.targetHi(view, at), arp.targetLo(view, at));
  const known = mac === MAC_ZERO ? '' : ` (${mac})`;
  return `ARP, Request who-has ${target}${known} tell ${sender}, length ${lengthBytes}`;
}

/** The IPv4 packet at `at`; bytes behind it within `lengthBytes` are padding of the link. */
export function formatPacket4(view: DataView, at: number, lengthBytes: number): string {
  const reason = ipv4.check(view, at, lengthBytes);
  if (lengthBytes < ipv4.HEADER_BYTES) return `IP, malformed (${ipv4.CHECK_REASONS[reason]}), length ${lengthBytes}`;
  const src = ipv4.formatAddress(ipv4.src(view, at));
  const dst = ipv4.formatAddress(ipv4.dst(view, at));
  if (reason !== 0) return `IP ${src} > ${dst}: malformed (${ipv4.CHECK_REASONS[reason]}), length ${lengthBytes}`;
  const protocol = ipv4.protocol(view, at);
  const bytes = ipv4.payloadBytes(view, at);
  if (ipv4.isFragment(view, at)) {
    const { identification, fragmentOffsetBytes, moreFragments } = ipv4;
    const place = fragmentPlace(identification(view, at), fragmentOffsetBytes(view, at), moreFragments(view, at));
    return `IP ${src} > ${dst}: ${protocolName(protocol)} fragment ${place}, length ${bytes}`;
  }
  const payload = at + ipv4.headerBytes(view, at);
  const transport = formatTransport(view, payload, bytes, protocol, src, dst, '');
  return `IP ${transport ?? `${src} > ${dst}: ${formatOther4(view, payload, bytes, protocol)}`}`;
}

/** Payloads other than TCP and UDP. */
function formatOther4(view: DataView, at: number, lengthBytes: number, protocol: number): string {
  if (protocol === ipv4.PROTOCOL_ICMP) {
    const reason = icmpv4.check(view, at, lengthBytes);
    if (reason !== 0) return malformed('ICMP', icmpv4.CHECK_REASONS, reason, lengthBytes);
    return formatIcmp4(view, at, lengthBytes);
  }
  if (protocol === ipv4.PROTOCOL_IGMP) {
    const reason = igmp.check(view, at, lengthBytes);
    if (reason !== 0) return malformed('IGMP', igmp.CHECK_REASONS, reason, lengthBytes);
    return formatIgmp(view, at, lengthBytes);
  }
  return `${protocolName(protocol)} ${lengthBytes}`;
}
