/**
 * Packets of a script: `< S 0:0(0) win 32792 <mss 1000,sackOK>`, `> udp (100)`, `< icmp unreachable frag_needed mtu 1200`.
 *
 * Thread: any. Parts of the language that this interpreter cannot play (tunnels, options of Accurate ECN) are read and
 * noted in `unsupported`, so that the run can say so at the line concerned.
 */

import * as tcp from '../wire/tcp.ts';
import { optionBytes } from './live-packet.ts';
import type { EchoedPacket, IcmpBody, ScriptPacket, ScriptTcpOption, TcpBody, TosSpec, UdpBody } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';

const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffff_ffff;

/** Accurate ECN's third flag, above the eight of the header's flag byte. */
export const FLAG_AE = 0x100;

const FLAG_OF_LETTER: Readonly<Record<string, number>> = {
  F: tcp.FLAG_FIN,
  S: tcp.FLAG_SYN,
  R: tcp.FLAG_RST,
  P: tcp.FLAG_PSH,
  U: tcp.FLAG_URG,
  E: tcp.FLAG_ECE,
  W: tcp.FLAG_CWR,
  A: FLAG_AE,
  '.': tcp.FLAG_ACK,
};

const ECN_VALUES: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };
const TUNNELS: readonly string[] = ['ipv4', 'ipv6', 'gre', 'GREv0', 'mpls', 'psp'];
/** Protocols of the language that the stack does not have. */
const STRANGERS: readonly string[] = ['sctp', 'udplite', 'raw'];

const OPTION_MD5 = 19;
const OPTION_FAST_OPEN = 34;
const OPTION_EXPERIMENT = 254;
const FAST_OPEN_MAGIC: readonly number[] = [0xf9, 0x89];

/** Whether the next token begins a packet. */
export function atPacket(reader: TokenReader): boolean {
  return reader.is('<') || reader.is('>');
}

export function parsePacket(reader: TokenReader): ScriptPacket {
  const direction = reader.take().text === '<' ? 'in' : 'out';
  const packet: ScriptPacket = {
    direction,
    tos: null,
    ttl: null,
    flowLabel: null,
    ports: null,
    body: { kind: 'udp', payloadBytes: 0 },
    unsupported: null,
  };
  while (TUNNELS.some((word) => reader.is(word))) skipTunnel(reader, packet);
  // An older form of the language has what an ICMP error quotes in front.
  const quotedFirst = reader.is('[') && reader.isKind('integer', 1) ? parseBracketed(reader) : null;
  if (reader.is('(') || reader.is('[')) parseIpInfo(reader, packet);
  if (STRANGERS.some((word) => reader.is(word))) {
    skipStranger(reader, packet);
  } else if (reader.accept('udp')) {
    packet.ports = parsePorts(reader);
    packet.body = parseUdp(reader);
  } else if (reader.accept('icmp') || reader.accept('icmpv6')) {
    packet.body = parseIcmp(reader, quotedFirst);
  } else {
    packet.ports = parsePorts(reader);
    packet.body = parseTcp(reader, packet);
  }
  if (packet.tos?.check === 'ect01' && direction === 'in') reader.fail('[ect01] is for outbound packets');
  return packet;
}

/** `ipv4 1.2.3.4 > 5.6.7.8:`, `gre flags 0:`, ...: up to the colon; those of IPv6 addresses have something right behind. */
function skipTunnel(reader: TokenReader, packet: ScriptPacket): void {
  packet.unsupported = `${reader.peek().text} encapsulation`;
  const within = (): boolean => {
    const [colon, next] = [reader.peek(), reader.peek(1)];
    return next.kind !== 'end' && next.line === colon.line && next.column === colon.column + 1;
  };
  while (!reader.is(':') || within()) {
    if (reader.isKind('end')) reader.fail('expected : after an outer header');
    reader.take();
  }
  reader.take();
}

/** `sctp: INIT[flgs=0, ...]`, ...: to the end of the line, and of what is in brackets. */
function skipStranger(reader: TokenReader, packet: ScriptPacket): void {
  const { line, text } = reader.peek();
  packet.unsupported = text;
  for (let depth = 0; !reader.isKind('end') && (depth > 0 || reader.peek().line === line); ) {
    const { kind, text: mark } = reader.take();
    if (kind !== 'punctuation') continue;
    if ('[({'.includes(mark)) depth++;
    else if ('])}'.includes(mark)) depth--;
  }
}

