import { describe, expect, it } from 'vitest';
import { InetBed } from '../../test/fixtures/inet-bed.ts';
import { checksum, hex, icmp, ip, ip4, toHex, udp } from '../../test/fixtures/packets.ts';
import { Errno } from '../base/errors.ts';
import { UdpSocket } from './datagram.ts';
import { EventQueue, type SocketContext } from './events.ts';
import { RawIpSocket } from './raw.ts';
import { DatagramInfo, EVENT_ERROR, EVENT_READABLE, EVENT_WRITABLE, SocketAddress } from './socket.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';

interface Setup {
  bed: InetBed;
  context: SocketContext;
  work: () => number;
}

function setup(): Setup {
  const bed = new InetBed();
  bed.attach(OWN);
  bed.neighbor(PEER);
  const events = new EventQueue();
  let requests = 0;
  const context: SocketContext = { events, nowUs: () => bed.nowUs, requestWork: () => requests++ };
  return { bed, context, work: () => requests };
}

const info = (): DatagramInfo => new DatagramInfo();

function arrive(bed: InetBed, text: string, port: number): void {
  bed.receiveIp({ src: PEER, dst: OWN, protocol: 17 }, udp(PEER, OWN, 7, port, new TextEncoder().encode(text)));
}

describe('UdpSocket', () => {
  it('sends, asks for work, receives with the sender and the full length', () => {
    const { bed, context, work } = setup();
    const socket = new UdpSocket(bed.cpu, context);
    expect(socket.bind(SocketAddress.any(4, 5000))).toBe(0);
    expect(socket.local).toEqual(SocketAddress.any(4, 5000));
    expect(socket.send(hex('414243'), 1, 2, SocketAddress.ipv4(ip(PEER), 7))).toBe(2);
    expect(work()).toBeGreaterThan(0);
    bed.settle();
    expect(toHex(bed.sent()[0]!.payload.slice(8))).toBe('4243');
    expect(socket.nextBytes).toBe(-1);
    arrive(bed, 'abcd', 5000);
    expect([socket.nextBytes, socket.queuedBytes]).toEqual([4, 4]);
    const into = new Uint8Array(2);
    const got = info();
    expect(socket.receive(into, 0, 2, got)).toBe(2);
    expect([toHex(into), got.from, got.fullBytes]).toEqual(['6162', SocketAddress.ipv4(ip(PEER), 7), 4]);
    expect(socket.receive(into, 0, 2, got)).toBe(-Errno.EAGAIN);
  });

  it('delivers events after the work, several as one', () => {
    const { bed, context } = setup();
    const socket = new UdpSocket(bed.cpu, context);
    socket.bind(SocketAddress.any(4, 5000));
    const seen: number[] = [];
    socket.onEvents = (events) => seen.push(events);
    arrive(bed, 'a', 5000);
    arrive(bed, 'b', 5000);
    expect(seen).toEqual([]);
    context.events.deliver();
    expect(seen).toEqual([EVENT_READABLE]);
    socket.connect(SocketAddress.ipv4(ip(PEER), 7));
    bed.devices[0]!.room = 0;
    expect(socket.send(hex('41'), 0, 1, null)).toBe(-Errno.EAGAIN);
    bed.devices[0]!.room = 10;
    bed.settle();
    const quoted = ip4({ src: OWN, dst: PEER, protocol: 17 }, udp(OWN, PEER, 5000, 7, hex('41')));
    bed.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(3, 3, 0, quoted));
    context.events.deliver();
    expect(seen).toEqual([EVENT_READABLE, EVENT_WRITABLE | EVENT_ERROR]);
    expect(socket.error).toBe(-Errno.ECONNREFUSED);
    arrive(bed, 'c', 5000);
    socket.close();
    context.events.deliver();
    expect(seen).toHaveLength(2);
    expect([socket.send(hex('41'), 0, 1, null), socket.receive(hex('41'), 0, 1, info())]).toEqual([
      -Errno.EBADF,
      -Errno.EBADF,
    ]);
    expect(bed.heapBytes).toBe(0);
  });

  it('knows its names when connected', () => {
    const { bed, context } = setup();
    const socket = new UdpSocket(bed.cpu, context);
    expect(socket.connected).toBe(false);
    socket.connect(SocketAddress.ipv4(ip(PEER), 7));
    expect(socket.local.w3).toBe(ip(OWN));
    expect(socket.local.port).toBeGreaterThanOrEqual(49152);
    expect([socket.connected, socket.peer]).toEqual([true, SocketAddress.ipv4(ip(PEER), 7)]);
    expect(socket.disconnect()).toBe(0);
    expect([socket.connected, socket.peer]).toEqual([false, SocketAddress.any(4)]);
  });

  it.each([
    ['ff02::fb', -Errno.EINVAL],
    ['ff01::fb', -Errno.EINVAL],
    ['fe80::1', -Errno.EINVAL],
    ['ff02::fb%99', -Errno.ENODEV],
    ['ff02::fb%1', 0],
    ['ff0e::fb', 0],
    ['::ffff:239.1.2.3', 0],
  ])('is bound to %s with %d, as on Linux', (text, result) => {
    const { bed, context } = setup();
    const socket = new UdpSocket(bed.cpu, context, 6);
    expect(socket.bind(SocketAddress.from(text, 9) as SocketAddress)).toBe(result);
  });

  it('keeps options and uses them', () => {
    const { bed, context } = setup();
    const socket = new UdpSocket(bed.cpu, context);
    expect(socket.send(hex('41'), 0, 1, SocketAddress.ipv4(ip('10.0.0.255'), 7))).toBe(-Errno.EACCES);
    for (const [name, value] of [
      ['broadcast', true],
      ['reuseAddress', true],
      ['multicastLoop', false],
      ['multicastAll', false],
      ['multicastAll6', false],
      ['ttl', 33],
      ['tos', 0x20],
      ['multicastTtl', 0],
      ['multicastInterface', 1],
      ['receiveBufferBytes', 4096],
      ['sendBufferBytes', 8192],
    ] as const) {
      expect([name, socket.setOption(name, value)]).toEqual([name, 0]);
      expect([name, socket.getOption(name)]).toEqual([name, value]);
    }
    expect(socket.send(hex('41'), 0, 1, SocketAddress.ipv4(ip('10.0.0.255'), 7))).toBe(1);
    bed.settle();
    expect(bed.sent()[0]).toMatchObject({ ttl: 33, tos: 0x20 });
    expect(socket.setOption('ttl', 0)).toBe(-Errno.EINVAL);
    expect(socket.setOption('ttl', 256)).toBe(-Errno.EINVAL);
    expect(socket.setOption('multicastInterface', ip('10.0.0.77'))).toBe(-Errno.EADDRNOTAVAIL);
    expect(socket.setOption('noDelay', true)).toBe(-Errno.ENOPROTOOPT);
    expect(socket.getOption('noDelay')).toBe(false);
  });

  it('joins and leaves groups by the address of the interface', () => {
    const { bed, context } = setup();
    const socket = new UdpSocket(bed.cpu, context);
    const group = ip('239.1.2.3');
    expect(socket.joinGroup(SocketAddress.ipv4(group), 99)).toBe(-Errno.ENODEV);
    expect(socket.joinGroup(SocketAddress.ipv4(group), 1)).toBe(0);
    expect(socket.leaveGroup(SocketAddress.ipv4(group), 99)).toBe(-Errno.EADDRNOTAVAIL);
    expect(socket.leaveGroup(SocketAddress.ipv4(group), 1)).toBe(0);
    expect(socket.joinSourceGroup(SocketAddress.ipv4(group), SocketAddress.any(4), 0)).toBe(-Errno.EINVAL);
    expect(socket.joinSourceGroup(SocketAddress.ipv4(group), SocketAddress.ipv4(ip(PEER)), 0)).toBe(0);
    expect(socket.leaveSourceGroup(SocketAddress.ipv4(group), SocketAddress.ipv4(ip(PEER)), 0)).toBe(0);
    expect(socket.leaveSourceGroup(SocketAddress.ipv4(group), SocketAddress.any(4), 0)).toBe(-Errno.EINVAL);
  });
});

