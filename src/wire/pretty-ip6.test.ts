/** IPv6 frames as text: literal packets, and the same text from tcpdump where it is installed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex } from '../../test/fixtures/hex.ts';
import { isInstalled } from '../../test/fixtures/installed.ts';
import { tcpdumpLines } from '../../test/fixtures/tcpdump.ts';
import * as ipv6 from './ipv6.ts';
import { formatFrame } from './pretty.ts';

const FROM = 'fe800000000000000000000000000001';
const TO = 'fe800000000000000000000000000002';
const GROUP = 'ff0200000000000000000000000000fb';

/** Ethernet and IPv6 in front of what is given, from fe80::1 to fe80::2. */
function frame(nextHeader: string, payload: string): DataView {
  const lengthBytes = hex(payload).length.toString(16).padStart(4, '0');
  const head = `026d6b00000c 026d6b00000b 86dd 6000 0000 ${lengthBytes} ${nextHeader} ff ${FROM} ${TO}`;
  return new DataView(hex(`${head} ${payload}`).buffer);
}

const ENDS = 'IP6 fe80::1 > fe80::2:';
const DATAGRAM = '1388 1770 000d 0000 6161616161';
/** A quoted datagram, and a quoted segment. */
const QUOTE = `6000 0000 000d 11 40 ${FROM} ${TO} ${DATAGRAM}`;
const QUOTED_TCP = `6000 0000 0008 06 40 ${FROM} ${TO} 1388 1770 00000001`;

/** Text that tcpdump gives too, and the packet. */
const AGREED: [string, DataView][] = [
  ['IP6 fe80::1.5000 > fe80::2.6000: UDP, length 5', frame('11', DATAGRAM)],
  [
    'IP6 fe80::1.49152 > fe80::2.8081: Flags [S], seq 4294967295, win 65535, options [mss 1440,sackOK,nop,nop], length 0',
    frame('06', 'c000 1f91 ffffffff 00000000 7002 ffff 0000 0000 020405a0 0402 0101'),
  ],
  [`${ENDS} ICMP6, echo request, id 7, seq 1, length 12`, frame('3a', '8000 0000 0007 0001 61616161')],
  [`${ENDS} ICMP6, echo reply, id 65535, seq 65535, length 8`, frame('3a', '8100 0000 ffff ffff')],
  ...(
    [
      ['0100 0000 00000000', 'destination unreachable, unreachable route fe80::2'],
      ['0102 0000 00000000', 'destination unreachable, beyond scope fe80::2, source address fe80::1'],
      ['0103 0000 00000000', 'destination unreachable, unreachable address fe80::2'],
      ['0104 0000 00000000', 'destination unreachable, unreachable port, fe80::2 udp port 6000'],
      ['0200 0000 00000500', 'packet too big, mtu 1280'],
      ['0300 0000 00000000', 'time exceeded in-transit for fe80::2'],
      ['0301 0000 00000000', 'time exceeded in-transit (reassembly)'],
      ['0302 0000 00000000', 'time exceeded in-transit, unknown code (2)'],
      ['0400 0000 00000028', 'parameter problem, erroneous - octet 40'],
      ['0401 0000 00000028', 'parameter problem, next header - octet 40'],
      ['0402 0000 00000028', 'parameter problem, option - octet 40'],
      ['0900 0000 00000000', 'unknown icmp6 type (9)'],
    ] as const
  ).map(([head, text]): [string, DataView] => [`${ENDS} ICMP6, ${text}, length 61`, frame('3a', `${head} ${QUOTE}`)]),
  [
    `${ENDS} ICMP6, destination unreachable, unreachable port, fe80::2 tcp port 6000, length 56`,
    frame('3a', `0104 0000 00000000 ${QUOTED_TCP}`),
  ],
  [`${ENDS} ICMP6, router solicitation, length 16`, frame('3a', '8500 0000 00000000 0101 026d6b00000b')],
  [`${ENDS} ICMP6, router advertisement, length 16`, frame('3a', '8600 0000 40c00708 00000000 00000000')],
  [
    `${ENDS} ICMP6, neighbor solicitation, who has fe80::2, length 32`,
    frame('3a', `8700 0000 00000000 ${TO} 0101 026d6b00000b`),
  ],
  [`${ENDS} ICMP6, neighbor advertisement, tgt is fe80::2, length 24`, frame('3a', `8800 0000 60000000 ${TO}`)],
  [`${ENDS} ICMP6, redirect, ff02::fb to fe80::2, length 40`, frame('3a', `8900 0000 00000000 ${TO} ${GROUP}`)],
  [
    `${ENDS} ICMP6, multicast listener query v2 [gaddr ff02::fb], length 28`,
    frame('3a', `8200 0000 27100000 ${GROUP} 027d 0000`),
  ],
  [
    `${ENDS} ICMP6, multicast listener query v2 [gaddr ff02::fb, 1 source(s)], length 44`,
    frame('3a', `8200 0000 27100000 ${GROUP} 027d 0001 ${TO}`),
  ],
  [
    `${ENDS} HBH ICMP6, multicast listener report v2, 1 group record(s), length 28`,
    frame('00', `3a00 0502 0000 0100 8f00 0000 0000 0001 04000000 ${GROUP}`),
  ],
  [`${ENDS} no next header`, frame('3b', '')],
];

