import { describe, expect, it } from 'vitest';
import { numberOf } from '../../../test/fixtures/address-text.ts';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { arp, ether, hex, icmp, ip, ip4, tcp, toHex, transportSound, udp } from '../../../test/fixtures/packets.ts';
import { icmp6, packet6 } from '../../../test/fixtures/packets6.ts';
import { Errno } from '../../base/errors.ts';
import { parseMac } from '../../wire/ethernet.ts';
import type { InPacket, Transport } from './transport.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const OTHER = '10.0.0.3';
const SYN = 2;
const RST = 4;
const ACK = 0x10;
const FIN = 1;

function bed(action?: 'drop' | 'reject'): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  if (action !== undefined) one.inet.filter.add({ id: 'cut', from: [ip(PEER)], action });
  return one;
}

function datagram(src: string): Uint8Array {
  return ip4({ src, dst: OWN, protocol: 17 }, udp(src, OWN, 7, 5000, hex('41')));
}

describe('drop', () => {
  it('swallows every packet of that address, and only of that', () => {
    const one = bed('drop');
    one.cpu.udp.open().bind(0, 5000);
    for (const src of [PEER, OTHER]) one.receive(ether(ownMac(1), PEER_MAC, 0x0800, datagram(src)));
    one.receiveIp({ src: PEER, dst: OWN, protocol: 6 }, tcp(PEER, OWN, [1, 2], 0, 0, SYN));
    one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 0));
    expect(one.sent()).toEqual([]);
    expect([one.count('udp-in'), one.count('ip-in-filtered')]).toEqual([1, 3]);
  });

  it('swallows ARP too, so that the host looks dead', () => {
    const one = bed('drop');
    const request = (sender: string): Uint8Array =>
      ether('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0806, arp({ operation: 1, senderMac: PEER_MAC, sender, target: OWN }));
    expect(one.receive(request(PEER))).toEqual([]);
    expect(one.receive(request(OTHER))).toHaveLength(1);
    expect(one.count('arp-in-filtered')).toBe(1);
  });

  it('swallows what would be forwarded', () => {
    const one = bed('drop');
    one.attach('10.0.1.1');
    one.neighbor('10.0.1.2', 1);
    one.sysctl('net.inet.ip.forwarding', 1);
    const packet = (src: string): Uint8Array =>
      ip4({ src, dst: '10.0.1.2', protocol: 17 }, udp(src, '10.0.1.2', 7, 7, hex('')));
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, packet(PEER)));
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, packet(OTHER)));
    expect(one.sent(1).map((forwarded) => forwarded.src)).toEqual([OTHER]);
  });

  it('ends when the rule goes; of two rules the other stays', () => {
    const one = bed('drop');
    const { filter } = one.inet;
    filter.add({ id: 'second', from: [ip(PEER), ip(OTHER)], action: 'reject' });
    expect(filter.list().map((rule) => rule.id)).toEqual(['cut', 'second']);
    expect([filter.verdict(ip(PEER)), filter.verdict(ip(OTHER)), filter.active]).toEqual([1, 2, true]);
    expect(filter.remove('cut')).toBe(true);
    expect(filter.verdict(ip(PEER))).toBe(2);
    expect([filter.remove('second'), filter.remove('second'), filter.active]).toEqual([true, false, false]);
    one.cpu.udp.open().bind(0, 5000);
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, datagram(PEER)));
    expect(one.count('udp-in')).toBe(1);
  });
});

