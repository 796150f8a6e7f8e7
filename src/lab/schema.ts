/**
 * The shape of `multikernel.yml`, and of the object that `lab()` takes: one valibot schema, from which the JSON Schema that
 * editors use (docs/generated/multikernel.schema.json) is derived.
 *
 * Thread: any. Read first: config.ts. planner.ts checks all that a shape cannot say: names that must exist,
 * addresses that must fit.
 */

import { isIP } from 'node:net';
import * as v from 'valibot';
import { bridge } from './bridge-schema.ts';
import type { LabOptions } from './config.ts';
import { KERNEL_BYTES_MIN } from './kernel-bytes.ts';
import { link, tunnel } from './link-schema.ts';
import { parsePort, parseService } from './port-text.ts';
import { parseProgramCommand } from './program-command.ts';
import { sizeBytes } from './quantity.ts';
import { record } from './record-schema.ts';
import { parseRestart } from './restart-policy.ts';
import { domain, duration, expected, flag, integer, map, name, nodeName, oneOf, size, text } from './schema-parts.ts';
import { timelineEntry } from './timeline-schema.ts';

const HEAP_BYTES_MIN = 4 * 1024 * 1024;
const memory = v.optional(
  v.pipe(
    size,
    v.check((s) => !(sizeBytes(String(s)) < KERNEL_BYTES_MIN), 'a kernel needs at least 1MiB'),
    v.description(
      'memory of the kernel for all that its sockets hold and for packets that wait, e.g. 8MiB; default: 64MiB, or its part of 768MiB; when it is used up, TCP windows close and writes wait',
    ),
  ),
);
const RING_BYTES_MIN = 64 * 1024;
const RING_BYTES_MAX = 64 * 1024 * 1024;

const networkEntries = {
  prefix: v.optional(
    v.pipe(
      v.union(
        [v.string(), v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(2))],
        expected('a prefix such as 10.0.0.0/24 or fd00:0:0:1::/64, or a list of one of each'),
      ),
      v.description(
        'IPv4 prefix, e.g. 10.0.0.0/24, IPv6 prefix, e.g. fd00:0:0:1::/64, or a list of one of each; default: the next free 10.0.N.0/24 in file order. Nodes without an IPv6 prefix on any network speak no IPv6 (but ::1), unless their sysctl sets net.inet6.ip6.enable to 1',
      ),
    ),
  ),
  mtu: v.optional(v.pipe(integer(576, 65521), v.description('largest IP packet in bytes, default 1500'))),
  ring: v.optional(
    v.pipe(
      size,
      v.check((s) => sizeBytes(String(s)) >= RING_BYTES_MIN, 'a ring needs at least 64KiB'),
      v.check((s) => sizeBytes(String(s)) <= RING_BYTES_MAX, 'a ring has at most 64MiB'),
      v.description('buffer of each directed channel between two kernels, e.g. 1MiB; at least 64KiB'),
    ),
  ),
  full: v.optional(
    v.pipe(oneOf('wait', 'drop'), v.description('when a ring is full: back-pressure (default) or a counted drop')),
  ),
  offload: v.optional(
    v.pipe(
      flag,
      v.description(
        'leave checksums and segments of up to 64 KiB to the link (default); false: packets of at most mtu',
      ),
    ),
  ),
  dns: v.optional(v.pipe(domain, v.description("domain of the names on this network, besides the lab's own"))),
};
const network = v.pipe(
  map({
    ...networkEntries,
    vlan: v.optional(
      v.pipe(
        integer(1, 4094),
        v.description('it is a VLAN of the network that "on" names: the tag of its frames (IEEE 802.1Q), 1 to 4094'),
      ),
    ),
    on: v.optional(
      v.pipe(name, v.description('the network whose wires carry this VLAN, or a VLAN again (QinQ); with "vlan"')),
    ),
  }),
  v.check((n) => (n.vlan === undefined) === (n.on === undefined), 'a VLAN needs both "vlan" and "on"'),
  v.check(
    (n) => n.on === undefined || (n.ring ?? n.full ?? n.offload) === undefined,
    'a VLAN has "ring", "full" and "offload" of the network that it is on',
  ),
);

const run = v.pipe(
  text('a program, as in "node server.js"'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const command = parseProgramCommand(dataset.value);
    if (typeof command === 'string') addIssue({ message: command });
  }),
);

const port = v.pipe(
  v.union([v.string(), v.number()], expected('a port such as "8080:80"')),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const parsed = parsePort(String(dataset.value));
    if (typeof parsed === 'string') addIssue({ message: parsed });
  }),
);

const service = v.pipe(
  v.string(expected('a service such as "host:5432"')),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const parsed = parseService(dataset.value);
    if (typeof parsed === 'string') addIssue({ message: parsed });
  }),
);
const services = v.union(
  [service, v.pipe(v.array(service), v.minLength(1, 'at least one service is needed'))],
  expected('a service such as "host:5432", or a list of them'),
);
const hostName = v.pipe(
  domain,
  v.check((n) => n !== 'localhost' && isIP(n) === 0, 'a name such as db or api.example.org is needed'),
);

