/**
 * A node of a lab, seen from outside: the tables that network tools show, and the changes that can be made to them.
 *
 * Thread: any that holds a lab. The node's kernel answers each call, unless the call says otherwise. Errors are
 * `MultikernelError`s: ENOENT (no such node), EHOSTDOWN (it does not run), ETIMEDOUT (its program blocks the thread), EINVAL
 * (an argument that is none).
 */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locateErrors } from '../base/caller.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import type { AddressFamily } from '../tools/address-text.ts';
import type { CaptureRequest } from '../tools/capture-stream.ts';
import type { InterfaceChange, NeighborEntry, RouteChange } from '../tools/change-requests.ts';
import type { PingEvent, PingOptions } from '../tools/echo.ts';
import { FrameCapture } from '../tools/frame-capture.ts';
import type { InterfaceInfo } from '../tools/interface-text.ts';
import { KernelText } from '../tools/kernel-text.ts';
import type { NeighborInfo } from '../tools/neighbor-text.ts';
import { pingStream } from '../tools/ping-stream.ts';
import type { RouteInfo } from '../tools/route-text.ts';
import type { SocketInfo } from '../tools/socket-text.ts';
import type { StreamIterable } from '../tools/stream-iterable.ts';
import { TcpConnection } from '../tools/tcp-connection.ts';
import type { ImpairmentOptions } from './config.ts';
import {
  checkCapture,
  checkExec,
  checkFamily,
  checkFilter,
  checkHttp,
  checkImpairment,
  checkInterfaceChange,
  checkNeighbor,
  checkPing,
  checkPort,
  checkProgram,
  checkRoute,
  checkStop,
  checkText,
  checkTexts,
  type ProgramOptions,
  type StopOptions,
} from './facade-checks.ts';
import { type ForwardedPort, forwardPort } from './forwarded-port.ts';
import { type HttpOptions, httpGet } from './http-client.ts';
import {
  type ExecOptions,
  type ExecResult,
  machineCommand,
  machineEnvironment,
  runCommand,
} from './machine-command.ts';
import { type LabBackend, type LinkInfo, type NodeStatus, STOP_GRACE_MS } from './operations.ts';

const PING_DEFAULTS: Omit<PingOptions, 'host'> = {
  count: 0,
  intervalMs: 1000,
  payloadBytes: 56,
  ttl: 255,
  waitMs: 10_000,
};

/**
 * A node of a lab, seen from outside: the tables that network tools show, and the changes that can be made to them. Errors are
 * `MultikernelError`s: ENOENT (no such node), EHOSTDOWN (it does not run), ETIMEDOUT (its program blocks the thread), EINVAL (an argument
 * that is none).
 */
export class LabNode {
  /** Name in the lab file. */
  readonly name: string;
  /** The kernel itself: control requests in numbers, streams, system calls. */
  readonly client: KernelClient;
  readonly #lab: LabBackend;
  readonly #text: KernelText;

  /** Made by the lab, for a node that it has. */
  constructor(lab: LabBackend, name: string) {
    this.#lab = lab;
    this.name = name;
    this.client = lab.kernel(name);
    this.#text = new KernelText(this.client);
  }

  /** State, addresses, program. Answered by the supervisor, also while the program blocks. */
  async status(): Promise<NodeStatus> {
    const { nodes } = await this.#lab.request('info', {});
    return nodes.find((node) => node.name === this.name) as NodeStatus;
  }

  /** Interfaces, as `ifconfig -a` shows them. */
  interfaces(): Promise<InterfaceInfo[]> {
    return this.#text.interfaces();
  }

  /** Routes of one family (default inet), as `netstat -rn` shows them. */
  async routes(family: AddressFamily = 'inet'): Promise<RouteInfo[]> {
    return this.#text.routes(checkFamily(family));
  }

  /** Neighbors, as `arp -an` shows them, or `ndp -an` for inet6. */
  async neighbors(family: AddressFamily = 'inet'): Promise<NeighborInfo[]> {
    return this.#text.neighbors(checkFamily(family));
  }

