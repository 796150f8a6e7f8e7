/**
 * One kernel: interfaces, tables, processes and control requests, shared by its CPUs, and the CPUs themselves.
 *
 * Thread: the one whose host runs its first CPU; everything is called there. An object: a thread can run many. A loop is given
 * `kernel.cpus` (kernel-cpu.ts), today one. Read first: host/contract.ts (what it asks of its host), socket/socket.ts (its
 * sockets), control.ts (control requests).
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import type { FileKind, Host, PlacesHost } from '../host/contract.ts';
import { Inet } from '../inet/inet.ts';
import { applySettings, settingsError, settingsOf } from '../inet/interface-settings.ts';
import { GifTunnels } from '../inet/ip/gif-tunnels.ts';
import { CLOSING, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK } from '../inet/tcp/connection/states.ts';
import type { TcpSocketInfo } from '../inet/tcp/socket-list.ts';
import type { KernelShared } from '../kern/context.ts';
import { Cpu } from '../kern/cpu.ts';
import { Sysctl } from '../kern/sysctl.ts';
import { BUS_FILE, type BusDevice } from '../link/bus.ts';
import type { Device, TimedDevice } from '../link/device.ts';
import type { FileVniDevice } from '../link/file-vni.ts';
import { LoopbackDevice } from '../link/loopback.ts';
import { VNI_FILE } from '../link/vni-file.ts';
import { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { Heap } from '../mem/heap.ts';
import { BridgeCloner } from '../net/bridge/bridge-cloner.ts';
import { DeviceLink } from '../net/device-link.ts';
import type { FileLinkContext } from '../net/file-link.ts';
import { GifCloner } from '../net/gif/gif-cloner.ts';
import type { Interface } from '../net/interface.ts';
import { IpLink } from '../net/ip-link.ts';
import type { LinkLayer } from '../net/link-layer.ts';
import { LoopbackCloner } from '../net/loopback-cloner.ts';
import { ShmifCloner } from '../net/shmif-cloner.ts';
import { TapCloner } from '../net/tap/tap-link.ts';
import { TunCloner } from '../net/tap/tun-link.ts';
import { VetherCloner } from '../net/vether.ts';
import { VlanCloner } from '../net/vlan/vlan-cloner.ts';
import { VniCloner } from '../net/vni-cloner.ts';
import type { SocketLayer } from '../socket/socket.ts';
import type { ControlOperation, ControlReply, ControlRequest } from '../sys/control.ts';
import { ProcessTable } from '../sys/process.ts';
import { BpfDevice, type BpfOptions } from '../tools/bpf-device.ts';
import type { CaptureRequest } from '../tools/capture-stream.ts';
import { DeviceStream } from '../tools/device-stream.ts';
import { FrameCapture } from '../tools/frame-capture.ts';
import { parseAddress } from '../wire/ipv4.ts';
import { KernelControl } from './control.ts';
import { ARENA_BYTES_DEFAULT, checkConfig, configure, type KernelConfig } from './create.ts';
import { declareIdentity } from './identity.ts';
import { Impairments } from './impairments.ts';
import { KernelCpu } from './kernel-cpu.ts';

const HEAP_BYTES = 32 * 1024 * 1024;
const LOOPBACK_RING_BYTES = 1024 * 1024;
const LOOPBACK_RING_BYTES_MIN = 256 * 1024;
const COUNTERS_CAPACITY = 640;
const LOOPBACK_NET_PREFIX = 8;
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

/** An isolated network stack: interfaces, routes, sockets, processes. {@link Kernel.create} makes one. */
export class Kernel {
  /**
   * A kernel of its own in this thread. Nothing runs by itself: a loop runs its `cpus`. Throws MultikernelError (EINVAL,
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

  /** Name of the host. */
  readonly name: string;
  /** Memory of the kernel and its devices. */
  readonly arena: Arena;
  /** Clock, chance and requests for turns. */
  readonly host: Host;
  /** `cpus[i].cpu.number` is i; today one. Each is an agent of the loop of its thread. */
  readonly cpus: readonly [KernelCpu, ...KernelCpu[]];
  /** Tables and protocols of IP. */
  readonly inet: Inet;
  /** Sockets of programs of this thread: those of `cpus[0]`. */
  readonly sockets: SocketLayer;
  /** Control requests and streams of this kernel, in this thread. */
  readonly client: KernelControl;
  /** Processes of this kernel; system calls are made for them (sys/). */
  readonly processes: ProcessTable;
  /** Bad links of its interfaces. */
  readonly impairments: Impairments;
  /** Called after a turn in which a socket was bound, began to listen, or was closed. */
  onSocketsChanged: (() => void) | null = null;
  #portsGeneration = -1;
  readonly #loopback: DeviceLink;
  #closed = false;

