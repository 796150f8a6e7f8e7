/** Routers advertise, hosts configure themselves: real kernels on a simulated segment, in virtual time. */

import { describe, expect, it } from 'vitest';
import type { CaptureRecord } from '../../src/sys/control.ts';
import * as icmpv6 from '../../src/wire/icmpv6.ts';
import { ALL_NODES } from '../../src/wire/ipv6-address.ts';
import { Node6 } from './ip6-node.ts';
import { SimNetwork } from './network.ts';

const S = 1_000_000;
const MINUTE = 60 * S;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface World {
  network: SimNetwork;
  nodes: Node6[];
  /** Let virtual time pass. */
  pass(us: number): void;
}

function world(kernels: string[], seed = 1): World {
  const network = new SimNetwork({ seed, kernels });
  const nodes = kernels.map((name) => new Node6(network, name));
  return { network, nodes, pass: (us) => network.simulation.run(network.simulation.nowUs() + us) };
}

/** Switch a node to advertising; prefixes are those of its addresses. */
function advertise(router: Node6): Node6 {
  return router.sysctl('net.inet6.ip6.forwarding', 1).sysctl('net.inet6.ip6.rtadv', 1);
}

function listen(host: Node6): Node6 {
  return host.start().sysctl('net.inet6.ip6.accept_rtadv', 1);
}

/** The address of the first line of `addresses`. */
function address(node: Node6, n = 0): string {
  return (node.addresses[n] as string).split(' ')[0] as string;
}

