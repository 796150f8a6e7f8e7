/** Datagrams that a socket received, and refuses: the literal errors. */

import { describe, expect, it } from 'vitest';
import { InetBed } from '../../../test/fixtures/inet-bed.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { ip, toHex } from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import type { UdpEndpoint } from './endpoint.ts';

const PEER = '10.0.0.2';
const PEER6 = '2001:db8::2';
const HI = new TextEncoder().encode('hi');

/** A socket of IPv6 at any address, and so for both families, as that of the control stream. */
function bound(one: InetBed): UdpEndpoint {
  const endpoint = one.cpu.udp.open(true);
  expect(endpoint.bind(IP6_ANY, 53)).toBe(0);
  return endpoint;
}

function bed(): InetBed {
  const one = new InetBed();
  one.attach('10.0.0.1');
  one.neighbor(PEER);
  return one;
}

function bed6(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6('2001:db8::1');
  one.neighbor6(PEER6);
  return one;
}

describe('a datagram that is refused', () => {
  it('is answered with ICMP 3/3, which quotes its headers (RFC 1122 4.1.3.1)', () => {
    const one = bed();
    const before = one.heldBytes;
    expect(one.cpu.udp.refuse(bound(one), HI, ip(PEER), 7, one.nowUs)).toBe(0);
    const [error] = one.sent();
    expect([error?.protocol, error?.src, error?.dst]).toEqual([1, '10.0.0.1', PEER]);
    expect(toHex(error!.payload)).toBe(
      '0303798400000000' + // type, code, checksum
        '4500001e0000400040' + // IPv4 with 30 bytes, do not fragment, TTL 64
        '1126cd0a0000020a000001' + // UDP, checksum, the peer's address, ours
        '00070035000a8332', // ports 7 and 53, 10 bytes, the checksum with "hi"
    );
    expect(one.count('icmp-out-errors')).toBe(1);
    expect(one.heldBytes).toBe(before);
  });

  it('quotes as many bytes of the payload as the kernel is told to', () => {
    const one = bed();
    one.sysctl('net.inet.icmp.returndatabytes', 512);
    one.cpu.udp.refuse(bound(one), new Uint8Array(65_507).fill(0x41), ip(PEER), 7, one.nowUs);
    const [error] = one.sent();
    expect(error?.payload).toHaveLength(8 + 20 + 512);
    expect(toHex(error!.payload.slice(-504))).toBe('41'.repeat(504));
  });

  it('is answered with ICMPv6 1/4, which quotes all of it (RFC 4443 3.1)', () => {
    const one = bed6();
    expect(one.cpu.udp.refuse(bound(one), HI, one.number(PEER6), 7, one.nowUs)).toBe(0);
    const [error] = one.sent6();
    expect([error?.next, error?.src, error?.dst]).toEqual([58, '2001:db8::1', PEER6]);
    expect(toHex(error!.payload)).toBe(
      '010431e300000000' + // type, code, checksum
        '60000000000a1140' + // IPv6 with 10 bytes of UDP, 64 hops
        '20010db8000000000000000000000002' + // the peer's address
        '20010db8000000000000000000000001' + // ours
        '00070035000a3bc06869', // ports 7 and 53, 10 bytes, checksum, "hi"
    );
  });

  it('is quoted as far as 1280 bytes go (RFC 4443 2.4)', () => {
    const one = bed6();
    one.cpu.udp.refuse(bound(one), new Uint8Array(60_000).fill(0x41), one.number(PEER6), 7, one.nowUs);
    const [error] = one.sent6();
    expect(error?.payload).toHaveLength(1240);
    // The length of the datagram itself.
    expect(toHex(error!.payload.slice(8 + 40, 8 + 40 + 6))).toBe('00070035ea68');
  });

  it('is heard of by the socket of its sender', () => {
    const one = bed();
    const service = bound(one);
    const client = one.cpu.udp.open();
    client.connect(ip('127.0.0.1'), 53);
    expect(client.send(HI, 0, 2, 0, 0)).toBe(2);
    one.settle();
    expect(service.receive(new Uint8Array(2), 0, 2)).toBe(2);
    one.cpu.udp.refuse(service, HI, ip('127.0.0.1'), client.port, one.nowUs);
    one.settle();
    expect(client.send(HI, 0, 2, 0, 0)).toBe(-Errno.ECONNREFUSED);
    expect(service.error).toBe(0);
  });

  it('counts for the limit of errors a second', () => {
    const one = bed();
    one.sysctl('net.inet.icmp.errppslimit', 2);
    const service = bound(one);
    for (let i = 0; i < 5; i++) expect(one.cpu.udp.refuse(service, HI, ip(PEER), 7, one.nowUs)).toBe(0);
    expect(one.sent()).toHaveLength(2);
    expect(one.count('icmp-out-rate-limited')).toBe(3);
  });

  it('is not answered without a way back, nor when none is so long', () => {
    const one = bed();
    const service = bound(one);
    expect(one.cpu.udp.refuse(service, HI, ip('192.0.2.1'), 7, one.nowUs)).toBe(-Errno.ENETUNREACH);
    expect(one.cpu.udp.refuse(service, new Uint8Array(65_508), ip(PEER), 7, one.nowUs)).toBe(-Errno.EMSGSIZE);
    expect(one.cpu.udp.refuse(service, HI, ip('10.0.0.255'), 7, one.nowUs)).toBe(-Errno.EACCES);
    expect(one.sent()).toEqual([]);
  });
});
