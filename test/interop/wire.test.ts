/**
 * Frames that src/wire emits, dissected by tshark: every field where it belongs, every checksum right, nothing malformed.
 * Skipped where tshark is not installed.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as arp from '../../src/wire/arp.ts';
import * as ethernet from '../../src/wire/ethernet.ts';
import * as icmpv4 from '../../src/wire/icmpv4.ts';
import * as icmpv6 from '../../src/wire/icmpv6.ts';
import * as igmp from '../../src/wire/igmp.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import { interfaceBlock, LINKTYPE_ETHERNET, packetBlock, sectionBlock } from '../../src/wire/pcapng.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as udp from '../../src/wire/udp.ts';
import * as vlan from '../../src/wire/vlan.ts';
import { isInstalled } from '../fixtures/installed.ts';

interface Format<R> {
  lengthOf(repr: R): number;
  emit(repr: R, view: DataView, at: number): number;
}

/** What the frame is called, the frame, and what tshark shall say: field → value. */
type Case = [name: string, frame: Uint8Array, fields: Record<string, string>];

const SRC = ipv4.parseAddress('10.0.0.10') as number;
const DST = ipv4.parseAddress('10.0.0.11') as number;
const SRC6 = ipv6.parseAddress('fe80::a') as ipv6.Address6;
const DST6 = ipv6.parseAddress('fe80::b') as ipv6.Address6;
const GOOD = '1';
const NONE = new Uint8Array(0);
const PAYLOAD = new TextEncoder().encode('hello');

function bytesOf<R>(format: Format<R>, repr: R, seal?: (view: DataView, lengthBytes: number) => void): Uint8Array {
  const bytes = new Uint8Array(format.lengthOf(repr));
  const view = new DataView(bytes.buffer);
  format.emit(repr, view, 0);
  seal?.(view, bytes.length);
  return bytes;
}

function frame(type: number, payload: Uint8Array): Uint8Array {
  return bytesOf(ethernet, { dstHi: 0x026d, dstLo: 0x6b00000b, srcHi: 0x026d, srcLo: 0x6b00000a, type, payload });
}

function packet4(protocol: number, payload: Uint8Array, more: Partial<ipv4.Repr> = {}): Uint8Array {
  const head: ipv4.Repr = {
    tos: 0,
    identification: 0x1234,
    dontFragment: false,
    moreFragments: false,
    fragmentOffsetBytes: 0,
    ttl: 64,
    protocol,
    src: SRC,
    dst: DST,
    options: [],
    payload,
  };
  return frame(ethernet.ETHERTYPE_IPV4, bytesOf(ipv4, { ...head, ...more }));
}

function segment(repr: Partial<tcp.Repr>): Uint8Array {
  const head: tcp.Repr = {
    srcPort: 40000,
    dstPort: 40001,
    seq: 0,
    ack: 0,
    flags: tcp.FLAG_ACK,
    window: 512,
    urgentPointer: 0,
    options: [],
    payload: NONE,
  };
  const seal = (view: DataView, length: number): void => tcp.fillChecksum(view, 0, length, SRC, DST);
  return packet4(ipv4.PROTOCOL_TCP, bytesOf(tcp, { ...head, ...repr }, seal));
}

function datagram(): Uint8Array {
  const seal = (view: DataView): void => udp.fillChecksum(view, 0, SRC, DST);
  return bytesOf(udp, { srcPort: 40000, dstPort: 40001, payload: PAYLOAD }, seal);
}

const message4 = (repr: icmpv4.Repr): Uint8Array => packet4(ipv4.PROTOCOL_ICMP, bytesOf(icmpv4, repr));

const group4 = (repr: igmp.Repr): Uint8Array =>
  packet4(ipv4.PROTOCOL_IGMP, bytesOf(igmp, repr), { ttl: 1, options: [{ kind: 'router-alert', value: 0 }] });

