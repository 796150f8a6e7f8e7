/** Frames as text: literal frames, and the same text from tcpdump where it is installed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex } from '../../test/fixtures/hex.ts';
import { isInstalled } from '../../test/fixtures/installed.ts';
import { tcpdumpLines } from '../../test/fixtures/tcpdump.ts';
import * as ipv4 from './ipv4.ts';
import { formatFlags, formatFrame } from './pretty.ts';
import * as tcp from './tcp.ts';

const MACS = '026d6b00000c 026d6b00000b';
const SRC = 0x0a00000b;
const DST = 0x0a00000c;

/** Ethernet and IP in front of what is given. The checksums above IP stay as they are: nothing here looks at them. */
function frame(protocol: number, payload: string, fields: Partial<ipv4.Repr> = {}): DataView {
  const packet: ipv4.Repr = {
    tos: 0,
    identification: 7,
    dontFragment: false,
    moreFragments: false,
    fragmentOffsetBytes: 0,
    ttl: 64,
    protocol,
    src: SRC,
    dst: DST,
    options: [],
    payload: hex(payload),
    ...fields,
  };
  const bytes = new Uint8Array(14 + ipv4.lengthOf(packet));
  bytes.set(hex(`${MACS} 0800`));
  const view = new DataView(bytes.buffer);
  ipv4.emit(packet, view, 14);
  return view;
}

function raw(digits: string): DataView {
  return new DataView(hex(digits).buffer);
}

/** A quoted datagram from 10.0.0.11 port 5000 to 10.0.0.12 port 6000. */
const QUOTE = '4500 0021 0007 0000 40 11 66b3 0a00000b 0a00000c 1388 1770 000d 0000';
const QUOTED_ICMP = '4500 0021 0007 0000 40 01 66b3 0a00000b 0a00000c 0800 0000 000d 0000';

