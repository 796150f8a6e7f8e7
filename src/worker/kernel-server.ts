/**
 * A kernel as a server of remote calls: for the processes and threads that its program starts, and for tools.
 *
 * Thread: the one that runs the kernel. Nothing is listened at before it is needed, and nothing keeps the process alive.
 * Processes that the program starts find the URL, with its key, in their environment. Read first: rump/server.ts.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Rng } from '../base/rng.ts';
import type { Carrier } from '../host/contract.ts';
import { SystemRng } from '../host/node/clock.ts';
import { listenNow, type SocketPlace } from '../host/node/socket-carrier.ts';
import type { KernelAbout } from '../node/inherited-kernel.ts';
import { ExportedSockets } from '../rump/exported-sockets.ts';
import { formatKey, randomWords } from '../rump/handshake.ts';
import { FEATURE_SOCKETS } from '../rump/protocol.ts';
import { RumpServer } from '../rump/server.ts';
import { SocketService } from '../rump/socket-service.ts';
import { formatServerUrl } from '../rump/url.ts';
import type { SocketLayer } from '../socket/socket.ts';

// Taken before the program can replace the globals (fake timers do).
const startTimer = setTimeout;
const clock = performance;

function after(ms: number, run: () => void): void {
  startTimer(run, ms).unref();
}

function nowMs(): number {
  return clock.now();
}

export class KernelServer {
  readonly exports: ExportedSockets;
  readonly #rng: Rng = new SystemRng();
  readonly #server: RumpServer;
  #url = '';
  #expiring = false;

  constructor(sockets: SocketLayer, about: () => KernelAbout) {
    this.exports = new ExportedSockets(this.#rng, after);
    this.#server = new RumpServer({
      rng: this.#rng,
      features: FEATURE_SOCKETS,
      services: (client) => [new SocketService(client, sockets, this.exports)],
      about,
    });
  }

  /** Where processes that the program starts reach the kernel; listens from the first call on. */
  url(): string {
    if (this.#url !== '') return this.#url;
    const key = new Uint8Array(randomWords(this.#rng).buffer);
    const place = privatePlace(formatKey(new Uint8Array(randomWords(this.#rng, 2).buffer)));
    listenNow(place, (carrier) => this.#accept(carrier, key));
    this.#url = formatServerUrl({ ...place, key });
    return this.#url;
  }

  #accept(carrier: Carrier, key: Uint8Array | null): void {
    this.#server.accept(carrier, key, nowMs());
    this.#expireLater();
  }

  /** Look again when the time of the oldest unauthenticated connection is over. */
  #expireLater(): void {
    const deadlineMs = this.#server.admission.nextDeadlineMs();
    if (this.#expiring || deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#expiring = true;
    after(Math.max(1, deadlineMs - nowMs()), () => {
      this.#expiring = false;
      this.#server.expire(nowMs());
      this.#expireLater();
    });
  }
}

function privatePlace(name: string): SocketPlace & { kind: 'unix' } {
  // The abstract namespace leaves nothing behind, however the process ends.
  if (process.platform === 'linux') return { kind: 'unix', path: `\0multikernel-${process.pid}-${name}` };
  const folder = mkdtempSync(join(tmpdir(), 'multikernel-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { kind: 'unix', path: join(folder, 'kernel.sock') };
}
