/**
 * The protocols of one family, by the number in the IP header (NetBSD's `inetsw`), and the errors that ICMP hands them.
 *
 * Thread: the one that runs the CPU.
 */

import type { RunInput } from '../../net/link-input.ts';
import type { IcmpError, Transport } from './transport.ts';

const PROTOCOLS = 256;

export class Protocols {
  /** By protocol number; the data path indexes it directly. */
  readonly table: (Transport | undefined)[] = new Array<Transport | undefined>(PROTOCOLS).fill(undefined);
  /** The transport that takes segments by the run, for the layer below. */
  runs: RunInput | null = null;
  /** The error that the family's ICMP fills in for {@link deliverError}. */
  readonly error: IcmpError = {
    type: 0,
    code: 0,
    nextHopMtuBytes: 0,
    src: 0,
    dst: 0,
    from: 0,
    quotedAt: 0,
    quotedBytes: 0,
  };

  register(transport: Transport): void {
    this.table[transport.protocol] = transport;
    if (transport.runs !== undefined) this.runs = transport.runs;
  }

  /** Hand {@link error} to the transport of the quoted packet, if the kernel has one; its payload is [`at`, `end`). */
  deliverError(protocol: number, at: number, end: number, nowUs: number): void {
    const transport = this.table[protocol];
    if (transport === undefined) return;
    this.error.quotedAt = at;
    this.error.quotedBytes = end - at;
    transport.icmpError(this.error, nowUs);
  }
}
