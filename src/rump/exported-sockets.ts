/**
 * Sockets on their way from one process to another: who has the token takes the socket. Thread: the one that runs the kernel.
 *
 * A socket that nobody takes in time is closed.
 */

import type { Rng } from '../base/rng.ts';
import type { Family } from '../socket/socket.ts';
import { formatKey } from './handshake.ts';
import { type AnySocket, IN_TRANSIT, join, leave } from './shared-socket.ts';

export interface ExportedSocket {
  readonly socket: AnySocket;
  readonly kind: 'stream' | 'datagram';
  readonly family: Family;
}

/** How long a socket on its way waits for its new process. */
const EXPORT_MS = 60_000;
const TOKEN_WORDS = 4;

export class ExportedSockets {
  readonly #rng: Rng;
  readonly #after: (ms: number, run: () => void) => void;
  readonly #waiting = new Map<string, ExportedSocket>();

  /** Tokens must not be foreseeable: `rng`. `after` calls once that time has passed. */
  constructor(rng: Rng, after: (ms: number, run: () => void) => void) {
    this.#rng = rng;
    this.#after = after;
  }

  /** Let another process take `socket`; the token is for its eyes only. */
  add(socket: AnySocket, kind: 'stream' | 'datagram', family: Family): string {
    const words = Int32Array.from({ length: TOKEN_WORDS }, () => this.#rng.next32());
    const token = formatKey(new Uint8Array(words.buffer));
    join(socket, IN_TRANSIT);
    this.#waiting.set(token, { socket, kind, family });
    this.#after(EXPORT_MS, () => {
      if (this.#waiting.delete(token) && leave(socket, IN_TRANSIT)) socket.close();
    });
    return token;
  }

  /** Take a socket; the caller joins it and leaves {@link IN_TRANSIT}. */
  take(token: string): ExportedSocket | null {
    const found = this.#waiting.get(token) ?? null;
    this.#waiting.delete(token);
    return found;
  }
}
