import { describe, expect, it } from 'vitest';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { type Bytes, be32, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import { icmp6, type Packet6, packet6, udp6 } from '../../../test/fixtures/packets6.ts';
import { META_CHECKSUM_PARTIAL, META_SEGMENT_SHIFT } from '../../net/packet-meta.ts';
import { RTF_BLACKHOLE, RTF_GATEWAY, RTF_REJECT } from '../../net/route.ts';

const LEFT = '2001:db8:1::1';
const RIGHT = '2001:db8:2::1';
const A = '2001:db8:1::a';
const B = '2001:db8:2::b';
const B_MAC = '02:00:00:00:00:bb';
const SECOND = 1_000_000;

function router(options: { rightMtuBytes?: number } = {}): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(LEFT);
  one.attach6(RIGHT, { mtuBytes: options.rightMtuBytes ?? 1500 });
  one.sysctl('net.inet6.ip6.forwarding', 1);
  one.neighbor6(A, 0);
  one.neighbor6(B, 1, B_MAC);
  // Until the reports of the all-routers group are over.
  one.advance(5 * SECOND);
  for (const device of one.devices) device.take();
  return one;
}

function datagram(src: string, dst: string, length = 4): Bytes {
  return udp6(src, dst, 5, 7, new Uint8Array(length).fill(0x5a));
}

function pass(
  one: Inet6Bed,
  fields: Partial<{ src: string; dst: string; hops: number; class: number; label: number }>,
  length = 4,
): Packet6[] {
  const { src = A, dst = B, ...rest } = fields;
  return one.receiveIp6({ src, dst, next: 17, ...rest }, datagram(src, dst, length));
}

/** Type, code and second word of an ICMPv6 message. */
function message({ payload }: Packet6): string {
  return toHex(join(payload.slice(0, 2), payload.slice(4, 8)));
}

