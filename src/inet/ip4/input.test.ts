import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { interfaceRows } from '../../../test/fixtures/inet-text.ts';
import { be16, ether, hex, type Ip4Fields, icmp, ip, ip4, udp } from '../../../test/fixtures/packets.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const PAYLOAD = hex('68656c6c6f');

function bed(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  const endpoint = one.cpu.udp.open();
  endpoint.bind(0, 5000);
  return one;
}

function datagram(fields: Partial<Ip4Fields> = {}): Uint8Array {
  const src = fields.src ?? PEER;
  const dst = fields.dst ?? OWN;
  return ip4({ src, dst, protocol: 17, ...fields }, udp(src, dst, 7, 5000, PAYLOAD));
}

function frame(packet: Uint8Array, to: string = ownMac(1)): Uint8Array {
  return ether(to, PEER_MAC, 0x0800, packet);
}

function patched(at: number, ...bytes: number[]): Uint8Array {
  const packet = datagram();
  packet.set(bytes, at);
  return packet;
}

/** Change bytes of the header and make its checksum right again. */
function rewritten(at: number, ...bytes: number[]): Uint8Array {
  const packet = patched(at, ...bytes);
  packet.set([0, 0], 10);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += (packet[i]! << 8) | packet[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  packet.set(be16(~sum & 0xffff), 10);
  return packet;
}

describe('IP input: malformed packets are dropped under a name each (RFC 1122 3.2.1)', () => {
  const cases: [string, string, Uint8Array][] = [
    ['shorter than a header', 'ip-in-short', datagram().slice(0, 19)],
    ['version 6', 'ip-in-bad-version', rewritten(0, 0x65)],
    ['header length below 20', 'ip-in-bad-length', rewritten(0, 0x44)],
    ['header longer than the packet', 'ip-in-bad-length', rewritten(0, 0x4f)],
    ['total length below the header', 'ip-in-bad-length', rewritten(2, 0, 19)],
    ['total length beyond the frame', 'ip-in-bad-length', rewritten(2, 0, 200)],
    ['wrong checksum', 'ip-in-bad-checksum', patched(8, 63)],
    ['from 127/8', 'ip-in-bad-source', datagram({ src: '127.0.0.1' })],
    ['from a group', 'ip-in-bad-source', datagram({ src: '224.0.0.5' })],
    ['from class E', 'ip-in-bad-source', datagram({ src: '240.0.0.5' })],
    ['from our own address', 'ip-in-bad-source', datagram({ src: OWN })],
    ['from 0.0.0.0 to us', 'ip-in-bad-source', datagram({ src: '0.0.0.0' })],
    ['from 0.0.0.9', 'ip-in-bad-source', datagram({ src: '0.0.0.9', dst: '255.255.255.255' })],
    ['to 127/8', 'ip-in-bad-destination', datagram({ dst: '127.0.0.1' })],
    ['to 0/8', 'ip-in-bad-destination', datagram({ dst: '0.0.0.0' })],
    ['to class E', 'ip-in-bad-destination', datagram({ dst: '240.0.0.1' })],
    ['to somebody else', 'ip-in-not-ours', datagram({ dst: '10.0.0.77' })],
    ['to a group we are not in', 'ip-in-not-member', datagram({ dst: '224.0.0.99' })],
  ];
  for (const [what, counter, packet] of cases) {
    it(`${what}: ${counter}`, () => {
      const one = bed();
      expect(one.receive(frame(packet))).toEqual([]);
      expect(one.count(counter)).toBe(1);
      expect(one.count('udp-in')).toBe(0);
      expect(interfaceRows(one.inet)[1]?.inDrops).toBe(1);
    });
  }

  it('unicast in a link-layer broadcast: ip-in-link-broadcast (RFC 1122 3.3.6)', () => {
    const one = bed();
    one.receive(frame(datagram(), 'ff:ff:ff:ff:ff:ff'));
    expect(one.count('ip-in-link-broadcast')).toBe(1);
    expect(one.count('udp-in')).toBe(0);
  });
});

describe('IP input: what is delivered', () => {
  it('ignores padding after the packet', () => {
    const one = bed();
    const padded = new Uint8Array(60);
    padded.set(frame(datagram()));
    one.receive(padded);
    expect(one.count('udp-in')).toBe(1);
  });

  it('takes packets for any of our addresses, whichever interface they come by', () => {
    const one = bed();
    one.attach('10.0.1.1');
    one.receive(frame(datagram({ dst: '10.0.1.1' })));
    expect(one.count('udp-in')).toBe(1);
  });

  it('takes broadcasts of the subnet and of the link', () => {
    const one = bed();
    one.receive(frame(datagram({ dst: '10.0.0.255' }), 'ff:ff:ff:ff:ff:ff'));
    one.receive(frame(datagram({ dst: '255.255.255.255' }), 'ff:ff:ff:ff:ff:ff'));
    one.receive(frame(datagram({ src: '0.0.0.0', dst: '255.255.255.255' }), 'ff:ff:ff:ff:ff:ff'));
    expect(one.count('udp-in')).toBe(3);
  });

  it('answers an unknown protocol with ICMP 3/2, quoting the packet (RFC 1122 3.2.2.1)', () => {
    const one = bed();
    const packet = ip4({ src: PEER, dst: OWN, protocol: 200, id: 77 }, hex('0102030405060708090a'));
    const [error] = one.receive(frame(packet));
    expect(error).toMatchObject({ src: OWN, dst: PEER, protocol: 1 });
    expect(error!.payload.slice(0, 2)).toEqual(Uint8Array.of(3, 2));
    expect(error!.payload.slice(8)).toEqual(packet.slice(0, 28));
  });

  it('does not answer an unknown protocol in a broadcast', () => {
    const one = bed();
    const packet = ip4({ src: PEER, dst: '10.0.0.255', protocol: 200 }, hex('0102030405060708'));
    expect(one.receive(frame(packet, 'ff:ff:ff:ff:ff:ff'))).toEqual([]);
    expect(one.count('ip-in-no-protocol')).toBe(1);
  });

  it('counts frames and bytes of the interface', () => {
    const one = bed();
    const before = interfaceRows(one.inet)[1]!;
    one.receive(frame(datagram()));
    const after = interfaceRows(one.inet)[1]!;
    expect([after.inPackets - before.inPackets, after.inBytes - before.inBytes]).toEqual([1, 14 + 20 + 8 + 5]);
  });

  it('does nothing with frames of an interface that is down', () => {
    const one = bed();
    one.inet.changeFlags(one.interfaces[0]!, 0, 1);
    expect(one.receive(frame(ip4({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 0))))).toEqual([]);
    expect(interfaceRows(one.inet)[1]).toMatchObject({
      flags: 0x8802,
      flagNames: ['BROADCAST', 'SIMPLEX', 'MULTICAST'],
    });
    one.inet.changeFlags(one.interfaces[0]!, 1, 0);
    one.settle();
    one.sent();
    expect(one.receive(frame(ip4({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 0))))).toHaveLength(1);
    expect(interfaceRows(one.inet)[1]).toMatchObject({ flags: 0x8843 });
    expect(interfaceRows(one.inet)[0]).toMatchObject({ flags: 0x8049 });
    expect(ip(OWN)).toBe(0x0a000001);
  });
});