describe('Stateless autoconfiguration between kernels (RFC 4861 6, RFC 4862 5.5)', () => {
  it('a router advertises its prefix, hosts make addresses and talk', () => {
    const { nodes, pass } = world(['router', 'a', 'b']);
    const [router, a, b] = nodes as [Node6, Node6, Node6];
    advertise(router.start('2001:db8:1::1'));
    for (const host of [a, b]) listen(host);
    pass(5 * S);
    expect(a.addresses).toEqual([expect.stringMatching(/^2001:db8:1:.* preferred autoconf$/)]);
    expect(a.routes).toEqual([`::/0 ${router.linkLocal} UGD`, '2001:db8:1::/64 - UC']);
    expect(a.hello(address(b))).toBe(0);
    pass(1 * S);
    expect(b.heard).toEqual([`${address(a)} > ${address(b)} 64`]);
    expect(router.count('ip6-forwarded')).toBe(0);
  });

  it('hosts do nothing of that unless they are told to, and routers never', () => {
    const { nodes, pass } = world(['router', 'host', 'other']);
    const [router, host, other] = nodes as [Node6, Node6, Node6];
    advertise(router.start('2001:db8:1::1'));
    host.start();
    listen(other).sysctl('net.inet6.ip6.forwarding', 1);
    pass(MINUTE);
    expect([host.addresses, host.routes, other.addresses, other.routes]).toEqual([[], [], [], []]);
    expect(host.count('nd6-out-router-solicitations')).toBe(0);
    expect(host.count('nd6-router-advertisements-ignored')).toBeGreaterThan(0);
  });

  it('three solicitations are sent, and none after an answer', () => {
    const { nodes, pass } = world(['router', 'host']);
    const [router, host] = nodes as [Node6, Node6];
    listen(host);
    pass(MINUTE);
    expect(host.count('nd6-out-router-solicitations')).toBe(3);
    advertise(router.start('2001:db8:1::1'));
    pass(MINUTE);
    expect(host.addresses).toHaveLength(1);
    host.sysctl('net.inet6.ip6.accept_rtadv', 0).sysctl('net.inet6.ip6.accept_rtadv', 1);
    pass(MINUTE);
    expect([host.count('nd6-out-router-solicitations'), router.count('nd6-in-router-solicitations')]).toEqual([4, 1]);
  });

  it('when the router says good-bye the default route goes; the address is deprecated, then dies, each in its time', () => {
    const { nodes, pass } = world(['router', 'a', 'b']);
    const [router, a, b] = nodes as [Node6, Node6, Node6];
    router.sysctl('net.inet6.ip6.rtadv_vltime', 4 * 3600).sysctl('net.inet6.ip6.rtadv_pltime', 3600);
    advertise(router.start('2001:db8:1::1'));
    for (const host of [a, b]) listen(host);
    pass(10 * MINUTE);
    const of = address(a);
    router.sysctl('net.inet6.ip6.rtadv', 0);
    pass(1 * S);
    expect(a.routes).toEqual(['2001:db8:1::/64 - UC']);
    pass(59 * MINUTE);
    expect(a.addresses).toEqual([`${of} preferred autoconf`]);
    pass(2 * MINUTE);
    expect(a.addresses).toEqual([`${of} deprecated autoconf`]);
    // Deprecated is not dead: who knows it may use it, and it speaks when there is no other.
    expect([b.hello(of), a.hello(address(b))]).toEqual([0, 0]);
    pass(1 * S);
    expect([a.heard.length, b.heard.length]).toEqual([1, 1]);
    pass(3 * HOUR);
    expect([a.addresses, a.routes]).toEqual([[], []]);
    expect(b.hello(of)).toBeLessThan(0);
  });

  it('when the router just vanishes, its routes end with their lifetime', () => {
    const { network, nodes, pass } = world(['router', 'host']);
    const [router, host] = nodes as [Node6, Node6];
    advertise(router.start('2001:db8:1::1'));
    listen(host);
    pass(5 * MINUTE);
    network.cut('router', { loss: 1 });
    pass(20 * MINUTE);
    expect(host.routes).toHaveLength(2);
    pass(10 * MINUTE);
    expect(host.routes).toEqual(['2001:db8:1::/64 - UC']);
    pass(31 * DAY);
    expect([host.addresses, host.routes]).toEqual([[], []]);
  });

  it('a router that changes its lifetimes is believed, but for addresses only down to two hours', () => {
    const { nodes, pass } = world(['router', 'host']);
    const [router, host] = nodes as [Node6, Node6];
    advertise(router.start('2001:db8:1::1'));
    listen(host);
    pass(MINUTE);
    router.sysctl('net.inet6.ip6.rtadv_pltime', 0).sysctl('net.inet6.ip6.rtadv_vltime', 0);
    pass(10 * S);
    expect(host.addresses).toEqual([expect.stringMatching(/deprecated/)]);
    expect(host.routes.some((line) => line.startsWith('2001:db8:1::/64'))).toBe(false);
    pass(2 * HOUR - MINUTE);
    expect(host.addresses).toHaveLength(1);
    pass(MINUTE);
    expect(host.addresses).toEqual([]);
  });

  it('two routers: the preferred one is used; when it is silent the other one is', () => {
    const { network, nodes, pass } = world(['one', 'two', 'host']);
    const [one, two, host] = nodes as [Node6, Node6, Node6];
    one.sysctl('net.inet6.ip6.rtadv_preference', 1);
    advertise(one.start('2001:db8:1::1'));
    advertise(two.start('2001:db8:1::2'));
    for (const router of [one, two]) router.configure('2001:db8:99::99', 128);
    listen(host);
    pass(MINUTE);
    expect(host.routes[0]).toBe(`::/0 ${one.linkLocal} UGD`);
    host.hello('2001:db8:99::99');
    pass(1 * S);
    network.cut('one', { loss: 1 });
    for (let i = 0; i < 60; i++) {
      host.hello('2001:db8:99::99');
      pass(2 * S);
    }
    expect(host.routes[0]).toBe(`::/0 ${two.linkLocal} UGD`);
    expect([one.heard.length > 0, two.heard.length > 0]).toEqual([true, true]);
    network.cut('one', null);
    pass(10 * MINUTE);
    expect(host.routes[0]).toBe(`::/0 ${one.linkLocal} UGD`);
  });

  it('two routers with a prefix each: who speaks through one of them uses its prefix (RFC 6724 5, rule 5.5)', () => {
    const { nodes, pass } = world(['one', 'two', 'host']);
    const [one, two, host] = nodes as [Node6, Node6, Node6];
    advertise(one.start('2001:db8:a::1'));
    advertise(two.start('2001:db8:b::1'));
    for (const router of [one, two]) router.configure('2001:db8:b:1::99', 128);
    listen(host);
    pass(MINUTE);
    // The longest match would be the prefix of the other router.
    const through = (router: Node6): string => {
      for (const node of [one, two]) node.sysctl('net.inet6.ip6.rtadv_preference', node === router ? 1 : 0);
      pass(MINUTE);
      host.hello('2001:db8:b:1::99');
      pass(1 * S);
      return router.heard.at(-1) ?? '';
    };
    expect(through(one)).toMatch(/^2001:db8:a:/);
    expect(through(two)).toMatch(/^2001:db8:b:/);
  });

  it('what is configured by hand is left alone', () => {
    const { nodes, pass } = world(['router', 'host']);
    const [router, host] = nodes as [Node6, Node6];
    listen(host.start('2001:db8:1::77'));
    host.route('::', 0, 'fe80::dead');
    advertise(router.start('2001:db8:1::1'));
    pass(MINUTE);
    expect(host.routes).toEqual(['::/0 fe80::dead UGS', '2001:db8:1::/64 - UC']);
    expect(host.addresses).toHaveLength(2);
    router.sysctl('net.inet6.ip6.rtadv_pltime', 0).sysctl('net.inet6.ip6.rtadv_vltime', 0);
    pass(MINUTE);
    expect(host.routes).toEqual(['::/0 fe80::dead UGS', '2001:db8:1::/64 - UC']);
    // The route of the router takes the place when that by hand goes.
    host.unroute('::', 0);
    router.sysctl('net.inet6.ip6.rtadv_pltime', 100);
    pass(MINUTE);
    expect(host.routes[0]).toBe(`::/0 ${router.linkLocal} UGD`);
  });

  it('MTU, hop limit and times of the link follow the router', () => {
    const { nodes, pass } = world(['router', 'host']);
    const [router, host] = nodes as [Node6, Node6];
    router.sysctl('net.inet6.ip6.rtadv_hlim', 32).sysctl('net.inet6.ip6.rtadv_linkmtu', 1400);
    advertise(router.start('2001:db8:1::1'));
    listen(host);
    pass(MINUTE);
    const link = host.kernel.inet.ip6.links.of(host.iface);
    expect([link?.hopLimit, link?.mtuBytes]).toEqual([32, 1400]);
  });
});

