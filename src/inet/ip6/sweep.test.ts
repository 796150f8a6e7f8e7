/**
 * Holders of numbers of addresses mark them: after a sweep every address in use is still there, and the others are gone.
 */

import { describe, expect, it } from 'vitest';
import { textOf } from '../../../test/fixtures/address-text.ts';
import { interfaceRows, neighborRows, routeRows } from '../../../test/fixtures/inet-text.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { be16, be32, hex, join } from '../../../test/fixtures/packets.ts';
import { packet6, sum6, udp6 } from '../../../test/fixtures/packets6.ts';
import { TCP_STATE_NAMES } from '../../base/tcp-state-names.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import type { Connection } from '../tcp/connection/connection.ts';
import type { Listener } from '../tcp/tables/listener.ts';
import { acceptFrom, bindPort, connectTo, listenOn } from '../tcp/user.ts';

const OWN = '2001:db8::1';
const ROUTER = '2001:db8::ffff';
const FAR = '2001:db8:f::9';

function bed(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(OWN);
  one.neighbor6(ROUTER);
  one.inet.addRoute(one.number('::'), 0, one.number(ROUTER), RTF_GATEWAY);
  return one;
}

/** Sweep, and give the free numbers to others. */
function sweep(one: Inet6Bed): void {
  one.inet.shared.interner.sweep();
  for (let i = 0; i < 50; i++) one.number(`2001:db8:dead::${(i + 1).toString(16)}`);
}

function known(one: Inet6Bed, text: string): boolean {
  const number = one.number('::');
  const { interner } = one.inet.shared;
  const before = interner.count;
  const found = one.number(text);
  expect(number).toBeLessThan(0);
  return interner.count === before && found !== 0;
}

function tcp6(src: string, dst: string, ports: [number, number], seq: number, ack: number, flags: number): Uint8Array {
  const bytes = join(
    be16(ports[0]),
    be16(ports[1]),
    be32(seq),
    be32(ack),
    Uint8Array.of(0x50, flags),
    be16(1000),
    be32(0),
  );
  bytes.set(be16(sum6(src, dst, 6, bytes)), 16);
  return bytes;
}

