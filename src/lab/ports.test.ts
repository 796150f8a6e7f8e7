/** Ports and hosts of the lab file. */

import { expect, it } from 'vitest';
import { planOfText as plan } from '../../test/fixtures/lab-text.ts';
import { hostsFor, type NodePlan } from './plan.ts';

it.each([
  ['nodes:\n  a: { ports: 80 }\n', 'lab.yml:2:15: nodes.a.ports: expected a list of ports, not 80'],
  [
    'nodes:\n  a:\n    ports: [80, "8080:http"]\n',
    'lab.yml:3:17: nodes.a.ports[1]: expected a port such as "8080:80", "127.0.0.1:8080:80", "80" or "8080:80/udp", not "8080:http"',
  ],
  [
    'nodes:\n  a: { ports: [8080:80] }\n  b: { ports: [0.0.0.0:8080:81] }\n',
    'lab.yml:3:16: nodes.b.ports[0]: 0.0.0.0:8080: leads to a already',
  ],
  [
    'nodes: { a: {} }\nhosts: { db: 5432 }\n',
    'lab.yml:2:14: hosts.db: expected a service such as "host:5432", a list of them, or a map with "to", not 5432',
  ],
  [
    'nodes: { a: {} }\nhosts: { db: "hots:5432" }\n',
    'lab.yml:2:14: hosts.db: expected a service such as "host:5432", "host:api.example.org:443" or "5432:host:15432", not "hots:5432"',
  ],
  ['nodes: { a: {} }\nhosts: { a: "host:1" }\n', 'lab.yml:2:13: hosts.a: a node is called a too'],
  ['nodes: { a: {} }\nhosts: { b: ["host:1", "1:host:2/udp"] }\n', 'lab.yml:2:13: hosts.b: port 1/udp twice'],
  [
    'nodes: { a: {} }\nhosts: { b: { to: "host:1", networks: [lam] } }\n',
    /^lab\.yml:2:40: hosts\.b\.networks\[0\]: no network "lam"/,
  ],
  [
    'networks: { x: {}, y: {} }\nnodes: { a: { networks: [x] } }\nhosts: { b: "host:1" }\n',
    'lab.yml:3:10: hosts.b: missing "networks": which of x, y?',
  ],
  ['nodes: { a: {} }\nhosts: { 10.0.0.9: "host:1" }\n', /^lab\.yml:2:10: hosts\.10\.0\.0\.9: a name such as db/],
  ['hosts: { b: "host:1" }\nnodes: {}\n', /a lab needs at least one node/],
])('%j is wrong', (text, message) => {
  expect(() => plan(text)).toThrow(message);
});

it('a host has an address behind those of the nodes, and its name in the lab', () => {
  const lab = plan('name: x\nhosts: { api.example.org: ["host:443/tcp", "host:[fd00::1]:80"] }\nnodes: { a: {} }\n');
  const [a, host] = lab.nodes as [NodePlan, NodePlan];
  expect(host.services).toEqual([
    { port: 443, host: 'localhost', hostPort: 443, protocols: ['tcp'] },
    { port: 80, host: 'fd00::1', hostPort: 80, protocols: ['tcp', 'udp'] },
  ]);
  expect(hostsFor(lab, a)['api.example.org']).toEqual(['10.0.0.11']);
});

it('a host takes networks and addresses in its long form', () => {
  const { nodes } = plan(
    'networks: { x: {}, y: {} }\nnodes: { a: { networks: [x] } }\nhosts: { b: { to: "host:1", networks: [y], addresses: { y: 10.0.1.77 } } }\n',
  );
  expect(nodes[1]).toMatchObject({ kind: 'host', interfaces: [{ network: 1, addresses: [{ address: '10.0.1.77' }] }] });
});