  /** Sockets, as `netstat -an` shows them; only those with all the given properties. */
  async sockets(filter: Partial<SocketInfo> = {}): Promise<SocketInfo[]> {
    const wanted = Object.entries(checkFilter('sockets', filter)) as [keyof SocketInfo, unknown][];
    const sockets = await this.#text.sockets();
    return sockets.filter((socket) => wanted.every(([key, value]) => socket[key] === value));
  }

  /** Counters of the stack by name. For those of interfaces and program too, without asking the kernel: `lab.counters()`. */
  counters(): Promise<Record<string, number>> {
    return this.#text.counters();
  }

  /** Values below a name, all for ''. Throws ENOENT. */
  async sysctl(name: string): Promise<{ name: string; value: number }[]> {
    return this.#text.sysctl(checkText('sysctl', name));
  }

  /** Throws ENOENT, EPERM (read-only), EINVAL (out of range). */
  async setSysctl(name: string, value: number): Promise<{ before: number; after: number }> {
    return this.#text.setSysctl(checkText('setSysctl', name), value);
  }

  /** Change an interface, as `ifconfig`. Throws ENXIO (no such interface), EINVAL, EEXIST (the address is there), EADDRNOTAVAIL (it is not). */
  async setInterface(change: InterfaceChange): Promise<void> {
    await this.#text.setInterface(checkInterfaceChange(change));
  }

  /** Throws EEXIST, ENETUNREACH. */
  async addRoute(route: RouteChange): Promise<void> {
    await this.#text.addRoute(checkRoute('addRoute', route));
  }

  /** Throws ENOENT. */
  async deleteRoute(route: RouteChange): Promise<void> {
    await this.#text.deleteRoute(checkRoute('deleteRoute', route));
  }

  /** Enter a neighbor by hand, as `arp -s` and `ndp -s`. Throws EINVAL, ENETUNREACH (on none of its networks). */
  async addNeighbor(entry: NeighborEntry): Promise<void> {
    await this.#text.addNeighbor(checkNeighbor(entry));
  }

  /** Throws ENOENT. */
  async deleteNeighbor(address: string): Promise<void> {
    await this.#text.deleteNeighbor(checkText('deleteNeighbor', address));
  }

  /** ICMP echo, until `count` answers came (0: for ever) or the iterator is closed. */
  ping(host: string, options: Partial<Omit<PingOptions, 'host'>> = {}): StreamIterable<PingEvent> {
    return pingStream(this.client, { ...PING_DEFAULTS, ...checkPing(options), host: checkText('ping', host) });
  }

  /** A TCP connection from this kernel. Emits `connect`; errors have POSIX codes. */
  connect(port: number, host: string): TcpConnection {
    return new TcpConnection(this.client, checkText('connect', host), checkPort(port));
  }

