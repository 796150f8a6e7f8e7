import { describe, expect, it } from 'vitest';
import { TagLink } from '../../test/fixtures/tag-link.ts';
import { textControl } from '../../test/fixtures/text-control.ts';
import { Errno } from '../base/errors.ts';
import type { Host } from '../host/contract.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { ImpairedDevice } from '../link/impair.ts';
import { createNetwork } from '../link/network.ts';
import { RawDevice } from '../link/raw-device.ts';
import { VniDevice } from '../link/vni.ts';
import { Arena } from '../mem/arena.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { Capture } from '../net/capture.ts';
import { IFF_DEBUG, IFF_LINK1, type Interface } from '../net/interface.ts';
import { SocketAddress } from '../socket/socket.ts';
import { Kernel } from './kernel.ts';

const OWN = 0x0a000001;
const PEER = 0x0a000002;
const PORT = 7;

/** Two kernels joined by a segment, and a third one that has nothing; links may be made late. */
function setUp() {
  const simulation = new Simulation(1);
  const arena = Arena.create(96 << 20);
  const segment = createNetwork(arena, { ports: 2 });
  const kernels = ['one', 'peer', 'other'].map((name) => {
    const kernel = Kernel.create({ name, arena, host: simulation.host(), heapBytes: 8 << 20, ipv6: true });
    simulation.add(...kernel.cpus);
    return kernel;
  }) as [Kernel, Kernel, Kernel];
  const links = [0, 1].map((port) => {
    const { cpus, host } = kernels[port] as Kernel;
    const { bulk } = cpus[0].cpu;
    const device = new VniDevice(arena, bulk, segment, port, { name: `eth${port}`, mac: { hi: 0x0200, lo: port + 1 } });
    return new ImpairedDevice(device, arena, bulk, { clock: host, rng: host.rng });
  }) as [ImpairedDevice, ImpairedDevice];
  const [eth0, eth1] = links.map((link, i) => (kernels[i] as Kernel).attach(link, 'eth0')) as [Interface, Interface];
  kernels[0].inet.configure(eth0, OWN, 24);
  kernels[1].inet.configure(eth1, PEER, 24);
  let heard = 0;
  const server = kernels[1].inet.cpus[0].udp.open();
  server.bind(0, PORT);
  server.onDatagram = () => heard++;
  const send = (kernel: Kernel, to: number = PEER): number => {
    const endpoint = kernel.inet.cpus[0].udp.open();
    const said = endpoint.send(new Uint8Array(8), 0, 8, to, PORT);
    endpoint.close();
    return said;
  };
  return { simulation, kernels, links, eth0, send, heard: () => heard };
}