/** An ICMPv6 message in a packet, whose addresses its checksum covers. */
function message6(repr: icmpv6.Repr, extensions: ipv6.Extension[] = []): Uint8Array {
  const payload = bytesOf(icmpv6, repr);
  const protocol = icmpv6.PROTOCOL_ICMPV6;
  const head = { trafficClass: 0, flowLabel: 0, hopLimit: 255, src: SRC6, dst: DST6, extensions, protocol };
  const packet = bytesOf(ipv6, { ...head, payload });
  const view = new DataView(packet.buffer);
  icmpv6.fillChecksum(view, 0, packet.length - payload.length, payload.length);
  return frame(ethernet.ETHERTYPE_IPV6, packet);
}

const quote4 = packet4(ipv4.PROTOCOL_UDP, datagram()).subarray(ethernet.HEADER_BYTES);
const quote6 = message6({ kind: 'echo', reply: false, identifier: 1, sequence: 1, payload: PAYLOAD }).subarray(14);

const LINK: Case[] = [
  [
    'an ARP request',
    frame(
      ethernet.ETHERTYPE_ARP,
      bytesOf(arp, {
        operation: arp.OPERATION_REQUEST,
        senderHi: 0x026d,
        senderLo: 0x6b00000a,
        senderAddress: SRC,
        targetHi: 0,
        targetLo: 0,
        targetAddress: DST,
      }),
    ),
    { 'arp.opcode': '1', 'arp.src.hw_mac': '02:6d:6b:00:00:0a', 'arp.dst.proto_ipv4': '10.0.0.11' },
  ],
  [
    'a tagged frame',
    frame(
      ethernet.ETHERTYPE_VLAN,
      bytesOf(vlan, {
        priority: 5,
        dropEligible: false,
        id: 100,
        type: ethernet.ETHERTYPE_IPV4,
        payload: packet4(ipv4.PROTOCOL_UDP, datagram()).subarray(ethernet.HEADER_BYTES),
      }),
    ),
    { 'vlan.id': '100', 'vlan.priority': '5', 'udp.dstport': '40001', 'udp.checksum.status': GOOD },
  ],
];

const TRANSPORT: Case[] = [
  [
    'a UDP datagram behind IP options',
    packet4(ipv4.PROTOCOL_UDP, datagram(), {
      tos: 0xb8,
      dontFragment: true,
      options: [
        { kind: 'record-route', pointer: 8, route: [SRC, 0] },
        { kind: 'timestamp', pointer: 9, overflow: 1, flag: ipv4.TIMESTAMP_ONLY, entries: [{ time: 1 }] },
      ],
    }),
    { 'ip.hdr_len': '40', 'ip.dsfield': '0xb8', 'ip.checksum.status': GOOD, 'udp.checksum.status': GOOD },
  ],
  [
    'the last fragment of something',
    packet4(ipv4.PROTOCOL_UDP, PAYLOAD, { fragmentOffsetBytes: 1480 }),
    // The offset is printed in bytes by some versions of tshark and in words by others.
    { 'ip.id': '0x1234', 'ip.proto': '17', 'ip.checksum.status': GOOD },
  ],
  [
    'a SYN',
    segment({
      seq: 0x89abcdef | 0,
      flags: tcp.FLAG_SYN | tcp.FLAG_ECE | tcp.FLAG_CWR,
      options: [
        { kind: 'mss', mss: 1460 },
        { kind: 'sack-permitted' },
        { kind: 'timestamps', value: 7, echo: 0 },
        { kind: 'nop' },
        { kind: 'window-scale', shift: 7 },
      ],
    }),
    {
      'tcp.seq_raw': '2309737967',
      'tcp.flags': '0x00c2',
      'tcp.options.mss_val': '1460',
      'tcp.options.wscale.shift': '7',
      'tcp.options.timestamp.tsval': '7',
      'tcp.checksum.status': GOOD,
    },
  ],
  [
    'an ACK with data and two SACK blocks',
    segment({
      seq: 1,
      ack: -1,
      flags: tcp.FLAG_ACK | tcp.FLAG_PSH,
      options: [
        { kind: 'nop' },
        { kind: 'nop' },
        {
          kind: 'sack',
          blocks: [
            { start: 16, end: 32 },
            { start: 48, end: 64 },
          ],
        },
        { kind: 'user-timeout', timeout: 0x8005 },
      ],
      payload: PAYLOAD,
    }),
    { 'tcp.ack_raw': '4294967295', 'tcp.options.sack.count': '2', 'tcp.len': '5', 'tcp.checksum.status': GOOD },
  ],
];

