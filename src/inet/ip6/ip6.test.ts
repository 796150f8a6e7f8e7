import { describe, expect, it } from 'vitest';
import { ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { be16, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import { advertisement, groupMac, icmp6, solicitation, solicitedNode, udp6 } from '../../../test/fixtures/packets6.ts';

const OWN = '2001:db8::1';
const PEER = '2001:db8::2';
const OWN_LINK = 'fe80::ff:fe00:1';

function bed(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(OWN);
  return one;
}

describe('a link with IPv6', () => {
  it('has a link-local address made from its link-layer address, and hears its solicited-node group', () => {
    const one = new Inet6Bed();
    const device = one.attach6(null);
    const { addresses6 } = one.interfaces[0]!;
    expect(addresses6.map((entry) => [entry.state, entry.prefixLength, entry.origin])).toEqual([
      ['preferred', 64, 'link-local'],
    ]);
    expect(addresses6[0]!.address).toBe(one.number(OWN_LINK));
    expect(device.groups).toEqual(['0100'.concat('5e000001'), '333300000001', '3333ff000001']);
  });

  it('answers an echo request in place, with the neighbor learned from its solicitation', () => {
    const one = bed();
    const asked = one.receiveGroup6(
      groupMac(solicitedNode(OWN)),
      { src: PEER, dst: solicitedNode(OWN), next: 58, hops: 255 },
      solicitation(PEER, solicitedNode(OWN), { target: OWN, mac: PEER_MAC }),
    );
    expect(asked).toMatchObject([{ dstMac: toHex(hex(PEER_MAC)), src: OWN, dst: PEER, hops: 255, next: 58 }]);
    expect(toHex(asked[0]!.payload.slice(0, 1).subarray(0, 1))).toBe('88');
    expect(toHex(asked[0]!.payload.slice(4))).toBe(
      // Solicited and override; target; target link-layer address.
      `60000000${'20010db8000000000000000000000001'}0201${toHex(hex(ownMac(1)))}`,
    );
    const data = join(be16(0x1234), be16(1), hex('00112233445566778899'));
    const answers = one.receiveIp6({ src: PEER, dst: OWN, next: 58 }, icmp6(PEER, OWN, 128, 0, data));
    expect(answers).toMatchObject([{ src: OWN, dst: PEER, next: 58, hops: 64, dstMac: toHex(hex(PEER_MAC)) }]);
    expect(toHex(answers[0]!.payload)).toBe(toHex(icmp6(OWN, PEER, 129, 0, data)));
  });

  it('asks for a neighbor before it sends, and then sends what waited', () => {
    const one = bed();
    const endpoint = one.cpu.udp.open(true);
    expect(endpoint.send(hex('aabb'), 0, 2, one.number(PEER), 9)).toBe(2);
    one.settle();
    const group = solicitedNode(PEER);
    const asked = one.sent6();
    expect(asked).toMatchObject([{ dstMac: groupMac(group), src: OWN, dst: group, next: 58, hops: 255 }]);
    expect(toHex(asked[0]!.payload)).toBe(toHex(solicitation(OWN, group, { target: PEER, mac: ownMac(1) })));
    const sent = one.receiveIp6(
      { src: PEER, dst: OWN, next: 58, hops: 255 },
      advertisement(PEER, OWN, { target: PEER, flags: 0x60, mac: PEER_MAC }),
    );
    expect(sent).toMatchObject([{ dstMac: toHex(hex(PEER_MAC)), src: OWN, dst: PEER, next: 17 }]);
    expect(toHex(sent[0]!.payload)).toBe(toHex(udp6(OWN, PEER, endpoint.port, 9, hex('aabb'))));
  });

  it('gives each flow a label of its own, or none (RFC 6437 3)', () => {
    const one = bed();
    one.neighbor6(PEER);
    const label = (endpoint: ReturnType<typeof one.cpu.udp.open>): number => {
      expect(endpoint.send(hex('aa'), 0, 1, 0, 0)).toBe(1);
      one.settle();
      return one.sent6()[0]!.label;
    };
    const sockets = [0, 1, 2].map(() => one.cpu.udp.open(true));
    const labels = sockets.map((endpoint) => {
      expect(endpoint.connect(one.number(PEER), 9)).toBe(0);
      return label(endpoint);
    });
    expect(new Set(labels).size).toBe(3);
    expect(sockets.map(label)).toEqual(labels);
    one.inet.sysctl.set('net.inet6.ip6.auto_flowlabel', 0);
    const plain = one.cpu.udp.open(true);
    plain.connect(one.number(PEER), 9);
    expect(label(plain)).toBe(0);
  });

  it('delivers UDP to a socket bound to any address of IPv6', () => {
    const one = bed();
    one.neighbor6(PEER);
    const endpoint = one.cpu.udp.open(true);
    expect(endpoint.bind(one.number('::'), 7)).toBe(0);
    one.receiveIp6({ src: PEER, dst: OWN, next: 17 }, udp6(PEER, OWN, 5000, 7, hex('c0ffee')));
    const into = new Uint8Array(10);
    expect(endpoint.queue.nextAddress).toBe(one.number(PEER));
    expect(endpoint.receive(into, 0, 10)).toBe(3);
    expect(toHex(into.slice(0, 3))).toBe('c0ffee');
  });

  it('speaks to itself', () => {
    const one = bed();
    const endpoint = one.cpu.udp.open(true);
    endpoint.bind(one.number('::'), 7);
    const sender = one.cpu.udp.open(true);
    for (const to of ['::1', OWN, OWN_LINK]) {
      expect(sender.send(hex('01'), 0, 1, one.number(to), 7)).toBe(1);
      one.settle();
      expect(endpoint.queue.nextAddress, to).toBe(one.number(to));
      expect(endpoint.receive(new Uint8Array(1), 0, 1)).toBe(1);
    }
  });
});
