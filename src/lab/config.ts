/**
 * The lab as data: what `multikernel.yml` and `lab()` take ({@link LabOptions}), and the same with every default filled in
 * and every quantity a number ({@link LabConfig}).
 *
 * Thread: any; types only. The shape itself is schema.ts.
 */

import type { Impairment, JitterDistribution } from '../link/impairment.ts';
import type { PortConfig, ServiceConfig } from './port-text.ts';
import type { RestartPolicy } from './restart-policy.ts';

/** A network of a lab. */
export interface NetworkOptions {
  /**
   * IPv4 prefix, e.g. "10.0.0.0/24", IPv6 prefix, e.g. "fd00:0:0:1::/64", or one of each; default: the next free 10.0.N.0/24 in
   * file order.
   */
  prefix?: string | string[];
  /** Largest IP packet, 576 to 65521 bytes; default 1500. */
  mtu?: number;
  /** Buffer of each directed channel between two kernels, e.g. "1MiB"; default: what the number of kernels allows. */
  ring?: number | string;
  /** When a ring is full: "wait" (back-pressure, default) or "drop" (counted). */
  full?: 'wait' | 'drop';
  /**
   * Default true: checksums between kernels are vouched for, not computed, and TCP segments travel up to 64 KiB at a time, as
   * with virtual network cards. False: every frame is one packet of at most `mtu`, complete with its checksum.
   */
  offload?: boolean;
  /** Domain of the names on this network, besides the lab's own. */
  dns?: string;
  /** It is a VLAN of the network that `on` names: frames there have this tag (IEEE 802.1Q), 1 to 4094. */
  vlan?: number;
  /** The network whose wires carry this VLAN, or a VLAN again (QinQ). Rings, `full` and `offload` are those of that network. */
  on?: string;
}

/**
 * Place of a node's program: `process`, as a process of its own, on a kernel in a thread of the lab, which goes on while the
 * program computes or is gone; `beside`, as a thread of the lab, on whose event loop its kernel works.
 */
export type Placement = 'process' | 'beside';

/** A service of the host that a machine of the lab stands for. */
export interface HostOptions {
  /**
   * "host:5432": port 5432 of the host itself; "host:api.example.org:443": of a name that the host can reach; "5432:host:15432": at
   * another port of the machine. TCP and UDP, unless "/tcp" or "/udp" is behind it. Or several.
   */
  to: string | string[];
  /** Memory of its kernel, as that of a node. */
  memory?: number | string;
  /** Networks it is on; may be left out when the lab has one network. */
  networks?: string[];
  /** Fixed addresses by network, one of each family at most; default: allocated behind those of the nodes. */
  addresses?: Record<string, string | string[]>;
}

/** A node of a lab: a machine with its program. */
export interface NodeOptions {
  /**
   * "node" (default); "router": forwards, and takes the first addresses of its networks; "bridge": passes frames between its networks,
   * which have one prefix and one mtu then, and has no address.
   */
  kind?: 'node' | 'router' | 'bridge';
  /** Settings of a bridge. */
  bridge?: BridgeOptions;
  /**
   * `node [flags] script [arguments]`, or, as a process, any `program [arguments]`, which has the host's network; without it the
   * kernel runs alone.
   */
  run?: string;
  /**
   * Place of the program: as a "process" of its own, or "beside" its kernel, as a thread of the lab. Default: chosen per machine
   * (`mk doctor` says which and why); always a process for settings that only a process has.
   */
  placement?: Placement;
  /** Port of the host's loopback for Node's inspector; true: a free one. Only a process has one. */
  inspect?: boolean | number;
  /** Folder of the program; default: the lab file's, and no other beside a kernel. */
  cwd?: string;
  /** Environment, on top of that of `mk up`. A program beside its kernel has no variables of its own that are read once per process. */
  env?: Record<string, string | number | boolean>;
  /**
   * Networks it is on, eth0 first; may be left out when the lab has one network. A network that is named twice has two of its interfaces.
   * VLANs are vlan0, vlan1 ... over the interface on the network that carries them, of which there is one for all of them.
   */
  networks?: string[];
  /** Fixed addresses by network or interface, one of each family at most; default: allocated in file order. */
  addresses?: Record<string, string | string[]>;
  /** Whether it forwards packets; default: routers do. */
  forwarding?: boolean;
  /** Start the program once others are "running", "listening", "listening:PORT" or "exited". */
  depends_on?: string[] | Record<string, string>;
  /**
   * Whether a program that ended is started again: "no" (default), "on-failure" (another exit code than 0), "on-failure:5" (five times
   * at most), "always". After 100 ms, each time twice as long up to a minute, and 100 ms again after a run of 10 s.
   */
  restart?: string;
  /**
   * Memory of the kernel for all that its sockets hold and for packets that wait, 1MiB at least, e.g. "8MiB"; default: 64MiB, or its
   * part of 768MiB. When it is used up, TCP windows close and writes wait.
   */
  memory?: number | string;
  /** Limit of the program's heap, e.g. "256MiB". */
  heap?: number | string;
  /**
   * Ports of the host that lead to ports of the node, as in compose files: "8080:80", "127.0.0.1:8080:80", "80" (a free port), with
   * "/udp" behind it for UDP. The host's address is 127.0.0.1 unless it is given.
   */
  ports?: (string | number)[];
  /** Kernel variables set after boot, e.g. { "net.inet.ip.ttl": 32 }. */
  sysctl?: Record<string, number>;
}

