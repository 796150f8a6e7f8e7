/**
 * A local port in use by TCP.
 *
 * Thread: the one that runs the kernel. Entered in the kernel's port table (ip/ports.ts).
 */

import type { PortBinding } from '../../ip/ports.ts';

/** A local address and port in use by a listener, a bound socket, or connections; shared and counted. */
export interface PortUse extends PortBinding {
  /** Number of the CPU whose socket took the port. */
  cpu: number;
  listening: boolean;
  /** A program chose the port (bind), so that connect may not share it with others. */
  explicit: boolean;
  users: number;
}
