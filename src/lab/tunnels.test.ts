import { describe, expect, it } from 'vitest';
import { planOfText as plan, problemOfText as problem } from '../../test/fixtures/lab-text.ts';
import type { LabPlan, NodePlan } from './plan.ts';

/** `gif0 ADDRESS SOURCE>DESTINATION`. */
function gifsOf({ nodes }: LabPlan, name: string): string[] {
  const { interfaces } = nodes.find((node) => node.name === name) as NodePlan;
  return interfaces.flatMap(({ name: own, addresses, tunnel }) =>
    tunnel === null
      ? []
      : [`${own} ${addresses.map(({ address }) => address).join(' ')} ${tunnel.source}>${tunnel.destination}`],
  );
}

function routesOf({ nodes }: LabPlan, name: string): string[] {
  const { routes } = nodes.find((node) => node.name === name) as NodePlan;
  return routes.map(({ destination, prefixLength, gateway }) => `${destination}/${prefixLength} by ${gateway}`);
}

const SITES = `networks:
  site-a: { prefix: 10.1.0.0/24 }
  site-b: { prefix: 10.2.0.0/24 }
  up-a: { prefix: 192.0.2.0/29 }
  up-b: { prefix: 192.0.2.8/29 }
nodes:
  isp: { kind: router, networks: [up-a, up-b] }
  gw-a: { kind: router, networks: [site-a, up-a] }
  gw-b: { kind: router, networks: [site-b, up-b] }
  pc: { networks: [site-a] }
`;

describe('a tunnel', () => {
  it('goes between the nearest addresses of its ends, and takes what lies behind the other end', () => {
    const lab = plan(`${SITES}tunnels:\n  - { endpoints: [gw-a, gw-b], prefix: 10.99.0.0/30 }\n`);
    expect(gifsOf(lab, 'gw-a')).toEqual(['gif0 10.99.0.1 192.0.2.2>192.0.2.10']);
    expect(gifsOf(lab, 'gw-b')).toEqual(['gif0 10.99.0.2 192.0.2.10>192.0.2.2']);
    // Its own packets go outside.
    expect(routesOf(lab, 'gw-a')).toEqual(['10.2.0.0/24 by 10.99.0.2', '192.0.2.8/29 by 192.0.2.1']);
    expect(routesOf(lab, 'gw-b')).toEqual(['10.1.0.0/24 by 10.99.0.1', '192.0.2.0/29 by 192.0.2.9']);
    expect(routesOf(lab, 'pc')).toEqual(['0.0.0.0/0 by 10.1.0.1']);
    expect(lab.networks[4]).toMatchObject({ name: 'gw-a-gw-b', kind: 'tunnel', mtuBytes: 1280 });
  });

  it('is the only way between islands of the other family', () => {
    const text = SITES.replace('10.1.0.0/24 }', '[10.1.0.0/24, "fd00:a::/64"] }').replace(
      '10.2.0.0/24 }',
      '[10.2.0.0/24, "fd00:b::/64"] }',
    );
    const lab = plan(`${text}tunnels:\n  - { endpoints: [gw-a, gw-b], prefix: "fd00:99::/64" }\n`);
    expect(gifsOf(lab, 'gw-a')).toEqual(['gif0 fd00:99::1 192.0.2.2>192.0.2.10']);
    expect(routesOf(lab, 'gw-a')).toEqual([
      '10.2.0.0/24 by 192.0.2.1',
      '192.0.2.8/29 by 192.0.2.1',
      'fd00:b::/64 by fd00:99::2',
    ]);
    expect(routesOf(lab, 'pc')).toEqual(['0.0.0.0/0 by 10.1.0.1', '::/0 by fd00:a::1']);
  });

  it('takes what its routes say, and the addresses that its ends name', () => {
    const lab = plan(`${SITES}tunnels:
  - endpoints: ["pc:eth0", gw-b]
    prefix: 10.99.0.0/30
    routes: { pc: [default, 172.16.0.0/12], gw-b: [] }
`);
    expect(gifsOf(lab, 'pc')).toEqual(['gif0 10.99.0.2 10.1.0.10>192.0.2.10']);
    // Networks that were left to its default route are named now, so that the way of the outer packets stays.
    expect(routesOf(lab, 'pc')).toEqual([
      '10.2.0.0/24 by 10.1.0.1',
      '192.0.2.0/29 by 10.1.0.1',
      '192.0.2.8/29 by 10.1.0.1',
      '0.0.0.0/0 by 10.99.0.1',
      '172.16.0.0/12 by 10.99.0.1',
    ]);
    expect(routesOf(lab, 'gw-b')).toEqual(['10.1.0.0/24 by 192.0.2.9', '192.0.2.0/29 by 192.0.2.9']);
  });

  it.each([
    ['{ endpoints: [gw-a] }', 'tunnels[0].endpoints: expected a list of two ends, not a list'],
    ['{ endpoints: [gw-a, gw-c] }', 'tunnels[0].endpoints[1]: no node "gw-c"; did you mean gw-a?'],
    ['{ endpoints: [gw-a, gw-a] }', 'tunnels[0].endpoints: two ends of one node'],
    ['{ endpoints: ["gw-a:eth7", gw-b] }', 'tunnels[0].endpoints: gw-a has no address at eth7'],
    [
      '{ endpoints: [gw-a, gw-b], over: ipv6 }',
      'tunnels[0].endpoints: there is no way of IPv6 from gw-a to gw-b for the packets of the tunnel',
    ],
    [
      '{ endpoints: [gw-a, gw-b], prefix: 10.1.0.0/16 }',
      'tunnels[0].prefix: 10.1.0.0/16 overlaps 10.1.0.0/24 of site-a',
    ],
    [
      '{ endpoints: [gw-a, gw-b], routes: { pc: [default] } }',
      'tunnels[0].routes.pc: pc is no end of it; its ends are gw-a and gw-b',
    ],
    [
      '{ endpoints: [gw-a, gw-b], routes: { gw-a: [up-b] } }',
      "tunnels[0].routes.gw-a[0]: the tunnel's own packets go to up-b: they would go through the tunnel",
    ],
    [
      '{ endpoints: [gw-a, gw-b], routes: { gw-a: [site-c] } }',
      'tunnels[0].routes.gw-a[0]: no network "site-c"; did you mean site-a?',
    ],
    [
      '{ endpoints: [gw-a, gw-b], routes: { gw-a: ["fd00::/64"] } }',
      'tunnels[0].routes.gw-a[0]: the tunnel has no IPv6 prefix',
    ],
    [
      '{ endpoints: [gw-a, gw-b] }\n  - { endpoints: [gw-b, gw-a] }',
      'tunnels[1]: tunnels[0] has the same addresses, 192.0.2.10 and 192.0.2.2',
    ],
  ])('is refused: %s', (entry, message) => {
    expect(problem(`${SITES}tunnels:\n  - ${entry}\n`).replace(/^lab.yml:1[23]:\d+: /, '')).toBe(message);
  });

  it('has no cable of its own', () => {
    const text = `${SITES}tunnels:\n  - { endpoints: [gw-a, gw-b] }\nlinks:\n  - { endpoints: ["gw-a", "gif0"] }\n`;
    expect(problem(text)).toContain('gw-a:gif0 is a tunnel; name the links it goes over');
  });
});