/** Settings of a bridge, as of brconfig(8). Times are whole seconds. */
export interface BridgeOptions {
  /** Spanning tree; default: where bridges form a circle. */
  stp?: boolean;
  /** Priority of the bridge, 0 to 65535: the lowest becomes the root; default 32768. */
  priority?: number;
  /** Between two messages of the root, 1s to 10s; default 2s. The times of the root hold for all. */
  hello_time?: string;
  /** In each of the two states before a port forwards, 4s to 30s; default 4s. */
  forward_delay?: string;
  /** Life of what the root has said, 6s to 40s; default 20s. */
  max_age?: string;
  /** Stations that it remembers; default 65536. */
  max_addresses?: number;
  /** Life of a station that is not heard; 0s: for ever; default 20m. */
  timeout?: string;
  /** Stations that are known beforehand: by node or Ethernet address, the network or interface that they are behind. */
  static?: Record<string, string>;
  /** Settings of its ports, by network or interface. */
  ports?: Record<string, BridgePortOptions>;
}

/** Settings of a port of a bridge, as of brconfig(8). */
export interface BridgePortOptions {
  /** Whether it takes part in the spanning tree. */
  stp?: boolean;
  /** Among ports of one bridge on one network, 0 to 255; default 128. */
  priority?: number;
  /** Cost of the way to the root by this port, 1 to 65535; default 55. */
  cost?: number;
  /** Whether stations are learned; default true. */
  learn?: boolean;
  /** Whether frames to unknown stations leave by it; default true. */
  discover?: boolean;
  /** Protected ports pass nothing to each other; default false. */
  protected?: boolean;
}

/** A tunnel of a lab: packets of two nodes inside IP packets between them, by gif(4). */
export interface TunnelOptions {
  /** Its two ends: nodes, or interfaces of nodes (`gw1:eth1`), whose addresses its packets have. Default: those nearest to the other end. */
  endpoints: string[];
  /** Prefixes inside it; default: the next free 10.0.N.0/24. */
  prefix?: string | string[];
  /** Largest packet inside, 576 to 8192 bytes; default 1280. */
  mtu?: number;
  /** Family of the outer packets; default: IPv4 where both ends have it. */
  over?: 'ipv4' | 'ipv6';
  /**
   * By end, what it sends through the tunnel: networks, prefixes or "default". Default: all that lies behind the other end, and all that has
   * no other way.
   */
  routes?: Record<string, string[]>;
}