function parseIpInfo(reader: TokenReader, packet: ScriptPacket): void {
  const close = reader.take().text === '(' ? ')' : ']';
  do {
    if (reader.accept('ttl')) packet.ttl = reader.integer('ttl', 0, 255);
    else if (reader.accept('flowlabel')) packet.flowLabel = reader.integer('flow label', 0, 0xfffff);
    else packet.tos = parseTos(reader);
  } while (reader.accept(','));
  reader.expect(close);
}

function parseTos(reader: TokenReader): TosSpec {
  if (reader.accept('tos')) return { check: 'tos', value: reader.integer('tos', 0, 255) };
  if (reader.accept('ect01')) return { check: 'ect01', value: 0 };
  const value = reader.isKind('word') ? ECN_VALUES[reader.peek().text] : undefined;
  if (value === undefined) reader.fail('expected noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel');
  reader.take();
  return { check: 'ecn', value };
}

function parsePorts(reader: TokenReader): { src: number; dst: number } | null {
  if (!reader.isKind('integer') || !reader.is('>', 1)) return null;
  const src = reader.integer('port', 0, UINT16_MAX);
  reader.expect('>');
  return { src, dst: reader.integer('port', 0, UINT16_MAX) };
}

function parseUdp(reader: TokenReader): UdpBody {
  reader.expect('(');
  const payloadBytes = reader.integer('payload', 0, UINT16_MAX);
  reader.expect(')');
  return { kind: 'udp', payloadBytes };
}

function parseIcmp(reader: TokenReader, quotedFirst: EchoedPacket | null): IcmpBody {
  const type = reader.expectKind('word', 'an ICMP type').text;
  const body: IcmpBody = { kind: 'icmp', type, code: null, mtu: null, id: 0, echoed: quotedFirst };
  if (reader.isKind('word') && !reader.is('mtu') && !reader.is('id')) body.code = reader.take().text;
  if (reader.accept('mtu')) body.mtu = reader.integer('mtu', 0, UINT32_MAX);
  if (reader.accept('id')) body.id = reader.integer('id', 0, UINT16_MAX);
  if (reader.is('[')) body.echoed = parseBracketed(reader);
  return body;
}

function parseBracketed(reader: TokenReader): EchoedPacket {
  reader.expect('[');
  const echoed = parseEchoed(reader);
  reader.expect(']');
  return echoed;
}

function parseEchoed(reader: TokenReader): EchoedPacket {
  const protocol = reader.is('udp') || reader.is('raw') ? (reader.take().text as 'udp' | 'raw') : 'tcp';
  if (protocol === 'tcp') return { protocol, ...parseSeq(reader) };
  return { protocol, seq: 0, payloadBytes: parseUdp(reader).payloadBytes };
}

function parseSeq(reader: TokenReader): { seq: number; payloadBytes: number } {
  const start = reader.peek();
  const seq = reader.integer('sequence number', 0, UINT32_MAX);
  reader.expect(':');
  const end = reader.integer('sequence number', 0, UINT32_MAX);
  reader.expect('(');
  const payloadBytes = reader.integer('payload', 0, UINT16_MAX);
  reader.expect(')');
  if ((seq + payloadBytes) >>> 0 !== end) reader.failAt(start, `${seq} and ${payloadBytes} bytes do not make ${end}`);
  return { seq, payloadBytes };
}

function parseTcp(reader: TokenReader, packet: ScriptPacket): TcpBody {
  const { flags, ace } = parseFlags(reader);
  const body: TcpBody = {
    kind: 'tcp',
    flags,
    ace,
    ...parseSeq(reader),
    ack: 0,
    window: null,
    urgent: 0,
    options: [],
  };
  if (reader.accept('ack')) body.ack = reader.integer('ack', 0, UINT32_MAX);
  if (reader.accept('win')) body.window = reader.integer('win', 0, UINT16_MAX);
  if (reader.accept('urg')) body.urgent = reader.integer('urg', 0, UINT16_MAX);
  if (reader.is('<')) body.options = parseOptions(reader, packet);
  if (reader.is('{')) reader.fail('fuzzing of packets is not supported');
  return body;
}

