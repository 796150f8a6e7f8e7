/**
 * Impairments of the interfaces of one kernel: a bad link is put between an interface and its device with the first impairment, and
 * taken out when the last was healed and the last frame has come out. Interfaces that nothing is wrong with know nothing of it.
 *
 * Thread: the one that runs the kernel, between turns. Cold: control requests. Read first: link/impair.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import type { Host } from '../host/contract.ts';
import type { PortedDevice, TimedDevice } from '../link/device.ts';
import { ImpairedDevice } from '../link/impair.ts';
import type { Impairment } from '../link/impairment.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { DeviceLink } from '../net/device-link.ts';
import type { Interface } from '../net/interface.ts';
import type { InterfaceTable } from '../net/interface-table.ts';
import type { FrameSource, InterfaceImpairments } from '../sys/impairment-control.ts';

/** Memory for the frames that wait on one interface. */
export interface StoreMemory {
  at: number;
  bytes: number;
}

interface ImpairmentParts {
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly host: Host;
  readonly interfaces: InterfaceTable;
  /** Time is brought to a device, or not any more. */
  addTimed(device: TimedDevice): void;
  removeTimed(device: TimedDevice): void;
}

export class Impairments implements InterfaceImpairments {
  readonly #parts: ImpairmentParts;
  readonly #stores: Map<string, StoreMemory> = new Map();

  constructor(parts: ImpairmentParts) {
    this.#parts = parts;
  }

  /** Memory for the interface of that name; without it the arena is asked for some at the first impairment. */
  giveStore(name: string, store: StoreMemory): void {
    this.#stores.set(name, store);
  }

  /**
   * Impair what an interface sends (`out`), what it receives (`in`), or what it receives from one link-layer address or port; null heals.
   * Chances are drawn from `seed` when that was not impaired before, and go on otherwise. Throws EINVAL, EOPNOTSUPP for an interface without
   * a device, ENOMEM.
   */
  set(
    iface: Interface,
    direction: 'in' | 'out',
    from: FrameSource | null,
    impairment: Impairment | null,
    seed: number,
  ): void {
    const { link } = iface;
    if (!(link instanceof DeviceLink)) throw new MultikernelError('EOPNOTSUPP', `${iface.name} has no device`);
    if (impairment === null && !(link.device instanceof ImpairedDevice)) return;
    const device = link.device instanceof ImpairedDevice ? link.device : this.#interpose(iface, link);
    const rng = new SeededRng(seed);
    if (from === null) device.impair(direction, impairment, rng);
    else if ('macHi' in from) device.impairFrom(from.macHi, from.macLo, impairment, rng);
    else if (device.impairFromPort(from.port, impairment, rng) < 0)
      throw new MultikernelError('EOPNOTSUPP', `${iface.name} has no ports`);
    this.#parts.host.requestWork();
  }

  cut(iface: Interface, ports: readonly number[]): void {
    const { link } = iface;
    const device = link instanceof DeviceLink ? link.device : null;
    const inner = device instanceof ImpairedDevice ? device.inner : device;
    if (inner === null || !('cutPorts' in inner))
      throw new MultikernelError('EOPNOTSUPP', `${iface.name} has no ports`);
    if ((inner as PortedDevice).cutPorts(ports) < 0) throw new MultikernelError('EINVAL', 'ports: no such port');
  }

  #interpose(iface: Interface, link: DeviceLink): ImpairedDevice {
    const { arena, bulk, host, interfaces } = this.#parts;
    const store = this.#stores.get(iface.name);
    const device = new ImpairedDevice(link.device, arena, bulk, {
      clock: host,
      rng: host.rng,
      ...(store === undefined ? {} : { storeAt: store.at, storeBytes: store.bytes }),
      healed: () => this.#remove(iface, device),
    });
    this.#replace(iface, link.device, device);
    interfaces.flush();
    return device;
  }

  #remove(iface: Interface, device: ImpairedDevice): void {
    // It may have moved to another kernel, which keeps it.
    if (iface.attached && (iface.link as DeviceLink).device === device) this.#replace(iface, device, device.inner);
  }

  #replace(iface: Interface, before: DeviceLink['device'], after: DeviceLink['device']): void {
    const { interfaces } = this.#parts;
    interfaces.replaceDevice(iface, after);
    this.#parts.removeTimed(before as TimedDevice);
    if ('tick' in after) this.#parts.addTimed(after as TimedDevice);
  }
}