const CONTROL4: Case[] = [
  [
    'an echo request',
    message4({ kind: 'echo', reply: false, identifier: 7, sequence: 3, payload: PAYLOAD }),
    { 'icmp.type': '8', 'icmp.ident': '7', 'icmp.seq': '3', 'icmp.checksum.status': GOOD },
  ],
  [
    'fragmentation needed',
    message4({ kind: 'unreachable', code: icmpv4.CODE_FRAGMENTATION_NEEDED, nextHopMtuBytes: 1400, quote: quote4 }),
    { 'icmp.code': '4', 'icmp.mtu': '1400', 'icmp.checksum.status': GOOD },
  ],
  [
    'a redirect',
    message4({ kind: 'redirect', code: icmpv4.CODE_REDIRECT_HOST, gateway: DST, quote: quote4 }),
    { 'icmp.type': '5', 'icmp.redir_gw': '10.0.0.11', 'icmp.checksum.status': GOOD },
  ],
  [
    'a timestamp reply',
    message4({
      kind: 'timestamp',
      reply: true,
      identifier: 1,
      sequence: 2,
      originate: 1000,
      receive: 2000,
      transmit: 3000,
    }),
    { 'icmp.type': '14', 'icmp.originate_timestamp': '1000', 'icmp.checksum.status': GOOD },
  ],
  [
    'a router advertisement',
    message4({ kind: 'router-advertisement', lifetimeSec: 1800, routers: [{ address: SRC, preference: 5 }] }),
    { 'icmp.num_addrs': '1', 'icmp.pref_level': '5', 'icmp.checksum.status': GOOD },
  ],
  [
    'an IGMPv2 report',
    group4({ kind: 'report-v2', group: 0xef010203 | 0 }),
    { 'igmp.type': '0x16', 'igmp.maddr': '239.1.2.3', 'igmp.checksum.status': GOOD },
  ],
  [
    'an IGMPv3 query',
    group4({
      kind: 'query-v3',
      maxResponseCode: 100,
      group: 0xef010203 | 0,
      suppress: true,
      robustness: 2,
      intervalCode: 125,
      sources: [SRC],
    }),
    { 'igmp.version': '3', 'igmp.qqic': '125', 'igmp.num_src': '1', 'igmp.checksum.status': GOOD },
  ],
  [
    'an IGMPv3 report',
    group4({ kind: 'report-v3', records: [{ type: igmp.RECORD_TO_EXCLUDE, group: 0xef010203 | 0, sources: [] }] }),
    { 'igmp.num_grp_recs': '1', 'igmp.record_type': '4', 'igmp.checksum.status': GOOD },
  ],
];

