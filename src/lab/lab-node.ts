/**
 * A node of a lab, seen from outside: the tables that network tools show, and the changes that can be made to them.
 *
 * Thread: any that holds a lab. The node's kernel answers each call, unless the call says otherwise. Errors are
 * `MultikernelError`s: ENOENT (no such node), EHOSTDOWN (it does not run), ETIMEDOUT (its program blocks the thread).
 */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type {
  AddressFamily,
  CaptureEvent,
  ControlOperation,
  ControlRequests,
  InterfaceChange,
  InterfaceInfo,
  NeighborInfo,
  PingEvent,
  PingOptions,
  RouteChange,
  RouteInfo,
  SocketInfo,
} from '../kernel/control.ts';
import { type LabConnection, openConnection } from './connection.ts';
import { type HttpOptions, httpGet } from './http-client.ts';
import type { LabBackend, NodeStatus } from './operations.ts';
import { StreamIterable } from './stream-iterable.ts';

export interface ProgramOptions {
  argv?: string[];
  /** Flags of Node in front of the script. */
  nodeFlags?: string[];
  env?: Record<string, string>;
  /** Where the script and its relative paths start; default: the current folder. */
  cwd?: string;
}

export interface CaptureRequest {
  /** e.g. "eth0"; default: the first interface that is not lo0. */
  interface?: string;
  /** Bytes kept of each frame; default 262,144: all of it. */
  snapBytes?: number;
}

const PING_DEFAULTS: Omit<PingOptions, 'host'> = {
  count: 0,
  intervalMs: 1000,
  payloadBytes: 56,
  ttl: 255,
  waitMs: 10_000,
};
const SNAP_BYTES = 262_144;

export class LabNode {
  readonly name: string;
  readonly #lab: LabBackend;

  constructor(lab: LabBackend, name: string) {
    this.#lab = lab;
    this.name = name;
  }

  #ask<Op extends ControlOperation>(
    operation: Op,
    request: ControlRequests[Op]['request'],
  ): Promise<ControlRequests[Op]['reply']> {
    const reply = this.#lab.request('control', { kernel: this.name, operation, request });
    return reply as Promise<ControlRequests[Op]['reply']>;
  }

  /** State, addresses, program. Answered by the supervisor, also while the program blocks. */
  async status(): Promise<NodeStatus> {
    const { nodes } = await this.#lab.request('info', {});
    return nodes.find((node) => node.name === this.name) as NodeStatus;
  }

  /** Interfaces, as `ifconfig -a` shows them. */
  interfaces(): Promise<InterfaceInfo[]> {
    return this.#ask('interfaces', {});
  }

  /** Routes of one family (default inet), as `netstat -rn` shows them. */
  routes(family: AddressFamily = 'inet'): Promise<RouteInfo[]> {
    return this.#ask('routes', { family });
  }

  /** Neighbors, as `arp -an` shows them, or `ndp -an` for inet6. */
  neighbors(family: AddressFamily = 'inet'): Promise<NeighborInfo[]> {
    return this.#ask('neighbors', { family });
  }

  /** Sockets, as `netstat -an` shows them; only those with all the given properties. */
  async sockets(filter: Partial<SocketInfo> = {}): Promise<SocketInfo[]> {
    const wanted = Object.entries(filter) as [keyof SocketInfo, unknown][];
    const sockets = await this.#ask('sockets', {});
    return sockets.filter((socket) => wanted.every(([key, value]) => socket[key] === value));
  }

  /** Counters of the stack by name. For those of interfaces and program too, without asking the kernel: `lab.counters()`. */
  counters(): Promise<Record<string, number>> {
    return this.#ask('counters', {});
  }

  /** Values below a name, all for ''. Throws ENOENT. */
  sysctl(name: string): Promise<{ name: string; value: number }[]> {
    return this.#ask('sysctl.get', { name });
  }

  /** Throws ENOENT, EPERM (read-only), EINVAL (out of range). */
  setSysctl(name: string, value: number): Promise<{ before: number; after: number }> {
    return this.#ask('sysctl.set', { name, value });
  }

  async setInterface(change: InterfaceChange): Promise<void> {
    await this.#ask('interface.set', change);
  }

  /** Throws EEXIST, ENETUNREACH. */
  async addRoute(route: RouteChange): Promise<void> {
    await this.#ask('route.add', route);
  }

  /** Throws ENOENT. */
  async deleteRoute(route: RouteChange): Promise<void> {
    await this.#ask('route.delete', route);
  }

  async addNeighbor(entry: ControlRequests['neighbor.add']['request']): Promise<void> {
    await this.#ask('neighbor.add', entry);
  }

  /** Throws ENOENT. */
  async deleteNeighbor(address: string): Promise<void> {
    await this.#ask('neighbor.delete', { address });
  }

  /** ICMP echo, until `count` answers came (0: for ever) or the iterator is closed. */
  ping(host: string, options: Partial<Omit<PingOptions, 'host'>> = {}): StreamIterable<PingEvent> {
    const merged = { ...PING_DEFAULTS, ...options };
    const count = merged.count > 0 ? merged.count : Number.MAX_SAFE_INTEGER;
    return new StreamIterable((sink) =>
      this.#lab.open('ping', { kernel: this.name, options: { ...merged, count, host } }, sink),
    );
  }

  /** A TCP connection from this kernel. Emits `connect`; errors have POSIX codes. */
  connect(port: number, host: string): LabConnection {
    return openConnection(this.#lab, this.name, host, port);
  }

  /** An HTTP request from this kernel (http:// only, redirects are not followed). */
  async fetch(url: string | URL, options: HttpOptions = {}): Promise<Response> {
    const reply = await httpGet(this.#lab, this.name, String(url), options);
    const empty = reply.status === 204 || reply.status === 304;
    return new Response(empty ? null : reply.bytes, { status: reply.status, headers: reply.headers });
  }

  /** Every frame that an interface sends and receives from now on. */
  capture(request: CaptureRequest = {}): StreamIterable<CaptureEvent> {
    const options = { interface: request.interface ?? '', snapBytes: request.snapBytes ?? SNAP_BYTES };
    return new StreamIterable((sink) => this.#lab.open('capture', { kernel: this.name, options }, sink));
  }

  /** Run a program here, in a thread of its own. Throws EBUSY while another runs, ENOENT when there is no such file. */
  run(script: string | URL, options: ProgramOptions = {}): Promise<NodeStatus> {
    const cwd = resolve(options.cwd ?? '.');
    const path = script instanceof URL || script.startsWith('file:') ? fileURLToPath(script) : script;
    return this.#lab.request('run', {
      kernel: this.name,
      script: path,
      argv: options.argv ?? [],
      nodeFlags: options.nodeFlags ?? [],
      env: options.env ?? {},
      cwd,
    });
  }

  /** Switch the machine off, as by pulling its plug. */
  stop(): Promise<NodeStatus> {
    return this.#lab.request('stop', { kernel: this.name });
  }
}
