/**
 * IP packets as the script sees them: read from captured frames, written for injection.
 *
 * Thread: the caller's. Sequence numbers are uint32 and as on the wire; flow.ts translates.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as icmpv4 from '../wire/icmpv4.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import { type AddressBook, isIp6 } from './address-book.ts';
import type { ScriptTcpOption } from './syntax.ts';

export interface LiveTcp {
  kind: 'tcp';
  srcPort: number;
  dstPort: number;
  seq: number;
  ack: number;
  /** `FLAG_*`, 0x100 for AE. */
  flags: number;
  window: number;
  urgent: number;
  headerBytes: number;
  options: ScriptTcpOption[];
  payload: Uint8Array;
}

export interface LiveUdp {
  kind: 'udp';
  srcPort: number;
  dstPort: number;
  payload: Uint8Array;
}

export interface LiveIcmp {
  kind: 'icmp';
  type: number;
  code: number;
  rest: number;
  payload: Uint8Array;
}

export interface LivePacket {
  /** Script time. */
  timeUs: number;
  /** As the kernel knows them: int32, of either family. */
  src: number;
  dst: number;
  /** Or traffic class. */
  tos: number;
  /** Or hop limit. */
  ttl: number;
  /** 0 in IPv4. */
  flowLabel: number;
  body: LiveTcp | LiveUdp | LiveIcmp;
}

/** Flags of the header's 13th byte and AE, the lowest bit of the byte before. */
function flagsOf(view: DataView, at: number): number {
  return tcp.flags(view, at) | ((view.getUint8(at + 12) & 1) << 8);
}

/** The packet in a captured frame; null when it is no TCP, UDP or ICMP over IP, or malformed. */
export function readFrame(bytes: Uint8Array, timeUs: number, book: AddressBook): LivePacket | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (ethernet.check(view, 0, bytes.length) !== 0) return null;
  const at = ethernet.HEADER_BYTES;
  const type = ethernet.type(view, 0);
  if (type === ethernet.ETHERTYPE_IPV4) return readPacket4(view, at, bytes.length - at, timeUs);
  return type === ethernet.ETHERTYPE_IPV6 ? readPacket6(view, at, bytes.length - at, timeUs, book) : null;
}

function readPacket4(view: DataView, at: number, lengthBytes: number, timeUs: number): LivePacket | null {
  const packet = ipv4.parse(view, at, lengthBytes);
  if (packet === null || packet.fragmentOffsetBytes > 0) return null;
  const body = readBody(packet.payload, packet.protocol);
  if (body === null) return null;
  return { timeUs, src: packet.src, dst: packet.dst, tos: packet.tos, ttl: packet.ttl, flowLabel: 0, body };
}

function readPacket6(
  view: DataView,
  at: number,
  lengthBytes: number,
  timeUs: number,
  book: AddressBook,
): LivePacket | null {
  const packet = ipv6.parse(view, at, lengthBytes);
  if (packet === null) return null;
  const body = readBody(packet.payload, packet.protocol);
  // Neighbor discovery and group reports are not the script's business.
  if (body === null || (body.kind === 'icmp' && body.type >= icmpv6.TYPE_LISTENER_QUERY)) return null;
  const { trafficClass: tos, hopLimit: ttl, flowLabel } = packet;
  return { timeUs, src: book.number(packet.src), dst: book.number(packet.dst), tos, ttl, flowLabel, body };
}

function readBody(bytes: Uint8Array, protocol: number): LivePacket['body'] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (protocol === ipv4.PROTOCOL_TCP && tcp.check(view, 0, bytes.length) === 0) return readTcp(view, bytes);
  if (protocol === ipv4.PROTOCOL_UDP) {
    const datagram = udp.parse(view, 0, bytes.length);
    return datagram === null ? null : { kind: 'udp', ...datagram };
  }
  const icmp = protocol === ipv4.PROTOCOL_ICMP || protocol === icmpv6.PROTOCOL_ICMPV6;
  if (!icmp || bytes.length < icmpv4.HEADER_BYTES) return null;
  return {
    kind: 'icmp',
    type: icmpv4.type(view, 0),
    code: icmpv4.code(view, 0),
    rest: icmpv4.rest(view, 0),
    payload: bytes.slice(icmpv4.HEADER_BYTES),
  };
}

