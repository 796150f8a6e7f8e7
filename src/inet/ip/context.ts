/**
 * The context of layers 3 and 4 on one CPU; made once by `Inet` (inet/inet.ts).
 *
 * Thread: the one that runs the kernel.
 */

import type { CpuContext } from '../../kern/context.ts';
import type { AddressInterner } from './address-interner.ts';

export interface InetContext extends CpuContext {
  /** Interner of IPv6 addresses: int32 handle 0xf0nnnnnn for 128 bits and a zone. */
  readonly interner: AddressInterner;
}
