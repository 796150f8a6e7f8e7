import { describe, expect, it } from 'vitest';
import { A, B, BROADCAST, BridgeBed, C, frame } from '../../../test/fixtures/bridge-bed.ts';
import { ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { type Bytes, counting, ether, hex, ip, ip4, tcp, toHex, udp } from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import { IFF_PROMISC, IFF_UP, type Interface } from '../interface.ts';
import { IFBIF_DISCOVER, IFBIF_LEARNING, IFBIF_PROTECTED } from './member.ts';

const NONE: string[] = [];

function addressesOf(bed: BridgeBed): string[] {
  return bed.bridge.addresses.list().map(({ hi, lo, member, isStatic }) => {
    const digits = hi.toString(16).padStart(4, '0') + (lo >>> 0).toString(16).padStart(8, '0');
    return `${digits} ${member.iface.name}${isStatic ? ' static' : ''}`;
  });
}

describe('forwarding', () => {
  it('floods what is unknown, byte for byte, and goes straight once the station was heard', () => {
    const bed = new BridgeBed(3);
    const question = toHex(frame(B, A));
    expect(question).toBe('020000000b02020000000a0188b50102030405');
    expect(bed.pass(0, frame(B, A))).toEqual([NONE, [question], [question]]);
    expect(bed.pass(1, frame(A, B))).toEqual([[toHex(frame(A, B))], NONE, NONE]);
    expect(bed.pass(0, frame(B, A))).toEqual([NONE, [question], NONE]);
    expect(addressesOf(bed)).toEqual([`${B} eth1`, `${A} eth0`]);
  });

  it('floods groups, and sends nothing back to the side that it came from', () => {
    const bed = new BridgeBed(3);
    const all = toHex(frame(BROADCAST, A));
    expect(bed.pass(0, frame(BROADCAST, A))).toEqual([NONE, [all], [all]]);
    bed.pass(0, frame(BROADCAST, B));
    // A and B are both behind eth0.
    expect(bed.pass(0, frame(A, B))).toEqual([NONE, NONE, NONE]);
  });

  it('follows a station that moves, and learns nothing of a group address', () => {
    const bed = new BridgeBed(2);
    bed.pass(0, frame(BROADCAST, A));
    bed.pass(1, frame(BROADCAST, A));
    bed.pass(0, frame(BROADCAST, '03000000dead'));
    expect(addressesOf(bed)).toEqual([`${A} eth1`]);
  });

  it('does nothing while it is down', () => {
    const bed = new BridgeBed(2);
    bed.inet.changeFlags(bed.bridgeInterface, 0, IFF_UP);
    expect(bed.pass(0, frame(BROADCAST, A))).toEqual([NONE, NONE]);
    expect(addressesOf(bed)).toEqual([]);
  });

  it('leaves out a member that is down, or has no carrier', () => {
    const bed = new BridgeBed(3);
    bed.inet.changeFlags(bed.interfaces[1] as Interface, 0, IFF_UP);
    bed.devices[2]!.linkUp = false;
    expect(bed.pass(0, frame(BROADCAST, A))).toEqual([NONE, NONE, NONE]);
    expect(bed.count('bridge-blocked')).toBe(2);
  });

  it('drops a frame of its own that comes back, and counts it', () => {
    const bed = new BridgeBed(2);
    expect(bed.pass(0, frame(B, ownMac(2).replaceAll(':', '')))).toEqual([NONE, NONE]);
    expect(bed.count('bridge-own-source')).toBe(1);
    expect(addressesOf(bed)).toEqual([]);
  });

  it('counts what a full link refuses and what is longer than the MTU of the member', () => {
    const bed = new BridgeBed(2);
    bed.devices[1]!.room = 0;
    bed.pass(0, frame(B, A));
    expect(bed.count('bridge-no-room')).toBe(1);
    bed.devices[1]!.room = Infinity;
    bed.devices[1]!.mtuBytes = 100;
    expect(bed.pass(0, ether(B, A, 0x88b5, counting(101)))).toEqual([NONE, NONE]);
    expect(bed.count('bridge-too-long')).toBe(1);
    expect(bed.pass(0, ether(B, A, 0x88b5, counting(100)))[1]).toHaveLength(1);
    expect(bed.interfaces[1]!.outDrops).toBe(2);
  });
});

describe('flags of members', () => {
  it('protected members reach no other protected one', () => {
    const bed = new BridgeBed(3);
    for (const n of [0, 1]) bed.bridge.setFlags(bed.member(n), IFBIF_LEARNING | IFBIF_DISCOVER | IFBIF_PROTECTED);
    const all = toHex(frame(BROADCAST, A));
    expect(bed.pass(0, frame(BROADCAST, A))).toEqual([NONE, NONE, [all]]);
    expect(bed.pass(2, frame(BROADCAST, C))[0]).toHaveLength(1);
    bed.pass(1, frame(BROADCAST, B));
    expect(bed.pass(0, frame(B, A))).toEqual([NONE, NONE, NONE]);
    expect(bed.pass(0, frame(C, A))).toEqual([NONE, NONE, [toHex(frame(C, A))]]);
    expect(bed.count('bridge-protected')).toBe(3);
  });

  it('without DISCOVER unknown stations are not looked for there, groups are', () => {
    const bed = new BridgeBed(3);
    bed.bridge.setFlags(bed.member(1), IFBIF_LEARNING);
    expect(bed.pass(0, frame(B, A)).map((frames) => frames.length)).toEqual([0, 0, 1]);
    expect(bed.pass(0, frame(BROADCAST, A)).map((frames) => frames.length)).toEqual([0, 1, 1]);
  });

  it('without LEARNING nothing is learned there', () => {
    const bed = new BridgeBed(2);
    bed.bridge.setFlags(bed.member(0), IFBIF_DISCOVER);
    bed.pass(0, frame(BROADCAST, A));
    expect(addressesOf(bed)).toEqual([]);
  });
});

describe('the address table', () => {
  it('forgets a station that was silent for 1200 seconds, at one of its ageings', () => {
    const bed = new BridgeBed(2);
    bed.pass(0, frame(BROADCAST, A));
    bed.advance(1_100_000_000);
    bed.pass(1, frame(BROADCAST, B));
    bed.advance(99_000_000);
    expect(addressesOf(bed)).toEqual([`${B} eth1`, `${A} eth0`]);
    bed.advance(301_000_000);
    expect(addressesOf(bed)).toEqual([`${B} eth1`]);
  });

  it('keeps a static entry where it was put', () => {
    const bed = new BridgeBed(2);
    expect(bed.bridge.addresses.setStatic(0x0200, 0x00000a01, bed.member(1))).toBe(0);
    bed.pass(0, frame(BROADCAST, A));
    bed.bridge.addresses.flush(false);
    expect(addressesOf(bed)).toEqual([`${A} eth1 static`]);
    bed.advance(3_000_000_000);
    expect(bed.pass(0, frame(A, C))).toEqual([NONE, [toHex(frame(A, C))]]);
    bed.bridge.addresses.flush(true);
    expect(addressesOf(bed)).toEqual([]);
  });

  it('refuses stations beyond its limit, floods to them, and counts', () => {
    const bed = new BridgeBed(2);
    bed.bridge.addresses.setMaxAddresses(1, bed.nowUs);
    bed.pass(0, frame(BROADCAST, A));
    bed.pass(1, frame(BROADCAST, B));
    expect(addressesOf(bed)).toEqual([`${A} eth0`]);
    expect(bed.count('bridge-table-full')).toBe(1);
    expect(bed.bridge.addresses.setStatic(0x0200, 0x00000c03, bed.member(0))).toBe(-Errno.ENOSPC);
  });

  it('drops learned entries, the oldest first, when its limit falls', () => {
    const bed = new BridgeBed(2);
    bed.bridge.addresses.setStatic(0x0200, 0x00000a01, bed.member(0));
    bed.pass(1, frame(BROADCAST, B));
    bed.pass(1, frame(BROADCAST, C));
    bed.bridge.addresses.setMaxAddresses(2, bed.nowUs);
    expect(addressesOf(bed)).toEqual([`${C} eth1`, `${A} eth0 static`]);
  });

  it('removes one entry, and knows when there is none', () => {
    const bed = new BridgeBed(2);
    bed.pass(0, frame(BROADCAST, A));
    expect(bed.bridge.addresses.remove(0x0200, 0x00000a01)).toBe(0);
    expect(bed.bridge.addresses.remove(0x0200, 0x00000a01)).toBe(-Errno.ENOENT);
  });
});

describe('members', () => {
  it('are promiscuous, and what they were before when they leave', () => {
    const bed = new BridgeBed(2);
    const [eth0, eth1] = bed.interfaces as [Interface, Interface];
    expect(eth0.flags & IFF_PROMISC).toBe(IFF_PROMISC);
    expect([bed.bridge.add(eth0), bed.bridge.add(bed.bridgeInterface), bed.bridge.add(bed.lo)]).toEqual([
      -Errno.EEXIST,
      -Errno.EINVAL,
      -Errno.EINVAL,
    ]);
    bed.pass(0, frame(BROADCAST, A));
    expect(bed.bridge.remove(eth0)).toBe(0);
    expect(bed.bridge.remove(eth0)).toBe(-Errno.ENOENT);
    expect([eth0.flags & IFF_PROMISC, eth0.hooks.length, eth0.link.output]).toEqual([0, 0, null]);
    expect(addressesOf(bed)).toEqual([]);
    expect(bed.pass(1, frame(BROADCAST, B))).toEqual([NONE, NONE]);
    expect(bed.bridge.members().map(({ iface }) => iface)).toEqual([eth1]);
  });

  it('are free when the bridge is destroyed, and gone when their interface is', () => {
    const bed = new BridgeBed(2);
    const [eth0, eth1] = bed.interfaces as [Interface, Interface];
    bed.inet.interfaceTable.remove(eth0);
    expect(bed.bridge.members().map(({ iface }) => iface)).toEqual([eth1]);
    const other = bed.inet.interfaceTable.create('bridge1') as Interface;
    const second = (other.link as unknown as { bridge: typeof bed.bridge }).bridge;
    expect(second.add(eth1)).toBe(-Errno.EBUSY);
    const held = bed.heldBytes;
    expect(bed.inet.interfaceTable.destroy(bed.bridgeInterface)).toBe(0);
    expect(bed.heldBytes).toBeLessThan(held - 65_000);
    expect([second.add(eth1), eth1.flags & IFF_PROMISC]).toEqual([0, IFF_PROMISC]);
  });
});

/** An ARP request for `target`. */
function arpRequest(src: string, sender: string, target: string): Bytes {
  const words = (text: string): string => (ip(text) >>> 0).toString(16).padStart(8, '0');
  return ether(BROADCAST, src, 0x0806, hex(`0001080006040001 ${src} ${words(sender)} 000000000000 ${words(target)}`));
}

describe('the kernel behind its bridge', () => {
  it('answers for the address of a member that is reached by another one', () => {
    const bed = new BridgeBed(2);
    bed.inet.configure(bed.interfaces[1] as Interface, ip('10.0.0.1'), 24);
    bed.advance(10_000_000);
    bed.left();
    const eth1 = ownMac(2).replaceAll(':', '');
    // The reply goes to where the station is, from the member that has the address.
    const [reply, flooded] = bed.pass(0, arpRequest(A, '10.0.0.9', '10.0.0.1'));
    expect(flooded).toEqual([toHex(arpRequest(A, '10.0.0.9', '10.0.0.1'))]);
    expect(reply).toEqual([`${A}${eth1}0806 0001080006040002 ${eth1}0a000001 ${A}0a000009`.replaceAll(' ', '')]);
    const echo = ip4({ src: '10.0.0.9', dst: '10.0.0.1', protocol: 1 }, hex('0800f7fd00010001'));
    const [answers, others] = bed.pass(0, ether(eth1, A, 0x0800, echo));
    expect(others).toEqual([]);
    expect((answers as string[]).map((text) => text.slice(0, 28))).toEqual([`${A}${eth1}0800`]);
  });

  it('has an address of its own: bridge0 is a station behind all members', () => {
    const bed = new BridgeBed(2);
    bed.inet.configure(bed.bridgeInterface, ip('10.0.0.1'), 24);
    bed.advance(10_000_000);
    bed.left();
    const own = `0262${(bed.bridgeInterface.macLo >>> 0).toString(16).padStart(8, '0')}`;
    const [reply, flooded] = bed.pass(0, arpRequest(A, '10.0.0.9', '10.0.0.1'));
    expect(flooded).toEqual([toHex(arpRequest(A, '10.0.0.9', '10.0.0.1'))]);
    expect(reply).toEqual([`${A}${own}0806 0001080006040002 ${own}0a000001 ${A}0a000009`.replaceAll(' ', '')]);
    const echo = ip4({ src: '10.0.0.9', dst: '10.0.0.1', protocol: 1 }, hex('0800f7fd00010001'));
    const [answers, others] = bed.pass(0, ether(own, A, 0x0800, echo));
    expect(others).toEqual([]);
    expect((answers as string[]).map((text) => text.slice(0, 28))).toEqual([`${A}${own}0800`]);
  });
});

describe('offload', () => {
  const payload = counting(3000);

  function superFrame(): Bytes {
    const segment = tcp('10.0.0.1', '10.0.0.2', [1000, 2000], 1, 1, 0x18, payload);
    return ether(B, A, 0x0800, ip4({ src: '10.0.0.1', dst: '10.0.0.2', protocol: 6 }, segment));
  }

  it('cuts a super-frame into segments for a member that takes none', () => {
    const bed = new BridgeBed(2);
    const [, segments] = bed.pass(0, superFrame(), (1448 << 16) | 1);
    expect((segments as string[]).map((text) => text.length / 2)).toEqual([1502, 1502, 158]);
    const data = (segments as string[]).map((text) => text.slice(2 * 54)).join('');
    expect(data).toBe(toHex(payload));
    expect(bed.devices[1]!.sent).toEqual([]);
  });

  it('passes it on whole where it is taken', () => {
    const bed = new BridgeBed(2);
    bed.devices[1]!.capabilities = 3;
    bed.devices[0]!.put(superFrame(), (1448 << 16) | 1);
    bed.settle();
    expect(bed.devices[1]!.sent.map(({ meta, bytes }) => [meta, bytes.length])).toEqual([[(1448 << 16) | 1, 3054]]);
  });

  it('completes a checksum that the member would not', () => {
    const bed = new BridgeBed(2);
    const good = udp('10.0.0.1', '10.0.0.2', 7, 9, hex('616263'));
    const partial = good.slice();
    // The sum of the pseudo-header: 10.0.0.1, 10.0.0.2, protocol 17, 11 bytes.
    partial.set(hex('1420'), 6);
    partial.set(hex('141f'), 6);
    const fields = { src: '10.0.0.1', dst: '10.0.0.2', protocol: 17 };
    const [, out] = bed.pass(0, ether(B, A, 0x0800, ip4(fields, partial)), 1);
    expect(out).toEqual([toHex(ether(B, A, 0x0800, ip4(fields, good)))]);
  });
});

it('a neighbor of a member is found behind any other member', () => {
  const bed = new BridgeBed(2);
  bed.inet.configure(bed.interfaces[0] as Interface, ip('10.0.0.1'), 24);
  bed.advance(10_000_000);
  bed.left();
  bed.neighbor('10.0.0.9', 0);
  const peer = PEER_MAC.replaceAll(':', '');
  bed.pass(1, frame(BROADCAST, peer));
  const echo = ip4({ src: '10.0.0.9', dst: '10.0.0.1', protocol: 1 }, hex('0800f7fd00010001'));
  const [out0, out1] = bed.pass(1, ether(ownMac(1).replaceAll(':', ''), peer, 0x0800, echo));
  expect(out0).toEqual([]);
  expect((out1 as string[]).map((text) => text.slice(0, 28))).toEqual([`${peer}${ownMac(1).replaceAll(':', '')}0800`]);
});
