/**
 * The link of an interface over a file that several processes map, which its link string names: shmif, vni.
 *
 * Thread: the one that runs the kernel. Without a link string the interface does not come up.
 * Cold: configuration.
 */

import { Errno } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { Device } from '../link/device.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import { EthernetLink } from './ethernet.ts';

/** A device that takes part in what a file is for, or in nothing yet. */
export interface FileDevice extends Device {
  readonly connected: boolean;
  disconnect(): void;
  readonly mediaOn: boolean;
  setMedia(on: boolean): void;
}

/** The kernel's parts that cloners of such interfaces need. */
export interface FileLinkContext<D extends FileDevice> {
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly rng: Rng;
  readonly kernelName: string;
  /** A device takes part in the file at a path. Throws the host's code. */
  connect(device: D, path: string): void;
}

export class FileLink<D extends FileDevice> extends EthernetLink {
  readonly #member: D;
  readonly #connect: (device: D, path: string) => void;
  readonly #closed: () => void;
  #path: string | null = null;

  /** `connect` has the device take part in the file at a path, and throws the host's code; `closed`: the interface is gone. */
  constructor(device: D, arena: Arena, connect: (device: D, path: string) => void, closed: () => void) {
    super(device, arena.view);
    this.#closed = closed;
    this.#member = device;
    this.#connect = connect;
  }

  override get linkString(): string | null {
    return this.#path;
  }

  override setLinkString(path: string | null): void {
    this.#path = null;
    if (path === null) this.#member.disconnect();
    else {
      this.#connect(this.#member, path);
      this.#path = path;
    }
  }

  override get startError(): number {
    return this.#member.connected ? 0 : -Errno.ENXIO;
  }

  override get mediaOn(): boolean | null {
    return this.#member.mediaOn;
  }

  override setMedia(on: boolean): void {
    this.#member.setMedia(on);
  }

  override close(): void {
    super.close();
    this.#closed();
  }
}