function readTcp(view: DataView, bytes: Uint8Array): LiveTcp {
  const headerBytes = tcp.headerBytes(view, 0);
  return {
    kind: 'tcp',
    srcPort: tcp.srcPort(view, 0),
    dstPort: tcp.dstPort(view, 0),
    seq: tcp.seq(view, 0) >>> 0,
    ack: tcp.ack(view, 0) >>> 0,
    flags: flagsOf(view, 0),
    window: tcp.window(view, 0),
    urgent: tcp.urgentPointer(view, 0),
    headerBytes,
    options: readOptions(view, headerBytes),
    payload: bytes.slice(headerBytes),
  };
}

function readOptions(view: DataView, end: number): ScriptTcpOption[] {
  const options: ScriptTcpOption[] = [];
  for (let at = tcp.HEADER_BYTES; at < end; ) {
    const length = tcp.optionBytes(view, at, end);
    if (length < 0) break;
    options.push(length === 0 ? { kind: 'eol' } : readOption(view, at, length));
    at += Math.max(length, 1);
  }
  return options;
}

function readOption(view: DataView, at: number, length: number): ScriptTcpOption {
  const type = view.getUint8(at);
  if (length === 1) return { kind: 'nop' };
  if (type === tcp.OPTION_MSS && length === 4) return { kind: 'mss', mss: view.getUint16(at + 2) };
  if (type === tcp.OPTION_WINDOW_SCALE && length === 3) return { kind: 'wscale', shift: view.getUint8(at + 2) };
  if (type === tcp.OPTION_SACK_PERMITTED && length === 2) return { kind: 'sackOK' };
  if (type === tcp.OPTION_TIMESTAMPS && length === 10) {
    return { kind: 'TS', value: view.getUint32(at + 2), echo: view.getUint32(at + 6) };
  }
  if (type === tcp.OPTION_SACK && length >= 10 && (length - 2) % 8 === 0) {
    const blocks: { start: number; end: number }[] = [];
    for (let b = at + 2; b < at + length; b += 8) blocks.push({ start: view.getUint32(b), end: view.getUint32(b + 4) });
    return { kind: 'sack', blocks };
  }
  const data = new Uint8Array(length - 2);
  for (let i = 0; i < data.length; i++) data[i] = view.getUint8(at + 2 + i);
  return { kind: 'raw', name: `option-${type}`, type, data };
}

/** Bytes of the options, which must be padded to a multiple of 4 by whoever wrote them. */
export function optionBytes(options: readonly ScriptTcpOption[]): Uint8Array {
  const bytes: number[] = [];
  const word = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  for (const option of options) {
    switch (option.kind) {
      case 'nop':
        bytes.push(tcp.OPTION_NOP);
        break;
      case 'eol':
        bytes.push(tcp.OPTION_END);
        break;
      case 'mss':
        bytes.push(tcp.OPTION_MSS, 4, option.mss >> 8, option.mss & 255);
        break;
      case 'wscale':
        bytes.push(tcp.OPTION_WINDOW_SCALE, 3, option.shift);
        break;
      case 'sackOK':
        bytes.push(tcp.OPTION_SACK_PERMITTED, 2);
        break;
      case 'sack':
        bytes.push(tcp.OPTION_SACK, 2 + 8 * option.blocks.length);
        for (const { start, end } of option.blocks) bytes.push(...word(start), ...word(end));
        break;
      case 'TS':
        bytes.push(tcp.OPTION_TIMESTAMPS, 10, ...word(option.value ?? 0), ...word(option.echo ?? 0));
        break;
      case 'raw':
        bytes.push(option.type, 2 + option.data.length, ...option.data);
        break;
    }
  }
  return Uint8Array.from(bytes);
}

/** The packet, of the family of its addresses, checksums filled in. */
export function writePacket(packet: LivePacket, book: AddressBook): Uint8Array {
  const payload = writeBody(packet.body);
  return isIp6(packet.src) ? writePacket6(packet, payload, book) : writePacket4(packet, payload);
}

