/**
 * IPv6 between whole kernels on the virtual clock: ping, UDP, TCP, dual-stack sockets.
 */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import { DatagramInfo, type DatagramSocket, SocketAddress, type StreamSocket } from '../../src/socket/socket.ts';
import type { PingEvent } from '../../src/tools/echo.ts';
import { startPing } from '../fixtures/kernel-ping.ts';
import { addressOf } from '../fixtures/socket-address.ts';
import { textControl } from '../fixtures/text-control.ts';
import { SimNetwork, type SimNetworkOptions } from './network.ts';

const SECOND_US = 1_000_000;
const OPTIONS = { count: 3, intervalMs: 1000, payloadBytes: 56, ttl: 64, waitMs: 2000 };
const LINK_A = 'fe80::6d:ff:fe00:1';
const LINK_B = 'fe80::6d:ff:fe00:2';

function network(options: Partial<SimNetworkOptions> = {}): SimNetwork {
  return new SimNetwork({ seed: 1, kernels: ['a', 'b'], ipv6: true, ...options });
}

function ping(one: SimNetwork, from: string, host: string, options = {}): PingEvent[] {
  const events: PingEvent[] = [];
  const ended = (): boolean => events.at(-1)?.type === 'end';
  startPing(one.kernel(from), { host, ...OPTIONS, ...options }, (event) => events.push(event));
  one.simulation.runUntil(ended, one.simulation.nowUs() + 60 * SECOND_US);
  return events;
}

function settle(one: SimNetwork): void {
  one.simulation.run(one.simulation.nowUs() + SECOND_US);
}

/** An address with the zones of one kernel. */
function address(one: SimNetwork, kernel: string, text: string, port: number = 0): SocketAddress {
  return addressOf(text, port, one.kernel(kernel).sockets);
}

describe('ping over IPv6', () => {
  it('reaches the other kernel by global and link-local address, by name, and itself', () => {
    const one = network({ impairment: { delayUs: 10_000 } });
    const events = ping(one, 'a', 'b', { family: 'inet6' });
    expect(events[0]).toMatchObject({ type: 'start', address: '2001:db8::2' });
    const replies = events.filter((event) => event.type === 'reply');
    // The first one waits for the neighbor to answer.
    expect(replies.map((reply) => reply.timeMs)).toEqual([40, 20, 20]);
    expect(replies[0]).toMatchObject({ from: '2001:db8::2', ttl: 64, bytes: 64 });
    const link = ping(one, 'a', `${LINK_B}%eth0`, { count: 1 });
    expect(link.filter((event) => event.type === 'reply')).toMatchObject([{ from: `${LINK_B}%eth0` }]);
    for (const own of ['::1', '2001:db8::1', `${LINK_A}%eth0`]) {
      expect(ping(one, 'a', own, { count: 1 }).at(-1), own).toMatchObject({ received: 1 });
    }
  });

  it('carries 20000 bytes in fragments', () => {
    const events = ping(network(), 'a', '2001:db8::2', { count: 1, payloadBytes: 20_000 });
    expect(events.filter((event) => event.type === 'reply')).toMatchObject([{ bytes: 20_008 }]);
  });

  it('reports an address that nobody has, and one without a route', () => {
    const one = network();
    expect(ping(one, 'a', '2001:db8::77').at(-1)).toMatchObject({ received: 0 });
    const far = ping(one, 'a', '2001:db9::1', { count: 1 });
    expect(far.filter((event) => event.type === 'sendError')).toMatchObject([{ code: 'EHOSTUNREACH' }]);
    const zoneless = ping(one, 'a', 'fe80::1', { count: 1 });
    expect(zoneless.filter((event) => event.type === 'sendError')).toMatchObject([{ code: 'EINVAL' }]);
  });
});