/** Code of the error that is thrown, or ''. */
function code(what: () => unknown): string {
  try {
    what();
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** An interface and all that hangs on it, in words; without counters, if_index and what was learned of neighbors. */
function shown(kernel: Kernel, name: string): object {
  const info = textControl(kernel, 'interfaces', {}).find((one) => one.name === name);
  if (info === undefined) return {};
  const { flagNames, mtuBytes, mac, addresses, addresses6 } = info;
  const families = ['inet', 'inet6'] as const;
  const routes = families
    .flatMap((family) => textControl(kernel, 'routes', { family }))
    .filter((route) => route.interface === name)
    .map(({ destination, prefixLength, gateway, flags, mtuBytes }) => {
      return `${destination}/${prefixLength} ${gateway.replace(/^link.*/, 'link')} ${flags} ${mtuBytes}`;
    });
  const neighbors = families
    .flatMap((family) => textControl(kernel, 'neighbors', { family }))
    .filter((neighbor) => neighbor.interface === name && neighbor.state === 'permanent');
  return { flagNames, mtuBytes, mac, addresses, addresses6, routes, neighbors };
}

describe('Kernel.detach and moveTo', () => {
  it('gives an interface to another kernel, with the time of its device', () => {
    const { simulation, kernels, links, eth0, send, heard } = setUp();
    const [one, , other] = kernels;
    expect(send(one)).toBe(8);
    simulation.run(1_000_000);
    expect(heard()).toBe(1);
    const moved = one.moveTo(other, eth0, 'eth7');
    expect([eth0.attached, moved.name, moved.up]).toEqual([false, 'eth7', true]);
    expect([eth0.addresses, moved.addresses.map(({ address }) => address)]).toEqual([[], [OWN]]);
    expect(one.inet.list().map(({ name }) => name)).toEqual(['lo0']);
    expect(send(one)).toBeLessThan(0);
    simulation.run(1_010_000);
    links[0].impair('out', { delayUs: 50_000 });
    expect(send(other)).toBe(8);
    simulation.run(1_050_000);
    expect([heard(), one.cpus[0].nextDeadlineUs()]).toEqual([1, Infinity]);
    expect(other.cpus[0].nextDeadlineUs()).toBeLessThan(1_100_000);
    simulation.run(1_300_000);
    expect(heard()).toBe(2);
    expect(one.cpus[0].nextDeadlineUs()).toBe(Infinity);
  });

  it('lets nothing go that must stay, and changes nothing then', () => {
    const { kernels, eth0 } = setUp();
    const [one, peer, other] = kernels;
    const lo0 = one.inet.interface('lo0') as Interface;
    const elsewhere = Kernel.create({ name: 'far', host: new Simulation(2).host() });
    expect(code(() => one.detach(lo0))).toBe('EINVAL');
    expect(code(() => one.moveTo(other, lo0, 'lo1'))).toBe('EINVAL');
    expect(code(() => peer.detach(eth0))).toBe('ENXIO');
    expect(code(() => one.moveTo(peer, eth0))).toBe('EEXIST');
    expect(code(() => one.moveTo(elsewhere, eth0))).toBe('EINVAL');
    expect(code(() => one.moveTo(other, eth0, 'a b'))).toBe('EINVAL');
    expect(eth0.attached).toBe(true);
    expect(eth0.addresses).toHaveLength(1);
  });

  it('carries all settings, and keeps nothing', () => {
    const { simulation, kernels, eth0 } = setUp();
    const [one, , other] = kernels;
    // Another if_index, and so other zones.
    other.inet.interfaceTable.create('lo');
    textControl(other, 'sysctl.set', { name: 'net.inet6.ip6.dad_count', value: 1 });
    const set = (change: object): void => void textControl(one, 'interface.set', { name: 'eth0', ...change });
    simulation.run(5_000_000);
    set({ mtuBytes: 1400 });
    one.inet.changeFlags(eth0, IFF_DEBUG | IFF_LINK1, 0);
    const route = { kind: 'unicast' as const, interface: 'eth0' };
    textControl(one, 'route.add', { destination: '10.7.0.0', prefixLength: 16, gateway: '10.0.0.2', ...route });
    set({ addAddress: { address: '10.7.0.1', prefixLength: 16 } });
    set({ addAddress: { address: 'fe80::1', prefixLength: 64 } });
    set({ addAddress: { address: '2001:db8::1', prefixLength: 64, preferredSec: 60, validSec: 90 } });
    set({ addAddress: { address: '2001:db8::', prefixLength: 64, anycast: true } });
    textControl(one, 'route.add', { destination: '0.0.0.0', prefixLength: 0, gateway: '10.0.0.2', ...route });
    textControl(one, 'route.add', { destination: '2001:db8:8::', prefixLength: 48, gateway: '', ...route });
    textControl(one, 'route.add', { destination: '::', prefixLength: 0, gateway: 'fe80::2', ...route });
    const neighbor = { mac: '02:00:00:00:00:77', temporary: false, published: true };
    textControl(one, 'neighbor.add', { address: '10.0.0.9', ...neighbor });
    textControl(one, 'neighbor.add', { address: 'fe80::9%eth0', ...neighbor });
    simulation.run(10_000_000);
    const before = shown(one, 'eth0');
    expect(before).toMatchObject({ flagNames: expect.arrayContaining(['DEBUG', 'LINK1']), mtuBytes: 1400 });
    expect(JSON.stringify(before)).toContain('fe80::2%eth0 UGS 1400');
    expect(JSON.stringify(before)).toContain('10.7.0.0/16 10.0.0.2 UGS 1400');
    const moved = one.moveTo(other, eth0);
    // Addresses of IPv6 are probed again.
    simulation.run(10_000_000 + 3_000_000);
    const after = shown(other, 'eth0') as { addresses6: { preferredSec: number | null; validSec: number | null }[] };
    for (const address of after.addresses6) {
      if (address.preferredSec !== null) address.preferredSec += 3;
      if (address.validSec !== null) address.validSec += 3;
    }
    expect(after).toEqual(before);
    expect(moved.index).not.toBe(eth0.index);
    expect(shown(one, 'eth0')).toEqual({});
    const { ip4, ip6 } = one.inet;
    const left = [ip4.routes, ip6.routes].flatMap((table) => table.list()).filter(({ iface }) => !iface.loopback);
    // A route itself would be printed with all of its kernel.
    expect([left.length, ip4.neighbors.count, ip6.neighbors.count, one.cpus[0].nextDeadlineUs()]).toEqual([
      0,
      0,
      0,
      Infinity,
    ]);
    simulation.run(10_000_000 + 90_000_000);
    expect(moved.addresses6.map(({ state }) => state)).toEqual(['preferred', 'preferred', 'preferred']);
  });

  it('keeps captures running, and interfaces on top of it', () => {
    const { simulation, kernels, eth0, send, heard } = setUp();
    const [one, peer, other] = kernels;
    const eth1 = peer.inet.interface('eth0') as Interface;
    const { view } = one.arena;
    const [near, far] = [new TagLink(eth0, view, 5), new TagLink(eth1, view, 5)];
    one.inet.configure(one.attachLink(near, 'vlan0'), 0x0a050001, 24);
    peer.inet.configure(peer.attachLink(far, 'vlan0'), 0x0a050002, 24);
    const capture = new Capture(eth0, {
      bulk: one.cpus[0].cpu.bulk,
      view: one.arena.view,
      nowUs: () => simulation.nowUs(),
    });
    simulation.run(4_000_000);
    capture.read();
    const moved = one.moveTo(other, eth0);
    simulation.settle();
    expect(capture.read().length).toBeGreaterThan(0);
    expect(send(other)).toBe(8);
    simulation.settle();
    expect([heard(), moved.taps, near.parent]).toEqual([1, [capture], moved]);
    // The frames of vlan0 of one come in a turn of other, and its own leave by the device of other.
    expect(send(one, 0x0a050002)).toBe(8);
    simulation.run(5_000_000);
    expect(heard()).toBe(2);
    capture.close();
    expect(moved.taps).toEqual([]);
  });

  it('refuses conflicts before it changes anything', () => {
    const { kernels, eth0 } = setUp();
    const [one, peer, other] = kernels;
    textControl(one, 'interface.set', { name: 'eth0', addAddress: { address: '2001:db8::1', prefixLength: 64 } });
    const route = { prefixLength: 24, kind: 'unicast' as const };
    textControl(one, 'route.add', { destination: '10.9.0.0', gateway: '10.0.0.2', ...route });
    const before = shown(one, 'eth0');
    const lo0 = other.inet.interface('lo0') as Interface;
    const refused = (): string => code(() => one.moveTo(other, eth0));
    expect(code(() => one.moveTo(peer, eth0))).toBe('EEXIST');
    other.inet.configure(lo0, OWN, 32);
    expect(refused()).toBe('EADDRINUSE');
    other.inet.unconfigure(lo0, OWN);
    textControl(other, 'interface.set', { name: 'lo0', addAddress: { address: '2001:db8::1', prefixLength: 128 } });
    expect(refused()).toBe('EADDRINUSE');
    textControl(other, 'interface.set', { name: 'lo0', removeAddress: { address: '2001:db8::1' } });
    textControl(other, 'route.add', { destination: '10.9.0.0', gateway: '127.0.0.1', ...route });
    expect(refused()).toBe('EEXIST');
    textControl(other, 'route.delete', { destination: '10.9.0.0', gateway: '', ...route });
    const tables = [
      ['net.inet.ip.maxroutes', 16],
      ['net.inet.arp.maxentries', 16],
    ] as const;
    for (const [name, value] of tables) {
      const { before: was } = textControl(other, 'sysctl.set', { name, value });
      const fill = (i: number): number =>
        name.endsWith('routes')
          ? other.inet.addRoute(0x0b000000 + (i << 8), 24, 0x7f000001, 0)
          : other.inet.ip4.neighbors.addStatic(lo0, 0x0b000001 + i, 0x0200, i, true, false);
      for (let i = 0; fill(i) === 0; i++);
      one.inet.ip4.neighbors.addStatic(eth0, 0x0a000009, 0x0200, 9, true, false);
      expect(refused()).toBe('ENOBUFS');
      textControl(other, 'sysctl.set', { name, value: was });
    }
    for (const { address } of one.inet.ip4.neighbors.list()) {
      if (address === 0x0a000009) textControl(one, 'neighbor.delete', { address: '10.0.0.9' });
    }
    expect([eth0.attached, other.inet.list().length, shown(one, 'eth0')]).toEqual([true, 1, before]);
    expect(refused()).toBe('');
  });

  it('leaves sockets to the old kernel, which has neither address nor way any more', () => {
    const { simulation, kernels, eth0 } = setUp();
    const [one, peer, other] = kernels;
    const listener = peer.sockets.stream();
    listener.bind(SocketAddress.any(4, PORT));
    listener.listen(1);
    const stream = one.sockets.stream();
    stream.connect(SocketAddress.ipv4(PEER, PORT));
    const bound = one.sockets.datagram();
    bound.bind(SocketAddress.ipv4(OWN, 9));
    const bytes = new Uint8Array(100);
    simulation.run(1_000_000);
    expect([stream.state, bound.send(bytes, 0, 100, SocketAddress.ipv4(PEER, 9))]).toEqual(['ESTABLISHED', 100]);
    const sender = one.inet.cpus[0].udp.open();
    sender.bind(0, 0);
    sender.multicastInterface = eth0;
    one.moveTo(other, eth0);
    expect(sender.multicastInterface === null).toBe(true);
    expect(bound.send(bytes, 0, 100, SocketAddress.ipv4(PEER, 9))).toBe(-Errno.EADDRNOTAVAIL);
    expect(bound.send(bytes, 0, 100, SocketAddress.ipv4(OWN, 9))).toBe(-Errno.EADDRNOTAVAIL);
    expect(one.sockets.datagram().bind(SocketAddress.ipv4(OWN, 10))).toBe(-Errno.EADDRNOTAVAIL);
    expect(stream.send(bytes, 0, 100)).toBe(100);
    simulation.run(60_000_000);
    expect([stream.state, stream.error]).toEqual(['ESTABLISHED', 0]);
    // The error of the time-out is the last one of sending (t_softerror of NetBSD).
    simulation.run(3_600_000_000);
    expect([stream.state, stream.error]).toEqual(['CLOSED', -Errno.EADDRNOTAVAIL]);
    expect(one.cpus[0].nextDeadlineUs()).toBe(Infinity);
  });

  it('wakes the kernel that has the interface now', () => {
    const arena = Arena.create(48 << 20);
    const woken: string[] = [];
    const bells = [0, 1].map(() => new Doorbell(arena, arena.allocateDoorbell())) as [Doorbell, Doorbell];
    const [one, other] = ['one', 'other'].map((name, i) => {
      const host = { ...new Simulation(i).host(), requestWork: () => woken.push(name), doorbellAt: bells[i]?.at };
      return Kernel.create({ name, arena, host: host as Host, heapBytes: 8 << 20 });
    }) as [Kernel, Kernel];
    const device = new RawDevice(arena, { mac: { hi: 0x0200, lo: 1 } });
    const eth0 = one.attach(device, 'eth0');
    const frame = Uint8Array.from([
      2,
      0,
      0,
      0,
      0,
      1,
      2,
      0,
      0,
      0,
      0,
      2,
      0x81,
      0,
      0,
      5,
      8,
      0,
      ...new Array<number>(46).fill(0),
    ]);
    const rung = (): boolean[] => {
      for (const bell of bells) bell.arm();
      device.inject(frame);
      return bells.map((bell) => !bell.sleeping);
    };
    expect(rung()).toEqual([true, false]);
    const moved = one.moveTo(other, eth0);
    expect(rung()).toEqual([false, true]);
    // A link without a device, whose frames arrive in a turn of the kernel below it.
    const vlan0 = other.attachLink(new TagLink(moved, arena.view, 5), 'vlan0');
    const inOne = other.moveTo(one, vlan0);
    woken.length = 0;
    other.cpus[0].doWork(0);
    expect([inOne.inPackets, woken]).toEqual([2, ['one', 'one']]);
  });
});
