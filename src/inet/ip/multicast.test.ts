import { describe, expect, it } from 'vitest';
import { InetBed, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { ether, hex, ip, ip4, udp } from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import type { UdpEndpoint } from '../udp/endpoint.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const GROUP = '239.1.2.3';
const GROUP_MAC = '01005e010203';

function bed(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  return one;
}

function member(one: InetBed, source = '0.0.0.0'): UdpEndpoint {
  const endpoint = one.cpu.udp.open();
  endpoint.reuseAddress = true;
  expect(endpoint.bind(0, 5000)).toBe(0);
  expect(endpoint.join(ip(GROUP), ip(source), null)).toBe(0);
  return endpoint;
}

function arrive(one: InetBed, src = PEER, group = GROUP, n = 0): void {
  const packet = ip4({ src, dst: group, protocol: 17, ttl: 1 }, udp(src, group, 7, 5000, hex('41')));
  one.devices[n]!.put(ether(GROUP_MAC, PEER_MAC, 0x0800, packet));
  one.settle();
}

describe('Multicast reception (RFC 1112, RFC 3678)', () => {
  it('opens the filter of the device for the first member, and closes it after the last', () => {
    const one = bed();
    expect(one.devices[0]!.groups).toEqual(['01005e000001']);
    const [a, b] = [member(one), member(one)];
    expect(one.devices[0]!.groups).toEqual(['01005e000001', GROUP_MAC]);
    expect(a.leave(ip(GROUP), 0, null)).toBe(0);
    expect(one.devices[0]!.groups).toHaveLength(2);
    b.close();
    expect(one.devices[0]!.groups).toEqual(['01005e000001']);
    expect(a.leave(ip(GROUP), 0, null)).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('keeps the filter open for another group of the same link-layer address', () => {
    const one = bed();
    const endpoint = member(one);
    expect(endpoint.join(ip('224.1.2.3'), 0, null)).toBe(0);
    endpoint.leave(ip(GROUP), 0, null);
    expect(one.devices[0]!.groups.includes(GROUP_MAC)).toBe(true);
  });

  it('delivers to members only, one copy each, when sockets are told so', () => {
    const one = bed();
    one.sysctl('net.inet.ip.multicast_all', 0);
    const [a, b] = [member(one), member(one)];
    const outsider = one.cpu.udp.open();
    outsider.reuseAddress = true;
    outsider.bind(0, 5000);
    arrive(one);
    expect([a, b, outsider].map((endpoint) => endpoint.queue.count)).toEqual([1, 1, 0]);
  });

  /** Datagrams that wait in each of the sockets bound to these addresses; only the first has joined the group. */
  const hearing = (one: InetBed, configure: (outsiders: UdpEndpoint[]) => void = () => {}): (() => number[]) => {
    const joined = member(one);
    const outsiders = ['0.0.0.0', GROUP, '239.9.9.9', OWN].map((address) => {
      const endpoint = one.cpu.udp.open();
      endpoint.reuseAddress = true;
      expect(endpoint.bind(ip(address), 5000)).toBe(0);
      return endpoint;
    });
    configure(outsiders);
    return () => [joined, ...outsiders].map((endpoint) => endpoint.queue.count);
  };

  it('delivers to every socket of any address or the group once somebody here joined (IP_MULTICAST_ALL)', () => {
    const one = bed();
    const counts = hearing(one);
    arrive(one);
    expect(counts()).toEqual([1, 1, 1, 0, 0]);
    arrive(one, PEER, '239.9.9.9');
    expect(counts()).toEqual([1, 1, 1, 0, 0]);
    expect(one.count('ip-in-not-member')).toBe(1);
  });

  it('delivers what we send, too, and to the group of all hosts without any membership', () => {
    const one = bed();
    const counts = hearing(one);
    const sender = one.cpu.udp.open();
    sender.send(hex('42'), 0, 1, ip(GROUP), 5000);
    one.settle();
    expect(counts()).toEqual([1, 1, 1, 0, 0]);
    sender.send(hex('42'), 0, 1, ip('224.0.0.1'), 5000);
    one.settle();
    expect(counts()).toEqual([2, 2, 1, 0, 0]);
  });

  it('leaves out a socket that switched it off, or whose own membership says no', () => {
    const one = bed();
    const counts = hearing(one, ([any, group]) => {
      (any as UdpEndpoint).multicastAll = false;
      expect((group as UdpEndpoint).join(ip(GROUP), ip('10.0.0.9'), null)).toBe(0);
    });
    arrive(one);
    expect(counts()).toEqual([1, 0, 0, 0, 0]);
    arrive(one, '10.0.0.9');
    expect(counts()).toEqual([2, 0, 1, 0, 0]);
  });

  it('delivers only what came by the interface of the membership', () => {
    const one = bed();
    one.attach('10.0.1.1');
    const endpoint = one.cpu.udp.open();
    endpoint.bind(0, 5000);
    expect(endpoint.join(ip(GROUP), 0, one.interfaces[1]!)).toBe(0);
    arrive(one, PEER, GROUP, 0);
    expect(endpoint.queue.count).toBe(0);
    arrive(one, '10.0.1.2', GROUP, 1);
    expect(endpoint.queue.count).toBe(1);
  });

  it('delivers only from the sources that were joined', () => {
    const one = bed();
    const endpoint = member(one, PEER);
    expect(endpoint.join(ip(GROUP), ip('10.0.0.9'), null)).toBe(0);
    for (const src of [PEER, '10.0.0.9', '10.0.0.8']) arrive(one, src);
    expect(endpoint.queue.count).toBe(2);
    expect(endpoint.leave(ip(GROUP), ip(PEER), null)).toBe(0);
    arrive(one, PEER);
    arrive(one, '10.0.0.9');
    expect(endpoint.queue.count).toBe(3);
    expect(endpoint.leave(ip(GROUP), ip('10.0.0.9'), null)).toBe(0);
    expect(endpoint.leave(ip(GROUP), ip('10.0.0.9'), null)).toBe(-Errno.EADDRNOTAVAIL);
    expect(one.interfaces[0]!.groups.size).toBe(0);
  });

  it('delivers from all but the sources that were blocked (RFC 3678 4.1.3)', () => {
    const one = bed();
    const endpoint = member(one);
    expect(endpoint.block(ip(GROUP), ip(PEER), null, true)).toBe(0);
    expect(endpoint.block(ip(GROUP), ip(PEER), null, true)).toBe(-Errno.EADDRNOTAVAIL);
    arrive(one, PEER);
    arrive(one, '10.0.0.8');
    expect(endpoint.queue.count).toBe(1);
    expect(endpoint.block(ip(GROUP), ip(PEER), null, false)).toBe(0);
    arrive(one, PEER);
    expect(endpoint.queue.count).toBe(2);
    expect(endpoint.block(ip('239.9.9.9'), ip(PEER), null, true)).toBe(-Errno.EINVAL);
    expect(endpoint.leave(ip(GROUP), 0, null)).toBe(0);
  });

  it('refuses what makes no sense', () => {
    const one = bed();
    const endpoint = member(one);
    expect(endpoint.join(ip('10.0.0.9'), 0, null)).toBe(-Errno.EINVAL);
    expect(endpoint.join(ip(GROUP), 0, null)).toBe(-Errno.EADDRINUSE);
    expect(endpoint.join(ip(GROUP), ip(PEER), null)).toBe(-Errno.EINVAL);
    expect(endpoint.leave(ip(GROUP), ip(PEER), null)).toBe(-Errno.EINVAL);
    one.sysctl('net.inet.igmp.maxgroups', 2);
    expect(endpoint.join(ip('239.0.0.1'), 0, null)).toBe(0);
    expect(endpoint.join(ip('239.0.0.2'), 0, null)).toBe(-Errno.ENOBUFS);
    one.sysctl('net.inet.udp.maxmemberships', 2);
    expect(endpoint.join(ip('239.0.0.3'), 0, null)).toBe(-Errno.ENOBUFS);
    one.sysctl('net.inet.udp.maxsources', 1);
    expect(endpoint.block(ip(GROUP), ip(PEER), null, true)).toBe(0);
    expect(endpoint.block(ip(GROUP), ip('10.0.0.9'), null, true)).toBe(-Errno.ENOBUFS);
  });
});

describe('Multicast sending (RFC 1112 6)', () => {
  it('uses the group address of the link and TTL 1, and comes back to members here', () => {
    const one = bed();
    const endpoint = member(one);
    one.sent();
    expect(endpoint.send(hex('42'), 0, 1, ip(GROUP), 5000)).toBe(1);
    one.settle();
    expect(one.sent()).toMatchObject([{ dstMac: GROUP_MAC, src: OWN, dst: GROUP, ttl: 1 }]);
    expect([endpoint.queue.count, endpoint.queue.nextAddress]).toEqual([1, ip(OWN)]);
  });

  it('does not come back when that is switched off, or nobody here is a member', () => {
    const one = bed();
    const endpoint = member(one);
    endpoint.multicastLoop = false;
    endpoint.send(hex('42'), 0, 1, ip(GROUP), 5000);
    one.settle();
    expect(endpoint.queue.count).toBe(0);
    endpoint.multicastLoop = true;
    endpoint.send(hex('42'), 0, 1, ip('239.9.9.9'), 5000);
    one.settle();
    expect(endpoint.queue.count).toBe(0);
  });

  it('leaves by the interface asked for, else that of the source, else that of the route', () => {
    const one = bed();
    one.attach('10.0.1.1');
    const endpoint = one.cpu.udp.open();
    const sentBy = (): number[] => {
      endpoint.send(hex('42'), 0, 1, ip(GROUP), 5000);
      one.settle();
      return [one.sent(0).length, one.sent(1).length];
    };
    expect(sentBy()).toEqual([1, 0]);
    one.inet.addRoute(ip('239.0.0.0'), 8, ip('10.0.1.9'), 2);
    expect(sentBy()).toEqual([0, 1]);
    endpoint.multicastInterface = one.interfaces[0]!;
    expect(sentBy()).toEqual([1, 0]);
    const fromSecond = one.cpu.udp.open();
    fromSecond.bind(ip('10.0.1.1'), 0);
    fromSecond.send(hex('42'), 0, 1, ip(GROUP), 5000);
    one.settle();
    expect(one.sent(1)).toMatchObject([{ src: '10.0.1.1' }]);
  });

  it('works on a kernel that has only lo0', () => {
    const one = new InetBed();
    const endpoint = member(one);
    endpoint.send(hex('42'), 0, 1, ip(GROUP), 5000);
    one.settle();
    expect(endpoint.queue.count).toBe(1);
  });
});