/** Values of one direction of a link, in tc's units. A share is a text ("2%") or a number below 1 (0.02). */
export interface LineOptions {
  /** Time that each packet takes, e.g. "40ms". */
  delay?: string;
  /** The delay varies by so much, e.g. "5ms"; packets keep their order. */
  jitter?: string;
  /** Shape of the jitter; default "uniform". */
  distribution?: JitterDistribution;
  /** Share of the packets that are lost. */
  loss?: string | number;
  /** Losses in bursts (Gilbert-Elliott): chances per packet to begin and to end one, and shares lost inside (100%) and outside (0%). */
  burst?: { enter: string | number; leave: string | number; inside?: string | number; outside?: string | number };
  /** Share of the packets that arrive twice. */
  duplicate?: string | number;
  /** One bit of the packet is turned over. */
  corrupt?: string | number;
  /** The packet skips the delay and overtakes others. */
  reorder?: string | number;
  /** Bits per second, e.g. "1mbit". */
  rate?: string;
  /** Limit of those that wait for the rate: packets (64, default 1000), or bytes ("64KiB"). */
  queue?: number | string;
}

/** Impairments of a link. */
export interface ImpairmentOptions extends LineOptions {
  /** The values hold both ways, each for itself (default). */
  both?: true;
  /** From the first endpoint to the second: true, only this way; or values of its own, on top of the common ones. */
  up?: true | LineOptions;
  /** From the second endpoint to the first. */
  down?: true | LineOptions;
}

/** A link of a lab, and its impairments. */
export interface LinkOptions {
  /**
   * Two nodes: the path between them on the networks that both are on. A node and a network: what the node sends there (up) and receives
   * from there (down). Two interfaces (`api:eth1`, `db:eth1`): a cable of their own, a network of two.
   */
  endpoints: string[];
  /** Values from when the lab comes up; default: nothing is wrong. */
  impair?: ImpairmentOptions;
  /** Prefixes of a cable; default: the next free 10.0.N.0/24. */
  prefix?: string | string[];
  /** Largest IP packet of a cable; default 1500. */
  mtu?: number;
}

/** One thing that happens. Exactly one of `break`, `heal`, `netem`, `kill`, `restart`, `start`, `stop`, `power_off`, `pause`, `resume`, `run`. */
export interface TimelineOptions {
  /** This long after the lab is up, e.g. "5s". */
  at: string;
  /** Nodes, or groups of nodes, that are cut from each other: two, or more, each from every other. */
  break?: (string | string[])[];
  /** break: only what the first side sends. */
  one_way?: boolean;
  /** break: silence (default), or answers as those of a firewall. */
  how?: 'blackhole' | 'reject';
  /** The partitions between groups of nodes, or all. */
  heal?: (string | string[])[] | 'all';
  /** A link, as in `links:`, or a node; with `impair`. */
  netem?: string | string[];
  /** Values on top of those that the link has; "none" takes all of them away. */
  impair?: ImpairmentOptions | 'none';
  /** Node whose program ends as by SIGKILL; its machine goes on. */
  kill?: string;
  /** Node that is switched off and on again. */
  restart?: string;
  /** Node whose program is started, and its machine where that is off. */
  start?: string;
  /** Node whose program is asked to end (SIGTERM), and ended later. */
  stop?: string;
  /** Node that is switched off, as by pulling the plug. */
  power_off?: string;
  /** Node whose program stands still, as by SIGSTOP; its machine goes on. */
  pause?: string;
  /** Node whose program goes on. */
  resume?: string;
  /** `node [flags] script [arguments]`, on the node `on`. */
  run?: string;
  /** run: the node. */
  on?: string;
}

/** One thing that must hold. Exactly one of `http`, `tcp`, `ping`, `state`, `metric`. */
export interface CheckOptions {
  /** Look once, this long after the lab is up; e.g. "3s". */
  at?: string;
  /** Look again and again, until it holds, at most this long; default "10s". */
  within?: string;
  /** The node that asks (http, tcp, ping). */
  from?: string;
  /** URL to get. */
  http?: string;
  /** HOST:PORT to connect to. */
  tcp?: string;
  /** Host to ping. */
  ping?: string;
  /** Node whose state is looked at. */
  state?: string;
  /** A metric of the node `of`: "requests/s", "p50", "connections", "retransmits", "inFlight", or a counter. */
  metric?: string;
  /** metric: the node. */
  of?: string;
  /** metric: the value must be greater. */
  above?: number;
  /** metric: the value must be less. */
  below?: number;
  /** http: the status (default 200); tcp: "open" (default), "refused", "timeout"; ping: "reply" (default), "none"; state: e.g. "listening:80", "exited:0". */
  expect?: number | string;
  /** http: text that the body must contain. */
  body?: string;
}

