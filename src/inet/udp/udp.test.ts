import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { ether, hex, icmp, ip, ip4, parse, toHex, transportSound, udp } from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import { CAP_CHECKSUM_PARTIAL, META_CHECKSUM_PARTIAL, META_CHECKSUM_VERIFIED } from '../../net/packet-meta.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import type { UdpEndpoint } from './endpoint.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const SECOND = 1_000_000;

function bed(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  return one;
}

function bound(one: InetBed, port: number, address = '0.0.0.0', reuse = ''): UdpEndpoint {
  const endpoint = one.cpu.udp.open();
  endpoint.reuseAddress = reuse === 'address';
  endpoint.reusePort = reuse === 'port';
  expect(endpoint.bind(ip(address), port)).toBe(0);
  return endpoint;
}

interface Datagram {
  from?: string;
  fromPort?: number;
  to?: string;
  port: number;
  text?: string;
}

function arrive(one: InetBed, { from = PEER, fromPort = 7, to = OWN, port, text = 'x' }: Datagram): void {
  const payload = udp(from, to, fromPort, port, new TextEncoder().encode(text));
  const group = Number(to.split('.')[0]) >= 224;
  const toMac = to.endsWith('.255') ? 'ff:ff:ff:ff:ff:ff' : group ? '01:00:5e:00:00:00' : ownMac(1);
  one.devices[0]!.put(ether(toMac, PEER_MAC, 0x0800, ip4({ src: from, dst: to, protocol: 17 }, payload)));
  one.settle();
}

function texts(endpoint: UdpEndpoint): string[] {
  const found: string[] = [];
  const into = new Uint8Array(65536);
  for (;;) {
    const bytes = endpoint.receive(into, 0, into.length);
    if (bytes < 0) return found;
    found.push(new TextDecoder().decode(into.slice(0, bytes)));
  }
}

function send(endpoint: UdpEndpoint, text: string, to = '', port = 0): number {
  const bytes = new TextEncoder().encode(text);
  return endpoint.send(bytes, 0, bytes.length, to === '' ? 0 : ip(to), port);
}

describe('UDP sending (RFC 768)', () => {
  it('writes header, checksum and payload', () => {
    const one = bed();
    expect(send(bound(one, 5000), 'hello', PEER, 7)).toBe(5);
    expect(toHex(one.sent()[0]!.payload)).toBe(toHex(udp(OWN, PEER, 5000, 7, new TextEncoder().encode('hello'))));
  });

  it('makes the right checksum for every length and phase, from an array and from the arena', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    const at = one.arena.allocate(4096);
    for (let length = 0; length < 200; length++) {
      const bytes = Uint8Array.from({ length: length + 3 }, (_, i) => i * 31 + length);
      one.arena.bytes.set(bytes, at);
      expect(endpoint.send(bytes, 3, length, ip(PEER), 7)).toBe(length);
      expect(endpoint.sendFrom(at + 3, length, ip(PEER), 7)).toBe(length);
      const [a, b] = one.sent();
      expect(a!.payload).toEqual(b!.payload);
      expect(a!.payload.slice(8)).toEqual(bytes.slice(3));
      expect(transportSound(a!)).toBe(true);
    }
  });

  it('sends 0xffff for a checksum that comes out as 0', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    const bare = udp(OWN, PEER, 5000, 7, hex('0000'));
    // The two bytes that bring the sum to all ones are its own complement.
    endpoint.send(bare, 6, 2, ip(PEER), 7);
    const [packet] = one.sent();
    expect(toHex(packet!.payload.slice(6, 8))).toBe('ffff');
    expect(transportSound(packet!)).toBe(true);
  });

  it('leaves the checksum to a link that vouches for it, and to nobody when switched off', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    one.devices[0]!.capabilities = CAP_CHECKSUM_PARTIAL;
    send(endpoint, 'hello', PEER, 7);
    const { bytes, meta } = one.devices[0]!.sent.pop()!;
    expect(meta).toBe(META_CHECKSUM_PARTIAL);
    // 0a00+0001+0a00+0002+0011+000d
    expect(toHex(parse(bytes).payload.slice(6, 8))).toBe('1421');
    one.devices[0]!.capabilities = 0;
    one.sysctl('net.inet.udp.checksum', 0);
    send(endpoint, 'hello', PEER, 7);
    expect(toHex(one.sent()[0]!.payload.slice(6, 8))).toBe('0000');
  });

  it('binds to an ephemeral port by itself', () => {
    const one = bed();
    const endpoint = one.cpu.udp.open();
    send(endpoint, 'x', PEER, 7);
    expect(endpoint.port >= 49152 && endpoint.port <= 65535).toBe(true);
    expect(one.cpu.udp.boundPorts()).toEqual([endpoint.port]);
  });

  it('says what is wrong', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    const big = new Uint8Array(65508);
    expect(endpoint.send(big, 0, 65508, ip(PEER), 7)).toBe(-Errno.EMSGSIZE);
    expect(endpoint.send(big, 0, 65507, ip(PEER), 7)).toBe(65507);
    expect(send(endpoint, 'x')).toBe(-Errno.EDESTADDRREQ);
    expect(send(endpoint, 'x', '192.0.2.1', 7)).toBe(-Errno.ENETUNREACH);
    expect(send(endpoint, 'x', '10.0.0.255', 7)).toBe(-Errno.EACCES);
    endpoint.connect(ip(PEER), 7);
    expect(send(endpoint, 'x', PEER, 7)).toBe(-Errno.EISCONN);
    expect(endpoint.bind(0, 1)).toBe(-Errno.EINVAL);
    expect(one.cpu.udp.open().bind(ip('10.0.0.9'), 1)).toBe(-Errno.EADDRNOTAVAIL);
    expect(one.cpu.udp.open().bind(0, 5000)).toBe(-Errno.EADDRINUSE);
    expect(one.cpu.udp.open().connect(ip(PEER), 0)).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('asks to wait when the link is full, and says when there is room', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    let writable = 0;
    endpoint.onWritable = () => writable++;
    one.devices[0]!.room = 1;
    expect([send(endpoint, 'a', PEER, 7), send(endpoint, 'b', PEER, 7), send(endpoint, 'c', PEER, 7)]).toEqual([
      1,
      -Errno.EAGAIN,
      -Errno.EAGAIN,
    ]);
    one.settle();
    expect(writable).toBe(0);
    one.devices[0]!.room = 10;
    one.settle();
    one.settle();
    expect(writable).toBe(1);
    expect(one.count('udp-out-no-room')).toBe(2);
    expect(send(endpoint, 'b', PEER, 7)).toBe(1);
  });

  it('forgets those who wait and close', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    one.devices[0]!.room = 0;
    endpoint.onWritable = () => {
      throw new Error('closed');
    };
    send(endpoint, 'a', PEER, 7);
    endpoint.close();
    one.devices[0]!.room = 10;
    one.settle();
    expect(send(endpoint, 'a', PEER, 7)).toBe(-Errno.EINVAL);
  });
});