  /** {@link Kernel.create} makes kernels. */
  private constructor(options: KernelOptions) {
    const { arena, host, name } = options;
    this.name = name;
    this.arena = arena;
    this.host = host;
    const counters = Counters.open(arena, name, COUNTERS_CAPACITY);
    const heap =
      options.heap === undefined
        ? new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES)
        : new Heap(options.heap.at, options.heap.bytes);
    const nowUs = (): number => host.nowUs();
    const shared: KernelShared = { arena, sysctl: new Sysctl() };
    declareIdentity(shared.sysctl, name);
    const cpu = new Cpu({ shared, heap, rng: host.rng, counters, nowUs });
    this.inet = new Inet({ cpu, ipv6: options.ipv6 ?? false });
    const { cloners } = this.inet.interfaceTable;
    cloners.register(new LoopbackCloner(arena, heap, name));
    cloners.register(new BridgeCloner(cpu));
    cloners.register(new VlanCloner(arena.view));
    cloners.register(new VetherCloner(cpu));
    cloners.register(new TapCloner(cpu, name));
    cloners.register(new TunCloner(cpu, name));
    const { context, ip } = this.inet.cpus[0];
    cloners.register(new GifCloner(cpu, name, new GifTunnels(context, ip)));
    this.#loopback = makeLoopback(name, arena, heap);
    const first = new KernelCpu({
      cpu,
      kernel: this.inet,
      inet: this.inet.cpus[0],
      loopback: this.#loopback,
      requestWork: () => host.requestWork(),
      turned: () => this.#turned(),
    });
    this.cpus = [first];
    this.sockets = first.sockets;
    this.processes = new ProcessTable({ sockets: first.sockets, callouts: cpu.callouts, nowUs });
    this.impairments = new Impairments({
      arena,
      bulk: cpu.bulk,
      host,
      interfaces: this.inet.interfaceTable,
      addTimed: (device) => first.addTimed(device),
      removeTimed: (device) => first.removeTimed(device),
    });
    this.client = new KernelControl(this, options.hosts ?? {}, options.ipv6 ?? false);
    const lo = this.attachLink(this.#loopback, 'lo0');
    this.inet.configure(lo, parseAddress('127.0.0.1') as number, LOOPBACK_NET_PREFIX);
  }

  /** Have interfaces on buses between processes created by name, `shmif0` and so on; `files` opens what a link string names. */
  registerShmif(files: PlacesHost): void {
    const { host } = this;
    const epochUs = Number(host.epochNs / 1000n);
    const timeUs = (): number => epochUs + host.nowUs();
    const cloner = new ShmifCloner({ ...this.#fileLinks<BusDevice>(files, BUS_FILE), timeUs });
    this.inet.interfaceTable.cloners.register(cloner);
  }

  /** As {@link registerShmif}, on vni networks between processes: `vni0` and so on. */
  registerVni(files: PlacesHost): void {
    const cloner = new VniCloner(this.#fileLinks<FileVniDevice>(files, VNI_FILE));
    this.inet.interfaceTable.cloners.register(cloner);
  }

  #fileLinks<D extends BusDevice | FileVniDevice>(files: PlacesHost, kind: FileKind): FileLinkContext<D> {
    const { arena, name, host } = this;
    const { bulk } = this.cpus[0].cpu;
    const requestWork = (): void => host.requestWork();
    const connect = (device: D, path: string): void => device.connect(files.open(path, kind), requestWork);
    return { arena, bulk, rng: host.rng, kernelName: name, connect };
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
    this.#linked(iface.link);
    return iface;
  }

  /** A link is ours: its frames wake this kernel, and time is brought to its device. */
  #linked(link: LinkLayer): void {
    if (!(link instanceof DeviceLink)) return;
    const { doorbellAt } = this.host;
    if (doorbellAt !== undefined) link.ringAt(doorbellAt);
    if ('tick' in link.device) this.cpus[0].addTimed(link.device as TimedDevice);
  }

  #unlinked(link: LinkLayer): void {
    if (link instanceof DeviceLink) this.cpus[0].removeTimed(link.device as TimedDevice);
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
    this.#unlinked(link);
    return link;
  }

