import { describe, expect, it } from 'vitest';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { type Bytes, be16, be32, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import { groupMac, icmp6, type Packet6, packet6, udp6 } from '../../../test/fixtures/packets6.ts';
import { Errno } from '../../base/errors.ts';
import type { UdpEndpoint } from '../udp/endpoint.ts';

const OWN = '2001:db8::1';
const PEER = '2001:db8::2';
const FAR = '2001:db8:ffff::9';
const ROUTER = '2001:db8::ffff';
const LINK = 'fe80::ff:fe00:1';
const RTF_GATEWAY = 2;
const SECOND = 1_000_000;

function bed(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(OWN);
  one.neighbor6(PEER);
  one.neighbor6(ROUTER);
  one.inet.addRoute(one.number('::'), 0, one.number(ROUTER), RTF_GATEWAY);
  return one;
}

function receive(one: Inet6Bed, src: string, dst: string, type: number, code: number, rest: Bytes): Packet6[] {
  return one.receiveIp6({ src, dst, next: 58 }, icmp6(src, dst, type, code, rest));
}

/** A UDP endpoint connected to `to`, and the packet of it that an error can quote. */
function connected(one: Inet6Bed, to = FAR): { endpoint: UdpEndpoint; quote: Bytes } {
  const endpoint = one.cpu.udp.open(true);
  expect(endpoint.connect(one.number(to), 9)).toBe(0);
  const quote = packet6({ src: OWN, dst: to, next: 17 }, udp6(OWN, to, endpoint.port, 9, hex('00')));
  return { endpoint, quote };
}

const ECHO = join(be16(7), be16(1), hex('6869'));

describe('echo (RFC 4443 4.1, 4.2)', () => {
  it('comes back from the address that was asked', () => {
    const one = bed();
    for (const own of [OWN, LINK]) {
      const [answer] = receive(one, PEER, own, 128, 0, ECHO);
      expect(answer).toMatchObject({ src: own, dst: PEER, next: 58, hops: 64 });
      expect(toHex(answer!.payload)).toBe(toHex(icmp6(own, PEER, 129, 0, ECHO)));
    }
  });

  it('to a group comes back from an address of ours, unless that is switched off', () => {
    const one = bed();
    const fields = { src: PEER, dst: 'ff02::1', next: 58 };
    const message = icmp6(PEER, 'ff02::1', 128, 0, ECHO);
    expect(one.receiveGroup6(groupMac('ff02::1'), fields, message)).toMatchObject([{ src: OWN, dst: PEER }]);
    one.sysctl('net.inet6.icmp6.mcastecho', 0);
    expect(one.receiveGroup6(groupMac('ff02::1'), fields, message)).toEqual([]);
  });

  it('keeps its traffic class, and is made of zeros just as well', () => {
    const one = bed();
    const zeros = new Uint8Array(40);
    const message = icmp6(PEER, OWN, 128, 0, zeros);
    const answers = one.receiveIp6({ src: PEER, dst: OWN, next: 58, class: 0x20 }, message);
    expect(answers).toMatchObject([{ class: 0x20 }]);
  });

  it('is answered at most so often a second', () => {
    const one = bed();
    one.sysctl('net.inet6.icmp6.replyppslimit', 3);
    let answers = 0;
    for (let i = 0; i < 10; i++) answers += receive(one, PEER, OWN, 128, 0, ECHO).length;
    expect([answers, one.count('icmp6-out-replies-limited')]).toEqual([3, 7]);
    one.advance(SECOND);
    expect(receive(one, PEER, OWN, 128, 0, ECHO)).toHaveLength(1);
  });

  it('with a wrong checksum is nothing', () => {
    const one = bed();
    const message = icmp6(PEER, OWN, 128, 0, ECHO);
    message[2]! ^= 0x40;
    expect(one.receiveIp6({ src: PEER, dst: OWN, next: 58 }, message)).toEqual([]);
    expect(one.count('icmp6-in-bad-checksum')).toBe(1);
  });

  it('is shown to raw sockets when it is an answer', () => {
    const one = bed();
    const raw = one.cpu.raw.open(58, true);
    const four = one.cpu.raw.open(58);
    receive(one, PEER, OWN, 129, 0, ECHO);
    expect([raw.queue.count, four.queue.count]).toEqual([1, 0]);
    expect(raw.queue.nextAddress).toBe(one.number(PEER));
    const message = join(hex('8000 0000'), ECHO);
    expect(raw.send(message, 0, message.length, one.number(PEER))).toBe(message.length);
    expect(raw.send(message, 0, message.length, 0x0a000001)).toBe(-Errno.EAFNOSUPPORT);
    one.settle();
    // parse6 has verified the checksum, which the socket filled in.
    expect(one.sent6()).toMatchObject([{ src: OWN, dst: PEER, next: 58 }]);
  });
});

describe('errors received', () => {
  it.each([
    [1, 0, 0],
    [1, 1, -Errno.EHOSTUNREACH],
    [1, 3, 0],
    [1, 4, -Errno.ECONNREFUSED],
    [4, 0, -Errno.EPROTO],
    [4, 1, -Errno.ENOPROTOOPT],
    [3, 0, 0],
  ])('type %i code %i: a connected UDP socket is told %i', (type, code, error) => {
    const one = bed();
    const { endpoint, quote } = connected(one);
    receive(one, ROUTER, OWN, type, code, join(be32(0), quote));
    expect(endpoint.error).toBe(error);
  });

  it.each<[string, (quote: Bytes) => Bytes]>([
    ['of somebody else', () => packet6({ src: PEER, dst: FAR, next: 17 }, udp6(PEER, FAR, 1, 9, hex('00')))],
    ['of which too little is quoted', (quote) => quote.slice(0, 44)],
    ['of another version', (quote) => Uint8Array.from(quote).fill(0x45, 0, 1)],
  ])('about a packet %s say nothing', (_what, change) => {
    const one = bed();
    const { endpoint, quote } = connected(one);
    receive(one, ROUTER, OWN, 1, 4, join(be32(0), change(quote)));
    expect(endpoint.error).toBe(0);
  });

  it('that come to a group, or are too big for a packet of somebody else, change nothing', () => {
    const one = bed();
    const { endpoint, quote } = connected(one);
    const all = 'ff02::1';
    const error = icmp6(ROUTER, all, 1, 4, join(be32(0), quote));
    one.receiveGroup6(groupMac(all), { src: ROUTER, dst: all, next: 58 }, error);
    expect([endpoint.error, one.count('icmp6-in-bad-quote')]).toEqual([0, 1]);
    one.number(PEER);
    const strange = packet6({ src: PEER, dst: FAR, next: 17 }, udp6(PEER, FAR, 1, 9, new Uint8Array(1400)));
    receive(one, ROUTER, OWN, 2, 0, join(be32(1300), strange.slice(0, 1200)));
    expect(one.count('icmp6-in-bad-quote')).toBe(2);
    endpoint.send(new Uint8Array(1400), 0, 1400, 0, 0);
    one.settle();
    expect(one.sent6()).toMatchObject([{ next: 17 }]);
  });

  it('find the transport behind extension headers', () => {
    const one = bed();
    const { endpoint } = connected(one);
    const datagram = udp6(OWN, FAR, endpoint.port, 9, hex('00'));
    const quote = packet6({ src: OWN, dst: FAR, next: 44 }, join(hex('1100 0001 00000007'), datagram));
    receive(one, ROUTER, OWN, 1, 4, join(be32(0), quote));
    expect(endpoint.error).toBe(-Errno.ECONNREFUSED);
  });
});

describe('path MTU discovery (RFC 8201)', () => {
  it('sends smaller packets where a router said so, for ten minutes', () => {
    const one = bed();
    const { endpoint, quote } = connected(one);
    const big = packet6({ src: OWN, dst: FAR, next: 17 }, join(quote.slice(40), new Uint8Array(1400)));
    receive(one, ROUTER, OWN, 2, 0, join(be32(1300), big.slice(0, 1232)));
    endpoint.send(new Uint8Array(1400), 0, 1400, 0, 0);
    one.settle();
    expect(one.sent6().map(({ next, payload }) => [next, payload.length])).toEqual([
      [44, 1256],
      [44, 168],
    ]);
    expect(endpoint.error).toBe(0);
    one.advance(601 * SECOND);
    endpoint.send(new Uint8Array(1400), 0, 1400, 0, 0);
    one.settle();
    expect(one.sent6()).toMatchObject([{ next: 17 }]);
  });

  it('goes on where that of IPv4 is switched off: no router cuts packets for their sender', () => {
    const one = bed();
    one.inet.sysctl.set('net.inet.ip.mtudisc', 0);
    const { endpoint, quote } = connected(one);
    const big = packet6({ src: OWN, dst: FAR, next: 17 }, join(quote.slice(40), new Uint8Array(1400)));
    receive(one, ROUTER, OWN, 2, 0, join(be32(1300), big.slice(0, 1232)));
    endpoint.send(new Uint8Array(1400), 0, 1400, 0, 0);
    one.settle();
    expect(one.sent6().map(({ next }) => next)).toEqual([44, 44]);
  });

  it('believes nothing below 1280', () => {
    const one = bed();
    const { endpoint, quote } = connected(one);
    receive(one, ROUTER, OWN, 2, 0, join(be32(1279), quote));
    expect(one.count('icmp6-in-bad-quote')).toBe(1);
    endpoint.send(new Uint8Array(1400), 0, 1400, 0, 0);
    one.settle();
    expect(one.sent6()).toHaveLength(1);
  });
});

describe('errors sent (RFC 4443 2.4)', () => {
  const closed = (src: string): Bytes => udp6(src, OWN, 5, 99, hex('00'));

  it('quote no more than 1280 bytes hold', () => {
    const one = bed();
    const [told] = one.receiveIp6({ src: PEER, dst: OWN, next: 17 }, udp6(PEER, OWN, 5, 99, new Uint8Array(1400)));
    expect(told!.payload).toHaveLength(1240);
  });

  it.each<[string, (one: Inet6Bed) => Packet6[]]>([
    ['an error', (one) => receive(one, PEER, OWN, 1, 4, join(be32(0), new Uint8Array(48).fill(0x60)))],
    [
      'an error with a bad option header before it',
      (one) => {
        const error = icmp6(PEER, OWN, 1, 4, join(be32(0), new Uint8Array(48).fill(0x60)));
        return one.receiveIp6({ src: PEER, dst: OWN, next: 43 }, join(hex('3a00 0200 00000000'), error));
      },
    ],
    ['a packet from nobody', (one) => one.receiveIp6({ src: '::', dst: OWN, next: 17 }, closed('::'))],
    [
      'a packet to a group',
      (one) => {
        const group = 'ff02::1';
        const datagram = udp6(PEER, group, 5, 99, hex('00'));
        return one.receiveGroup6(groupMac(group), { src: PEER, dst: group, next: 17 }, datagram);
      },
    ],
  ])('are not about %s', (_what, act) => {
    expect(act(bed())).toEqual([]);
  });

  it('are not about errors and redirects that pass by, nor about nobody, whatever is wrong with them', () => {
    const one = bed();
    one.sysctl('net.inet6.ip6.forwarding', 1);
    // The report of a router's groups.
    one.advance(2 * SECOND);
    one.sent6();
    const passing = (type: number): Packet6[] => {
      const message = icmp6(PEER, FAR, type, 0, join(be32(0), new Uint8Array(48).fill(0x60)));
      return one.receiveIp6({ src: PEER, dst: FAR, next: 58, hops: 1 }, message);
    };
    expect([1, 2, 3, 4, 127, 137].map((type) => passing(type).length)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(one.count('icmp6-out-suppressed')).toBe(6);
    expect(passing(128)).toMatchObject([{ dst: PEER, next: 58 }]);
    const unknown = join(hex('3b00 8004 00000000'));
    expect(one.receiveIp6({ src: '::', dst: OWN, next: 60 }, unknown)).toEqual([]);
    expect(one.count('icmp6-out-suppressed')).toBe(7);
    expect(one.receiveIp6({ src: PEER, dst: OWN, next: 60 }, unknown)).toHaveLength(1);
  });

  it('are at most errppslimit a second', () => {
    const one = bed();
    one.sysctl('net.inet6.icmp6.errppslimit', 3);
    const burst = (): number => {
      let told = 0;
      for (let i = 0; i < 10; i++) told += one.receiveIp6({ src: PEER, dst: OWN, next: 17 }, closed(PEER)).length;
      return told;
    };
    expect([burst(), burst()]).toEqual([3, 0]);
    one.advance(SECOND);
    expect(burst()).toBe(3);
    expect(one.count('icmp6-out-rate-limited')).toBe(24);
  });
});
