/**
 * Operations of a running lab: the one list behind the façade, in the process of the lab and over its control socket.
 *
 * Thread: any; types, and one code. Requests of kernels are sys/control.ts.
 */

import type { Impairment } from '../link/impairment.ts';
import type { KernelClient, StreamHandle, StreamSink } from '../rump/kernel-client.ts';
import type { Placement } from './config.ts';

export type { StreamHandle, StreamSink } from '../rump/kernel-client.ts';

/**
 * booting: the kernel comes up; ready: it runs without a program; waiting: for other nodes; running: its program runs;
 * exited: the program ended (`exitCode`); crashed: an error ended it (`lastError`); restarting: it ended in one of these ways, and is
 * started again after a while; stopped: switched off.
 */
export type Phase = 'booting' | 'ready' | 'waiting' | 'running' | 'exited' | 'crashed' | 'restarting' | 'stopped';

/** An address of a node. */
export interface NodeAddress {
  /** Name of the interface, e.g. "eth0". */
  interface: string;
  /** Name of the network. */
  network: string;
  /** Address of either family. */
  address: string;
  /** Bits. */
  prefixLength: number;
  /** Ethernet address of the interface. */
  mac: string;
}

/** Time that a program has to end that is stopped, where nobody says another: docker's. */
export const STOP_GRACE_MS = 10_000;

/** Code of the error of a program whose heap was full, thread or process. */
export const OUT_OF_MEMORY = 'ERR_WORKER_OUT_OF_MEMORY';

/** An error that ended a program. */
export interface ProgramError {
  /** Class of the error, e.g. "TypeError". */
  name: string;
  /** First line of the error, without its class. */
  message: string;
  /** As Node gives it, e.g. EADDRINUSE, ERR_WORKER_OUT_OF_MEMORY; null when it has none. */
  code: string | null;
  /** Stack as Node prints it. */
  stack: string;
}

/** State of a node, as the lab knows it. */
export interface NodeStatus {
  /** Name in the lab file. */
  name: string;
  /** host: it stands for services of the host. */
  kind: 'node' | 'router' | 'bridge' | 'host';
  /** Addresses of its interfaces, in their order. */
  addresses: NodeAddress[];
  /** The command, or null when the kernel runs alone. */
  program: string | null;
  /** Place of the program; null without one. */
  placement: Placement | null;
  /** Reason of a placement that the lab file does not name; null: it does, or there is no program. */
  placementReason: string | null;
  /** See {@link Phase}. */
  phase: Phase;
  /** Ports on which its sockets listen (TCP) or are bound (UDP). */
  listening: { tcp: number[]; udp: number[] };
  /** Its program is not Node: it uses the host's network, and only Node programs that it starts use this machine's. */
  hostNetwork: boolean;
  /** Ports of the host that lead here. */
  ports: HostPortInfo[];
  /** Services of the host that lead from here. */
  services: ServiceInfo[];
  /** Node's inspector of the program, on the host's loopback; null: it does not listen. */
  inspectorUrl: string | null;
  /** Exit code of the program that ended, 1 after an error; null: it runs, or has not run. */
  exitCode: number | null;
  /** The error that ended the program; null: none did, or it runs again. */
  lastError: ProgramError | null;
  /** Times that its program was started again by the node's `restart`, since it was started by hand. */
  restarts: number;
  /** Conditions that have not come true, e.g. "db listening:80". */
  waitingFor: string[];
  /** All that in a few words, e.g. "running, listening :80". */
  state: string;
  /** Time of the last change of phase, milliseconds since 1970. */
  sinceMs: number;
}

/** A port of the host that leads to a node. */
export interface HostPortInfo {
  /** Address and port of the host. */
  address: string;
  /** Port of the host. */
  hostPort: number;
  /** Port of the node. */
  port: number;
  /** Transport of both ports. */
  protocol: 'tcp' | 'udp';
}

/** A service of the host that a machine of the lab stands for. */
export interface ServiceInfo {
  /** Port of the machine. */
  port: number;
  /** Transport of both ports. */
  protocol: 'tcp' | 'udp';
  /** Name or address as the host knows it, and port. */
  host: string;
  /** Port of the host. */
  hostPort: number;
}

/** A flow between the host and the lab that has ended: a connection, or datagrams between two sockets. */
export interface FlowInfo {
  /** From the host to a node (`ports:`, `mk forward`), or from a node to a service of the host (`hosts:`). */
  way: 'in' | 'out';
  /** Transport. */
  protocol: 'tcp' | 'udp';
  /** Node that has the port, or machine that stands for the service. */
  node: string;
  /** Client, e.g. "127.0.0.1:50412". */
  from: string;
  /** Server, e.g. "api:80". */
  to: string;
  /** Bytes of the client. */
  sentBytes: number;
  /** Bytes for the client. */
  receivedBytes: number;
  /** Milliseconds since 1970. */
  startedAtMs: number;
  /** Milliseconds from the beginning to the end. */
  durationMs: number;
  /** Code of the error that ended it, e.g. ECONNREFUSED; null: an orderly end. */
  error: string | null;
  /** Side of the error; null: an orderly end. */
  endedBy: 'client' | 'server' | null;
}