function parseFlags(reader: TokenReader): { flags: number; ace: number | null } {
  const first = reader.peek();
  let text = '';
  if (reader.accept('-')) return { flags: 0, ace: null };
  if (reader.isKind('word')) text = reader.take().text;
  // `.5`: the ACK flag and Accurate ECN's counter.
  if (reader.isKind('float')) text += reader.take().text;
  else if (reader.accept('.')) text += '.';
  if (text === '') reader.fail('expected TCP flags, udp or icmp');
  let flags = 0;
  let ace: number | null = null;
  for (const letter of text) {
    const flag = FLAG_OF_LETTER[letter];
    if (flag !== undefined) flags |= flag;
    else if (/[0-7]/.test(letter)) ace = Number(letter);
    else reader.failAt(first, `${JSON.stringify(letter)} in ${JSON.stringify(text)} is no TCP flag`);
  }
  return { flags, ace };
}

function parseOptions(reader: TokenReader, packet: ScriptPacket): ScriptTcpOption[] | null {
  const open = reader.expect('<');
  if (reader.accept('...')) {
    if (packet.direction === 'in') reader.fail('<...> is for outbound packets');
    reader.expect('>');
    return null;
  }
  const options: ScriptTcpOption[] = [];
  do {
    const option = parseOption(reader, packet);
    if (option !== null) options.push(option);
  } while (reader.accept(','));
  reader.expect('>');
  const bytes = optionBytes(options).length;
  if (packet.unsupported === null && bytes % 4 !== 0)
    reader.failAt(open, `TCP options of ${bytes} bytes: pad with nop`);
  if (bytes > tcp.OPTION_BYTES_MAX) reader.failAt(open, `TCP options of ${bytes} bytes: ${tcp.OPTION_BYTES_MAX} fit`);
  return options;
}

function parseOption(reader: TokenReader, packet: ScriptPacket): ScriptTcpOption | null {
  const name = reader.expectKind('word', 'a TCP option').text;
  switch (name) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: name };
    case 'mss':
      return { kind: 'mss', mss: reader.integer('mss', 0, UINT16_MAX) };
    case 'wscale':
      return { kind: 'wscale', shift: reader.integer('wscale', 0, 255) };
    case 'sack':
      return { kind: 'sack', blocks: parseBlocks(reader) };
    case 'TS': {
      reader.expect('val');
      const value = parseTimestamp(reader, packet, 'TS val');
      reader.expect('ecr');
      return { kind: 'TS', value, echo: parseTimestamp(reader, packet, 'TS ecr') };
    }
    case 'md5':
      return { kind: 'raw', name, type: OPTION_MD5, data: parseHex(reader) };
    case 'FO':
      return { kind: 'raw', name, type: OPTION_FAST_OPEN, data: parseHex(reader) };
    case 'FOEXP':
      return {
        kind: 'raw',
        name,
        type: OPTION_EXPERIMENT,
        data: Uint8Array.of(...FAST_OPEN_MAGIC, ...parseHex(reader)),
      };
    default:
      packet.unsupported = `TCP option ${name}`;
      while (!reader.is(',') && !reader.is('>')) {
        if (reader.isKind('end')) reader.fail('expected > after TCP options');
        reader.take();
      }
      return null;
  }
}

function parseTimestamp(reader: TokenReader, packet: ScriptPacket, what: string): number | null {
  if (packet.direction === 'out' && reader.accept('...')) return null;
  return reader.integer(what, 0, UINT32_MAX);
}

function parseBlocks(reader: TokenReader): { start: number; end: number }[] {
  const blocks: { start: number; end: number }[] = [];
  do {
    const start = reader.integer('SACK block', 0, UINT32_MAX);
    reader.expect(':');
    blocks.push({ start, end: reader.integer('SACK block', 0, UINT32_MAX) });
  } while (reader.isKind('integer'));
  return blocks;
}

/** Hexadecimal digits, which look like a word or an integer; none at all is an empty cookie. */
function parseHex(reader: TokenReader): Uint8Array {
  if (!reader.isKind('word') && !reader.isKind('integer')) return new Uint8Array(0);
  const token = reader.take();
  if (!/^([0-9a-fA-F]{2})*$/.test(token.text)) reader.failAt(token, `${token.text} is not bytes in hexadecimal`);
  return Uint8Array.from(token.text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
