/**
 * The cloner of bridges: `ifconfig bridge0 create`.
 *
 * Thread: the one that runs the kernel. A bridge has a place of 64 KiB in the kernel's memory for frames of its own kernel that go to
 * several members, and a random address of local administration. Read first: bridge.ts, interface-cloner.ts.
 * Cold: configuration.
 */

import { Errno } from '../../base/errors.ts';
import type { CpuContext } from '../../kern/context.ts';
import type { InterfaceCloner } from '../interface-cloner.ts';
import type { LinkLayer } from '../link-layer.ts';
import { Bridge } from './bridge.ts';
import { BridgeLink } from './bridge-link.ts';

/** First octets of the addresses of bridges, local administration: `b` and `r`. */
const MAC_HI = 0x0262;
const MAC_LO = 0x72000000;

export class BridgeCloner implements InterfaceCloner {
  readonly prefix: string = 'bridge';
  readonly #context: CpuContext;

  constructor(context: CpuContext) {
    this.#context = context;
  }

  create(_unit: number): LinkLayer | number {
    const { heap, rng, shared } = this.#context;
    const stagingAt = heap.allocate(Bridge.stagingBytes);
    if (stagingAt < 0) return -Errno.ENOBUFS;
    const mac = { hi: MAC_HI, lo: MAC_LO | (rng.next32() & 0x00ffffff) };
    const bridge = new Bridge(this.#context, mac, stagingAt);
    const link = new BridgeLink(shared.arena.view, mac, bridge, () => heap.free(stagingAt));
    bridge.link = link;
    return link;
  }
}
