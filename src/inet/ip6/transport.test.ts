/** TCP over IPv6: what differs from IPv4, on real IP with literal segments. */

import { describe, expect, it } from 'vitest';
import { textOf } from '../../../test/fixtures/address-text.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { type Bytes, be16, be32, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import { icmp6, type Packet6, packet6, sum6 } from '../../../test/fixtures/packets6.ts';
import { Errno } from '../../base/errors.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES } from '../../net/packet-meta.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import type { Connection } from '../tcp/connection/connection.ts';
import type { TcpStack } from '../tcp/stack.ts';
import type { Listener } from '../tcp/tables/listener.ts';
import { send } from '../tcp/transfer.ts';
import { bindPort, connectTo, listenOn } from '../tcp/user.ts';

const OWN = '2001:db8::1';
const PEER = '2001:db8::2';
const ROUTER = '2001:db8::ffff';
const FAR = '2001:db8:f::9';
const OPTIONS = { reuseAddress: false, reusePort: false };
const SYN = 2;
const ACK = 0x10;

class TcpBed extends Inet6Bed {
  readonly tcp: TcpStack;

  constructor(capabilities = 0) {
    super();
    this.tcp = this.cpu.tcp;
    this.attach6(OWN).capabilities = capabilities;
    this.neighbor6(PEER);
    this.neighbor6(ROUTER);
    this.inet.addRoute(this.number('::'), 0, this.number(ROUTER), RTF_GATEWAY);
  }

  /** Everything that can be done now; the segments that were sent. */
  work(): Packet6[] {
    for (let i = 0; i < 4; i++) {
      this.settle();
      this.tcp.doWork(this.nowUs);
    }
    this.settle();
    return this.sent6().filter(({ next }) => next === 6);
  }

  /** A segment from the peer; the answers. */
  segment(fields: Partial<Segment>): Packet6[] {
    const {
      src = PEER,
      dst = OWN,
      ports = [1000, 80],
      seq = 0,
      ack = 0,
      flags = 0,
      data = hex(''),
      options = hex(''),
    } = fields;
    const head = join(be16(ports[0]), be16(ports[1]), be32(seq), be32(ack));
    const offset = 0x50 + (options.length << 2);
    const bytes = join(head, Uint8Array.of(offset, flags), be16(0xffff), be32(0), options, data);
    bytes.set(be16(sum6(src, dst, 6, bytes)), 16);
    const answers = this.receiveIp6({ src, dst, next: 6 }, bytes).filter(({ next }) => next === 6);
    return [...answers, ...this.work()];
  }

  listen(address: string | number, port: number, only6 = false): Listener {
    const at = typeof address === 'number' ? address : this.number(address);
    const use = bindPort(this.tcp, at, port, { ...OPTIONS, only6 });
    if (typeof use === 'number') throw new Error(`bind: ${use}`);
    const listener = listenOn(this.tcp, use, this.tcp.newOptions(), 10, null);
    if (typeof listener === 'number') throw new Error(`listen: ${listener}`);
    return listener;
  }

  connect(to: string): Connection | number {
    return connectTo(this.tcp, null, this.number(to), 80, this.tcp.newOptions(), null, this.nowUs);
  }
}

interface Segment {
  src: string;
  dst: string;
  ports: [number, number];
  seq: number;
  ack: number;
  flags: number;
  data: Bytes;
  options: Bytes;
}

function view({ payload }: Packet6): DataView {
  return new DataView(payload.buffer, payload.byteOffset, payload.length);
}

function seqOf(packet: Packet6): number {
  return view(packet).getUint32(4);
}

function flagsOf(packet: Packet6): number {
  return packet.payload[13]!;
}