describe('Duplicate and temporary addresses between kernels', () => {
  it('the same identifier on two hosts: the second one takes another (RFC 7217 6)', () => {
    const { nodes, pass } = world(['router', 'host', 'squatter']);
    const [router, host, squatter] = nodes as [Node6, Node6, Node6];
    for (const node of nodes) node.sysctl('net.inet6.ip6.dad_count', 1);
    advertise(router.start('2001:db8:1::1'));
    listen(host);
    pass(MINUTE);
    const wanted = address(host);
    // A host that begins anew in the same place wants the same address again: unless it is taken.
    host.sysctl('net.inet6.ip6.enable', 0);
    squatter.start(wanted);
    pass(MINUTE);
    host.sysctl('net.inet6.ip6.enable', 1);
    pass(MINUTE);
    expect(host.addresses).toEqual([expect.stringMatching(/preferred autoconf/)]);
    expect(address(host)).not.toBe(wanted);
    expect(host.count('nd6-duplicate-addresses')).toBeGreaterThan(0);
  });

  it('temporary addresses speak, and are replaced every day (RFC 8981)', () => {
    const { nodes, pass } = world(['router', 'a', 'b']);
    const [router, a, b] = nodes as [Node6, Node6, Node6];
    advertise(router.start('2001:db8:1::1'));
    a.sysctl('net.inet6.ip6.use_tempaddr', 1);
    for (const host of [a, b]) listen(host);
    pass(MINUTE);
    const [stable, temporary] = [address(a, 0), address(a, 1)];
    expect(a.addresses).toEqual([`${stable} preferred autoconf`, `${temporary} preferred temporary`]);
    a.hello(address(b));
    a.sysctl('net.inet6.ip6.prefer_tempaddr', 0);
    a.hello(address(b));
    pass(1 * S);
    expect(b.heard.map((line) => line.split(' ')[0])).toEqual([temporary, stable]);
    pass(3 * DAY);
    expect(address(a, 0)).toBe(stable);
    expect(a.addresses.join()).not.toContain(temporary);
    expect(a.addresses.filter((line) => line.endsWith('preferred temporary'))).toHaveLength(1);
    expect(a.addresses.filter((line) => line.endsWith('deprecated temporary')).length).toBeLessThanOrEqual(2);
  });
});

