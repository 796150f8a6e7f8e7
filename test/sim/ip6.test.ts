/**
 * IPv6 between whole kernels on the virtual clock: ping, UDP, TCP, dual-stack sockets.
 */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import type { PingEvent } from '../../src/kernel/control.ts';
import type { DatagramInfo } from '../../src/socket/socket.ts';
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
  one
    .kernel(from)
    .ping({ host, ...OPTIONS, ...options }, (event) => events.push(event))
    .start();
  one.simulation.runUntil(ended, one.simulation.nowUs() + 60 * SECOND_US);
  return events;
}

function settle(one: SimNetwork): void {
  one.simulation.run(one.simulation.nowUs() + SECOND_US);
}

/** The number of an address, for the very next call. */
function number(one: SimNetwork, kernel: string, text: string): number {
  const address = one.kernel(kernel).sockets.addressText.parse(text);
  if (address === null) throw new Error(text);
  return address;
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
    expect(far.filter((event) => event.type === 'sendError')).toMatchObject([{ code: 'ENETUNREACH' }]);
    const zoneless = ping(one, 'a', 'fe80::1', { count: 1 });
    expect(zoneless.filter((event) => event.type === 'sendError')).toMatchObject([{ code: 'EINVAL' }]);
  });
});

describe('UDP sockets of IPv6', () => {
  it('exchange datagrams, and take IPv4 as well', () => {
    const one = network();
    const server = one.kernel('b').sockets.datagram(6);
    expect(server.bind(number(one, 'b', '::'), 7)).toBe(0);
    const six = one.kernel('a').sockets.datagram(6);
    const four = one.kernel('a').sockets.datagram();
    expect(six.send(Uint8Array.of(6), 0, 1, number(one, 'a', '2001:db8::2'), 7)).toBe(1);
    expect(four.send(Uint8Array.of(4), 0, 1, number(one, 'a', '10.0.0.2'), 7)).toBe(1);
    settle(one);
    const { addressText } = one.kernel('b').sockets;
    const seen = new Map<number, string>();
    const into = new Uint8Array(10);
    const info: DatagramInfo = { address: 0, port: 0, fullBytes: 0 };
    while (server.receive(into, 0, 10, info) > 0) {
      seen.set(into[0] as number, addressText.format(info.address, 6));
      expect(server.send(into, 0, 1, info.address, info.port)).toBe(1);
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
    expect(server.bind(number(one, 'b', '::'), 7)).toBe(0);
    const other = one.kernel('b').sockets.datagram();
    expect(other.bind(0, 7)).toBe(0);
    expect(server.send(new Uint8Array(1), 0, 1, number(one, 'b', '10.0.0.1'), 7)).toBe(-Errno.ENETUNREACH);
    expect(other.send(new Uint8Array(1), 0, 1, number(one, 'b', '2001:db8::1'), 7)).toBe(-Errno.EAFNOSUPPORT);
    const dual = one.kernel('b').sockets.datagram(6);
    expect(dual.bind(number(one, 'b', '::'), 7)).toBe(-Errno.EADDRINUSE);
  });

  it('tell a connected one that nobody listens', () => {
    const one = network();
    const socket = one.kernel('a').sockets.datagram(6);
    expect(socket.connect(number(one, 'a', '2001:db8::2'), 9)).toBe(0);
    expect(socket.send(new Uint8Array(1), 0, 1, 0, 0)).toBe(1);
    settle(one);
    expect(socket.error).toBe(-Errno.ECONNREFUSED);
  });
});
