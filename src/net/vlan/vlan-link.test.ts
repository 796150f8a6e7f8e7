import { beforeEach, describe, expect, it } from 'vitest';
import { BridgeBed } from '../../../test/fixtures/bridge-bed.ts';
import { ownMac } from '../../../test/fixtures/inet-bed.ts';
import { ether, hex, ip, ip4, toHex } from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import { IFF_UP, type Interface } from '../interface.ts';
import { VetherCloner } from '../vether.ts';
import { VlanCloner } from './vlan-cloner.ts';
import type { VlanLink } from './vlan-link.ts';

const PEER = '020000000a01';
const OWN = ownMac(1).replaceAll(':', '');

let bed: BridgeBed;

function create(name: string): Interface {
  const iface = bed.inet.interfaceTable.create(name) as Interface;
  bed.inet.changeFlags(iface, IFF_UP, 0);
  return iface;
}

function configure(iface: Interface, parent: Interface, id: number): number {
  return (iface.link as VlanLink).configure(parent, id);
}

beforeEach(() => {
  bed = new BridgeBed(0);
  bed.plug();
  bed.plug();
  bed.inet.interfaceTable.cloners.register(new VlanCloner(bed.arena.view));
  bed.inet.interfaceTable.cloners.register(new VetherCloner(bed.cpu.context));
});

/** The neighbor's ARP request and echo request, tagged. */
function arpRequest(tag: string): Uint8Array {
  return hex(`ffffffffffff ${PEER} ${tag} 0806 0001080006040001 ${PEER} 0a000009 000000000000 0a000001`);
}

describe('vlan', () => {
  it('answers in its tag, byte for byte', () => {
    const vlan0 = create('vlan0');
    expect(configure(vlan0, bed.interfaces[0] as Interface, 10)).toBe(0);
    bed.inet.configure(vlan0, ip('10.0.0.1'), 24);
    bed.advance(10_000_000);
    bed.left();
    expect(bed.pass(0, arpRequest('8100000a'))[0]).toEqual([
      `${PEER}${OWN}8100000a0806 0001080006040002 ${OWN}0a000001 ${PEER}0a000009`.replaceAll(' ', ''),
    ]);
    const echo = ip4({ src: '10.0.0.9', dst: '10.0.0.1', protocol: 1, id: 7 }, hex('0800f7fd00010001'));
    const tagged = hex(`${OWN} ${PEER} 8100 600a 0800 ${toHex(echo)}`);
    const [answer] = bed.pass(0, tagged)[0] as [string];
    // The priority of the request is not ours.
    expect(answer.slice(0, 36)).toBe(`${PEER}${OWN}8100000a0800`);
    expect(answer.slice(36 + 40)).toBe('0000fffd00010001');
    expect([vlan0.inPackets, bed.interfaces[0]!.inPackets]).toEqual([2, 2]);
  });

  it('hears its own tag alone, of either type', () => {
    const vlan0 = create('vlan0');
    configure(vlan0, bed.interfaces[0] as Interface, 10);
    bed.inet.configure(vlan0, ip('10.0.0.1'), 24);
    bed.advance(10_000_000);
    bed.left();
    expect(bed.pass(0, arpRequest('8100000b'))[0]).toEqual([]);
    expect(bed.pass(0, hex(toHex(arpRequest('8100000a')).replace('8100000a', '')))[0]).toEqual([]);
    expect(bed.pass(0, arpRequest('88a8000a'))[0]).toHaveLength(1);
    bed.inet.changeFlags(vlan0, 0, IFF_UP);
    expect(bed.pass(0, arpRequest('8100000a'))[0]).toEqual([]);
    expect(vlan0.inDrops).toBe(1);
  });

  it('on a vlan: two tags, the outer one first', () => {
    const vlan0 = create('vlan0');
    const vlan1 = create('vlan1');
    expect(configure(vlan0, bed.interfaces[0] as Interface, 100)).toBe(0);
    expect(configure(vlan1, vlan0, 7)).toBe(0);
    // The parent carries 1500 bytes and no tag beside them.
    expect([vlan0.mtuBytes, vlan1.mtuBytes]).toEqual([1496, 1492]);
    bed.inet.configure(vlan1, ip('10.0.0.1'), 24);
    bed.advance(10_000_000);
    bed.left();
    expect(bed.pass(0, arpRequest('81000064 81000007'))[0]).toEqual([
      `${PEER}${OWN}81000064810000070806 0001080006040002 ${OWN}0a000001 ${PEER}0a000009`.replaceAll(' ', ''),
    ]);
  });

  it('keeps the MTU of a parent that carries tags beside it', () => {
    bed.devices[0]!.capabilities = 3;
    const vlan0 = create('vlan0');
    configure(vlan0, bed.interfaces[0] as Interface, 10);
    expect([vlan0.mtuBytes, bed.inet.setMtu(vlan0, 1501), bed.inet.setMtu(vlan0, 1400)]).toEqual([
      1500,
      -Errno.EINVAL,
      0,
    ]);
  });

  it('refuses what is no vlan', () => {
    const [eth0, eth1] = bed.interfaces as [Interface, Interface];
    const [vlan0, vlan1] = [create('vlan0'), create('vlan1')];
    expect([0, 4095].map((id) => configure(vlan0, eth0, id))).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
    expect(configure(vlan0, bed.lo, 5)).toBe(-Errno.EPROTONOSUPPORT);
    expect(configure(vlan0, vlan0, 5)).toBe(-Errno.EINVAL);
    expect(configure(vlan0, eth0, 5)).toBe(0);
    expect([configure(vlan0, eth0, 5), configure(vlan0, eth1, 5)]).toEqual([0, -Errno.EBUSY]);
    expect(configure(vlan1, eth0, 5)).toBe(-Errno.EEXIST);
    expect(configure(vlan1, vlan0, 5)).toBe(0);
    (vlan0.link as VlanLink).unconfigure();
    expect(configure(vlan0, vlan1, 6)).toBe(-Errno.EINVAL);
  });

  it('is down without its parent, and leaves nothing there', () => {
    const vlan0 = create('vlan0');
    const [eth0] = bed.interfaces as [Interface];
    configure(vlan0, eth0, 10);
    bed.inet.configure(vlan0, ip('10.0.0.1'), 24);
    bed.advance(1_000_000);
    // One membership is eth0's own.
    expect(bed.devices[0]!.groups).toEqual(['01005e000001', '01005e000001']);
    (vlan0.link as VlanLink).unconfigure();
    expect([bed.devices[0]!.groups, eth0.hooks, vlan0.link.linkUp]).toEqual([['01005e000001'], [], false]);
    configure(vlan0, eth0, 11);
    bed.inet.interfaceTable.remove(eth0);
    expect([vlan0.link.linkUp, (vlan0.link as VlanLink).id, vlan0.macLo]).toEqual([false, 0, 0]);
  });

  it('is a member of a bridge: tags are put on and taken off on the way', () => {
    const vlan0 = create('vlan0');
    const [eth0, eth1] = bed.interfaces as [Interface, Interface];
    configure(vlan0, eth0, 10);
    expect([bed.bridge.add(vlan0), bed.bridge.add(eth1)]).toEqual([0, 0]);
    const untagged = '020000000b02 020000000a01 88b5 0102'.replaceAll(' ', '');
    const tagged = '020000000b02 020000000a01 8100000a 88b5 0102'.replaceAll(' ', '');
    expect(bed.pass(1, hex(untagged))).toEqual([[tagged], []]);
    const back = tagged.replace('020000000b02020000000a01', '020000000a01020000000b02');
    expect(bed.pass(0, hex(back))).toEqual([
      [],
      [untagged.replace('020000000b02020000000a01', '020000000a01020000000b02')],
    ]);
  });
});