const CONTROL6: Case[] = [
  [
    'an echo reply behind extension headers',
    message6({ kind: 'echo', reply: true, identifier: 7, sequence: 3, payload: PAYLOAD }, [
      { kind: 'hop-by-hop', options: [{ kind: 'router-alert', value: 0 }] },
      { kind: 'destination', options: [] },
    ]),
    { 'ipv6.nxt': '0', 'icmpv6.type': '129', 'icmpv6.echo.identifier': '0x0007', 'icmpv6.checksum.status': GOOD },
  ],
  [
    'packet too big',
    message6({ kind: 'packet-too-big', code: 0, value: 1280, quote: quote6 }),
    { 'icmpv6.mtu': '1280', 'icmpv6.checksum.status': GOOD },
  ],
  [
    'a neighbor solicitation',
    message6({
      kind: 'neighbor-solicitation',
      target: DST6,
      options: [{ kind: 'source-link-address', hi: 0x026d, lo: 0x6b00000a }],
    }),
    {
      'icmpv6.nd.ns.target_address': 'fe80::b',
      'icmpv6.opt.linkaddr': '02:6d:6b:00:00:0a',
      'icmpv6.checksum.status': GOOD,
    },
  ],
  [
    'a neighbor advertisement',
    message6({
      kind: 'neighbor-advertisement',
      router: false,
      solicited: true,
      override: true,
      target: DST6,
      options: [{ kind: 'target-link-address', hi: 0x026d, lo: 0x6b00000b }],
    }),
    { 'icmpv6.nd.na.target_address': 'fe80::b', 'icmpv6.checksum.status': GOOD },
  ],
  [
    'a router advertisement with options',
    message6({
      kind: 'router-advertisement',
      hopLimit: 64,
      managed: false,
      otherConfig: true,
      preference: 0,
      lifetimeSec: 1800,
      reachableMs: 30000,
      retransmitMs: 1000,
      options: [
        { kind: 'mtu', mtuBytes: 1500 },
        {
          kind: 'prefix',
          prefixLength: 64,
          onLink: true,
          autonomous: true,
          validSec: 7200,
          preferredSec: 3600,
          prefix: ipv6.parseAddress('2001:db8::') as ipv6.Address6,
        },
        { kind: 'rdnss', lifetimeSec: 600, servers: [SRC6] },
      ],
    }),
    {
      'icmpv6.nd.ra.router_lifetime': '1800',
      'icmpv6.opt.prefix': '2001:db8::',
      'icmpv6.opt.mtu': '1500',
      'icmpv6.opt.rdnss': 'fe80::a',
      'icmpv6.checksum.status': GOOD,
    },
  ],
  [
    'a version 2 listener report',
    message6(
      {
        kind: 'listener-report-v2',
        records: [
          { type: icmpv6.RECORD_TO_EXCLUDE, group: ipv6.parseAddress('ff02::1:3') as ipv6.Address6, sources: [] },
        ],
      },
      [
        {
          kind: 'hop-by-hop',
          options: [
            { kind: 'router-alert', value: 0 },
            { kind: 'pad', bytes: 2 },
          ],
        },
      ],
    ),
    { 'icmpv6.mldr.mar.multicast_address': 'ff02::1:3', 'icmpv6.checksum.status': GOOD },
  ],
];

const CASES: Case[] = [...LINK, ...TRANSPORT, ...CONTROL4, ...CONTROL6];
const CHECKSUMS = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);

/** One line of named fields per frame, from one run of tshark. */
function dissect(frames: readonly Uint8Array[], fields: readonly string[]): Record<string, string>[] {
  const blocks = frames.map((bytes, index) =>
    packetBlock({ interfaceIndex: 0, timeNs: BigInt(index) * 1_000_000_000n, lengthBytes: bytes.length, bytes }),
  );
  const input = Buffer.concat([
    sectionBlock(),
    interfaceBlock({ linkType: LINKTYPE_ETHERNET, snapBytes: 0 }),
    ...blocks,
  ]);
  const output = [
    '-T',
    'fields',
    '-E',
    'separator=|',
    '-E',
    'occurrence=f',
    ...fields.flatMap((field) => ['-e', field]),
  ];
  // tshark reads regular files only.
  const folder = mkdtempSync(join(tmpdir(), 'multikernel-wire-'));
  const file = join(folder, 'frames.pcapng');
  writeFileSync(file, input);
  const run = spawnSync('tshark', ['-n', '-r', file, ...CHECKSUMS, ...output], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(run.stdout, run.stderr).not.toBe('');
  const lines = run.stdout.trimEnd().split('\n');
  return lines.map((line) => Object.fromEntries(line.split('|').map((value, index) => [fields[index], value])));
}

describe('frames of src/wire, dissected by tshark', () => {
  const title = 'has every field where it belongs, every checksum right, nothing malformed (skipped without tshark)';
  it.skipIf(!isInstalled('tshark'))(title, () => {
    const fields = [...new Set(CASES.flatMap(([, , expected]) => Object.keys(expected))), '_ws.malformed'];
    const seen = dissect(
      CASES.map(([, bytes]) => bytes),
      fields,
    );
    const wanted = CASES.map(([name, , expected]) => ({ name, ...expected, '_ws.malformed': '' }));
    const found = CASES.map(([name, , expected], index) => {
      const line = seen[index] ?? {};
      const asked = Object.keys(expected).map((field) => [field, line[field]]);
      return { name, ...Object.fromEntries(asked), '_ws.malformed': line['_ws.malformed'] };
    });
    expect(found).toEqual(wanted);
  });
});
