/**
 * A frame in one line of text, as `tcpdump -n -S` words it: for traces, failed tests and tools.
 *
 * Thread: any; not for the data path. No bytes make these functions throw: what `check` of a format refuses is shown as
 * `malformed` with its reason. Ports and sequence numbers are numbers; nothing above TCP and UDP is decoded.
 * Read first: tcpdump(1), "Output format". Missing: relative sequence numbers (a line knows of no others), IPv6, LLC.
 */

import * as arp from './arp.ts';
import * as ethernet from './ethernet.ts';
import * as icmpv4 from './icmpv4.ts';
import * as igmp from './igmp.ts';
import * as ipv4 from './ipv4.ts';
import { formatIcmp4 } from './pretty-icmp.ts';
import { formatIgmp } from './pretty-igmp.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import * as vlan from './vlan.ts';

const MAC_ZERO = '00:00:00:00:00:00';
/** A customer's tag in a provider's. */
const TAGS_MAX = 2;

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [tcp.FLAG_FIN, 'F'],
  [tcp.FLAG_SYN, 'S'],
  [tcp.FLAG_RST, 'R'],
  [tcp.FLAG_PSH, 'P'],
  [tcp.FLAG_ACK, '.'],
  [tcp.FLAG_URG, 'U'],
  [tcp.FLAG_ECE, 'E'],
  [tcp.FLAG_CWR, 'W'],
];

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [ipv4.PROTOCOL_ICMP]: 'icmp',
  [ipv4.PROTOCOL_IGMP]: 'igmp',
  [ipv4.PROTOCOL_TCP]: 'tcp',
  [ipv4.PROTOCOL_UDP]: 'udp',
};

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

/** The IPv4 packet at `at`; what follows it within `lengthBytes` is padding of the link. */
export function formatPacket4(view: DataView, at: number, lengthBytes: number): string {
  const reason = ipv4.check(view, at, lengthBytes);
  if (lengthBytes < ipv4.HEADER_BYTES) return `IP, malformed (${ipv4.CHECK_REASONS[reason]}), length ${lengthBytes}`;
  const src = ipv4.formatAddress(ipv4.src(view, at));
  const dst = ipv4.formatAddress(ipv4.dst(view, at));
  if (reason !== 0) return `IP ${src} > ${dst}: malformed (${ipv4.CHECK_REASONS[reason]}), length ${lengthBytes}`;
  if (!ipv4.isFragment(view, at)) return `IP ${formatTransport(view, at, src, dst)}`;
  return `IP ${formatFragment(view, at, src, dst)}`;
}

function formatFragment(view: DataView, at: number, src: string, dst: string): string {
  const protocol = ipv4.protocol(view, at);
  const name = PROTOCOL_NAMES[protocol] ?? `ip-proto-${protocol}`;
  const more = ipv4.moreFragments(view, at) ? '+' : 'none';
  const place = `id ${ipv4.identification(view, at)}, offset ${ipv4.fragmentOffsetBytes(view, at)}, flags [${more}]`;
  return `${src} > ${dst}: ${name} fragment (${place}), length ${ipv4.payloadBytes(view, at)}`;
}

function formatTransport(view: DataView, packetAt: number, src: string, dst: string): string {
  const at = packetAt + ipv4.headerBytes(view, packetAt);
  const lengthBytes = ipv4.payloadBytes(view, packetAt);
  const protocol = ipv4.protocol(view, packetAt);
  const malformed = (name: string, reasons: readonly string[], reason: number): string =>
    `${src} > ${dst}: ${name}, malformed (${reasons[reason]}), length ${lengthBytes}`;
  if (protocol === ipv4.PROTOCOL_TCP) {
    const reason = tcp.check(view, at, lengthBytes);
    if (reason !== 0) return malformed('TCP', tcp.CHECK_REASONS, reason);
    const ports = `${src}.${tcp.srcPort(view, at)} > ${dst}.${tcp.dstPort(view, at)}`;
    return `${ports}: ${formatSegment(view, at, lengthBytes)}`;
  }
  if (protocol === ipv4.PROTOCOL_UDP) {
    const reason = udp.check(view, at, lengthBytes);
    if (reason !== 0) return malformed('UDP', udp.CHECK_REASONS, reason);
    const ports = `${src}.${udp.srcPort(view, at)} > ${dst}.${udp.dstPort(view, at)}`;
    return `${ports}: UDP, length ${udp.length(view, at) - udp.HEADER_BYTES}`;
  }
  if (protocol === ipv4.PROTOCOL_ICMP) {
    const reason = icmpv4.check(view, at, lengthBytes);
    if (reason !== 0) return malformed('ICMP', icmpv4.CHECK_REASONS, reason);
    return `${src} > ${dst}: ${formatIcmp4(view, at, lengthBytes)}`;
  }
  if (protocol === ipv4.PROTOCOL_IGMP) {
    const reason = igmp.check(view, at, lengthBytes);
    if (reason !== 0) return malformed('IGMP', igmp.CHECK_REASONS, reason);
    return `${src} > ${dst}: ${formatIgmp(view, at, lengthBytes)}`;
  }
  return `${src} > ${dst}: ${PROTOCOL_NAMES[protocol] ?? `ip-proto-${protocol}`} ${lengthBytes}`;
}

