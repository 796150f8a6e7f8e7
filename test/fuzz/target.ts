/**
 * One copy of the kernel under test, its devices in guarded memory, and the honest peer on eth2.
 *
 * Memory is laid out once for each copy and used again for every world: an arena cannot be given back.
 */

import { SeededRng } from '../../src/base/rng.ts';
import type { Host } from '../../src/host/contract.ts';
import { Kernel } from '../../src/kernel/kernel.ts';
import { Arena } from '../../src/mem/arena.ts';
import type { StreamSocket } from '../../src/socket/socket.ts';
import type { RouteChange } from '../../src/tools/change-requests.ts';
import { formatAddress } from '../../src/wire/ipv4.ts';
import { addressOf } from '../fixtures/socket-address.ts';
import { textControl } from '../fixtures/text-control.ts';
import * as cast from './cast.ts';
import * as cast6 from './cast6.ts';
import { Chance } from './chance.ts';
import { type Config, flipSwitches } from './config.ts';
import { GuardedDevice, GuardedMemory } from './guarded-device.ts';
import { pattern } from './program.ts';

const HEAP_BYTES = 12 << 20;
const ARENA_BYTES: number = 2 * HEAP_BYTES + (8 << 20);
const MOST_TURNS = 2000;

/** The seed of the kernel that is recorded: its switches stand as delivered. */
export const RECORDING_SEED = 1;

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
    Kernel.create({ name: 'target', arena: this.arena, host: hostOf(1, { nowUs: 0 }), heap: this.#heap(this.heapAt) });
    Kernel.create({
      name: 'peer',
      arena: this.arena,
      host: hostOf(1, { nowUs: 0 }),
      heap: this.#heap(this.peerHeapAt),
    });
    this.peerMemory = new GuardedMemory(this.arena, false, seed + 1);
    for (const name of [...cast.INTERFACES, 'peer0']) new GuardedDevice(this.peerMemory, name, { hi: 0, lo: 0 });
    this.memory = new GuardedMemory(this.arena, atEnd, seed);
  }

  #heap(at: number): { at: number; bytes: number } {
    return { at, bytes: HEAP_BYTES };
  }

  /** A kernel whose memory holds nothing but poison. */
  boot(name: string, seed: number, clock: Clock, ipv6: boolean): Kernel {
    const at = name === 'target' ? this.heapAt : this.peerHeapAt;
    this.memory.spoil(at, at + HEAP_BYTES);
    return Kernel.create({ name, arena: this.arena, host: hostOf(seed, clock), heap: this.#heap(at), ipv6 });
  }
}

function hostOf(seed: number, clock: Clock): Host {
  return { rng: new SeededRng(seed), nowUs: () => clock.nowUs, epochNs: 0n, requestWork: () => {} };
}

/** Let a kernel work until nothing is left to do. */
export function settle(kernel: Kernel, clock: Clock): void {
  for (let turn = 0; kernel.cpus[0].doWork(clock.nowUs) > 0; turn++) {
    if (turn > MOST_TURNS) throw new Error(`${kernel.name} does not come to rest at ${clock.nowUs} us`);
  }
}

function configure(kernel: Kernel, name: string, address: number): void {
  const addAddress = { address: formatAddress(address), prefixLength: cast.PREFIX_LENGTH };
  textControl(kernel, 'interface.set', { name, addAddress });
}

function configure6(kernel: Kernel, name: string, address: cast6.Address): void {
  const addAddress = { address: cast6.text(address), prefixLength: cast6.ADDRESS_PREFIX_LENGTH };
  textControl(kernel, 'interface.set', { name, addAddress });
}

function route(
  kernel: Kernel,
  destination: number,
  prefixLength: number,
  gateway: number,
  kind: RouteChange['kind'],
): void {
  textControl(kernel, 'route.add', {
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
    const kernel = site.boot('target', config.seed, clock, config.ipv6);
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
    const honest = [formatAddress(cast.HONEST_ADDRESS)];
    if (config.ipv6) {
      configure6(kernel, 'eth2', cast6.globalAddress(2, 1));
      honest.push(cast6.text(cast6.HONEST));
    }
    for (const address of honest) {
      textControl(kernel, 'neighbor.add', { address, mac: '02:00:00:00:00:ee', temporary: false, published: false });
    }
    if (config.seed !== RECORDING_SEED) flipSwitches(new Chance(config.seed), kernel);
    for (const [name, value] of config.sysctls) textControl(kernel, 'sysctl.set', { name, value });
    for (const n of [0, 1]) {
      const name = cast.INTERFACES[n] as string;
      configure(kernel, name, cast.OWN_ADDRESSES[n] as number);
      if (config.ipv6) configure6(kernel, name, cast6.globalAddress(n, 1));
    }
    configure(kernel, 'eth0', cast.SECOND_ADDRESS);
    route(kernel, 0, 0, cast.GATEWAY, 'unicast');
    if (config.ipv6) {
      const gateway = cast6.text(cast6.GATEWAY);
      const destination = { destination: '::', prefixLength: 0, gateway, interface: 'eth0', kind: 'unicast' } as const;
      if (config.seed % 2 === 0) textControl(kernel, 'route.add', destination);
    }
    route(kernel, cast.ROUTED_NET, 16, cast.OTHER_GATEWAY, 'unicast');
    route(kernel, cast.REJECTED_NET, 16, cast.ip('127.0.0.1'), 'reject');
    route(kernel, cast.SWALLOWED_NET, 16, cast.ip('127.0.0.1'), 'blackhole');
  }

  /** Whether the kernel has that address. */
  isOwn(address: number): boolean {
    return this.kernel.inet.cpus[0].ip.isLocal(address);
  }

  /** The same for IPv6, whatever state the address is in. */
  isOwn6(address: cast6.Address): boolean {
    const { interner: table } = this.kernel.inet.shared;
    return this.kernel.inet
      .list()
      .some((iface) =>
        iface.addresses6.some((entry) => table.words(entry.address).every((word, i) => word === address[i])),
      );
  }
}

/** The honest peer's machine. */
export class PeerMachine {
  readonly kernel: Kernel;
  readonly device: GuardedDevice;

  constructor(site: Site, seed: number, clock: Clock, ipv6: boolean) {
    const kernel = site.boot('peer', seed, clock, ipv6);
    this.kernel = kernel;
    const [hi, lo] = cast.HONEST_MAC;
    this.device = new GuardedDevice(site.peerMemory, 'peer0', { hi, lo });
    kernel.attach(this.device, 'peer0');
    configure(kernel, 'peer0', cast.HONEST_ADDRESS);
    if (ipv6) configure6(kernel, 'peer0', cast6.HONEST);
    // The kernel under test may be told to answer nobody's questions.
    const targets = [formatAddress(cast.OWN_ADDRESSES[2] as number)];
    if (ipv6) targets.push(cast6.text(cast6.globalAddress(2, 1)));
    for (const address of targets) {
      textControl(kernel, 'neighbor.add', { address, mac: '02:00:00:00:00:03', temporary: false, published: false });
    }
  }
}

/** The peer's end of an honest connection: says a pattern, and expects it back. */
export class HonestPeer {
  readonly socket: StreamSocket;
  said = 0;
  heard = 0;
  /** How much is to be said. */
  wanted = 0;
  finished = false;
  readonly #family: 4 | 6;
  readonly #scratch: Uint8Array = new Uint8Array(4096);
  #connected = false;
  #closing = false;

  constructor(machine: PeerMachine, family: 4 | 6) {
    this.#family = family;
    this.socket = machine.kernel.sockets.stream(family);
  }

  connect(): void {
    const six = this.#family === 6;
    const text = six ? cast6.text(cast6.globalAddress(2, 1)) : formatAddress(cast.OWN_ADDRESSES[2] as number);
    const done = this.socket.connect(addressOf(text, six ? cast6.HONEST_PORT : cast.HONEST_PORT));
    if (done !== -115) throw new Error(`honest connection: connect gave ${done}`);
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
      if (sent < 0) throw new Error(`honest peer ${this.#family}: send gave ${sent} after ${this.said} bytes`);
      this.said += sent;
    }
    if (this.#closing && this.said === this.wanted) socket.shutdown();
    for (;;) {
      const count = socket.receive(this.#scratch, 0, this.#scratch.length);
      if (count === -11) return;
      if (count < 0) throw new Error(`honest peer ${this.#family}: receive gave ${count} after ${this.heard} bytes`);
      if (count === 0) {
        if (this.heard !== this.wanted)
          throw new Error(`honest peer ${this.#family}: end after ${this.heard} of ${this.wanted} bytes`);
        this.finished = true;
        socket.close();
        return;
      }
      for (let i = 0; i < count; i++) {
        if (this.#scratch[i] !== pattern(this.heard + i))
          throw new Error(`honest peer ${this.#family}: wrong byte ${this.heard + i}`);
      }
      this.heard += count;
    }
  }

  /** Say no more than is wanted by now, then end. */
  finish(): void {
    this.#closing = true;
  }
}