/** Text that tcpdump gives too, and the frame. */
const AGREED: [string, DataView][] = [
  [
    'ARP, Request who-has 10.0.0.12 tell 10.0.0.11, length 28',
    raw(`ffffffffffff 026d6b00000b 0806 0001 0800 0604 0001 026d6b00000b 0a00000b 000000000000 0a00000c`),
  ],
  [
    'ARP, Request who-has 10.0.0.12 (02:6d:6b:00:00:0c) tell 10.0.0.11, length 28',
    raw(`${MACS} 0806 0001 0800 0604 0001 026d6b00000b 0a00000b 026d6b00000c 0a00000c`),
  ],
  [
    'ARP, Reply 10.0.0.12 is-at 02:6d:6b:00:00:0c, length 46',
    raw(`${MACS} 0806 0001 0800 0604 0002 026d6b00000c 0a00000c 026d6b00000b 0a00000b ${'00'.repeat(18)}`),
  ],
  [
    'IP 10.0.0.11.49152 > 10.0.0.12.8081: Flags [S], seq 4294967295, win 65535, options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0',
    frame(6, 'c000 1f91 ffffffff 00000000 a002 ffff 0000 0000 020405b4 0402080a 00000001 00000000 01 030307'),
  ],
  [
    'IP 10.0.0.11.49152 > 10.0.0.12.8081: Flags [S.], seq 1, ack 4294967295, win 0, length 0',
    frame(6, 'c000 1f91 00000001 ffffffff 5012 0000 0000 0000'),
  ],
  [
    'IP 10.0.0.11.49152 > 10.0.0.12.8081: Flags [P.], seq 4294967294:1, ack 9, win 512, length 3',
    frame(6, 'c000 1f91 fffffffe 00000009 5018 0200 0000 0000 010203'),
  ],
  [
    'IP 10.0.0.11.49152 > 10.0.0.12.8081: Flags [.], ack 9, win 512, options [nop,nop,sack 2 {16:32}{48:4294967295}], length 0',
    frame(6, 'c000 1f91 00000001 00000009 a010 0200 0000 0000 0101 0512 00000010 00000020 00000030 ffffffff'),
  ],
  [
    'IP 10.0.0.11.49152 > 10.0.0.12.8081: Flags [none], win 512, options [unknown-77 0x0102,eol], length 0',
    frame(6, 'c000 1f91 00000001 00000009 7000 0200 0000 0000 4d040102 00 4d0401'),
  ],
  [
    'IP 10.0.0.11.49152 > 10.0.0.12.8081: Flags [FRUEW], seq 1, win 512, urg 7, length 0',
    frame(6, 'c000 1f91 00000001 00000009 50e5 0200 0000 0007'),
  ],
  ['IP 10.0.0.11.5000 > 10.0.0.12.6000: UDP, length 5', frame(17, '1388 1770 000d 0000 6161616161')],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP echo request, id 7, seq 1, length 12', frame(1, '0800 0000 0007 0001 61616161')],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP echo reply, id 65535, seq 65535, length 8', frame(1, '0000 0000 ffff ffff')],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP 10.0.0.12 udp port 6000 unreachable, length 36',
    frame(1, `0303 0000 00000000 ${QUOTE}`),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP 10.0.0.12 protocol 1 port 13 unreachable, length 36',
    frame(1, `0303 0000 00000000 ${QUOTED_ICMP.replace('0800 0000', '0800 000d')}`),
  ],
  ...(
    [
      ['0300', 'net 10.0.0.12 unreachable'],
      ['0301', 'host 10.0.0.12 unreachable'],
      ['0302', '10.0.0.12 protocol 17 unreachable'],
      ['0305', '10.0.0.12 unreachable - source route failed'],
      ['0306', 'net 10.0.0.12 unreachable - unknown'],
      ['0307', 'host 10.0.0.12 unreachable - unknown'],
      ['0308', '10.0.0.12 unreachable - source host isolated'],
      ['0309', 'net 10.0.0.12 unreachable - admin prohibited'],
      ['030a', 'host 10.0.0.12 unreachable - admin prohibited'],
      ['030b', 'net 10.0.0.12 unreachable - tos prohibited'],
      ['030c', 'host 10.0.0.12 unreachable - tos prohibited'],
      ['030d', 'host 10.0.0.12 unreachable - admin prohibited filter'],
      ['030e', 'host 10.0.0.12 unreachable - host precedence violation'],
      ['030f', 'host 10.0.0.12 unreachable - precedence cutoff'],
      ['0310', '10.0.0.12 unreachable - #16'],
      ['0304', '10.0.0.12 unreachable - need to frag'],
      ['0400', 'source quench'],
      ['0b00', 'time exceeded in-transit'],
      ['0b01', 'ip reassembly time exceeded'],
      ['0b02', 'time exceeded-#2'],
    ] as const
  ).map(([head, text]): [string, DataView] => [
    `IP 10.0.0.11 > 10.0.0.12: ICMP ${text}, length 36`,
    frame(1, `${head} 0000 00000000 ${QUOTE}`),
  ]),
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP 10.0.0.12 unreachable - need to frag (mtu 1400), length 36',
    frame(1, `0304 0000 0000 0578 ${QUOTE}`),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP redirect 10.0.0.12 to host 10.0.0.254, length 36',
    frame(1, `0501 0000 0a0000fe ${QUOTE}`),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP redirect 10.0.0.12 to net 10.0.0.254, length 36',
    frame(1, `0500 0000 0a0000fe ${QUOTE}`),
  ],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP parameter problem - octet 20, length 36', frame(1, `0c00 0000 14000000 ${QUOTE}`)],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP parameter problem - code 1, length 36', frame(1, `0c01 0000 14000000 ${QUOTE}`)],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP time stamp query id 7 seq 1, length 20',
    frame(1, '0d00 0000 0007 0001 00000001 00000000 00000000'),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP time stamp reply id 7 seq 1: org 00:00:00.001, recv 01:01:01.000, xmit 23:59:59.999, length 20',
    frame(1, '0e00 0000 0007 0001 00000001 0037dcc8 05265bff'),
  ],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP information request, length 8', frame(1, '0f00 0000 0007 0001')],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP information reply, length 8', frame(1, '1000 0000 0007 0001')],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP address mask request, length 12', frame(1, '1100 0000 0007 0001 00000000')],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP address mask is 0xffffff00, length 12', frame(1, '1200 0000 0007 0001 ffffff00')],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP router solicitation, length 8', frame(1, '0a00 0000 00000000')],
  ...(
    [
      ['1100 eeff 00000000', 'query v1'],
      ['1164 ee9b 00000000', 'query v2'],
      ['1132 feca ef010101', 'query v2 [max resp time 50] [gaddr 239.1.1.1]'],
      ['1200 fdfc ef010101', 'v1 report 239.1.1.1'],
      ['1600 f9fc ef010101', 'v2 report 239.1.1.1'],
      ['1700 f8fc ef010101', 'leave 239.1.1.1'],
      ['1164 ec1e 00000000 027d0000', 'query v3'],
      [
        '1181 e7f9 ef010101 027d0002 0a000001 0a000002',
        'query v3 [max resp time 13.6s] [gaddr 239.1.1.1, 2 source(s)]',
      ],
      ['11ff fb80 ef010101 027d0000', 'query v3 [max resp time 52m54s] [gaddr 239.1.1.1]'],
      ['2200 e9fb 00000001 04000000 ef010101', 'v3 report, 1 group record(s)'],
    ] as const
  ).map(([message, text]): [string, DataView] => [`IP 10.0.0.11 > 10.0.0.12: igmp ${text}`, frame(2, message)]),
  ['IP 10.0.0.11 > 10.0.0.12: ICMP type-#42, length 8', frame(1, '2a00 0000 00000000')],
];

