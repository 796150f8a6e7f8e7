import { describe, expect, it } from 'vitest';
import { tokenize } from './lexer.ts';
import { parseScript } from './parser.ts';
import { type Action, type Script, ScriptError, type ScriptEvent } from './syntax.ts';

function parse(text: string): Script {
  return parseScript('a.pkt', text);
}

function event(text: string): ScriptEvent {
  return parse(text).events[0] as ScriptEvent;
}

function packet(text: string): Extract<Action, { kind: 'packet' }>['packet'] {
  const { action } = event(`0 ${text}`);
  if (action.kind !== 'packet') throw new Error(action.kind);
  return action.packet;
}

function call(text: string): Extract<Action, { kind: 'call' }>['call'] {
  const { action } = event(`0 ${text}`);
  if (action.kind !== 'call') throw new Error(action.kind);
  return action.call;
}

function failure(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ScriptError) return error.message;
  }
  return 'no error';
}

describe('words', () => {
  const texts = (text: string): string[] => tokenize('a.pkt', text).map(({ kind, text: word }) => `${kind} ${word}`);

  it('are numbers, names, quoted texts and single characters', () => {
    expect(texts('+.01 -1 0x1f 12ab "a b" `ls` %{ x }% 1.2.3.4 S. ...')).toEqual([
      'punctuation +',
      'float .01',
      'integer -1',
      'integer 0x1f',
      'word 12ab',
      'string a b',
      'backquoted ls',
      'code  x ',
      'address 1.2.3.4',
      'word S',
      'punctuation .',
      'punctuation ...',
      'end end of file',
    ]);
  });

  it('leave out the three kinds of comments', () => {
    expect(texts('a // b\n/* c\n d */ # no comment here\n  # e\nf')).toEqual([
      'word a',
      'punctuation #',
      'word no',
      'word comment',
      'word here',
      'word f',
      'end end of file',
    ]);
  });

  it('know their line and column', () => {
    const tokens = tokenize('a.pkt', 'a\n\n  bc /* x\n */ d');
    expect(tokens.map(({ line, column }) => [line, column])).toEqual([
      [1, 1],
      [3, 3],
      [4, 5],
      [4, 6],
    ]);
  });

  it('are replaced by definitions', () => {
    const defines = new Map([
      ['PROTO', 'IPPROTO_TCP'],
      ['CC', '"reno"'],
      ['N', '5'],
    ]);
    const tokens = tokenize('a.pkt', 'PROTO CC N OTHER', { defines });
    expect(tokens.map(({ kind, text }) => `${kind} ${text}`).slice(0, 4)).toEqual([
      'word IPPROTO_TCP',
      'string reno',
      'integer 5',
      'word OTHER',
    ]);
  });
});

describe('a script', () => {
  it('has options, a first command, events, and a last command', () => {
    const script = parse(`--tolerance_usecs=10000
      --ip_version=ipv4-mapped-ipv6
      --strict_segments
      --define=CC="reno"
      \`init\`
      0 \`now\`
      +0 %{ assert True }%
      \`cleanup\``);
    expect(script.options.map(({ name, value }) => [name, value])).toEqual([
      ['tolerance_usecs', '10000'],
      ['ip_version', 'ipv4-mapped-ipv6'],
      ['strict_segments', null],
      ['define', 'CC="reno"'],
    ]);
    expect([script.init?.text, script.cleanup?.text]).toEqual(['init', 'cleanup']);
    expect(script.events.map(({ action }) => action.kind)).toEqual(['command', 'code']);
  });

  it('has times in five forms, microseconds', () => {
    const times = ['0.25', '+.01', '*', '1~1.5', '+0~+.000001'].map((time) => event(`${time} > . 1:1(0) ack 1`).time);
    expect(times).toEqual([
      { type: 'absolute', us: 250_000, endUs: 250_000 },
      { type: 'relative', us: 10_000, endUs: 10_000 },
      { type: 'any', us: 0, endUs: 0 },
      { type: 'absolute-range', us: 1_000_000, endUs: 1_500_000 },
      { type: 'relative-range', us: 0, endUs: 1 },
    ]);
  });
});