/** Packets of which tcpdump says something else, or less. */
const OURS: [string, DataView][] = [
  ['IP6, malformed (ip6-short), length 2', new DataView(hex('026d6b00000c 026d6b00000b 86dd 6000').buffer)],
  [`${ENDS} malformed (ip6-bad-version), length 40`, version4()],
  [`${ENDS} malformed (ip6-extension-truncated), length 1`, frame('3c', '3b')],
  [`${ENDS} TCP, malformed (tcp-short), length 2`, frame('06', '1388')],
  [`${ENDS} DSTOPT UDP, malformed (udp-short), length 2`, frame('3c', '1100 0104 00000000 1388')],
  [`${ENDS} ICMP6, malformed (icmp6-bad-quote), length 8`, frame('3a', '0100 0000 00000000')],
  [`${ENDS} ip-proto-253 3`, frame('fd', '010203')],
  [`${ENDS} ICMP6, multicast listener report addr: ff02::fb, length 24`, frame('3a', `8300 0000 00000000 ${GROUP}`)],
  [`${ENDS} ICMP6, multicast listener done addr: ff02::fb, length 24`, frame('3a', `8400 0000 00000000 ${GROUP}`)],
  [
    `${ENDS} ICMP6, multicast listener query max resp delay: 10000 addr: ff02::fb, length 24`,
    frame('3a', `8200 0000 27100000 ${GROUP}`),
  ],
  ...(
    [
      ['0101', 'unreachable prohibited fe80::2'],
      ['0105', 'source address policy fe80::2'],
      ['0106', 'reject route fe80::2'],
      ['0107', 'unknown unreach code (7) fe80::2'],
    ] as const
  ).map(([head, text]): [string, DataView] => [
    `${ENDS} ICMP6, destination unreachable, ${text}, length 61`,
    frame('3a', `${head} 0000 00000000 ${QUOTE}`),
  ]),
  [`${ENDS} ICMP6, parameter problem, code-#9 - octet 40, length 61`, frame('3a', `0409 0000 00000028 ${QUOTE}`)],
  [
    `${ENDS} ICMP6, destination unreachable, unreachable port, fe80::2, length 48`,
    frame('3a', `0104 0000 00000000 ${QUOTE.slice(0, -DATAGRAM.length)}`),
  ],
  [
    'IP6 fe80::1.5000 > fe80::2.6000: DSTOPT RT6 (type=4, segleft=0) UDP, length 5',
    frame('3c', `2b00 0104 00000000 1100 0400 00000000 ${DATAGRAM}`),
  ],
  [`${ENDS} udp fragment (id 7, offset 1456, flags [none]), length 3`, frame('2c', '1100 05b0 00000007 616263')],
  [`${ENDS} udp fragment (id 7, offset 0, flags [+]), length 8`, frame('2c', '1100 0001 00000007 1388177000100000')],
  ['IP6 fe80::1.5000 > fe80::2.6000: UDP, length 5', frame('2c', `1100 0000 00000007 ${DATAGRAM}`)],
];

function version4(): DataView {
  const view = frame('3b', '');
  view.setUint8(14, 0x40);
  return view;
}

describe('IPv6 frames as text', () => {
  for (const [text, view] of [...AGREED, ...OURS]) {
    it(text, () => {
      expect(formatFrame(view, 0, view.byteLength)).toBe(text);
    });
  }

  it.skipIf(!isInstalled('tcpdump'))('says the same as tcpdump (skipped without tcpdump)', () => {
    const lines = tcpdumpLines(AGREED.map(([, view]) => view));
    expect(lines).toEqual(AGREED.map(([text]) => text));
  });

  it('makes one line of mutated and truncated frames, reading nothing outside', () => {
    const frames = [...AGREED, ...OURS].map(([, view]) => new Uint8Array(view.buffer as ArrayBuffer));
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...frames), changes, fc.nat(), fc.boolean(), (bytes, list, cut, repair) => {
        const copy = bytes.slice(0, cut % (bytes.length + 1));
        for (const [at, value] of list) if (copy.length > 0) copy[at % copy.length] = value;
        const view = new DataView(copy.buffer);
        if (repair && copy.length >= 54) ipv6.setPayloadBytes(view, 14, copy.length - 54);
        expect(formatFrame(view, 0, copy.length)).not.toContain('\n');
      }),
      { numRuns: 2000 },
    );
  });
});