describe('a sweep of the address table', () => {
  it('forgets who only passed by', () => {
    const one = bed();
    one.receiveIp6({ src: FAR, dst: OWN, next: 17 }, udp6(FAR, OWN, 5, 99, hex('00')));
    expect(known(one, FAR)).toBe(true);
    sweep(one);
    expect(known(one, FAR)).toBe(false);
  });

  it('keeps our addresses, groups, routes and neighbors', () => {
    const one = bed();
    one.inet.addRoute(one.number('2001:db8:7::'), 48, one.number(ROUTER), RTF_GATEWAY);
    const rows = (): unknown => [interfaceRows(one.inet), routeRows(one.inet, 6), neighborRows(one.inet, 6)];
    const before = rows();
    sweep(one);
    expect(rows()).toEqual(before);
    expect([OWN, 'fe80::ff:fe00:1', ROUTER, '2001:db8:7::'].every((text) => known(one, text))).toBe(true);
  });

  it('keeps the sender of a datagram that waits, the peer of a socket, what a socket is bound to', () => {
    const one = bed();
    const waiting = one.cpu.udp.open(true);
    waiting.bind(one.number('::'), 7);
    one.receiveIp6({ src: FAR, dst: OWN, next: 17 }, udp6(FAR, OWN, 5, 7, hex('00')));
    const connected = one.cpu.udp.open(true);
    connected.connect(one.number('2001:db8:f::a'), 9);
    const member = one.cpu.udp.open(true);
    const iface = one.interfaces[0]!;
    member.join(one.number('ff0e::77'), one.number('2001:db8:f::b'), iface);
    member.bind(one.number('ff0e::77'), 8);
    sweep(one);
    expect(textOf(one.inet, waiting.queue.nextAddress)).toBe(FAR);
    expect(textOf(one.inet, connected.peerAddress)).toBe('2001:db8:f::a');
    expect(connected.send(hex('00'), 0, 1, 0, 0)).toBe(1);
    one.settle();
    expect(one.sent6().filter(({ next }) => next === 17)).toMatchObject([{ src: OWN, dst: '2001:db8:f::a' }]);
    expect(['ff0e::77', '2001:db8:f::b'].every((text) => known(one, text))).toBe(true);
    expect(textOf(one.inet, member.address)).toBe('ff0e::77');
  });

  it('keeps what was learned of a path, and fragments that wait', () => {
    const one = bed();
    const quote = packet6({ src: OWN, dst: FAR, next: 17 }, new Uint8Array(1400));
    const error = join(hex('0200 0000'), be32(1300), quote.slice(0, 1232));
    one.number(FAR);
    error.set(be16(sum6(ROUTER, OWN, 58, error)), 2);
    one.receiveIp6({ src: ROUTER, dst: OWN, next: 58 }, error);
    expect(one.count('ip-path-mtu-learned')).toBe(1);
    const whole = udp6('2001:db8:f::c', OWN, 5, 7, new Uint8Array(32));
    const endpoint = one.cpu.udp.open(true);
    endpoint.bind(one.number('::'), 7);
    const part = (offset: number, more: boolean): void => {
      const header = join(hex('1100'), be16(offset | (more ? 1 : 0)), be32(3));
      const piece = more ? whole.slice(0, 24) : whole.slice(24);
      one.receiveIp6({ src: '2001:db8:f::c', dst: OWN, next: 44 }, join(header, piece));
    };
    part(0, true);
    sweep(one);
    part(24, false);
    expect(endpoint.queue.count).toBe(1);
    const path = one.cpu.ip.openPath(one.number(FAR), 0, 0);
    expect(typeof path === 'number' ? path : path.mtuBytes).toBe(1300);
  });

  it('keeps the ends of TCP connections: half-open, waiting for accept, open, in TIME_WAIT, ended with an open socket', () => {
    const one = bed();
    const stack = one.cpu.tcp;
    const work = (): void => {
      for (let i = 0; i < 5; i++) {
        one.settle();
        stack.doWork(one.nowUs);
      }
      one.settle();
    };
    const options = { reuseAddress: false, reusePort: false };
    const use = bindPort(stack, one.number('::'), 80, options);
    const listener = listenOn(stack, use as never, stack.newOptions(), 10, null) as Listener;
    const peers = ['2001:db8:f::11', '2001:db8:f::12', '2001:db8:f::13'];
    const syn = (peer: string): number => {
      const [answer] = one.receiveIp6({ src: peer, dst: OWN, next: 6 }, tcp6(peer, OWN, [1000, 80], 5, 0, 2));
      return new DataView(answer!.payload.buffer).getInt32(answer!.payload.byteOffset + 4);
    };
    const complete = (peer: string): number => {
      const iss = syn(peer);
      one.receiveIp6({ src: peer, dst: OWN, next: 6 }, tcp6(peer, OWN, [1000, 80], 6, iss + 1, 0x10));
      work();
      one.sent6();
      return iss;
    };
    syn(peers[0]!);
    complete(peers[1]!);
    const iss = complete(peers[2]!);
    expect(listener.acceptQueue).toHaveLength(2);
    sweep(one);
    const shown = (): string[] =>
      stack.sockets().map(({ state, peerAddress }) => `${TCP_STATE_NAMES[state]} ${textOf(one.inet, peerAddress, 6)}`);
    expect(shown().sort()).toEqual([
      'ESTABLISHED 2001:db8:f::12',
      'ESTABLISHED 2001:db8:f::13',
      'LISTEN ::',
      'SYN_RECEIVED 2001:db8:f::11',
    ]);
    const none = { onReadable() {}, onWritable() {}, onConnected() {}, onSent() {}, onError() {} };
    acceptFrom(listener, () => none);
    const second = acceptFrom(listener, () => none) as Connection;
    one.receiveIp6({ src: peers[2]!, dst: OWN, next: 6 }, tcp6(peers[2]!, OWN, [1000, 80], 6, iss + 1, 0x14));
    work();
    expect(second.error).toBe(-104);
    sweep(one);
    expect(textOf(one.inet, second.peerAddress)).toBe(peers[2]);
    stack.tables.releaseAddresses(second);
    sweep(one);
    expect(known(one, peers[2]!)).toBe(false);
    const bound = bindPort(stack, one.number(OWN), 81, options);
    expect(typeof bound).toBe('object');
    const connecting = connectTo(stack, null, one.number('2001:db8:f::14'), 9, stack.newOptions(), none, one.nowUs);
    work();
    sweep(one);
    expect(textOf(one.inet, (connecting as Connection).peerAddress)).toBe('2001:db8:f::14');
  });

  it('happens by itself when strangers fill the table, and honest traffic goes on', () => {
    const one = bed();
    one.sysctl('net.inet6.ip6.maxaddresses', 256);
    const endpoint = one.cpu.udp.open(true);
    endpoint.bind(one.number('::'), 7);
    for (let i = 0; i < 2000; i++) {
      const src = `2001:db8:f:${(i % 997).toString(16)}::${i.toString(16)}`;
      one.receiveIp6({ src, dst: OWN, next: 17 }, udp6(src, OWN, 5, 99, hex('00')));
      one.sent6();
      if (i % 100 !== 0) continue;
      one.receiveIp6({ src: FAR, dst: OWN, next: 17 }, udp6(FAR, OWN, 5, 7, hex('00')));
      expect(endpoint.queue.count).toBe(1);
      expect(textOf(one.inet, endpoint.queue.nextAddress)).toBe(FAR);
      endpoint.receive(new Uint8Array(1), 0, 1);
    }
    expect(one.count('ip6-address-sweeps')).toBeGreaterThan(5);
    expect(one.inet.shared.interner.count).toBeLessThanOrEqual(256);
  });
});
