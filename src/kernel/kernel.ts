/**
 * One kernel: devices, IP, TCP, UDP, sockets and tables put together, and one turn of its work.
 *
 * Thread: the one whose host runs it; everything is called there. An object: a thread can run many. A kernel has one CPU
 * today, and is itself the agent (host/contract.ts) of that CPU. Read first: host/contract.ts (what it asks of its host),
 * socket/socket.ts (its system calls), control.ts (control requests). Missing: an agent per CPU.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import type { Agent, Host } from '../host/contract.ts';
import { Inet } from '../inet/inet.ts';
import { CLOSING, FIN_WAIT_1, LAST_ACK } from '../inet/tcp/connection/states.ts';
import type { TcpStack } from '../inet/tcp/stack.ts';
import type { CalloutTable } from '../kern/callout.ts';
import type { KernelShared } from '../kern/context.ts';
import { Cpu } from '../kern/cpu.ts';
import { Softint } from '../kern/softint.ts';
import { Sysctl } from '../kern/sysctl.ts';
import type { Device, TimedDevice } from '../link/device.ts';
import { LoopbackDevice } from '../link/loopback.ts';
import { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { Counters } from '../mem/counters.ts';
import { Heap } from '../mem/heap.ts';
import { DeviceLink } from '../net/device-link.ts';
import type { Interface } from '../net/interface.ts';
import { BATCH_FRAMES } from '../net/interface-table.ts';
import type { LinkLayer } from '../net/link-layer.ts';
import { LoopbackCloner } from '../net/loopback-cloner.ts';
import { EventQueue, type SocketContext } from '../socket/events.ts';
import { Sockets } from '../socket/layer.ts';
import type { SocketLayer } from '../socket/socket.ts';
import type { ControlOperation, ControlReply, ControlRequest } from '../sys/control.ts';
import { ProcessTable } from '../sys/process.ts';
import { parseAddress } from '../wire/ipv4.ts';
import { KernelControl } from './control.ts';
import { ARENA_BYTES_DEFAULT, checkConfig, configure, type KernelConfig } from './create.ts';

const HEAP_BYTES = 32 * 1024 * 1024;
const LOOPBACK_RING_BYTES = 1024 * 1024;
const COUNTERS_CAPACITY = 640;
const LOOPBACK_NET_PREFIX = 8;
/** Rounds of receiving in one turn: bounds how long a flood can keep a turn from its timers and its program. */
const ROUNDS_PER_TURN = 8;
/** A FIN is on its way or waits behind data. */
const UNSENT_STATES: ReadonlySet<number> = new Set([FIN_WAIT_1, CLOSING, LAST_ACK]);

interface KernelOptions {
  name: string;
  arena: Arena;
  host: Host;
  /** Names this kernel resolves, besides `localhost` and its own. */
  hosts?: Record<string, string[]>;
  /** The kernel's own memory for socket buffers; taken from the arena when absent. */
  heap?: { at: number; bytes: number };
  /** Whether IPv6 runs from the start; `net.inet6.ip6.enable` switches it later. Default no. */
  ipv6?: boolean;
}

export class Kernel implements Agent {
  /**
   * A kernel of its own in this thread. Nothing runs by itself: its host calls `doWork`. Throws MultikernelError (EINVAL,
   * ENOMEM and others) whose message begins with the key that is wrong.
   */
  static create(config: KernelConfig): Kernel {
    checkConfig(config);
    const { heapBytes, heap } = config;
    const arena = config.arena ?? Arena.create(Math.max(ARENA_BYTES_DEFAULT, 2 * (heapBytes ?? 0)));
    const own = heapBytes === undefined ? heap : { at: arena.allocate(heapBytes, 4096), bytes: heapBytes };
    const kernel = new Kernel({ ...config, arena, ...(own === undefined ? {} : { heap: own }) });
    try {
      configure(kernel, config);
    } catch (error) {
      kernel.close();
      throw error;
    }
    return kernel;
  }