describe('UDP sockets of IPv6', () => {
  it('exchange datagrams, and take IPv4 as well', () => {
    const one = network();
    const server = one.kernel('b').sockets.datagram(6);
    expect(server.bind(address(one, 'b', '::', 7))).toBe(0);
    const six = one.kernel('a').sockets.datagram(6);
    const four = one.kernel('a').sockets.datagram();
    expect(six.send(Uint8Array.of(6), 0, 1, address(one, 'a', '2001:db8::2', 7))).toBe(1);
    expect(four.send(Uint8Array.of(4), 0, 1, address(one, 'a', '10.0.0.2', 7))).toBe(1);
    settle(one);
    const seen = new Map<number, string>();
    const into = new Uint8Array(10);
    const info = new DatagramInfo();
    while (server.receive(into, 0, 10, info) > 0) {
      seen.set(into[0] as number, info.from.format(one.kernel('b').sockets));
      expect(server.send(into, 0, 1, info.from)).toBe(1);
    }
    expect(seen).toEqual(
      new Map([
        [6, '2001:db8::1'],
        [4, '::ffff:10.0.0.1'],
      ]),
    );
    settle(one);
    expect([six.nextBytes, four.nextBytes]).toEqual([1, 1]);
  });

  it('keep to IPv6 when told, and to their family', () => {
    const one = network();
    const server = one.kernel('b').sockets.datagram(6);
    expect(server.setOption('ipv6Only', true)).toBe(0);
    expect(server.bind(address(one, 'b', '::', 7))).toBe(0);
    const other = one.kernel('b').sockets.datagram();
    expect(other.bind(SocketAddress.any(4, 7))).toBe(0);
    expect(server.send(new Uint8Array(1), 0, 1, address(one, 'b', '10.0.0.1', 7))).toBe(-Errno.ENETUNREACH);
    expect(other.send(new Uint8Array(1), 0, 1, address(one, 'b', '2001:db8::1', 7))).toBe(-Errno.EAFNOSUPPORT);
    const dual = one.kernel('b').sockets.datagram(6);
    expect(dual.bind(address(one, 'b', '::', 7))).toBe(-Errno.EADDRINUSE);
  });

  it('tell a connected one that nobody listens', () => {
    const one = network();
    const socket = one.kernel('a').sockets.datagram(6);
    expect(socket.connect(address(one, 'a', '2001:db8::2', 9))).toBe(0);
    expect(socket.send(new Uint8Array(1), 0, 1, null)).toBe(1);
    settle(one);
    expect(socket.error).toBe(-Errno.ECONNREFUSED);
  });
});

