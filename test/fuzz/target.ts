/**
 * One copy of the kernel under test, its devices in guarded memory, and the honest peer on eth2.
 *
 * Memory is laid out once for each copy and used again for every world: an arena cannot be given back.
 */

import { SeededRng } from '../../src/base/rng.ts';
import type { Host } from '../../src/host/contract.ts';
import type { RouteChange } from '../../src/kernel/control.ts';
import { Kernel } from '../../src/kernel/kernel.ts';
import { Arena } from '../../src/mem/arena.ts';
import type { StreamSocket } from '../../src/socket/socket.ts';
import { formatAddress } from '../../src/wire/ipv4.ts';
import * as cast from './cast.ts';
import type { Config } from './config.ts';
import { GuardedDevice, GuardedMemory } from './guarded-device.ts';
import { pattern } from './program.ts';

const HEAP_BYTES = 12 << 20;
const ARENA_BYTES: number = 2 * HEAP_BYTES + (8 << 20);
const MOST_TURNS = 2000;

/** The clock of a world. */
export interface Clock {
  nowUs: number;
}

/** Memory for one copy: for the kernel under test, and for the honest peer. */
export class Site {
  readonly arena: Arena = Arena.create(ARENA_BYTES);
  readonly heapAt: number;
  readonly peerHeapAt: number;
  readonly memory: GuardedMemory;
  readonly peerMemory: GuardedMemory;