describe('packets', () => {
  it('are TCP segments with everything', () => {
    const { body, direction } = packet(
      '> SEW. 7:107(100) ack 9 win 32792 urg 3 <mss 1000,sackOK,nop,nop,nop,wscale 7>',
    );
    expect(direction).toBe('out');
    expect(body).toEqual({
      kind: 'tcp',
      flags: 0x02 | 0x40 | 0x80 | 0x10,
      ace: null,
      seq: 7,
      payloadBytes: 100,
      ack: 9,
      window: 32792,
      urgent: 3,
      options: [
        { kind: 'mss', mss: 1000 },
        { kind: 'sackOK' },
        { kind: 'nop' },
        { kind: 'nop' },
        { kind: 'nop' },
        { kind: 'wscale', shift: 7 },
      ],
    });
  });

  it('have timestamps, SACK blocks, cookies and digests', () => {
    const { body } = packet('< . 1:1(0) ack 1 win 0 <sack 5:6 7:8,nop,nop>');
    expect(body).toMatchObject({
      options: [
        {
          kind: 'sack',
          blocks: [
            { start: 5, end: 6 },
            { start: 7, end: 8 },
          ],
        },
        {},
        {},
      ],
    });
    expect(packet('> S 0:0(0) <nop,nop,TS val 100 ecr 4294967295>').body).toMatchObject({
      options: [{ kind: 'nop' }, { kind: 'nop' }, { kind: 'TS', value: 100, echo: 4294967295 }],
    });
    expect(packet('> S 0:0(0) <FO 00ff,FOEXP 12,eol,nop,nop>').body).toMatchObject({
      options: [
        { type: 34, data: Uint8Array.of(0x00, 0xff) },
        { type: 254, data: Uint8Array.of(0xf9, 0x89, 0x12) },
        { kind: 'eol' },
        {},
        {},
      ],
    });
  });

  it('may leave options and flags open', () => {
    expect(packet('> . 1:1(0) ack 1 <...>').body).toMatchObject({ options: null, window: null });
    expect(packet('< - 0:10(10) win 5').body).toMatchObject({ flags: 0, payloadBytes: 10 });
    expect(packet('> SA.5 0:0(0) ack 1').body).toMatchObject({ flags: 0x112, ace: 5 });
  });

  it('have marks, a time to live, ports', () => {
    expect(packet('> [ect0] P. 1:2(1) ack 1').tos).toEqual({ check: 'ecn', value: 2 });
    expect(packet('> [ect01, flowlabel 0x3] . 1:1(0) ack 1')).toMatchObject({ tos: { check: 'ect01' }, flowLabel: 3 });
    expect(packet('< (tos 0x2e) . 1:1(0) ack 1').tos).toEqual({ check: 'tos', value: 0x2e });
    expect(packet('< (ttl 5) udp (3)')).toMatchObject({ ttl: 5, body: { kind: 'udp', payloadBytes: 3 } });
    expect(packet('< 5000>8080 S 0:0(0) win 5').ports).toEqual({ src: 5000, dst: 8080 });
  });

  it('are ICMP messages about others', () => {
    expect(packet('< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]').body).toEqual({
      kind: 'icmp',
      type: 'unreachable',
      code: 'frag_needed',
      mtu: 1200,
      id: 0,
      echoed: { protocol: 'tcp', seq: 1, payloadBytes: 1460 },
    });
    expect(packet('< icmp echo_request id 3').body).toMatchObject({
      type: 'echo_request',
      code: null,
      id: 3,
      echoed: null,
    });
    expect(packet('< icmp unreachable port_unreachable [udp (100)]').body).toMatchObject({
      echoed: { protocol: 'udp', payloadBytes: 100 },
    });
  });

  it('say what of them cannot be played', () => {
    expect(packet('> gre flags 0: S 0:0(0)').unsupported).toBe('gre encapsulation');
    expect(packet('< ipv6 2::2222 > 1::ab:1: gre:\n mpls (label 1, [S], ttl 2): . 1:1(0) ack 1')).toMatchObject({
      unsupported: 'mpls encapsulation',
      body: { kind: 'tcp' },
    });
    expect(packet('< sctp: INIT[flgs=0, tag=1,\n a_rwnd=1500]').unsupported).toBe('sctp');
    expect(packet('> udplite (1000)').unsupported).toBe('udplite');
    expect(packet('< S 0:0(0) win 5 <mss 1000,ECN e1b 1 ceb 0 e0b 1,nop>').unsupported).toBe('TCP option ECN');
  });
});