describe('UDP receiving', () => {
  it('queues datagrams with sender and port, and gives them out in order', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    arrive(one, { port: 5000, text: 'one', fromPort: 1111 });
    arrive(one, { port: 5000, text: '', fromPort: 2222 });
    expect([endpoint.queue.nextAddress, endpoint.queue.nextPort, endpoint.queue.nextBytes]).toEqual([
      ip(PEER),
      1111,
      3,
    ]);
    expect(endpoint.queue.queuedBytes).toBe(3);
    expect(texts(endpoint)).toEqual(['one', '']);
    expect(endpoint.receive(new Uint8Array(1), 0, 1)).toBe(-Errno.EAGAIN);
  });

  it('cuts what is longer than the place for it', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    arrive(one, { port: 5000, text: 'abcdef' });
    arrive(one, { port: 5000, text: 'g' });
    const into = new Uint8Array(10);
    expect(endpoint.receive(into, 2, 3)).toBe(3);
    expect(toHex(into)).toBe('00006162630000000000');
    expect(texts(endpoint)).toEqual(['g']);
  });

  it('hands datagrams over in place when somebody takes them so', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    const seen: unknown[] = [];
    endpoint.onDatagram = (at, lengthBytes, src, srcPort) => {
      seen.push([toHex(one.arena.bytes.slice(at, at + lengthBytes)), src, srcPort, endpoint.queue.count]);
    };
    arrive(one, { port: 5000, text: 'AB' });
    expect(seen).toEqual([['4142', ip(PEER), 7, 0]]);
  });

  it('drops under a counter when the socket is full, and takes no more memory than allowed', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    endpoint.queue.limitBytes = 3000;
    for (let i = 0; i < 10; i++) arrive(one, { port: 5000, text: 'y'.repeat(1000) });
    expect([texts(endpoint).length, one.count('udp-full-socket-drops')]).toEqual([2, 8]);
    endpoint.close();
    expect(one.heapBytes).toBe(0);
  });

  it('drops what is malformed under a name each', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    const good = udp(PEER, OWN, 7, 5000, hex('414243'));
    const changed = (at: number, ...bytes: number[]): Uint8Array => {
      const copy = good.slice();
      copy.set(bytes, at);
      return copy;
    };
    const put = (payload: Uint8Array, meta = 0): void => {
      one.receiveIp({ src: PEER, dst: OWN, protocol: 17 }, payload, 0, meta);
    };
    put(good.slice(0, 7));
    put(changed(4, 0, 7));
    put(changed(4, 0, 12));
    put(changed(10, 0xff));
    expect(['udp-in-short', 'udp-in-bad-length', 'udp-in-bad-checksum'].map((name) => one.count(name))).toEqual([
      1, 2, 1,
    ]);
    expect(texts(endpoint)).toEqual([]);
    put(changed(6, 0, 0));
    put(changed(10, 0x44), META_CHECKSUM_VERIFIED);
    put(changed(10, 0x45), META_CHECKSUM_PARTIAL);
    expect(texts(endpoint)).toEqual(['ABC', 'ABD', 'ABE']);
    put(changed(10, 0xff));
    endpoint.onDatagram = () => {};
    put(changed(10, 0xff));
    expect(one.count('udp-in-bad-checksum')).toBe(3);
  });

  it('says nothing about, and gives to nobody, what has a wrong checksum', () => {
    const one = bed();
    const endpoint = bound(one, 5000, '0.0.0.0');
    const bad = (dst: string, port: number): Uint8Array => {
      const message = udp(PEER, dst, 7, port, hex('41'));
      message[8]! ^= 1;
      return message;
    };
    one.receiveIp({ src: PEER, dst: OWN, protocol: 17 }, bad(OWN, 5001));
    one.receiveIp({ src: PEER, dst: '10.0.0.255', protocol: 17 }, bad('10.0.0.255', 5000));
    expect(one.sent()).toEqual([]);
    expect(texts(endpoint)).toEqual([]);
    expect([one.count('udp-in-bad-checksum'), one.count('udp-in-no-port')]).toEqual([2, 0]);
  });

  it('answers a closed port with ICMP 3/3, except to broadcasts (RFC 1122 4.1.3.1)', () => {
    const one = bed();
    arrive(one, { port: 5001 });
    const [error] = one.sent();
    expect([error?.protocol, toHex(error!.payload.slice(0, 2))]).toEqual([1, '0303']);
    expect(toHex(error!.payload.slice(28, 32))).toBe('00071389');
    arrive(one, { port: 5001, to: '10.0.0.255' });
    expect(one.sent()).toEqual([]);
    expect([one.count('udp-in-no-port'), one.count('udp-in-no-port-group')]).toEqual([1, 1]);
  });
});

