import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { neighborRows, routeRows } from '../../../test/fixtures/inet-text.ts';
import { arp, ether, hex, ip, toHex } from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const OWN = '10.0.0.1';
const NEW = '10.0.0.5';
const SECOND = 1_000_000;
const OWN_HEX = toHex(hex(ownMac(1)));

function probing(): { bed: InetBed; iface: Interface } {
  const bed = new InetBed();
  bed.attach(OWN);
  bed.sysctl('net.inet.ip.dad_count', 3);
  const iface = bed.interfaces[0]!;
  expect(bed.inet.configure(iface, ip(NEW), 24)).toBe(0);
  return { bed, iface };
}

const state = (iface: Interface): string | undefined => iface.addresses[1]?.state;

function claim(sender: string, target: string, operation: 1 | 2 = 1): Uint8Array {
  return ether(BROADCAST, PEER_MAC, 0x0806, arp({ operation, senderMac: PEER_MAC, sender, target }));
}

describe('Address probing (RFC 5227 2.1)', () => {
  it('probes three times from address 0, one to two seconds apart, then uses and announces the address', () => {
    const { bed, iface } = probing();
    const times: number[] = [];
    const startUs = bed.nowUs;
    while (state(iface) === 'tentative') {
      expect(bed.cpu.ip.isLocal(ip(NEW))).toBe(false);
      bed.advance(SECOND / 100);
      for (const packet of bed.sent()) {
        expect(packet.dstMac).toBe('ffffffffffff');
        if (packet.arp?.sender === '0.0.0.0') {
          expect(packet.arp).toMatchObject({
            operation: 1,
            senderMac: OWN_HEX,
            target: NEW,
            targetMac: '000000000000',
          });
          times.push((bed.nowUs - startUs) / SECOND);
        } else {
          expect(packet.arp).toMatchObject({ operation: 1, sender: NEW, target: NEW });
        }
      }
      expect(bed.nowUs - startUs).toBeLessThan(20 * SECOND);
    }
    expect(times).toHaveLength(3);
    expect(times[0]).toBeLessThanOrEqual(1.01);
    for (const i of [1, 2]) {
      const gap = times[i]! - times[i - 1]!;
      expect(gap >= 0.99 && gap <= 2.02).toBe(true);
    }
    expect(bed.cpu.ip.isLocal(ip(NEW))).toBe(true);
    expect((bed.nowUs - startUs) / SECOND - times[2]!).toBeGreaterThanOrEqual(1.98);
    bed.advance(2.1 * SECOND);
    expect(bed.sent().map((packet) => packet.arp?.sender)).toEqual([NEW]);
    bed.advance(10 * SECOND);
    expect(bed.sent()).toEqual([]);
  });

  it('has routes to the address and to its subnet at once', () => {
    const { bed, iface } = probing();
    const rows = () => routeRows(bed.inet).filter((row) => row.destination.startsWith('10.7.'));
    bed.inet.configure(iface, ip('10.7.0.1'), 24);
    expect(rows().map((row) => row.destination)).toEqual(['10.7.0.0', '10.7.0.1']);
    bed.advance(10 * SECOND);
    expect(rows().map((row) => row.destination)).toEqual(['10.7.0.0', '10.7.0.1']);
    bed.inet.unconfigure(iface, ip('10.7.0.1'));
    expect(rows()).toEqual([]);
  });

  it('leaves no route of an address that is removed before it was found free', () => {
    const { bed, iface } = probing();
    bed.inet.configure(iface, ip('10.7.0.1'), 24);
    bed.inet.unconfigure(iface, ip('10.7.0.1'));
    expect(routeRows(bed.inet).filter((row) => row.destination.startsWith('10.7.'))).toEqual([]);
  });

  it('lets routes through the subnet be entered meanwhile', () => {
    const { bed, iface } = probing();
    bed.inet.configure(iface, ip('10.7.0.1'), 24);
    expect(bed.inet.addRoute(ip('192.0.2.0'), 24, ip('10.7.0.9'), 2)).toBe(0);
    expect(bed.cpu.ip.openPath(ip('192.0.2.1'), 0, 0)).toMatchObject({ src: ip(OWN) });
    bed.advance(10 * SECOND);
    expect(bed.cpu.ip.openPath(ip('192.0.2.1'), 0, 0)).toMatchObject({ src: ip('10.7.0.1') });
  });

  it('does not answer for an address that is still tentative', () => {
    const { bed } = probing();
    bed.advance(SECOND);
    bed.sent();
    expect(bed.receive(claim('10.0.0.2', NEW))).toEqual([]);
  });

  it('gives the address up when somebody answers', () => {
    const { bed, iface } = probing();
    bed.advance(SECOND);
    bed.receive(claim(NEW, '0.0.0.0', 2));
    expect(state(iface)).toBe('duplicated');
    bed.sent();
    bed.advance(20 * SECOND);
    expect(bed.sent()).toEqual([]);
    expect(bed.cpu.ip.isLocal(ip(NEW))).toBe(false);
    expect(bed.cpu.ip.openPath(ip(NEW), 0, 0)).toBe(-Errno.EHOSTUNREACH);
    expect(bed.count('arp-conflicts')).toBe(1);
  });

  it('gives the address up when somebody else probes for it', () => {
    const { bed, iface } = probing();
    bed.advance(SECOND);
    bed.receive(claim('0.0.0.0', NEW));
    expect(state(iface)).toBe('duplicated');
  });

  it('asks nobody for an address that an interface gets while it is down, as NetBSD, and announces it later', () => {
    const bed = new InetBed();
    bed.attach(OWN);
    bed.sysctl('net.inet.ip.dad_count', 3);
    const iface = bed.interfaces[0]!;
    bed.inet.changeFlags(iface, 0, 1);
    bed.sent();
    bed.inet.configure(iface, ip(NEW), 24);
    expect(state(iface)).toBe('valid');
    bed.inet.changeFlags(iface, 1, 0);
    expect(bed.sent()).toMatchObject([{ arp: { sender: NEW, target: NEW } }]);
  });

  it('slows down after ten conflicts', () => {
    const { bed, iface } = probing();
    for (let i = 0; i < 10; i++) {
      bed.receive(claim(NEW, NEW));
      expect(state(iface)).toBe('duplicated');
      bed.inet.unconfigure(iface, ip(NEW));
      bed.inet.configure(iface, ip(NEW), 24);
    }
    bed.sent();
    bed.advance(59 * SECOND);
    expect(bed.sent()).toEqual([]);
    bed.advance(3 * SECOND);
    expect(bed.sent().length).toBeGreaterThan(0);
  });
});