describe('system calls', () => {
  it('have arguments, a result, an error', () => {
    expect(call('connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)')).toMatchObject({
      name: 'connect',
      endUs: null,
      args: [{ kind: 'integer', value: 3 }, { kind: 'ellipsis' }, { kind: 'ellipsis' }],
      result: { kind: 'integer', value: -1 },
      errno: 'EINPROGRESS',
    });
    expect(call('fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)')).toMatchObject({ result: { value: 2 }, errno: null });
  });

  it('may block until a time', () => {
    expect(call('...0.2 accept(3, ..., ...) = 4').endUs).toBe(200_000);
  });

  it('take structures of every form', () => {
    const { args } = call('setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0');
    expect(args[3]).toMatchObject({
      kind: 'struct',
      fields: [
        { name: 'onoff', value: { value: 1 } },
        { name: 'linger', value: { value: 5 } },
      ],
    });
    const address = call(
      'bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("1.2.3.4")}, 16) = 0',
    );
    expect(address.args[1]).toMatchObject({
      fields: [
        { value: { name: 'AF_INET' } },
        { value: { name: 'htons', args: [{ value: 80 }] } },
        { name: 'sin_addr' },
      ],
    });
    const message = call(
      'recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{...,10},{...,20}], msg_flags=0}, MSG_PEEK|MSG_DONTWAIT) = 5',
    );
    expect(message.args[1]).toMatchObject({
      fields: [
        { name: 'msg_name', args: [{ kind: 'ellipsis' }] },
        { name: 'msg_iov', value: { kind: 'list', items: [{ kind: 'struct' }, { kind: 'struct' }] } },
        { name: 'msg_flags' },
      ],
    });
    expect(message.args[2]).toMatchObject({ kind: 'or', parts: [{ name: 'MSG_PEEK' }, { name: 'MSG_DONTWAIT' }] });
  });
});

describe('what is wrong is named with its place', () => {
  it.each([
    ['', 'a.pkt:1:1: expected an event, not end of file'],
    ['0 foo(3) 4', 'a.pkt:1:10: expected =, not "4"'],
    ['0 > S 0:5(4)', 'a.pkt:1:7: 0 and 4 bytes do not make 5'],
    ['0 > X 0:0(0)', 'a.pkt:1:5: "X" in "X" is no TCP flag'],
    ['0 > S 0:0(0) <foo', 'a.pkt:1:18: expected > after TCP options, not end of file'],
    ['0 < S 0:0(0) <mss 1000,sackOK>', 'a.pkt:1:14: TCP options of 6 bytes: pad with nop'],
    ['0 < S 0:0(0) <mss 70000>', 'a.pkt:1:19: mss 70000 is not in 0..65535'],
    ['0 < . 1:1(0) ack 1 <...>', 'a.pkt:1:24: <...> is for outbound packets, not ">"'],
    ['\n\n0 read(3, "abc', 'a.pkt:3:11: no " closes this "'],
    ['0 `ls', 'a.pkt:1:3: no ` closes this `'],
    ['/* x', 'a.pkt:1:1: no */ closes this comment'],
    ['* read(3) = 0', 'a.pkt:1:1: * is for outbound packets'],
    ['0~1 < . 1:1(0) ack 1', 'a.pkt:1:1: a range of times is for outbound packets'],
    ['2~1 > . 1:1(0) ack 1', 'a.pkt:1:1: the range of times runs backwards'],
    ['0 < [ect01] . 1:1(0)', 'a.pkt:1:21: [ect01] is for outbound packets, not end of file'],
    [
      '0 read(3) = 0 `x` 1 read(3) = 0',
      'a.pkt:1:19: expected the end after the last command, which has no time, not "1"',
    ],
  ])('%j', (text, message) => {
    expect(failure(text)).toBe(message);
  });
});