/** A partition: two sets of nodes that are cut from each other. */
export interface PartitionInfo {
  /** Name of the partition, by which it is healed. */
  id: string;
  /** Names of the nodes of the first side. */
  a: string[];
  /** Names of the nodes of the second side. */
  b: string[];
  /** Only what `a` sends to `b` is cut. */
  oneWay: boolean;
  /** Fate of the frames: they vanish, or are answered as a firewall does. */
  how: 'blackhole' | 'reject';
}

/** An impaired link: the path between two nodes on one network, or what a node sends to a network and receives from it (`b` null). */
export interface LinkInfo {
  /** Node at the first end. */
  a: string;
  /** Node at the second end; null: the network. */
  b: string | null;
  /** Interface of `a`. */
  aInterface: string;
  /** Interface of `b`; null: the network. */
  bInterface: string | null;
  /** Name of the network. */
  network: string;
  /** From `a` to `b`, or from `a` to the network; empty: nothing is wrong. */
  up: Impairment;
  /** From `b` to `a`, or from the network to `a`; empty: nothing is wrong. */
  down: Impairment;
}

/** A network of a lab. */
export interface NetworkInfo {
  /** Name in the lab file. */
  name: string;
  /** Wires between all that are on it, a VLAN of one, or a tunnel. */
  kind: 'ethernet' | 'vlan' | 'tunnel';
  /** Tag of a VLAN; null: it is none. */
  vlan: number | null;
  /** Network that carries a VLAN; null: it is none. */
  on: string | null;
  /** The first of `prefixes`; empty without. */
  prefix: string;
  /** IPv4, then IPv6: those it has; none where only VLANs are used. */
  prefixes: string[];
  /** Largest IP packet. */
  mtuBytes: number;
  /** Behaviour of a full ring: back-pressure, or a counted drop. */
  full: 'wait' | 'drop';
  /** Checksums and segmentation are left to the link. */
  offload: boolean;
  /** Nodes on it are also called NODE.DOMAIN. */
  domain: string | null;
  /** Names of the nodes on it, each once for each interface. */
  nodes: string[];
}

/** A running lab. */
export interface LabInfo {
  /** Name of the lab. */
  name: string;
  /** Domain of the names of its nodes. */
  domain: string;
  /** Path of the lab file; null for a lab of an object. */
  file: string | null;
  /** Seed of its chance; null: none was given. */
  seed: number | null;
  /** Process that runs it. */
  pid: number;
  /** Milliseconds since 1970. */
  startedAtMs: number;
  /** From the start until every kernel was up. */
  bootMs: number;
  /** Threads that run its kernels. */
  workers: number;
  /** Nodes in the order of the lab file. */
  nodes: NodeStatus[];
  /** Networks, cables among them. */
  networks: NetworkInfo[];
  /** Partitions that nobody healed yet. */
  partitions: PartitionInfo[];
  /** Impaired links. */
  links: LinkInfo[];
}

/** Activity of a node in the last interval, read from shared memory only. */
export interface NodeMetrics {
  /** Name of the node. */
  node: string;
  /** Its kernel runs; when it does not, connections are 0 and the rest is what it left. */
  up: boolean;
  /** HTTP exchanges finished per second: those it served, or those it made when it serves none; null: no HTTP seen. */
  requestsPerSec: number | null;
  /** Side of the exchanges counted in `requestsPerSec`; null: no HTTP seen. */
  role: 'server' | 'client' | null;
  /** Median duration in the interval; null when there was none. */
  p50Ms: number | null;
  /** 99th percentile of the duration in the interval; null when there was none. */
  p99Ms: number | null;
  /** Exchanges begun as a client and not finished. */
  inFlight: number;
  /** TCP connections now. */
  connections: number;
  /** Memory of buffers and waiting packets that is in use. */
  memoryBytes: number;
  /** Limit of that memory (`kern.memory_max`). */
  memoryMaxBytes: number;
  /** Segments retransmitted since the kernel came up. */
  retransmits: number;
  /** Segments retransmitted in the interval. */
  retransmitsInInterval: number;
  /** Frames received per second over all interfaces but lo0. */
  inPacketsPerSec: number;
  /** Frames sent per second over all interfaces but lo0. */
  outPacketsPerSec: number;
}

/** Activity of all nodes in one interval. */
export interface MetricsSample {
  /** Since the lab is up. */
  atMs: number;
  /** Nodes in the order of the lab file. */
  nodes: NodeMetrics[];
}

/** Counters of a kernel, of one of its interfaces or of its program. */
export interface CounterBlock {
  /** `NODE`, `NODE/eth0`, `NODE/program`. */
  name: string;
  /** Values by the names of the counters. */
  values: Record<string, number>;
}