describe('vether', () => {
  it('is the host of a bridge', () => {
    const vether0 = create('vether0');
    const [eth0, eth1] = bed.interfaces as [Interface, Interface];
    for (const iface of [eth0, eth1, vether0]) expect(bed.bridge.add(iface)).toBe(0);
    bed.inet.configure(vether0, ip('10.0.0.1'), 24);
    bed.advance(10_000_000);
    // Its announcements went out of both others.
    expect(bed.left().map((frames) => frames.length > 0)).toEqual([true, true]);
    const own = `0276${(vether0.macLo >>> 0).toString(16).padStart(8, '0')}`;
    const request = toHex(arpRequest(''));
    const [answer, flooded] = bed.pass(0, hex(request));
    expect(flooded).toEqual([request]);
    expect(answer).toEqual([`${PEER}${own}0806 0001080006040002 ${own}0a000001 ${PEER}0a000009`.replaceAll(' ', '')]);
    const echo = ip4({ src: '10.0.0.9', dst: '10.0.0.1', protocol: 1 }, hex('0800f7fd00010001'));
    const [replies, others] = bed.pass(0, ether(own, PEER, 0x0800, echo));
    expect([replies!.map((text) => text.slice(0, 28)), others]).toEqual([[`${PEER}${own}0800`], []]);
  });

  it('alone sends to nobody', () => {
    const held = bed.heldBytes;
    const vether0 = create('vether0');
    bed.inet.configure(vether0, ip('10.0.0.1'), 24);
    bed.advance(10_000_000);
    expect([bed.left(), vether0.outPackets > 0]).toEqual([[[], []], true]);
    bed.inet.interfaceTable.destroy(vether0);
    expect(bed.heldBytes).toBe(held);
  });
});
