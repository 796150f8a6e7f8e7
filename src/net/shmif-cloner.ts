/**
 * The cloner of interfaces on a bus between processes: `ifconfig shmif0 create`, `ifconfig shmif0 linkstr bus1`.
 *
 * Thread: the one that runs the kernel. Read first: link/bus.ts, NetBSD shmif(4).
 * Cold: configuration.
 */

import { BusDevice } from '../link/bus.ts';
import { FileLink, type FileLinkContext } from './file-link.ts';
import type { InterfaceCloner } from './interface-cloner.ts';
import type { LinkLayer } from './link-layer.ts';

/** First 16 bits of the addresses of such interfaces. */
const MAC_HI = 0xb2a0;

export interface ShmifContext extends FileLinkContext<BusDevice> {
  /** Microseconds since 1970. */
  timeUs(): number;
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
    return new FileLink(device, arena, connect, () => void this.#free.push(memoryAt));
  }
}