describe('Redirects between kernels (RFC 4861 8)', () => {
  /** `one` is the default router of the host, `two` leads to 2001:db8:2::/64, where 2001:db8:2::2 is. */
  function redirected(): World & { one: Node6; two: Node6; host: Node6 } {
    const made = world(['one', 'two', 'host']);
    const [one, two, host] = made.nodes as [Node6, Node6, Node6];
    advertise(one.start('2001:db8:1::1'));
    two.start('2001:db8:1::2').sysctl('net.inet6.ip6.forwarding', 1);
    two.configure('2001:db8:2::2', 128);
    listen(host);
    made.pass(5 * S);
    one.route('2001:db8:2::', 64, two.linkLocal);
    return { ...made, one, two, host };
  }

  it('a host learns the better router, and forgets it after ten minutes', () => {
    const { one, two, host, pass } = redirected();
    host.hello('2001:db8:2::2');
    pass(1 * S);
    expect(two.heard).toEqual([`${address(host)} > 2001:db8:2::2 63`]);
    expect(host.routes).toContain(`2001:db8:2::2/128 ${two.linkLocal} UGHD`);
    host.hello('2001:db8:2::2');
    pass(1 * S);
    expect(two.heard[1]).toBe(`${address(host)} > 2001:db8:2::2 64`);
    expect([one.count('ip6-forwarded'), one.count('nd6-out-redirects')]).toEqual([1, 1]);
    pass(597 * S);
    expect(host.routes.some((line) => line.startsWith('2001:db8:2::2'))).toBe(true);
    pass(2 * S);
    expect(host.routes.some((line) => line.startsWith('2001:db8:2::2'))).toBe(false);
    host.hello('2001:db8:2::2');
    pass(1 * S);
    expect(one.count('nd6-out-redirects')).toBe(2);
  });

  it('a neighbor is named itself when the router knows that it is one', () => {
    const { one, two, host, pass } = redirected();
    // The host does not know that this prefix is on its link; the router does.
    one.configure('2001:db8:3::1');
    two.configure('2001:db8:3::2');
    one.sysctl('net.inet6.ip6.rtadv', 0);
    host.route('2001:db8:3::', 64, one.linkLocal);
    host.hello('2001:db8:3::2');
    pass(1 * S);
    expect(host.routes).toContain('2001:db8:3::2/128 - UHD');
    host.hello('2001:db8:3::2');
    pass(1 * S);
    expect(two.heard.map((line) => line.split(' ').at(-1))).toEqual(['63', '64']);
  });

  it('are neither sent nor believed when switched off, nor on routers', () => {
    const { one, host, pass } = redirected();
    one.sysctl('net.inet6.ip6.redirect', 0);
    host.hello('2001:db8:2::2');
    pass(1 * S);
    expect(one.count('nd6-out-redirects')).toBe(0);
    one.sysctl('net.inet6.ip6.redirect', 1);
    host.sysctl('net.inet6.icmp6.rediraccept', 0);
    host.hello('2001:db8:2::2');
    pass(1 * S);
    expect([one.count('nd6-out-redirects'), host.count('nd6-redirects-ignored')]).toEqual([1, 1]);
    expect(host.routes.some((line) => line.startsWith('2001:db8:2::2'))).toBe(false);
  });

  it('keep to their limit, and go with the router they lead to', () => {
    const { network, two, host, pass } = redirected();
    host.sysctl('net.inet6.icmp6.redirmax', 3);
    for (let i = 1; i <= 10; i++) host.hello(`2001:db8:2::${i}`);
    pass(1 * S);
    const learned = (): string[] => host.routes.filter((line) => line.startsWith('2001:db8:2::'));
    expect(learned()).toHaveLength(3);
    network.cut('two', { loss: 1 });
    for (let i = 0; i < 30; i++) {
      host.hello('2001:db8:2::a');
      pass(2 * S);
    }
    expect(learned()).toEqual([]);
    expect(two.heard).toHaveLength(1);
  });
});