describe('UDP: which endpoint', () => {
  it('prefers connected to bound to any', () => {
    const one = bed();
    const any = bound(one, 5000, '0.0.0.0', 'address');
    const specific = bound(one, 5000, OWN, 'address');
    const connected = bound(one, 5000, OWN, 'address');
    connected.connect(ip(PEER), 7);
    arrive(one, { port: 5000, fromPort: 7, text: 'a' });
    arrive(one, { port: 5000, fromPort: 8, text: 'b' });
    specific.close();
    arrive(one, { port: 5000, fromPort: 8, text: 'c' });
    expect([texts(connected), texts(specific), texts(any)]).toEqual([['a'], [], ['c']]);
  });

  it('is the one bound last among equals that reuse the address', () => {
    const one = bed();
    const first = bound(one, 5000, '0.0.0.0', 'address');
    const second = bound(one, 5000, '0.0.0.0', 'address');
    arrive(one, { port: 5000, text: 'a' });
    second.close();
    arrive(one, { port: 5000, text: 'b' });
    expect(texts(first)).toEqual(['b']);
  });

  it('is spread by sender among equals that reuse the port, always the same for one sender', () => {
    const one = bed();
    const endpoints = Array.from({ length: 4 }, () => bound(one, 5000, '0.0.0.0', 'port'));
    for (let round = 0; round < 2; round++) {
      for (let port = 1; port <= 200; port++) arrive(one, { port: 5000, fromPort: port, text: `${port}` });
    }
    const found = endpoints.map(texts);
    for (const list of found) {
      expect(list.length).toBeGreaterThan(40);
      expect(new Set(list).size).toBe(list.length / 2);
    }
  });

  it('is all that match, for a broadcast', () => {
    const one = bed();
    const a = bound(one, 5000, '0.0.0.0', 'address');
    const b = bound(one, 5000, '10.0.0.255', 'address');
    const c = bound(one, 5000, OWN, 'address');
    arrive(one, { port: 5000, to: '10.0.0.255', text: 'all' });
    expect([texts(a), texts(b), texts(c)]).toEqual([['all'], ['all'], []]);
  });
});

