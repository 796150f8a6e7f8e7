/**
 * An address family on one CPU: paths, protocols and errors, over the tables that the CPUs share (family.ts).
 *
 * Thread: the one that runs the CPU. The assembly registers both families (inet/inet-cpu.ts).
 */

import { BothFamilies } from './family.ts';
import type { PathResolver } from './path.ts';
import type { InPacket, Transport } from './transport.ts';

export interface FamilyCpu {
  readonly paths: PathResolver;
  /** Packets of this protocol go to `transport` from now on. */
  register(transport: Transport): void;
  /** As `IpService.sendUnreachable`. */
  sendUnreachable(packet: InPacket, code: number, nowUs: number): void;
}

/** The families on one CPU. */
export class FamiliesCpu extends BothFamilies<FamilyCpu> {}