/** Frames of which tcpdump says something else, or nothing. */
const OURS: [string, DataView][] = [
  ['IP 10.0.0.11 > 10.0.0.12: ip-proto-253 3', frame(253, '010203')],
  ['malformed (ether-short), length 3', raw('010203')],
  ['02:6d:6b:00:00:0b > 02:6d:6b:00:00:0c, ethertype 0x88b5, length 16', raw(`${MACS} 88b5 0102`)],
  [
    'vlan 5, p 3, ARP, Request who-has 10.0.0.12 tell 10.0.0.11, length 28',
    raw(`${MACS} 8100 6005 0806 0001 0800 0604 0001 026d6b00000b 0a00000b 000000000000 0a00000c`),
  ],
  [
    'vlan 5, p 3, DEI, vlan 6, p 0, 02:6d:6b:00:00:0b > 02:6d:6b:00:00:0c, ethertype 0x88b5, length 22',
    raw(`${MACS} 88a8 7005 8100 0006 88b5`),
  ],
  ['vlan 5, p 0, vlan, malformed (vlan-bad-id), length 4', raw(`${MACS} 8100 0005 8100 0fff 0800`)],
  [
    'vlan 5, p 0, vlan 5, p 0, 02:6d:6b:00:00:0b > 02:6d:6b:00:00:0c, ethertype 0x8100, length 22',
    raw(`${MACS} 8100 0005 8100 0005 8100`),
  ],
  ['IP 10.0.0.11 > 10.0.0.12: IGMP, malformed (igmp-short), length 4', frame(2, '11000000')],
  ['ARP, malformed (arp-short), length 2', raw(`${MACS} 0806 0001`)],
  ['IP, malformed (ip-short), length 1', raw(`${MACS} 0800 45`)],
  [
    'IP 10.0.0.11 > 10.0.0.12: malformed (ip-bad-checksum), length 20',
    raw(`${MACS} 0800 4500 0014 0007 0000 40 06 0000 0a00000b 0a00000c`),
  ],
  ['IP 10.0.0.11 > 10.0.0.12: TCP, malformed (tcp-short), length 4', frame(6, 'c000 1f91')],
  ['IP 10.0.0.11 > 10.0.0.12: UDP, malformed (udp-bad-length), length 8', frame(17, '1388 1770 0007 0000')],
  ['IP 10.0.0.11 > 10.0.0.12: ICMP, malformed (icmp-bad-quote), length 8', frame(1, '0303 0000 00000000')],
  [
    'IP 10.0.0.11.1 > 10.0.0.12.2: Flags [.], ack 9, win 512, options [nop,malformed], length 0',
    frame(6, '0001 0002 00000001 00000009 6010 0200 0000 0000 01080a00'),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: udp fragment (id 7, offset 0, flags [+]), length 8',
    frame(17, '1388 1770 0010 0000', { moreFragments: true }),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: ip-proto-253 fragment (id 7, offset 8, flags [none]), length 2',
    frame(253, '0102', { fragmentOffsetBytes: 8 }),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP redirect-#9 10.0.0.12 to net 10.0.0.254, length 36',
    frame(1, `0509 0000 0a0000fe ${QUOTE}`),
  ],
  [
    'IP 10.0.0.11 > 10.0.0.12: ICMP time stamp reply id 7 seq 1: org 2147483649, recv 00:00:00.000, xmit 86400000, length 20',
    frame(1, '0e00 0000 0007 0001 80000001 00000000 05265c00'),
  ],
];

/** Make length and checksum of the IP header right, so that mutations and truncations reach what comes behind it. */
function repairHeader(bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer);
  if (bytes.length < 34 || bytes.length < 14 + ipv4.headerBytes(view, 14) || ipv4.headerBytes(view, 14) < 20) return;
  ipv4.setTotalLength(view, 14, bytes.length - 14);
  ipv4.fillHeaderChecksum(view, 14);
}

describe('frames as text', () => {
  for (const [text, view] of [...AGREED, ...OURS]) {
    it(text, () => {
      expect(formatFrame(view, 0, view.byteLength)).toBe(text);
    });
  }

  it('names the flags in the order of tcpdump', () => {
    expect(formatFlags(tcp.FLAG_SYN | tcp.FLAG_ACK)).toBe('S.');
    expect(formatFlags(0)).toBe('none');
  });

  it.skipIf(!isInstalled('tcpdump'))('says the same as tcpdump (skipped without tcpdump)', () => {
    const lines = tcpdumpLines(AGREED.map(([, view]) => view));
    expect(lines).toEqual(AGREED.map(([text]) => text));
  });
});

describe('any bytes as text', () => {
  const frames = [...AGREED, ...OURS].map(([, view]) => new Uint8Array(view.buffer as ArrayBuffer));
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });

  it('makes one line of mutated and truncated frames, reading nothing outside', () => {
    fc.assert(
      fc.property(fc.constantFrom(...frames), changes, fc.nat(), fc.boolean(), (bytes, list, cut, repair) => {
        const copy = bytes.slice(0, cut % (bytes.length + 1));
        for (const [at, value] of list) if (copy.length > 0) copy[at % copy.length] = value;
        if (repair) repairHeader(copy);
        expect(formatFrame(new DataView(copy.buffer), 0, copy.length)).not.toContain('\n');
      }),
      { numRuns: 2000 },
    );
  });

  it('makes one line of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 128 }), fc.constantFrom(0x0800, 0x0806, 0x86dd, 0), (bytes, type) => {
        const view = new DataView(bytes.slice().buffer);
        if (view.byteLength >= 14) view.setUint16(12, type);
        expect(formatFrame(view, 0, view.byteLength)).not.toContain('\n');
      }),
    );
  });
});
