/**
 * The interfaces of one kernel: made, named, numbered, given to a CPU to be polled, flushed and taken away.
 *
 * Thread: the one that runs the kernel. An interface may go while traffic flows, but not between `reserve` and `commit`, nor
 * from inside its own input (link-layer.ts: the rule of reservations). Layer 3, which keeps state of its own per interface, is told through
 * {@link InterfaceListener}. All CPUs of the kernel share the table; each polls links of its own (link-poller.ts). Missing: transmit
 * queues per CPU; until then CPUs that send by one interface run on one thread. Read first: interface.ts, link-layer.ts, if_attach(9).
 */

import { Errno } from '../base/errors.ts';
import type { Device } from '../link/device.ts';
import { DeviceLink } from './device-link.ts';
import { EthernetLink } from './ethernet.ts';
import { IFF_UP, Interface } from './interface.ts';
import { ClonerTable } from './interface-cloner.ts';
import { IpLink } from './ip-link.ts';
import type { LinkLayer } from './link-layer.ts';
import type { LinkPoller } from './link-poller.ts';

/** As many if_indexes as the metadata of lo0 can carry. */
const INDEX_MAX = 4095;
/** IFNAMSIZ with its NUL. */
const NAME_MAX = 15;

/** Layers above, with state that hangs on interfaces. */
export interface InterfaceListener {
  attached(iface: Interface): void;
  /** Everything kept on the interface goes; it still sends. */
  detaching(iface: Interface): void;
  /** Before and after an interface gets another name. */
  renaming(iface: Interface): void;
  renamed(iface: Interface): void;
}

export class InterfaceTable {
  readonly cloners: ClonerTable = new ClonerTable();
  readonly #view: DataView;
  readonly #list: Interface[] = [];
  /** By number of the CPU. */
  readonly #pollers: LinkPoller[] = [];
  /** Interfaces that a cloner made. */
  readonly #cloned: Set<Interface> = new Set();
  #nextIndex = 1;

  /** Set once, before the first interface is attached. */
  listener!: InterfaceListener;

  /** `view` is that of the arena in which the frames of all devices lie. */
  constructor(view: DataView) {
    this.#view = view;
  }

  /** In the order in which they were attached. */
  get list(): readonly Interface[] {
    return this.#list;
  }

  // cold: configuration
  named(name: string): Interface | null {
    return this.#list.find((iface) => iface.name === name) ?? null;
  }

  // cold: configuration
  at(index: number): Interface | null {
    return this.#list.find((iface) => iface.index === index) ?? null;
  }