describe('forwarding', () => {
  it('takes one from the hop limit and changes nothing else', () => {
    const one = router();
    expect(pass(one, { class: 0xb8, label: 0x12345, hops: 9 })).toEqual([]);
    const sent = one.sent6(1);
    expect(sent).toMatchObject([
      { dstMac: toHex(hex(B_MAC)), src: A, dst: B, hops: 8, class: 0xb8, label: 0x12345, next: 17 },
    ]);
    expect(toHex(sent[0]!.payload)).toBe(toHex(datagram(A, B)));
    expect(one.count('ip6-forwarded')).toBe(1);
  });

  it('is off by default', () => {
    const one = router();
    one.sysctl('net.inet6.ip6.forwarding', 0);
    one.advance(5 * SECOND);
    one.sent6(1);
    pass(one, {});
    expect([one.sent6(1), one.count('ip6-in-not-ours')]).toEqual([[], 1]);
  });

  it('asks for the next hop, and sends what waited with the hop limit lowered', () => {
    const one = router();
    pass(one, { dst: '2001:db8:2::c', hops: 5 });
    const asked = one.sent6(1);
    expect(asked).toMatchObject([{ dst: 'ff02::1:ff00:c', next: 58 }]);
    one.neighbor6('2001:db8:2::c', 1, B_MAC);
    one.settle();
    expect(one.sent6(1)).toMatchObject([{ dst: '2001:db8:2::c', hops: 4 }]);
  });

  it.each([
    ['the hop limit is used up', { hops: 1 }, '030000000000', 'ip6-forward-hop-limit-exceeded'],
    ['there is no route', { dst: '2001:db9::1' }, '010000000000', 'ip6-forward-unreachable'],
    ['the source is link-local', { src: 'fe80::a' }, '010200000000', 'ip6-forward-beyond-scope'],
  ])('tells the sender that %s', (_what, fields, expected, counter) => {
    const one = router();
    one.neighbor6('fe80::a', 0);
    const told = pass(one, fields);
    expect(told.map(message)).toEqual([expected]);
    expect(one.sent6(1)).toEqual([]);
    expect(one.count(counter)).toBe(1);
  });

  it('tells the sender that nobody answers', () => {
    const one = router();
    pass(one, { dst: '2001:db8:2::c' });
    one.advance(4 * SECOND);
    const errors = one.sent6(0);
    expect(errors.map(message)).toEqual(['010300000000']);
    expect(errors[0]!.src).toBe(LEFT);
  });

  it('does not cut packets: the sender is told the MTU (RFC 8200 section 5)', () => {
    const one = router({ rightMtuBytes: 1400 });
    const [told] = pass(one, {}, 1353);
    expect(message(told!)).toBe('020000000578');
    expect(toHex(told!.payload.slice(8, 56))).toBe(
      toHex(packet6({ src: A, dst: B, next: 17 }, datagram(A, B, 1353)).slice(0, 48)),
    );
    expect(one.sent6(1)).toEqual([]);
    pass(one, {}, 1352);
    expect(one.sent6(1)).toHaveLength(1);
  });

  it('completes checksums and cuts super-frames for a link that takes neither', () => {
    const one = router();
    const payload = new Uint8Array(3000).map((_, i) => i);
    const header = join(hex('00050007 00000001 00000002 5018 ffff'), be32(0));
    // The pseudo-header's sum of the whole, as the sender leaves it.
    const partial = join(header, payload);
    one.receiveIp6({ src: A, dst: B, next: 6 }, partial, 0, META_CHECKSUM_PARTIAL | (1440 << META_SEGMENT_SHIFT));
    const sent = one.sent6(1);
    expect(sent.map(({ payload: segment }) => segment.length)).toEqual([1460, 1460, 140]);
    expect(toHex(join(...sent.map(({ payload: segment }) => segment.slice(20))))).toBe(toHex(payload));
    expect(sent.map(({ payload: segment }) => toHex(segment.slice(4, 8)))).toEqual([
      '00000001',
      '000005a1',
      '00000b41',
    ]);
  });

  it.each([
    ['reject', RTF_REJECT, ['010000000000']],
    ['blackhole', RTF_BLACKHOLE, []],
  ])('obeys a %s route', (_what, flag, expected) => {
    const one = router();
    one.inet.addRoute(one.number('2001:db8:3::'), 48, one.number(B), RTF_GATEWAY | flag);
    expect(pass(one, { dst: '2001:db8:3::1' }).map(message)).toEqual(expected);
    expect(one.sent6(1)).toEqual([]);
  });

  it.each([
    ['from nobody', '::', B],
    ['to a link-local address', A, 'fe80::b'],
    ['to a group', A, 'ff05::99'],
  ])('is not for packets %s', (_what, src, dst) => {
    const one = router();
    expect(pass(one, { src, dst })).toEqual([]);
    expect(one.sent6(1)).toEqual([]);
  });

  it('looks at hop-by-hop options, and at nothing behind them', () => {
    const one = router();
    const carry = (header: string, next: number): Packet6[] =>
      one.receiveIp6({ src: A, dst: B, next }, join(hex(header), datagram(A, B)));
    expect(carry('1100 9e04 00000000', 0).map(message)).toEqual(['04020000002a']);
    expect(carry('1100 5e04 00000000', 0)).toEqual([]);
    expect(one.sent6(1)).toEqual([]);
    // Routing of type 0, an unknown option and an unknown header are the receiver's affair.
    carry('1100 0001 00000000', 43);
    carry('1100 9e04 00000000', 60);
    carry('fd00 0104 00000000', 0);
    expect(one.sent6(1)).toHaveLength(3);
  });

  it('hears packets for any of its addresses, on any interface', () => {
    const one = router();
    const data = hex('00070001 6869');
    const answers = one.receiveIp6({ src: A, dst: RIGHT, next: 58 }, icmp6(A, RIGHT, 128, 0, data));
    expect(answers).toMatchObject([{ src: RIGHT, dst: A }]);
  });
});