describe('TCP sockets of IPv6', () => {
  function listen(one: SimNetwork, at: string, only6 = false): StreamSocket {
    const listener = one.kernel('b').sockets.stream(6);
    expect(listener.setOption('ipv6Only', only6)).toBe(0);
    expect(listener.bind(address(one, 'b', at, 80))).toBe(0);
    expect(listener.listen(10)).toBe(0);
    return listener;
  }

  /** Connect from a, with a socket of that family; its state when all is quiet, or the errno at once. */
  function connect(one: SimNetwork, to: string, family: 4 | 6 = 6): { socket: StreamSocket; outcome: string | number } {
    const socket = one.kernel('a').sockets.stream(family);
    const result = socket.connect(address(one, 'a', to, 80));
    if (result !== -Errno.EINPROGRESS) return { socket, outcome: result };
    settle(one);
    return { socket, outcome: socket.error !== 0 ? socket.error : socket.state };
  }

  it('show both ends by text, of both families on one listener', () => {
    const one = network();
    const listener = listen(one, '::');
    const ends = ['2001:db8::2', '10.0.0.2', `${LINK_B}%eth0`].map((to) => {
      const { socket, outcome } = connect(one, to);
      expect(outcome).toBe('ESTABLISHED');
      const accepted = listener.accept() as StreamSocket;
      const there = [accepted.local, accepted.peer].map((end) => end.format(one.kernel('b').sockets));
      const here = [socket.local, socket.peer].map((end) => end.format(one.kernel('a').sockets));
      return [...there, ...here];
    });
    expect(ends).toEqual([
      ['2001:db8::2', '2001:db8::1', '2001:db8::1', '2001:db8::2'],
      ['::ffff:10.0.0.2', '::ffff:10.0.0.1', '::ffff:10.0.0.1', '::ffff:10.0.0.2'],
      [`${LINK_B}%eth0`, `${LINK_A}%eth0`, `${LINK_A}%eth0`, `${LINK_B}%eth0`],
    ]);
    const rows = textControl(one.kernel('b'), 'sockets', {});
    expect(rows.filter(({ state }) => state === 'LISTEN')).toMatchObject([
      { family: 'inet6', localAddress: '::', peerAddress: '::', localPort: 80 },
    ]);
    expect(rows.filter(({ state }) => state === 'ESTABLISHED').map(({ family }) => family)).toEqual([
      'inet6',
      'inet',
      'inet6',
    ]);
  });

  it('keep to IPv6 when told', () => {
    const one = network();
    listen(one, '::', true);
    expect(connect(one, '2001:db8::2').outcome).toBe('ESTABLISHED');
    expect(connect(one, '10.0.0.2').outcome).toBe(-Errno.ECONNREFUSED);
    const only = one.kernel('a').sockets.stream(6);
    only.setOption('ipv6Only', true);
    expect(only.connect(address(one, 'a', '10.0.0.2', 80))).toBe(-Errno.ENETUNREACH);
    expect(only.bind(address(one, 'a', '10.0.0.1'))).toBe(-Errno.EINVAL);
    expect(only.getOption('ipv6Only')).toBe(true);
  });

  it('follow net.inet6.ip6.v6only where they say nothing', () => {
    const one = network();
    const { sockets, inet } = one.kernel('a');
    inet.sysctl.set('net.inet6.ip6.v6only', 1);
    expect([sockets.stream(6), sockets.datagram(6)].map((each) => each.getOption('ipv6Only'))).toEqual([true, true]);
    expect(sockets.stream().getOption('ipv6Only')).toBe(false);
  });

  it('refuse what is not of their family', () => {
    const one = network();
    expect(connect(one, '2001:db8::2', 4).outcome).toBe(-Errno.EAFNOSUPPORT);
    const four = one.kernel('a').sockets.stream();
    expect(four.bind(address(one, 'a', '::1', 80))).toBe(-Errno.EAFNOSUPPORT);
    expect(four.setOption('ipv6Only', true)).toBe(-Errno.EINVAL);
    const six = one.kernel('a').sockets.stream(6);
    expect(six.bind(address(one, 'a', '2001:db8::2', 80))).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('listen on one address only, and refuse the others', () => {
    const one = network();
    listen(one, '2001:db8::2');
    expect(connect(one, '2001:db8::2').outcome).toBe('ESTABLISHED');
    expect(connect(one, `${LINK_B}%eth0`).outcome).toBe(-Errno.ECONNREFUSED);
  });

  it('reach their own machine by ::1, and by :: as on Linux', () => {
    const one = network();
    const listener = one.kernel('a').sockets.stream(6);
    listener.bind(address(one, 'a', '::1', 80));
    listener.listen(10);
    for (const to of ['::1', '::']) {
      const socket = one.kernel('a').sockets.stream(6);
      expect(socket.connect(address(one, 'a', to, 80))).toBe(-Errno.EINPROGRESS);
      settle(one);
      expect([socket.state, socket.peer.unmap().format()]).toEqual(['ESTABLISHED', '::1']);
    }
  });

  it('are told of a port where nobody listens, and of a machine that is not there', () => {
    const one = network();
    expect(connect(one, '2001:db8::2').outcome).toBe(-Errno.ECONNREFUSED);
    const { socket } = connect(one, '2001:db8::77');
    one.simulation.run(one.simulation.nowUs() + 5 * SECOND_US);
    expect(socket.error).toBe(-Errno.EHOSTUNREACH);
  });
});

describe('groups of IPv6', () => {
  it('are joined by index, left, and heard on their link only', () => {
    const one = network();
    const { sockets } = one.kernel('b');
    const member = sockets.datagram(6);
    member.bind(address(one, 'b', '::', 9));
    const iface = sockets.interfaceIndex('eth0');
    const sender = one.kernel('a').sockets.datagram(6);
    sender.setOption('multicastInterface', one.kernel('a').sockets.interfaceIndex('eth0'));
    const heard = (): number => {
      sender.send(Uint8Array.of(1), 0, 1, address(one, 'a', 'ff02::114%eth0', 9));
      sender.send(Uint8Array.of(1), 0, 1, address(one, 'a', 'ff0e::114', 9));
      settle(one);
      let count = 0;
      const info = new DatagramInfo();
      while (member.receive(new Uint8Array(1), 0, 1, info) > 0) count++;
      return count;
    };
    expect(heard()).toBe(0);
    expect(member.joinGroup(address(one, 'b', 'ff02::114'), iface)).toBe(0);
    expect(member.joinGroup(address(one, 'b', 'ff02::114%eth0'), iface)).toBe(-Errno.EADDRINUSE);
    expect(heard()).toBe(1);
    expect(member.joinGroup(address(one, 'b', 'ff0e::114'), 0)).toBe(0);
    expect(heard()).toBe(2);
    expect(member.leaveGroup(address(one, 'b', 'ff02::114'), 0)).toBe(0);
    expect(member.leaveGroup(address(one, 'b', 'ff0e::114'), iface)).toBe(0);
    expect(heard()).toBe(0);
    expect(member.joinGroup(address(one, 'b', '2001:db8::5'), iface)).toBe(-Errno.EINVAL);
  });

  it('come back to members on the sending machine unless the socket says no', () => {
    const one = network();
    const { sockets } = one.kernel('a');
    const member = sockets.datagram(6);
    member.bind(address(one, 'a', '::', 9));
    const iface = sockets.interfaceIndex('eth0');
    member.joinGroup(address(one, 'a', 'ff02::114'), iface);
    const sender = sockets.datagram(6);
    const send = (): number => {
      sender.send(Uint8Array.of(1), 0, 1, address(one, 'a', 'ff02::114%eth0', 9));
      settle(one);
      return member.queuedBytes;
    };
    expect(send()).toBe(1);
    const info = new DatagramInfo();
    member.receive(new Uint8Array(1), 0, 1, info);
    expect(info.from.format(sockets)).toBe(`${LINK_A}%eth0`);
    sender.setOption('multicastLoop', false);
    expect(send()).toBe(0);
  });

  it('are heard by every socket of any address or the group (IPV6_MULTICAST_ALL), and ff02::1 without a membership', () => {
    const one = network();
    const { sockets } = one.kernel('b');
    const bound = (to: string): DatagramSocket => {
      const socket = sockets.datagram(6);
      socket.setOption('reuseAddress', true);
      expect(socket.bind(address(one, 'b', to, 9))).toBe(0);
      return socket;
    };
    const hearers = ['::', '::', '::', 'ff02::114%eth0', '2001:db8::2'].map(bound);
    hearers[0]?.joinGroup(address(one, 'b', 'ff02::114'), sockets.interfaceIndex('eth0'));
    hearers[2]?.setOption('multicastAll6', false);
    const heard = (from: string, to: string): number[] => {
      const sender = one.kernel(from).sockets.datagram(6);
      expect(sender.send(Uint8Array.of(1), 0, 1, address(one, from, to, 9))).toBe(1);
      settle(one);
      const counts = hearers.map(({ queuedBytes }) => queuedBytes);
      for (const socket of hearers) socket.receive(new Uint8Array(1), 0, 1, new DatagramInfo());
      return counts;
    };
    expect(heard('a', 'ff02::114%eth0')).toEqual([1, 1, 0, 1, 0]);
    expect(heard('b', 'ff02::114%eth0')).toEqual([1, 1, 0, 1, 0]);
    expect(heard('a', 'ff02::1%eth0')).toEqual([1, 1, 0, 0, 0]);
    expect(heard('b', 'ff02::1%eth0')).toEqual([1, 1, 0, 0, 0]);
    expect(heard('a', 'ff02::115%eth0')).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('control of IPv6', () => {
  it('shows and changes addresses', () => {
    const one = network();
    const a = one.kernel('a');
    const shown = (): unknown[] => {
      const rows = textControl(a, 'interfaces', {}).find(({ name }) => name === 'eth0')?.addresses6 ?? [];
      return rows.map(({ address, prefixLength, state, origin }) => `${address}/${prefixLength} ${state} ${origin}`);
    };
    const own = [`${LINK_A}%eth0/64 preferred link-local`, '2001:db8::1/64 preferred manual'];
    expect(shown()).toEqual(own);
    textControl(a, 'interface.set', { name: 'eth0', addAddress: { address: 'fe80::5', prefixLength: 64 } });
    textControl(a, 'interface.set', { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 48 } });
    expect(shown()).toEqual([...own, 'fe80::5%eth0/64 preferred manual', 'fd00::5/48 preferred manual']);
    const again = { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 48 } };
    expect(() => textControl(a, 'interface.set', again)).toThrow(/EEXIST/);
    expect(() =>
      textControl(a, 'interface.set', { ...again, addAddress: { address: 'ff02::5', prefixLength: 64 } }),
    ).toThrow(/EINVAL/);
    expect(() =>
      textControl(a, 'interface.set', { ...again, addAddress: { address: '240.0.0.1', prefixLength: 8 } }),
    ).toThrow("not an address: '240.0.0.1'");
    textControl(a, 'interface.set', { name: 'eth0', removeAddress: { address: 'fe80::5' } });
    textControl(a, 'interface.set', { name: 'eth0', removeAddress: { address: 'fd00::5' } });
    expect(shown()).toEqual(own);
  });

  it('shows and changes routes, as NetBSD prints them', () => {
    const one = network();
    const a = one.kernel('a');
    const shown = (): string[] =>
      textControl(a, 'routes', { family: 'inet6' }).map(
        (row) => `${row.destination}/${row.prefixLength} ${row.gateway} ${row.flags} ${row.interface}`,
      );
    const own = [
      '::1/128 lo0 UHl lo0',
      '2001:db8::/64 link#2 UC eth0',
      '2001:db8::1/128 link#2 UHl lo0',
      'fe80::%eth0/64 link#2 UC eth0',
      `${LINK_A}%eth0/128 link#2 UHl lo0`,
    ];
    expect(shown()).toEqual(own);
    const route = (destination: string, prefixLength: number, gateway: string, more = {}): void => {
      textControl(a, 'route.add', { destination, prefixLength, gateway, kind: 'unicast', ...more });
    };
    route('::', 0, 'fe80::9%eth0');
    route('2001:db8:5::', 48, '2001:db8::2');
    route('2001:db8:6::', 48, 'fe80::9', { interface: 'eth0' });
    route('2001:db8:7::', 48, '', { interface: 'eth0' });
    expect(shown().filter((row) => !own.includes(row))).toEqual([
      '::/0 fe80::9%eth0 UGS eth0',
      '2001:db8:5::/48 2001:db8::2 UGS eth0',
      '2001:db8:6::/48 fe80::9%eth0 UGS eth0',
      '2001:db8:7::/48 link#2 US eth0',
    ]);
    expect(() => route('2001:db8:8::', 48, 'fd00::1')).toThrow(/ENETUNREACH/);
    expect(() => route('2001:db8:5::', 48, '2001:db8::3')).toThrow(/EEXIST/);
    expect(() => route('2001:db8:5::1', 48, '2001:db8::3')).toThrow(/EINVAL/);
    const unroute = { destination: '2001:db8:5::', prefixLength: 48, gateway: '', kind: 'unicast' } as const;
    textControl(a, 'route.delete', unroute);
    expect(() => textControl(a, 'route.delete', unroute)).toThrow('not in table');
    expect(textControl(a, 'routes', {}).every(({ destination }) => !destination.includes(':'))).toBe(true);
  });

  it('shows and changes neighbors', () => {
    const one = network();
    const a = one.kernel('a');
    ping(one, 'a', '2001:db8::2', { count: 1 });
    textControl(a, 'neighbor.add', {
      address: 'fe80::9%eth0',
      mac: '02:00:00:00:00:09',
      temporary: false,
      published: false,
    });
    const shown = (): unknown[] =>
      textControl(a, 'neighbors', { family: 'inet6' }).map(({ address, mac, state }) => [address, mac, state]);
    expect(shown()).toEqual([
      ['2001:db8::2', '02:6d:00:00:00:02', 'reachable'],
      ['fe80::9%eth0', '02:00:00:00:00:09', 'permanent'],
    ]);
    textControl(a, 'neighbor.delete', { address: 'fe80::9%eth0' });
    expect(() => textControl(a, 'neighbor.delete', { address: 'fe80::9%eth0' })).toThrow(/ENOENT|no entry/);
    expect(shown()).toHaveLength(1);
  });

  it('cuts by IPv6 address', () => {
    const one = network();
    const b = one.kernel('b');
    textControl(b, 'filter.add', { id: 'cut', from: ['2001:db8::1'], action: 'reject' });
    const socket = one.kernel('a').sockets.stream(6);
    socket.connect(address(one, 'a', '2001:db8::2', 80));
    settle(one);
    expect(socket.error).toBe(-Errno.ECONNREFUSED);
    expect(ping(one, 'a', '2001:db8::2', { count: 1 }).filter(({ type }) => type === 'error')).toMatchObject([
      { text: 'Destination Administratively Unreachable' },
    ]);
    textControl(b, 'filter.add', { id: 'cut', from: ['2001:db8::1'], action: 'drop' });
    expect(ping(one, 'a', '2001:db8::2', { count: 1 }).at(-1)).toMatchObject({ received: 0 });
    textControl(b, 'filter.remove', { id: 'cut' });
    expect(ping(one, 'a', '2001:db8::2', { count: 1 }).at(-1)).toMatchObject({ received: 1 });
  });

  it('switches IPv6 off on an interface, and on again', () => {
    const one = network();
    textControl(one.kernel('b'), 'interface.set', { name: 'eth0', ipv6: false });
    expect(ping(one, 'a', '2001:db8::2', { count: 1 }).at(-1)).toMatchObject({ received: 0 });
    textControl(one.kernel('b'), 'interface.set', { name: 'eth0', ipv6: true });
    one.simulation.run(one.simulation.nowUs() + 30 * SECOND_US);
    expect(ping(one, 'a', '2001:db8::2', { count: 1 }).at(-1)).toMatchObject({ received: 1 });
    expect(ping(one, 'a', '10.0.0.2', { count: 1 }).at(-1)).toMatchObject({ received: 1 });
  });
});