  /**
   * A port of the host that leads here until it is closed: "8080:80", "127.0.0.1:8080:80", "80" (a free one), "53:53/udp". The address
   * is 127.0.0.1 unless it is given. Throws EINVAL, and what the host refuses: EADDRINUSE, EADDRNOTAVAIL, EACCES.
   */
  forward(port: string | number): Promise<ForwardedPort> {
    return forwardPort(this.#lab, this.name, checkText('forward', typeof port === 'number' ? String(port) : port));
  }

  /** An HTTP request from this kernel (http:// only, redirects are not followed). */
  async fetch(url: string | URL, options: HttpOptions = {}): Promise<Response> {
    const href = url instanceof URL ? url.href : checkText('fetch', url);
    const reply = await httpGet(this.client, href, checkHttp(options));
    const empty = reply.status === 204 || reply.status === 304;
    return new Response(empty ? null : reply.bytes, { status: reply.status, headers: reply.headers });
  }

  /**
   * Frames that interfaces send and receive from now on, to iterate over or to write to a file. Throws EINVAL for a filter that is none,
   * with the column.
   */
  capture(request: CaptureRequest = {}): FrameCapture {
    return new FrameCapture(this.client, checkCapture(request));
  }

  /** Make all that it sends (up) and receives (down) slow, lossy, narrow, as `LabLink.impair`; null: as it was made. */
  async impair(values: ImpairmentOptions | null): Promise<LinkInfo[]> {
    return this.#lab.request('impair', { a: this.name, b: null, ways: checkImpairment(values) });
  }

  /**
   * Run a program here, placed as the node says. Throws EBUSY while another runs, ENOENT when there is no such file, EINVAL for what only
   * a process has on a node whose program runs beside its kernel.
   */
  async run(script: string | URL, options: ProgramOptions = {}): Promise<NodeStatus> {
    const { argv = [], nodeFlags = [], env = {}, cwd = '.' } = checkProgram(options);
    const given = script instanceof URL ? script.href : checkText('run', script);
    const path = given.startsWith('file:') ? fileURLToPath(given) : given;
    return this.#lab.request('run', { node: this.name, script: path, argv, nodeFlags, env, cwd: resolve(cwd) });
  }

  /**
   * Environment of a process that is one more of this machine: Node programs are on its network, network tools find it by RUMP_SERVER, and
   * it ends with the machine. On top of `env`, default that of this process. Throws EAGAIN before a program beside its kernel begins.
   */
  async environment(env: Readonly<Record<string, string | undefined>> = process.env): Promise<Record<string, string>> {
    const { variables } = await this.#lab.request('environment', { node: this.name });
    return machineEnvironment(variables, env);
  }

  /**
   * Run a command to its end as one more process of this machine: ['node', 'script.js'], ['script.js'], a network tool such as
   * ['ifconfig', '-a']; any other has the host's network. Throws ENOENT for a command that there is not, and as {@link environment}.
   */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const given = checkExec(options);
    const { variables } = await this.#lab.request('environment', { node: this.name });
    const environment = machineEnvironment({ ...variables, ...given.env }, process.env);
    const { file, args, ...kind } = machineCommand(
      checkTexts('exec', command),
      given.cwd ?? '.',
      environment.PATH ?? '',
    );
    return runCommand({ file, args, ...kind }, environment, given);
  }

  /**
   * End the program, as by SIGKILL; its machine closes its sockets and goes on. Throws ESRCH when none runs, EOPNOTSUPP when it runs
   * beside its kernel.
   */
  kill(): Promise<NodeStatus> {
    return this.#lab.request('kill', { node: this.name });
  }

  /**
   * Let the program stand still, as by SIGSTOP; its machine goes on and acknowledges what comes, until its windows are full. Throws ESRCH when
   * none runs, EOPNOTSUPP when it runs beside its kernel.
   */
  pause(): Promise<NodeStatus> {
    return this.#lab.request('pause', { node: this.name });
  }

  /** Let a paused program go on. */
  resume(): Promise<NodeStatus> {
    return this.#lab.request('resume', { node: this.name });
  }

  /** Switch the machine off and on again, with its program; peers see a reboot. */
  restart(): Promise<NodeStatus> {
    return this.#lab.request('restart', { node: this.name });
  }

  /**
   * Start the program that was stopped, has ended or waits for others, and the machine where that is off. Throws EBUSY when it runs, EIO
   * when the machine does not come up.
   */
  start(): Promise<NodeStatus> {
    return this.#lab.request('start', { node: this.name });
  }

  /**
   * Ask the program to end, as by SIGTERM, and end it as {@link kill} does after `graceMs` (default 10 s); its machine goes on. One
   * that runs beside its kernel takes the machine with it. A node without a program is switched off. Throws ESRCH when it does not run.
   */
  async stop(options: StopOptions = {}): Promise<NodeStatus> {
    const { graceMs = STOP_GRACE_MS } = checkStop(options);
    return this.#lab.request('stop', { node: this.name, graceMs });
  }

  /** Switch the machine off, as by pulling its plug: peers hear nothing. Throws EHOSTDOWN when it is off. */
  powerOff(): Promise<NodeStatus> {
    return this.#lab.request('powerOff', { node: this.name });
  }
}

locateErrors(LabNode.prototype);
