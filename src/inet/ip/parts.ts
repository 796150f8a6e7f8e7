/**
 * The parts of one CPU that the CPU's halves of both families are built on, made once by the assembly (inet/inet-cpu.ts).
 *
 * Thread: the one that runs the CPU.
 */

import type { Ip } from './ip.ts';
import type { RawSockets } from './raw-sockets.ts';
import type { RejectPolicy } from './reject.ts';

export interface IpParts {
  readonly ip: Ip;
  readonly raw: RawSockets;
  readonly reject: RejectPolicy;
}
