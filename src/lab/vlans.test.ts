import { describe, expect, it } from 'vitest';
import { planOfText as plan, problemOfText as problem } from '../../test/fixtures/lab-text.ts';
import type { LabPlan, NodePlan } from './plan.ts';

/** Interfaces, as `vlan0/eth0 ADDRESS`, and routes. */
function nodeOf({ nodes }: LabPlan, name: string): string[] {
  const { interfaces, routes } = nodes.find((node) => node.name === name) as NodePlan;
  return [
    ...interfaces.map(({ name: own, parent, addresses }) =>
      [parent === null ? own : `${own}/${parent}`, ...addresses.map(({ address }) => address)].join(' '),
    ),
    ...routes.map(({ destination, prefixLength, gateway }) => `${destination}/${prefixLength} by ${gateway}`),
  ];
}

describe('VLANs of a network', () => {
  const TRUNK = `networks:
  trunk: {}
  office: { on: trunk, vlan: 10 }
  guests: { on: trunk, vlan: 20, prefix: 10.20.0.0/24 }
`;

  it('are interfaces over one, each a network of its own; a router has several on its stick', () => {
    const lab = plan(`${TRUNK}nodes:
  gw: { kind: router, networks: [office, guests] }
  a: { networks: [office] }
  b: { networks: [guests] }
`);
    // Nobody is on the trunk itself: it takes no prefix.
    expect(lab.networks.map(({ prefix }) => prefix)[0]).toBeNull();
    expect(nodeOf(lab, 'gw')).toEqual(['eth0', 'vlan0/eth0 10.0.0.1', 'vlan1/eth0 10.20.0.1']);
    expect(nodeOf(lab, 'a')).toEqual(['eth0', 'vlan0/eth0 10.0.0.10', '0.0.0.0/0 by 10.0.0.1']);
    expect(nodeOf(lab, 'b')).toEqual(['eth0', 'vlan0/eth0 10.20.0.10', '0.0.0.0/0 by 10.20.0.1']);
    const [gw] = lab.nodes as [NodePlan];
    expect(new Set(gw.interfaces.map(({ mac }) => mac)).size).toBe(1);
  });

  it('share the interface of a node that is on the network without a tag, too', () => {
    const lab = plan(`${TRUNK}nodes: { a: { networks: [office, trunk, trunk] } }\n`);
    expect(nodeOf(lab, 'a')).toEqual(['eth0 10.0.0.10', 'vlan0/eth0 10.0.1.10', 'eth1 10.0.0.11']);
  });

  it('carry VLANs themselves, in packets that are shorter by each tag beyond the first', () => {
    const lab = plan(`networks:
  trunk: {}
  old: { offload: false }
  outer: { on: trunk, vlan: 100 }
  inner: { on: outer, vlan: 7 }
  tight: { on: old, vlan: 5 }
nodes: { a: { networks: [inner, tight] } }
`);
    expect(lab.networks.map(({ name, mtuBytes }) => [name, mtuBytes])).toEqual([
      ['trunk', 1500],
      ['old', 1500],
      ['outer', 1500],
      ['inner', 1496],
      ['tight', 1496],
    ]);
    expect(nodeOf(lab, 'a')).toEqual(['eth0', 'vlan0/eth0', 'vlan1/vlan0 10.0.0.10', 'eth1', 'vlan2/eth1 10.0.1.10']);
  });

  it('of one tag are one segment where a bridge joins the networks below', () => {
    const lab = plan(`networks:
  ground: {}
  first: {}
  office: { on: ground, vlan: 10 }
  office-first: { on: first, vlan: 10, prefix: 10.7.0.0/24 }
  guests: { on: first, vlan: 20 }
nodes:
  sw: { kind: bridge, networks: [ground, first] }
  a: { networks: [office] }
  b: { networks: [office-first] }
`);
    expect(lab.networks.map(({ segment }) => segment)).toEqual([0, 0, 2, 2, 4]);
    expect([nodeOf(lab, 'a'), nodeOf(lab, 'b')]).toEqual([
      ['eth0', 'vlan0/eth0 10.7.0.10'],
      ['eth0', 'vlan0/eth0 10.7.0.11'],
    ]);
  });

  it.each([
    ['office: { on: trunk }', '3:3: networks.office: a VLAN needs both "vlan" and "on"'],
    ['office: { on: trunk, vlan: 4095 }', '3:30: networks.office.vlan: expected a whole number, 1 to 4094, not 4095'],
    ['office: { on: trunc, vlan: 1 }', '3:17: networks.office.on: no network "trunc"; did you mean trunk?'],
    [
      'office: { on: trunk, vlan: 1, full: drop }',
      '3:3: networks.office: a VLAN has "ring", "full" and "offload" of the network that it is on',
    ],
    [
      'office: { on: trunk, vlan: 1, mtu: 1501 }',
      '3:38: networks.office.mtu: behind its tag on trunk a packet has 1500 bytes at most',
    ],
    [
      'office: { on: trunk, vlan: 1 }\n  other: { on: trunk, vlan: 1 }',
      '4:29: networks.other.vlan: office is VLAN 1 of trunk already',
    ],
    [
      'office: { on: other, vlan: 1 }\n  other: { on: office, vlan: 2 }',
      '3:17: networks.office.on: VLANs that carry each other',
    ],
  ])('are refused: %s', (networks, message) => {
    const text = `networks:\n  trunk: {}\n  ${networks}\nnodes: { a: { networks: [trunk] } }\n`;
    expect(problem(text).replace(/(.*?:\d+:)\d+/, '$1')).toBe(`lab.yml:${message}`.replace(/(.*?:\d+:)\d+/, '$1'));
  });

  it('are on a node once, and on a bridge beside what carries them not at all', () => {
    expect(problem(`${TRUNK}nodes: { a: { networks: [office, office] } }\n`)).toBe(
      'lab.yml:5:34: nodes.a.networks[1]: "office" twice: a node has one interface on a VLAN',
    );
    expect(
      problem(`${TRUNK}nodes: { sw: { kind: bridge, networks: [trunk, office] }, a: { networks: [trunk] } }\n`),
    ).toBe('lab.yml:5:40: nodes.sw.networks: a bridge is on trunk, VLANs and all, or on office, not on both');
  });

  it('are not in a circle of bridges with the networks below them', () => {
    const text = `networks:
  ground: {}
  first: {}
  one: { on: ground, vlan: 10 }
  two: { on: first, vlan: 10 }
nodes:
  x: { kind: bridge, networks: [ground, first] }
  y: { kind: bridge, networks: [one, two] }
  a: { networks: [one] }
`;
    expect(problem(text)).toBe(
      'lab.yml:5:8: networks.two: bridges join two with one, and the networks below them, in a circle',
    );
  });
});

