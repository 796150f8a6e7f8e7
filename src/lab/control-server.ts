/**
 * The control socket of a lab: lets the commands of a second terminal ask what its own process could, and relays connections to
 * kernels that have no socket of their own.
 *
 * Thread: the supervisor's. A server of remote calls (rump/server.ts) whose requests and streams are operations.ts. One lab per
 * name: whoever binds the socket has the name. A socket file that nobody listens behind was left by a lab that was killed, and is
 * removed.
 */

import { rmSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { MultikernelError } from '../base/errors.ts';
import type { Carrier } from '../host/contract.ts';
import { SystemRng } from '../host/node/clock.ts';
import { ExpiryTimer, expiryNowMs } from '../host/node/expiry-timer.ts';
import { PortCarrier } from '../host/node/port-carrier.ts';
import { listenSocket, type SocketServer } from '../host/node/socket-carrier.ts';
import { ControlService } from '../rump/control-service.ts';
import type { StreamHandle, StreamSink } from '../rump/kernel-client.ts';
import type { Answers } from '../rump/multiplexer.ts';
import { FEATURE_CONTROL } from '../rump/protocol.ts';
import { RumpServer } from '../rump/server.ts';
import { ControlClient, type LabAbout } from './control-client.ts';
import type { LabBackend, LabOperation, LabStreamOperation } from './operations.ts';
import { controlPath, isSocket, kernelFolder, runtimeFolder } from './runtime-folder.ts';

/** Bytes of events that may wait for a slow client, besides the lines that a stream begins with, before its streams end. */
const BACKLOG_BYTES_MAX = 16 * 1024 * 1024;

/** A lab that can be served. */
export interface ServedLab extends Pick<LabBackend, 'request' | 'open'> {
  /** A connection for remote calls to the kernel of a node. Throws ENOENT, EHOSTDOWN. */
  connect(kernel: string): MessagePort;
}

export class ControlServer {
  readonly path: string;
  /** Folder of the socket files of the lab's kernels (runtime-folder.ts). */
  readonly kernelFolder: string | null;
  readonly #server: RumpServer;
  readonly #listening: SocketServer;

  /** The files go with the process; only SIGKILL leaves them. */
  readonly #onExit = (): void => {
    rmSync(this.path, { force: true });
    this.#removeKernels();
  };

  private constructor(lab: string, path: string, server: RumpServer, listening: SocketServer) {
    this.path = path;
    this.kernelFolder = kernelFolder(lab);
    this.#server = server;
    this.#listening = listening;
    process.on('exit', this.#onExit);
  }

  /** Take the name `lab`. Throws EEXIST when a lab of that name is up, and the errors of runtime-folder.ts. */
  static async listen(lab: string, backend: ServedLab): Promise<ControlServer> {
    runtimeFolder();
    const path = controlPath(lab);
    const server = serverOf(lab, backend);
    const expiry = new ExpiryTimer(server);
    const accept = (carrier: Carrier): void => {
      server.accept(carrier, null, expiryNowMs());
      expiry.arm();
    };
    for (let attempt = 0; ; attempt++) {
      try {
        return new ControlServer(lab, path, server, await listenSocket({ kind: 'unix', path }, accept, true));
      } catch (error) {
        if ((error as MultikernelError).code !== 'EADDRINUSE') throw error;
        // A socket that nobody listens behind was replaced already.
        if (attempt === 2 || isSocket(path)) throw await alreadyUp(lab);
        rmSync(path, { force: true });
      }
    }
  }

  /** Hang up on everybody and remove the socket file. */
  close(): void {
    process.off('exit', this.#onExit);
    this.#listening.close();
    this.#server.close();
    this.#removeKernels();
  }

  #removeKernels(): void {
    if (this.kernelFolder !== null) rmSync(this.kernelFolder, { recursive: true, force: true });
  }
}

async function alreadyUp(lab: string): Promise<MultikernelError> {
  const other = await ControlClient.connect(lab).catch(() => null);
  void other?.close();
  const who = other === null ? '' : ` (process ${other.pid})`;
  return new MultikernelError('EEXIST', `lab ${lab} is already up${who}; take it down with: mk down ${lab}`);
}

function serverOf(lab: string, backend: ServedLab): RumpServer {
  const answers: Answers = {
    request: (operation, params) => backend.request(operation as LabOperation, params as never),
    open: (operation, params, sink) => {
      const bounded = new BoundedSink(operation, sink);
      const handle = backend.open(operation as LabStreamOperation, params as never, bounded);
      bounded.opened(handle);
      return handle;
    },
  };
  return new RumpServer({
    rng: new SystemRng(),
    features: FEATURE_CONTROL,
    services: (client) => [new ControlService(client, answers)],
    about: (): LabAbout => ({ lab, pid: process.pid }),
    relay: (kernel, client) => new PortCarrier(backend.connect(kernel), client),
  });
}

/**
 * Ends a stream whose client reads more slowly than events come. Events within `open`, the last lines of a log, come all at once
 * however fast the client is, and the lab holds them anyway: they do not count.
 */
class BoundedSink implements StreamSink<unknown> {
  readonly #operation: string;
  readonly #sink: StreamSink<unknown>;
  #handle: StreamHandle<never> | null = null;
  /** The lowest level of the queue since `open`: bytes of the beginning that the client has not read. */
  #lowestBytes = 0;

  constructor(operation: string, sink: StreamSink<unknown>) {
    this.#operation = operation;
    this.#sink = sink;
  }

  opened(handle: StreamHandle<never>): void {
    this.#handle = handle;
    this.#lowestBytes = this.#sink.queuedBytes ?? 0;
  }

  event(event: unknown): void {
    const queuedBytes = this.#sink.queuedBytes ?? 0;
    this.#lowestBytes = Math.min(this.#lowestBytes, queuedBytes);
    if (this.#handle === null || queuedBytes <= this.#lowestBytes + BACKLOG_BYTES_MAX) {
      this.#sink.event(event);
      return;
    }
    const why = `${this.#operation} came faster than they were read, and the lab keeps no more of them`;
    this.#sink.end(new MultikernelError('ENOBUFS', why));
    this.#handle.close();
  }

  end(error: Error | null): void {
    this.#sink.end(error);
  }
}
