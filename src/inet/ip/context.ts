/**
 * The context of layers 3 and 4 on one CPU: its own parts, and `shared`, which leads to those of the whole kernel; made once
 * per CPU by `Inet` (inet/inet.ts).
 *
 * Thread: the one that runs the CPU.
 */

import type { CpuContext } from '../../kern/context.ts';
import type { InetShared } from './shared.ts';

export interface InetContext extends CpuContext {
  readonly shared: InetShared;
}