describe('reject', () => {
  it('answers a SYN as a closed port does (RFC 9293 3.10.7.1)', () => {
    const one = bed('reject');
    const [reset] = one.receiveIp({ src: PEER, dst: OWN, protocol: 6 }, tcp(PEER, OWN, [1234, 80], 1000, 0, SYN));
    expect([reset?.src, reset?.dst, transportSound(reset!)]).toEqual([OWN, PEER, true]);
    expect(toHex(reset!.payload.slice(0, 16))).toBe('0050' + '04d2' + '00000000' + '000003e9' + '5014' + '0000');
  });

  it('answers a segment of a connection with a reset the peer accepts', () => {
    const one = bed('reject');
    const segment = tcp(PEER, OWN, [1234, 80], 1000, 0x1f0, ACK | FIN, hex('414243'));
    const [reset] = one.receiveIp({ src: PEER, dst: OWN, protocol: 6 }, segment);
    expect(toHex(reset!.payload.slice(0, 16))).toBe('0050' + '04d2' + '000001f0' + '00000000' + '5004' + '0000');
    const unacknowledged = tcp(PEER, OWN, [1234, 80], 1000, 0, FIN, hex('414243'));
    const [other] = one.receiveIp({ src: PEER, dst: OWN, protocol: 6 }, unacknowledged);
    expect(toHex(other!.payload.slice(4, 14))).toBe('00000000' + '000003ec' + '5014');
  });

  it('never answers a reset, but lets it and ICMP errors through: both ends learn', () => {
    const one = bed('reject');
    const seen: number[] = [];
    const transport: Transport = {
      protocol: 6,
      input: (packet: InPacket) => seen.push(packet.lengthBytes),
      icmpError: () => seen.push(-1),
    };
    one.cpu.ip.register(transport);
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 6 }, tcp(PEER, OWN, [1, 2], 0, 0, RST))).toEqual([]);
    const quoted = ip4({ src: OWN, dst: PEER, protocol: 6 }, hex('0102030405060708'));
    one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(3, 13, 0, quoted));
    expect(seen).toEqual([20, -1]);
  });

  it('answers UDP with port unreachable and echo with "administratively prohibited"', () => {
    const one = bed('reject');
    const error = (sent: { payload: Uint8Array }[]): string => toHex(sent[0]!.payload.slice(0, 2));
    expect(error(one.receive(ether(ownMac(1), PEER_MAC, 0x0800, datagram(PEER))))).toBe('0303');
    expect(error(one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 0)))).toBe('030d');
  });

  it('does not answer malformed segments, later fragments, or broadcasts', () => {
    const one = bed('reject');
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 6 }, hex('0001000200000000'))).toEqual([]);
    const long = tcp(PEER, OWN, [1, 2], 0, 0, SYN);
    long[12] = 0xf0;
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 6 }, long)).toEqual([]);
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 17, fragment: 5 }, hex('0102030405060708'))).toEqual([]);
    const toAll = ip4({ src: PEER, dst: '10.0.0.255', protocol: 17 }, udp(PEER, '10.0.0.255', 1, 2, hex('')));
    expect(one.receive(ether('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0800, toAll))).toEqual([]);
  });

  it('answers neighbors as before', () => {
    const one = bed('reject');
    const request = arp({ operation: 1, senderMac: PEER_MAC, sender: PEER, target: OWN });
    expect(one.receive(ether('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0806, request))).toHaveLength(1);
  });

  it('ends a connected UDP socket at once when both ends reject', () => {
    const arena = bed().arena;
    const [a, b] = [new InetBed(1, arena, 'a'), new InetBed(2, arena, 'b')];
    a.attach(OWN);
    b.attach(PEER);
    a.neighbor(PEER, 0, '02:00:00:00:00:01');
    b.neighbor(OWN, 0, '02:00:00:00:00:01');
    a.inet.filter.add({ id: 'cut', from: [ip(PEER)], action: 'reject' });
    b.inet.filter.add({ id: 'cut', from: [ip(OWN)], action: 'reject' });
    const endpoint = a.inet.cpus[0].udp.open();
    endpoint.connect(ip(PEER), 7);
    b.inet.cpus[0].udp.open().bind(0, 7);
    endpoint.send(hex('41'), 0, 1, 0, 0);
    for (const frame of a.devices[0]!.take()) b.devices[0]!.put(frame);
    b.settle();
    for (const frame of b.devices[0]!.take()) a.devices[0]!.put(frame);
    a.settle();
    expect(endpoint.error).toBe(-Errno.ECONNREFUSED);
  });
});

describe('a machine on the link', () => {
  const VISITOR = '10.0.0.77';
  /** PEER_MAC is cut off; `all` says whether for what it forwards too. */
  function linked(all: boolean, action: 'drop' | 'reject' = 'drop'): InetBed {
    const one = new InetBed();
    one.attach(OWN);
    one.sysctl('net.inet6.ip6.enable', 1);
    one.advance(3_000_000);
    one.sent();
    const { hi, lo } = parseMac(PEER_MAC);
    one.inet.filter.add({ id: 'cut', from: [], links: [{ macHi: hi, macLo: lo, all }], action });
    return one;
  }
  const frame = (mac: string, src: string): Uint8Array => ether(ownMac(1), mac, 0x0800, datagram(src));

  it('is silent under every address, also by ARP', () => {
    const one = linked(true);
    expect(one.inet.filter.active).toBe(true);
    one.cpu.udp.open().bind(0, 5000);
    for (const src of [PEER, VISITOR, '169.254.1.1']) one.receive(frame(PEER_MAC, src));
    one.receive(frame('02:00:00:00:00:99', PEER));
    expect([one.count('udp-in'), one.count('ip-in-filtered')]).toEqual([1, 3]);
    const request = arp({ operation: 1, senderMac: PEER_MAC, sender: VISITOR, target: OWN });
    expect(one.receive(ether('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0806, request))).toEqual([]);
  });

  it('that forwards is silent for itself alone', () => {
    const one = linked(false);
    one.cpu.udp.open().bind(0, 5000);
    for (const src of ['192.0.2.1', '169.254.1.1']) one.receive(frame(PEER_MAC, src));
    expect([one.count('udp-in'), one.count('ip-in-filtered')]).toEqual([1, 1]);
  });

  it('is silent under its link-local address of IPv6, whether or not it forwards', () => {
    for (const all of [true, false]) {
      const one = linked(all);
      const { inet } = one;
      inet.configure(inet.interface('eth0') as never, numberOf(inet, '2001:db8::1'), 64);
      one.advance(3_000_000);
      one.sent();
      const echo = (mac: string, src: string): number => {
        const packet = packet6(
          { src, dst: '2001:db8::1', next: 58 },
          icmp6(src, '2001:db8::1', 128, 0, hex('00010001')),
        );
        one.receive(ether(ownMac(1), mac, 0x86dd, packet));
        return one.count('icmp6-in-echo');
      };
      expect([all, echo(PEER_MAC, 'fe80::2')]).toEqual([all, 0]);
      expect(one.count('ip6-in-filtered')).toBe(1);
      expect([all, echo('02:00:00:00:00:99', 'fe80::2')]).toEqual([all, 1]);
      expect([all, echo(PEER_MAC, '2001:db8::2')]).toEqual([all, all ? 1 : 2]);
    }
  });
});