function writePacket4(packet: LivePacket, payload: Uint8Array): Uint8Array {
  const { src, dst, body } = packet;
  const view = new DataView(payload.buffer);
  if (body.kind === 'tcp') tcp.fillChecksum(view, 0, payload.length, src, dst);
  else if (body.kind === 'udp') udp.fillChecksum(view, 0, src, dst);
  else icmpv4.fillChecksum(view, 0, payload.length);
  const repr: ipv4.Repr = {
    tos: packet.tos,
    identification: 0,
    dontFragment: false,
    moreFragments: false,
    fragmentOffsetBytes: 0,
    ttl: packet.ttl,
    protocol: { tcp: ipv4.PROTOCOL_TCP, udp: ipv4.PROTOCOL_UDP, icmp: ipv4.PROTOCOL_ICMP }[body.kind],
    src,
    dst,
    options: [],
    payload,
  };
  const bytes = new Uint8Array(ipv4.lengthOf(repr));
  ipv4.emit(repr, new DataView(bytes.buffer), 0);
  return bytes;
}

/** Offset of the checksum in the header of each protocol. */
const CHECKSUM_AT: Readonly<Record<LivePacket['body']['kind'], number>> = { tcp: 16, udp: 6, icmp: 2 };

function writePacket6(packet: LivePacket, payload: Uint8Array, book: AddressBook): Uint8Array {
  const { body } = packet;
  const protocol = { tcp: ipv4.PROTOCOL_TCP, udp: ipv4.PROTOCOL_UDP, icmp: icmpv6.PROTOCOL_ICMPV6 }[body.kind];
  const repr: ipv6.Repr = {
    trafficClass: packet.tos,
    flowLabel: packet.flowLabel,
    hopLimit: packet.ttl,
    src: book.words(packet.src),
    dst: book.words(packet.dst),
    extensions: [],
    protocol,
    payload,
  };
  const bytes = new Uint8Array(ipv6.lengthOf(repr));
  const view = new DataView(bytes.buffer);
  ipv6.emit(repr, view, 0);
  const sum = ipv6.pseudoSum(view, 0, protocol, payload.length) + sumView(view, ipv6.HEADER_BYTES, payload.length);
  const checksum = body.kind === 'udp' ? udp.checksumField(sum) : checksumOf(sum);
  view.setUint16(ipv6.HEADER_BYTES + CHECKSUM_AT[body.kind], checksum);
  return bytes;
}

/** With a checksum of 0. */
function writeBody(body: LivePacket['body']): Uint8Array {
  if (body.kind === 'tcp') return writeTcp(body);
  if (body.kind === 'udp') {
    const bytes = new Uint8Array(udp.HEADER_BYTES + body.payload.length);
    udp.emit(body, new DataView(bytes.buffer), 0);
    return bytes;
  }
  const bytes = new Uint8Array(icmpv4.HEADER_BYTES + body.payload.length);
  const view = new DataView(bytes.buffer);
  icmpv4.setTypeAndCode(view, 0, body.type, body.code);
  icmpv4.setRest(view, 0, body.rest);
  bytes.set(body.payload, icmpv4.HEADER_BYTES);
  return bytes;
}

function writeTcp(segment: LiveTcp): Uint8Array {
  const options = optionBytes(segment.options);
  const headerBytes = tcp.HEADER_BYTES + options.length;
  const bytes = new Uint8Array(headerBytes + segment.payload.length);
  const view = new DataView(bytes.buffer);
  tcp.setSrcPort(view, 0, segment.srcPort);
  tcp.setDstPort(view, 0, segment.dstPort);
  tcp.setSeq(view, 0, segment.seq | 0);
  tcp.setAck(view, 0, segment.ack | 0);
  tcp.setHeaderBytesAndFlags(view, 0, headerBytes, segment.flags & 0x1ff);
  tcp.setWindow(view, 0, segment.window);
  tcp.setUrgentPointer(view, 0, segment.urgent);
  bytes.set(options, tcp.HEADER_BYTES);
  bytes.set(segment.payload, headerBytes);
  return bytes;
}
