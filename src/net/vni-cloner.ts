/**
 * The cloner of interfaces on a vni network between processes: `ifconfig vni0 create`, `ifconfig vni0 linkstr link1`.
 *
 * Thread: the one that runs the kernel. Read first: link/file-vni.ts.
 * Cold: configuration.
 */

import { FileVniDevice } from '../link/file-vni.ts';
import { FileLink, type FileLinkContext } from './file-link.ts';
import type { InterfaceCloner } from './interface-cloner.ts';
import type { LinkLayer } from './link-layer.ts';

/** First 16 bits of the addresses of such interfaces. */
const MAC_HI = 0xb2a1;

export class VniCloner implements InterfaceCloner {
  readonly prefix: string = 'vni';
  readonly #context: FileLinkContext<FileVniDevice>;

  constructor(context: FileLinkContext<FileVniDevice>) {
    this.#context = context;
  }

  create(unit: number): LinkLayer | number {
    const { arena, bulk, rng, kernelName, connect } = this.#context;
    const name = `vni${unit}`;
    const mac = { hi: MAC_HI, lo: rng.next32() };
    const device = new FileVniDevice(arena, bulk, { name, countersName: `${kernelName}/${name}`, mac });
    return new FileLink(device, arena, connect, () => undefined);
  }
}
