/**
 * Open files on their way from one process to another (SCM_RIGHTS of unix(4)): the holder of the token takes the file. Thread: the
 * one that runs the kernel.
 *
 * A file on its way has a reference of its own; one that nobody takes in time loses it.
 */

import type { Rng } from '../base/rng.ts';
import type { Family } from '../socket/socket.ts';
import type { DatagramFile, StreamFile } from '../sys/socket-file.ts';
import type { WakeQueue } from '../sys/watch.ts';
import { formatKey } from './handshake.ts';
import { type AnySocket, fileOf, holdFile } from './shared-socket.ts';

export type PassedFile = StreamFile | DatagramFile;

/** A socket as a handle of the kernel's own thread takes it. */
export interface TakenSocket {
  readonly socket: AnySocket;
  readonly kind: 'stream' | 'datagram';
  readonly family: Family;
}

/** Wait of a file on its way for its new process. */
const PASS_MS = 60_000;
const TOKEN_WORDS = 4;

export class PassedFiles {
  readonly #wakeups: WakeQueue;
  readonly #rng: Rng;
  readonly #after: (ms: number, run: () => void) => void;
  readonly #waiting = new Map<string, PassedFile>();

  /** `wakeups`: of the kernel's processes. Tokens must not be foreseeable: `rng`. `after` calls once that time has passed. */
  constructor(wakeups: WakeQueue, rng: Rng, after: (ms: number, run: () => void) => void) {
    this.#wakeups = wakeups;
    this.#rng = rng;
    this.#after = after;
  }

  /** Let another process take `file`; the token is for its eyes only. */
  add(file: PassedFile): string {
    const words = Int32Array.from({ length: TOKEN_WORDS }, () => this.#rng.next32());
    const token = formatKey(new Uint8Array(words.buffer));
    file.hold();
    this.#waiting.set(token, file);
    this.#after(PASS_MS, () => {
      if (this.#waiting.delete(token)) file.release();
    });
    return token;
  }

  /** Take a file: the caller enters it into its descriptors, then releases the reference that it travelled with. */
  take(token: string): PassedFile | null {
    const found = this.#waiting.get(token) ?? null;
    this.#waiting.delete(token);
    return found;
  }

  /** {@link add} for a socket that handles of the kernel's own thread share (shared-socket.ts). */
  addSocket(socket: AnySocket, family: Family): string {
    return this.add(fileOf(socket, family, this.#wakeups));
  }

  /** {@link take} for a handle of the kernel's own thread, which joins the socket. */
  takeSocket(token: string): TakenSocket | null {
    const file = this.take(token);
    if (file === null) return null;
    holdFile(file);
    file.release();
    return { socket: file.socket, kind: 'state' in file.socket ? 'stream' : 'datagram', family: file.family };
  }
}
