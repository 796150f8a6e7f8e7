/**
 * Interfaces come, go, get other names and other kernels while traffic flows: 1,000 random orders.
 *
 * Three kernels on one thread and a virtual clock. Each keeps `eth0` for good; the ends of a second segment wander from
 * kernel to kernel; interfaces without a device are cloned on top of either (test/fixtures/tag-link.ts). After every step
 * the tables of each kernel agree with each other and with the messages about their changes. A move takes the settings along,
 * or is refused and changes nothing. After every order nothing is left of the interfaces that went, timers at once and memory
 * after a while, and the others work.
 */

import { expect, it } from 'vitest';
import { Errno, type MultikernelError } from '../../src/base/errors.ts';
import { SeededRng } from '../../src/base/rng.ts';
import { Simulation } from '../../src/host/sim/simulation.ts';
import type { Inet } from '../../src/inet/inet.ts';
import type { UdpEndpoint } from '../../src/inet/udp/endpoint.ts';
import { Kernel } from '../../src/kernel/kernel.ts';
import type { ReceiveFilter } from '../../src/link/filter.ts';
import { createNetwork, VniDevice } from '../../src/link/index.ts';
import { Arena } from '../../src/mem/arena.ts';
import { Counters } from '../../src/mem/counters.ts';
import type { Heap } from '../../src/mem/heap.ts';
import { Capture } from '../../src/net/capture.ts';
import type { DeviceLink } from '../../src/net/device-link.ts';
import { IFF_LINK0, IFF_UP, type Interface } from '../../src/net/interface.ts';
import type { LinkLayer } from '../../src/net/link-layer.ts';
import { RTF_GATEWAY } from '../../src/net/route.ts';
import { AddressText } from '../fixtures/address-text.ts';
import { TagLink } from '../fixtures/tag-link.ts';
import { checkGone, checkTables, same, settingsIn, Told } from './interface-invariants.ts';

const ORDERS = 1000;
const STEPS = 10;
const PORT = 7;
const GROUP: number = 0xef010203 | 0;
/** ff02::4242 */
const GROUP6 = 4242;
const LOOPBACK: number = 0x7f000001;
const SECOND = 1_000_000;
const HEAP_BYTES = 8 << 20;
const KERNELS = 3;
const TAGS = 4;

/** 10.NET.0.HOST */
function address(net: number, host: number): number {
  return (10 << 24) | (net << 16) | host;
}

const NETS = [0, 9, 20, 21, 22, 23] as const;
const ADDRESSES: readonly number[] = NETS.flatMap((net) => [1, 2, 3, 4, 5].map((host) => address(net, host)));
const BROADCASTS: readonly number[] = NETS.map((net) => address(net, 255));
/** Refusals of a move. */
const CONFLICTS: ReadonlySet<string> = new Set(['EEXIST', 'EADDRINUSE']);

interface Member {
  kernel: Kernel;
  told: Told;
  heap: Heap;
  echo: UdpEndpoint;
  echo6: UdpEndpoint;
  eth0: Interface;
  heard: number;
}

class World {
  readonly simulation: Simulation = new Simulation(1);
  readonly arena: Arena = Arena.create(160 << 20);
  readonly members: Member[] = [];
  readonly #counters: Counters[] = [];
  readonly #movable: ReturnType<typeof createNetwork>;
  readonly #baseline: number[][];
  #rng = new SeededRng(1);
  /** Interfaces that went in this order. */
  #gone: Interface[] = [];
  #captures: Capture[] = [];
  #endpoints: UdpEndpoint[] = [];
  #names = 0;
  /** Armed timers of kernels at rest. */
  readonly #idle: number[];

  constructor() {
    const { arena } = this;
    const segment = createNetwork(arena, { ports: KERNELS, ringBytes: 256 * 1024 });
    this.#movable = createNetwork(arena, { ports: 2, ringBytes: 256 * 1024 });
    for (let i = 0; i < KERNELS; i++) this.#add(segment, i);
    for (let i = 0; i < 2; i++) this.#counters.push(Counters.open(arena, `mov${i}`));
    for (let i = 0; i < 2; i++) this.#plug(i, this.members[i] as Member);
    this.#settle();
    this.#baseline = this.#kept();
    this.#idle = this.#timers();
  }

