/**
 * Messages between the supervisor of a lab and the workers that run its kernels.
 *
 * Thread: both sides. The supervisor starts `worker/main` with a {@link WorkerBoot} as `workerData`; after that the
 * life of kernels and programs goes over `WorkerBoot.port` as plain values ({@link ToWorker}, {@link FromWorker}). Requests to a
 * kernel have a port of their own (`connect`). Packets go neither way.
 *
 * A program's output has a port of its own ({@link OutputBoot}); what modules write that are loaded before it comes by the streams of the
 * `Worker`. No message is needed for the end of a program (the `exit` and `error` events of
 * the `Worker`: exit code, uncaught error, ERR_WORKER_OUT_OF_MEMORY; both of the child process where the program is one), metrics
 * (counters in the arena, below), the death of a kernel (the supervisor marks its ports in the arena). `stop` is a courtesy: the supervisor terminates the worker.
 *
 * Life of a worker: attach the arena → boot every kernel → `ready` → (`start` → the program's module is loaded) → `listening`
 * each time the set of ports changes → the worker exits when the program does. A worker without a program keeps its port
 * referenced and lives until it is stopped; with a program, the port is unreferenced once `start` came.
 */

import type { MessagePort } from 'node:worker_threads';
import type { NetworkDescriptor } from '../link/network.ts';
import type { WasmMemory } from '../mem/webassembly.ts';
import type { ImpairmentValues } from '../sys/control.ts';

/** One interface of a kernel: a port of a network, or what stands on others. */
export interface InterfaceBoot {
  /** e.g. "eth0" */
  name: string;
  mtuBytes: number;
  addresses: { address: string; prefixLength: number }[];
  link: PortBoot | VlanBoot | TunnelBoot;
}

export interface VlanBoot {
  kind: 'vlan';
  /** Name of an interface before it. */
  on: string;
  id: number;
}

export interface TunnelBoot {
  kind: 'tunnel';
  source: string;
  destination: string;
}

/** A port of a network that the supervisor created in the arena. */
export interface PortBoot {
  kind: 'port';
  /** Place of the network in the arena. */
  descriptor: NetworkDescriptor;
  /** Our port of the network. */
  port: number;
  /** e.g. "02:6d:6b:00:00:0b" */
  mac: string;
  /** A full ring means back-pressure or a counted drop. */
  full: 'wait' | 'drop';
  /** Checksums and segmentation are left to the link. */
  offload: boolean;
  /** Memory of the kernel alone for frames that wait when the interface is impaired; 0 bytes: the arena is asked for some then. */
  storeAt: number;
  storeBytes: number;
}

/** A member of a bridge. */
export interface BridgePortBoot {
  interface: string;
  stp: boolean;
  learn: boolean;
  discover: boolean;
  protected: boolean;
  priority?: number;
  pathCost?: number;
}

/** Settings of a bridge; what is not there is as bridge(4) has it. */
export interface BridgeBoot {
  priority?: number;
  helloTimeSec?: number;
  forwardDelaySec: number;
  maxAgeSec?: number;
  maxAddresses: number;
  timeoutSec?: number;
  ports: BridgePortBoot[];
  static: { mac: string; interface: string }[];
}

export interface RouteBoot {
  /** Text of either family; "0.0.0.0" or "::" with prefixLength 0 is the default route. */
  destination: string;
  prefixLength: number;
  gateway: string;
}

/** One kernel. Its counters: block `NAME` for the kernel, `NAME/eth0` for a device, `NAME/program` for the program. */
export interface KernelBoot {
  name: string;
  kind: string;
  /** Region of the arena for socket buffers and the like (mem/heap), this kernel's alone; the same after a restart. */
  heapAt: number;
  heapBytes: number;
  /** Memory for the frames of clients in other processes (worker/session-memory.ts), and for how many sessions. */
  sessionsAt: number;
  sessionsMax: number;
  /** lo0 with 127.0.0.1/8 is there always and not listed. */
  interfaces: InterfaceBoot[];
  routes: RouteBoot[];
  forwarding: boolean;
  /** bridge0, which is up; null: there is none. */
  bridge: BridgeBoot | null;
  /** Whether its interfaces speak IPv6: one of them has an address of it. */
  ipv6: boolean;
  /** Set after boot, in this order, e.g. ["net.inet.ip.ttl", 64]. */
  sysctl: [name: string, value: number][];
}

/** A module that is loaded before the program, `--require` or `--import`. */
export interface Preload {
  how: 'require' | 'import';
  /** As Node takes it on its command line. */
  module: string;
}

export interface ProgramBoot {
  /** Absolute path of the file; it exists (checked by the supervisor). */
  script: string;
  /** Arguments behind the script on the command line; also `argv` of the Worker. */
  argv: string[];
  /** Absolute; `process.cwd()` of the program. */
  cwd: string;
  preloads: Preload[];
  /** `process.execArgv` of the program. */
  execArgv: string[];
  /** Its variable NODE_OPTIONS, which Node does not see; null: there is none. */
  nodeOptions: string | null;
}

/** Impairment of lo0 of the kernel of `mk run`. */
export interface OwnImpairment {
  values: ImpairmentValues;
  seed: number;
}

/** Output on its way may take so much before the program waits. */
export const OUTPUT_BYTES_MAX: number = 256 * 1024;

