/** Listener discovery of a host, byte by byte. Their times: inet/ip/group-reports.test.ts. */

import { describe, expect, it } from 'vitest';
import { InetBed, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { be16, checksum, ether, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import { ANY_SOURCE, type SourceFilter } from '../../net/source-filter.ts';
import { type Address6, parseAddress } from '../../wire/ipv6-address.ts';

const S = 1_000_000;
const OWN = 'fe80 0000 0000 0000 0000 00ff fe00 0001'.replaceAll(' ', '');
const ROUTER = 'fe80 0000 0000 0000 0000 0000 0000 0099'.replaceAll(' ', '');
const SOLICITED = 'ff02000000000000 00000001ff000001'.replaceAll(' ', '');
const GROUP = 'ff05000000000000 0000000000001234'.replaceAll(' ', '');
const SOURCE = '20010db800000000 0000000000000007'.replaceAll(' ', '');
const ALL_NODES = 'ff02000000000000 0000000000000001'.replaceAll(' ', '');
const V2_ROUTERS = 'ff02000000000000 0000000000000016'.replaceAll(' ', '');
/** Hop-by-hop header: ICMPv6 follows, router alert 0, padding. */
const ALERT = '3a00050200000100';

function bed(): InetBed {
  const one = new InetBed();
  one.attach('10.0.0.1');
  one.sysctl('net.inet6.ip6.enable', 1);
  one.advance(5 * S);
  one.sent();
  return one;
}

function number(one: InetBed, text: string): number {
  return one.inet.shared.interner.internAddress(parseAddress(text) as Address6, one.interfaces[0]!.index);
}

function joined(one: InetBed, filter: SourceFilter = ANY_SOURCE): void {
  expect(one.inet.ip6.groups.join(one.interfaces[0]!, number(one, 'ff05::1234'), filter)).toBe(0);
}

/** Each message sent: addresses, and the ICMPv6 message with its checksum proved and blanked. */
function said(one: InetBed): { src: string; dst: string; mac: string; message: string }[] {
  return one.sent().map(({ payload, dstMac, type }) => {
    const text = toHex(payload);
    expect([type, text.slice(0, 8), text.slice(12, 16), text.slice(80, 96)]).toEqual([
      0x86dd,
      '60000000',
      '0001',
      ALERT,
    ]);
    const message = payload.slice(48);
    const pseudo = join(payload.slice(8, 40), hex('0000'), be16(message.length), hex('0000003a'));
    expect(checksum(join(pseudo, message))).toBe(0);
    return {
      src: text.slice(16, 48),
      dst: text.slice(48, 80),
      mac: dstMac,
      message: `${toHex(message.slice(0, 2))} ${toHex(message.slice(4))}`,
    };
  });
}

function receive(
  one: InetBed,
  message: string,
  fields: { src?: string; dst?: string; alert?: string; hops?: string } = {},
): void {
  const { src = ROUTER, dst = ALL_NODES, alert = ALERT, hops = '01' } = fields;
  const body = hex(message);
  const addresses = hex(src + dst);
  body.set(be16(checksum(join(addresses, hex('0000'), be16(body.length), hex('0000003a'), body))), 2);
  const next = alert === '' ? '3a' : '00';
  const packet = join(
    hex('60000000'),
    be16(hex(alert).length + body.length),
    hex(next + hops),
    addresses,
    hex(alert),
    body,
  );
  one.devices[0]!.put(ether('333300000001', PEER_MAC, 0x86dd, packet));
  one.settle();
}

const messages = (one: InetBed): string[] => said(one).map(({ message }) => message);

describe('MLDv2 reports (RFC 3810 5.2)', () => {
  it('go to ff02::16 from the link-local address, twice', () => {
    const one = bed();
    joined(one);
    one.advance(2 * S);
    const report = {
      src: OWN,
      dst: V2_ROUTERS,
      mac: '333300000016',
      message: `8f00 00000001${'04000000'}${GROUP}`,
    };
    expect(said(one)).toEqual([report, report]);
    one.inet.ip6.groups.leave(one.interfaces[0]!, number(one, 'ff05::1234'));
    one.advance(2 * S);
    expect(messages(one)).toEqual(Array(2).fill(`8f00 00000001${'03000000'}${GROUP}`));
  });

  it('name sources', () => {
    const one = bed();
    joined(one, { exclude: false, sources: new Set([number(one, '2001:db8::7')]) });
    one.advance(2 * S);
    expect(messages(one)).toEqual(Array(2).fill(`8f00 00000001${'05000001'}${GROUP}${SOURCE}`));
  });

  it('come as nobody while the link-local address is asked for, and again when it is there (RFC 3590)', () => {
    const one = new InetBed();
    one.attach('10.0.0.1');
    one.sysctl('net.inet6.ip6.dad_count', 1);
    one.sysctl('net.inet6.ip6.enable', 1);
    one.advance(4 * S);
    const frames = one.sent().filter(({ payload }) => payload[6] === 0);
    const sources = frames.map(({ payload }) => toHex(payload.slice(8, 24)));
    expect(sources).toEqual(['0'.repeat(32), '0'.repeat(32), OWN, OWN]);
    expect(toHex(frames[3]!.payload.slice(-16))).toBe(SOLICITED);
  });

  it('say nothing of ff02::1 and of what stays on the machine', () => {
    const one = bed();
    for (const text of ['ff02::1', 'ff01::5']) one.inet.ip6.groups.join(one.interfaces[0]!, number(one, text));
    one.advance(2 * S);
    expect(one.sent()).toEqual([]);
  });
});

describe('Queries (RFC 3810 5.1, 6.2)', () => {
  it('general: all groups within the time granted', () => {
    const one = bed();
    receive(one, `82000000 03e8 0000 ${'00'.repeat(16)} 027d 0000`);
    expect(one.sent()).toEqual([]);
    one.advance(1 * S);
    expect(messages(one)).toEqual([`8f00 00000001${'02000000'}${SOLICITED}`]);
  });

  it('are answered at most so often a second, whatever they ask for', () => {
    const one = bed();
    one.sysctl('net.inet6.mld.reportppslimit', 5);
    // Maximum response delay 0: at once.
    for (let i = 0; i < 20; i++) receive(one, `82000000 0000 0000 ${'00'.repeat(16)} 0200 0000`);
    expect(messages(one)).toHaveLength(5);
    expect(one.count('mld-out-rate-limited')).toBe(15);
  });

  it('about sources of a group: those that are heard', () => {
    const one = bed();
    joined(one, { exclude: true, sources: new Set([number(one, '2001:db8::8')]) });
    one.advance(2 * S);
    one.sent();
    const other = SOURCE.replace(/7$/, '8');
    receive(one, `82000000 03e8 0000 ${GROUP} 027d 0002 ${SOURCE} ${other}`, { dst: ALL_NODES });
    one.advance(1 * S);
    expect(messages(one)).toEqual([`8f00 00000001${'01000001'}${GROUP}${SOURCE}`]);
    receive(one, `82000000 03e8 0000 ${SOURCE} 027d 0000`);
    one.advance(1 * S);
    expect(one.sent()).toEqual([]);
  });

  it('that did not come from this link, or lack the alert, are none', () => {
    const one = bed();
    const query = `82000000 03e8 0000 ${'00'.repeat(16)} 027d 0000`;
    receive(one, query, { src: SOURCE });
    receive(one, query, { alert: '' });
    receive(one, query, { alert: '3a00010400000000' });
    receive(one, query, { hops: '02' });
    one.advance(2 * S);
    expect([one.sent(), one.count('mld-in-ignored'), one.count('icmp6-in-bad-hop-limit')]).toEqual([[], 3, 1]);
  });

  it('about more sources than are kept: the whole group', () => {
    const one = bed();
    one.sysctl('net.inet6.mld.maxsources', 1);
    joined(one);
    one.advance(2 * S);
    one.sent();
    receive(one, `82000000 03e8 0000 ${GROUP} 027d 0002 ${SOURCE} ${ROUTER}`);
    one.advance(1 * S);
    expect(messages(one)).toEqual([`8f00 00000001${'02000000'}${GROUP}`]);
    expect(one.count('mld-query-too-many-sources')).toBe(1);
    // Nothing is kept of the sources, not even their numbers.
    expect(one.inet.ip6.interner.find(0x20010db8, 0, 0, 7, 0)).toBe(0);
  });
});

describe('MLDv1 (RFC 3810 8.2, RFC 2710)', () => {
  it('is spoken after a query of that version, until 260 s later', () => {
    const one = bed();
    receive(one, `82000000 03e8 0000 ${'00'.repeat(16)}`);
    one.advance(1 * S);
    expect(said(one)).toEqual([
      { src: OWN, dst: SOLICITED, mac: '3333ff000001', message: `8300 00000000${SOLICITED}` },
    ]);
    joined(one);
    one.advance(11 * S);
    expect(messages(one)).toEqual(Array(2).fill(`8300 00000000${GROUP}`));
    one.inet.ip6.groups.leave(one.interfaces[0]!, number(one, 'ff05::1234'));
    expect(said(one)).toMatchObject([{ dst: 'ff020000000000000000000000000002', message: `8400 00000000${GROUP}` }]);
    one.advance(250 * S);
    joined(one);
    one.advance(2 * S);
    expect(messages(one)).toEqual(Array(2).fill(`8f00 00000001${'04000000'}${GROUP}`));
  });

  it('one report on the link is enough', () => {
    const one = bed();
    joined(one);
    one.advance(2 * S);
    one.sent();
    receive(one, `82000000 2710 0000 ${GROUP}`);
    receive(one, `83000000 0000 0000 ${GROUP}`);
    one.advance(20 * S);
    expect([one.sent(), one.count('mld-in-reports')]).toEqual([[], 1]);
  });
});

describe('Numbers of addresses', () => {
  it('that reports still need outlive a sweep', () => {
    const one = bed();
    const source = number(one, '2001:db8::7');
    const filter = { exclude: false, sources: new Set([source]) };
    joined(one, filter);
    one.inet.ip6.groups.leave(one.interfaces[0]!, number(one, 'ff05::1234'), filter);
    one.sent();
    one.inet.shared.interner.sweep();
    for (let i = 0; i < 100; i++) number(one, `2001:db8:9::${i}`);
    one.advance(2 * S);
    expect(messages(one)).toEqual([`8f00 00000001${'06000001'}${GROUP}${SOURCE}`]);
  });
});
