import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toJsonSchema } from '@valibot/to-json-schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { choosePlacement } from './default-placement.ts';
import { checkLab, type LabFileError, parseLabFile } from './lab-file.ts';
import { hostsFor, type LabPlan } from './plan.ts';
import { planLab } from './planner.ts';
import { LAB_SCHEMA } from './schema.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-lab-'));
  mkdirSync(join(folder, 'sub'));
  for (const name of ['server.js', 'db.js', 'sub/other.js']) writeFileSync(join(folder, name), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function plan(text: string, path: string | null = join(folder, 'multikernel.yml')): LabPlan {
  const { config, locate } = parseLabFile(text, 'lab.yml');
  return planLab(config, { file: 'lab.yml', path, folder, locate });
}

/** The one line that a wrong lab gives. */
function problem(text: string): string {
  try {
    plan(text);
  } catch (error) {
    const { problems, message } = error as LabFileError;
    expect(problems, message).toHaveLength(1);
    return message.replaceAll(folder, 'FOLDER');
  }
  throw new Error('accepted');
}

const SHOP = `name: shop
networks:
  front: { prefix: 10.0.0.0/24 }
  back: { prefix: 10.0.1.0/24, mtu: 9000, full: drop }
nodes:
  client: { run: node server.js --fast, networks: [front] }
  gw: { kind: router, networks: [front, back] }
  api: { run: "node --max-old-space-size=64 'server.js' 'a b'", networks: [back], depends_on: { db: 'listening:80' } }
  db: { run: node db, networks: [back], env: { PORT: 80 }, memory: 8MiB, heap: 64MiB }
checks:
  - { at: 3s, http: "http://api.shop.lan/", from: client }
  - { within: 1.5s, state: db, expect: 'listening:80' }
`;

/** Each line ten times the one before. */
function bomb(lines: number): string {
  return Array.from({ length: lines }, (_, i) => `x${i}: &a${i + 1} [${`*a${i}, `.repeat(9)}*a${i}]\n`).join('');
}

describe('errors name file, line, column and key', () => {
  it.each<[string, string, string]>([
    [
      'broken YAML',
      'nodes:\n  a: [1, 2\n',
      'lab.yml:3:1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['the same key twice', 'nodes:\n  a: {}\n  a: {}\n', 'lab.yml:3:3: Map keys must be unique'],
    ['two spellings of a key', 'nodes:\n  a: { env: { 1: x, "1": y } }\n', 'lab.yml:2:21: Map keys must be unique'],
    ['nothing at all', '', 'lab.yml:1:1: expected a map, not null'],
    ['a list', '- a\n', 'lab.yml:1:1: expected a map, not a list'],
    ['a required key misspelt', 'name: x\nnode: {}\n', 'lab.yml:2:1: node: unknown key; did you mean "nodes"?'],
    ['no nodes', 'name: x\n', 'lab.yml:1:1: nodes: missing'],
    [
      'an unknown key',
      'nodes:\n  a: {}\nnetwroks: {}\n',
      'lab.yml:3:1: netwroks: unknown key; did you mean "networks"?',
    ],
    [
      'an unknown key of a node',
      'nodes:\n  a:\n    colour: red\n',
      'lab.yml:3:5: nodes.a.colour: unknown key; known are kind, run, placement, inspect, cwd, env, networks, addresses, forwarding, depends_on, restart, memory, heap, ports, sysctl, bridge',
    ],
    [
      'an inspector of a program beside its kernel',
      'nodes:\n  a: { run: "node server.js", inspect: 9229, placement: beside }\n',
      'lab.yml:2:40: nodes.a.inspect: only with "placement: process"',
    ],
    [
      'a flag about one',
      'nodes:\n  a: { run: "node --inspect-brk=0 server.js", placement: beside }\n',
      'lab.yml:2:13: nodes.a.run: node --inspect-brk=0: only with "placement: process"',
    ],
    [
      'a port that is none',
      'nodes:\n  a: { inspect: 70000, placement: process }\n',
      'lab.yml:2:17: nodes.a.inspect: expected a whole number, 1 to 65535, not 70000',
    ],
    [
      'a restart policy that there is not',
      'nodes:\n  a: { run: node a.js, restart: unless-stopped }\n',
      'lab.yml:2:33: nodes.a.restart: expected no, on-failure, on-failure:5 or always, not "unless-stopped"',
    ],
    [
      'a bad name',
      'nodes:\n  Big_One: {}\n',
      'lab.yml:2:3: nodes.Big_One: expected a name: a letter, then letters, digits or "-", at most 32, lower case, not "Big_One"',
    ],
    [
      'the name that every node has for itself',
      'nodes:\n  a: {}\n  localhost: {}\n',
      'lab.yml:3:3: nodes.localhost: every node is called localhost by itself; another name is needed',
    ],
    [
      'names below localhost',
      'networks: { lan: { dns: shop.localhost } }\nnodes: { a: {} }\n',
      'lab.yml:1:25: networks.lan.dns: names below localhost belong to each node alone (RFC 6761)',
    ],
    [
      'a node that JavaScript would lose',
      'nodes:\n  __proto__: {}\n  a: {}\n',
      'lab.yml:2:3: nodes.__proto__: expected a name: a letter, then letters, digits or "-", at most 32, lower case, not "__proto__"',
    ],
    [
      'a network that JavaScript would lose',
      'networks:\n  __proto__: {}\nnodes: { a: {} }\n',
      'lab.yml:2:3: networks.__proto__: expected a name: a letter, then letters, digits or "-", at most 32, lower case, not "__proto__"',
    ],
    [
      'a key that JavaScript would lose',
      'nodes:\n  a:\n    __proto__: { kind: router }\n',
      'lab.yml:3:5: nodes.a.__proto__: unknown key; known are kind, run, placement, inspect, cwd, env, networks, addresses, forwarding, depends_on, restart, memory, heap, ports, sysctl, bridge',
    ],
    [
      'a dependency that JavaScript would lose',
      'nodes:\n  a: { depends_on: { constructor: running } }\n',
      'lab.yml:2:35: nodes.a.depends_on.constructor: no node "constructor"; there are a',
    ],
    [
      'an address that JavaScript would lose',
      'nodes:\n  a: { addresses: { __proto__: 10.0.0.9 } }\n',
      'lab.yml:2:21: nodes.a.addresses.__proto__: a is not on a network "__proto__"',
    ],
    [
      'a variable without a number',
      'nodes:\n  a: { sysctl: { prototype: x } }\n',
      'lab.yml:2:29: nodes.a.sysctl.prototype: expected a whole number, -2147483648 to 2147483647, not "x"',
    ],
    ['a list of nodes', 'nodes:\n  - a\n', 'lab.yml:2:3: nodes: expected a map of nodes, not a list'],
    ['a key that is a map', 'nodes:\n  ? { a: b }\n  : {}\n', 'lab.yml:2:5: a key is a text, not a map or a list'],
    ['an anchor that comes later', 'nodes:\n  a: *x\n  b: &x {}\n', 'lab.yml:2:6: no anchor &x before this alias'],
    ['an alias of itself', 'nodes: &x\n  a: *x\n', 'lab.yml:2:6: *x is part of what it stands for'],
    ['a merge of a text', 'nodes:\n  a: { <<: x }\n', 'lab.yml:2:12: << takes a map or a list of maps'],
    [
      'an alias bomb',
      `x: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n${bomb(9)}nodes: { a: {} }\n`,
      'lab.yml:1:18: aliases stand for more than 250000 values',
    ],
    [
      'an alias bomb of merged maps',
      `x: &a0 {a: 1, b: 1, c: 1}\n${bomb(30).replaceAll(/\[(.*)\]/g, (_all, list: string) => `{ <<: [${list}] }`)}nodes: { a: {} }\n`,
      'lab.yml:1:18: aliases stand for more than 250000 values',
    ],
    ['deep lists', `x: ${'['.repeat(70)}${']'.repeat(70)}\n`, 'lab.yml:1:68: nested more than 64 deep'],
    [
      'a bad kind',
      'nodes:\n  a: { kind: switch }\n',
      'lab.yml:2:14: nodes.a.kind: expected "node" or "router" or "bridge", not "switch"',
    ],
    [
      'a bad mtu',
      'networks:\n  lan:\n    mtu: 100\nnodes: { a: {} }\n',
      'lab.yml:3:10: networks.lan.mtu: expected a whole number, 576 to 65521, not 100',
    ],
    [
      'no prefix',
      'networks: { lan: { prefix: 10.0.0/24 } }\nnodes: { a: {} }\n',
      'lab.yml:1:28: networks.lan.prefix: "10.0.0/24" is no IPv4 prefix; one looks like 10.0.0.0/24',
    ],
    [
      'host bits',
      'networks: { lan: { prefix: 10.0.0.9/24 } }\nnodes: { a: {} }\n',
      'lab.yml:1:28: networks.lan.prefix: "10.0.0.9/24" has host bits set; did you mean 10.0.0.0/24?',
    ],
    [
      'no IPv6 prefix',
      'networks: { lan: { prefix: "fd00::1::/64" } }\nnodes: { a: {} }\n',
      'lab.yml:1:28: networks.lan.prefix: "fd00::1::/64" is no IPv6 prefix; one looks like fd00:0:0:1::/64',
    ],
    [
      'IPv6 host bits',
      'networks:\n  lan:\n    prefix:\n      - 10.0.0.0/24\n      - fd00::9/64\nnodes: { a: {} }\n',
      'lab.yml:5:9: networks.lan.prefix[1]: "fd00::9/64" has host bits set; did you mean fd00::/64?',
    ],
    [
      'an IPv6 prefix for no hosts',
      'networks: { lan: { prefix: "fe80::/64" } }\nnodes: { a: {} }\n',
      'lab.yml:1:28: networks.lan.prefix: "fe80::/64" is link-local: hosts cannot live there',
    ],
    [
      'two prefixes of a family',
      'networks: { lan: { prefix: ["fd00::/64", "fd01::/64"] } }\nnodes: { a: {} }\n',
      'lab.yml:1:42: networks.lan.prefix[1]: a second IPv6 prefix',
    ],
    [
      'overlapping IPv6 prefixes',
      'networks:\n  a: { prefix: fd00::/48 }\n  b: { prefix: [10.0.0.0/24, "fd00:0:0:1::/64"] }\nnodes: { x: { networks: [a] } }\n',
      'lab.yml:3:30: networks.b.prefix[1]: fd00:0:0:1::/64 overlaps fd00::/48 of a',
    ],
    [
      'a network too narrow for IPv6',
      'networks: { lan: { prefix: "fd00::/64", mtu: 1000 } }\nnodes: { a: {} }\n',
      'lab.yml:1:46: networks.lan.mtu: IPv6 needs an mtu of 1280 or more, not 1000',
    ],
    [
      'an IPv6 address on a network without',
      'nodes:\n  a: { addresses: { lan: "fd00::7" } }\n',
      'lab.yml:2:26: nodes.a.addresses.lan: "fd00::7" is no address of the network; one looks like 10.0.0.10',
    ],
    [
      'an IPv6 address twice',
      'networks: { lan: { prefix: "fd00::/64" } }\nnodes:\n  a: { addresses: { lan: "fd00::7" } }\n  b: { addresses: { lan: ["fd00::7"] } }\n',
      'lab.yml:4:27: nodes.b.addresses.lan[0]: fd00::7 is already taken by a',
    ],
    [
      'two addresses of a family',
      'nodes:\n  a: { addresses: { lan: [10.0.0.7, 10.0.0.8] } }\n',
      'lab.yml:2:37: nodes.a.addresses.lan[1]: a second IPv4 address',
    ],
    [
      'overlapping prefixes',
      'networks:\n  a: { prefix: 10.0.0.0/16 }\n  b: { prefix: 10.0.3.0/24 }\nnodes: { x: { networks: [a] } }\n',
      'lab.yml:3:16: networks.b.prefix: 10.0.3.0/24 overlaps 10.0.0.0/16 of a',
    ],
    [
      'an unknown network',
      'networks: { lan: {} }\nnodes:\n  a: { networks: [lam] }\n',
      'lab.yml:3:19: nodes.a.networks[0]: no network "lam"; did you mean lan?',
    ],
    [
      'a network left out',
      'networks: { one: {}, two: {} }\nnodes:\n  a: { env: {} }\n',
      'lab.yml:3:3: nodes.a: missing "networks": which of one, two?',
    ],
    [
      'a foreign address',
      'nodes:\n  a: { addresses: { lan: 10.9.0.1 } }\n',
      'lab.yml:2:26: nodes.a.addresses.lan: 10.9.0.1 is not in 10.0.0.0/24',
    ],
    [
      'an address twice',
      'nodes:\n  a: { addresses: { lan: 10.0.0.7 } }\n  b: { addresses: { lan: 10.0.0.7 } }\n',
      'lab.yml:3:26: nodes.b.addresses.lan: 10.0.0.7 is already taken by a',
    ],
    [
      'the broadcast address',
      'nodes:\n  a: { addresses: { lan: 10.0.0.255 } }\n',
      'lab.yml:2:26: nodes.a.addresses.lan: 10.0.0.255 is the broadcast address',
    ],
    [
      'an address of no network of the node',
      'networks: { lan: {}, two: {} }\nnodes:\n  a: { networks: [lan], addresses: { two: 10.0.1.7 } }\n',
      'lab.yml:3:38: nodes.a.addresses.two: a is not on a network "two"',
    ],
    [
      'a full network',
      'networks: { lan: { prefix: 10.0.0.0/30 } }\nnodes: { a: {}, b: {}, c: {} }\n',
      'lab.yml:1:18: networks.lan: no address of 10.0.0.0/30 left for c',
    ],
    [
      'no such program',
      'nodes:\n  a: { run: node nothere.js }\n',
      'lab.yml:2:13: nodes.a.run: no program FOLDER/nothere.js',
    ],
    ['no such folder', 'nodes:\n  a: { cwd: nothere }\n', 'lab.yml:2:13: nodes.a.cwd: no folder FOLDER/nothere'],
    [
      'a folder of its own beside a kernel',
      'nodes:\n  a: { run: node other.js, cwd: sub, placement: beside }\n',
      'lab.yml:2:33: nodes.a.cwd: a folder that is not that of the lab file: only with "placement: process"',
    ],
    [
      'a flag of a process beside a kernel',
      'nodes:\n  a: { run: node --expose-gc db.js, placement: beside }\n',
      'lab.yml:2:13: nodes.a.run: node --expose-gc: only with "placement: process"',
    ],
    [
      'a variable of a process beside a kernel',
      'nodes:\n  a: { run: node db.js, env: { PORT: 80, TZ: Asia/Tokyo }, placement: beside }\n',
      'lab.yml:2:46: nodes.a.env.TZ: read once per process: only with "placement: process"',
    ],
    [
      'a flag of a process in NODE_OPTIONS beside a kernel',
      'nodes:\n  a: { run: node db.js, env: { NODE_OPTIONS: --no-warnings --title=x }, placement: beside }\n',
      'lab.yml:2:46: nodes.a.env.NODE_OPTIONS: --title=x: only with "placement: process"',
    ],
    [
      'another language beside a kernel',
      'nodes:\n  a: { run: sh x.sh, placement: beside }\n',
      'lab.yml:2:13: nodes.a.run: \'sh\': a program that is not Node runs only with "placement: process"',
    ],
    [
      'a program that no shell would find',
      'nodes:\n  a: { run: no-such-thing x, placement: process }\n',
      'lab.yml:2:13: nodes.a.run: no program no-such-thing',
    ],
    [
      'a program of the folder that is not there',
      'nodes:\n  a: { run: ./server, placement: process, env: { PATH: /bin } }\n',
      'lab.yml:2:13: nodes.a.run: no program ./server',
    ],
    [
      'an inspector of a program that has none',
      'nodes:\n  a: { run: sh x.sh, placement: process, inspect: true }\n',
      'lab.yml:2:51: nodes.a.inspect: only Node has one',
    ],
    [
      'a shell',
      'nodes:\n  a: { run: node a.js | tee x }\n',
      "lab.yml:2:13: nodes.a.run: '|': there is no shell here (quote it if it is meant literally)",
    ],
    [
      'an unknown dependency',
      'nodes:\n  a: { run: node db.js, depends_on: [bb] }\n  b: {}\n',
      'lab.yml:2:38: nodes.a.depends_on.bb: no node "bb"; did you mean b?',
    ],
    [
      'a circle',
      'nodes:\n  a: { run: node db.js, depends_on: [b] }\n  b: { run: node db.js, depends_on: [a] }\n',
      'lab.yml:2:37: nodes.a.depends_on: a waits for b waits for a: none of them could start',
    ],
    [
      'waiting for a port of nobody',
      'nodes:\n  a: { run: node db.js, depends_on: { b: listening } }\n  b: {}\n',
      'lab.yml:2:42: nodes.a.depends_on.b: b runs no program',
    ],
    [
      'a time without unit',
      'nodes: { a: {} }\nchecks:\n  - { at: "3", ping: a, from: a }\n',
      'lab.yml:3:11: checks[0].at: expected a time with its unit, such as 20ms or 5s, not "3"',
    ],
    [
      'a check of nothing',
      'nodes: { a: {} }\nchecks:\n  - { at: 3s }\n',
      'lab.yml:3:5: checks[0]: exactly one of http, tcp, ping, state, metric is needed',
    ],
    [
      'a check from nobody',
      'nodes: { a: {} }\nchecks:\n  - { ping: a }\n',
      'lab.yml:3:5: checks[0]: missing "from": which node asks?',
    ],
    [
      'a check of an unknown host',
      'nodes: { a: {} }\nchecks:\n  - { http: "http://b/", from: a }\n',
      'lab.yml:3:13: checks[0].http: no host "b"; there are a',
    ],
    ['too little memory', 'nodes:\n  a: { heap: 1KiB }\n', 'lab.yml:2:14: nodes.a.heap: a program needs at least 4MiB'],
    [
      'too little memory of a kernel',
      'nodes:\n  a: { memory: 1000KiB }\n',
      'lab.yml:2:16: nodes.a.memory: a kernel needs at least 1MiB',
    ],
    [
      'more memory of kernels than a lab has',
      'defaults: { node: { memory: 300MiB } }\nnodes:\n  a: {}\n  b: {}\n  c: {}\n  d: { memory: 4MiB }\n',
      'lab.yml:5:6: nodes.c.memory: 168MiB of the 768MiB that all kernels share are left',
    ],
    [
      'memory of a kernel without a unit that there is',
      'nodes:\n  a: { memory: 8MIB }\n',
      'lab.yml:2:16: nodes.a.memory: expected a size, such as 64KiB, not "8MIB"',
    ],
  ])('%s', (_name, text, message) => {
    expect(problem(text)).toBe(message);
  });

  it('ends lists without end', () => {
    expect(problem('['.repeat(100_000))).toMatch(/^lab\.yml:1:\d+: nested too deep$/);
  });

  it('finds all problems, first the first', () => {
    const text = 'networks: { lan: { mtu: 1 } }\nnodes: { a: { kind: x }, b: { run: 7 } }\n';
    try {
      plan(text);
      throw new Error('accepted');
    } catch (error) {
      const lines = (error as LabFileError).problems.map(({ line, column }) => `${line}:${column}`);
      expect(lines).toEqual(['1:25', '2:21', '2:36']);
    }
  });
});

describe('plan', () => {
  it('gives out addresses, MACs and ports in file order', () => {
    const { nodes, networks } = plan(SHOP);
    const table = nodes.flatMap((node) =>
      node.interfaces.map((i) => [
        node.name,
        i.name,
        networks[i.network]?.name,
        i.port,
        i.mac,
        ...i.addresses.map((a) => a.address),
      ]),
    );
    expect(table).toEqual([
      ['client', 'eth0', 'front', 0, '02:6d:6b:00:01:00', '10.0.0.10'],
      ['gw', 'eth0', 'front', 1, '02:6d:6b:00:02:00', '10.0.0.1'],
      ['gw', 'eth1', 'back', 0, '02:6d:6b:00:02:01', '10.0.1.1'],
      ['api', 'eth0', 'back', 1, '02:6d:6b:00:03:00', '10.0.1.10'],
      ['db', 'eth0', 'back', 2, '02:6d:6b:00:04:00', '10.0.1.11'],
    ]);
    expect(networks.map((network) => network.ports)).toEqual([
      ['client', 'gw'],
      ['gw', 'api', 'db'],
    ]);
  });

  it('takes programs apart and finds their files', () => {
    const { nodes, name, domain } = plan(SHOP);
    expect([name, domain]).toEqual(['shop', 'shop.lan']);
    expect(nodes[0]?.program).toEqual({
      text: 'node server.js --fast',
      executable: null,
      script: join(folder, 'server.js'),
      nodeFlags: [],
      argv: ['--fast'],
      cwd: folder,
    });
    expect(nodes[2]?.program).toMatchObject({ nodeFlags: ['--max-old-space-size=64'], argv: ['a b'] });
    expect(nodes[3]).toMatchObject({ env: { PORT: '80' }, memoryBytes: 8388608, programHeapBytes: 67108864 });
    expect(nodes[3]?.program?.script).toBe(join(folder, 'db.js'));
  });

  it('places programs that need a process as processes, and others as the file or the machine says', () => {
    const { nodes } = plan(`
nodes:
  flag: { run: node --expose-gc db.js }
  folder: { run: node other.js, cwd: sub }
  variable: { run: node db.js, env: { TZ: Asia/Tokyo } }
  inspector: { run: node db.js, inspect: true }
  other: { run: sh db.js }
  plain: { run: node db.js }
  named: { run: node db.js, placement: beside }
`);
    const needed = ['process', 'settings that only a process has'];
    const { placement, reason } = choosePlacement(6);
    expect(nodes.map((node) => [node.placement, node.placementReason])).toEqual([
      ...Array.from({ length: 5 }, () => needed),
      [placement, reason],
      ['beside', null],
    ]);
  });

  it('routes nodes over the nearest router, and routers to networks behind others', () => {
    const { nodes } = plan(`
networks: { a: {}, b: {}, c: {} }
nodes:
  x: { networks: [a] }
  r1: { kind: router, networks: [a, b] }
  y: { networks: [b] }
  r2: { kind: router, networks: [b, c] }
  z: { networks: [c, a] }
`);
    const routes = Object.fromEntries(
      nodes.map((node) => [node.name, node.routes.map((r) => `${r.destination}/${r.prefixLength} ${r.gateway}`)]),
    );
    expect(routes).toEqual({
      x: ['0.0.0.0/0 10.0.0.1'],
      r1: ['10.0.2.0/24 10.0.1.2'],
      y: ['0.0.0.0/0 10.0.1.1', '10.0.2.0/24 10.0.1.2'],
      r2: ['10.0.0.0/24 10.0.1.1'],
      z: ['0.0.0.0/0 10.0.2.1'],
    });
  });

  it('names nodes alone and in the domains, near addresses first', () => {
    const lab = plan(
      'name: t\nnetworks: { a: {}, b: { dns: b.lan } }\nnodes:\n  r: { kind: router, networks: [a, b] }\n  y: { networks: [b] }\n',
    );
    expect(hostsFor(lab, lab.nodes[1] ?? null)).toEqual({
      r: ['10.0.1.1', '10.0.0.1'],
      'r.t.lan': ['10.0.1.1', '10.0.0.1'],
      'r.b.lan': ['10.0.1.1'],
      y: ['10.0.1.10'],
      'y.t.lan': ['10.0.1.10'],
      'y.b.lan': ['10.0.1.10'],
    });
    expect(hostsFor(lab, null).r).toEqual(['10.0.0.1', '10.0.1.1']);
  });

  it('goes around fixed addresses and given prefixes', () => {
    const { nodes, networks } = plan(`
networks: { a: {}, b: { prefix: 10.0.0.0/23 }, c: { prefix: 192.168.7.0/29 } }
nodes:
  p: { networks: [c] }
  q: { networks: [a, c] }
  r: { networks: [b, c], addresses: { c: 192.168.7.1 } }
  s: { networks: [b], addresses: { b: 10.0.0.10/23 } }
`);
    expect(networks[0]?.prefix).toEqual({ network: 0x0a000200, length: 24 });
    const addresses = nodes.map((node) =>
      node.interfaces.map((i) => i.addresses.map((a) => a.address).join(' ')).join(' '),
    );
    expect(addresses).toEqual(['192.168.7.2', '10.0.2.10 192.168.7.3', '10.0.0.11 192.168.7.1', '10.0.0.10']);
  });

  it('gives addresses and routes of both families, with one host part where that is free', () => {
    const lab = plan(`
name: t
networks:
  a: { prefix: [10.0.0.0/24, "fd00:0:0:a::/64"] }
  b: { prefix: fd00:0:0:b::/64 }
  c: { prefix: 10.0.2.0/24 }
nodes:
  x: { networks: [a], addresses: { a: 10.0.0.77 } }
  y: { networks: [a], addresses: { a: ["fd00:0:0:a::b", 10.0.0.30] } }
  z: { networks: [a] }
  w: { networks: [a] }
  r: { kind: router, networks: [a, b, c] }
  s: { networks: [b] }
  t: { networks: [c] }
`);
    const table = lab.nodes.map((node) => [
      node.name,
      node.interfaces.flatMap((i) => i.addresses.map((a) => `${a.address}/${a.prefixLength}`)).join(' '),
      ...node.routes.map((r) => `${r.destination}/${r.prefixLength} ${r.gateway}`),
    ]);
    expect(table).toEqual([
      ['x', '10.0.0.77/24 fd00:0:0:a::4d/64', '0.0.0.0/0 10.0.0.1', '::/0 fd00:0:0:a::1'],
      ['y', '10.0.0.30/24 fd00:0:0:a::b/64', '0.0.0.0/0 10.0.0.1', '::/0 fd00:0:0:a::1'],
      ['z', '10.0.0.10/24 fd00:0:0:a::a/64', '0.0.0.0/0 10.0.0.1', '::/0 fd00:0:0:a::1'],
      ['w', '10.0.0.11/24 fd00:0:0:a::c/64', '0.0.0.0/0 10.0.0.1', '::/0 fd00:0:0:a::1'],
      ['r', '10.0.0.1/24 fd00:0:0:a::1/64 fd00:0:0:b::1/64 10.0.2.1/24'],
      ['s', 'fd00:0:0:b::a/64', '::/0 fd00:0:0:b::1'],
      ['t', '10.0.2.10/24', '0.0.0.0/0 10.0.2.1'],
    ]);
    const [x, , , , , s, t] = lab.nodes;
    expect(hostsFor(lab, x ?? null).r).toEqual(['10.0.0.1', 'fd00:0:0:a::1', 'fd00:0:0:b::1', '10.0.2.1']);
    expect(hostsFor(lab, s ?? null)['x.t.lan']).toEqual(['fd00:0:0:a::4d', '10.0.0.77']);
    expect(hostsFor(lab, t ?? null).x).toEqual(['10.0.0.77', 'fd00:0:0:a::4d']);
    expect(hostsFor(lab, null).s).toEqual(['fd00:0:0:b::a']);
  });

  it('needs nothing but nodes, and takes its name from the folder', () => {
    const lab = plan(
      'nodes:\n  a:\n  b:\ndefaults: { network: { mtu: 9000 }, node: { env: { X: 1 } } }\n',
      '/somewhere/My Shop!/multikernel.yml',
    );
    expect(lab.name).toBe('my-shop');
    expect(lab.networks).toMatchObject([{ name: 'lan', mtuBytes: 9000, full: 'wait' }]);
    expect(lab.nodes.map((node) => node.env)).toEqual([{ X: '1' }, { X: '1' }]);
  });
});

describe('YAML', () => {
  it('keeps every name, whatever it means to JavaScript', () => {
    const { nodes, networks } = plan(`
networks: { prototype: {}, constructor: {} }
defaults: { node: { env: { __proto__: of-all, tostring: "1" } } }
nodes:
  prototype: { networks: [prototype], env: { prototype: a, constructor: b, __proto__: c } }
  constructor: { networks: [constructor], addresses: { constructor: 10.0.1.7 }, depends_on: { prototype: running } }
  other: { networks: [prototype], sysctl: { constructor: 1, __proto__: 2, prototype: 3 } }
`);
    expect(networks.map(({ name }) => name)).toEqual(['prototype', 'constructor']);
    expect(nodes.map(({ name, env }) => [name, ...Object.entries(env).map((pair) => pair.join('='))])).toEqual([
      ['prototype', '__proto__=c', 'tostring=1', 'prototype=a', 'constructor=b'],
      ['constructor', '__proto__=of-all', 'tostring=1'],
      ['other', '__proto__=of-all', 'tostring=1'],
    ]);
    expect(nodes[1]).toMatchObject({ dependsOn: [{ node: 'prototype', state: 'running' }] });
    expect(nodes[1]?.interfaces[0]?.addresses[0]?.address).toBe('10.0.1.7');
    expect(nodes[2]?.sysctl).toEqual([
      ['constructor', 1],
      ['__proto__', 2],
      ['prototype', 3],
    ]);
  });

  it('gives variables as they are written', () => {
    const { nodes } = plan(`
defaults: { node: { env: { RATE: 1.50 } } }
nodes:
  a: &a { env: { VERSION: 1.10, PIN: 007, ID: 12345678901234567890, HEX: 0xFF, E: 1e3, T: True, S: "007", 010: x, 1.0: y } }
  b: *a
  c: { <<: *a }
  d: { env: { <<: { N: +.50 }, M: .inf, Z: -0 } }
`);
    const a = {
      RATE: '1.50',
      VERSION: '1.10',
      PIN: '007',
      ID: '12345678901234567890',
      HEX: '0xFF',
      E: '1e3',
      T: 'True',
      S: '007',
      '010': 'x',
      '1.0': 'y',
    };
    expect(nodes.map(({ env }) => env)).toEqual([a, a, a, { RATE: '1.50', N: '+.50', M: '.inf', Z: '-0' }]);
  });

  it('has as many aliases as people write', () => {
    const names = Array.from({ length: 200 }, (_, i) => `n${i + 1}`);
    const { nodes } = plan(
      `nodes:\n  n0: &w { run: node db, env: { A: 1 } }\n${names.map((n) => `  ${n}: *w\n`).join('')}`,
    );
    expect(nodes).toHaveLength(201);
    expect(nodes[200]).toMatchObject({ name: 'n200', env: { A: '1' }, program: { text: 'node db' } });
  });

  it('merges maps: own keys win, then the first source', () => {
    const { nodes } = plan(`
nodes:
  a: &a { kind: router, env: { X: a } }
  b: &b { kind: node, env: { X: b }, cwd: sub }
  c: { <<: [*a, *b], env: { X: c } }
`);
    expect(nodes[2]).toMatchObject({ kind: 'router', env: { X: 'c' } });
  });

  it('may begin with a byte order mark', () => {
    expect(plan('\ufeffnodes: { a: {} }\n').nodes.map(({ name }) => name)).toEqual(['a']);
    expect(problem('\ufeffnodes: { A: {} }\n')).toMatch(/^lab\.yml:1:10: nodes\.A: /);
  });
});

describe('an object', () => {
  it('is checked as a file is', () => {
    const refusal = (value: unknown): string => {
      try {
        checkLab(value, 'lab');
      } catch (error) {
        return (error as LabFileError).message;
      }
      throw new Error('accepted');
    };
    expect(refusal({ nodes: { localhost: {} } })).toBe(
      'lab: nodes.localhost: every node is called localhost by itself; another name is needed',
    );
    expect(refusal({ nodes: { a: { env: { N: 10n } } } })).toBe(
      'lab: nodes.a.env.N: expected a text, a number, true or false, not 10',
    );
    expect(checkLab({ nodes: { constructor: { env: { PORT: 80 } } } }, 'lab').nodes).toMatchObject([
      { name: 'constructor', env: { PORT: '80' } },
    ]);
  });
});

describe('schema', () => {
  it('is published as docs/generated/multikernel.schema.json (vitest -u writes it)', async () => {
    const schema = toJsonSchema(LAB_SCHEMA, { errorMode: 'ignore', typeMode: 'input' });
    const titled = { title: 'multikernel.yml', description: 'A lab of kernels and networks (multikernel)', ...schema };
    const file = '../../docs/generated/multikernel.schema.json';
    await expect(`${JSON.stringify(titled, null, 2)}\n`).toMatchFileSnapshot(file);
  });

  it('is the form in which the examples are written', () => {
    expect(plan(SHOP).checks).toEqual([
      {
        kind: 'http',
        target: 'http://api.shop.lan/',
        atMs: 3000,
        withinMs: 10000,
        from: 'client',
        of: null,
        above: null,
        below: null,
        expect: null,
        body: null,
      },
      {
        kind: 'state',
        target: 'db',
        atMs: null,
        withinMs: 1500,
        from: null,
        of: null,
        above: null,
        below: null,
        expect: 'listening:80',
        body: null,
      },
    ]);
  });
});