const STATE_TEXT = '"running", "listening", "listening:PORT" or "exited"';
const dependencyState = v.pipe(
  v.string(expected(STATE_TEXT)),
  v.regex(/^(running|listening(:\d{1,5})?|exited(:\d{1,3})?)$/, expected(STATE_TEXT)),
);

const RESTART_TEXT = 'no, on-failure, on-failure:5 or always';

const node = map({
  kind: v.optional(
    v.pipe(
      oneOf('node', 'router', 'bridge'),
      v.description(
        '"node" (default), "router", which forwards, or "bridge", which passes frames between its networks: they share one prefix',
      ),
    ),
  ),
  run: v.optional(
    v.pipe(
      run,
      v.description(
        "node [flags] script [arguments], or, as a process, any program [arguments], which has the host's network; without it the kernel runs alone",
      ),
    ),
  ),
  placement: v.optional(
    v.pipe(
      oneOf('process', 'beside'),
      v.description(
        'where the program runs: as a "process" of its own, or "beside" its kernel, as a thread of the lab; default: chosen per machine (mk doctor says which and why), and always "process" for settings that only a process has',
      ),
    ),
  ),
  inspect: v.optional(
    v.pipe(
      v.union([v.boolean(), integer(1, 65535)], expected('true, false or a port')),
      v.description(
        "have Node's inspector listen on this port of the host's loopback, or, with true, on one that is free (mk ps shows it); of a process only",
      ),
    ),
  ),
  cwd: v.optional(
    v.pipe(
      text('a folder'),
      v.description("folder of the program; default: the lab file's, and no other for a program beside its kernel"),
    ),
  ),
  env: v.optional(
    v.pipe(
      record(
        v.string(),
        v.union([v.string(), v.number(), v.boolean()], expected('a text, a number, true or false')),
        expected('a map of variables'),
      ),
      v.description(
        'environment, on top of that of mk up; variables that are read once per process (TZ, LC_ALL, NODE_EXTRA_CA_CERTS) of a process only',
      ),
    ),
  ),
  networks: v.optional(
    v.pipe(
      v.array(name, expected('a list of networks')),
      v.minLength(1, 'at least one network is needed'),
      v.description(
        'networks it is on, eth0 first; one that is named twice has two of its interfaces; VLANs are vlan0, vlan1 ... over one interface on the network that carries them; may be left out when the lab has one network',
      ),
    ),
  ),
  addresses: v.optional(
    v.pipe(
      record(
        v.string(),
        v.union(
          [v.string(), v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(2))],
          expected('an address, or a list of one of each family'),
        ),
        expected('a map from network to address'),
      ),
      v.description(
        'fixed addresses by network or interface, IPv4, IPv6 or a list of both; default: allocated in file order',
      ),
    ),
  ),
  forwarding: v.optional(v.pipe(flag, v.description('whether it forwards packets; default: routers do'))),
  depends_on: v.optional(
    v.pipe(
      v.union(
        [v.array(name), record(v.string(), dependencyState, expected('a map of nodes'))],
        expected(`a list of nodes, or a map from node to ${STATE_TEXT}`),
      ),
      v.description('start the program once others are "running", "listening", "listening:PORT" or "exited"'),
    ),
  ),
  restart: v.optional(
    v.pipe(
      v.string(expected(RESTART_TEXT)),
      v.check((text) => parseRestart(text) !== null, expected(RESTART_TEXT)),
      v.description(
        'whether a program that ended is started again: no (default), on-failure (another exit code than 0), on-failure:5 (five times at most) or always; after 100 ms, each time twice as long up to a minute, and 100 ms again after a run of 10 s; not after mk stop, mk kill',
      ),
    ),
  ),
  memory,
  heap: v.optional(
    v.pipe(
      size,
      v.check((s) => !(sizeBytes(String(s)) < HEAP_BYTES_MIN), 'a program needs at least 4MiB'),
      v.description("limit of the program's heap, e.g. 256MiB"),
    ),
  ),
  ports: v.optional(
    v.pipe(
      v.array(port, expected('a list of ports')),
      v.description(
        'ports of the host that lead to ports of the node: 8080:80, 127.0.0.1:8080:80, 8080:80/udp, 80 (a free port, which mk ps shows); the address is 127.0.0.1 unless it is given',
      ),
    ),
  ),
  sysctl: v.optional(
    v.pipe(
      record(v.string(), integer(-0x8000_0000, 0x7fff_ffff), expected('a map from variable to number')),
      v.description('kernel variables set after boot, e.g. net.inet.ip.ttl: 32'),
    ),
  ),
  bridge: v.optional(v.pipe(bridge, v.description('settings of a node of kind "bridge", as of brconfig(8)'))),
});