describe('Connected UDP', () => {
  it('hears only its peer and sends without an address', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    expect(endpoint.connect(ip(PEER), 7)).toBe(0);
    expect(send(endpoint, 'hi')).toBe(2);
    expect(one.sent()[0]).toMatchObject({ src: OWN, dst: PEER });
    arrive(one, { port: 5000, fromPort: 7, text: 'peer' });
    arrive(one, { port: 5000, fromPort: 8, text: 'other' });
    arrive(one, { port: 5000, from: '10.0.0.3', fromPort: 7, text: 'other' });
    expect(texts(endpoint)).toEqual(['peer']);
    expect(endpoint.disconnect()).toBe(0);
    expect(endpoint.disconnect()).toBe(-Errno.ENOTCONN);
    arrive(one, { port: 5000, fromPort: 8, text: 'now' });
    expect(texts(endpoint)).toEqual(['now']);
  });

  const refused = (code: number, type = 3): [InetBed, UdpEndpoint] => {
    const one = bed();
    const endpoint = bound(one, 5000);
    endpoint.connect(ip(PEER), 7);
    let told = 0;
    endpoint.onError = () => told++;
    const quoted = ip4({ src: OWN, dst: PEER, protocol: 17 }, udp(OWN, PEER, 5000, 7, hex('41')));
    one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(type, code, 0, quoted));
    expect(told).toBe(endpoint.error === 0 ? 0 : 1);
    return [one, endpoint];
  };

  it('hears of ICMP port unreachable as ECONNREFUSED, once, from send or receive', () => {
    const [, first] = refused(3);
    expect([send(first, 'x'), send(first, 'x')]).toEqual([-Errno.ECONNREFUSED, 1]);
    const [, second] = refused(3);
    expect(second.receive(new Uint8Array(1), 0, 1)).toBe(-Errno.ECONNREFUSED);
    expect(second.receive(new Uint8Array(1), 0, 1)).toBe(-Errno.EAGAIN);
  });

  it('hears of other final errors under their own names, and not of what may pass', () => {
    const errors = [0, 1, 2, 4, 9, 10, 13].map((code) => refused(code)[1].error);
    expect(errors).toEqual([0, 0, -Errno.ENOPROTOOPT, 0, -Errno.ENETUNREACH, -Errno.EHOSTUNREACH, -Errno.EHOSTUNREACH]);
    expect([refused(0, 11)[1].error, refused(0, 12)[1].error]).toEqual([0, -Errno.EPROTO]);
  });

  it('is deaf to errors about datagrams of others', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    endpoint.connect(ip(PEER), 7);
    for (const [port, peerPort] of [
      [5001, 7],
      [5000, 8],
    ] as const) {
      const quoted = ip4({ src: OWN, dst: PEER, protocol: 17 }, udp(OWN, PEER, port, peerPort, hex('41')));
      one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(3, 3, 0, quoted));
    }
    expect(endpoint.error).toBe(0);
  });

  it('is deaf to errors about what another address of ours sent from the same port', () => {
    const one = bed();
    expect(one.inet.configure(one.interfaces[0]!, ip('10.0.0.9'), 24)).toBe(0);
    const [here, there] = [bound(one, 5000, OWN, 'address'), bound(one, 5000, '10.0.0.9', 'address')];
    for (const endpoint of [here, there]) endpoint.connect(ip(PEER), 7);
    const quoted = ip4({ src: '10.0.0.9', dst: PEER, protocol: 17 }, udp('10.0.0.9', PEER, 5000, 7, hex('41')));
    one.receiveIp({ src: PEER, dst: '10.0.0.9', protocol: 1 }, icmp(3, 3, 0, quoted));
    expect([here.error, there.error]).toEqual([0, -Errno.ECONNREFUSED]);
  });

  it('hears of a closed port on its own kernel', () => {
    const one = bed();
    const endpoint = bound(one, 5000);
    endpoint.connect(ip('127.0.0.1'), 9);
    send(endpoint, 'x');
    one.settle();
    expect(endpoint.error).toBe(-Errno.ECONNREFUSED);
  });
});

describe('UDP through a gateway that goes silent', () => {
  it('gets EHOSTUNREACH when connected, and is sent otherwise', () => {
    const one = bed();
    one.inet.addRoute(0, 0, ip('10.0.0.8'), RTF_GATEWAY);
    const endpoint = bound(one, 5000);
    expect(send(endpoint, 'x', '192.0.2.1', 7)).toBe(1);
    one.advance(4 * SECOND);
    expect(send(endpoint, 'x', '192.0.2.1', 7)).toBe(1);
    expect(endpoint.connect(ip('192.0.2.1'), 7)).toBe(0);
    expect(send(endpoint, 'x')).toBe(-Errno.EHOSTUNREACH);
  });
});
