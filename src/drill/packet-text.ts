/** Packets as text in the script's own notation, for reports. Thread: any. */

import { US_PER_S } from '../base/units.ts';
import * as tcp from '../wire/tcp.ts';
import type { LivePacket, LiveTcp } from './live-packet.ts';
import { FLAG_AE } from './parse-packet.ts';
import type { ScriptPacket, ScriptTcpOption } from './syntax.ts';

const LETTERS: readonly (readonly [number, string])[] = [
  [tcp.FLAG_FIN, 'F'],
  [tcp.FLAG_SYN, 'S'],
  [tcp.FLAG_RST, 'R'],
  [tcp.FLAG_PSH, 'P'],
  [tcp.FLAG_URG, 'U'],
  [tcp.FLAG_ECE, 'E'],
  [tcp.FLAG_CWR, 'W'],
  [FLAG_AE, 'A'],
  [tcp.FLAG_ACK, '.'],
];

const ECN_NAMES: readonly string[] = ['noecn', 'ect1', 'ect0', 'ce'];

function flagsText(flags: number): string {
  const text = LETTERS.filter(([flag]) => (flags & flag) !== 0).map(([, letter]) => letter);
  return text.length === 0 ? '-' : text.join('');
}

export function optionsText(options: readonly ScriptTcpOption[]): string {
  return options.map(optionText).join(',');
}

function optionText(option: ScriptTcpOption): string {
  switch (option.kind) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return option.kind;
    case 'mss':
      return `mss ${option.mss}`;
    case 'wscale':
      return `wscale ${option.shift}`;
    case 'sack':
      return `sack ${option.blocks.map(({ start, end }) => `${start}:${end}`).join(' ')}`;
    case 'TS':
      return `TS val ${option.value ?? '...'} ecr ${option.echo ?? '...'}`;
    case 'raw':
      return `${option.name} ${Array.from(option.data, (byte) => byte.toString(16).padStart(2, '0')).join('')}`.trimEnd();
  }
}

interface SegmentText {
  flags: number;
  seq: number;
  payloadBytes: number;
  ack: number;
  window: number | null;
  urgent: number;
  options: readonly ScriptTcpOption[] | null;
}

function segmentText(segment: SegmentText): string {
  const { flags, seq, payloadBytes, window, urgent, options } = segment;
  let text = `${flagsText(flags)} ${seq}:${(seq + payloadBytes) >>> 0}(${payloadBytes})`;
  if ((flags & tcp.FLAG_ACK) !== 0) text += ` ack ${segment.ack}`;
  if (window !== null) text += ` win ${window}`;
  if (urgent !== 0) text += ` urg ${urgent}`;
  if (options === null) text += ' <...>';
  else if (options.length > 0) text += ` <${optionsText(options)}>`;
  return text;
}

function liveSegment(segment: LiveTcp): string {
  return segmentText({ ...segment, payloadBytes: segment.payload.length });
}

/** A packet as it was on the wire, or mapped to the script's numbers. ECN marks are shown when there are any. */
export function livePacketText(packet: LivePacket): string {
  const { body } = packet;
  const ecn = packet.tos & 3;
  const prefix = ecn === 0 ? '' : `[${ECN_NAMES[ecn]}] `;
  if (body.kind === 'tcp') return prefix + liveSegment(body);
  if (body.kind === 'udp') return `${prefix}udp (${body.payload.length})`;
  return `${prefix}icmp type ${body.type} code ${body.code}`;
}

export function scriptPacketText(packet: ScriptPacket): string {
  const { body, tos } = packet;
  let prefix = '';
  if (tos !== null) {
    const name = { ecn: ECN_NAMES[tos.value], ect01: 'ect01', tos: `tos 0x${tos.value.toString(16)}` }[tos.check];
    prefix = `[${name}] `;
  }
  if (body.kind === 'tcp') return prefix + segmentText(body);
  if (body.kind === 'udp') return `${prefix}udp (${body.payloadBytes})`;
  return `${prefix}icmp ${body.type}${body.code === null ? '' : ` ${body.code}`}`;
}

/** "0.100000": seconds, as the tool prints times. */
export function secondsText(us: number): string {
  return (us / US_PER_S).toFixed(6);
}