describe('a connection over IPv6', () => {
  it('offers the MSS of the link: 1500 less 60 bytes (RFC 9293 3.7.1)', () => {
    const one = new TcpBed();
    one.connect(PEER);
    const [syn] = one.work();
    expect(syn).toMatchObject({ src: OWN, dst: PEER, next: 6, hops: 64 });
    expect(toHex(syn!.payload.slice(20, 24))).toBe('020405a0');
  });

  it('gives all packets of a connection one flow label, others another (RFC 6437)', () => {
    const one = new TcpBed();
    const labels = new Map<number, Set<number>>();
    const note = (packets: Packet6[]): void => {
      for (const packet of packets) {
        const port = view(packet).getUint16(0);
        labels.set(port, (labels.get(port) ?? new Set()).add(packet.label));
      }
    };
    for (let i = 0; i < 3; i++) {
      one.connect(PEER);
      note(one.work());
      one.advance(1_500_000);
      note(one.work());
    }
    expect([...labels.values()].map((each) => each.size)).toEqual([1, 1, 1]);
    expect(new Set([...labels.values()].flatMap((each) => [...each])).size).toBe(3);
    one.sysctl('net.inet6.ip6.auto_flowlabel', 0);
    one.connect(PEER);
    expect(one.work().some(({ label }) => label === 0)).toBe(true);
  });

  it('is accepted, and sends full segments of 1440 bytes less its timestamps', () => {
    const one = new TcpBed();
    const listener = one.listen('::', 80);
    const [answer] = one.segment({ seq: 100, flags: SYN, options: hex('020405a0 0101080a 00000001 00000000') });
    expect(flagsOf(answer!)).toBe(SYN | ACK);
    expect(toHex(answer!.payload.slice(20, 24))).toBe('020405a0');
    one.segment({ seq: 101, ack: seqOf(answer!) + 1, flags: ACK, options: hex('0101080a 00000002 00000000') });
    const c = listener.acceptQueue[0]!;
    expect([textOf(one.inet, c.peerAddress), c.size.mss]).toEqual([PEER, 1428]);
    send(c, new Uint8Array(3000), 0, 3000, one.nowUs);
    expect(one.work().map(({ payload }) => payload.length - 32)).toEqual([1428, 1428, 144]);
  });

  it('leaves checksums and segmentation to a link that takes them', () => {
    const one = new TcpBed(CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES);
    const listener = one.listen('::', 80);
    const device = one.devices[0]!;
    device.put(frameOf(one, { seq: 100, flags: SYN, options: hex('020405a0') }));
    one.settle();
    const synAck = new DataView(device.sent[0]!.bytes.buffer);
    device.take();
    device.put(frameOf(one, { seq: 101, ack: synAck.getUint32(58) + 1, flags: ACK }));
    one.settle();
    const c = listener.acceptQueue[0]!;
    send(c, new Uint8Array(5000).fill(7), 0, 5000, one.nowUs);
    one.tcp.doWork(one.nowUs);
    const [sent] = device.sent.splice(0);
    // One super-frame of three whole segments; the checksum field holds the pseudo-header's sum.
    expect(sent!.bytes.length).toBe(14 + 40 + 20 + 5000);
    expect([sent!.meta & 1, sent!.meta >>> 16]).toEqual([1, 1440]);
    const whole = sent!.bytes;
    const pseudo = join(whole.slice(22, 54), be32(5020), be32(6));
    let sum = 0;
    for (let i = 0; i < pseudo.length; i += 2) sum += (pseudo[i]! << 8) | pseudo[i + 1]!;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    expect((whole[70]! << 8) | whole[71]!).toBe(sum);
  });

  it('shrinks its segments when a router says that the path carries less', () => {
    const one = new TcpBed();
    const c = one.connect(FAR) as Connection;
    const [syn] = one.work();
    const ports: [number, number] = [80, c.localPort];
    const seq = seqOf(syn!);
    one.segment({ src: FAR, ports, seq: 7, ack: seq + 1, flags: SYN | ACK, options: hex('020405a0') });
    send(c, new Uint8Array(1440), 0, 1440, one.nowUs);
    const [full] = one.work();
    expect(full!.payload.length).toBe(1460);
    const quote = packet6({ src: OWN, dst: FAR, next: 6 }, full!.payload);
    const error = icmp6(ROUTER, OWN, 2, 0, join(be32(1280), quote.slice(0, 1232)));
    const answers = one.receiveIp6({ src: ROUTER, dst: OWN, next: 58 }, error);
    const resent = [...answers, ...one.work()].filter(({ next }) => next === 6);
    expect(resent.map(({ payload }) => payload.length - 20)).toEqual([1220, 220]);
  });

  it('is refused by a reset, and fails when no neighbor answers', () => {
    const one = new TcpBed();
    const [reset] = one.segment({ seq: 5, flags: SYN, ports: [1000, 81] });
    expect([flagsOf(reset!), view(reset!).getUint32(8)]).toEqual([0x14, 6]);
    const c = one.connect('2001:db8::77') as Connection;
    one.work();
    one.advance(5_000_000);
    expect(c.error).toBe(-Errno.EHOSTUNREACH);
  });

  it('is not to be had with a group, or without a route', () => {
    const one = new TcpBed();
    expect(one.connect('ff0e::1')).toBe(-Errno.ENETUNREACH);
    one.inet.removeRoute(one.number('::'), 0, 0);
    expect(one.connect(FAR)).toBe(-Errno.ENETUNREACH);
  });

  it('can be opened by a cookie although the peer was forgotten meanwhile', () => {
    const one = new TcpBed();
    const listener = one.listen('::', 80);
    listener.backlog = 1;
    for (let i = 0; i < 16; i++) one.segment({ src: `2001:db8::1:${i.toString(16)}`, seq: 1, flags: SYN });
    expect(listener.synQueue.size).toBe(16);
    const src = FAR;
    const [answer] = one.segment({ src, seq: 100, flags: SYN, options: hex('020405a0') });
    expect(flagsOf(answer!)).toBe(SYN | ACK);
    const { interner } = one.inet.shared;
    interner.sweep();
    for (let i = 0; i < 20; i++) one.number(`2001:db8:dead::${(i + 1).toString(16)}`);
    one.segment({ src, seq: 101, ack: seqOf(answer!) + 1, flags: ACK });
    expect(listener.acceptQueue.map((c) => textOf(one.inet, c.peerAddress))).toEqual([FAR]);
  });
});

