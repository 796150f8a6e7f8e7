/**
 * Whether what the kernel sent is what the script expects: field by field, in the words of the tool.
 *
 * Thread: any; pure functions. `actual` has the script's numbers already (flow.ts).
 */

import * as tcp from '../wire/tcp.ts';
import { isIp6 } from './address-book.ts';
import { icmpCode, icmpType } from './icmp-names.ts';
import { type LivePacket, type LiveTcp, optionBytes } from './live-packet.ts';
import { optionsText } from './packet-text.ts';
import { FLAG_AE } from './parse-packet.ts';
import type { DrillSettings } from './settings.ts';
import type { ScriptPacket, ScriptTcpOption, TcpBody, TosSpec } from './syntax.ts';

const ECN_MASK = 3;
const ECN_ECT_1 = 1;
const ECN_ECT_0 = 2;

/** Null when they agree, else what does not. */
export function differencePacket(script: ScriptPacket, actual: LivePacket, settings: DrillSettings): string | null {
  const { body } = script;
  if (body.kind !== actual.body.kind) return `live packet: expected ${body.kind} vs actual ${actual.body.kind}`;
  return (
    differenceTos(script.tos, actual.tos) ??
    (script.ttl === null ? null : field('ttl', script.ttl, actual.ttl)) ??
    differenceBody(script, actual, settings)
  );
}

function differenceBody(script: ScriptPacket, actual: LivePacket, settings: DrillSettings): string | null {
  const { body } = script;
  if (body.kind === 'tcp') return differenceTcp(body, actual.body as LiveTcp, settings);
  if (body.kind === 'udp' && actual.body.kind === 'udp') {
    return field('udp_len', body.payloadBytes, actual.body.payload.length) ?? differencePayload(actual.body.payload);
  }
  if (body.kind !== 'icmp' || actual.body.kind !== 'icmp') return null;
  const ip6 = isIp6(actual.src);
  const type = icmpType(body.type, ip6);
  const code = icmpCode(body.code, ip6);
  if (type === null || code === null) return `icmp ${body.type} ${body.code ?? ''} is not known`;
  return field('icmp_type', type, actual.body.type) ?? field('icmp_code', code, actual.body.code);
}

function field(name: string, expected: number, actual: number): string | null {
  if (expected === actual) return null;
  const hex = (value: number): string => `${value} (0x${value.toString(16)})`;
  return `live packet field ${name}: expected: ${hex(expected)} vs actual: ${hex(actual)}`;
}

function differenceTos(spec: TosSpec | null, actual: number): string | null {
  if (spec === null) return null;
  if (spec.check === 'tos') return field('tos', spec.value, actual);
  const ecn = actual & ECN_MASK;
  if (spec.check === 'ecn') return field('ip_ecn', spec.value, ecn);
  if (ecn === ECN_ECT_0 || ecn === ECN_ECT_1) return null;
  return `live packet field ip_ecn: expected: 0x1 or 0x2 vs actual: 0x${ecn.toString(16)}`;
}

function bit(name: string, flag: number, expected: number, actual: number): string | null {
  return field(name, (expected & flag) === 0 ? 0 : 1, (actual & flag) === 0 ? 0 : 1);
}

function differenceFlags(script: TcpBody, actual: LiveTcp, settings: DrillSettings): string | null {
  const expected = script.flags;
  const { flags } = actual;
  return (
    bit('tcp_fin', tcp.FLAG_FIN, expected, flags) ??
    bit('tcp_syn', tcp.FLAG_SYN, expected, flags) ??
    bit('tcp_rst', tcp.FLAG_RST, expected, flags) ??
    (settings.ignorePush ? null : bit('tcp_psh', tcp.FLAG_PSH, expected, flags)) ??
    bit('tcp_ack', tcp.FLAG_ACK, expected, flags) ??
    bit('tcp_urg', tcp.FLAG_URG, expected, flags) ??
    differenceEcn(script, flags)
  );
}

function differenceEcn(script: TcpBody, flags: number): string | null {
  if (script.ace !== null) {
    const ace = (flags & FLAG_AE ? 4 : 0) | (flags & tcp.FLAG_CWR ? 2 : 0) | (flags & tcp.FLAG_ECE ? 1 : 0);
    return field('tcp_ace', script.ace, ace);
  }
  return (
    bit('tcp_ece', tcp.FLAG_ECE, script.flags, flags) ??
    bit('tcp_cwr', tcp.FLAG_CWR, script.flags, flags) ??
    bit('tcp_ae', FLAG_AE, script.flags, flags)
  );
}

function differenceTcp(script: TcpBody, actual: LiveTcp, settings: DrillSettings): string | null {
  const expectedHeader =
    script.options === null ? actual.headerBytes : tcp.HEADER_BYTES + optionBytes(script.options).length;
  const offset = settings.anyOptionOrder
    ? null
    : field('tcp_data_offset', expectedHeader >> 2, actual.headerBytes >> 2);
  if (offset !== null && script.options !== null) {
    return `${offset}: <${optionsText(script.options)}> vs <${optionsText(actual.options)}>`;
  }
  return (
    differenceFlags(script, actual, settings) ??
    field('tcp_seq', script.seq, actual.seq) ??
    field('tcp_ack_seq', script.ack, actual.ack) ??
    (script.window === null ? null : field('tcp_window', script.window, actual.window)) ??
    field('tcp_urg_ptr', script.urgent, actual.urgent) ??
    differenceOptions(script.options, actual.options, settings) ??
    field('tcp_payload', script.payloadBytes, actual.payload.length) ??
    differencePayload(actual.payload)
  );
}

function differenceOptions(
  script: readonly ScriptTcpOption[] | null,
  actual: readonly ScriptTcpOption[],
  settings: DrillSettings,
): string | null {
  if (script === null) return null;
  const differ = `bad outbound TCP options: expected <${optionsText(script)}> vs actual <${optionsText(actual)}>`;
  const wanted = settings.anyOptionOrder ? sortedOptions(script) : script;
  const sent = settings.anyOptionOrder ? sortedOptions(actual) : actual;
  if (wanted.length !== sent.length) return differ;
  for (let i = 0; i < wanted.length; i++) {
    const expected = wanted[i] as ScriptTcpOption;
    const found = sent[i] as ScriptTcpOption;
    if (expected.kind === 'TS' && found.kind === 'TS') {
      const ticks = expected.value === null ? 0 : Math.abs(((found.value ?? 0) - expected.value) | 0);
      if (settings.tsTickUs > 0 && ticks * settings.tsTickUs > settings.toleranceUs) {
        return `bad outbound TCP timestamp value: expected ${expected.value} vs actual ${found.value}, tolerance ${settings.toleranceUs} us`;
      }
    } else if (!equalBytes(optionBytes([expected]), optionBytes([found]))) {
      return differ;
    }
  }
  return null;
}

/** Without padding, in an order of their own. */
function sortedOptions(options: readonly ScriptTcpOption[]): ScriptTcpOption[] {
  const filled = options.filter(({ kind }) => kind !== 'nop' && kind !== 'eol');
  return filled.sort((a, b) => (a.kind < b.kind ? -1 : 1));
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Everything a script writes is zero, as the tool's buffers are. */
function differencePayload(payload: Uint8Array): string | null {
  const at = payload.findIndex((byte) => byte !== 0);
  return at < 0 ? null : `incorrect outbound data payload at byte ${at}`;
}