  /**
   * Give an interface to another kernel of the same arena and thread, with its settings (inet/interface-settings.ts), captures and
   * hooks. It is a new interface there; this kernel keeps nothing of it. Throws before anything changed: EINVAL (loopback,
   * or a kernel of another arena), ENXIO (none of this kernel), EEXIST or EINVAL (name), EADDRINUSE (an address of it is in use
   * there), EEXIST (a route of it is there), ENOBUFS (no room).
   */
  moveTo(other: Kernel, iface: Interface, name: string = iface.name): Interface {
    if (other.arena !== this.arena) throw errnoError(Errno.EINVAL, `${this.name}: ${other.name} is elsewhere`);
    if (iface.loopback) throw errnoError(Errno.EINVAL, `${this.name}: ${iface.name} stays`);
    const settings = settingsOf(this.inet, iface);
    const conflict = settingsError(other.inet, settings, iface);
    if (conflict < 0) {
      const table = conflict === -Errno.EADDRINUSE ? 'an address' : 'a route';
      const reason = conflict === -Errno.ENOBUFS ? 'no room' : `${table} of it is there`;
      throw errnoError(conflict, `${other.name}: interface ${name}: ${reason}`);
    }
    const moved = this.inet.interfaceTable.move(iface, other.inet.interfaceTable, name);
    if (typeof moved === 'number') throw errnoError(moved, `${other.name}: interface ${name}`);
    this.#unlinked(moved.link);
    other.#linked(moved.link);
    applySettings(other.inet, moved, settings);
    return moved;
  }

  /** A CPU ends its turn. */
  #turned(): void {
    const { tcpPorts, udpPorts } = this.inet.shared;
    const generation = tcpPorts.generation + udpPorts.generation + this.inet.tcpListeners.generation;
    if (generation !== this.#portsGeneration) {
      this.#portsGeneration = generation;
      this.onSocketsChanged?.();
    }
    this.client.flush();
  }

  /** No connection holds bytes that the peer has not acknowledged, nor a FIN. */
  get drained(): boolean {
    return this.#connections().every(({ sendQueueBytes, state }) => sendQueueBytes === 0 && !UNSENT_STATES.has(state));
  }

  /** Connections ended here wait for the peer's FIN. */
  get halfClosed(): boolean {
    return this.#connections().some(({ state }) => state === FIN_WAIT_2);
  }

  #connections(): TcpSocketInfo[] {
    return this.inet.cpus.flatMap(({ tcp }) => tcp.sockets());
  }

  /** Ports on which somebody listens (TCP) or that are bound (UDP), sorted. */
  listeningPorts(protocol: 'tcp' | 'udp'): number[] {
    const { cpus, tcpListeners } = this.inet;
    const ports = protocol === 'udp' ? cpus.flatMap(({ udp }) => udp.boundPorts()) : tcpListeners.ports();
    return [...new Set(ports)].sort((a, b) => a - b);
  }

  /** One control request, answered at once. Throws `MultikernelError`. */
  control<Op extends ControlOperation>(operation: Op, request: ControlRequest<Op>): ControlReply<Op> {
    return this.client.answer(operation, request);
  }

  /**
   * Frames that interfaces send and receive from now on, to iterate over or to write to a file. Throws EINVAL for a filter that is
   * none.
   */
  capture(request: CaptureRequest = {}): FrameCapture {
    return new FrameCapture(this.client, request);
  }

  /** The program's end of a tap or tun of this kernel (/dev/tapN, /dev/tunN): frames or packets to read and to write. */
  openTap(name: string): DeviceStream {
    return new DeviceStream(this.client, name);
  }

  /** A bpf device (/dev/bpf) on one of its interfaces. Throws EINVAL for an expression that is no filter. */
  openBpf(name: string, options: BpfOptions = {}): BpfDevice {
    return new BpfDevice(this.client, name, options);
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

function makeLoopback(kernelName: string, arena: Arena, heap: Heap): DeviceLink {
  // The ring of lo0 leaves three quarters of a heap to others.
  const ringBytes = heap.byteLength >= 4 * LOOPBACK_RING_BYTES ? LOOPBACK_RING_BYTES : LOOPBACK_RING_BYTES_MIN;
  const ringAt = heap.allocate(ringBytes);
  if (ringAt < 0) {
    throw new MultikernelError('ENOMEM', `${kernelName}: ${heap.byteLength} bytes are too few for a kernel`);
  }
  const device = { countersName: `${kernelName}/lo0`, ringAt, ringBytes };
  return new IpLink(new LoopbackDevice(arena, device), arena.view);
}

/** `errno` may have either sign. */
function errnoError(errno: number, message: string): MultikernelError {
  return new MultikernelError(errnoName(errno), message);
}
