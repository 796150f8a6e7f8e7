/**
 * TCP and UDP as text, as tcpdump words them, over IPv4 and IPv6 (pretty.ts has the rest).
 *
 * Thread: any; for traces and tools, not for the data path. Nothing here throws: what `check` refuses is shown as malformed.
 * Read first: tcpdump(1), "TCP Packets". Missing: relative sequence numbers.
 */

import { PROTOCOL_ICMPV6 } from './icmpv6-fields.ts';
import { PROTOCOL_ICMP, PROTOCOL_IGMP, PROTOCOL_TCP, PROTOCOL_UDP } from './ipv4.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [PROTOCOL_ICMP]: 'icmp',
  [PROTOCOL_IGMP]: 'igmp',
  [PROTOCOL_TCP]: 'tcp',
  [PROTOCOL_UDP]: 'udp',
  [PROTOCOL_ICMPV6]: 'icmp6',
};

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

/** "tcp", or "ip-proto-253". */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? `ip-proto-${protocol}`;
}

/** "TCP, malformed (tcp-short), length 4": what `check` refused for `reason`, an index of `reasons`. */
export function malformed(name: string, reasons: readonly string[], reason: number, lengthBytes: number): string {
  return `${name}, malformed (${reasons[reason]}), length ${lengthBytes}`;
}

/** "(id 7, offset 0, flags [+])". */
export function fragmentPlace(identification: number, offsetBytes: number, more: boolean): string {
  return `(id ${identification}, offset ${offsetBytes}, flags [${more ? '+' : 'none'}])`;
}

/**
 * The segment or datagram at `at`, with the ports behind the addresses: "10.0.0.1.5000 > 10.0.0.2.6000: UDP, length 5". `prefix` goes in
 * front of what follows the addresses. Null when it is neither TCP nor UDP.
 */
export function formatTransport(
  view: DataView,
  at: number,
  lengthBytes: number,
  protocol: number,
  src: string,
  dst: string,
  prefix: string,
): string | null {
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return null;
  const format = protocol === PROTOCOL_TCP ? tcp : udp;
  const reason = format.check(view, at, lengthBytes);
  if (reason !== 0) {
    const name = protocol === PROTOCOL_TCP ? 'TCP' : 'UDP';
    return `${src} > ${dst}: ${prefix}${malformed(name, format.CHECK_REASONS, reason, lengthBytes)}`;
  }
  const ends = `${src}.${format.srcPort(view, at)} > ${dst}.${format.dstPort(view, at)}`;
  if (protocol === PROTOCOL_TCP) return `${ends}: ${prefix}${formatSegment(view, at, lengthBytes)}`;
  return `${ends}: ${prefix}UDP, length ${udp.length(view, at) - udp.HEADER_BYTES}`;
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