  #add(segment: ReturnType<typeof createNetwork>, index: number): void {
    const { arena } = this;
    const heapAt = arena.allocate(HEAP_BYTES, 4096);
    const kernel = Kernel.create({
      name: `k${index}`,
      arena,
      host: this.simulation.host(),
      heap: { at: heapAt, bytes: HEAP_BYTES },
      ipv6: true,
    });
    const mac = { hi: 0x0200, lo: index + 1 };
    const device = new VniDevice(arena, kernel.cpus[0].cpu.bulk, segment, index, { name: `k${index}/eth0`, mac });
    const eth0 = kernel.attach(device, 'eth0');
    kernel.inet.configure(eth0, address(0, index + 1), 24);
    kernel.inet.interfaceTable.cloners.register({
      prefix: 'tag',
      create: (unit) => {
        // Half of them hang on a wanderer, which may leave under them.
        const under =
          unit % 2 === 0 ? eth0 : kernel.inet.list().find(({ link }) => link.kind === 'vni' && link.iface !== eth0);
        return under === undefined ? -Errno.ENXIO : new TagLink(under, arena.view, unit + 1);
      },
    });
    const echo = kernel.inet.cpus[0].udp.open();
    const echo6 = kernel.inet.cpus[0].udp.open(true);
    // One of them probes for addresses before it uses them.
    for (const family of ['inet.ip', 'inet6.ip6']) {
      kernel.inet.sysctl.set(`net.${family}.dad_count`, index === 2 ? 1 : 0);
    }
    const told = new Told(kernel.inet);
    const member: Member = { kernel, told, heap: kernel.cpus[0].cpu.heap, echo, echo6, eth0, heard: 0 };
    echo.bind(0, PORT);
    echo.onDatagram = () => member.heard++;
    this.members.push(member);
    this.simulation.add(...kernel.cpus);
  }

  /** A device at that port of the second segment, attached to that kernel. */
  #plug(port: number, { kernel }: Member): void {
    const counters = this.#counters[port] as Counters;
    const mac = { hi: 0x0201, lo: port + 1 };
    const device = new VniDevice(this.arena, kernel.cpus[0].cpu.bulk, this.#movable, port, {
      name: `mov${port}`,
      mac,
      counters,
    });
    kernel.attach(device, `mov${port}`);
  }

  /** Armed timers of each kernel, without those of neighbors. */
  #timers(): number[] {
    return this.members.map(({ kernel }) => {
      const { ip4, ip6 } = kernel.inet;
      return kernel.cpus[0].cpu.callouts.armed - ip4.neighbors.count - ip6.neighbors.count;
    });
  }

  /** State of each kernel at rest: memory, and groups that devices hear. */
  #kept(): number[][] {
    return this.members.map(({ kernel, heap }) => {
      return [heap.usedBytes, ...kernel.inet.list().flatMap(({ link }) => groupsOf(link))];
    });
  }

  #below(n: number): number {
    return (this.#rng.next32() >>> 0) % n;
  }

  #any(): Member {
    return this.members[this.#below(KERNELS)] as Member;
  }

  #pick<T>(list: readonly T[]): T | null {
    return list.length === 0 ? null : (list[this.#below(list.length)] as T);
  }

  /** Interfaces that may go: neither lo0 nor eth0. */
  #guests({ kernel, eth0 }: Member): Interface[] {
    return kernel.inet.list().filter((iface) => !iface.loopback && iface !== eth0);
  }

  /** A member of groups of both families there. */
  #join(inet: Inet, iface: Interface): void {
    for (const group of [GROUP, new AddressText(inet).parse(`ff02::${GROUP6}%${iface.name}`) as number]) {
      const endpoint = inet.cpus[0].udp.open(group !== GROUP);
      endpoint.bind(0, 0);
      endpoint.join(group, 0, iface);
      endpoint.multicastInterface = iface;
      this.#endpoints.push(endpoint);
    }
  }

  #isTag(iface: Interface): boolean {
    return iface.link.kind === 'vlan';
  }

  order(seed: number): void {
    this.#rng = new SeededRng(seed);
    for (let step = 0; step < STEPS; step++) {
      this.#step();
      if (this.#below(3) === 0) this.simulation.settle();
      this.#check();
    }
    this.#quiesce();
    this.#check();
    expect(this.#kept()).toEqual(this.#baseline);
    this.#works();
  }

  #step(): void {
    const member = this.#any();
    const { kernel } = member;
    const { inet } = kernel;
    const guest = this.#pick(this.#guests(member));
    switch (this.#below(17)) {
      case 0:
      case 1: {
        const made = inet.interfaceTable.create(this.#below(2) === 0 ? 'tag' : `tag${this.#below(TAGS)}`);
        if (typeof made === 'number') break;
        inet.changeFlags(made, IFF_UP, 0);
        inet.configure(made, address(20 + this.#below(TAGS), this.#host(member)), 24);
        break;
      }
      case 2:
        if (guest !== null) {
          expect(inet.interfaceTable.destroy(guest) === 0).toBe(this.#isTag(guest));
          if (!guest.attached) this.#gone.push(guest);
        }
        break;
      case 3:
        if (guest !== null) expect(inet.interfaceTable.rename(guest, `n${this.#names++ % 100_000}`)).toBe(0);
        break;
      case 4:
      case 5:
        if (guest !== null) this.#move(member, this.#any(), guest, `m${this.#names++ % 100_000}`);
        break;
      case 6:
        if (guest !== null) {
          const net = this.#isTag(guest) ? 20 + this.#below(TAGS) : 9;
          inet.configure(guest, address(net, this.#host(member)), 24);
        }
        break;
      case 7: {
        const entry = guest === null ? null : this.#pick(guest.addresses);
        if (guest !== null && entry !== null) expect(inet.unconfigure(guest, entry.address)).toBe(0);
        break;
      }
      case 8:
        this.simulation.run(this.simulation.nowUs() + this.#below(4 * SECOND));
        break;
      case 9:
        if (guest !== null) {
          this.#join(inet, guest);
        }
        break;
      case 10:
        if (guest !== null) {
          const context = {
            bulk: kernel.cpus[0].cpu.bulk,
            view: kernel.arena.view,
            nowUs: () => this.simulation.nowUs(),
          };
          this.#captures.push(new Capture(guest, context, { queueBytes: 4096 }));
        }
        break;
      case 11:
        if (guest !== null) {
          const gateway = address(9, 1 + (this.#host(member) % KERNELS));
          const via = this.#below(2) === 0 ? guest : null;
          inet.addRoute(address(100 + this.#below(3), 0), 24, gateway, RTF_GATEWAY, via);
          const text = new AddressText(inet);
          const to6 = text.parse(`2001:db8:${10 + this.#below(3)}::`) as number;
          inet.addRoute(to6, 48, text.parse(`fe80::9%${guest.name}`) as number, RTF_GATEWAY);
        }
        break;
      case 12:
        if (guest !== null) inet.changeFlags(guest, guest.up ? 0 : IFF_UP, guest.up ? IFF_UP : 0);
        break;
      case 13:
        if (guest !== null) {
          const text = this.#below(3) === 0 ? `fe80::9%${guest.name}` : `2001:db8:${this.#below(2)}::${this.#below(4)}`;
          const number = new AddressText(inet).parse(text) as number;
          if (inet.configure(guest, number, 64) < 0) inet.unconfigure(guest, number);
        }
        break;
      case 14:
        if (guest !== null) inet.changeFlags(guest, IFF_LINK0 & -this.#below(2), IFF_LINK0);
        break;
      case 15:
        if (guest !== null) {
          const at = new AddressText(inet).parse(
            this.#below(2) === 0 ? '10.9.0.77' : `fe80::7%${guest.name}`,
          ) as number;
          inet.families.of(at).neighbors.addStatic(guest, at, 0x0202, this.#below(9), true, this.#below(2) === 0);
        }
        break;
      default:
        this.#replug(member, guest);
    }
    this.#traffic();
  }

  /** A move takes everything along that was set, or is refused and changes nothing. */
  #move(from: Member, to: Member, iface: Interface, name: string): void {
    const before = settingsIn(from.kernel, iface);
    const { taps, hooks } = iface;
    const carried = [...taps, ...hooks];
    const release = from !== to && this.#below(3) === 0 ? this.#occupy(from, to, iface) : null;
    let moved: Interface;
    try {
      moved = from.kernel.moveTo(to.kernel, iface, name);
    } catch (error) {
      expect(from !== to).toBe(true);
      expect(CONFLICTS).toContain((error as MultikernelError).code);
      expect([iface.attached, settingsIn(from.kernel, iface)]).toEqual([true, before]);
      expect(same(new Set([...taps, ...hooks]), carried)).toBe(true);
      release?.();
      return;
    }
    expect(release).toBe(null);
    this.#gone.push(iface);
    expect(same(new Set([...moved.taps, ...moved.hooks]), carried)).toBe(true);
    expect(settingsIn(to.kernel, moved)).toEqual(before);
  }

  /** Give another kernel an address or a route that an interface has. Returns the opposite, null when the interface has none. */
  #occupy(from: Member, to: Member, iface: Interface): (() => void) | null {
    const { inet } = to.kernel;
    const lo0 = inet.interface('lo0') as Interface;
    const text = new AddressText(from.kernel.inet);
    const own = this.#pick([...iface.addresses, ...iface.addresses6].map((one) => text.format(one.address)));
    const route = from.kernel.inet.ip4.routes
      .list()
      .find((one) => one.iface === iface && (one.flags & RTF_GATEWAY) !== 0);
    if (route !== undefined) {
      const { destination } = route;
      const added = inet.addRoute(destination, 24, LOOPBACK, RTF_GATEWAY, lo0) === 0;
      return () => void (added && inet.removeRoute(destination, 24, LOOPBACK));
    }
    if (own === null || own.includes('%')) return null;
    const number = new AddressText(inet).parse(own) as number;
    const added = inet.configure(lo0, number, own.includes(':') ? 128 : 32) === 0;
    return () => void (added && inet.unconfigure(lo0, number));
  }

  /** The interface goes with all that it has; its link, or a new device at its port, becomes a new one. */
  #replug(member: Member, guest: Interface | null): void {
    if (guest === null || this.#isTag(guest)) return;
    const port = guest.macLo - 1;
    const name = `mov${port}`;
    const link = member.kernel.detach(guest);
    this.#gone.push(guest);
    const free = ({ kernel }: Member): boolean => kernel.inet.interface(name) === null;
    const wanted = this.#any();
    const to = free(wanted) ? wanted : (this.members.find(free) as Member);
    if (this.#below(2) === 0) {
      to.kernel.attachLink(link, name);
    } else {
      link.close();
      this.#plug(port, to);
    }
  }

  /** Start timers of all kinds: probes and announcements of addresses, reports of groups, solicitations. */
  #stir(member: Member, iface: Interface): void {
    const { inet } = member.kernel;
    inet.changeFlags(iface, IFF_UP, 0);
    inet.configure(iface, address(9, this.#host(member)), 24);
    const number = new AddressText(inet).parse('2001:db8:7::1') as number;
    inet.configure(iface, number, 64);
    const entry = inet.ip6.addresses.find(number);
    if (entry !== null) inet.ip6.lifetimes.set(entry, 100 * SECOND, 200 * SECOND);
    this.#join(inet, iface);
  }

  #host(member: Member): number {
    return this.members.indexOf(member) + 1;
  }

  #traffic(): void {
    for (let i = this.#below(5); i > 0; i--) {
      const { kernel, echo, echo6 } = this.#any();
      const nets = [0, 9, 20, 21, 22, 23, 100, 101];
      const to = this.#below(6) === 0 ? GROUP : address(this.#pick(nets) as number, 1 + this.#below(5));
      const sender = this.#below(3) === 0 ? (this.#pick(this.#endpoints) ?? echo) : echo;
      const bytes = this.#below(3000);
      sender.send(new Uint8Array(bytes), 0, bytes, to, PORT);
      const iface = this.#pick(kernel.inet.list());
      const to6 = new AddressText(kernel.inet).parse(`${this.#below(4) === 0 ? 'ff02::1' : 'fe80::77'}%${iface?.name}`);
      if (to6 !== null) echo6.send(new Uint8Array(40), 0, 40, to6, PORT);
      if (this.#below(2) === 0) kernel.cpus[0].doWork(this.simulation.nowUs());
    }
  }

  /** Invariants of any time, the middle of an order too. */
  #check(): void {
    this.#gone.forEach(checkGone);
    for (const { kernel, told } of this.members) {
      told.check(kernel.inet);
      checkTables(kernel, ADDRESSES, BROADCASTS);
    }
  }

  /**
   * Take everything away but what stays: no timer is left, at once. Then plug the wanderers in at home, and wait until nothing
   * remembers the order.
   */
  #quiesce(): void {
    // Timers of reassembly belong to no interface.
    this.simulation.run(this.simulation.nowUs() + 61 * SECOND);
    for (const member of this.members) for (const iface of this.#guests(member)) this.#stir(member, iface);
    this.simulation.run(this.simulation.nowUs() + this.#below(3 * SECOND));
    for (const { kernel } of this.members) {
      const address6 = new AddressText(kernel.inet).parse('2001:db8:7::1') as number;
      const owner = kernel.inet.ip6.addresses.find(address6)?.iface;
      if (owner !== undefined && this.#below(2) === 0) expect(kernel.inet.unconfigure(owner, address6)).toBe(0);
    }
    for (const capture of this.#captures.splice(0)) capture.close();
    const tapped = this.members.flatMap(({ kernel }) => kernel.inet.list()).filter(({ taps }) => taps.length > 0);
    expect(tapped.length).toBe(0);
    const links: LinkLayer[] = [];
    for (const member of this.members) {
      const { kernel } = member;
      for (const iface of this.#guests(member)) {
        this.#gone.push(iface);
        if (this.#isTag(iface)) expect(kernel.inet.interfaceTable.destroy(iface)).toBe(0);
        else links.push(kernel.detach(iface));
      }
    }
    this.#check();
    for (const endpoint of this.#endpoints.splice(0)) endpoint.close();
    expect(this.#timers()).toEqual(this.#idle);
    expect(links.flatMap(groupsOf).every((hash) => hash === 0)).toBe(true);
    for (const link of links) {
      const port = link.mac.lo - 1;
      (this.members[port] as Member).kernel.attachLink(link, `mov${port}`);
    }
    this.#settle();
    this.#gone.length = 0;
  }

  /** Reports and solicitations of interfaces that came have been sent. */
  #settle(): void {
    this.simulation.run(this.simulation.nowUs() + 20 * SECOND);
  }

  /** eth0 of everybody carries datagrams to everybody, and the wanderers carry them to each other. */
  #works(): void {
    const say = (from: Member, to: Member, dst: number): void => {
      const before = to.heard;
      expect(from.echo.send(new Uint8Array(8), 0, 8, dst, PORT)).toBeGreaterThanOrEqual(0);
      from.kernel.cpus[0].flush();
      this.simulation.settle();
      expect(to.heard).toBe(before + 1);
    };
    for (const from of this.members) {
      for (const to of this.members) if (from !== to) say(from, to, address(0, this.#host(to)));
    }
    const [a, b] = this.members as [Member, Member];
    const ends = [a, b].map((member, i) => {
      const iface = member.kernel.inet.interface(`mov${i}`) as Interface;
      expect(member.kernel.inet.configure(iface, address(9, i + 1), 24)).toBe(0);
      return iface;
    });
    say(a, b, address(9, 2));
    say(b, a, address(9, 1));
    ends.forEach((iface, i) => {
      expect((i === 0 ? a : b).kernel.inet.unconfigure(iface, address(9, i + 1))).toBe(0);
    });
    this.simulation.settle();
  }
}

/** Hash of the groups that a link of a vni hears. */
function groupsOf(link: LinkLayer): number[] {
  if (link.kind !== 'vni') return [];
  const { filter } = (link as DeviceLink).device as unknown as { filter: ReceiveFilter };
  return [filter.hashLo, filter.hashHi];
}

it(`survives ${ORDERS} orders of create, destroy, rename, move, addresses, groups, captures and traffic`, {
  timeout: 240_000,
}, () => {
  const world = new World();
  for (let seed = 1; seed <= ORDERS; seed++) {
    try {
      world.order(seed);
    } catch (cause) {
      throw new Error(`order ${seed}: ${(cause as Error).message}`, { cause });
    }
  }
});