describe('several interfaces on one network', () => {
  it('have an address each, which the interface names', () => {
    const lab = plan('nodes: { a: { networks: [lan, lan], addresses: { lan: 10.0.0.5, eth1: 10.0.0.9 } } }\n');
    expect(nodeOf(lab, 'a')).toEqual(['eth0 10.0.0.5', 'eth1 10.0.0.9']);
    expect(lab.networks[0]?.ports).toEqual(['a', 'a']);
  });

  it('of a bridge are a circle', () => {
    const lab = plan('nodes: { sw: { kind: bridge, networks: [lan, lan] }, a: {} }\n');
    expect(lab.networks[0]?.looped).toBe(true);
    expect(lab.nodes[0]?.bridge?.ports.map(({ stp }) => stp)).toEqual([true, true]);
  });
});

describe('bridge:', () => {
  const NODES = `networks: { left: {}, right: {} }
nodes:
  a: { networks: [left] }
  b: { networks: [right] }
  sw:
    kind: bridge
    networks: [left, right]
    bridge:
`;

  it('has what brconfig(8) sets', () => {
    const lab = plan(`${NODES}      stp: true
      priority: 4096
      hello_time: 1s
      forward_delay: 10s
      max_age: 8s
      max_addresses: 50
      timeout: 1m
      static: { a: left, "2:0:0:0:0:9": eth1 }
      ports: { left: { stp: false, cost: 10, protected: true }, eth1: { priority: 64, learn: false, discover: false } }
`);
    expect(lab.nodes[2]?.bridge).toEqual({
      priority: 4096,
      helloTimeSec: 1,
      forwardDelaySec: 10,
      maxAgeSec: 8,
      maxAddresses: 50,
      timeoutSec: 60,
      ports: [
        { interface: 'eth0', stp: false, learn: true, discover: true, protected: true, pathCost: 10 },
        { interface: 'eth1', stp: true, learn: false, discover: false, protected: false, priority: 64 },
      ],
      static: [
        { mac: lab.nodes[0]?.interfaces[0]?.mac, interface: 'eth0' },
        { mac: '2:0:0:0:0:9', interface: 'eth1' },
      ],
    });
  });

  it.each([
    ['priority: 65536', 'nodes.sw.bridge.priority: expected a whole number, 0 to 65535, not 65536'],
    ['forward_delay: 3s', 'nodes.sw.bridge.forward_delay: expected a time in whole seconds, 4s to 30s, not "3s"'],
    ['hello_time: 1500ms', 'nodes.sw.bridge.hello_time: expected a time in whole seconds, 1s to 10s, not "1500ms"'],
    ['ports: { up: {} }', 'nodes.sw.bridge.ports.up: no network or interface of sw "up"; there are left, right'],
    ['static: { c: left }', 'nodes.sw.bridge.static.c: no node "c"; there are a, b, sw'],
  ])('refuses %s', (line, message) => {
    expect(problem(`${NODES}      ${line}\n`).replace(/^lab.yml:9:\d+: /, '')).toBe(message);
  });

  it('belongs to a bridge', () => {
    expect(problem('nodes: { a: { bridge: { stp: true } } }\n')).toBe(
      'lab.yml:1:15: nodes.a.bridge: only a node of kind "bridge" has one',
    );
  });
});
