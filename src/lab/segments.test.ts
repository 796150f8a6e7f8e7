import { describe, expect, it } from 'vitest';
import { planOfText as plan, problemOfText as problem } from '../../test/fixtures/lab-text.ts';
import type { LabPlan } from './plan.ts';

/** Addresses of each node, and its routes. */
function nodesOf({ nodes }: LabPlan): Record<string, string[]> {
  return Object.fromEntries(
    nodes.map(({ name, interfaces, routes }) => [
      name,
      [
        ...interfaces.flatMap(({ addresses }) => addresses.map((one) => `${one.address}/${one.prefixLength}`)),
        ...routes.map((route) => `${route.destination}/${route.prefixLength} ${route.gateway}`),
      ],
    ]),
  );
}

describe('kind: bridge', () => {
  it('makes one subnet of its networks, without an address of its own', () => {
    const lab = plan(`networks: { left: {}, right: {}, far: { prefix: 10.9.0.0/24 } }
nodes:
  a: { networks: [left] }
  b: { networks: [right] }
  sw: { kind: bridge, networks: [left, right] }
  gw: { kind: router, networks: [right, far] }
  c: { networks: [far] }
`);
    expect(nodesOf(lab)).toEqual({
      a: ['10.0.0.10/24', '0.0.0.0/0 10.0.0.1'],
      b: ['10.0.0.11/24', '0.0.0.0/0 10.0.0.1'],
      sw: [],
      gw: ['10.0.0.1/24', '10.9.0.1/24'],
      c: ['10.9.0.10/24', '0.0.0.0/0 10.9.0.1'],
    });
    expect(lab.networks.map(({ segment, looped }) => [segment, looped])).toEqual([
      [0, false],
      [0, false],
      [2, false],
    ]);
  });

  it('takes the prefixes that one of the networks names, or all of them', () => {
    const nodes =
      'nodes: { a: { networks: [left] }, b: { networks: [right] }, sw: { kind: bridge, networks: [left, right] } }';
    const both = { a: ['10.7.0.10/24', 'fd00:7::a/64'], b: ['10.7.0.11/24', 'fd00:7::b/64'], sw: [] };
    const named = 'prefix: [10.7.0.0/24, "fd00:7::/64"]';
    expect(nodesOf(plan(`networks: { left: {}, right: { ${named} } }\n${nodes}\n`))).toEqual(both);
    expect(nodesOf(plan(`networks: { left: { ${named} }, right: { ${named} } }\n${nodes}\n`))).toEqual(both);
  });

  it('knows a circle: spanning trees are on there', () => {
    const lab = plan(`networks: { one: {}, two: {}, three: {}, alone: {} }
nodes:
  x: { kind: bridge, networks: [one, two] }
  y: { kind: bridge, networks: [two, three] }
  z: { kind: bridge, networks: [three, one] }
  a: { networks: [one] }
  b: { networks: [alone] }
`);
    expect(lab.networks.map(({ name, segment, looped }) => [name, segment, looped])).toEqual([
      ['one', 0, true],
      ['two', 0, true],
      ['three', 0, true],
      ['alone', 3, false],
    ]);
    expect(lab.networks[3]?.prefix?.network).not.toBe(lab.networks[0]?.prefix?.network);
  });

  it('joins cables as well', () => {
    const lab = plan(`nodes: { a: {}, b: {}, sw: { kind: bridge } }
links:
  - { endpoints: ["a:eth0", "sw:eth0"] }
  - { endpoints: ["sw:eth1", "b:eth0"] }
`);
    expect(nodesOf(lab)).toEqual({ a: ['10.0.1.10/24'], b: ['10.0.1.11/24'], sw: [] });
  });

  it('says what does not go together, with file, line and key', () => {
    const nodes = 'nodes:\n  a: { networks: [left] }\n  sw: { kind: bridge, networks: [left, right]';
    expect(problem(`networks:\n  left: { prefix: 10.1.0.0/24 }\n  right: { prefix: 10.2.0.0/24 }\n${nodes} }\n`)).toBe(
      'lab.yml:3:20: networks.right.prefix: a bridge joins it with left, whose prefix is 10.1.0.0/24',
    );
    expect(problem(`networks:\n  left: {}\n  right: { mtu: 9000 }\n${nodes} }\n`)).toBe(
      'lab.yml:3:17: networks.right.mtu: a bridge joins it with left, whose mtu is 1500',
    );
    expect(problem(`networks:\n  left: {}\n  right: {}\n${nodes}, addresses: { left: 10.0.0.9 } }\n`)).toBe(
      'lab.yml:6:59: nodes.sw.addresses: a bridge has none',
    );
  });
});
