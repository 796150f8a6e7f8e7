/**
 * Counters of a program whose kernel works elsewhere: counted here, and sent there now and then.
 *
 * Thread: the program's. Read first: rump/count-service.ts.
 */

import { PROGRAM_COUNTERS } from '../lab/messages.ts';
import { inRoot } from '../node/face.ts';
import type { ClientSockets } from '../rump/client-sockets.ts';
import { encodeCounts } from '../rump/count-service.ts';
import { COUNT } from '../rump/protocol.ts';

/** Time that counts may wait; the metrics of a lab are looked at once a second. */
const SEND_MS = 100;

// Taken before the program can replace it (fake timers do).
const startTimer = setTimeout;

/** The kernel knows within {@link SEND_MS}, and at the end of a program that ends by itself. */
export class SentCounters {
  readonly #sockets: () => ClientSockets;
  readonly #counts = new Int32Array(PROGRAM_COUNTERS.length);
  #waiting = false;
  readonly #send = (): void => {
    this.#waiting = false;
    const bytes = encodeCounts(this.#counts);
    if (bytes.length > 0) this.#sockets().connection.send(COUNT, 0, 0, 0, bytes);
  };
  readonly #sendLater = (): void => {
    startTimer(this.#send, SEND_MS).unref();
  };

  /** `sockets`: asked for when there is something to send. */
  constructor(sockets: () => ClientSockets) {
    this.#sockets = sockets;
    // Before the sockets are closed.
    process.prependListener('exit', this.#send);
  }

  add(index: number, n: number): void {
    (this.#counts[index] as number) += n;
    if (this.#waiting) return;
    this.#waiting = true;
    // The timer is no part of the request that is counted.
    inRoot(this.#sendLater);
  }
}