const host = v.union(
  [
    services,
    map({
      to: v.pipe(
        services,
        v.description(
          'host:5432 (a port of the host itself), host:api.example.org:443 (of a name that the host reaches), 5432:host:15432 (at another port of the machine); TCP and UDP, or with /tcp or /udp behind it one of them; or a list',
        ),
      ),
      memory,
      networks: node.entries.networks,
      addresses: node.entries.addresses,
    }),
  ],
  expected('a service such as "host:5432", a list of them, or a map with "to"'),
);

const CHECK_KINDS = ['http', 'tcp', 'ping', 'state', 'metric'] as const;

const check = v.pipe(
  map({
    at: v.optional(v.pipe(duration, v.description('look once, this long after the lab is up'))),
    within: v.optional(v.pipe(duration, v.description('look until it holds, at most this long; default 10s'))),
    from: v.optional(v.pipe(name, v.description('the node that asks (http, tcp, ping)'))),
    http: v.optional(
      v.pipe(
        v.string(expected('a URL')),
        v.regex(/^http:\/\/[^\s/]+/, expected('a URL such as http://api/')),
        v.description('URL to get'),
      ),
    ),
    tcp: v.optional(
      v.pipe(
        v.string(expected('HOST:PORT')),
        v.regex(/^([^\s:]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/, expected('HOST:PORT')),
        v.description('HOST:PORT to connect to'),
      ),
    ),
    ping: v.optional(v.pipe(text('a host'), v.description('host to ping'))),
    state: v.optional(v.pipe(name, v.description('node whose state is looked at'))),
    metric: v.optional(
      v.pipe(
        text('a metric'),
        v.description('metric of the node "of": requests/s, p50, connections, retransmits, inFlight, or a counter'),
      ),
    ),
    of: v.optional(v.pipe(name, v.description('the node the metric belongs to'))),
    above: v.optional(v.pipe(v.number(expected('a number')), v.description('the metric must be above this'))),
    below: v.optional(v.pipe(v.number(expected('a number')), v.description('the metric must be below this'))),
    expect: v.optional(
      v.pipe(
        v.union([v.number(), v.string()], expected('a status or a state')),
        v.description('http: status (200); tcp: open, refused, timeout; ping: reply, none; state: e.g. listening:80'),
      ),
    ),
    body: v.optional(v.pipe(text('a text'), v.description('http: text that the body must contain'))),
  }),
  v.check(
    (c) => CHECK_KINDS.filter((kind) => c[kind] !== undefined).length === 1,
    'exactly one of http, tcp, ping, state, metric is needed',
  ),
  v.check((c) => c.at === undefined || c.within === undefined, '"at" or "within", not both'),
  v.check((c) => c.from !== undefined || (c.http ?? c.tcp ?? c.ping) === undefined, 'missing "from": which node asks?'),
  v.check((c) => c.metric === undefined || c.of !== undefined, 'missing "of": whose metric?'),
  v.check(
    (c) => c.metric === undefined || c.above !== undefined || c.below !== undefined,
    'missing "above" or "below"',
  ),
  v.check((c) => c.state === undefined || c.expect !== undefined, 'missing "expect": which state?'),
);

/** `LabOptions`, checked. */
export const LAB_SCHEMA: v.GenericSchema<LabOptions> = map({
  name: v.optional(v.pipe(name, v.description('name of the lab; default: the folder of the file'))),
  domain: v.optional(v.pipe(domain, v.description('nodes are also called NODE.DOMAIN; default: NAME.lan'))),
  seed: v.optional(
    v.pipe(integer(0, Number.MAX_SAFE_INTEGER), v.description('makes what is left to chance repeatable')),
  ),
  defaults: v.optional(
    v.pipe(
      map({ node: v.optional(node), network: v.optional(map(networkEntries)) }),
      v.description('values for every node and every network that does not say otherwise'),
    ),
  ),
  networks: v.optional(
    v.pipe(
      record(name, v.nullish(network, {}), expected('a map of networks')),
      v.description('Ethernet segments, and VLANs of them, by name; default: one called lan'),
    ),
  ),
  nodes: v.pipe(record(nodeName, v.nullish(node, {}), expected('a map of nodes')), v.description('kernels by name')),
  links: v.optional(
    v.pipe(
      v.array(link, expected('a list of links')),
      v.description('impaired links between two nodes, or of a node to a network, and cables of their own'),
    ),
  ),
  tunnels: v.optional(
    v.pipe(
      v.array(tunnel, expected('a list of tunnels')),
      v.description('tunnels between two nodes, gif(4): packets of one inside IP packets to the other'),
    ),
  ),
  timeline: v.optional(
    v.pipe(
      v.array(timelineEntry, expected('a list of things that happen')),
      v.description('faults that happen at times after the lab is up'),
    ),
  ),
  hosts: v.optional(
    v.pipe(
      record(hostName, host, expected('a map of hosts')),
      v.description(
        'services of the host by the names of the machines that stand for them, e.g. { db: "host:5432" }; nothing else of the host is reached',
      ),
    ),
  ),
  checks: v.optional(
    v.pipe(v.array(check, expected('a list of checks')), v.description('what must hold for mk up to exit with 0')),
  ),
}) as unknown as v.GenericSchema<LabOptions>;
