/**
 * ECN of one connection: what was agreed, what is to be echoed, which reduction the peer has yet to be told.
 *
 * Thread: the one that runs the kernel.
 * Read first: RFC 3168 section 6.1.
 */

/** Per connection, once agreed. */
export class EcnState {
  ok: boolean = false;
  /** Receiver: echo ECE until the sender says that it has slowed down. */
  echo: boolean = false;
  /** Sender: no further reduction until this is acknowledged; the next new data says CWR. */
  reducedSeq: number = 0;
  reduced: boolean = false;
  /** Sender: the ACK at hand echoes a mark. */
  echoed: boolean = false;
  cwrDue: boolean = false;
}
