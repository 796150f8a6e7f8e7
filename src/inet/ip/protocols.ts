/**
 * The protocols of one family, by the number in the IP header (NetBSD's `inetsw`).
 *
 * Thread: the one that runs the kernel.
 */

import type { RunInput } from '../../net/link-input.ts';
import type { Transport } from './transport.ts';

const PROTOCOLS = 256;

export class Protocols {
  /** By protocol number; the data path indexes it directly. */
  readonly table: (Transport | undefined)[] = new Array<Transport | undefined>(PROTOCOLS).fill(undefined);
  /** The transport that takes segments by the run, for the layer below. */
  runs: RunInput | null = null;

  register(transport: Transport): void {
    this.table[transport.protocol] = transport;
    if (transport.runs !== undefined) this.runs = transport.runs;
  }
}