  /** An interface over a device. Errors as {@link attach}. */
  // cold: configuration
  attachDevice(device: Device, name: string): Interface | number {
    return this.attach(
      device.linkType === 'ip' ? new IpLink(device, this.#view) : new EthernetLink(device, this.#view),
      name,
    );
  }

  /** Whether {@link attach} would take another interface of that name: 0, or its error. */
  canAttach(name: string): number {
    return this.#list.length >= INDEX_MAX ? -Errno.ENOBUFS : this.#nameError(name);
  }

  /**
   * An interface over a link that no other interface has; it is up unless `flags` say otherwise. Returns it, or `-EEXIST`
   * (name), `-EINVAL` (no name), `-ENOBUFS` (too many).
   */
  // cold: configuration
  attach(link: LinkLayer, name: string, flags: number = IFF_UP): Interface | number {
    const error = this.canAttach(name);
    if (error !== 0) return error;
    const iface = new Interface(name, this.#freeIndex(), link, flags);
    this.#list.push(iface);
    this.assign(iface, 0);
    this.listener.attached(iface);
    return iface;
  }

  /**
   * Take an interface away with everything that hangs on it. Its link is left as it is, for another kernel to attach or to
   * be closed: returned. Frames that were committed have left. Returns `-ENXIO` when it is none of this table.
   */
  // cold: configuration
  detach(iface: Interface): LinkLayer | number {
    if (!this.#list.includes(iface)) return -Errno.ENXIO;
    for (const hook of [...iface.hooks]) hook.detached(iface);
    iface.hooks.length = 0;
    this.#withdraw(iface);
    for (const tap of [...iface.taps]) tap.detached(iface);
    iface.taps.length = 0;
    return iface.link;
  }

  /** An interface goes; its captures and hooks stay with it. */
  // cold: configuration
  #withdraw(iface: Interface): void {
    this.listener.detaching(iface);
    iface.dirty = false;
    iface.link.flush();
    this.#list.splice(this.#list.indexOf(iface), 1);
    this.#unpoll(iface.link);
    this.#cloned.delete(iface);
    iface.detached();
  }

  /**
   * Give an interface to another table, or another name and index to one of this: its link, its captures and hooks, and whether
   * it was created. It is down there, without addresses (inet/interface-settings.ts). Returns the new interface, `-ENXIO` when it
   * is none of this table, or an error of `attach` before anything changed.
   */
  // cold: configuration
  move(iface: Interface, to: InterfaceTable, name: string): Interface | number {
    if (!this.#list.includes(iface)) return -Errno.ENXIO;
    const error = to === this && name === iface.name ? 0 : to.canAttach(name);
    if (error !== 0) return error;
    const wasCloned = this.#cloned.has(iface);
    this.#withdraw(iface);
    const moved = to.attach(iface.link, name, 0) as Interface;
    if (wasCloned) to.#cloned.add(moved);
    moved.taps.push(...iface.taps.splice(0));
    moved.hooks.push(...iface.hooks.splice(0));
    for (const tap of moved.taps) tap.moved(moved);
    for (const hook of moved.hooks) hook.moved(moved);
    return moved;
  }

  /**
   * `ifconfig NAME create`; a prefix alone takes the lowest unit. The interface is down at first, as in NetBSD. Returns it,
   * `-EINVAL` when there is no such cloner, or the errors of `attach` and of the cloner.
   */
  // cold: configuration
  create(name: string): Interface | number {
    const full = this.cloners.nameOf(name, (other) => this.named(other) !== null);
    if (full === null) return -Errno.EINVAL;
    if (this.named(full) !== null) return -Errno.EEXIST;
    const link = this.cloners.create(full);
    if (typeof link === 'number') return link;
    const iface = this.attach(link, full, 0);
    if (typeof iface === 'number') link.close();
    else this.#cloned.add(iface);
    return iface;
  }

  /**
   * `ifconfig NAME destroy`. Returns 0, `-ENXIO` (gone), or for one that was not created so `-EINVAL`, `-EPERM` when its kind
   * has a cloner (lo0).
   */
  destroy(iface: Interface): number {
    if (!this.#list.includes(iface)) return -Errno.ENXIO;
    if (!this.#cloned.has(iface)) return this.cloners.has(iface.name) ? -Errno.EPERM : -Errno.EINVAL;
    this.remove(iface);
    return 0;
  }

  /** Whether {@link create} made it. */
  isCloned(iface: Interface): boolean {
    return this.#cloned.has(iface);
  }

  /** Detach an interface and close its link. */
  remove(iface: Interface): void {
    const link = this.detach(iface);
    if (typeof link !== 'number') link.close();
  }

  /** Returns 0, `-EEXIST`, `-EINVAL`, `-ENXIO`. */
  rename(iface: Interface, name: string): number {
    if (!this.#list.includes(iface)) return -Errno.ENXIO;
    if (iface.name === name) return 0;
    const error = this.#nameError(name);
    if (error !== 0) return error;
    this.listener.renaming(iface);
    iface.name = name;
    this.listener.renamed(iface);
    return 0;
  }

  /** The way in of one more CPU, the first of them before the first interface is attached. */
  // cold: assembly
  addPoller(poller: LinkPoller): void {
    this.#pollers.push(poller);
  }

  /** Give an interface to a CPU, which receives for it from now on; a new one is CPU 0's. Not from inside its own input. */
  // cold: configuration
  assign(iface: Interface, cpu: number): void {
    const poller = this.#pollers[cpu] as LinkPoller;
    iface.input = poller.input;
    this.#unpoll(iface.link);
    if (iface.link instanceof DeviceLink) poller.add(iface.link);
  }

  /** Frames of an interface go through another device from now on (`DeviceLink.replace`). Not from inside its own input. */
  // cold: configuration
  replaceDevice(iface: Interface, device: Device): void {
    const { link } = iface;
    if (!(link instanceof DeviceLink)) return;
    const poller = this.#pollers.find(({ input }) => input === iface.input) as LinkPoller;
    this.#unpoll(link);
    link.replace(device);
    poller.add(link);
  }

  /** Publish the frames that were sent since the last call. */
  flush(): void {
    for (let i = 0; i < this.#list.length; i++) {
      const iface = this.#list[i] as Interface;
      if (!iface.dirty) continue;
      iface.dirty = false;
      iface.link.flush();
    }
  }

  /** Close every link; nothing is said to anybody. */
  close(): void {
    for (const { link } of this.#list.splice(0)) {
      this.#unpoll(link);
      link.close();
    }
  }

  #unpoll(link: LinkLayer): void {
    for (const poller of this.#pollers) poller.remove(link as DeviceLink);
  }

  #nameError(name: string): number {
    if (name === '' || name.length > NAME_MAX || /[\s%/]/.test(name)) return -Errno.EINVAL;
    return this.named(name) === null ? 0 : -Errno.EEXIST;
  }

  /** The next number that no interface has: one that was given back comes again only after all others. */
  #freeIndex(): number {
    let index = this.#nextIndex;
    while (this.at(index) !== null) index = index === INDEX_MAX ? 1 : index + 1;
    this.#nextIndex = index === INDEX_MAX ? 1 : index + 1;
    return index;
  }
}