/** A lab, as its file says it: the keys of docs/generated/lab-file.md. */
export interface LabOptions {
  /** Name of the lab; default: the folder of the file. */
  name?: string;
  /** Nodes are also called NODE.DOMAIN; default: NAME.lan. */
  domain?: string;
  /** Makes what is left to chance in the lab repeatable. */
  seed?: number;
  /** Keys of every node and of every network that does not give them itself. */
  defaults?: { node?: NodeOptions; network?: NetworkOptions };
  /** Default: one network called "lan". */
  networks?: Record<string, NetworkOptions>;
  /** Machines by their names. */
  nodes: Record<string, NodeOptions>;
  /** Services of the host by the names of the machines that stand for them; nothing else of the host is reached. */
  hosts?: Record<string, string | string[] | HostOptions>;
  /** Links that are bad from the beginning, and cables. */
  links?: LinkOptions[];
  /** Tunnels between nodes. */
  tunnels?: TunnelOptions[];
  /** Things that happen at their times. */
  timeline?: TimelineOptions[];
  /** Things that must hold. */
  checks?: CheckOptions[];
}

/** Wires between all that are on it, a VLAN of one, or a tunnel. */
export type NetworkKind = 'ethernet' | 'vlan' | 'tunnel';

export interface NetworkConfig {
  name: string;
  /** Its keys in the file. */
  path: readonly (string | number)[];
  kind: NetworkKind;
  /** A VLAN: its tag, and the network that carries it; 0 and null otherwise. */
  vlan: number;
  on: string | null;
  /** As written: one of each family at most; null: an IPv4 prefix is to be allocated. */
  prefix: string | string[] | null;
  /** Null: that of the network that carries it. */
  mtuBytes: number | null;
  ringBytes: number | null;
  full: 'wait' | 'drop';
  offload: boolean;
  domain: string | null;
}

export interface Dependency {
  node: string;
  /** A state as `stateHolds` (state.ts) takes it. */
  state: string;
}

export interface NodeConfig {
  name: string;
  /** host: it stands for services of the host. */
  kind: 'node' | 'router' | 'bridge' | 'host';
  run: string | null;
  /** null: chosen by the plan. */
  placement: Placement | null;
  /** Port of the inspector; 0: a free one; null: there is none. */
  inspectPort: number | null;
  cwd: string | null;
  env: Record<string, string>;
  /** null: the only network of the lab. */
  networks: string[] | null;
  addresses: Record<string, string | string[]>;
  forwarding: boolean;
  /** Settings of a bridge; empty for others. */
  bridge: BridgeOptions;
  dependsOn: Dependency[];
  restart: RestartPolicy;
  /** Memory of the kernel; null: the default. */
  memoryBytes: number | null;
  /** Limit of the program's heap; null: Node's own. */
  programHeapBytes: number | null;
  ports: PortConfig[];
  /** Services that it stands for: none but of a host. */
  services: ServiceConfig[];
  sysctl: [name: string, value: number][];
}

export interface LinkConfig {
  endpoints: [string, string];
  up: Impairment;
  down: Impairment;
  prefix: string | string[] | null;
  mtuBytes: number;
}

export interface TunnelConfig {
  endpoints: [string, string];
  prefix: string | string[] | null;
  mtuBytes: number;
  over: 'ipv4' | 'ipv6' | null;
  routes: Record<string, string[]> | null;
}

export type CheckKind = 'http' | 'tcp' | 'ping' | 'state' | 'metric';

export interface CheckConfig {
  kind: CheckKind;
  /** The URL, HOST:PORT, host, node or metric. */
  target: string;
  atMs: number | null;
  withinMs: number;
  from: string | null;
  of: string | null;
  above: number | null;
  below: number | null;
  expect: string | null;
  body: string | null;
}

export interface LabConfig {
  name: string | null;
  domain: string | null;
  seed: number | null;
  networks: NetworkConfig[];
  nodes: NodeConfig[];
  links: LinkConfig[];
  tunnels: TunnelConfig[];
  timeline: TimelineOptions[];
  checks: CheckConfig[];
}
