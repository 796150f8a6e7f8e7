/** `mk help [COMMAND | file]`. Thread: the command's. */

import { Command } from 'commander';
import { CommandFailure } from './failure.ts';
import { output } from './output.ts';

const FILE_HELP = `The lab file, multikernel.yml:

  name: shop                       # default: the folder's name
  domain: shop.lan                 # nodes are also called NODE.DOMAIN; default: NAME.lan
  networks:                        # Ethernet segments; default: one called lan
    front: { prefix: 10.0.0.0/24 } # default: the next free 10.0.N.0/24
    both: { prefix: [10.0.8.0/24, "fd00:0:0:8::/64"] }   # IPv6 runs where there is an IPv6 prefix
    back: { mtu: 9000, ring: 1MiB, full: drop, offload: false }
    office: { on: front, vlan: 10 }                       # a VLAN of front; nodes name it as any network
  nodes:
    client: { run: node client.js, networks: [front], depends_on: { api: listening:80 } }
    api: { run: "node --enable-source-maps server.js --fast", networks: [back], env: { LEVEL: info }, heap: 128MiB }
    flaky: { run: node flaky.js, networks: [back], restart: on-failure }  # or on-failure:5, always; default: no
    jobs: { run: node jobs.js, networks: [back], inspect: true }          # with Node's inspector, on the host's loopback
    cron: { run: python3 cron.py, networks: [back] }                  # not Node: it has the host's network
    web: { run: node web.js, networks: [front], ports: ["8080:80"] }   # 127.0.0.1:8080 of the host leads to its port 80
    gw: { kind: router, networks: [front, back] }
    sw: { kind: bridge, networks: [front, front], bridge: { priority: 4096, max_age: 6s } }   # two ports on one network
  links:                           # what is wrong with them: docs/faults.md
    - { endpoints: [client, gw], impair: { delay: 40ms, jitter: 5ms, loss: 2%, up: { rate: 1mbit, queue: 64KiB } } }
    - { endpoints: [api, back], impair: { burst: { enter: 1%, leave: 25% }, corrupt: 0.1%, duplicate: 1%, reorder: 5% } }
    - { endpoints: ["api:eth1", "jobs:eth1"], prefix: 10.9.0.0/30 }   # a cable of their own
  tunnels:                         # gif; what lies behind the other end goes through it, or what "routes" says
    - { endpoints: [gw, web], prefix: 10.99.0.0/30, routes: { web: [back] } }
  timeline:                        # after the lab is up
    - { at: 5s, break: [[client, jobs], api], how: reject, one_way: true }
    - { at: 9s, heal: all }
    - { at: 9s, netem: [client, gw], impair: none }
    - { at: 12s, pause: jobs }     # also resume, kill, stop, start, restart, power_off; run: "node load.js", on: NODE
  hosts:                           # services of the host as machines of the lab; nothing else of the host is reached
    pg: { to: "host:5432", networks: [back] }                         # with one network: pg: "host:5432"
    api.example.org: { to: "host:api.example.org:443", networks: [back] }
  defaults: { node: { env: { TZ: UTC } }, network: { mtu: 1500 } }
  checks:                          # mk up exits with 1 when one does not hold
    - { within: 5s, http: "http://api/health", from: client, expect: 200, body: ok }
    - { within: 5s, tcp: "api:80", from: client }
    - { at: 3s, ping: api, from: client }
    - { at: 3s, state: api, expect: listening:80 }
    - { at: 4s, metric: requests/s, of: client, above: 10 }

Addresses, MACs, names and routes are given out in file order, so they are the same on every machine: routers take the
first addresses of a network, other nodes begin at .10, or ::a; a node has the same host part in both families. Units: 20ms, 5s, 64KiB. The JSON Schema for editors is
docs/generated/multikernel.schema.json in the package.
`;

export function helpCommand(program: Command): Command {
  return new Command('help')
    .summary('explain a command, or the lab file (mk help file)')
    .argument('[topic]', 'a command, or "file"')
    .action((topic: string | undefined) => {
      if (topic === undefined) {
        output.write(program.helpInformation());
        return;
      }
      if (topic === 'file') {
        output.write(FILE_HELP);
        return;
      }
      const command = program.commands.find((candidate) => candidate.name() === topic);
      if (command === undefined) throw new CommandFailure(`no command ${topic}; mk help lists them`);
      command.outputHelp();
    });
}
