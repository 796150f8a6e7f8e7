/** IGMP messages of a host, byte by byte. Their times: group-reports.test.ts. */

import { describe, expect, it } from 'vitest';
import { InetBed, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { be16, checksum, ether, hex, ip, ip4, join, type Packet, toHex } from '../../../test/fixtures/packets.ts';
import type { UdpEndpoint } from '../udp/endpoint.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const GROUP = '239.1.2.3';
const SECOND = 1_000_000;

function bed(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  return one;
}

function member(one: InetBed, source = '0.0.0.0'): UdpEndpoint {
  const endpoint = one.cpu.udp.open();
  expect(endpoint.bind(0, 5000)).toBe(0);
  expect(endpoint.join(ip(GROUP), ip(source), null)).toBe(0);
  return endpoint;
}

const igmp = (packets: Packet[]): Packet[] => packets.filter((packet) => packet.protocol === 2);
/** Each report behind its header, in hex. */
const records = (one: InetBed): string[] => igmp(one.sent()).map((report) => toHex(report.payload.slice(6)));

function message(one: InetBed, bytes: Uint8Array, dst = '224.0.0.1'): void {
  bytes.set(be16(checksum(bytes)), 2);
  one.devices[0]!.put(ether('01005e000001', PEER_MAC, 0x0800, ip4({ src: PEER, dst, protocol: 2, ttl: 1 }, bytes)));
  one.settle();
}

describe('IGMP (RFC 3376)', () => {
  it('reports a join twice and a leave twice, to the version 3 routers', () => {
    const one = bed();
    const endpoint = member(one);
    one.advance(2 * SECOND);
    const reports = igmp(one.sent());
    expect(reports).toHaveLength(2);
    for (const report of reports) {
      expect(report).toMatchObject({
        dst: '224.0.0.22',
        dstMac: '01005e000016',
        ttl: 1,
        tos: 0xc0,
        options: '94040000',
      });
      expect(checksum(report.payload)).toBe(0);
      expect(toHex(report.payload.slice(4))).toBe('00000001' + '04000000' + 'ef010203');
    }
    endpoint.close();
    one.advance(2 * SECOND);
    const leaves = igmp(one.sent());
    expect(leaves.map((report) => toHex(report.payload.slice(8)))).toEqual(Array(2).fill('03000000' + 'ef010203'));
  });

  it('answers a query within the time it grants', () => {
    const one = bed();
    member(one);
    one.advance(2 * SECOND);
    one.sent();
    message(one, hex('11 64 0000 00000000 02 7d 0000'));
    one.advance(10 * SECOND);
    expect(igmp(one.sent()).map((report) => toHex(report.payload.slice(8)))).toEqual(['02000000' + 'ef010203']);
    message(one, hex('11 64 0000 ef000001 02 7d 0000'));
    one.advance(10 * SECOND);
    expect(igmp(one.sent())).toEqual([]);
  });

  it('answers at most so often a second, whatever queries ask for', () => {
    const one = bed();
    one.sysctl('net.inet.igmp.reportppslimit', 5);
    member(one);
    one.advance(5 * SECOND);
    one.sent();
    // Maximum response time 0: at once.
    for (let i = 0; i < 20; i++) message(one, hex('1100 0000 00000000 02 00 0000'));
    expect(igmp(one.sent())).toHaveLength(5);
    expect(one.count('igmp-out-rate-limited')).toBe(15);
  });

  it('speaks version 2 with a version 2 router', () => {
    const one = bed();
    const endpoint = member(one);
    one.advance(2 * SECOND);
    one.sent();
    message(one, hex('11 0a 0000 00000000'));
    one.advance(SECOND);
    const [report] = igmp(one.sent());
    expect([report?.dst, toHex(report!.payload.slice(0, 1)), toHex(report!.payload.slice(4))]).toEqual([
      GROUP,
      '16',
      'ef010203',
    ]);
    endpoint.close();
    const [leave] = igmp(one.sent());
    expect([leave?.dst, toHex(leave!.payload.slice(0, 1))]).toEqual(['224.0.0.2', '17']);
  });

  it('drops malformed messages', () => {
    const one = bed();
    const bad = ip4({ src: PEER, dst: '224.0.0.1', protocol: 2 }, hex('1164ffff00000000'));
    one.receive(ether('01005e000001', PEER_MAC, 0x0800, bad));
    const short = ip4({ src: PEER, dst: '224.0.0.1', protocol: 2 }, join(hex('1164'), hex('ee9b')));
    one.receive(ether('01005e000001', PEER_MAC, 0x0800, short));
    expect(one.count('igmp-in-malformed')).toBe(2);
  });

  it('names the sources of a source-specific membership', () => {
    const one = bed();
    const endpoint = member(one, PEER);
    one.advance(2 * SECOND);
    expect(records(one)).toEqual(Array(2).fill('0001' + '05000001' + 'ef010203' + '0a000002'));
    endpoint.join(ip(GROUP), ip('10.0.0.9'), null);
    one.advance(2 * SECOND);
    expect(records(one)).toEqual(Array(2).fill('0001' + '05000001' + 'ef010203' + '0a000009'));
    endpoint.leave(ip(GROUP), ip(PEER), null);
    one.advance(2 * SECOND);
    expect(records(one)).toEqual(Array(2).fill('0001' + '06000001' + 'ef010203' + '0a000002'));
    endpoint.close();
    one.advance(2 * SECOND);
    expect(records(one)).toEqual(Array(2).fill('0001' + '06000001' + 'ef010203' + '0a000009'));
  });

  it('names the sources that are blocked', () => {
    const one = bed();
    const endpoint = member(one);
    one.advance(2 * SECOND);
    one.sent();
    endpoint.block(ip(GROUP), ip(PEER), null, true);
    one.advance(2 * SECOND);
    expect(records(one)).toEqual(Array(2).fill('0001' + '06000001' + 'ef010203' + '0a000002'));
    message(one, hex('11 64 0000 ef010203 02 7d 0002 0a000002 0a000009'), GROUP);
    one.advance(10 * SECOND);
    expect(records(one)).toEqual(['0001' + '01000001' + 'ef010203' + '0a000009']);
    endpoint.block(ip(GROUP), ip(PEER), null, false);
    one.advance(2 * SECOND);
    expect(records(one)).toEqual(Array(2).fill('0001' + '05000001' + 'ef010203' + '0a000002'));
  });

  it('says all groups in as many reports as the link needs', () => {
    const one = bed();
    const endpoint = member(one);
    one.sysctl('net.inet.udp.maxsources', 1000);
    for (let i = 1; i <= 400; i++) endpoint.join(ip('239.9.9.9'), (0x0a010000 + i) | 0, null);
    one.advance(2 * SECOND);
    one.sent();
    message(one, hex('11 0a 0000 00000000 02 7d 0000'));
    one.advance(SECOND);
    const reports = igmp(one.sent());
    expect(reports.map(({ payload }) => 24 + payload.length)).toEqual([40, 1500, 24 + 16 + 4 * 35]);
    expect(reports.every(({ payload }) => checksum(payload) === 0)).toBe(true);
  });

  it('stays silent about the group of all hosts, and on queries that a host must not see', () => {
    const one = bed();
    const endpoint = one.cpu.udp.open();
    endpoint.join(ip('224.0.0.1'), 0, null);
    one.advance(2 * SECOND);
    member(one);
    one.advance(2 * SECOND);
    expect(igmp(one.sent())).toHaveLength(2);
    message(one, hex('11 64 0000 00000000 02 7d 0000'), GROUP);
    one.advance(10 * SECOND);
    expect([igmp(one.sent()).length, one.count('igmp-in-ignored')]).toEqual([0, 1]);
  });

  it('speaks version 1 with a version 1 router: no leave', () => {
    const one = bed();
    const endpoint = member(one);
    one.advance(2 * SECOND);
    one.sent();
    message(one, hex('11 00 0000 00000000'));
    one.advance(10 * SECOND);
    expect(igmp(one.sent()).map(({ dst, payload }) => [dst, toHex(payload)])).toEqual([[GROUP, '1200fcfaef010203']]);
    endpoint.close();
    one.advance(10 * SECOND);
    expect(igmp(one.sent())).toEqual([]);
  });

  it('version 2: somebody else reports, so we need not', () => {
    const one = bed();
    member(one);
    one.advance(2 * SECOND);
    one.sent();
    message(one, hex('11 64 0000 00000000'));
    message(one, hex('16 00 0000 ef010203'), GROUP);
    one.advance(20 * SECOND);
    expect([igmp(one.sent()).length, one.count('igmp-in-reports')]).toEqual([0, 1]);
  });

  it('forgets an interface that is taken away', () => {
    const one = bed();
    const endpoint = member(one);
    one.inet.interfaceTable.remove(one.interfaces[0]!);
    one.advance(20 * SECOND);
    expect(endpoint.leave(ip(GROUP), 0, null)).toBe(0);
    one.advance(20 * SECOND);
    expect(one.callouts.nextDeadlineUs()).toBe(Infinity);
  });
});
