/**
 * Events of an echo in the words of ping(8) and of ping6(8). Thread: any; pure functions.
 *
 * Quoted packets are printed with -v alone; ping6 prints errors with -v alone, because its socket hears nothing else without.
 */

import * as icmpv4 from '../wire/icmpv4.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import { formatIp } from '../wire/ip-address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { PingEvent } from './echo.ts';

const HEADERS6_BYTES = 48;
const DECIMALS6 = 3;
const DECIMALS = 6;
/** A payload of fewer bytes has no room for the time. */
const STAMP_BYTES = 16;
const STAMP_BYTES_SHORT = 8;

export interface EchoView {
  /** As it was asked for. */
  host: string;
  quiet: boolean;
  /** Errors are left out, too (ping -Q). */
  semiQuiet: boolean;
  verbose: boolean;
  payloadBytes: number;
  /** Name and address, or the address alone. */
  name(address: string): string;
}

type Formatter = (event: PingEvent, view: EchoView) => string;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** The text of ping(8) for one event; errors of sending go to stderr and are not among them. */
export function echoText(): Formatter {
  let lastRoute = '';
  return (event, view) => {
    switch (event.type) {
      case 'start':
        return `PING ${view.host} (${event.address}): ${event.payloadBytes} data bytes\n`;
      case 'reply': {
        if (view.quiet) return '';
        const { route = [] } = event;
        const text = route.map((address) => `\t${view.name(address)}`).join('\n');
        const recorded = text === '' ? '' : text === lastRoute ? '\t(same route)' : `\nRR: ${text}`;
        lastRoute = text;
        return `${reply(event, view)}${recorded}\n`;
      }
      case 'error':
        return errorText(event, view);
      case 'sendError':
        return '';
      case 'end':
        return statistics(event, view);
    }
  };
}

function reply(event: Extract<PingEvent, { type: 'reply' }>, { payloadBytes }: EchoView): string {
  const { bytes, from, sequence, ttl, timeMs } = event;
  const decimals = payloadBytes >= STAMP_BYTES ? DECIMALS : DECIMALS6;
  const time = payloadBytes >= STAMP_BYTES_SHORT ? ` time=${timeMs.toFixed(decimals)} ms` : '';
  return `${bytes} bytes from ${from}: icmp_seq=${sequence}${event.duplicate ? ' DUP!' : ''} ttl=${ttl}${time}`;
}

function errorText(event: Extract<PingEvent, { type: 'error' }>, view: EchoView): string {
  const { from, text, sequence, bytes = 0, quoted } = event;
  if (view.verbose && quoted !== undefined) return `${text}${quotedHeader(quoted, sequence)}\n`;
  if (view.quiet || view.semiQuiet) return '';
  return `${bytes} bytes from ${view.name(from)}: ${text} for icmp_seq=${sequence}\n`;
}

function quotedHeader(quoted: readonly number[], sequence: number): string {
  const packet = new DataView(Uint8Array.from(quoted).buffer);
  const at = ipv4.headerBytes(packet, 0);
  const word = packet.getUint16(6);
  const address = (offset: number): string => formatIp({ family: 4, w0: 0, w1: 0, w2: 0, w3: packet.getInt32(offset) });
  const options = quoted.slice(ipv4.HEADER_BYTES, at).map((byte) => hex(byte, 2));
  const identifier = packet.getUint16(at + 4);
  return [
    '',
    ' Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src\t     Dst',
    `  4  ${hex(at >> 2, 1)}  ${hex(packet.getUint8(1), 2)} ${hex(packet.getUint16(2), 4)} ${hex(packet.getUint16(4), 4)}` +
      `   ${hex(word >> 13, 1)} ${hex(word & 0x1fff, 4)}` +
      `  ${hex(packet.getUint8(8), 2)}  ${hex(packet.getUint8(9), 2)} ${hex(packet.getUint16(10), 4)}` +
      ` ${address(12).padStart(15)}  ${address(16)} ${options.join('')}`,
    `  ID=${identifier} icmp_seq=${sequence}`,
  ].join('\n');
}

