/**
 * The cloner of interfaces on a bus between processes: `ifconfig shmif0 create`, `ifconfig shmif0 linkstr bus1`.
 *
 * Thread: the one that runs the kernel. Read first: link/bus.ts, NetBSD shmif(4).
 * Cold: configuration.
 */

import { Errno } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import { BusDevice } from '../link/bus.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { EthernetLink } from './ethernet.ts';
import type { InterfaceCloner } from './interface-cloner.ts';
import type { LinkLayer } from './link-layer.ts';

/** First 16 bits of the addresses of such interfaces. */
const MAC_HI = 0xb2a0;

/** Buses, and what their devices want of the kernel. */
export interface ShmifContext {
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly rng: Rng;
  readonly kernelName: string;
  /** Microseconds since 1970. */
  timeUs(): number;
  /** A device joins the bus at a path. Throws the host's code. */
  connect(device: BusDevice, path: string): void;
}

/** The link of a shmif interface; its link string is the path of its bus. */
class ShmifLink extends EthernetLink {
  readonly #bus: BusDevice;
  readonly #connect: ShmifContext['connect'];
  readonly #closed: () => void;
  #path: string | null = null;

  constructor(device: BusDevice, arena: Arena, connect: ShmifContext['connect'], closed: () => void) {
    super(device, arena.view);
    this.#closed = closed;
    this.#bus = device;
    this.#connect = connect;
  }

  override get linkString(): string | null {
    return this.#path;
  }

  override setLinkString(path: string | null): void {
    this.#path = null;
    if (path === null) this.#bus.disconnect();
    else {
      this.#connect(this.#bus, path);
      this.#path = path;
    }
  }

  override get startError(): number {
    return this.#bus.connected ? 0 : -Errno.ENXIO;
  }

  override get mediaOn(): boolean | null {
    return this.#bus.mediaOn;
  }

  override setMedia(on: boolean): void {
    this.#bus.setMedia(on);
  }

  override close(): void {
    super.close();
    this.#closed();
  }
}

export class ShmifCloner implements InterfaceCloner {
  readonly prefix: string = 'shmif';
  readonly #context: ShmifContext;
  /** Memory of interfaces that are gone. */
  readonly #free: number[] = [];

  constructor(context: ShmifContext) {
    this.#context = context;
  }

  create(unit: number): LinkLayer | number {
    const { arena, bulk, rng, kernelName, timeUs, connect } = this.#context;
    const memoryAt = this.#free.pop() ?? arena.allocate(BusDevice.memoryBytes, 4096);
    const name = `shmif${unit}`;
    const mac = { hi: MAC_HI, lo: rng.next32() };
    const device = new BusDevice(arena, bulk, { name, countersName: `${kernelName}/${name}`, mac, timeUs, memoryAt });
    return new ShmifLink(device, arena, connect, () => void this.#free.push(memoryAt));
  }
}