/** The TCP segment of `lengthBytes` at `at`, checked, without its ports: "Flags [S], seq 1, win 65535, length 0". */
export function formatSegment(view: DataView, at: number, lengthBytes: number): string {
  const flags = tcp.flags(view, at);
  const header = tcp.headerBytes(view, at);
  const dataBytes = lengthBytes - header;
  const seq = tcp.seq(view, at) >>> 0;
  let text = `Flags [${formatFlags(flags)}]`;
  if (dataBytes > 0) text += `, seq ${seq}:${(seq + dataBytes) >>> 0}`;
  else if ((flags & (tcp.FLAG_SYN | tcp.FLAG_FIN | tcp.FLAG_RST)) !== 0) text += `, seq ${seq}`;
  if ((flags & tcp.FLAG_ACK) !== 0) text += `, ack ${tcp.ack(view, at) >>> 0}`;
  text += `, win ${tcp.window(view, at)}`;
  if ((flags & tcp.FLAG_URG) !== 0) text += `, urg ${tcp.urgentPointer(view, at)}`;
  if (header > tcp.HEADER_BYTES) text += `, options [${formatOptions(view, at + tcp.HEADER_BYTES, at + header)}]`;
  return `${text}, length ${dataBytes}`;
}

/** "S.", "P.", "F." ...; "none" when no flag is set. */
export function formatFlags(flags: number): string {
  let letters = '';
  for (const [flag, letter] of FLAG_LETTERS) if ((flags & flag) !== 0) letters += letter;
  return letters === '' ? 'none' : letters;
}

/** The TCP options from `at` to `end`, e.g. "mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7". */
export function formatOptions(view: DataView, at: number, end: number): string {
  const texts: string[] = [];
  while (at < end) {
    const length = tcp.optionBytes(view, at, end);
    if (length < 0) {
      texts.push('malformed');
      break;
    }
    texts.push(formatOption(view, at, length));
    if (length === 0) break;
    at += length;
  }
  return texts.join(',');
}

function formatOption(view: DataView, at: number, length: number): string {
  const kind = view.getUint8(at);
  if (length === 0) return 'eol';
  if (length === 1) return 'nop';
  if (kind === tcp.OPTION_MSS && length === 4) return `mss ${view.getUint16(at + 2)}`;
  if (kind === tcp.OPTION_WINDOW_SCALE && length === 3) return `wscale ${view.getUint8(at + 2)}`;
  if (kind === tcp.OPTION_SACK_PERMITTED && length === 2) return 'sackOK';
  if (kind === tcp.OPTION_TIMESTAMPS && length === 10) {
    return `TS val ${view.getUint32(at + 2)} ecr ${view.getUint32(at + 6)}`;
  }
  if (kind === tcp.OPTION_SACK && length >= 10 && (length - 2) % 8 === 0) {
    let blocks = '';
    for (let i = at + 2; i < at + length; i += 8) blocks += `{${view.getUint32(i)}:${view.getUint32(i + 4)}}`;
    return `sack ${(length - 2) >> 3} ${blocks}`;
  }
  let data = '';
  for (let i = at + 2; i < at + length; i++) data += view.getUint8(i).toString(16).padStart(2, '0');
  return `unknown-${kind}${data === '' ? '' : ` 0x${data}`}`;
}
