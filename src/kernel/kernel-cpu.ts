/**
 * One CPU of one kernel and its turn: receive, run the layers, fire timers, deliver socket events, publish.
 *
 * Thread: the one whose loop runs it; a thread can run CPUs of many kernels. Private to the CPU are its sockets, their
 * events, connections, callouts and the devices that time is brought to; interfaces and the other tables are the kernel's.
 * Read first: host/contract.ts ({@link Agent}), kern/cpu.ts. Missing: a `Kernel` that makes more than one
 * (`Inet.addCpu` does for layers 2 to 4).
 */

import type { Agent } from '../host/contract.ts';
import type { Inet } from '../inet/inet.ts';
import type { InetCpu } from '../inet/inet-cpu.ts';
import type { TcpStack } from '../inet/tcp/stack.ts';
import type { Cpu } from '../kern/cpu.ts';
import { Softint } from '../kern/softint.ts';
import type { TimedDevice } from '../link/device.ts';
import type { DeviceLink } from '../net/device-link.ts';
import { BATCH_FRAMES } from '../net/link-poller.ts';
import { EventQueue } from '../socket/events.ts';
import { Sockets } from '../socket/layer.ts';
import type { SocketLayer } from '../socket/socket.ts';
import { MemoryGauge } from './memory-limit.ts';

/** Rounds of receiving in one turn: bounds how long a flood can keep a turn from its timers and its program. */
const ROUNDS_PER_TURN = 8;

interface KernelCpuOptions {
  cpu: Cpu;
  /** The kernel's half, and that of this CPU. */
  kernel: Inet;
  inet: InetCpu;
  /** Link of lo0. */
  loopback: DeviceLink;
  /** A program did something outside a turn. */
  requestWork(): void;
  /** At the end of each turn. */
  turned(): void;
}

/** A CPU of a kernel, as the loop of its thread runs it: an {@link Agent}. */
export class KernelCpu implements Agent {
  /** Number, callouts, counters and share of the heap. */
  readonly cpu: Cpu;
  /** Protocols of IP on this CPU. */
  readonly inet: InetCpu;
  /** Connections of this CPU. */
  readonly tcp: TcpStack;
  /** Sockets of this CPU. */
  readonly sockets: SocketLayer;
  readonly #loopback: DeviceLink;
  readonly #turned: () => void;
  /** Data sent by a handler is flushed before the next handler runs: the peers work on it meanwhile. */
  readonly #events: EventQueue;
  /** Delivers socket events at the end of the turn. */
  readonly #delivery: Softint;
  /** A gauge: what `mk top` shows as open connections. */
  readonly #connectionsOpen: number;
  readonly #memory: MemoryGauge;
  /** The devices that time must be brought to. */
  readonly #timed: TimedDevice[] = [];

  constructor(options: KernelCpuOptions) {
    const { cpu, inet } = options;
    this.cpu = cpu;
    this.inet = inet;
    this.tcp = inet.tcp;
    this.#loopback = options.loopback;
    this.#turned = () => options.turned();
    this.#connectionsOpen = cpu.counters.index('tcp-connections-open');
    this.#memory = new MemoryGauge(cpu);
    this.#delivery = new Softint(() => this.#deliver());
    const events = new EventQueue(
      () => inet.flush(),
      () => cpu.softints.schedule(this.#delivery),
    );
    this.#events = events;
    inet.input.wake = () => options.requestWork();
    const context = { events, nowUs: () => cpu.nowUs(), requestWork: () => options.requestWork() };
    this.sockets = new Sockets(options.kernel, inet, context);
  }

  doWork(nowUs: number): number {
    const { cpu, inet, tcp } = this;
    let work = 0;
    cpu.beginTurn();
    for (let round = 0; round < ROUNDS_PER_TURN; round++) {
      const received = inet.poll(nowUs);
      work += received;
      work += tcp.doWork(nowUs);
      inet.flush();
      if (received === 0) break;
      // Loopback packets arrive within the turn: a server knows of a connection before its client does.
      if (this.#loopback.pending) continue;
      // The program first: data it does not take piles up, leaves the caches, and is lost in the end. A batch that is not
      // full has emptied the rings.
      if (cpu.softints.pending || received < BATCH_FRAMES) break;
    }
    work += cpu.callouts.run(nowUs);
    for (let i = 0; i < this.#timed.length; i++) work += (this.#timed[i] as TimedDevice).tick(nowUs);
    // Set before the handlers run, so that readers of counters see it even if a handler never returns.
    cpu.counters.set(this.#connectionsOpen, tcp.connectionCount);
    try {
      work += cpu.softints.run();
    } finally {
      // Data sent by handlers is flushed even when one of them threw.
      inet.flush();
    }
    cpu.counters.set(this.#connectionsOpen, tcp.connectionCount);
    this.#memory.update();
    this.#turned();
    return work;
  }

  flush(): void {
    this.inet.flush();
  }

  nextDeadlineUs(): number {
    return Math.min(this.cpu.callouts.nextDeadlineUs(), this.exactDeadlineUs());
  }

  exactDeadlineUs(): number {
    let nextUs = Infinity;
    for (const device of this.#timed) nextUs = Math.min(nextUs, device.nextDeadlineUs());
    return nextUs;
  }

  workPending(): boolean {
    return this.cpu.softints.pending || this.tcp.workPending || this.inet.pending;
  }

  /** Bring time to a device with every turn. */
  addTimed(device: TimedDevice): void {
    this.#timed.push(device);
  }

  /** Takes a device of `addTimed` out. */
  removeTimed(device: TimedDevice): void {
    const index = this.#timed.indexOf(device);
    if (index >= 0) this.#timed.splice(index, 1);
  }

  #deliver(): number {
    try {
      return this.#events.deliver();
    } finally {
      // Events that handlers posted, and those behind a handler that threw.
      if (this.#events.pending) this.cpu.softints.schedule(this.#delivery);
    }
  }
}