/** A line of the log of a lab. */
export interface LogLine {
  /** Milliseconds since 1970. */
  atMs: number;
  /** Name of the node. */
  node: string;
  /** Output of the program, or a change of state of the node. */
  source: 'stdout' | 'stderr' | 'state';
  /** The line, without its end. */
  text: string;
}

/** State of one of the `checks:` of a lab. */
export interface CheckResult {
  /** Index in `checks:`, from 0. */
  index: number;
  /** The check in words, e.g. "http://api/ from client is 200". */
  title: string;
  /** pending: not decided yet. */
  state: 'pending' | 'passed' | 'failed';
  /** Why, for those that failed or are not yet passed. */
  reason: string;
  /** Time of the decision, milliseconds since the lab is up; null: pending. */
  atMs: number | null;
}

export interface RunOptions {
  node: string;
  script: string;
  argv: string[];
  nodeFlags: string[];
  env: Record<string, string>;
  cwd: string;
}

export interface LabRequests {
  info: { params: Record<never, never>; reply: LabInfo };
  /** The counter blocks of one node, or of all. */
  counters: { params: { node: string | null }; reply: CounterBlock[] };
  partition: { params: Omit<PartitionInfo, 'id'>; reply: PartitionInfo };
  /** By id, between two sets of nodes, or all (both null). */
  heal: { params: { id: string | null; between: { a: string[]; b: string[] } | null }; reply: PartitionInfo[] };
  /** Values of the links between two endpoints, or of all attachments of a node (`b` null), on top of those they have; `ways` null: none. */
  impair: {
    params: { a: string; b: string | null; ways: { up: Impairment; down: Impairment } | null };
    reply: LinkInfo[];
  };
  /** Nothing is impaired any more; the links that were. */
  resetLinks: { params: Record<never, never>; reply: LinkInfo[] };
  /** Start a program on a node that runs none. */
  run: { params: RunOptions; reply: NodeStatus };
  /** Variables of a further process of a machine, but NODE_OPTIONS (machine-command.ts). */
  environment: { params: { node: string }; reply: { variables: Record<string, string> } };
  /** End the program of a node, as by SIGKILL; its machine goes on. */
  kill: { params: { node: string }; reply: NodeStatus };
  /** Let the program of a node stand still, as by SIGSTOP, or go on; its machine goes on. */
  pause: { params: { node: string }; reply: NodeStatus };
  resume: { params: { node: string }; reply: NodeStatus };
  /** Switch a node off and on again, with the program that it has. */
  restart: { params: { node: string }; reply: NodeStatus };
  /** Start the program of a node that does not run, and its machine where that is off. */
  start: { params: { node: string }; reply: NodeStatus };
  /** Ask the program of a node to end (SIGTERM), and end it after `graceMs`; a node without a program is switched off. */
  stop: { params: { node: string; graceMs: number }; reply: NodeStatus };
  /** Switch a node off, as by pulling the plug. */
  powerOff: { params: { node: string }; reply: NodeStatus };
  checks: { params: Record<never, never>; reply: CheckResult[] };
  down: { params: Record<never, never>; reply: null };
}

export type LabOperation = keyof LabRequests;

export interface LabStreams {
  metrics: { params: { intervalMs: number }; event: MetricsSample; input: never };
  /** The last `lines` lines, then what follows when `follow`. `nodes` empty: all. */
  logs: { params: { nodes: string[]; lines: number; follow: boolean }; event: LogLine; input: never };
  /** Every change of state of a node, the present states first. */
  states: { params: Record<never, never>; event: NodeStatus; input: never };
  /** Every flow between the host and the lab, when it has ended. */
  flows: { params: Record<never, never>; event: FlowInfo; input: never };
  /** A port of the host (`port` as `ports:` has it) that leads to a node as long as the stream is open; one event, when it is. */
  forward: { params: { node: string; port: string }; event: HostPortInfo; input: never };
}

export type LabStreamOperation = keyof LabStreams;

/** A lab that can be asked: the supervisor itself, or a client of its control socket. Errors are `MultikernelError`s. */
export interface LabBackend {
  request<Op extends LabOperation>(operation: Op, params: LabRequests[Op]['params']): Promise<LabRequests[Op]['reply']>;
  open<Op extends LabStreamOperation>(
    operation: Op,
    params: LabStreams[Op]['params'],
    sink: StreamSink<LabStreams[Op]['event']>,
  ): StreamHandle<LabStreams[Op]['input']>;
  /**
   * A client of the kernel of a node, with a connection of its own, made when it is first used. Throws nothing; its calls reject
   * with ENOENT, EHOSTDOWN, ETIMEDOUT.
   */
  kernel(name: string): KernelClient;
  /** The supervisor: takes the lab down. A client: hangs up. */
  close(): Promise<void>;
}