describe('listeners of both families', () => {
  it('the more specific one gets the connection', () => {
    const one = new TcpBed();
    one.inet.configure(one.interfaces[0]!, 0x0a000001, 24);
    const dual = one.listen('::', 80);
    const exact = one.listen(OWN, 81);
    const any = one.listen('::', 82, true);
    const four = one.listen(0, 82);
    const find = (local: number, port: number): Listener | null =>
      one.tcp.tables.listeners.find(local, one.number(PEER), (port << 16) | 5);
    expect(find(one.number(OWN), 80)).toBe(dual);
    expect(find(0x0a000001, 80)).toBe(dual);
    expect(find(one.number(OWN), 81)).toBe(exact);
    expect(find(0x0a000001, 81)).toBeNull();
    expect(find(one.number(OWN), 82)).toBe(any);
    expect(find(0x0a000001, 82)).toBe(four);
  });

  it('conflict where both could be meant', () => {
    const one = new TcpBed();
    one.listen('::', 80);
    expect(bindPort(one.tcp, 0, 80, OPTIONS)).toBe(-Errno.EADDRINUSE);
    expect(bindPort(one.tcp, one.number(OWN), 80, OPTIONS)).toBe(-Errno.EADDRINUSE);
    one.listen(0, 81);
    expect(bindPort(one.tcp, one.number('::'), 81, OPTIONS)).toBe(-Errno.EADDRINUSE);
    expect(typeof bindPort(one.tcp, one.number('::'), 81, { ...OPTIONS, only6: true })).toBe('object');
  });
});

/** A frame with a segment, for devices whose answers are not to be parsed. */
function frameOf(one: TcpBed, fields: Partial<Segment>): Bytes {
  const { seq = 0, ack = 0, flags = 0, options = hex('') } = fields;
  const head = join(be16(1000), be16(80), be32(seq), be32(ack));
  const bytes = join(head, Uint8Array.of(0x50 + (options.length << 2), flags), be16(0xffff), be32(0), options);
  bytes.set(be16(sum6(PEER, OWN, 6, bytes)), 16);
  const ether = join(hex('020000000001 0200000000aa 86dd'), packet6({ src: PEER, dst: OWN, next: 6 }, bytes));
  one.devices[0]!.take();
  return ether;
}