describe('An address in use (RFC 5227 2.3, 2.4)', () => {
  it('is announced twice, two seconds apart, when no probing is wanted', () => {
    const bed = new InetBed();
    bed.attach(OWN);
    bed.inet.configure(bed.interfaces[0]!, ip(NEW), 24);
    bed.settle();
    expect(bed.cpu.ip.isLocal(ip(NEW))).toBe(true);
    expect(bed.sent()).toMatchObject([{ dstMac: 'ffffffffffff', arp: { operation: 1, sender: NEW, target: NEW } }]);
    bed.advance(1.9 * SECOND);
    expect(bed.sent()).toEqual([]);
    bed.advance(0.2 * SECOND);
    expect(bed.sent()).toHaveLength(1);
  });

  it('is defended, at most once in ten seconds, and not learned from', () => {
    const bed = new InetBed();
    bed.attach(OWN);
    for (let i = 0; i < 5; i++) {
      const sent = bed.receive(claim(OWN, OWN));
      expect(sent.map((packet) => packet.arp?.sender)).toEqual(i === 0 ? [OWN] : []);
      bed.advance(SECOND);
    }
    bed.advance(6 * SECOND);
    expect(bed.receive(claim(OWN, '10.0.0.7'))).toHaveLength(1);
    expect(bed.count('arp-conflicts')).toBe(6);
    expect(neighborRows(bed.inet)).toEqual([]);
    expect(bed.cpu.ip.isLocal(ip(OWN))).toBe(true);
  });

  it('is not defended against our own frame coming back', () => {
    const bed = new InetBed();
    bed.attach(OWN);
    const own = arp({ operation: 1, senderMac: ownMac(1), sender: OWN, target: OWN });
    expect(bed.receive(ether(BROADCAST, ownMac(1), 0x0806, own))).toEqual([]);
    expect(bed.count('arp-conflicts')).toBe(0);
  });

  it('keeps silent after it was removed', () => {
    const bed = new InetBed();
    bed.attach(OWN);
    bed.inet.unconfigure(bed.interfaces[0]!, ip(OWN));
    expect(bed.receive(claim('10.0.0.2', OWN))).toEqual([]);
    expect(routeRows(bed.inet).map((route) => route.destination)).toEqual(['127.0.0.0', '127.0.0.1']);
  });
});

describe('Addresses of an interface that goes down', () => {
  it('are probed again when it comes back, and are ours when that found nobody', () => {
    const { bed, iface } = probing();
    bed.advance(20 * SECOND);
    expect(state(iface)).toBe('valid');
    bed.inet.changeFlags(iface, 0, 1);
    bed.advance(SECOND);
    bed.sent();
    expect(bed.cpu.ip.isLocal(ip(NEW))).toBe(true);
    bed.inet.changeFlags(iface, 1, 0);
    expect(iface.addresses.map((one) => one.state)).toEqual(['tentative', 'tentative']);
    expect([bed.cpu.ip.isLocal(ip(NEW)), iface.primary]).toEqual([false, 0]);
    bed.advance(20 * SECOND);
    const probes = bed.sent().filter(({ arp }) => arp?.sender === '0.0.0.0');
    expect(probes.filter(({ arp }) => arp?.target === NEW)).toHaveLength(3);
    expect(iface.addresses.map((one) => one.state)).toEqual(['valid', 'valid']);
    expect([bed.cpu.ip.isLocal(ip(NEW)), iface.primary]).toEqual([true, ip(OWN)]);
  });

  it('are given up when somebody took them meanwhile', () => {
    const { bed, iface } = probing();
    bed.advance(20 * SECOND);
    bed.inet.changeFlags(iface, 0, 1);
    bed.inet.changeFlags(iface, 1, 0);
    bed.devices[0]!.put(claim(NEW, NEW));
    bed.settle();
    expect(state(iface)).toBe('duplicated');
    expect(bed.cpu.ip.isLocal(ip(NEW))).toBe(false);
  });

  it('stop being probed; one that was tentative is when the interface is back', () => {
    const { bed, iface } = probing();
    bed.inet.changeFlags(iface, 0, 1);
    bed.advance(20 * SECOND);
    expect(state(iface)).toBe('tentative');
    bed.inet.changeFlags(iface, 1, 0);
    bed.advance(20 * SECOND);
    expect(state(iface)).toBe('valid');
  });

  it('are announced at once where nothing is probed', () => {
    const bed = new InetBed();
    bed.attach(OWN);
    bed.advance(10 * SECOND);
    bed.inet.changeFlags(bed.interfaces[0]!, 0, 1);
    bed.sent();
    bed.inet.changeFlags(bed.interfaces[0]!, 1, 0);
    bed.settle();
    expect(bed.sent()[0]?.arp).toMatchObject({ sender: OWN, target: OWN });
    expect(bed.interfaces[0]?.addresses[0]?.state).toBe('valid');
  });
});