/** Bytes that a program wrote to a descriptor. */
export interface OutputMessage {
  fd: 1 | 2;
  bytes: Uint8Array;
}

/** The program's end of its output. */
export interface OutputBoot {
  port: MessagePort;
  /** Word of `UnreadBytes` (mem/unread-bytes.ts). */
  unread: Int32Array;
}

/** Properties of the error of a worker that did not boot because a kernel refused a variable of the lab file. */
export interface RefusedVariable {
  node: string;
  variable: string;
  reason: string;
}

/** `workerData` of a worker. */
export interface WorkerBoot {
  memory: WasmMemory;
  port: MessagePort;
  /** The doorbell of this worker's event loop (mem/doorbell). */
  doorbellAt: number;
  /** The id by which shared memory knows this thread (mem/owner). */
  owner: number;
  /** Scratch memory of this thread (mem/bulk-staging). */
  scratchAt: number;
  /** The seats of the lab's spin budget (mem/spin-budget) and how many; this worker sits there as `owner`. */
  spinBudgetAt: number;
  spinLimit: number;
  /** Seed for the kernels' rng; null: randomness from the operating system. */
  seed: number | null;
  kernels: KernelBoot[];
  /** All names of the lab, lower case, `api` and `api.shop.lan`, with their addresses of both families, nearest first. */
  hosts: Record<string, string[]>;
  /** Only with exactly one kernel. */
  program: ProgramBoot | null;
  /** In the environment of the processes that the program starts, by which they are found (marked-processes.ts). */
  mark: string;
  /** The way of the program's output; null: there is no program. */
  output: OutputBoot | null;
  /** Words of the thread's `NativeLoad` (mem/native-load.ts). */
  nativeLoad: Int32Array;
  /** Socket files at which kernels answer remote calls, by name; the others answer the supervisor alone. */
  socketFiles: Record<string, string>;
}

// ---- messages ------------------------------------------------------------------------------------------------------

export type ToWorker =
  | { type: 'start' }
  /** For the program, as from kill(1). */
  | { type: 'signal'; signal: NodeJS.Signals }
  /** A connection for remote calls to one kernel (host/node/port-carrier.ts), closed when there is none of that name. */
  | { type: 'connect'; kernel: string; port: MessagePort }
  /** The URL of one kernel is wanted, for a program in a process of its own. Answered by `url`. */
  | { type: 'url'; kernel: string }
  /** Shut one kernel down: its devices are closed and its sockets gone. Answered by `stopped`. */
  | { type: 'stop'; kernel: string }
  /** Shut all kernels down, none of which has a program beside it, and wait for another {@link WorkerBoot}. Answered by `released`. */
  | { type: 'release' };

export type FromWorker =
  /** All kernels are booted. */
  | { type: 'ready' }
  /** The whole set of ports on which sockets of the kernel listen (TCP) or are bound (UDP), sorted. */
  | { type: 'listening'; kernel: string; tcp: number[]; udp: number[] }
  /** `url`: with its key (rump/url.ts); '' when there is no such kernel. */
  | { type: 'url'; kernel: string; url: string }
  | { type: 'stopped'; kernel: string }
  /** The last message; the port is closed. */
  | { type: 'released' };

// ---- metrics of a program ------------------------------------------------------------------------------------------
// Counted from node:diagnostics_channel where the program runs, written by the thread of its kernel into the counter block
// `NAME/program`, read by the supervisor.

/** HTTP exchanges the program finished as a server and as a client, and how many of the latter are under way. */
export const HTTP_SERVER_REQUESTS = 'http.server.requests';
export const HTTP_CLIENT_REQUESTS = 'http.client.requests';
export const HTTP_CLIENT_ERRORS = 'http.client.errors';
export const HTTP_CLIENT_IN_FLIGHT = 'http.client.inFlight';
/** Histograms: counters `http.server.us.0` ... of requests whose duration fell into the bucket. */
export const HTTP_SERVER_BUCKET = 'http.server.us.';
export const HTTP_CLIENT_BUCKET = 'http.client.us.';
/** Capacity of the block `NAME/program`. */
export const PROGRAM_COUNTERS_CAPACITY = 320;

const BUCKETS_PER_OCTAVE = 6;
/** 1 us to 2^24 us (17 s) and beyond. */
export const LATENCY_BUCKETS: number = 24 * BUCKETS_PER_OCTAVE;

/** All of them, by number. */
export const PROGRAM_COUNTERS: readonly string[] = [
  HTTP_SERVER_REQUESTS,
  HTTP_CLIENT_REQUESTS,
  HTTP_CLIENT_ERRORS,
  HTTP_CLIENT_IN_FLIGHT,
  ...Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => `${HTTP_SERVER_BUCKET}${bucket}`),
  ...Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => `${HTTP_CLIENT_BUCKET}${bucket}`),
];

/** The bucket of a duration in microseconds. */
export function latencyBucket(us: number): number {
  if (!(us > 1)) return 0;
  return Math.min(LATENCY_BUCKETS - 1, Math.floor(Math.log2(us) * BUCKETS_PER_OCTAVE));
}

/** The middle (geometric) of a bucket, microseconds. */
export function latencyOfBucketUs(bucket: number): number {
  return 2 ** ((bucket + 0.5) / BUCKETS_PER_OCTAVE);
}
