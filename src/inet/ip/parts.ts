/**
 * The parts that both families of one kernel are built on, made once by the assembly (inet/inet.ts).
 *
 * Thread: the one that runs the kernel.
 */

import type { IngressFilter } from './ingress-filter.ts';
import type { Ip } from './ip.ts';
import type { RawSockets } from './raw-sockets.ts';
import type { RejectPolicy } from './reject.ts';

export interface IpParts {
  readonly ip: Ip;
  readonly filter: IngressFilter;
  readonly raw: RawSockets;
  readonly reject: RejectPolicy;
}