  constructor(atEnd: boolean, seed: number) {
    this.heapAt = this.arena.allocate(HEAP_BYTES, 4096);
    this.peerHeapAt = this.arena.allocate(HEAP_BYTES, 4096);
    // Blocks for the counters, which kernels of the same name use again.
    new Kernel({ name: 'target', arena: this.arena, host: hostOf(1, { nowUs: 0 }), heap: this.#heap(this.heapAt) });
    new Kernel({ name: 'peer', arena: this.arena, host: hostOf(1, { nowUs: 0 }), heap: this.#heap(this.peerHeapAt) });
    this.peerMemory = new GuardedMemory(this.arena, false, seed + 1);
    for (const name of [...cast.INTERFACES, 'peer0']) new GuardedDevice(this.peerMemory, name, { hi: 0, lo: 0 });
    this.memory = new GuardedMemory(this.arena, atEnd, seed);
  }

  #heap(at: number): { at: number; bytes: number } {
    return { at, bytes: HEAP_BYTES };
  }

  /** A kernel whose memory holds nothing but poison. */
  boot(name: string, seed: number, clock: Clock): Kernel {
    const at = name === 'target' ? this.heapAt : this.peerHeapAt;
    this.memory.spoil(at, at + HEAP_BYTES);
    return new Kernel({ name, arena: this.arena, host: hostOf(seed, clock), heap: this.#heap(at) });
  }
}

function hostOf(seed: number, clock: Clock): Host {
  return { rng: new SeededRng(seed), nowUs: () => clock.nowUs, epochNs: 0n, requestWork: () => {} };
}

/** Let a kernel work until nothing is left to do. */
export function settle(kernel: Kernel, clock: Clock): void {
  for (let turn = 0; kernel.doWork(clock.nowUs) > 0; turn++) {
    if (turn > MOST_TURNS) throw new Error(`${kernel.name} does not come to rest at ${clock.nowUs} us`);
  }
}

function configure(kernel: Kernel, name: string, address: number): void {
  const addAddress = { address: formatAddress(address), prefixLength: cast.PREFIX_LENGTH };
  kernel.control('interface.set', { name, addAddress });
}

function route(
  kernel: Kernel,
  destination: number,
  prefixLength: number,
  gateway: number,
  kind: RouteChange['kind'],
): void {
  kernel.control('route.add', {
    destination: formatAddress(destination),
    prefixLength,
    gateway: formatAddress(gateway),
    kind,
  });
}

export class Target {
  readonly kernel: Kernel;
  readonly devices: readonly GuardedDevice[];

  constructor(site: Site, config: Config, clock: Clock) {
    const kernel = site.boot('target', config.seed, clock);
    this.kernel = kernel;
    this.devices = cast.INTERFACES.map((name, n) => {
      const [hi, lo] = cast.OWN_MACS[n] as cast.Mac;
      const device = new GuardedDevice(site.memory, name, { hi, lo });
      device.mtuBytes = config.mtuBytes[n] as number;
      device.capabilities = config.capabilities[n] as number;
      kernel.attach(device, name);
      return device;
    });
    // Before probing may be switched on: the honest peer is there from the beginning.
    configure(kernel, 'eth2', cast.OWN_ADDRESSES[2] as number);
    kernel.control('neighbor.add', {
      address: formatAddress(cast.HONEST_ADDRESS),
      mac: '02:00:00:00:00:ee',
      temporary: false,
      published: false,
    });
    for (const [name, value] of config.sysctls) kernel.control('sysctl.set', { name, value });
    for (const n of [0, 1]) configure(kernel, cast.INTERFACES[n] as string, cast.OWN_ADDRESSES[n] as number);
    configure(kernel, 'eth0', cast.SECOND_ADDRESS);
    route(kernel, 0, 0, cast.GATEWAY, 'unicast');
    route(kernel, cast.ROUTED_NET, 16, cast.OTHER_GATEWAY, 'unicast');
    route(kernel, cast.REJECTED_NET, 16, cast.ip('127.0.0.1'), 'reject');
    route(kernel, cast.SWALLOWED_NET, 16, cast.ip('127.0.0.1'), 'blackhole');
  }

  /** Whether the kernel has that address. */
  isOwn(address: number): boolean {
    return this.kernel.inet.ip.isLocal(address);
  }
}

/** The honest peer: connects over eth2, says a pattern, and expects it back. */
export class HonestPeer {
  readonly kernel: Kernel;
  readonly device: GuardedDevice;
  readonly socket: StreamSocket;
  said = 0;
  heard = 0;
  /** How much is to be said. */
  wanted = 0;
  finished = false;
  readonly #scratch: Uint8Array = new Uint8Array(4096);
  #connected = false;
  #closing = false;

  constructor(site: Site, seed: number, clock: Clock) {
    const kernel = site.boot('peer', seed, clock);
    this.kernel = kernel;
    const [hi, lo] = cast.HONEST_MAC;
    this.device = new GuardedDevice(site.peerMemory, 'peer0', { hi, lo });
    kernel.attach(this.device, 'peer0');
    configure(kernel, 'peer0', cast.HONEST_ADDRESS);
    this.socket = kernel.sockets.stream();
  }

  connect(): void {
    const to = cast.OWN_ADDRESSES[2] as number;
    if (this.socket.connect(to, cast.HONEST_PORT) !== -115) throw new Error('honest connection: connect failed');
    this.#connected = true;
  }

  step(): void {
    const { socket } = this;
    if (this.finished || !this.#connected) return;
    while (this.said < this.wanted) {
      const count = Math.min(this.wanted - this.said, this.#scratch.length);
      for (let i = 0; i < count; i++) this.#scratch[i] = pattern(this.said + i);
      const sent = socket.send(this.#scratch, 0, count);
      if (sent === -11 || sent === -105) break;
      if (sent < 0) throw new Error(`honest peer: send gave ${sent} after ${this.said} bytes`);
      this.said += sent;
    }
    if (this.#closing && this.said === this.wanted) socket.shutdown();
    for (;;) {
      const count = socket.receive(this.#scratch, 0, this.#scratch.length);
      if (count === -11) return;
      if (count < 0) throw new Error(`honest peer: receive gave ${count} after ${this.heard} bytes`);
      if (count === 0) {
        if (this.heard !== this.wanted) throw new Error(`honest peer: end after ${this.heard} of ${this.wanted} bytes`);
        this.finished = true;
        socket.close();
        return;
      }
      for (let i = 0; i < count; i++) {
        if (this.#scratch[i] !== pattern(this.heard + i)) throw new Error(`honest peer: wrong byte ${this.heard + i}`);
      }
      this.heard += count;
    }
  }

  /** Say no more than is wanted by now, then end. */
  finish(): void {
    this.#closing = true;
  }
}