describe('Listener discovery between kernels (RFC 3810)', () => {
  /** Seconds, and the last 16 bytes, of each listener report that a node sends from now on. */
  function reports(node: Node6): { sec: number; record: string }[] {
    const found: { sec: number; record: string }[] = [];
    const options = { interfaces: ['eth0'], snapBytes: 200, filter: new Uint8Array(0) };
    const event = (batch: CaptureRecord): void => {
      if (batch.type !== 'frames') return;
      for (const { outgoing, timeSec, timeNs, bytes } of batch.frames) {
        const isReport = bytes[12] === 0x86 && bytes[20] === 0 && bytes[62] === 143;
        if (!outgoing || !isReport) continue;
        const sinceEpochNs = BigInt(timeSec) * 1_000_000_000n + BigInt(timeNs) - node.kernel.host.epochNs;
        const sec = Number(sinceEpochNs) / 1e9;
        found.push({ sec, record: Buffer.from(bytes.slice(70, 94)).toString('hex') });
      }
    };
    node.kernel.client.openNow('capture', options, { event, end: () => {} });
    return found;
  }

  /** Ask everybody on the link for all groups, as a router does, with ten seconds to answer. */
  function query(node: Node6): void {
    const { ip6 } = node.kernel.inet;
    const { context } = node.kernel.inet.cpus[0];
    const repr: icmpv6.ListenerQueryV2Repr = {
      kind: 'listener-query-v2',
      maxResponseCode: 10_000,
      group: [0, 0, 0, 0],
      suppress: false,
      robustness: 2,
      intervalCode: 125,
      sources: [],
    };
    const { linkLocal } = ip6.links.of(node.iface) as { linkLocal: number };
    const at = ip6.linkOutput.begin(node.iface, linkLocal, ALL_NODES, 0, 8 + icmpv6.lengthOf(repr), 1);
    expect(at).toBeGreaterThan(0);
    const { view } = context.shared.arena;
    view.setInt32(at, 0x3a000502);
    view.setInt32(at + 4, 0x00000100);
    icmpv6.emit(repr, view, at + 8);
    ip6.linkOutput.endIcmp(at + 8);
    node.kernel.cpus[0].flush();
  }

  it('joining is said at once and again within a second; queries are answered within their time, by each host', () => {
    const { network, nodes, pass } = world(['router', 'a', 'b']);
    const [router, a, b] = nodes as [Node6, Node6, Node6];
    for (const node of nodes) node.start();
    pass(10 * S);
    const [ofA, ofB] = [reports(a), reports(b)];
    const join = (node: Node6): number => node.kernel.inet.ip6.groups.join(node.iface, node.number('ff05::77'));
    expect([join(a), join(b)]).toEqual([0, 0]);
    pass(10 * S);
    for (const said of [ofA, ofB]) {
      expect(said.map(({ record }) => record)).toEqual(
        Array(2).fill('0400' + '0000' + 'ff050000000000000000000000000077' + ''),
      );
      expect(said[0]?.sec).toBe(10);
      expect((said[1]?.sec ?? 0) - 10).toBeLessThanOrEqual(1);
      said.length = 0;
    }
    query(router);
    pass(9.99 * S);
    const answers = [...ofA, ...ofB].map(({ sec }) => sec - 20);
    expect(answers).toHaveLength(2);
    expect(answers.every((sec) => sec >= 0 && sec <= 10)).toBe(true);
    expect(network.kernel('router').cpus[0].cpu.counters.snapshot()['mld-in-queries']).toBe(0);
    expect([a.count('mld-in-queries'), b.count('mld-in-queries')]).toEqual([1, 1]);
  });
});

describe('Whatever happens on the link', () => {
  it('a flood of advertisements stays within the limits, and everything is given back', () => {
    const { nodes, pass } = world(['router', 'host']);
    const [router, host] = nodes as [Node6, Node6];
    host.sysctl('net.inet6.ip6.maxifprefixes', 4).sysctl('net.inet6.ip6.maxifautoaddrs', 3);
    router.start().sysctl('net.inet6.ip6.rtadv_vltime', 10).sysctl('net.inet6.ip6.rtadv_pltime', 10);
    for (let i = 0; i < 20; i++) router.configure(`2001:db8:${i}::1`);
    advertise(router);
    listen(host);
    pass(5 * S);
    expect([host.addresses.length, host.routes.filter((line) => line.endsWith('UC')).length]).toEqual([3, 4]);
    expect([host.count('nd6-prefixes-refused') > 0, host.count('nd6-auto-addresses-refused') > 0]).toEqual([
      true,
      true,
    ]);
    router.sysctl('net.inet6.ip6.rtadv', 0);
    pass(1 * MINUTE);
    expect([host.addresses, host.routes]).toEqual([[], []]);
  });

  it('an interface that is taken away takes everything with it', () => {
    const { nodes, pass } = world(['router', 'host']);
    const [router, host] = nodes as [Node6, Node6];
    advertise(router.start('2001:db8:1::1'));
    host.sysctl('net.inet6.ip6.use_tempaddr', 1);
    listen(host);
    pass(MINUTE);
    host.kernel.inet.interfaceTable.remove(host.iface);
    router.kernel.inet.interfaceTable.remove(router.iface);
    pass(DAY);
    expect([host.addresses, host.routes, router.routes]).toEqual([[], [], []]);
    expect([
      host.kernel.cpus[0].cpu.callouts.nextDeadlineUs(),
      router.kernel.cpus[0].cpu.callouts.nextDeadlineUs(),
    ]).toEqual([Infinity, Infinity]);
  });

  it('equal seeds make equal addresses, others do not', () => {
    const made = (seed: number): string => {
      const { nodes, pass } = world(['router', 'host'], seed);
      advertise((nodes[0] as Node6).start('2001:db8:1::1'));
      listen(nodes[1] as Node6);
      pass(MINUTE);
      return address(nodes[1] as Node6);
    };
    expect(made(7)).toBe(made(7));
    expect(made(7)).not.toBe(made(8));
  });
});