describe('RawIpSocket', () => {
  it('sends ICMP messages with their checksum filled in, and receives packets with their header', () => {
    const { bed, context } = setup();
    const socket = new RawIpSocket(bed.cpu, context, 1);
    socket.setOption('ttl', 5);
    const message = icmp(8, 0, 0x00070001, hex('0102'));
    const blank = message.slice();
    blank.set([0, 0], 2);
    expect(socket.send(blank, 0, blank.length, SocketAddress.ipv4(ip(PEER)))).toBe(10);
    bed.settle();
    const [sent] = bed.sent();
    expect([sent?.ttl, toHex(sent!.payload)]).toEqual([5, toHex(message)]);
    const reply = ip4({ src: PEER, dst: OWN, protocol: 1 }, icmp(0, 0, 0x00070001, hex('0102')));
    let readable = 0;
    socket.onEvents = (events) => {
      readable |= events;
    };
    bed.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(0, 0, 0x00070001, hex('0102')));
    context.events.deliver();
    expect(readable).toBe(EVENT_READABLE);
    const into = new Uint8Array(100);
    const got = info();
    const bytes = socket.receive(into, 0, 100, got);
    expect([toHex(into.slice(0, bytes)), got.from.w3, got.fullBytes]).toEqual([toHex(reply), ip(PEER), 30]);
    expect(socket.receive(into, 0, 100, got)).toBe(-Errno.EAGAIN);
  });

  it('sees ICMP errors and not the echo requests that the kernel answers', () => {
    const { bed, context } = setup();
    const socket = new RawIpSocket(bed.cpu, context, 1);
    bed.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 1));
    expect(socket.receive(new Uint8Array(100), 0, 100, info())).toBe(-Errno.EAGAIN);
    const quoted = ip4({ src: OWN, dst: '192.0.2.1', protocol: 1 }, icmp(8, 0, 1));
    bed.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(11, 0, 0, quoted));
    expect(socket.receive(new Uint8Array(100), 0, 100, info())).toBe(20 + 8 + 28);
  });

  it('takes other protocols, so that they are not answered as unknown', () => {
    const { bed, context } = setup();
    const socket = new RawIpSocket(bed.cpu, context, 200);
    expect(bed.receiveIp({ src: PEER, dst: OWN, protocol: 200 }, hex('0102030405060708'))).toEqual([]);
    const into = new Uint8Array(100);
    expect(socket.receive(into, 0, 100, info())).toBe(28);
    expect(checksum(into.slice(0, 20))).toBe(0);
    socket.setOption('receiveBufferBytes', 4096);
    for (let i = 0; i < 100; i++) bed.receiveIp({ src: PEER, dst: OWN, protocol: 200 }, new Uint8Array(500));
    expect(bed.count('raw-full-socket-drops')).toBeGreaterThan(0);
    socket.close();
    expect(bed.receiveIp({ src: PEER, dst: OWN, protocol: 200 }, hex('0102030405060708'))).toHaveLength(1);
    expect(bed.heapBytes).toBe(0);
  });

  it('says what is wrong', () => {
    const { bed, context } = setup();
    const socket = new RawIpSocket(bed.cpu, context, 1);
    expect(socket.send(hex('0800'), 0, 2, SocketAddress.ipv4(ip('192.0.2.1')))).toBe(-Errno.EHOSTUNREACH);
    expect(socket.send(hex('0800'), 0, 2, SocketAddress.ipv4(ip('10.0.0.255')))).toBe(-Errno.EACCES);
    expect(socket.setOption('broadcast', true)).toBe(0);
    expect(socket.send(hex('0800'), 0, 2, SocketAddress.ipv4(ip('10.0.0.255')))).toBe(2);
    expect(socket.send(new Uint8Array(65516), 0, 65516, SocketAddress.ipv4(ip(PEER)))).toBe(-Errno.EMSGSIZE);
    bed.devices[0]!.room = 0;
    expect(socket.send(hex('0800'), 0, 2, SocketAddress.ipv4(ip(PEER)))).toBe(-Errno.EAGAIN);
    expect(socket.setOption('ttl', 0)).toBe(-Errno.EINVAL);
    expect(socket.setOption('keepAlive', true)).toBe(-Errno.ENOPROTOOPT);
    socket.close();
    socket.close();
    expect(socket.send(hex('0800'), 0, 2, SocketAddress.ipv4(ip(PEER)))).toBe(-Errno.EBADF);
  });
});