  readonly name: string;
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly host: Host;
  readonly counters: Counters;
  /** The CPUs of this kernel, `cpus[i].number` is i; today one. */
  readonly cpus: readonly Cpu[];
  readonly callouts: CalloutTable;
  readonly inet: Inet;
  readonly tcp: TcpStack;
  readonly sockets: SocketLayer;
  /** Control requests and streams of this kernel, in this thread. */
  readonly client: KernelControl;
  /** Processes of this kernel; system calls are made for them (sys/). */
  readonly processes: ProcessTable;
  /** Called after a turn in which a socket was bound, began to listen, or was closed. */
  onSocketsChanged: (() => void) | null = null;
  /** Data sent by a handler is flushed before the next handler runs: the peers work on it meanwhile. */
  readonly #events: EventQueue = new EventQueue(
    () => this.inet.flush(),
    () => this.#cpu.softints.schedule(this.#delivery),
  );
  /** `cpus[0]`, whose turn `doWork` is. */
  readonly #cpu: Cpu;
  /** Delivers socket events at the end of the turn. */
  readonly #delivery: Softint;
  /** A gauge: what `mk top` shows as open connections. */
  readonly #connectionsOpen: number;
  #portsGeneration = -1;
  /** The devices that time must be brought to. */
  readonly #timed: TimedDevice[] = [];
  readonly #loopback: DeviceLink;
  #closed = false;

  /** {@link Kernel.create} makes kernels. */
  private constructor(options: KernelOptions) {
    const { arena, host, name } = options;
    this.name = name;
    this.arena = arena;
    this.host = host;
    this.counters = Counters.open(arena, name, COUNTERS_CAPACITY);
    this.#connectionsOpen = this.counters.index('tcp-connections-open');
    const heap =
      options.heap === undefined
        ? new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES)
        : new Heap(options.heap.at, options.heap.bytes);
    const nowUs = (): number => host.nowUs();
    const shared: KernelShared = { arena, sysctl: new Sysctl() };
    this.#cpu = new Cpu({ shared, heap, rng: host.rng, counters: this.counters, nowUs });
    this.cpus = [this.#cpu];
    this.bulk = this.#cpu.bulk;
    this.callouts = this.#cpu.callouts;
    this.#delivery = new Softint(() => this.#deliver());
    this.inet = new Inet({ cpu: this.#cpu, ipv6: options.ipv6 ?? false });
    this.inet.interfaceTable.cloners.register(new LoopbackCloner(arena, heap, name));
    const context: SocketContext = { events: this.#events, nowUs, requestWork: () => host.requestWork() };
    this.tcp = this.inet.tcp;
    this.sockets = new Sockets(this.inet, this.tcp, context);
    const { sockets, callouts } = this;
    this.processes = new ProcessTable({ sockets, callouts, nowUs });
    this.client = new KernelControl(this, options.hosts ?? {}, options.ipv6 ?? false);
    const ringAt = heap.allocate(LOOPBACK_RING_BYTES);
    if (ringAt < 0) throw new MultikernelError('ENOMEM', `${name}: ${heap.byteLength} bytes are too few for a kernel`);
    const loopback = { countersName: `${name}/lo0`, ringAt, ringBytes: LOOPBACK_RING_BYTES };
    const loopbackDevice = new LoopbackDevice(arena, loopback);
    const lo = this.attach(loopbackDevice, 'lo0');
    this.#loopback = lo.link as DeviceLink;
    this.inet.configure(lo, parseAddress('127.0.0.1') as number, LOOPBACK_NET_PREFIX);
  }

  /** Give the kernel one more interface, over a device. Throws EEXIST, EINVAL (name), ENOBUFS (4095 of them). */
  attach(device: Device, name: string): Interface {
    return this.#attached(this.inet.interfaceTable.attachDevice(device, name), name);
  }

  /** The same over a link of any kind. */
  attachLink(link: LinkLayer, name: string): Interface {
    return this.#attached(this.inet.interfaceTable.attach(link, name), name);
  }

  #attached(iface: Interface | number, name: string): Interface {
    if (typeof iface === 'number') throw errnoError(-iface, `${this.name}: interface ${name}`);
    const device = deviceOf(iface.link);
    if (device !== null && 'tick' in device) this.#timed.push(device as TimedDevice);
    return iface;
  }

  /**
   * The opposite of {@link attach}: take an interface away with its addresses, routes, neighbors, groups and captures. Packets
   * that were sent have left. Returns its link, which another kernel may attach or the caller close. Throws EINVAL for
   * a loopback interface, whose memory is the kernel's, ENXIO for an interface of another kernel.
   */
  detach(iface: Interface): LinkLayer {
    const { name } = iface;
    if (iface.loopback) throw errnoError(Errno.EINVAL, `${this.name}: ${name} stays`);
    const link = this.inet.interfaceTable.detach(iface);
    if (typeof link === 'number') throw errnoError(-link, `${this.name}: interface ${name}`);
    const timed = this.#timed.indexOf(deviceOf(link) as TimedDevice);
    if (timed >= 0) this.#timed.splice(timed, 1);
    return link;
  }

  /**
   * Give an interface to another kernel of the same arena and thread, where it is new: up, without addresses. Throws as
   * `detach`, and as `attach` of the other kernel, before anything changed; EINVAL for a kernel of another arena.
   */
  moveTo(other: Kernel, iface: Interface, name: string = iface.name): Interface {
    if (other.arena !== this.arena) throw errnoError(Errno.EINVAL, `${this.name}: ${other.name} is elsewhere`);
    // The other kernel may be this one: then its own name is free again by the time it is asked for.
    const error = other.inet.interfaceTable.canAttach(name);
    if (error < 0 && !(other === this && name === iface.name))
      throw errnoError(-error, `${other.name}: interface ${name}`);
    return other.attachLink(this.detach(iface), name);
  }

  doWork(nowUs: number): number {
    let work = 0;
    this.#cpu.beginTurn();
    for (let round = 0; round < ROUNDS_PER_TURN; round++) {
      const received = this.inet.poll(nowUs);
      work += received;
      work += this.tcp.doWork(nowUs);
      this.inet.flush();
      if (received === 0) break;
      // Loopback packets arrive within the turn: a server knows of a connection before its client does.
      if (this.#loopback.pending) continue;
      // The program first: data it does not take piles up, leaves the caches, and is lost in the end. A batch that is not
      // full has emptied the rings.
      if (this.#cpu.softints.pending || received < BATCH_FRAMES) break;
    }
    work += this.callouts.run(nowUs);
    for (let i = 0; i < this.#timed.length; i++) work += (this.#timed[i] as TimedDevice).tick(nowUs);
    // Set before the handlers run, so that readers of counters see it even if a handler never returns.
    this.counters.set(this.#connectionsOpen, this.tcp.connectionCount);
    try {
      work += this.#cpu.softints.run();
    } finally {
      // Data sent by handlers is flushed even when one of them threw.
      this.inet.flush();
    }
    this.counters.set(this.#connectionsOpen, this.tcp.connectionCount);
    const generation = this.tcp.ports.generation + this.inet.udp.ports.generation;
    if (generation !== this.#portsGeneration) {
      this.#portsGeneration = generation;
      this.onSocketsChanged?.();
    }
    this.client.flush();
    return work;
  }

  #deliver(): number {
    try {
      return this.#events.deliver();
    } finally {
      // Events that handlers posted, and those behind a handler that threw.
      if (this.#events.pending) this.#cpu.softints.schedule(this.#delivery);
    }
  }

  flush(): void {
    this.inet.flush();
  }

  nextDeadlineUs(): number {
    let nextUs = this.callouts.nextDeadlineUs();
    for (const device of this.#timed) nextUs = Math.min(nextUs, device.nextDeadlineUs());
    return nextUs;
  }

  workPending(): boolean {
    return this.#cpu.softints.pending || this.tcp.workPending || this.inet.pending;
  }

  /** No connection holds bytes that the peer has not acknowledged, nor a FIN. */
  get drained(): boolean {
    return this.tcp.sockets().every((row) => row.sendQueueBytes === 0 && !UNSENT_STATES.has(row.state));
  }

  /** Ports on which somebody listens (TCP) or that are bound (UDP), sorted. */
  listeningPorts(protocol: 'tcp' | 'udp'): number[] {
    const ports = protocol === 'udp' ? this.inet.udp.boundPorts() : this.tcp.listeningPorts();
    return [...new Set(ports)].sort((a, b) => a - b);
  }

  /** One control request, answered at once. Throws `MultikernelError`. */
  control<Op extends ControlOperation>(operation: Op, request: ControlRequest<Op>): ControlReply<Op> {
    return this.client.answer(operation, request);
  }

  /** Switch the machine off: devices leave their networks, nothing is said to anybody. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.client.close();
    this.processes.close();
    this.inet.close();
  }
}

/** The device of a link, null for one without. */
function deviceOf(link: LinkLayer): Device | null {
  return link instanceof DeviceLink ? link.device : null;
}

/** `errno` may have either sign. */
function errnoError(errno: number, message: string): MultikernelError {
  return new MultikernelError(errnoName(errno), message);
}