/** Counts, and times with their statistics in so many decimals. */
function summary(end: Extract<PingEvent, { type: 'end' }>): { counts: string; timesMs: number[] | null } {
  const { transmitted, received, duplicates, timesMs } = end;
  const repeated = duplicates > 0 ? `+${duplicates} duplicates, ` : '';
  const loss = transmitted === 0 ? '' : `${(((transmitted - received) * 100) / transmitted).toFixed(1)}% packet loss`;
  const counts = `${transmitted} packets transmitted, ${received} packets received, ${repeated}${loss}`;
  const n = timesMs.length;
  if (n === 0) return { counts, timesMs: null };
  const average = timesMs.reduce((sum, time) => sum + time, 0) / n;
  const variance = n > 1 ? timesMs.reduce((sum, time) => sum + (time - average) ** 2, 0) / (n - 1) : 0;
  return { counts, timesMs: [Math.min(...timesMs), average, Math.max(...timesMs), Math.sqrt(variance)] };
}

function statistics(end: Extract<PingEvent, { type: 'end' }>, { host, payloadBytes }: EchoView): string {
  const { counts, timesMs } = summary(end);
  const lines = ['', `----${host} PING Statistics----`, counts];
  const decimals = payloadBytes >= STAMP_BYTES ? DECIMALS : DECIMALS6;
  if (timesMs !== null && payloadBytes >= STAMP_BYTES_SHORT)
    lines.push(`round-trip min/avg/max/stddev = ${timesMs.map((ms) => ms.toFixed(decimals)).join('/')} ms`);
  return `${lines.join('\n')}\n`;
}

/** The same of ping6(8). */
export function echoText6(): Formatter {
  return (event, view) => {
    switch (event.type) {
      case 'start': {
        const total = event.payloadBytes + HEADERS6_BYTES;
        return `PING6(${total}=40+8+${event.payloadBytes} bytes) ${event.source ?? '::'} --> ${event.address}\n`;
      }
      case 'reply':
        return view.quiet ? '' : reply6(event, view);
      case 'error': {
        const { bytes = 0, from, text, quoted } = event;
        return quoted === undefined ? '' : `${bytes} bytes from ${from}: ${text}\n${quotedHeader6(quoted)}\n`;
      }
      case 'sendError':
        return `ping6: wrote ${view.host} ${view.payloadBytes + icmpv4.HEADER_BYTES} chars, ret=-1\n`;
      case 'end':
        return statistics6(event, view);
    }
  };
}

function reply6(event: Extract<PingEvent, { type: 'reply' }>, { verbose, payloadBytes }: EchoView): string {
  const { bytes, from, sequence, ttl, to, timeMs } = event;
  const own = verbose && to !== undefined ? ` dst=${to}` : '';
  const time = payloadBytes >= STAMP_BYTES_SHORT ? ` time=${timeMs.toFixed(DECIMALS6)} ms` : '';
  return `${bytes} bytes from ${from}, icmp_seq=${sequence} hlim=${ttl}${own}${time}${event.duplicate ? '(DUP!)' : ''}\n`;
}

function quotedHeader6(quoted: readonly number[]): string {
  const packet = new DataView(Uint8Array.from(quoted).buffer);
  if (packet.byteLength < ipv6.HEADER_BYTES) return 'IP6...';
  const next = ipv6.nextHeader(packet, 0);
  const label = hex(ipv6.flowLabel(packet, 0), 5);
  const header = `${hex(ipv6.trafficClass(packet, 0), 2)} ${label} ${hex(ipv6.payloadBytes(packet, 0), 4)}`;
  const message =
    next === icmpv6.PROTOCOL_ICMPV6
      ? `ICMP6: type = ${packet.getUint8(ipv6.HEADER_BYTES)}, code = ${packet.getUint8(ipv6.HEADER_BYTES + 1)}\n`
      : `Unknown Header(${next})\n`;
  return [
    'Vr TC  Flow Plen Nxt Hlim',
    ` 6 ${header}  ${hex(next, 2)}   ${hex(ipv6.hopLimit(packet, 0), 2)}`,
    `${ipv6.formatAddress(ipv6.src(packet, 0))}->${ipv6.formatAddress(ipv6.dst(packet, 0))}`,
    message,
  ].join('\n');
}

function statistics6(end: Extract<PingEvent, { type: 'end' }>, { host, payloadBytes }: EchoView): string {
  const { counts, timesMs } = summary(end);
  const lines = ['', `--- ${host} ping6 statistics ---`, counts];
  if (timesMs !== null && payloadBytes >= STAMP_BYTES_SHORT)
    lines.push(`round-trip min/avg/max/std-dev = ${timesMs.map((ms) => ms.toFixed(DECIMALS6)).join('/')} ms`);
  return `${lines.join('\n')}\n`;
}
